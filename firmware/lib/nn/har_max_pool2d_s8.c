#include "lib/nn/har_nn.h"
#include "lib/nn/har_requant.h"

void har_max_pool2d_s8(const har_pool2d_params *params, const int8_t *input, int8_t *output) {
    const har_pool2d_params p = *params;

    for (int32_t out_y = 0; out_y < p.output_height; ++out_y) {
        const int32_t top = out_y * p.stride_height - p.pad_top;
        for (int32_t out_x = 0; out_x < p.output_width; ++out_x) {
            const int32_t left = out_x * p.stride_width - p.pad_left;
            for (int32_t channel = 0; channel < p.channels; ++channel) {
                int32_t largest = INT8_MIN;
                for (int32_t y = top; y < top + p.kernel_height; ++y) {
                    for (int32_t x = left; x < left + p.kernel_width; ++x) {
                        if (y < 0 || y >= p.input_height || x < 0 || x >= p.input_width) continue;
                        const int32_t value = input[(y * p.input_width + x) * p.channels + channel];
                        if (value > largest) largest = value;
                    }
                }
                *output++ = (int8_t)har_clamp(largest, p.activation_min, p.activation_max);
            }
        }
    }
}
