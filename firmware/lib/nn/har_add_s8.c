#include "lib/nn/har_nn.h"
#include "lib/nn/har_requant.h"

/* x / 2^shift, halves away from zero. */
static inline int32_t round_shift(int32_t x, const har_rounding *by) {
    return (x + ((x >> 31) & by->sign) + by->half) >> by->shift;
}

void har_add_s8(const har_add_params *params, const int8_t *larger, const int8_t *smaller,
                int8_t *output) {
    const har_add_params p = *params;
    const int8_t *end = larger + p.size;

    while (larger != end) {
        /* Both in steps of half the larger scale / 2^20. */
        const int32_t twice = (int32_t)((uint32_t)(int32_t)*smaller++ << 21) + p.smaller_offset;
        const int32_t scaled = har_mul_high_of_twice(twice, p.smaller_multiplier);
        const int32_t twice_sum = (int32_t)((uint32_t)(int32_t)*larger++ << 20) + p.larger_offset +
                                  2 * round_shift(scaled, &p.smaller);
        const int32_t high = har_mul_high_of_twice(twice_sum, p.output_multiplier);
        *output++ = (int8_t)har_clamp(round_shift(high, &p.output) + p.output_zero_point,
                                      p.activation_min, p.activation_max);
    }
}
