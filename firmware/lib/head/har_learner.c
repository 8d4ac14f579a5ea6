#include "lib/head/har_learner.h"

#include <math.h>
#include <string.h>

#define TRUSTED 255u
#define TRUST_LEAST 5u

static uint32_t parameter_bytes(const struct har_learner *learner) {
    return har_head_parameters(learner->head->shape) * (uint32_t)sizeof(float);
}

static bool valid(const struct har_learning *l) {
    return l->steps > 0 && l->step.rate > 0.0f && l->step.rate_convolution >= 0.0f &&
           l->keep >= 0.0f && l->keep <= 1.0f;
}

void har_learner_from_model(struct har_learner *learner, struct har_head *head,
                            struct har_replay *replay, const struct har_head_model *model,
                            const struct har_learner_memory *memory) {
    *head = (struct har_head){
        .shape = &model->shape,
        .anchor = model->parameters,
        .scale = model->scale,
        .offset = model->offset,
        .map_scale = model->map_scale,
        .map_zero_point = model->map_zero_point,
        .parameters = memory->parameters,
        .scratch = memory->scratch,
        .factory_activities = model->activities,
        .activities = model->activities,
    };
    *replay = (struct har_replay){
        .window_bytes = har_head_window_bytes(&model->shape),
        .capacity = model->capacity,
        .exemplars = model->exemplars,
        .rows = (uint8_t)model->shape.rows,
        .exemplar_windows = model->exemplar_windows,
        .exemplar_activities = model->exemplar_activities,
        .windows = memory->windows,
        .labels = memory->window_labels,
        .trust = memory->trust,
        .seen = memory->seen,
    };
    *learner = (struct har_learner){
        .head = head,
        .replay = replay,
        .learning = &model->learning,
        .state = memory->state,
        .labels = memory->labels,
        .previous = memory->previous,
        .previous_window = memory->previous_window,
    };
}

void har_learner_reset(struct har_learner *learner) {
    har_head_reset(learner->head);
    har_replay_reset(learner->replay);
    memset(learner->state, 0, sizeof *learner->state);
    learner->state->random = learner->replay->random;
    memset(learner->labels, 0, learner->head->shape->rows * sizeof *learner->labels);
    learner->can_undo = false;
}

void har_learner_taken(struct har_learner *learner) {
    learner->replay->random = learner->state->random;
    learner->can_undo = false;
}

bool har_learner_learned_active(const struct har_learner *learner) {
    const struct har_guard *guard = &learner->state->guard;
    const uint32_t wrong = guard->judged - guard->shipped_right;
    return learner->state->updates > 0 && wrong >= learner->learning->evidence &&
           guard->learned_right >= guard->shipped_right;
}

void har_learner_predict(struct har_learner *learner, const int8_t *window, float *probabilities) {
    har_head_predict(learner->head, window, !har_learner_learned_active(learner), probabilities);
}

har_status har_learner_add(struct har_learner *learner) {
    if (learner->head->activities >= learner->head->shape->rows) return HAR_ERR_STATE;
    learner->head->activities += 1;
    learner->can_undo = false;
    return HAR_OK;
}

static void call_pause(const struct har_learner *learner) {
    if (learner->pause != NULL) learner->pause();
}

/* Whether the window is taken for `activity`; *probability is that of `activity`. */
static bool is_right(struct har_learner *learner, const int8_t *window, uint8_t activity,
                     bool factory, float *probabilities, float *probability) {
    har_head_predict(learner->head, window, factory, probabilities);
    *probability = probabilities[activity];
    call_pause(learner);
    return har_head_argmax(probabilities, learner->head->activities) == activity;
}

/* Held-back windows that are right. */
static uint16_t held_right(struct har_learner *learner, bool factory, float *probabilities,
                           uint16_t *held) {
    const struct har_replay *replay = learner->replay;
    uint16_t right = 0;
    float probability;
    *held = 0;
    for (uint16_t i = 0; i < replay->capacity; ++i) {
        const uint8_t label = replay->labels[i];
        if (label == HAR_REPLAY_FREE || !(label & HAR_REPLAY_HELD)) continue;
        *held += 1;
        if (is_right(learner, replay->windows + i * replay->window_bytes, label & HAR_REPLAY_LABEL,
                     factory, probabilities, &probability)) {
            ++right;
        }
    }
    return right;
}

void har_learner_held(struct har_learner *learner, float *probabilities, uint16_t *held,
                      uint16_t *right) {
    *right = held_right(learner, !har_learner_learned_active(learner), probabilities, held);
}

static uint8_t trust_of(const struct har_head *head, uint8_t activity, float probability) {
    if (activity >= head->factory_activities) return TRUSTED;
    const float root = sqrtf(probability);
    const float weight = root * sqrtf(root); /* p^(3/4) */
    const uint8_t trust = (uint8_t)(weight * 255.0f + 0.5f);
    return trust < TRUST_LEAST ? TRUST_LEAST : trust;
}

