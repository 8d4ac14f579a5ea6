/* The arrays of a learner, each with a fence behind it that shows who wrote too far. */
#ifndef LEARNER_ROOM_H
#define LEARNER_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/head/har_learner.h"

struct learner_room {
    struct har_head_model model;
    struct har_head head;
    struct har_replay replay;
    struct har_learning learning;
    struct har_learner_state state;
    struct har_learner learner;
    uint32_t parameters; /* P */
    uint32_t window_bytes;
    float *anchor;
    float *scale;
    float *offset;
    float *probabilities; /* (R,) */
    int8_t *window;       /* (B,) */
    int8_t *exemplars;    /* (E, B) */
    uint8_t *exemplars_of;
};

/* Cuts all arrays out of one static piece and joins them; `shape`, `shipped` (K), `capacity` (N),
 * `exemplars` (E). What is shipped is for the caller to fill, then to call har_learner_reset().
 * False when there is too little room. One room at a time. */
bool learner_room_build(struct learner_room *room, const struct har_head_shape *shape,
                        uint16_t shipped, uint16_t capacity, uint16_t exemplars);

/* Whether all fences stand. */
bool learner_room_whole(void);

#endif
