#include "lib/app/har_app_head.h"

#include <string.h>

#include "hal/har_board.h"
#include "lib/head/har_novelty.h"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

#define HEAD_BYTES (48u + 8u * HAR_ROWS + 32u * HAR_SPARE + 4u * HAR_PARAMETERS)
_Static_assert(offsetof(struct har_app_head, state) == 8 &&
                   offsetof(struct har_app_head, since_s) == 36 &&
                   offsetof(struct har_app_head, window_bytes) == 44 &&
                   offsetof(struct har_app_head, labels) == 48 &&
                   offsetof(struct har_app_head, values) == HEAD_BYTES - 4u * HAR_PARAMETERS &&
                   sizeof(struct har_app_head) == HEAD_BYTES,
               "the head is the first part of the payload of docs/STORAGE.md, without padding");
_Static_assert(offsetof(struct har_learned, kept) == HEAD_BYTES &&
                   offsetof(struct har_kept, labels) == 4 * HAR_ROWS &&
                   offsetof(struct har_kept, windows) == 4 * HAR_ROWS + 2 * HAR_REPLAY_CAPACITY,
               "the windows follow the head, padded only at the end");
_Static_assert(HAR_ACTIVITIES <= HAR_ROWS && HAR_ROWS <= HAR_REPLAY_LABEL,
               "the replay's labels have seven bits");
_Static_assert(55u + 4u * HAR_ROWS + 32u * HAR_SPARE <= HAR_LINK_MAX_PAYLOAD,
               "the state of the head must fit one frame");
_Static_assert(HAR_NOVELTY_FEATURES <= HAR_FEATURES, "novelty looks at features");

struct har_app_heads har_app_heads;

static const struct har_head_shape shape = {
    HAR_FEATURES,      HAR_ROWS,         HAR_HEAD_FROZEN, HAR_HEAD_MAP_LENGTH,
    HAR_HEAD_CHANNELS, HAR_HEAD_FILTERS, HAR_HEAD_KERNEL, HAR_HEAD_STRIDE,
};
static const struct har_learning learning = {
    {HAR_LEARNING_RATE, HAR_LEARNING_RATE_CONVOLUTION},
    HAR_LEARNING_KEEP,
    HAR_LEARNING_STEPS,
    HAR_LEARNING_REPLAY_EVERY,
    HAR_LEARNING_HOLD_EVERY,
    HAR_LEARNING_EVIDENCE,
};
static const struct har_novelty novelty = {
    HAR_NOVELTY_FEATURES,
    har_novelty_center,
    har_novelty_inverse_std,
};

#define POSITIONS HAR_HEAD_POSITIONS(HAR_HEAD_MAP_LENGTH, HAR_HEAD_KERNEL, HAR_HEAD_STRIDE)
static float
    scratch[HAR_HEAD_SCRATCH(HAR_ROWS, HAR_FEATURES, HAR_HEAD_MAP_LENGTH, HAR_HEAD_CHANNELS,
                             HAR_HEAD_FILTERS, POSITIONS, HAR_HEAD_KERNEL)];
static struct har_head tail = {
    .shape = &shape,
    .anchor = har_factory_parameters,
    .scale = har_feature_scale,
    .offset = har_feature_offset,
    .map_scale = HAR_HEAD_MAP_SCALE,
    .map_zero_point = HAR_HEAD_MAP_ZERO_POINT,
    .parameters = har_app_heads.current.head.values,
    .scratch = scratch,
    .shipped = HAR_ACTIVITIES,
    .activities = HAR_ACTIVITIES,
};
static struct har_replay replay = {
    .window_bytes = HAR_CUT_BYTES,
    .capacity = HAR_REPLAY_CAPACITY,
    .exemplars = HAR_REPLAY_EXEMPLARS,
    .rows = HAR_ROWS,
    .shipped = har_exemplars,
    .shipped_of = har_exemplar_activities,
    .windows = har_app_heads.current.kept.windows,
    .labels = har_app_heads.current.kept.labels,
    .trust = har_app_heads.current.kept.trust,
    .seen = har_app_heads.current.kept.seen,
};
static int8_t previous_window[HAR_CUT_BYTES];
static struct har_learner learner = {
    .head = &tail,
    .replay = &replay,
    .learning = &learning,
    .state = &har_app_heads.current.head.state,
    .labels = har_app_heads.current.head.labels,
    .previous = har_app_heads.staged.values,
    .previous_window = previous_window,
    .pause = har_board_collect,
};

/* What else the last label changed, as it was. */
static struct {
    uint8_t activity;
    float limit;
    uint32_t since_s;
    bool learned;
    bool unsaved;
} before;

static uint32_t time_s; /* Unix time at time_ms of the board's own clock; 0: unknown */
static uint32_t time_ms;

static struct har_answer done(void) {
    return (struct har_answer){HAR_OK, ""};
}

