#include "lib/nn/har_nn.h"
#include "lib/nn/har_requant.h"

void har_clamp_s8(const har_clamp_params *params, const int8_t *input, int8_t *output) {
    for (int32_t i = 0; i < params->size; ++i) {
        output[i] = (int8_t)har_clamp(input[i], params->activation_min, params->activation_max);
    }
}
