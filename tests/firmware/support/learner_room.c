#include "learner_room.h"

#include <string.h>

#define ROOM_WORDS (128u * 1024u / 4u)
#define FENCES 32u
#define FENCE 0xFE4CEFE4u

static uint32_t words[ROOM_WORDS];
static uint32_t used;
static uint32_t *fences[FENCES];
static uint32_t fence_count;

static void *cut(uint32_t bytes) {
    const uint32_t count = (bytes + 3) / 4;
    if (fence_count == FENCES || used + count + 1 > ROOM_WORDS) return NULL;
    void *piece = words + used;
    used += count;
    /* What a size that is no multiple of four leaves is part of the fence. */
    memset((uint8_t *)piece + bytes, 0xFE, count * 4 - bytes);
    words[used] = FENCE ^ bytes;
    fences[fence_count++] = words + used++;
    return piece;
}

bool learner_room_whole(void) {
    for (uint32_t i = 0; i < fence_count; ++i) {
        const uint32_t bytes = *fences[i] ^ FENCE;
        const uint8_t *end = (const uint8_t *)fences[i];
        if (bytes > sizeof words) return false;
        for (uint32_t k = 1; k <= (4u - bytes % 4u) % 4u; ++k) {
            if (end[-(int32_t)k] != 0xFE) return false;
        }
    }
    return fence_count > 0;
}

bool learner_room_build(struct learner_room *room, const struct har_head_shape *shape,
                        uint16_t shipped, uint16_t capacity, uint16_t exemplars) {
    memset(words, 0, sizeof words);
    used = 0;
    fence_count = 0;
    memset(room, 0, sizeof *room);
    room->shape = *shape;
    const struct har_head_shape *s = &room->shape;
    const uint32_t rows = s->rows;
    const uint32_t bytes = har_head_window_bytes(s);
    const uint32_t positions = (uint32_t)HAR_HEAD_POSITIONS(s->map_length, s->kernel, s->stride);
    const uint32_t scratch = HAR_HEAD_SCRATCH(s->features, rows, (uint32_t)s->map_length,
                                              s->channels, s->filters, positions, s->kernel);
    room->parameters =
        HAR_HEAD_PARAMETERS(rows, s->features, (uint32_t)s->channels, s->filters, s->kernel);
    if (room->parameters != har_head_parameters(s)) return false;
    room->window_bytes = bytes;
    room->anchor = cut(room->parameters * 4);
    room->scale = cut(s->features * 4u);
    room->offset = cut(s->features * 4u);
    room->probabilities = cut(rows * 4);
    room->window = cut(bytes);
    room->exemplars = cut(exemplars * bytes);
    room->exemplars_of = cut(exemplars);

    struct har_head *head = &room->head;
    head->shape = s;
    head->anchor = room->anchor;
    head->scale = room->scale;
    head->offset = room->offset;
    head->parameters = cut(room->parameters * 4);
    head->scratch = cut(scratch * 4);
    head->shipped = shipped;

    struct har_replay *replay = &room->replay;
    replay->window_bytes = bytes;
    replay->capacity = capacity;
    replay->exemplars = exemplars;
    replay->rows = (uint8_t)rows;
    replay->shipped = room->exemplars;
    replay->shipped_of = room->exemplars_of;
    replay->windows = cut(capacity * bytes);
    replay->labels = cut(capacity);
    replay->trust = cut(capacity);
    replay->seen = cut(rows * 4);

    struct har_learner *learner = &room->learner;
    learner->head = head;
    learner->replay = replay;
    learner->learning = &room->learning;
    learner->state = &room->state;
    learner->labels = cut(rows * 4);
    learner->previous = cut(room->parameters * 4);
    learner->previous_window = cut(bytes);
    return learner->previous_window != NULL;
}
