/* Labels without end: random windows of random amplitudes, random labels and rates, undone now and
 * then. After each of them all that must always hold is checked; the first that does not ends the
 * program with its number. Argument: how many labels. Prints one line for each of the three heads:
 * labels taken, updates, held back, undone, refused, taken back. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "learner_room.h"
#include "lib/base/har_crc32.h"

#define CAPACITY 10
#define EXEMPLARS 6
#define SHIPPED 3

static const struct har_head_shape SHAPES[] = {
    {.features = 9, .rows = 5, .frozen = 9, .stride = 1},
    {.features = 8,
     .rows = 5,
     .frozen = 3,
     .map_length = 3,
     .channels = 4,
     .filters = 5,
     .stride = 1},
    {.features = 7,
     .rows = 5,
     .frozen = 4,
     .map_length = 7,
     .channels = 3,
     .filters = 3,
     .kernel = 3,
     .stride = 2},
};

static uint32_t generator = 2463534242u;

static uint32_t below(uint32_t n) {
    generator ^= generator << 13;
    generator ^= generator >> 17;
    generator ^= generator << 5;
    return generator % n;
}

static float uniform(float least, float most) {
    return least + (most - least) * ((float)below(1u << 24) / (float)(1u << 24));
}

static void random_window(int8_t *window, uint32_t bytes) {
    const int32_t amplitude = 1 + (int32_t)below(128);
    for (uint32_t i = 0; i < bytes; ++i) {
        const int32_t q = (int32_t)below((uint32_t)(2 * amplitude)) - amplitude;
        window[i] = (int8_t)q;
    }
}

#define HOLDS(condition) \
    if (!(condition)) return fprintf(stderr, "label %u: not %s\n", n, #condition), false

/* All that a refused label must leave alone. */
struct snapshot {
    uint32_t head;
    uint32_t windows;
    uint32_t labels;
    uint32_t trust;
    uint32_t seen;
    uint32_t given;
    uint32_t random;
    struct har_learner_state state;
};

static struct snapshot snapshot_of(const struct learner_room *room) {
    const struct har_replay *r = &room->replay;
    struct snapshot s;
    memset(&s, 0, sizeof s);
    s.head = har_head_crc(&room->head);
    s.windows = har_crc32(0, r->windows, CAPACITY * room->window_bytes);
    s.labels = har_crc32(0, r->labels, CAPACITY);
    s.trust = har_crc32(0, r->trust, CAPACITY);
    s.seen = har_crc32(0, r->seen, room->model.shape.rows * 4u);
    s.given = har_crc32(0, room->learner.labels, room->model.shape.rows * 4u);
    s.random = r->random;
    s.state = room->state;
    return s;
}

static bool consistent(struct learner_room *room, uint32_t n, uint32_t held, uint32_t undone) {
    const struct har_learner_state *state = &room->state;
    const struct har_replay *replay = &room->replay;
    const uint16_t activities = room->head.activities;
    HOLDS(har_head_check(room->head.parameters, room->parameters) == HAR_OK);
    uint32_t given = 0;
    for (uint16_t k = 0; k < room->model.shape.rows; ++k) {
        HOLDS(k < activities || room->learner.labels[k] == 0);
        HOLDS(replay->seen[k] <= room->learner.labels[k]);
        given += room->learner.labels[k];
    }
    HOLDS(given == state->updates + held + undone);
    HOLDS(state->guard.undone == undone);
    HOLDS(state->guard.judged <= given);
    HOLDS(state->guard.shipped_right <= state->guard.judged);
    HOLDS(state->guard.learned_right <= state->guard.judged);
    HOLDS(state->random == replay->random);
    const uint16_t count = har_replay_count(replay);
    HOLDS(count <= given);
    for (uint16_t i = 0; i < CAPACITY; ++i) {
        HOLDS((replay->labels[i] == HAR_REPLAY_FREE) == (i >= count));
        HOLDS(i >= count || (replay->labels[i] & HAR_REPLAY_LABEL) < activities);
        HOLDS(i >= count || replay->trust[i] >= 5);
    }
    uint16_t kept_back;
    uint16_t right;
    har_learner_held(&room->learner, room->probabilities, &kept_back, &right);
    HOLDS(right <= kept_back && kept_back <= held);
    har_learner_predict(&room->learner, room->window, room->probabilities);
    float sum = 0.0f;
    for (uint16_t k = 0; k < activities; ++k) {
        HOLDS(room->probabilities[k] >= 0.0f && room->probabilities[k] <= 1.0f);
        sum += room->probabilities[k];
    }
    HOLDS(fabsf(sum - 1.0f) < 1e-5f);
    HOLDS(learner_room_whole());
    return true;
}

