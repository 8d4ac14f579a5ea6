/* Runs a group block by block, and fills blocks from nhwc tensors. */
#include "lib/nn/har_matrix.h"

#include "lib/nn/har_bytes.h"

/* Two of four int8 in a word, as two int16: bytes 0 and 2, or after a rotation 1 and 3. */
#if defined(__ARM_FEATURE_DSP)
static inline uint32_t even_bytes(uint32_t word) {
    uint32_t pair;
    __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(word));
    return pair;
}

static inline uint32_t odd_bytes(uint32_t word) {
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
}
#else
static uint32_t even_bytes(uint32_t word) {
    const uint32_t low = (uint32_t)(int32_t)(int8_t)(uint8_t)word;
    const uint32_t high = (uint32_t)(int32_t)(int8_t)(uint8_t)(word >> 16);
    return (low & 0xFFFFu) | (high << 16);
}

static uint32_t odd_bytes(uint32_t word) {
    return even_bytes(word >> 8);
}
#endif

/* Both in whole words: up to 3 bytes too many. Returns the end. */
static int8_t *copy(int8_t *to, const int8_t *from, int32_t bytes) {
    for (int32_t i = 0; i < bytes; i += 4) har_store_word(to + i, har_load_word(from + i));
    return to + bytes;
}

static int8_t *fill_with(int8_t *to, uint32_t four, int32_t bytes) {
    for (int32_t i = 0; i < bytes; i += 4) har_store_word(to + i, four);
    return to + bytes;
}

static int inside(int32_t at, int32_t size) {
    return (uint32_t)at < (uint32_t)size;
}

/* The bytes under the kernel, row by row. */
static void copy_patch(const har_matrix_params *p, const int8_t *input, int32_t top, int32_t left,
                       int8_t *patch) {
    const int32_t channels = p->input_channels, width = p->input_width;
    const int32_t columns = p->kernel_width;
    const uint32_t zeros = (uint8_t)p->input_zero_point * UINT32_C(0x01010101);
    /* The kernel's columns [first, end) lie inside. */
    const int32_t first = left < 0 ? -left : 0;
    const int32_t end = width - left < columns ? width - left : columns;
    const int32_t before = first * channels, after = (columns - end) * channels;
    const int32_t within = (end - first) * channels;

    for (int32_t ky = 0, y = top; ky < p->kernel_height; ++ky, y += p->dilation_height) {
        const int8_t *row = input + y * width * channels;
        if (!inside(y, p->input_height)) {
            patch = fill_with(patch, zeros, columns * channels);
        } else if (p->dilation_width == 1) {
            patch = fill_with(patch, zeros, before);
            patch = copy(patch, row + left * channels + before, within);
            patch = fill_with(patch, zeros, after);
        } else {
            for (int32_t kx = 0, x = left; kx < columns; ++kx, x += p->dilation_width) {
                patch = inside(x, width) ? copy(patch, row + x * channels, channels)
                                         : fill_with(patch, zeros, channels);
            }
        }
    }
}

/* `words` words of four inputs to pairs, one pixel of `size` in a block; an even number. */
static void expand(int16_t *pair, const int8_t *bytes, int32_t words, int32_t size) {
    for (; words > 0; words -= 2, bytes += 8) {
        const uint32_t a = har_load_word(bytes), b = har_load_word(bytes + 4);
        har_store_word(pair, even_bytes(a));
        pair += 2 * size;
        har_store_word(pair, odd_bytes(a));
        pair += 2 * size;
        har_store_word(pair, even_bytes(b));
        pair += 2 * size;
        har_store_word(pair, odd_bytes(b));
        pair += 2 * size;
    }
}

void har_fill_runs(const har_matrix_params *params, const void *input, int32_t x, int32_t y,
                   int32_t size, int16_t *block) {
    const har_matrix_params *p = params;
    const int32_t step = p->stride_width * p->input_channels;
    const int32_t row_step = p->stride_height * p->input_width * p->input_channels;
    const int32_t words = p->pairs / 2, last = p->output_width - 1;
    const int8_t *row = (const int8_t *)input + p->input_offset + y * row_step;
    const int8_t *run = row + x * step;

    for (int32_t pixel = 0; pixel < size; ++pixel) {
        expand(block + 2 * pixel, run, words, size);
        run += step;
        if (x++ == last) {
            x = 0;
            row += row_step;
            run = row;
        }
    }
}

void har_fill_patches(const har_matrix_params *params, const void *input, int32_t x, int32_t y,
                      int32_t size, int16_t *block) {
    const har_matrix_params *p = params;
    const int8_t *image = (const int8_t *)input;
    int8_t *patch = (int8_t *)(block + 2 * p->pairs * size);
    const int one_row = p->kernel_height == 1 && p->input_height == 1 && p->dilation_width == 1;

    for (int32_t pixel = 0; pixel < size; ++pixel) {
        const int32_t top = y * p->stride_height - p->pad_top;
        const int32_t left = x * p->stride_width - p->pad_left;
        const int8_t *bytes = patch;
        if (one_row && left >= 0 && left + p->kernel_width <= p->input_width) {
            bytes = image + left * p->input_channels;
        } else {
            copy_patch(p, image, top, left, patch);
        }
        expand(block + 2 * pixel, bytes, p->pairs / 2, size);
        if (++x == p->output_width) {
            x = 0;
            ++y;
        }
    }
}

static void clear(void *memory, int32_t bytes) {
    int8_t *to = (int8_t *)memory;
    for (int32_t i = 0; i < bytes; i += 16) {
        har_store_word(to + i, 0);
        har_store_word(to + i + 4, 0);
        har_store_word(to + i + 8, 0);
        har_store_word(to + i + 12, 0);
    }
}

/* An odd number of channels has its first pair twice: (0, 1), (1, 2), (3, 4), ... */
static void multiply(const har_matrix_params *p, har_matrix_kernel *kernel, const int16_t *block,
                     int32_t block_bytes, uint8_t *out, const int32_t *offsets) {
    const int32_t pair_bytes = p->channel_pair_bytes;
    const int32_t *weights = p->weights;
    if (p->output_channels % 2 != 0) {
        kernel(block, weights, block_bytes, pair_bytes, out, p->channel_stride, offsets);
        weights += pair_bytes / 4;
        out += p->channel_stride;
    }
    kernel(block, weights, block_bytes, p->output_channels / 2 * pair_bytes, out, p->channel_stride,
           offsets);
}

void har_matrix_run(const har_matrix_params *params, const void *input, int16_t *block,
                    void *output) {
    const har_matrix_params *p = params;
    uint8_t *out = (uint8_t *)output + p->output_offset;
    int32_t x = 0, y = 0;

    clear(output, p->margin_bytes);
    for (int32_t span = 0; span < p->spans; ++span) {
        for (int32_t size = 4; size >= 1; --size) {
            for (int32_t n = p->blocks[4 - size]; n > 0; --n) {
                int32_t offsets[4];
                const int32_t at = y * p->row_stride + x * p->pixel_stride;
                har_matrix_kernel *kernel = p->kernels[size - 1];

                p->fill(p, input, x, y, size, block);
                for (int32_t pixel = 0; pixel < size; ++pixel) {
                    offsets[pixel] = y * p->row_stride + x * p->pixel_stride - at;
                    if (++x == p->output_width) {
                        x = 0;
                        ++y;
                        if (pixel != size - 1) kernel = p->scattered[size - 1];
                    }
                }
                multiply(p, kernel, block, 4 * p->pairs * size, out + at, offsets);
            }
        }
    }
}
