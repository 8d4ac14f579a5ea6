#include "lib/nn/har_broadcast.h"
#include "lib/nn/har_requant.h"

static inline int8_t sloped(const void *params, int8_t x, int8_t slope) {
    const har_prelu_params *p = params;
    const int32_t value = x + p->input_offset;
    if (value >= 0) {
        return har_requant_s8(value, p->multiplier, p->shift, p->output_zero_point, -128, 127);
    }
    return har_requant_s8(value * (slope + p->slope_offset), p->slope_multiplier, p->slope_shift,
                          p->output_zero_point, -128, 127);
}

void har_prelu_s8(const har_prelu_params *params, const int8_t *input, const int8_t *slopes,
                  int8_t *output) {
    har_each_pair(&params->over, input, slopes, output, sloped, params);
}
