/* The learner updates the head (har_head.h) from labels, replays windows (har_replay.h) and guards
 * what it does. docs/LEARNING.md has the algorithm.
 *
 * The guard, four parts:
 *   - Trial. Every labelled window is judged before it is learned, by the factory and by the
 *     learned head. The learned one is active only once the factory head has been wrong `evidence`
 *     times and the learned head right at least as often.
 *   - Holdout. Every `hold_every`-th window of an activity is never learned. When fewer of those
 *     are right after an update than before, the update is undone.
 *   - Sample weight. The steps of a window are weighed with p^(3/4), p the probability that its
 *     label had when it was given, by the factory or the learned head, whichever is larger, but at
 *     least with 5/255. A taught activity's windows have the full weight.
 *   - Undo. The last label can be taken back, whole.
 *
 * Deterministic and bit-equal to pipeline/head/learner.py. The caller owns all arrays.
 */
#ifndef HAR_LEARNER_H
#define HAR_LEARNER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/har_status.h"
#include "lib/head/har_head.h"
#include "lib/head/har_replay.h"

#ifdef __cplusplus
extern "C" {
#endif

struct har_learning {
    struct har_step step;
    float keep;            /* of the distance to the factory parameters, per label, 0..1 */
    uint16_t steps;        /* gradient steps per label, >= 1 */
    uint16_t replay_every; /* of the steps, one is on an exemplar; 0: none */
    uint16_t hold_every;   /* of an activity's labels, one is held back; 0: none */
    uint16_t evidence;     /* mistakes of the factory head before the learned one is active */
};

/* A head and how it learns, as `har emit` writes it (har_model.c); may lie in flash. */
struct har_head_model {
    uint8_t id[8]; /* model id */
    struct har_head_shape shape;
    uint16_t activities;     /* K */
    const float *parameters; /* (P,) of the factory head */
    const float *scale;      /* (F,) */
    const float *offset;     /* (F,) */
    float map_scale;
    int32_t map_zero_point;
    struct har_learning learning;
    uint16_t capacity;                  /* N, labelled windows that are kept */
    uint16_t exemplars;                 /* E */
    const int8_t *exemplar_windows;     /* (E, B) */
    const uint8_t *exemplar_activities; /* (E,) */
};

/* What the guard has seen since the factory head. Part of what is stored (docs/STORAGE.md). */
struct har_guard {
    uint32_t judged;        /* labels that were possible, each judged before it was learned */
    uint32_t shipped_right; /* of them */
    uint32_t learned_right;
    uint32_t undone; /* updates that the held-back windows refused */
};

enum har_outcome {
    HAR_LEARNED = 0,
    HAR_HELD_BACK = 1, /* kept to judge by; the head is unchanged */
    HAR_UNDONE = 2     /* made the held-back windows worse; the head is unchanged */
};

/* All that a label changes, beside the arrays. */
struct har_learner_state {
    uint32_t updates;   /* labels that the head has learned from */
    uint32_t exemplars; /* exemplars drawn, for the next one's turn */
    uint32_t random;    /* state of the generator of the draws */
    struct har_guard guard;
};

struct har_learner {
    struct har_head *head;
    struct har_replay *replay;
    const struct har_learning *learning;
    struct har_learner_state *state;
    uint32_t *labels; /* (R,) given by activity, held back or not */

    /* Called after every gradient step and every window that was judged; NULL: nothing is. */
    void (*pause)(void);

    /* Before the last label, for undo. */
    float *previous;         /* parameters */
    int8_t *previous_window; /* (B,) what the entry held */
    struct har_learner_state previous_state;
    uint16_t previous_entry; /* capacity: none */
    uint8_t previous_label;  /* of that entry */
    uint8_t previous_trust;
    uint8_t last_activity;
    bool last_held;
    bool can_undo;
};

/* The arrays of a learner, the caller's. */
struct har_learner_memory {
    float *parameters;      /* (P,) */
    float *scratch;         /* HAR_HEAD_SCRATCH */
    int8_t *windows;        /* (N, B) */
    uint8_t *window_labels; /* (N,) */
    uint8_t *trust;         /* (N,) */
    uint32_t *seen;         /* (R,) */
    struct har_learner_state *state;
    uint32_t *labels;        /* (R,) */
    float *previous;         /* (P,) */
    int8_t *previous_window; /* (B,) */
};

/* Joins `learner`, its head and its replay over the model's constants and the caller's memory.
 * har_learner_reset() is next, or arrays that are filled and har_learner_taken(). */
void har_learner_from_model(struct har_learner *learner, struct har_head *head,
                            struct har_replay *replay, const struct har_head_model *model,
                            const struct har_learner_memory *memory);

/* To the factory head, with nothing labelled. */
void har_learner_reset(struct har_learner *learner);

/* After the arrays have been filled from outside: forgets what undo needs. */
void har_learner_taken(struct har_learner *learner);

/* Whether the learned head is active, not the factory head. */
bool har_learner_learned_active(const struct har_learner *learner);

/* int8 window at the cut -> probabilities (A,) of the active head. */
void har_learner_predict(struct har_learner *learner, const int8_t *window, float *probabilities);

/* One more activity, in a spare row. HAR_ERR_STATE: no row is left. */
har_status har_learner_add(struct har_learner *learner);

/* What the two heads say of a labelled window before it is learned. */
struct har_judgement {
    float factory; /* probability of the label */
    float learned;
    bool factory_right;
    bool learned_right;
};

/* Judges `window`, label `activity` < A, and changes nothing but scratch, where the features (F,)
 * are in the end those of the active head. `probabilities` is scratch (R,). */
struct har_judgement har_learner_judge(struct har_learner *learner, const int8_t *window,
                                       uint8_t activity, float *probabilities);

/* Learns that `window` was `activity`, as judged. `probabilities` is scratch (R,).
 * HAR_ERR_ARGUMENT: no such activity, or constants out of range. HAR_ERR_NOT_FINITE: the steps led
 * beyond HAR_HEAD_LIMIT. After an error nothing has changed, but after the latter the label before
 * can no longer be taken back. */
har_status har_learner_learn(struct har_learner *learner, const int8_t *window, uint8_t activity,
                             const struct har_judgement *judgement, float *probabilities,
                             enum har_outcome *outcome);

/* Both in one, for whoever needs no judgement. */
har_status har_learner_label(struct har_learner *learner, const int8_t *window, uint8_t activity,
                             float *probabilities, enum har_outcome *outcome);

/* Takes the last label back. HAR_ERR_STATE: there is none, or it was taken back already. */
har_status har_learner_undo(struct har_learner *learner);

/* Held-back windows, and how many of them the active head gets right. */
void har_learner_held(struct har_learner *learner, float *probabilities, uint16_t *held,
                      uint16_t *right);

#ifdef __cplusplus
}
#endif
#endif
