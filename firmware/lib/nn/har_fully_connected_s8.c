#include "lib/nn/har_nn.h"
#include "lib/nn/har_requant.h"

void har_fully_connected_s8(const har_fully_connected_params *params, const int8_t *input,
                            const int8_t *weights, const int32_t *bias, const int32_t *multiplier,
                            const int8_t *shift, int8_t *output) {
    const har_fully_connected_params p = *params;

    for (int32_t row = 0; row < p.rows; ++row) {
        const int8_t *vector = input + row * p.input_size;
        const int8_t *weight = weights;
        for (int32_t channel = 0; channel < p.output_size; ++channel) {
            int32_t acc = bias[channel];
            for (int32_t i = 0; i < p.input_size; ++i) {
                acc += vector[i] * *weight++;
            }
            const int32_t scale = p.per_channel != 0 ? channel : 0;
            *output++ = har_requant_s8(acc, multiplier[scale], shift[scale], p.output_zero_point,
                                       p.activation_min, p.activation_max);
        }
    }
}