/* The new window first, then what was labelled and what ships. */
static har_status learn(struct har_learner *learner, const int8_t *window, uint8_t activity,
                        uint8_t trust) {
    const struct har_learning *learning = learner->learning;
    har_head_pull(learner->head, learning->keep);
    for (uint16_t step = 0; step < learning->steps; ++step) {
        uint8_t label = activity;
        uint8_t weight = trust;
        const int8_t *drawn = window;
        if (step > 0) {
            drawn = NULL;
            if (learning->replay_every && step % learning->replay_every == 0) {
                drawn = har_replay_exemplar(learner->replay, learner->state->exemplars, &label);
                learner->state->exemplars += 1;
                weight = TRUSTED;
            }
            if (drawn == NULL) drawn = har_replay_draw(learner->replay, &label, &weight);
            if (drawn == NULL) continue;
        }
        har_head_step(learner->head, &learning->step, drawn, label,
                      (float)weight * (1.0f / 255.0f));
        call_pause(learner);
    }
    return har_head_settle(learner->head);
}

static void remember(struct har_learner *learner, uint16_t entry, uint8_t activity, bool held) {
    struct har_replay *replay = learner->replay;
    learner->previous_entry = entry;
    learner->last_activity = activity;
    learner->last_held = held;
    if (entry >= replay->capacity) return;
    learner->previous_label = replay->labels[entry];
    learner->previous_trust = replay->trust[entry];
    memcpy(learner->previous_window, replay->windows + entry * replay->window_bytes,
           replay->window_bytes);
}

/* The store as it was before the last label. */
static void take_window_back(struct har_learner *learner) {
    struct har_replay *replay = learner->replay;
    const uint16_t entry = learner->previous_entry;
    if (!learner->last_held) replay->seen[learner->last_activity] -= 1;
    if (entry >= replay->capacity) return;
    replay->labels[entry] = learner->previous_label;
    replay->trust[entry] = learner->previous_trust;
    memcpy(replay->windows + entry * replay->window_bytes, learner->previous_window,
           replay->window_bytes);
}

static void restore(struct har_learner *learner) {
    take_window_back(learner);
    memcpy(learner->head->parameters, learner->previous, parameter_bytes(learner));
    *learner->state = learner->previous_state;
    learner->replay->random = learner->state->random;
    learner->labels[learner->last_activity] -= 1;
    learner->can_undo = false;
}

struct har_judgement har_learner_judge(struct har_learner *learner, const int8_t *window,
                                       uint8_t activity, float *probabilities) {
    struct har_judgement j;
    const bool factory_last = !har_learner_learned_active(learner);
    for (unsigned pass = 0; pass < 2; ++pass) {
        if ((pass == 1) == factory_last) {
            j.factory_right = is_right(learner, window, activity, true, probabilities, &j.factory);
        } else {
            j.learned_right = is_right(learner, window, activity, false, probabilities, &j.learned);
        }
    }
    return j;
}

har_status har_learner_label(struct har_learner *learner, const int8_t *window, uint8_t activity,
                             float *probabilities, enum har_outcome *outcome) {
    if (activity >= learner->head->activities) return HAR_ERR_ARGUMENT;
    const struct har_judgement judgement =
        har_learner_judge(learner, window, activity, probabilities);
    return har_learner_learn(learner, window, activity, &judgement, probabilities, outcome);
}

har_status har_learner_learn(struct har_learner *learner, const int8_t *window, uint8_t activity,
                             const struct har_judgement *judgement, float *probabilities,
                             enum har_outcome *outcome) {
    struct har_learner_state *state = learner->state;
    const struct har_learning *learning = learner->learning;
    if (activity >= learner->head->activities || !valid(learning)) return HAR_ERR_ARGUMENT;

    learner->previous_state = *state;
    memcpy(learner->previous, learner->head->parameters, parameter_bytes(learner));
    const float surer =
        judgement->factory > judgement->learned ? judgement->factory : judgement->learned;
    const uint8_t trust = trust_of(learner->head, activity, surer);
    if (judgement->factory_right || judgement->learned_right || trust > TRUST_LEAST) {
        state->guard.judged += 1;
    }
    state->guard.shipped_right += judgement->factory_right;
    state->guard.learned_right += judgement->learned_right;

    learner->labels[activity] += 1;
    const bool held = learning->hold_every && learner->labels[activity] % learning->hold_every == 0;
    const uint16_t entry = har_replay_place(learner->replay, activity, held);
    remember(learner, entry, activity, held);
    har_replay_put(learner->replay, entry, window, activity, trust, held);
    learner->can_undo = true;
    *outcome = HAR_HELD_BACK;
    if (!held) {
        uint16_t count;
        const uint16_t before = held_right(learner, false, probabilities, &count);
        const har_status status = learn(learner, window, activity, trust);
        if (status != HAR_OK) {
            restore(learner);
            return status;
        }
        state->updates += 1;
        *outcome = HAR_LEARNED;
        if (held_right(learner, false, probabilities, &count) < before) {
            memcpy(learner->head->parameters, learner->previous, parameter_bytes(learner));
            take_window_back(learner);
            learner->previous_entry = learner->replay->capacity;
            learner->last_held = true; /* nothing of it is in the store */
            state->updates -= 1;
            state->guard.undone += 1;
            *outcome = HAR_UNDONE;
        }
    }
    state->random = learner->replay->random;
    return HAR_OK;
}

har_status har_learner_undo(struct har_learner *learner) {
    if (!learner->can_undo) return HAR_ERR_STATE;
    restore(learner);
    return HAR_OK;
}
