#include "lib/head/har_replay.h"

#include <stddef.h>
#include <string.h>

#define SEED 0x48415231u

/* 0 <= result < n. A linear congruential generator (Knuth's MMIX would need 64 bits; this one is
 * Numerical Recipes'), of which the upper bits are used. */
static uint32_t draw(struct har_replay *replay, uint32_t n) {
    replay->random = replay->random * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(replay->random >> 8) * n) >> 24);
}

void har_replay_reset(struct har_replay *replay) {
    memset(replay->windows, 0, replay->window_bytes * replay->capacity);
    memset(replay->labels, HAR_REPLAY_FREE, replay->capacity);
    memset(replay->trust, 0, replay->capacity);
    memset(replay->seen, 0, replay->rows * sizeof *replay->seen);
    replay->random = SEED;
}

uint16_t har_replay_count(const struct har_replay *replay) {
    uint16_t count = 0;
    while (count < replay->capacity && replay->labels[count] != HAR_REPLAY_FREE) ++count;
    return count;
}

/* What counts of a label. Neither finds an activity in an entry that is free: R <= 127. */
#define EITHER HAR_REPLAY_LABEL /* the activity, in the holdout or not */
#define LEARNED 0xFFu           /* the activity, not in the holdout */

/* Entries with `activity`, by what counts of their labels. */
static uint16_t count_of(const struct har_replay *replay, uint8_t activity, uint32_t mask) {
    uint16_t count = 0;
    for (uint16_t i = 0; i < replay->capacity; ++i) {
        if ((replay->labels[i] & mask) == activity) ++count;
    }
    return count;
}

/* Entry number `turn`, less than count_of(), among those. */
static uint16_t entry_of(const struct har_replay *replay, uint8_t activity, uint32_t mask,
                         uint32_t turn) {
    uint16_t i = 0;
    while ((replay->labels[i] & mask) != activity || turn-- > 0) ++i;
    return i;
}

uint16_t har_replay_place(struct har_replay *replay, uint8_t activity, bool held) {
    const uint16_t count = har_replay_count(replay);
    if (!held) replay->seen[activity] += 1;
    if (count < replay->capacity) return count;
    uint8_t largest = 0;
    uint16_t most = 0;
    for (uint8_t k = 0; k < replay->rows; ++k) {
        const uint16_t of = count_of(replay, k, EITHER);
        if (of > most) {
            most = of;
            largest = k;
        }
    }
    const uint16_t mine = count_of(replay, activity, EITHER);
    if (mine < most) return entry_of(replay, largest, EITHER, draw(replay, most));
    const uint32_t offered = replay->seen[activity];
    const uint32_t turn = draw(replay, offered > most ? offered : most);
    return turn < mine ? entry_of(replay, activity, EITHER, turn) : replay->capacity;
}

void har_replay_put(struct har_replay *replay, uint16_t entry, const int8_t *window,
                    uint8_t activity, uint8_t trust, bool held) {
    if (entry >= replay->capacity) return;
    memcpy(replay->windows + entry * replay->window_bytes, window, replay->window_bytes);
    replay->labels[entry] = (uint8_t)(activity | (held ? HAR_REPLAY_HELD : 0u));
    replay->trust[entry] = trust;
}

const int8_t *har_replay_draw(struct har_replay *replay, uint8_t *activity, uint8_t *trust) {
    uint16_t counts[HAR_REPLAY_LABEL] = {0}; /* by activity, in one pass: each step draws */
    uint32_t labelled = 0;
    for (uint16_t i = 0; i < replay->capacity; ++i) {
        const uint8_t label = replay->labels[i];
        if (label < replay->rows && counts[label]++ == 0) ++labelled;
    }
    if (labelled == 0) return NULL;
    uint32_t turn = draw(replay, labelled);
    uint8_t k = 0;
    while (counts[k] == 0 || turn-- > 0) ++k;
    const uint32_t which = draw(replay, counts[k]);
    const uint16_t entry = entry_of(replay, k, LEARNED, which);
    *activity = k;
    *trust = replay->trust[entry];
    return replay->windows + entry * replay->window_bytes;
}

const int8_t *har_replay_exemplar(const struct har_replay *replay, uint32_t turn,
                                  uint8_t *activity) {
    if (replay->exemplars == 0) return NULL;
    const uint32_t i = turn % replay->exemplars;
    *activity = replay->exemplar_activities[i];
    return replay->exemplar_windows + i * replay->window_bytes;
}
