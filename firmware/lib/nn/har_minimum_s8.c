#include "lib/nn/har_broadcast.h"

static inline int8_t choose(const void *params, int8_t a, int8_t b) {
    (void)params;
    return a < b ? a : b;
}

void har_minimum_s8(const har_broadcast *params, const int8_t *a, const int8_t *b, int8_t *output) {
    har_each_pair(params, a, b, output, choose, params);
}
