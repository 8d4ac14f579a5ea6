#include <string.h>

#include "lib/app/har_app_parts.h"
#include "lib/head/har_novelty.h"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

#define HEAD_BYTES (48u + 8u * HAR_ROWS + 32u * HAR_SPARE + 4u * HAR_PARAMETERS)
_Static_assert(offsetof(struct har_stored_head, state) == 8 &&
                   offsetof(struct har_stored_head, since_s) == 36 &&
                   offsetof(struct har_stored_head, window_bytes) == 44 &&
                   offsetof(struct har_stored_head, labels) == 48 &&
                   offsetof(struct har_stored_head, values) == HEAD_BYTES - 4u * HAR_PARAMETERS &&
                   sizeof(struct har_stored_head) == HEAD_BYTES,
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

static const struct har_novelty novelty = {
    HAR_NOVELTY_FEATURES,
    har_novelty_center,
    har_novelty_inverse_std,
};

/* ---- time ---- */

void har_app_head_set_time(struct har_app *app, uint32_t unix_s) {
    if (unix_s == 0) return;
    app->head.time_s = unix_s;
    app->head.time_ms = har_board_millis();
}

uint32_t har_app_head_now_s(struct har_app *app) {
    if (app->head.time_s == 0) return 0;
    const uint32_t passed_s = (har_board_millis() - app->head.time_ms) / 1000u;
    app->head.time_s += passed_s;
    app->head.time_ms += passed_s * 1000u;
    return app->head.time_s;
}

/* ---- which head is in use ---- */

void har_app_head_assemble(struct har_app *app) {
    struct har_stored_head *head = &app->head.current.head;
    struct har_kept *kept = &app->head.current.kept;
    const struct har_learner_memory memory = {
        .parameters = head->values,
        .scratch = app->head.scratch,
        .windows = kept->windows,
        .window_labels = kept->labels,
        .trust = kept->trust,
        .seen = kept->seen,
        .state = &head->state,
        .labels = head->labels,
        .previous = app->head.staged.values,
        .previous_window = app->head.previous_window,
    };
    har_learner_from_model(&app->head.learner, &app->head.layers, &app->head.replay,
                           &har_head_model, &memory);
    app->head.learner.pause = har_board_collect;
}

void har_app_head_take_factory(struct har_app *app) {
    struct har_stored_head *head = &app->head.current.head;
    memset(&app->head.current, 0, sizeof app->head.current);
    head->features = HAR_FEATURES;
    head->rows = HAR_ROWS;
    head->activities = HAR_ACTIVITIES;
    head->parameters = HAR_PARAMETERS;
    head->window_bytes = HAR_CUT_BYTES;
    head->capacity = HAR_REPLAY_CAPACITY;
    for (unsigned k = 0; k < HAR_ROWS; ++k) {
        head->limits[k] = k < HAR_ACTIVITIES ? HAR_NOVELTY_LIMIT : HAR_HEAD_LIMIT;
    }
    har_learner_reset(&app->head.learner);
    app->head.learned = false;
    app->head.unsaved = false;
}

void har_app_head_taken(struct har_app *app, bool saved) {
    app->head.layers.activities = app->head.current.head.activities;
    har_learner_taken(&app->head.learner);
    app->head.learned = true;
    app->head.unsaved = !saved;
}

void har_app_head_forget_undo(struct har_app *app) {
    app->head.learner.can_undo = false;
}

har_status har_app_head_check(const struct har_stored_head *head) {
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

uint16_t har_app_head_activities(struct har_app *app) {
    return app->head.layers.activities;
}

bool har_app_head_learned_active(struct har_app *app) {
    return har_learner_learned_active(&app->head.learner);
}

void har_app_head_predict(struct har_app *app, const int8_t *window, float *probabilities) {
    har_learner_predict(&app->head.learner, window, probabilities);
}

/* Limits may be tiny: never infinite. */
float har_app_head_novelty(struct har_app *app, uint16_t activity) {
    if (activity >= HAR_ACTIVITIES) return 0.0f;
    const float share = har_novelty_distance(&novelty, app->head.scratch, activity) /
                        app->head.current.head.limits[activity];
    return share > HAR_HEAD_LIMIT ? HAR_HEAD_LIMIT : share;
}

/* ---- learning ---- */

/* A label says that windows like this one, too, are that activity. The window's features are those
 * of the active head, which judged it last. */
static float widened(const struct har_app *app, uint8_t activity) {
    if (activity >= HAR_ACTIVITIES) return HAR_HEAD_LIMIT;
    const float limit =
        HAR_NOVELTY_WIDEN * har_novelty_distance(&novelty, app->head.scratch, activity);
    if (limit > HAR_HEAD_LIMIT) return HAR_HEAD_LIMIT;
    const float old = app->head.current.head.limits[activity];
    return limit > old ? limit : old;
}

/* Since the shipped head. */
static uint32_t label_count(const struct har_stored_head *head) {
    uint32_t count = 0;
    for (unsigned k = 0; k < HAR_ROWS; ++k) count += head->labels[k];
    return count;
}

struct har_answer har_app_head_learn(struct har_app *app, const int8_t *window, uint8_t activity,
                                     struct har_update_result *result) {
    struct har_stored_head *head = &app->head.current.head;
    float probabilities[HAR_ROWS]; /* (A,) */
    enum har_outcome outcome;
    if (activity >= app->head.layers.activities)
        return har_refuse(HAR_ERR_ARGUMENT, "no such activity");
    app->head.staged_bytes = 0;
    har_show(app, HAR_SHOW_LEARNING);
    har_board_count_begin();
    const struct har_judgement judgement =
        har_learner_judge(&app->head.learner, window, activity, probabilities);
    const float limit = widened(app, activity);
    const har_status status = har_learner_learn(&app->head.learner, window, activity, &judgement,
                                                probabilities, &outcome);
    result->count = har_board_count_end();
    result->before = judgement.learned;
    har_show(app, HAR_SHOW_LEARNING); /* from now on for a while */
    if (status != HAR_OK)
        return har_refuse(status, "the step would leave the finite: reset the head");

    app->head.before.activity = activity;
    app->head.before.limit = head->limits[activity];
    app->head.before.since_s = head->since_s;
    app->head.before.learned = app->head.learned;
    app->head.before.unsaved = app->head.unsaved;
    if (outcome != HAR_UNDONE) head->limits[activity] = limit;
    if (label_count(head) == 1) head->since_s = har_app_head_now_s(app);
    app->head.learned = true;
    app->head.unsaved = true;

    har_head_predict(&app->head.layers, window, false, probabilities);
    result->after = probabilities[activity];
    result->outcome = (uint8_t)outcome;
    result->learned_active = har_learner_learned_active(&app->head.learner);
    result->updates = head->state.updates;
    result->head_crc = har_head_crc(&app->head.layers);
    return har_done();
}

struct har_answer har_app_head_undo(struct har_app *app) {
    if (har_learner_undo(&app->head.learner) != HAR_OK) {
        return har_refuse(HAR_ERR_STATE,
                          "no label to take back: only the last one can be, and once");
    }
    struct har_stored_head *head = &app->head.current.head;
    head->limits[app->head.before.activity] = app->head.before.limit;
    head->since_s = app->head.before.since_s;
    app->head.learned = app->head.before.learned;
    app->head.unsaved = app->head.before.unsaved;
    return har_done();
}

void har_app_head_saved(struct har_app *app) {
    app->head.unsaved = false;
    app->head.before.unsaved = true; /* the flash holds what undo takes back */
}

struct har_answer har_app_head_add(struct har_app *app, const uint8_t *name, size_t size,
                                   uint8_t *activity) {
    struct har_stored_head *head = &app->head.current.head;
    if (!har_name_fits(head, app->head.layers.activities, name, size)) {
        return har_refuse(HAR_ERR_ARGUMENT,
                          "a name has 1 to 31 printable bytes, and no other activity has it");
    }
    if (har_learner_add(&app->head.learner) != HAR_OK) {
        return har_refuse(HAR_ERR_STATE, "all " TEXT(HAR_ROWS) " rows are taken: reset the head, or "
                                     "quantize with more --spare rows");
    }
    *activity = head->activities;
    head->activities = (uint8_t)app->head.layers.activities;
    struct har_name *entry = har_name_entry(head, *activity);
    memset(entry, 0, sizeof *entry);
    entry->size = (uint8_t)size;
    memcpy(entry->text, name, size);
    app->head.learned = true;
    app->head.unsaved = true;
    return har_done();
}

/* ---- telling ---- */

const uint8_t *har_app_head_bytes(const struct har_app *app, uint32_t offset, size_t size) {
    if (offset > HEAD_BYTES || size > HEAD_BYTES - offset) return NULL;
    return (const uint8_t *)&app->head.current.head + offset;
}
