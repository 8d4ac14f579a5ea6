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
    room->model.shape = *shape;
    const struct har_head_shape *s = &room->model.shape;
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

    /* In the order of the fences. */
    struct har_learner_memory memory = {.state = &room->state};
    memory.parameters = cut(room->parameters * 4);
    memory.scratch = cut(scratch * 4);
    memory.windows = cut(capacity * bytes);
    memory.window_labels = cut(capacity);
    memory.trust = cut(capacity);
    memory.seen = cut(rows * 4);
    memory.labels = cut(rows * 4);
    memory.previous = cut(room->parameters * 4);
    memory.previous_window = cut(bytes);
    room->model.activities = shipped;
    room->model.capacity = capacity;
    room->model.exemplars = exemplars;
    room->model.parameters = room->anchor;
    room->model.scale = room->scale;
    room->model.offset = room->offset;
    room->model.exemplar_windows = room->exemplars;
    room->model.exemplar_activities = room->exemplars_of;
    har_learner_from_model(&room->learner, &room->head, &room->replay, &room->model, &memory);
    room->learner.learning = &room->learning; /* each line of a script has its own */
    return memory.previous_window != NULL;
}
