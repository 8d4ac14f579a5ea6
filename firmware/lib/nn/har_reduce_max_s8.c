#include "lib/nn/har_nn.h"

void har_reduce_max_s8(const har_reduce_max_params *params, const int8_t *input, int8_t *output) {
    const har_reduce_max_params p = *params;

    for (int32_t i = 0; i < p.outer; ++i) {
        for (int32_t k = 0; k < p.inner; ++k) {
            int8_t most = INT8_MIN;
            for (int32_t j = 0; j < p.count; ++j) {
                const int8_t x = input[(i * p.count + j) * p.inner + k];
                if (x > most) most = x;
            }
            output[i * p.inner + k] = most;
        }
    }
}