static struct har_answer refuse(har_status status, const char *text) {
    return (struct har_answer){status, text};
}

/* ---- time ---- */

void har_app_head_set_time(uint32_t unix_s) {
    if (unix_s == 0) return;
    time_s = unix_s;
    time_ms = har_board_millis();
}

uint32_t har_app_head_now_s(void) {
    if (time_s == 0) return 0;
    const uint32_t passed_s = (har_board_millis() - time_ms) / 1000u;
    time_s += passed_s;
    time_ms += passed_s * 1000u;
    return time_s;
}

/* ---- which head is in use ---- */

void har_app_head_take_shipped(void) {
    struct har_app_head *head = &har_app_heads.current.head;
    memset(&har_app_heads.current, 0, sizeof har_app_heads.current);
    head->features = HAR_FEATURES;
    head->rows = HAR_ROWS;
    head->activities = HAR_ACTIVITIES;
    head->parameters = HAR_PARAMETERS;
    head->window_bytes = HAR_CUT_BYTES;
    head->capacity = HAR_REPLAY_CAPACITY;
    for (unsigned k = 0; k < HAR_ROWS; ++k) {
        head->limits[k] = k < HAR_ACTIVITIES ? HAR_NOVELTY_LIMIT : HAR_HEAD_LIMIT;
    }
    har_learner_reset(&learner);
    har_app_heads.learned = false;
    har_app_heads.unsaved = false;
}

void har_app_head_taken(bool saved) {
    tail.activities = har_app_heads.current.head.activities;
    har_learner_taken(&learner);
    har_app_heads.learned = true;
    har_app_heads.unsaved = !saved;
}

void har_app_head_empty_kept(void) {
    har_replay_reset(&replay);
}

void har_app_head_forget_undo(void) {
    learner.can_undo = false;
}

har_status har_app_head_check(const struct har_app_head *head) {
    if (head->features != HAR_FEATURES || head->rows != HAR_ROWS ||
        head->parameters != HAR_PARAMETERS || head->window_bytes != HAR_CUT_BYTES ||
        head->capacity != HAR_REPLAY_CAPACITY || head->activities < HAR_ACTIVITIES ||
        head->activities > HAR_ROWS) {
        return HAR_ERR_MODEL;
    }
    if (!har_names_right(head)) return HAR_ERR_ARGUMENT;
    const struct har_guard *guard = &head->state.guard;
    if (guard->shipped_right > guard->judged || guard->learned_right > guard->judged) {
        return HAR_ERR_NOT_FINITE;
    }
    for (unsigned k = 0; k < HAR_ROWS; ++k) {
        if (!(head->limits[k] > 0.0f)) return HAR_ERR_NOT_FINITE; /* NaN too */
    }
    const har_status status = har_head_check(head->limits, HAR_ROWS);
    return status == HAR_OK ? har_head_check(head->values, HAR_PARAMETERS) : status;
}

/* ---- predicting ---- */

uint16_t har_app_head_activities(void) {
    return tail.activities;
}

bool har_app_head_serves(void) {
    return har_learner_serves(&learner);
}

void har_app_head_predict(const int8_t *window, float *probabilities) {
    har_learner_predict(&learner, window, probabilities);
}

/* Limits may be tiny: never infinite. */
float har_app_head_novelty(uint16_t activity) {
    if (activity >= HAR_ACTIVITIES) return 0.0f;
    const float share = har_novelty_distance(&novelty, scratch, activity) /
                        har_app_heads.current.head.limits[activity];
    return share > HAR_HEAD_LIMIT ? HAR_HEAD_LIMIT : share;
}

/* ---- learning ---- */

/* A label says that windows like this one, too, are that activity. */
static float widened(const int8_t *window, uint8_t activity) {
    if (activity >= HAR_ACTIVITIES) return HAR_HEAD_LIMIT;
    const float *x = har_head_features(&tail, window, !har_learner_serves(&learner));
    const float limit = HAR_NOVELTY_WIDEN * har_novelty_distance(&novelty, x, activity);
    if (limit > HAR_HEAD_LIMIT) return HAR_HEAD_LIMIT;
    const float old = har_app_heads.current.head.limits[activity];
    return limit > old ? limit : old;
}

/* Since the shipped head. */
static uint32_t label_count(const struct har_app_head *head) {
    uint32_t count = 0;
    for (unsigned k = 0; k < HAR_ROWS; ++k) count += head->labels[k];
    return count;
}

