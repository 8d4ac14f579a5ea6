#include "lib/nn/har_nn.h"
#include "lib/nn/har_requant.h"

void har_conv2d_s8(const har_conv2d_params *params, const int8_t *input, const int8_t *weights,
                   const int32_t *bias, const int32_t *multiplier, const int8_t *shift,
                   int8_t *output) {
    const har_conv2d_params p = *params;

    for (int32_t out_y = 0; out_y < p.output_height; ++out_y) {
        const int32_t top = out_y * p.stride_height - p.pad_top;
        for (int32_t out_x = 0; out_x < p.output_width; ++out_x) {
            const int32_t left = out_x * p.stride_width - p.pad_left;
            const int8_t *tap = weights; /* walks through all weights once per output pixel */
            for (int32_t channel = 0; channel < p.output_channels; ++channel) {
                int32_t acc = bias[channel];
                for (int32_t ky = 0; ky < p.kernel_height; ++ky) {
                    const int32_t y = top + ky * p.dilation_height;
                    for (int32_t kx = 0; kx < p.kernel_width; ++kx) {
                        const int32_t x = left + kx * p.dilation_width;
                        if (y >= 0 && y < p.input_height && x >= 0 && x < p.input_width) {
                            const int8_t *pixel =
                                input + (y * p.input_width + x) * p.input_channels;
                            for (int32_t c = 0; c < p.input_channels; ++c) {
                                acc += pixel[c] * *tap++;
                            }
                        } else {
                            for (int32_t c = 0; c < p.input_channels; ++c) {
                                acc += p.input_zero_point * *tap++;
                            }
                        }
                    }
                }
                *output++ = har_requant_s8(acc, multiplier[channel], shift[channel],
                                           p.output_zero_point, p.activation_min, p.activation_max);
            }
        }
    }
}
