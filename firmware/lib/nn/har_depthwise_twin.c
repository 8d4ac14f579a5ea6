/* The depthwise kernels in C: what har_depthwise_m4.S computes, for all other cores. HAR_TWIN(name)
 * may be defined to compile them under other names, beside the assembly. */
#include "lib/nn/har_matrix.h"
#include "lib/nn/har_requant.h"

#if !defined(__ARM_FEATURE_DSP) || defined(HAR_TWIN)
#ifndef HAR_TWIN
#define HAR_TWIN(name) name
#endif

/* Of a packed row, where tap i lies: words (w0, w2), (w1, w3), w4 or (w0, w2), w1, low half first.
 */
static int32_t tap_of(const int32_t *row, int32_t i) {
    const int32_t word = row[i == 4 ? 2 : i % 2];
    return i == 2 || i == 3 ? word >> 16 : (int16_t)(uint16_t)((uint32_t)word & 0xFFFFu);
}

static void depthwise(int32_t rows, int32_t taps, int32_t stride, int32_t outputs, int32_t k,
                      const uint8_t *planes, int32_t plane_bytes, int32_t row_bytes, int16_t *block,
                      int32_t block_step, const int32_t *weights, int32_t channels) {
    const int32_t row_words = taps == 5 ? 3 : 2;

    for (int32_t channel = 0; channel < channels; ++channel) {
        const int32_t *scale = weights + rows * row_words;
        for (int32_t n = 0; n < outputs; ++n) {
            uint32_t sum = 0;
            for (int32_t row = 0; row < rows; ++row) {
                const uint8_t *x = planes + row * row_bytes + n * stride;
                for (int32_t i = 0; i < taps; ++i) {
                    sum += (uint32_t)(x[i] * tap_of(weights + row * row_words, i));
                }
            }
            block[2 * n] = har_scale_u8(sum, scale[0], scale[1], k);
        }
        planes += plane_bytes;
        block += block_step / 2;
        weights = scale + 2;
    }
}

#define KERNEL(name, rows, taps, stride, outputs, k)                                     \
    void HAR_TWIN(name)(const uint8_t *planes, int32_t plane_bytes, int32_t row_bytes,   \
                        int16_t *block, int32_t block_step, const int32_t *weights,      \
                        int32_t channels) {                                              \
        depthwise(rows, taps, stride, outputs, k, planes, plane_bytes, row_bytes, block, \
                  block_step, weights, channels);                                        \
    }
#define ROWS_1x3 1, 3
#define ROWS_1x5 1, 5
#define ROWS_3x3 3, 3
#define EACH(shape, s, n, k) \
    KERNEL_OF(har_depthwise_##shape##_s##s##_n##n##_k##k, ROWS_##shape, s, n, k)
#define KERNEL_OF(...) KERNEL(__VA_ARGS__)

HAR_FOR_DEPTHWISE(EACH)
#endif
