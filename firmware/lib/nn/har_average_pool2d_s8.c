#include "lib/nn/har_nn.h"
#include "lib/nn/har_requant.h"

static int32_t larger(int32_t a, int32_t b) {
    return a > b ? a : b;
}

static int32_t smaller(int32_t a, int32_t b) {
    return a < b ? a : b;
}

void har_average_pool2d_s8(const har_pool2d_params *params, const int8_t *input, int8_t *output) {
    const har_pool2d_params p = *params;

    for (int32_t out_y = 0; out_y < p.output_height; ++out_y) {
        const int32_t top = out_y * p.stride_height - p.pad_top;
        const int32_t first_y = larger(top, 0);
        const int32_t end_y = smaller(top + p.kernel_height, p.input_height);
        for (int32_t out_x = 0; out_x < p.output_width; ++out_x) {
            const int32_t left = out_x * p.stride_width - p.pad_left;
            const int32_t first_x = larger(left, 0);
            const int32_t end_x = smaller(left + p.kernel_width, p.input_width);
            const int32_t taps = (end_y - first_y) * (end_x - first_x);
            for (int32_t channel = 0; channel < p.channels; ++channel) {
                int32_t sum = 0;
                for (int32_t y = first_y; y < end_y; ++y) {
                    for (int32_t x = first_x; x < end_x; ++x) {
                        sum += input[(y * p.input_width + x) * p.channels + channel];
                    }
                }
                const int32_t mean = (sum > 0 ? sum + taps / 2 : sum - taps / 2) / taps;
                *output++ = (int8_t)har_clamp(mean, p.activation_min, p.activation_max);
            }
        }
    }
}
