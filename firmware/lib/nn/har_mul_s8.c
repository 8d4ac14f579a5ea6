#include "lib/nn/har_broadcast.h"
#include "lib/nn/har_requant.h"

static inline int8_t product(const void *params, int8_t a, int8_t b) {
    const har_mul_params *p = params;
    return har_requant_s8((a + p->a_offset) * (b + p->b_offset), p->multiplier, p->shift,
                          p->output_zero_point, p->activation_min, p->activation_max);
}

void har_mul_s8(const har_mul_params *params, const int8_t *a, const int8_t *b, int8_t *output) {
    har_each_pair(&params->over, a, b, output, product, params);
}
