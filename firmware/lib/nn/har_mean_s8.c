#include "lib/nn/har_nn.h"
#include "lib/nn/har_requant.h"

void har_mean_s8(const har_mean_params *params, const int8_t *input, int8_t *output) {
    const har_mean_params p = *params;

    for (int32_t outer = 0; outer < p.outer; ++outer) {
        const int8_t *block = input + outer * p.count * p.inner; /* (count, inner) */
        for (int32_t inner = 0; inner < p.inner; ++inner) {
            int32_t sum = -p.input_zero_point_sum;
            for (int32_t i = 0; i < p.count; ++i) {
                sum += block[i * p.inner + inner];
            }
            *output++ =
                har_requant_s8(sum, p.multiplier, p.shift, p.output_zero_point, INT8_MIN, INT8_MAX);
        }
    }
}
