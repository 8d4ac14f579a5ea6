/* int8 neural-network kernels, byte-equal to TFLite-Micro's. One kernel per file.
 *
 * Tensors are dense, row-major, batch 1: (height, width, channels). The caller owns every buffer
 * and makes sure of the sizes: they are fixed at compile time by pipeline/compiler, so kernels
 * check nothing at run time. Input and output must not overlap unless a kernel says they may.
 * No kernel allocates, keeps state, or needs scratch memory.
 *
 * Zero points: a real value is scale * (q - zero_point). In the kernels that accumulate products
 * the input's zero point is already folded into the bias (bias - zero_point * sum of the channel's
 * weights), so that the inner loop multiplies plain int8; a tap outside the image then reads the
 * zero point, which stands for 0.
 */
#ifndef HAR_NN_H
#define HAR_NN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int32_t input_height, input_width, input_channels;
    int32_t kernel_height, kernel_width;
    int32_t stride_height, stride_width;
    int32_t dilation_height, dilation_width;
    int32_t pad_top, pad_left;
    int32_t output_height, output_width, output_channels;
    int32_t input_zero_point, output_zero_point;
    int32_t activation_min, activation_max; /* in [-128, 127] */
} har_conv2d_params;

/* weights (output_channels, kernel_height, kernel_width, input_channels);
 * bias, multiplier, shift (output_channels). */
void har_conv2d_s8(const har_conv2d_params *params, const int8_t *input, const int8_t *weights,
                   const int32_t *bias, const int32_t *multiplier, const int8_t *shift,
                   int8_t *output);

/* output_channels is a multiple of input_channels; input channel i feeds the outputs
 * [i * m, (i + 1) * m). weights (kernel_height, kernel_width, output_channels);
 * bias, multiplier, shift (output_channels). */
void har_depthwise_conv2d_s8(const har_conv2d_params *params, const int8_t *input,
                             const int8_t *weights, const int32_t *bias, const int32_t *multiplier,
                             const int8_t *shift, int8_t *output);

typedef struct {
    int32_t rows; /* vectors to transform */
    int32_t input_size, output_size;
    int32_t per_channel; /* 1: one multiplier and shift per output; 0: one for all */
    int32_t output_zero_point;
    int32_t activation_min, activation_max;
} har_fully_connected_params;

/* input (rows, input_size), weights (output_size, input_size), bias (output_size),
 * multiplier and shift (per_channel ? output_size : 1), output (rows, output_size). */
void har_fully_connected_s8(const har_fully_connected_params *params, const int8_t *input,
                            const int8_t *weights, const int32_t *bias, const int32_t *multiplier,
                            const int8_t *shift, int8_t *output);

typedef struct {
    int32_t input_height, input_width, channels;
    int32_t kernel_height, kernel_width;
    int32_t stride_height, stride_width;
    int32_t pad_top, pad_left;
    int32_t output_height, output_width;
    int32_t activation_min, activation_max;
} har_pool2d_params;

/* Mean of the taps inside the image, halves away from zero. Same scale in and out. */
void har_average_pool2d_s8(const har_pool2d_params *params, const int8_t *input, int8_t *output);

/* Largest of the taps inside the image. Same scale in and out. */
void har_max_pool2d_s8(const har_pool2d_params *params, const int8_t *input, int8_t *output);

typedef struct {
    int32_t outer, count, inner;  /* the input seen as (outer, count, inner) */
    int32_t input_zero_point_sum; /* count * the input's zero point */
    int32_t multiplier, shift;    /* 1 / count is folded in */
    int32_t output_zero_point;
} har_mean_params;

/* Mean over the middle axis: (outer, count, inner) -> (outer, inner), requantized. */
void har_mean_s8(const har_mean_params *params, const int8_t *input, int8_t *output);

/* A division by 2^shift: `half` of that and `sign` -1; both 0 for shift 0. */
typedef struct {
    int32_t half, sign, shift;
} har_rounding;

/* With 20 bits more than int8, in steps of half the larger input's scale. Offsets are -zero points:
 * times 2^20 of the input of the larger scale, times 2^21 of the other. */
typedef struct {
    int32_t size;
    int32_t larger_offset, smaller_offset;
    int32_t smaller_multiplier, output_multiplier;
    har_rounding smaller, output;
    int32_t output_zero_point;
    int32_t activation_min, activation_max;
} har_add_params;

/* Element by element; output may be an input. */
void har_add_s8(const har_add_params *params, const int8_t *larger, const int8_t *smaller,
                int8_t *output);

/* Two inputs, the smaller one repeated: the output's shape, led by ones, and the elements from one
 * to the next of each input along its axes, 0 where one is repeated. */
typedef struct {
    int32_t shape[4];
    int32_t a[4], b[4];
} har_broadcast;

typedef struct {
    int32_t offset, multiplier, shift;
    int32_t negative; /* 1: subtracted */
} har_term;

typedef struct {
    har_broadcast over;
    har_term a, b;
    int32_t multiplier, shift, output_zero_point;
    int32_t activation_min, activation_max;
} har_sum_params;

/* a + b, a - b or b - a. */
void har_sum_s8(const har_sum_params *params, const int8_t *a, const int8_t *b, int8_t *output);

typedef struct {
    har_broadcast over;
    int32_t a_offset, b_offset;
    int32_t multiplier, shift, output_zero_point;
    int32_t activation_min, activation_max;
} har_mul_params;

