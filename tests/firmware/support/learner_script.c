#include "learner_script.h"

#include <string.h>

#include "learner_room.h"
#include "lib/base/har_crc32.h"
#include "lib/head/har_math.h"

static const volatile uint32_t *in;
static volatile uint32_t *out;
static uint32_t left;

static float take_float(void) {
    const uint32_t bits = *in++;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void take_floats(float *values, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) values[i] = take_float();
}

static void take_bytes(void *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; i += 4) {
        const uint32_t word = *in++;
        memcpy((uint8_t *)bytes + i, &word, count - i < 4 ? count - i : 4);
    }
}

static void put(uint32_t word) {
    if (left == 0) return;
    --left;
    *out++ = word;
}

static void put_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put(bits);
}

static void put_probabilities(const struct learner_room *room) {
    for (uint16_t k = 0; k < room->model.shape.rows; ++k) {
        put_float(k < room->head.activities ? room->probabilities[k] : 0.0f);
    }
}

static void put_all(struct learner_room *room, har_status status, uint32_t outcome) {
    struct har_learner *learner = &room->learner;
    const struct har_replay *replay = &room->replay;
    const struct har_learner_state *state = &room->state;
    uint16_t held;
    uint16_t held_right;
    har_learner_held(learner, room->probabilities, &held, &held_right);
    const uint32_t head[] = {(uint32_t)status,
                             outcome,
                             har_head_crc(&room->head),
                             room->head.activities,
                             state->updates,
                             state->exemplars,
                             state->random,
                             state->guard.judged,
                             state->guard.shipped_right,
                             state->guard.learned_right,
                             state->guard.undone,
                             har_learner_learned_active(learner),
                             learner->can_undo,
                             held,
                             held_right};
    for (uint32_t i = 0; i < sizeof head / sizeof head[0]; ++i) put(head[i]);
    put(har_crc32(0, replay->windows, replay->capacity * replay->window_bytes));
    for (uint16_t k = 0; k < room->model.shape.rows; ++k) put(learner->labels[k]);
    for (uint16_t k = 0; k < room->model.shape.rows; ++k) put(replay->seen[k]);
    for (uint16_t i = 0; i < replay->capacity; ++i) put(replay->labels[i]);
    for (uint16_t i = 0; i < replay->capacity; ++i) put(replay->trust[i]);
    const float *x = har_head_features(&room->head, room->window, false);
    put(har_crc32(0, x, room->model.shape.features * sizeof *x));
    har_learner_predict(learner, room->window, room->probabilities);
    put_probabilities(room);
    har_head_predict(&room->head, room->window, false, room->probabilities);
    put_probabilities(room);
    har_head_predict(&room->head, room->window, true, room->probabilities);
    put_probabilities(room);
}

static bool take_room(struct learner_room *room) {
    uint16_t sizes[9]; /* F, R, frozen, T, C, M, J, stride, K */
    for (uint32_t i = 0; i < 9; ++i) sizes[i] = (uint16_t)*in++;
    const struct har_head_shape shape = {sizes[0], sizes[1], sizes[2], sizes[3],
                                         sizes[4], sizes[5], sizes[6], sizes[7]};
    const float map_scale = take_float();
    const int32_t map_zero_point = (int32_t)*in++;
    const volatile uint32_t *shipped = in;
    const uint32_t parameters = har_head_parameters(&shape);
    in += 2u * shape.features + parameters;
    const uint16_t capacity = (uint16_t)*in++;
    const uint16_t exemplars = (uint16_t)*in++;
    const volatile uint32_t *behind = in;
    if (!learner_room_build(room, &shape, sizes[8], capacity, exemplars)) return false;
    in = shipped;
    take_floats(room->scale, shape.features);
    take_floats(room->offset, shape.features);
    take_floats(room->anchor, parameters);
    in = behind;
    take_bytes(room->exemplars, exemplars * room->window_bytes);
    take_bytes(room->exemplars_of, exemplars);
    room->head.map_scale = map_scale;
    room->head.map_zero_point = map_zero_point;
    struct har_learning *learning = &room->learning;
    learning->step.rate = take_float();
    learning->step.rate_convolution = take_float();
    learning->keep = take_float();
    learning->steps = (uint16_t)*in++;
    learning->replay_every = (uint16_t)*in++;
    learning->hold_every = (uint16_t)*in++;
    learning->evidence = (uint16_t)*in++;
    har_learner_reset(&room->learner);
    return true;
}

static har_status label(struct learner_room *room, uint32_t *outcome) {
    const uint8_t activity = (uint8_t)*in++;
    const float rate = room->learning.step.rate;
    room->learning.step.rate = take_float();
    take_bytes(room->window, room->window_bytes);
    enum har_outcome found;
    const har_status status =
        har_learner_label(&room->learner, room->window, activity, room->probabilities, &found);
    room->learning.step.rate = rate;
    *outcome = status == HAR_OK ? (uint32_t)found : 0;
    return status;
}

static har_status take(struct learner_room *room) {
    static float values[8192];
    if (room->parameters > sizeof values / sizeof values[0]) return HAR_ERR_LENGTH;
    take_floats(values, room->parameters);
    const har_status status = har_head_check(values, room->parameters);
    if (status != HAR_OK) return status;
    memcpy(room->head.parameters, values, room->parameters * sizeof values[0]);
    har_learner_taken(&room->learner);
    return HAR_OK;
}

uint32_t learner_script_run(const volatile uint32_t *script, volatile uint32_t *trace,
                            uint32_t capacity) {
    static struct learner_room room;
    in = script;
    out = trace;
    left = capacity;

    const uint32_t exponentials = *in++;
    for (uint32_t i = 0; i < exponentials; ++i) put_float(har_exp32(take_float()));
    if (!take_room(&room)) return 0;
    const uint32_t lines = *in++;
    for (uint32_t n = 0; n < lines; ++n) {
        har_status status = HAR_OK;
        uint32_t outcome = 0;
        switch ((enum learner_line) * in++) {
            case LINE_LABEL:
                status = label(&room, &outcome);
                break;
            case LINE_UNDO:
                status = har_learner_undo(&room.learner);
                break;
            case LINE_ADD:
                status = har_learner_add(&room.learner);
                break;
            case LINE_TAKE:
                status = take(&room);
                break;
            case LINE_RESET:
                har_learner_reset(&room.learner);
                break;
        }
        put_all(&room, status, outcome);
    }
    return learner_room_whole() ? capacity - left : 0;
}
