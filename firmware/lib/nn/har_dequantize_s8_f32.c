#include "lib/nn/har_nn.h"

void har_dequantize_s8_f32(const int8_t *input, uint32_t size, float scale, int32_t zero_point,
                           float *output) {
    for (uint32_t i = 0; i < size; ++i) output[i] = scale * (float)(input[i] - zero_point);
}
