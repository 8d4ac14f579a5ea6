#include "lib/nn/har_nn.h"
#include "lib/nn/har_requant.h"

void har_requantize_s8(const har_requantize_params *params, const int8_t *input, int8_t *output) {
    const har_requantize_params p = *params;

    for (int32_t i = 0; i < p.size; ++i) {
        output[i] = har_requant_s8(input[i] - p.input_zero_point, p.multiplier, p.shift,
                                   p.output_zero_point, p.activation_min, p.activation_max);
    }
}