void har_mul_s8(const har_mul_params *params, const int8_t *a, const int8_t *b, int8_t *output);

/* Same scale everywhere. */
void har_minimum_s8(const har_broadcast *params, const int8_t *a, const int8_t *b, int8_t *output);
void har_maximum_s8(const har_broadcast *params, const int8_t *a, const int8_t *b, int8_t *output);

typedef struct {
    har_broadcast over;
    int32_t input_offset, slope_offset;
    int32_t multiplier, shift;             /* of what is not negative */
    int32_t slope_multiplier, slope_shift; /* of the rest, after its slope */
    int32_t output_zero_point;
} har_prelu_params;

void har_prelu_s8(const har_prelu_params *params, const int8_t *input, const int8_t *slopes,
                  int8_t *output);

typedef struct {
    int32_t multiplier, shift;
} har_factor;

typedef struct {
    har_factor input, recurrent; /* to Q3.12 */
} har_lstm_gate;

typedef struct {
    int32_t steps, inputs, units;
    har_lstm_gate gates[4];              /* forget, input, cell, output */
    har_factor forget, add;              /* of the old cell, and of what comes to it */
    har_factor output;                   /* of tanh(cell) * output gate */
    int32_t cell_clip;                   /* 0: none */
    int32_t tanh_multiplier, tanh_shift; /* from the cell to Q3.12, times 3 */
    int32_t output_zero_point;
} har_lstm_params;

/* A sequence (steps, inputs) to (steps, units). `scratch`: 4 * units; `state`, from run to run:
 * cell (units,) and the last output above its zero point (units,), both 0 at the start. Of each
 * gate, weights (units, inputs), recurrent (units, units) and bias (units,) in which the input's
 * zero point is folded. `table`: sigmoid(i / 24) in Q0.16, of 256. */
void har_lstm_s8(const har_lstm_params *params, const int8_t *input, int16_t *scratch,
                 int16_t *state, const int8_t *weights, const int8_t *recurrent,
                 const int32_t *bias, const uint16_t *table, int8_t *output);

typedef struct {
    int32_t inputs, units, rank, memory;
    int32_t input_zero_point;
    har_factor state; /* of what comes to it */
    int32_t state_is_s8, state_zero_point;
    har_factor output;
    int32_t output_zero_point;
} har_svdf_params;

/* One step of a singular value decomposition filter: (inputs,) to (units,). Each of units * rank
 * filters has features (inputs,) and weights in time (memory,), the newest last. `state`, from run
 * to run: (units * rank, memory) above its zero point, 0 at the start. */
void har_svdf_s8(const har_svdf_params *params, const int8_t *input, int16_t *state,
                 const int8_t *features, const int16_t *time, const int32_t *bias, int8_t *output);

/* Element (i, j, k, l) of the output is the input's at first + i * steps[0] + ... */
typedef struct {
    int32_t first;
    int32_t shape[4]; /* of the output, led by ones */
    int32_t steps[4];
} har_strided_params;

void har_strided_s8(const har_strided_params *params, const int8_t *input, int8_t *output);

/* (outer, count, inner) -> (outer, inner), same scale. */
typedef struct {
    int32_t outer, count, inner;
} har_reduce_max_params;

void har_reduce_max_s8(const har_reduce_max_params *params, const int8_t *input, int8_t *output);

typedef struct {
    int32_t input_shape[4];  /* shorter shapes are led by ones */
    int32_t before[4];       /* elements put in front, per axis */
    int32_t output_shape[4]; /* what is not input is value */
    int32_t value;
} har_pad_params;

void har_pad_s8(const har_pad_params *params, const int8_t *input, int8_t *output);

typedef struct {
    int32_t outer; /* slices: the product of the axes in front of the joined one */
    int32_t count; /* inputs */
} har_concatenation_params;

/* Input i is (outer, widths[i]); output (outer, sum of widths). Same scale everywhere. */
void har_concatenation_s8(const har_concatenation_params *params, const int8_t *const *inputs,
                          const int32_t *widths, int8_t *output);

typedef struct {
    int32_t rows, depth;            /* depth <= 511 */
    int32_t multiplier, left_shift; /* beta * input scale, to Q5.26 */
    int32_t difference_min; /* smaller differences to the row's maximum give probability 0 */
} har_softmax_params;

/* Each row of (rows, depth); output scale 1/256, zero point -128; output may be input. */
void har_softmax_s8(const har_softmax_params *params, const int8_t *input, int8_t *output);

typedef struct {
    int32_t size;
} har_lookup_params;

/* Any function of single elements: table has the output of each input, from -128 to 127; output may
 * be input. */
void har_lookup_s8(const har_lookup_params *params, const int8_t *input, const int8_t *table,
                   int8_t *output);

/* Between float32 outside of a network and int8 inside. */

/* input / scale to the nearest, halves away from zero, plus zero_point. What TFLite-Micro leaves
 * undefined: NaN becomes zero_point, and what int8 (or int32) cannot hold the nearest it can. */
void har_quantize_f32_s8(const float *input, uint32_t size, float scale, int32_t zero_point,
                         int8_t *output);

/* scale * (input - zero_point) */
void har_dequantize_s8_f32(const int8_t *input, uint32_t size, float scale, int32_t zero_point,
                           float *output);

#ifdef __cplusplus
}
#endif
#endif
