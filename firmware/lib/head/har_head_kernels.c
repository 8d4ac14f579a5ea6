#include "lib/head/har_head_kernels.h"

/* The blocks below must unroll into registers, whatever the rest is built with. */
#pragma GCC optimize("O3")
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 8
#define UNROLL _Pragma("GCC unroll 8") /* before the sums are made registers, not after */
#else
#define UNROLL
#endif

#define INLINE static inline __attribute__((always_inline))
#define NOINLINE static __attribute__((noinline))

/* Work goes on in blocks of positions x outputs, as many as leave their sums, the operands of one
 * step and some products in the 32 registers of a Cortex-M4F: up to 4 x 5, or 1 x 6. Each size is a
 * function of its own, in which the loops over rows and columns unroll; and not inlined, or the
 * pointers around it would take the registers of those in it. */
/* clang-format off */
#define EACH_SIZE(DEFINE)                  \
    DEFINE(1, 1) DEFINE(1, 2) DEFINE(1, 6) \
    DEFINE(2, 1) DEFINE(2, 2) DEFINE(2, 5) \
    DEFINE(3, 1) DEFINE(3, 2) DEFINE(3, 5) \
    DEFINE(4, 1) DEFINE(4, 2) DEFINE(4, 5)
#define TABLE(name) {                         \
        {name##_1x1, name##_1x2, name##_1x6}, \
        {name##_2x1, name##_2x2, name##_2x5}, \
        {name##_3x1, name##_3x2, name##_3x5}, \
        {name##_4x1, name##_4x2, name##_4x5}}
/* clang-format on */
static const uint8_t columns_of[4][3] = {{1, 2, 6}, {1, 2, 5}, {1, 2, 5}, {1, 2, 5}};

static uint32_t rows_of(uint32_t positions) {
    return positions < 4u ? positions : 4u;
}

/* Which of columns_of[rows - 1]: the widest of so many columns. */
static uint32_t widest(uint32_t rows, uint32_t columns) {
    return columns >= columns_of[rows - 1u][2] ? 2u : columns >= 2u ? 1u : 0u;
}

INLINE void forward_block(const float *x, const float *w, const float *bias, uint32_t inputs,
                          uint32_t outputs, float *y, uint32_t rows, uint32_t columns) {
    float sum[4][6];
    UNROLL
    for (uint32_t t = 0; t < rows; ++t) {
        UNROLL
        for (uint32_t m = 0; m < columns; ++m) sum[t][m] = bias[m];
    }
    for (uint32_t n = 0; n < inputs; ++n) {
        UNROLL
        for (uint32_t m = 0; m < columns; ++m) {
            const float weight = w[m * inputs + n];
            UNROLL
            for (uint32_t t = 0; t < rows; ++t) {
                sum[t][m] = sum[t][m] + weight * x[t * inputs + n];
            }
        }
    }
    UNROLL
    for (uint32_t t = 0; t < rows; ++t) {
        UNROLL
        for (uint32_t m = 0; m < columns; ++m) y[t * outputs + m] = sum[t][m];
    }
}
#define FORWARD(rows, columns)                                                                  \
    NOINLINE void forward_##rows##x##columns(const float *x, const float *w, const float *bias, \
                                             uint32_t inputs, uint32_t outputs, float *y) {     \
        forward_block(x, w, bias, inputs, outputs, y, rows, columns);                           \
    }
EACH_SIZE(FORWARD)

void har_kernel_forward(const float *x, const float *w, const float *bias, uint16_t positions,
                        uint16_t inputs, uint16_t outputs, float *y) {
    static void (*const block[4][3])(const float *, const float *, const float *, uint32_t,
                                     uint32_t, float *) = TABLE(forward);
    for (uint32_t t = 0, rows; t < positions; t += rows) {
        rows = rows_of(positions - t);
        for (uint32_t m = 0, size; m < outputs; m += columns_of[rows - 1u][size]) {
            size = widest(rows, outputs - m);
            block[rows - 1u][size](x + t * inputs, w + m * inputs, bias + m, inputs, outputs,
                                   y + t * outputs + m);
        }
    }
}

INLINE void update_block(const float *x, const float *step, uint32_t inputs, uint32_t outputs,
                         float *w, float *bias, uint32_t rows, uint32_t columns) {
    float s[4][6];
    UNROLL
    for (uint32_t t = 0; t < rows; ++t) {
        UNROLL
        for (uint32_t m = 0; m < columns; ++m) {
            s[t][m] = step[t * outputs + m];
            bias[m] = bias[m] - s[t][m];
        }
    }
    for (uint32_t n = 0; n < inputs; ++n) {
        float in[4];
        UNROLL
        for (uint32_t t = 0; t < rows; ++t) in[t] = x[t * inputs + n];
        UNROLL
        for (uint32_t m = 0; m < columns; ++m) {
            float weight = w[m * inputs + n];
            UNROLL
            for (uint32_t t = 0; t < rows; ++t) weight = weight - s[t][m] * in[t];
            w[m * inputs + n] = weight;
        }
    }
}
#define UPDATE(rows, columns)                                                                   \
    NOINLINE void update_##rows##x##columns(const float *x, const float *step, uint32_t inputs, \
                                            uint32_t outputs, float *w, float *bias) {          \
        update_block(x, step, inputs, outputs, w, bias, rows, columns);                         \
    }
EACH_SIZE(UPDATE)

void har_kernel_update(const float *x, const float *step, uint16_t positions, uint16_t inputs,
                       uint16_t outputs, float *w, float *bias) {
    static void (*const block[4][3])(const float *, const float *, uint32_t, uint32_t, float *,
                                     float *) = TABLE(update);
    for (uint32_t t = 0, rows; t < positions; t += rows) {
        rows = rows_of(positions - t);
        for (uint32_t m = 0, size; m < outputs; m += columns_of[rows - 1u][size]) {
            size = widest(rows, outputs - m);
            block[rows - 1u][size](x + t * inputs, step + t * outputs + m, inputs, outputs,
                                   w + m * inputs, bias + m);
        }
    }
}

INLINE void backward_block(const float *step, const float *w, uint32_t inputs, uint32_t outputs,
                           float *back, uint32_t rows, uint32_t columns) {
    float sum[4][6] = {{0.0f}};
    for (uint32_t m = 0; m < outputs; ++m) {
        UNROLL
        for (uint32_t n = 0; n < columns; ++n) {
            const float weight = w[m * inputs + n];
            UNROLL
            for (uint32_t t = 0; t < rows; ++t) {
                sum[t][n] = sum[t][n] + step[t * outputs + m] * weight;
            }
        }
    }
    UNROLL
    for (uint32_t t = 0; t < rows; ++t) {
        UNROLL
        for (uint32_t n = 0; n < columns; ++n) back[t * inputs + n] = sum[t][n];
    }
}
#define BACKWARD(rows, columns)                                                                   \
    NOINLINE void backward_##rows##x##columns(const float *step, const float *w, uint32_t inputs, \
                                              uint32_t outputs, float *back) {                    \
        backward_block(step, w, inputs, outputs, back, rows, columns);                            \
    }
EACH_SIZE(BACKWARD)

void har_kernel_backward(const float *step, const float *w, uint16_t positions, uint16_t inputs,
                         uint16_t outputs, float *back) {
    static void (*const block[4][3])(const float *, const float *, uint32_t, uint32_t, float *) =
        TABLE(backward);
    for (uint32_t t = 0, rows; t < positions; t += rows) {
        rows = rows_of(positions - t);
        for (uint32_t n = 0, size; n < inputs; n += columns_of[rows - 1u][size]) {
            size = widest(rows, inputs - n);
            block[rows - 1u][size](step + t * outputs, w + n, inputs, outputs,
                                   back + t * inputs + n);
        }
    }
}
