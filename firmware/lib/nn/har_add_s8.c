#include "lib/nn/har_nn.h"
#include "lib/nn/har_requant.h"

/* Both inputs are brought to a common scale (twice the larger one) with this many extra bits. */
#define HAR_ADD_HEADROOM_BITS 20

void har_add_s8(const har_add_params *params, const int8_t *a, const int8_t *b, int8_t *output) {
    const har_add_params p = *params;

    for (int32_t i = 0; i < p.size; ++i) {
        const int32_t wide_a = (a[i] - p.a_zero_point) * (1 << HAR_ADD_HEADROOM_BITS);
        const int32_t wide_b = (b[i] - p.b_zero_point) * (1 << HAR_ADD_HEADROOM_BITS);
        const int32_t sum = har_requant(wide_a, p.a_multiplier, p.a_shift) +
                            har_requant(wide_b, p.b_multiplier, p.b_shift);
        output[i] = har_requant_s8(sum, p.output_multiplier, p.output_shift, p.output_zero_point,
                                   p.activation_min, p.activation_max);
    }
}
