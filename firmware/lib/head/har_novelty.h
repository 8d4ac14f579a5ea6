/* How far a window is from what training subjects did: the mean squared distance of its first
 * activations to their mean, in standard deviations, for the activity that the head names.
 *
 * Only the extractor's first output is compared: the deeper an output, the more it has learned to
 * ignore what tells activities of nobody apart. Bit-equal to pipeline/head/novelty.py.
 */
#ifndef HAR_NOVELTY_H
#define HAR_NOVELTY_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct har_novelty {
    uint16_t features;        /* N, the size of the extractor's first output */
    const float *center;      /* (K, N) mean of the training subjects' windows, by activity */
    const float *inverse_std; /* (K, N) at most 1 / step of the output's quantization */
};

/* x (F,), F >= N -> distance to `activity` < K. At most 255^2, for x is at most 255 steps away. */
float har_novelty_distance(const struct har_novelty *novelty, const float *x, uint16_t activity);

#ifdef __cplusplus
}
#endif
#endif