static bool run(struct learner_room *room, uint32_t labels) {
    uint32_t held = 0;
    uint32_t undone = 0;
    uint32_t refused = 0;
    uint32_t taken_back = 0;
    const float rates[] = {0.001f, 0.01f, 0.1f, 1.0f, 300.0f, 1e30f};
    const uint32_t shipped_crc = har_head_crc(&room->head);
    uint32_t n = 0;
    while (n < labels) {
        if (n % (labels / 3) == labels / 4) (void)har_learner_add(&room->learner);
        random_window(room->window, room->window_bytes);
        room->learning.step.rate = rates[below(below(8) ? 4 : 6)];
        room->learning.step.rate_convolution = room->learning.step.rate * uniform(0.0f, 0.5f);
        room->learning.keep = uniform(0.9f, 1.0f);
        const uint8_t activity = (uint8_t)below(room->head.activities);
        const struct snapshot before = snapshot_of(room);
        enum har_outcome outcome;
        const har_status status = har_learner_label(&room->learner, room->window, activity,
                                                    room->probabilities, &outcome);
        struct snapshot after = snapshot_of(room);
        if (status != HAR_OK) {
            HOLDS(status == HAR_ERR_NOT_FINITE);
            HOLDS(memcmp(&before, &after, sizeof before) == 0);
            HOLDS(har_learner_undo(&room->learner) == HAR_ERR_STATE);
            ++refused;
            continue;
        }
        ++n;
        HOLDS(outcome == HAR_LEARNED || after.head == before.head);
        if (below(10) == 0) {
            --n;
            ++taken_back;
            HOLDS(har_learner_undo(&room->learner) == HAR_OK);
            after = snapshot_of(room);
            HOLDS(memcmp(&before, &after, sizeof before) == 0);
            HOLDS(har_learner_undo(&room->learner) == HAR_ERR_STATE);
        } else {
            held += outcome == HAR_HELD_BACK;
            undone += outcome == HAR_UNDONE;
        }
        if (!consistent(room, n, held, undone)) return false;
    }
    printf("%u %u %u %u %u %u\n", n, room->state.updates, held, undone, refused, taken_back);
    HOLDS(har_head_crc(&room->head) != shipped_crc);
    HOLDS(memcmp(room->head.parameters, room->anchor, room->parameters * 4) != 0);
    har_learner_reset(&room->learner);
    HOLDS(memcmp(room->head.parameters, room->anchor, room->parameters * 4) == 0);
    HOLDS(room->head.activities == SHIPPED && har_replay_count(&room->replay) == 0);
    return consistent(room, 0, 0, 0);
}

int main(int count, char **arguments) {
    static struct learner_room room;
    const uint32_t labels = count > 1 ? (uint32_t)strtoul(arguments[1], NULL, 10) : 1000;
    for (uint32_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; ++i) {
        if (!learner_room_build(&room, &SHAPES[i], SHIPPED, CAPACITY, EXEMPLARS)) return 2;
        for (uint32_t p = 0; p < room.parameters; ++p) room.anchor[p] = uniform(-0.5f, 0.5f);
        for (uint32_t f = 0; f < SHAPES[i].features; ++f) {
            room.scale[f] = uniform(0.01f, 0.03f);
            room.offset[f] = uniform(-1.0f, 1.0f);
        }
        room.head.map_scale = 0.02f;
        random_window(room.exemplars, EXEMPLARS * room.window_bytes);
        for (uint8_t e = 0; e < EXEMPLARS; ++e) room.exemplars_of[e] = e % SHIPPED;
        room.learning.steps = 3;
        room.learning.replay_every = 3;
        room.learning.hold_every = 4;
        room.learning.evidence = 3;
        har_learner_reset(&room.learner);
        if (!run(&room, labels)) return 1;
    }
    return 0;
}
