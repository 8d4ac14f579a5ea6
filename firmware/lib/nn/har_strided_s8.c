#include <string.h>

#include "lib/nn/har_nn.h"

void har_strided_s8(const har_strided_params *params, const int8_t *input, int8_t *output) {
    const har_strided_params p = *params;
    const int32_t run = p.shape[3];

    for (int32_t i = 0; i < p.shape[0]; ++i) {
        for (int32_t j = 0; j < p.shape[1]; ++j) {
            for (int32_t k = 0; k < p.shape[2]; ++k) {
                const int8_t *from =
                    input + p.first + i * p.steps[0] + j * p.steps[1] + k * p.steps[2];
                if (p.steps[3] == 1) {
                    memcpy(output, from, (size_t)run);
                } else {
                    for (int32_t l = 0; l < run; ++l) output[l] = from[l * p.steps[3]];
                }
                output += run;
            }
        }
    }
}
