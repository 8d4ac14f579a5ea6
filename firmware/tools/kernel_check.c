/* Runs each matrix and depthwise kernel in assembly and its twin in C on the same seeded data, for
 * many sizes, with guards around every buffer. mps2 only. Prints the kernels that differ, or that
 * touch what is not theirs, and exits with their number, 125 at most. */
#include <stdbool.h>
#include <string.h>

#include "boards/mps2/mps2.h"
#include "hal/har_board.h"
#include "lib/nn/har_matrix.h"

#define HAR_TWIN(name) name##_twin
#include "lib/nn/har_matrix_twin.c"
#undef KERNEL
#include "lib/nn/har_depthwise_twin.c"

enum { GUARD = 64, MOST_PAIRS = 20, MOST_PIXELS = 4, MOST_CHANNEL_PAIRS = 3, MOST_OUT = 256 };
enum { MOST_CHANNELS = 5, ROW_BYTES = 20, MOST_ROWS = 4, CANARY = 0xA5 };

static uint32_t state = 1u;
static uint32_t checked, failed;

static uint32_t random_word(void) { /* xorshift32 */
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static int32_t below(uint32_t limit) {
    return (int32_t)(random_word() % limit);
}

/* Bytes of the extremes, or of anything. */
static void scatter_bytes(void *to, size_t size, bool extreme) {
    uint8_t *byte = (uint8_t *)to;
    for (size_t i = 0; i < size; ++i) {
        const uint32_t word = random_word() >> 8;
        byte[i] = extreme ? (uint8_t)((word & 1u) != 0u ? 0x80u : 0x7Fu) : (uint8_t)word;
    }
}

/* A buffer between guards. */
struct guarded {
    _Alignas(8) uint8_t before[GUARD];
    _Alignas(8) uint8_t bytes[4096];
    uint8_t after[GUARD];
};

static struct guarded block, weights, planes, ours, theirs;

static void guard(struct guarded *buffer, uint32_t used) {
    memset(buffer->before, CANARY, GUARD);
    memset(buffer->bytes + used, CANARY, sizeof(buffer->bytes) - used);
    memset(buffer->after, CANARY, GUARD);
}

static bool whole(const struct guarded *buffer, uint32_t used) {
    bool same = true;
    for (uint32_t i = 0; i < GUARD; ++i) {
        same = same && buffer->before[i] == CANARY && buffer->after[i] == CANARY;
    }
    for (uint32_t i = used; i < sizeof(buffer->bytes); ++i) {
        same = same && buffer->bytes[i] == CANARY;
    }
    return same;
}

static void report(const char *name, bool right) {
    ++checked;
    if (right) return;
    ++failed;
    har_mps2_print(name);
    har_mps2_print("\n");
}

static int32_t *put_scales(int32_t *to, bool linear_target) {
    if (!linear_target) {
        *to++ = below(1u << 28) - (1 << 27);
        *to++ = below(1u << 30);
        return to;
    }
    const int32_t shift = 1 + below(22);
    *to++ = below(1u << 24) - (1 << 23);
    *to++ = below(8) == 0 ? 0 : (1 << 30) + below(1u << 30);
    *to++ = (1 << (shift - 1)) + (below(256) - 128) * (1 << shift);
    *to++ = shift;
    return to;
}

static void check_matrix(const char *name, har_matrix_kernel *kernel, har_matrix_kernel *twin,
                         int32_t pixels, bool in_a_row, bool linear_target) {
    bool right = true;
    for (int32_t trial = 0; trial < 12; ++trial) {
        const int32_t pairs = 4 * (1 + below(MOST_PAIRS / 4));
        const int32_t channel_pairs = 1 + below(MOST_CHANNEL_PAIRS);
        const int32_t channel_stride = in_a_row ? 4 * (1 + below(3)) : 1 + 16 * below(3);
        const uint32_t block_bytes = (uint32_t)(4 * pairs * pixels);
        int32_t offsets[MOST_PIXELS];

        for (uint32_t i = 0; i < block_bytes / 2u; ++i) {
            const int16_t value = (int16_t)(trial == 0 ? 255 : below(384) - 128);
            memcpy(block.bytes + 2u * i, &value, sizeof(value));
        }
        int32_t *word = (int32_t *)(void *)weights.bytes;
        for (int32_t n = 0; n < channel_pairs; ++n) {
            scatter_bytes(word, (size_t)(4 * pairs), trial < 2);
            word = put_scales(put_scales(word + pairs, linear_target), linear_target);
        }
        const uint32_t weights_bytes = (uint32_t)((uint8_t *)word - weights.bytes);
        for (int32_t i = 0; i < pixels; ++i) offsets[i] = in_a_row ? i : 2 * i + 16 * below(2) / 16;
        guard(&block, block_bytes);
        guard(&weights, weights_bytes);
        guard(&ours, 0);
        guard(&theirs, 0);
        kernel((const int16_t *)(void *)block.bytes, (const int32_t *)(void *)weights.bytes,
               (int32_t)block_bytes, (int32_t)weights_bytes, ours.bytes + 8, channel_stride,
               offsets);
        twin((const int16_t *)(void *)block.bytes, (const int32_t *)(void *)weights.bytes,
             (int32_t)block_bytes, (int32_t)weights_bytes, theirs.bytes + 8, channel_stride,
             offsets);
        right = right && memcmp(&ours, &theirs, sizeof(ours)) == 0 && whole(&ours, MOST_OUT) &&
                whole(&block, block_bytes) && whole(&weights, weights_bytes);
    }
    report(name, right);
}

static void check_depthwise(const char *name, har_depthwise_kernel *kernel,
                            har_depthwise_kernel *twin, int32_t words, int32_t outputs) {
    bool right = true;
    for (int32_t trial = 0; trial < 12; ++trial) {
        const int32_t channels = 1 + below(MOST_CHANNELS);
        const int32_t step = 4 * (outputs + below(3)); /* a block may have more pixels */
        const int32_t x = below(4);                    /* rows may begin anywhere */
        int32_t *word = (int32_t *)(void *)weights.bytes;

        scatter_bytes(planes.bytes, MOST_CHANNELS * MOST_ROWS * ROW_BYTES, trial == 0);
        for (int32_t channel = 0; channel < channels; ++channel) {
            for (int32_t i = 0; i < words; ++i) {
                const int32_t low = below(256) - 128, high = below(256) - 128;
                *word++ = (int32_t)(((uint32_t)low & 0xFFFFu) | ((uint32_t)high << 16));
            }
            word = put_scales(word, false);
        }
        const uint32_t weights_bytes = (uint32_t)((uint8_t *)word - weights.bytes);
        guard(&planes, MOST_CHANNELS * MOST_ROWS * ROW_BYTES);
        guard(&weights, weights_bytes);
        guard(&ours, 0);
        guard(&theirs, 0);
        kernel(planes.bytes + x, MOST_ROWS * ROW_BYTES, ROW_BYTES, (int16_t *)(void *)ours.bytes,
               step, (const int32_t *)(void *)weights.bytes, channels);
        twin(planes.bytes + x, MOST_ROWS * ROW_BYTES, ROW_BYTES, (int16_t *)(void *)theirs.bytes,
             step, (const int32_t *)(void *)weights.bytes, channels);
        right = right && memcmp(&ours, &theirs, sizeof(ours)) == 0 &&
                whole(&ours, (uint32_t)(channels * step)) && whole(&weights, weights_bytes);
    }
    report(name, right);
}

#define MATRIX(p, k)                                                                               \
    check_matrix("har_matrix_p" #p "_k" #k, har_matrix_p##p##_k##k, har_matrix_p##p##_k##k##_twin, \
                 p, true, false);                                                                  \
    check_matrix("har_matrix_p" #p "_k" #k "_scattered", har_matrix_p##p##_k##k##_scattered,       \
                 har_matrix_p##p##_k##k##_scattered_twin, p, false, false);
#define MATRIX_LINEAR(p)                                                \
    check_matrix("har_matrix_p" #p "_linear", har_matrix_p##p##_linear, \
                 har_matrix_p##p##_linear_twin, p, false, true)
#define WORDS_1x3 2
#define WORDS_1x5 3
#define WORDS_3x3 6
#define DEPTHWISE(shape, s, n, k)                                    \
    check_depthwise("har_depthwise_" #shape "_s" #s "_n" #n "_k" #k, \
                    har_depthwise_##shape##_s##s##_n##n##_k##k,      \
                    har_depthwise_##shape##_s##s##_n##n##_k##k##_twin, WORDS_##shape, n);

int main(void) {
    har_board_init();
    HAR_FOR_MATRIX(MATRIX)
    MATRIX_LINEAR(1);
    MATRIX_LINEAR(2);
    MATRIX_LINEAR(3);
    MATRIX_LINEAR(4);
    HAR_FOR_DEPTHWISE(DEPTHWISE)
    report("kernels are missing", checked == 4u * 5u * 2u + 4u + 3u * 2u * 4u * 5u);
    har_mps2_exit(failed > 125u ? 125 : (int)failed);
}
