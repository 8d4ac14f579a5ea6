#include "lib/nn/har_nn.h"
#include "lib/nn/har_requant.h"

void har_depthwise_conv2d_s8(const har_conv2d_params *params, const int8_t *input,
                             const int8_t *weights, const int32_t *bias, const int32_t *multiplier,
                             const int8_t *shift, int8_t *output) {
    const har_conv2d_params p = *params;
    const int32_t per_input = p.output_channels / p.input_channels; /* depth multiplier */

    for (int32_t out_y = 0; out_y < p.output_height; ++out_y) {
        const int32_t top = out_y * p.stride_height - p.pad_top;
        for (int32_t out_x = 0; out_x < p.output_width; ++out_x) {
            const int32_t left = out_x * p.stride_width - p.pad_left;
            for (int32_t channel = 0; channel < p.output_channels; ++channel) {
                const int8_t *plane = input + channel / per_input;
                const int8_t *tap = weights + channel;
                int32_t acc = bias[channel];
                for (int32_t ky = 0; ky < p.kernel_height; ++ky) {
                    const int32_t y = top + ky * p.dilation_height;
                    for (int32_t kx = 0; kx < p.kernel_width; ++kx) {
                        const int32_t x = left + kx * p.dilation_width;
                        int32_t value = p.input_zero_point;
                        if (y >= 0 && y < p.input_height && x >= 0 && x < p.input_width) {
                            value = plane[(y * p.input_width + x) * p.input_channels];
                        }
                        acc += value * *tap;
                        tap += p.output_channels;
                    }
                }
                *output++ = har_requant_s8(acc, multiplier[channel], shift[channel],
                                           p.output_zero_point, p.activation_min, p.activation_max);
            }
        }
    }
}
