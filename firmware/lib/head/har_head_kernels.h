/* The loops of the head, for lib/head only. Each sum runs from the first index upwards, so that
 * the bits depend on no blocking: a block only decides how many sums go on side by side. */
#ifndef HAR_HEAD_KERNELS_H
#define HAR_HEAD_KERNELS_H

#include <stdint.h>

/* x (T, N), w (M, N), bias (M,) -> y (T, M): y[t][m] = bias[m] + sum over n of w[m][n] * x[t][n].
 */
void har_kernel_forward(const float *x, const float *w, const float *bias, uint16_t positions,
                        uint16_t inputs, uint16_t outputs, float *y);

/* w[m][n] = w[m][n] - step[t][m] * x[t][n] and bias[m] = bias[m] - step[t][m], for t = 0, 1, ... */
void har_kernel_update(const float *x, const float *step, uint16_t positions, uint16_t inputs,
                       uint16_t outputs, float *w, float *bias);

/* step (T, M), w (M, N) -> back (T, N): back[t][n] = sum over m of step[t][m] * w[m][n]. */
void har_kernel_backward(const float *step, const float *w, uint16_t positions, uint16_t inputs,
                         uint16_t outputs, float *back);

#endif
