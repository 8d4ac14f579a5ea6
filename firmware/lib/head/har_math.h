/* The exponential and the softmax that the head learns with: our own, so that the host, the board
 * and NumPy (pipeline/head) compute the same bits. Needs IEEE float32 with denormals (no
 * flush-to-zero) and no contraction of a*b+c (-ffp-contract=off).
 */
#ifndef HAR_MATH_H
#define HAR_MATH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* e^x for x <= 0, within 1 ulp and exactly 1 at 0; 0 below -87, so never a denormal. Outside its
 * domain (x > 0, NaN) the result is defined and finite, and means nothing. */
float har_exp32(float x);

/* logits (n,) -> probabilities (n,), in place: e_k = exp32(l_k - max), divided by their sum, which
 * runs from k = 0 upwards. n >= 1. */
void har_softmax(float *values, uint16_t n);

#ifdef __cplusplus
}
#endif
#endif
