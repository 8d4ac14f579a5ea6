/* Element by element over two inputs, the smaller one repeated. */
#ifndef HAR_BROADCAST_H
#define HAR_BROADCAST_H

#include "lib/nn/har_nn.h"

typedef int8_t har_of_pair(const void *params, int8_t a, int8_t b);

static inline void har_each_pair(const har_broadcast *over, const int8_t *a, const int8_t *b,
                                 int8_t *output, har_of_pair *function, const void *params) {
    const har_broadcast o = *over;

    for (int32_t i = 0; i < o.shape[0]; ++i) {
        for (int32_t j = 0; j < o.shape[1]; ++j) {
            for (int32_t k = 0; k < o.shape[2]; ++k) {
                const int8_t *x = a + i * o.a[0] + j * o.a[1] + k * o.a[2];
                const int8_t *y = b + i * o.b[0] + j * o.b[1] + k * o.b[2];
                for (int32_t l = 0; l < o.shape[3]; ++l) {
                    *output++ = function(params, x[l * o.a[3]], y[l * o.b[3]]);
                }
            }
        }
    }
}

#endif
