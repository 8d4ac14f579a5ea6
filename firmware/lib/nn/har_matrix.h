/* The fast path of the compiled engine: convolutions as products of packed matrices.
 *
 * A group of layers runs in blocks of up to 4 output pixels: `fill` writes the pixels' inputs into
 * the block as pairs of int16, and a matrix kernel multiplies the block by all weights and stores
 * the outputs. Where the layer in front is a depthwise convolution, `fill` computes it: its output
 * never exists as a tensor. pipeline/compiler/schedule.py chooses blocks and kernels, and pack.py
 * lays weights out; nothing is checked at run time. The caller owns all memory.
 *
 * Layouts
 *   nhwc    int8 (height, width, channels), as TensorFlow Lite has it.
 *   planes  uint8 q + 128, (channels, rows, row_bytes) with room for a margin around the image that
 *           holds 0: what padding means to a tensor of zero point -128. Row length and plane are
 *           multiples of 4 bytes. Bytes of a row after image and margin are undefined.
 *   block   int16 (pairs, pixels, 2): two inputs of one output pixel in a word. Which two is the
 *           compiler's choice, the weights are in the same order.
 *
 * Requantization, exact (docs/ENGINE.md): t = b + (acc << k), y = high word of t * m; the
 * output is y >> 16, saturated to uint8. b and m are of the channel, k of the kernel.
 *
 * Kernels exist in assembly for cores with the DSP extension (har_matrix_m4.S,
 * har_depthwise_m4.S) and in C for all others (*_twin.c), with the same names and packed arrays.
 * The assembly changes the FPU's s0 to s5 (not preserved across calls, says the AAPCS): an RTOS
 * that switches between threads that run it must save the FPU's registers.
 */
#ifndef HAR_MATRIX_H
#define HAR_MATRIX_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes after the last tensor that kernels may read, and ignore, or write. */
#define HAR_MATRIX_SLACK_BYTES 8

/* Multiplies one block by the weights of pairs of output channels. `block` is word-aligned and has
 * `block_bytes`, a multiple of 16 for each pixel. The `weights_bytes` of `weights` hold for each
 * pair of channels the weights, int8 (pairs of inputs, 2, 2 channels), and then what requantizes
 * the two. The output of pixel p and channel c goes to out[c * channel_stride + offsets[p]]. */
typedef void har_matrix_kernel(const int16_t *block, const int32_t *weights, int32_t block_bytes,
                               int32_t weights_bytes, uint8_t *out, int32_t channel_stride,
                               const int32_t *offsets);

/* Computes `channels` channels of a depthwise convolution for neighbouring outputs of a row.
 * `planes`: the first tap of the first output in the first channel. The outputs, 0 to 255, go to
 * block[0], block[2], ... in int16; `block_step` bytes further for each channel. `weights`: for
 * each channel its taps, packed, and {b, m}. */
typedef void har_depthwise_kernel(const uint8_t *planes, int32_t plane_bytes, int32_t row_bytes,
                                  int16_t *block, int32_t block_step, const int32_t *weights,
                                  int32_t channels);

/* For P pixels and the shift K:
 *   har_matrix_pP_kK            to planes: offsets are 0, 1, 2, 3 and not read; with 3 pixels a
 *                               fourth byte is written, 0
 *   har_matrix_pP_kK_scattered  to planes, any offsets
 *   har_matrix_pP_linear        to int8 of any zero point, any offsets. {2 b, m, rounding, shift}
 *                               requantize a channel as TensorFlow Lite does, in three roundings
 *   har_depthwise_1x3_sS_nN_kK  N outputs, stride S; 1x5 and 3x3 likewise */
#define HAR_DECLARE_MATRIX(p, k) \
    har_matrix_kernel har_matrix_p##p##_k##k, har_matrix_p##p##_k##k##_scattered;
#define HAR_DECLARE_DEPTHWISE(shape, s, n, k) \
    har_depthwise_kernel har_depthwise_##shape##_s##s##_n##n##_k##k;

#define HAR_FOR_SHIFTS(X, ...) \
    X(__VA_ARGS__, 10) X(__VA_ARGS__, 11) X(__VA_ARGS__, 12) X(__VA_ARGS__, 13) X(__VA_ARGS__, 14)
#define HAR_FOR_OUTPUTS(X, shape, s) \
    HAR_FOR_SHIFTS(X, shape, s, 1)   \
    HAR_FOR_SHIFTS(X, shape, s, 2) HAR_FOR_SHIFTS(X, shape, s, 3) HAR_FOR_SHIFTS(X, shape, s, 4)