struct har_answer har_app_head_learn(const int8_t *window, uint8_t activity,
                                     struct har_lesson *lesson) {
    struct har_app_head *head = &har_app_heads.current.head;
    float probabilities[HAR_ROWS]; /* (A,) */
    enum har_outcome outcome;
    if (activity >= tail.activities) return refuse(HAR_ERR_ARGUMENT, "no such activity");
    har_head_predict(&tail, window, false, probabilities);
    lesson->before = probabilities[activity];
    har_app_heads.staged_bytes = 0;
    har_show(HAR_SHOW_LEARNING);
    har_board_count_begin();
    const float limit = widened(window, activity);
    const har_status status =
        har_learner_label(&learner, window, activity, probabilities, &outcome);
    lesson->count = har_board_count_end();
    har_show(HAR_SHOW_LEARNING); /* from now on for a while */
    if (status != HAR_OK) return refuse(status, "the step would leave the finite: reset the head");

    before.activity = activity;
    before.limit = head->limits[activity];
    before.since_s = head->since_s;
    before.learned = har_app_heads.learned;
    before.unsaved = har_app_heads.unsaved;
    if (outcome != HAR_UNDONE) head->limits[activity] = limit;
    if (label_count(head) == 1) head->since_s = har_app_head_now_s();
    har_app_heads.learned = true;
    har_app_heads.unsaved = true;

    har_head_predict(&tail, window, false, probabilities);
    lesson->after = probabilities[activity];
    lesson->outcome = (uint8_t)outcome;
    lesson->serves = har_learner_serves(&learner);
    lesson->updates = head->state.updates;
    lesson->head_crc = har_head_crc(&tail);
    return done();
}

struct har_answer har_app_head_undo(void) {
    if (har_learner_undo(&learner) != HAR_OK) {
        return refuse(HAR_ERR_STATE, "no label to take back: only the last one can be, and once");
    }
    struct har_app_head *head = &har_app_heads.current.head;
    head->limits[before.activity] = before.limit;
    head->since_s = before.since_s;
    har_app_heads.learned = before.learned;
    har_app_heads.unsaved = before.unsaved;
    return done();
}

void har_app_head_saved(void) {
    har_app_heads.unsaved = false;
    before.unsaved = true; /* the flash holds what undo takes back */
}

struct har_answer har_app_head_add(const uint8_t *name, size_t size, uint8_t *activity) {
    struct har_app_head *head = &har_app_heads.current.head;
    if (!har_name_fits(head, tail.activities, name, size)) {
        return refuse(HAR_ERR_ARGUMENT,
                      "a name has 1 to 31 printable bytes, and no other activity has it");
    }
    if (har_learner_add(&learner) != HAR_OK) {
        return refuse(HAR_ERR_STATE, "all " TEXT(HAR_ROWS) " rows are taken: reset the head, or "
                                     "quantize with more --spare rows");
    }
    *activity = head->activities;
    head->activities = (uint8_t)tail.activities;
    struct har_name *entry = har_name_entry(head, *activity);
    memset(entry, 0, sizeof *entry);
    entry->size = (uint8_t)size;
    memcpy(entry->text, name, size);
    har_app_heads.learned = true;
    har_app_heads.unsaved = true;
    return done();
}

/* ---- telling ---- */

const uint8_t *har_app_head_bytes(uint32_t offset, size_t size) {
    if (offset > HEAD_BYTES || size > HEAD_BYTES - offset) return NULL;
    return (const uint8_t *)&har_app_heads.current.head + offset;
}

void har_app_head_put_state(struct har_writer *writer) {
    const struct har_app_head *head = &har_app_heads.current.head;
    const struct har_guard *guard = &head->state.guard;
    float probabilities[HAR_ROWS];
    uint16_t held;
    uint16_t right;
    har_learner_held(&learner, probabilities, &held, &right);
    har_put_u8(writer, har_app_heads.learned ? 1u : 0u);
    har_put_u8(writer, har_learner_serves(&learner) ? 1u : 0u);
    har_put_u8(writer, har_app_heads.unsaved ? 1u : 0u);
    har_put_u8(writer, learner.can_undo ? 1u : 0u);
    har_put_u32(writer, har_record_newest_sequence());
    har_put_u32(writer, head->state.updates);
    har_put_u32(writer, har_head_crc(&tail));
    har_put_u8(writer, har_record_count());
    har_put_u16(writer, HAR_FEATURES);
    har_put_u8(writer, HAR_ROWS);
    har_put_u32(writer, guard->judged);
    har_put_u32(writer, guard->shipped_right);
    har_put_u32(writer, guard->learned_right);
    har_put_u32(writer, guard->undone);
    har_put_u16(writer, held);
    har_put_u16(writer, right);
    har_put_u16(writer, har_replay_count(&replay));
    har_put_u16(writer, HAR_REPLAY_CAPACITY);
    har_put_u16(writer, HAR_LEARNING_EVIDENCE);
    har_put_u32(writer, head->since_s);
    har_put_u32(writer, head->saved_s);
    har_put_u8(writer, head->activities);
    for (unsigned k = 0; k < head->activities; ++k) har_put_u32(writer, head->labels[k]);
    for (uint16_t k = HAR_ACTIVITIES; k < head->activities; ++k) {
        har_put_string(writer, har_app_head_name(k));
    }
}
