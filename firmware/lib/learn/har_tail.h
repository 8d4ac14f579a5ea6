/* The tail: what is behind the cut. Float32, in RAM, learns on the device.
 *
 * This is the tail for cut `fc`: one dense layer with softmax.
 *
 * Deterministic to the bit: every sum runs in a fixed order, the exponential is our own, and the
 * compiler must not contract a*b+c (-ffp-contract=off). pipeline/learn holds the NumPy twin.
 *
 * The caller owns every array and keeps it alive as long as the tail.
 */
#ifndef HAR_TAIL_H
#define HAR_TAIL_H

#include <stdint.h>

#include "har_status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* No weight, bias or activation is larger in size than this, so no logit can overflow and a tail
 * within the limit always gives finite probabilities. A step that could lead beyond is refused. */
#define HAR_TAIL_LIMIT 1048576.0f /* 2^20 */

struct har_tail {
    uint16_t features;           /* F */
    uint16_t activities;         /* K */
    float *weights;              /* (K, F) row-major */
    float *bias;                 /* (K,) */
    const float *anchor_weights; /* (K, F) as shipped; may lie in flash */
    const float *anchor_bias;    /* (K,) */
};

struct har_learning {
    float rate;     /* step size, > 0 */
    float anchor;   /* L2 pull toward the shipped tail, >= 0 */
    uint16_t steps; /* gradient steps per labelled window, >= 1 */
};

/* features int8 (F,) at the cut -> x float32 (F,): x = (q - zero_point) * scale. */
void har_tail_dequantize(const int8_t *quantized, uint16_t size, float scale, int32_t zero_point,
                         float *x);

/* x (F,) -> probabilities (K,): softmax(bias + weights @ x). */
void har_tail_predict(const struct har_tail *tail, const float *x, float *probabilities);

/* Index of the largest of n values; the first of equals. */
uint16_t har_tail_argmax(const float *values, uint16_t n);

/* Learns from one labelled window: `learning->steps` steps of softmax cross-entropy with the pull
 * toward the anchor, in place. `scratch` is float (K,). On an error the tail is unchanged.
 * HAR_ERR_ARGUMENT: label >= K, rate <= 0, anchor < 0, rate * anchor > 1, or no steps.
 * HAR_ERR_NOT_FINITE: x or the tail is not finite, or the steps could pass HAR_TAIL_LIMIT. */
har_status har_tail_update(struct har_tail *tail, const struct har_learning *learning,
                           const float *x, uint16_t label, float *scratch);

/* HAR_ERR_NOT_FINITE: one of the values is NaN, infinite or beyond HAR_TAIL_LIMIT. For values from
 * outside, before they become a tail. */
har_status har_tail_check(const float *values, uint32_t count);

/* Sets weights and bias back to the anchor. */
void har_tail_reset(struct har_tail *tail);

/* CRC-32 over weights then bias as little-endian float32: one number that names a tail's state. */
uint32_t har_tail_crc(const struct har_tail *tail);

#ifdef __cplusplus
}
#endif
#endif
