/* The head: the trainable part after the cut. Float32, in RAM, learns on the device.
 *
 *   cut fc    features -> dense -> softmax
 *   cut fxc1  a map of the last stage -> pointwise convolution, ReLU, mean over time
 *             -> features, after those of the frozen stages -> dense -> softmax
 *   cut fxc2  the same after a depthwise convolution with ReLU
 *
 * The shape says which one it is; the same code handles all. docs/LEARNING.md has every formula.
 *
 * Deterministic to the bit: every sum runs in a fixed order, the exponential is our own, and the
 * compiler must not contract a*b+c (-ffp-contract=off). pipeline/head holds the NumPy twin.
 *
 * The caller owns every array and keeps it alive as long as the head.
 */
#ifndef HAR_HEAD_H
#define HAR_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/har_status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* No parameter is larger in size than this. */
#define HAR_HEAD_LIMIT 1048576.0f /* 2^20 */

/* Sizes of a head. The window at the cut is int8: `frozen` activations, then, unless map_length is
 * 0 (cut fc), a map (map_length, channels). */
struct har_head_shape {
    uint16_t features;   /* F, what the dense layer sees: frozen + filters */
    uint16_t rows;       /* R, activities that there is room for */
    uint16_t frozen;     /* F0, pooled activations of the frozen stages */
    uint16_t map_length; /* T, positions of the map */
    uint16_t channels;   /* C, of the map */
    uint16_t filters;    /* M, of the pointwise convolution */
    uint16_t kernel;     /* J, of the depthwise convolution; 0: there is none (cut fxc1) */
    uint16_t stride;     /* of the depthwise convolution */
};

/* All parameters of a head lie in one array, in this order; what the shape has not got is left out:
 *   depthwise (J, C), its bias (C,), pointwise (M, C), its bias (M,), dense (R, F), its bias (R,)
 */
#define HAR_HEAD_PARAMETERS(rows, features, channels, filters, kernel) \
    (((kernel) ? ((kernel) + 1u) * (channels) : 0u) +                  \
     ((filters) ? ((channels) + 1u) * (filters) : 0u) + (rows) * ((features) + 1u))

/* Positions after the depthwise convolution, T'. */
#define HAR_HEAD_POSITIONS(map_length, kernel, stride) \
    ((kernel) ? ((map_length) - (kernel)) / (stride) + 1 : (map_length))

/* Floats of scratch that prediction and learning need. */
#define HAR_HEAD_SCRATCH(rows, features, map_length, channels, filters, positions, kernel) \
    ((features) + (rows) + (map_length) * (channels) + (positions) * (filters) +           \
     ((kernel) ? 2u * (positions) * (channels) : 0u))

struct har_head {
    const struct har_head_shape *shape;
    const float *anchor; /* of the factory head; may lie in flash */
    const float *scale;  /* (F,) x = v * scale + offset, v an int8 activation or a learned mean */
    const float *offset; /* (F,) */
    float map_scale;     /* map value = (q - map_zero_point) * map_scale */
    int32_t map_zero_point;
    float *parameters;           /* HAR_HEAD_PARAMETERS */
    float *scratch;              /* HAR_HEAD_SCRATCH */
    uint16_t factory_activities; /* K, rows that the factory head has */
    uint16_t activities;         /* A, rows in use, K <= A <= R */
};

/* One gradient step. */
struct har_step {
    float rate;             /* of the dense layer, > 0 */
    float rate_convolution; /* of the convolutions, >= 0 */
};

/* int8 window at the cut -> x (F,) in scratch, what the dense layer sees: with the parameters in
 * use, or with the factory ones. Valid until the next call with this head. */
const float *har_head_features(struct har_head *head, const int8_t *window, bool factory);

/* int8 window at the cut -> probabilities (A,), with the parameters in use or, for the first K
 * activities, the factory ones; then the others are 0. Leaves x (F,) at the start of scratch. */
void har_head_predict(struct har_head *head, const int8_t *window, bool factory,
                      float *probabilities);

/* Index of the largest of n values; the first of equals. */
uint16_t har_head_argmax(const float *values, uint16_t n);

/* One step of softmax cross-entropy on one labelled window, times `weight`, in place; label < A.
 * Does not check: har_head_settle() does, after the last step. */
void har_head_step(struct har_head *head, const struct har_step *step, const int8_t *window,
                   uint16_t label, float weight);

/* Draws every parameter toward the factory one: keeps `keep`, 0 <= keep <= 1, of the distance. */
void har_head_pull(struct har_head *head, float keep);

/* Ends an update: denormals become 0. HAR_ERR_NOT_FINITE: a parameter is NaN, infinite or beyond
 * HAR_HEAD_LIMIT. */
har_status har_head_settle(struct har_head *head);

/* HAR_ERR_NOT_FINITE: one of the values is NaN, infinite, denormal or beyond HAR_HEAD_LIMIT. For
 * values from outside, before they become a head. */
har_status har_head_check(const float *values, uint32_t count);

/* Sets all parameters and A back to the factory ones. */
void har_head_reset(struct har_head *head);

uint32_t har_head_parameters(const struct har_head_shape *shape);

/* Bytes of a window at the cut. */
uint32_t har_head_window_bytes(const struct har_head_shape *shape);

/* CRC-32 over all parameters as little-endian float32: one number that names a head's state. */
uint32_t har_head_crc(const struct har_head *head);

#ifdef __cplusplus
}
#endif
#endif
