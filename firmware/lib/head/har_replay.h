/* Latent replay: labelled windows, as int8 activations at the cut, kept to be learned again, so
 * that what is learned now does not erase what was learned before (Pellegrini et al. 2020).
 *
 * Two sources: the exemplars that ship with the model, in flash, a handful of each activity from
 * the training subjects; and what the user has labelled, in RAM. When RAM is full, a new window
 * takes the place of another: class-balanced reservoir sampling (Chrysakis & Moens 2020), so that
 * each activity keeps about as many and each of its windows is about as likely to stay.
 *
 * Some of the user's windows are in the holdout: never learned, only judged (har_learner.h).
 *
 * Deterministic: the same windows in the same order give the same store and the same draws.
 * Bit-equal to pipeline/head/replay.py. The caller owns all arrays.
 */
#ifndef HAR_REPLAY_H
#define HAR_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HAR_REPLAY_FREE 0xFFu  /* label of an entry that holds nothing */
#define HAR_REPLAY_HELD 0x80u  /* bit of a label: in the holdout */
#define HAR_REPLAY_LABEL 0x7Fu /* the activity */

struct har_replay {
    uint32_t window_bytes;              /* B, of one window at the cut */
    uint16_t capacity;                  /* N, windows that fit; at least 1 */
    uint16_t exemplars;                 /* E, that ship */
    uint8_t rows;                       /* R, activities that there is room for, at most 127 */
    const int8_t *exemplar_windows;     /* (E, B) */
    const uint8_t *exemplar_activities; /* (E,) their activities */
    int8_t *windows;                    /* (N, B) */
    uint8_t *labels; /* (N,) activity and HELD, or FREE; used entries come first */
    uint8_t *trust;  /* (N,) weight of its steps, in 255ths */
    uint32_t *seen;  /* (R,) windows that were offered, by activity, without the held */
    uint32_t random; /* state of the generator */
};

/* Empties the store and seeds the generator. */
void har_replay_reset(struct har_replay *replay);

/* Entries in use. */
uint16_t har_replay_count(const struct har_replay *replay);

/* Where the next window of `activity` would go: an entry, or `capacity` when it is not kept. Draws
 * from the generator when the store is full. */
uint16_t har_replay_place(struct har_replay *replay, uint8_t activity, bool held);

/* Puts a window where har_replay_place() said. */
void har_replay_put(struct har_replay *replay, uint16_t entry, const int8_t *window,
                    uint8_t activity, uint8_t trust, bool held);

/* Draws a window to learn: one of a random activity that has been labelled, none of the holdout.
 * NULL when there is none. */
const int8_t *har_replay_draw(struct har_replay *replay, uint8_t *activity, uint8_t *trust);

/* The exemplar number `turn`, in an order that goes round; NULL when none ship. */
const int8_t *har_replay_exemplar(const struct har_replay *replay, uint32_t turn,
                                  uint8_t *activity);

#ifdef __cplusplus
}
#endif
#endif
