#include "lib/nn/har_matrix.h"

static int32_t smaller(int32_t a, int32_t b) {
    return a < b ? a : b;
}

void har_fill_depthwise(const har_matrix_params *params, const void *input, int32_t x, int32_t y,
                        int32_t size, int16_t *block) {
    const har_matrix_params *p = params;
    const int32_t low = smaller(p->input_channels, p->pairs);
    const int32_t high = p->input_channels - low;

    for (int32_t done = 0; done < size;) {
        const int32_t outputs = smaller(size - done, p->output_width - x);
        const uint8_t *planes = (const uint8_t *)input + p->input_offset +
                                y * p->stride_height * p->input_row_bytes + x * p->stride_width;
        int16_t *to = block + 2 * done;
        har_depthwise_kernel *kernel = p->depthwise[outputs - 1];

        kernel(planes, p->input_plane_bytes, p->input_row_bytes, to, 4 * size, p->depthwise_weights,
               low);
        if (high > 0) {
            kernel(planes + low * p->input_plane_bytes, p->input_plane_bytes, p->input_row_bytes,
                   to + 1, 4 * size, p->depthwise_weights + low * p->depthwise_words, high);
        }
        done += outputs;
        x = 0;
        ++y;
    }
}
