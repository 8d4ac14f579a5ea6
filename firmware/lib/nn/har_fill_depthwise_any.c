#include "lib/nn/har_matrix.h"
#include "lib/nn/har_requant.h"

void har_fill_depthwise_any(const har_matrix_params *params, const void *input, int32_t x,
                            int32_t y, int32_t size, int16_t *block) {
    const har_matrix_params *p = params;

    for (int32_t pixel = 0; pixel < size; ++pixel) {
        const uint8_t *plane = (const uint8_t *)input + p->input_offset +
                               y * p->stride_height * p->input_row_bytes + x * p->stride_width;
        const int32_t *weights = p->depthwise_weights;
        for (int32_t channel = 0; channel < p->input_channels; ++channel) {
            const int8_t *tap = (const int8_t *)weights;
            const int32_t *scale = weights + p->depthwise_words - 2;
            uint32_t sum = 0;
            for (int32_t ky = 0; ky < p->kernel_height; ++ky) {
                const uint8_t *row = plane + ky * p->dilation_height * p->input_row_bytes;
                for (int32_t kx = 0; kx < p->kernel_width; ++kx) {
                    sum += (uint32_t)(row[kx * p->dilation_width] * *tap++);
                }
            }
            const int32_t pair = channel < p->pairs ? channel : channel - p->pairs;
            block[2 * (pair * size + pixel) + (channel < p->pairs ? 0 : 1)] =
                har_scale_u8(sum, scale[0], scale[1], p->depthwise_shift);
            plane += p->input_plane_bytes;
            weights += p->depthwise_words;
        }
        if (++x == p->output_width) {
            x = 0;
            ++y;
        }
    }
}
