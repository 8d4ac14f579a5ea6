/* The matrix kernels in C: what har_matrix_m4.S computes, for all other cores. HAR_TWIN(name) may
 * be defined to compile them under other names, beside the assembly. */
#include "lib/nn/har_matrix.h"
#include "lib/nn/har_requant.h"

#if !defined(__ARM_FEATURE_DSP) || defined(HAR_TWIN)
#ifndef HAR_TWIN
#define HAR_TWIN(name) name
#endif

enum target { ROW, SCATTERED, LINEAR };

static void multiply(int32_t pixels, int32_t k, enum target target, const int16_t *block,
                     const int32_t *weights, int32_t block_bytes, int32_t weights_bytes,
                     uint8_t *out, int32_t channel_stride, const int32_t *offsets) {
    static const int32_t in_a_row[4] = {0, 1, 2, 3};
    const int32_t pairs = block_bytes / (4 * pixels);
    const int32_t scale_words = target == LINEAR ? 4 : 2; /* of a channel */
    const int32_t *end = weights + weights_bytes / 4;
    if (target == ROW) offsets = in_a_row;

    while (weights != end) {
        const int8_t *taps = (const int8_t *)weights; /* (pairs, 2, 2) */
        const int32_t *scale = weights + pairs;       /* of channel 0, then of channel 1 */

        for (int32_t channel = 0; channel < 2; ++channel, scale += scale_words) {
            for (int32_t pixel = 0; pixel < pixels; ++pixel) {
                uint32_t sum = 0;
                for (int32_t pair = 0; pair < pairs; ++pair) {
                    const int16_t *x = block + 2 * (pair * pixels + pixel);
                    const int8_t *w = taps + 4 * pair + channel;
                    sum += (uint32_t)(x[0] * w[0] + x[1] * w[2]);
                }
                out[offsets[pixel]] = target == LINEAR ? (uint8_t)har_linear_s8(sum, scale)
                                                       : har_scale_u8(sum, scale[0], scale[1], k);
            }
            if (target == ROW && pixels == 3) out[3] = 0;
            out += channel_stride;
        }
        weights = scale;
    }
}

#define KERNEL(name, pixels, k, target)                                                    \
    void HAR_TWIN(name)(const int16_t *block, const int32_t *weights, int32_t block_bytes, \
                        int32_t weights_bytes, uint8_t *out, int32_t channel_stride,       \
                        const int32_t *offsets) {                                          \
        multiply(pixels, k, target, block, weights, block_bytes, weights_bytes, out,       \
                 channel_stride, offsets);                                                 \
    }
#define BOTH(p, k)                            \
    KERNEL(har_matrix_p##p##_k##k, p, k, ROW) \
    KERNEL(har_matrix_p##p##_k##k##_scattered, p, k, SCATTERED)

HAR_FOR_MATRIX(BOTH)
KERNEL(har_matrix_p1_linear, 1, 0, LINEAR)
KERNEL(har_matrix_p2_linear, 2, 0, LINEAR)
KERNEL(har_matrix_p3_linear, 3, 0, LINEAR)
KERNEL(har_matrix_p4_linear, 4, 0, LINEAR)
#endif
