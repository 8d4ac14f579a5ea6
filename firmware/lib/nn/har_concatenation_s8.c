#include <string.h>

#include "lib/nn/har_nn.h"

void har_concatenation_s8(const har_concatenation_params *params, const int8_t *const *inputs,
                          const int32_t *widths, int8_t *output) {
    for (int32_t outer = 0; outer < params->outer; ++outer) {
        for (int32_t i = 0; i < params->count; ++i) {
            memcpy(output, inputs[i] + outer * widths[i], (size_t)widths[i]);
            output += widths[i];
        }
    }
}