#define HAR_FOR_DEPTHWISE(X)   \
    HAR_FOR_OUTPUTS(X, 1x3, 1) \
    HAR_FOR_OUTPUTS(X, 1x3, 2) \
    HAR_FOR_OUTPUTS(X, 1x5, 1) \
    HAR_FOR_OUTPUTS(X, 1x5, 2) HAR_FOR_OUTPUTS(X, 3x3, 1) HAR_FOR_OUTPUTS(X, 3x3, 2)
#define HAR_FOR_MATRIX(X) \
    HAR_FOR_SHIFTS(X, 1) HAR_FOR_SHIFTS(X, 2) HAR_FOR_SHIFTS(X, 3) HAR_FOR_SHIFTS(X, 4)

HAR_FOR_MATRIX(HAR_DECLARE_MATRIX)
HAR_FOR_DEPTHWISE(HAR_DECLARE_DEPTHWISE)
har_matrix_kernel har_matrix_p1_linear, har_matrix_p2_linear, har_matrix_p3_linear,
    har_matrix_p4_linear;

typedef struct har_matrix_params har_matrix_params;

/* Writes the inputs of `size` output pixels from (x, y) on, row by row, into the block. */
typedef void har_fill(const har_matrix_params *params, const void *input, int32_t x, int32_t y,
                      int32_t size, int16_t *block);

/* From nhwc: the pixels under the kernel, zero points where it lies outside. Behind the block it
 * needs room for one patch: 2 * pairs + 4 bytes. Pairs are inputs (0, 2), (1, 3), (4, 6), ... */
har_fill har_fill_patches;
/* The same, without copying, for kernels of one row that nowhere lie outside. */
har_fill har_fill_runs;
/* From planes, through a depthwise convolution by `depthwise` kernels: pairs are channels i and
 * pairs + i. */
har_fill har_fill_depthwise;
/* The same for any kernel and stride: weights of a channel are its taps in int8, padded to a word,
 * and {b, m}. */
har_fill har_fill_depthwise_any;

struct har_matrix_params {
    har_fill *fill;
    int32_t input_height, input_width, input_channels;
    int32_t kernel_height, kernel_width;
    int32_t stride_height, stride_width;
    int32_t dilation_height, dilation_width;
    int32_t pad_top, pad_left;
    int32_t input_zero_point;
    /* Of planes as input: the first tap of output (0, 0), and sizes. */
    int32_t input_offset, input_plane_bytes, input_row_bytes;
    har_depthwise_kernel *depthwise[4]; /* for 1 to 4 outputs of a row */
    const int32_t *depthwise_weights;
    int32_t depthwise_words; /* of weights a channel */
    int32_t depthwise_shift; /* k, for har_fill_depthwise_any */

    int32_t pairs; /* of inputs of an output pixel, a multiple of 4 */
    const int32_t *weights;
    int32_t channel_pair_bytes;            /* of weights, for a pair of channels */
    int32_t output_width, output_channels; /* channels >= 2 */
    /* `spans` times `blocks[n]` blocks of 4 - n pixels: a span is a row, or the whole image. */
    int32_t spans, blocks[4];
    har_matrix_kernel *kernels[4];   /* for 1 to 4 pixels of a row */
    har_matrix_kernel *scattered[4]; /* for those that lie in more than one row */
    /* Bytes from the output to its pixel (0, 0), and between channels, rows, and pixels. */
    int32_t output_offset, channel_stride, row_stride, pixel_stride;
    int32_t margin_bytes; /* of the output, which are set to 0 first: for planes with a margin */
};

/* `block`: word-aligned, 4 * pairs * the largest block's pixels bytes, and what `fill` needs. */
void har_matrix_run(const har_matrix_params *params, const void *input, int16_t *block,
                    void *output);

typedef struct {
    int32_t channels, height, width;
    int32_t offset, plane_bytes, row_bytes; /* offset of pixel (0, 0) */
    /* From the sum of a plane to its mean: k and {b, m} of an exact line; or 0 and what a linear
     * kernel has. */
    int32_t k, scale[4];
} har_pool_planes_params;

/* Planes to the mean of each, int8 (channels). */
void har_pool_planes(const har_pool_planes_params *params, const void *input, int8_t *output);

#ifdef __cplusplus
}
#endif
#endif
