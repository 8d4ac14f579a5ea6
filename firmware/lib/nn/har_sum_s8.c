#include "lib/nn/har_broadcast.h"
#include "lib/nn/har_requant.h"

/* In steps of twice the larger scale / 2^20. */
static inline int32_t term(const har_term *t, int8_t x) {
    const int32_t scaled = har_requant((x + t->offset) * (1 << 20), t->multiplier, t->shift);
    return t->negative ? -scaled : scaled;
}

static inline int8_t sum(const void *params, int8_t a, int8_t b) {
    const har_sum_params *p = params;
    return har_requant_s8(term(&p->a, a) + term(&p->b, b), p->multiplier, p->shift,
                          p->output_zero_point, p->activation_min, p->activation_max);
}

void har_sum_s8(const har_sum_params *params, const int8_t *a, const int8_t *b, int8_t *output) {
    har_each_pair(&params->over, a, b, output, sum, params);
}
