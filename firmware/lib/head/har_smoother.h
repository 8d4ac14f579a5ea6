/* What the last windows together say: the forward filter of a hidden Markov model whose states are
 * the activities (Rabiner 1989). Between two windows the activity changes with probability
 * `change`, to any other alike; where this window or the one before was unlike all that is known,
 * somebody moves from one posture to another, and it changes with `change_moving`.
 *
 * Windows that follow closely show mostly the same samples. So each counts as the 2^roots-th part
 * of a window: with its probabilities' square root, `roots` times.
 *
 * Causal, one window at a time, float32 in a fixed order: bit-equal to pipeline/head/smoother.py.
 * The caller owns the belief and keeps it alive as long as the smoother.
 */
#ifndef HAR_SMOOTHER_H
#define HAR_SMOOTHER_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct har_smoother {
    float change;        /* 0 < change <= 1; 1 forgets every time: smoothing is off */
    float change_moving; /* 0 < change_moving <= 1 */
    uint16_t roots;      /* 0: each window counts as a whole one */
    uint16_t activities; /* K */
    float *belief;       /* (K,) probability of each activity, given all windows so far */
    bool moving;         /* the last window was unknown */
};

/* Nothing is known: before the first window, and after a gap. */
void har_smoother_restart(struct har_smoother *smoother);

/* The next window: the head's probabilities (K,), which sum to 1, and whether it is unknown. */
void har_smoother_push(struct har_smoother *smoother, const float *probabilities, bool unknown);

#ifdef __cplusplus
}
#endif
#endif
