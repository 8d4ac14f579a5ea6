#include "learner.h"

#include <stdio.h>
#include <string.h>

#include "har_model.h"
#include "lib/head/har_learner.h"

#define POSITIONS HAR_HEAD_POSITIONS(HAR_HEAD_MAP_LENGTH, HAR_HEAD_KERNEL, HAR_HEAD_STRIDE)
#define PARAMETERS                                                                   \
    HAR_HEAD_PARAMETERS(HAR_ROWS, HAR_FEATURES, HAR_HEAD_CHANNELS, HAR_HEAD_FILTERS, \
                        HAR_HEAD_KERNEL)
#define SCRATCH                                                                      \
    HAR_HEAD_SCRATCH(HAR_ROWS, HAR_FEATURES, HAR_HEAD_MAP_LENGTH, HAR_HEAD_CHANNELS, \
                     HAR_HEAD_FILTERS, POSITIONS, HAR_HEAD_KERNEL)
#define REFUSED 0x80u

static struct har_head_model model; /* with what blind() changes */
static float scale[HAR_FEATURES];
static float offset[HAR_FEATURES];

static float parameters[PARAMETERS];
static float previous[PARAMETERS];
static float scratch[SCRATCH];
static int8_t windows[HAR_REPLAY_CAPACITY * HAR_CUT_BYTES];
static uint8_t window_labels[HAR_REPLAY_CAPACITY];
static uint8_t trust[HAR_REPLAY_CAPACITY];
static uint32_t seen[HAR_ROWS];
static uint32_t labels[HAR_ROWS];
static int8_t previous_window[HAR_CUT_BYTES];
static struct har_learner_state state;

static struct har_head head;
static struct har_replay replay;
static struct har_learner learner;

static int8_t window[HAR_CUT_BYTES];
static float probabilities[HAR_ROWS];

static bool take(void *into, size_t bytes) {
    return fread(into, 1, bytes, stdin) == bytes;
}

static void put(uint32_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) putchar((int)(value >> (8u * i) & 0xFFu));
}

static void blind(uint32_t count) {
    const float left = (float)(HAR_FEATURES - count);
    memcpy(scale, har_feature_scale, sizeof scale);
    memcpy(offset, har_feature_offset, sizeof offset);
    memset(scale, 0, count * sizeof *scale);
    memset(offset, 0, count * sizeof *offset);
    model.learning.step.rate =
        har_head_model.learning.step.rate * ((1.0f + (float)HAR_FEATURES) / (1.0f + left));
    har_learner_reset(&learner);
}

static uint8_t label(uint8_t activity) {
    enum har_outcome outcome;
    const har_status status =
        har_learner_label(&learner, window, activity, probabilities, &outcome);
    return (uint8_t)(status == HAR_OK ? (unsigned)outcome : REFUSED + (unsigned)status);
}

static uint16_t predict(uint8_t which) {
    if (which == HAR_PREDICT_ACTIVE) {
        har_learner_predict(&learner, window, probabilities);
    } else {
        har_head_predict(&head, window, which == HAR_PREDICT_FACTORY, probabilities);
    }
    return har_head_argmax(probabilities, head.activities);
}

static void hello(void) {
    for (size_t i = 0; i < sizeof model.id; ++i) put(model.id[i], 1);
    put(HAR_CUT_BYTES, 4);
    put(HAR_FEATURES, 2);
    put(HAR_ROWS, 1);
    put(HAR_ACTIVITIES, 1);
}

static void tell(void) {
    uint16_t held;
    uint16_t right;
    har_learner_held(&learner, probabilities, &held, &right);
    put(head.activities, 1);
    put(har_learner_learned_active(&learner), 1);
    put(state.updates, 4);
    put(state.guard.judged, 4);
    put(state.guard.shipped_right, 4);
    put(state.guard.learned_right, 4);
    put(state.guard.undone, 4);
    put(held, 2);
    put(right, 2);
    put(har_head_crc(&head), 4);
}

/* False for what is no request. */
static bool answer(uint8_t operation, uint8_t argument, uint32_t count) {
    const bool items = operation == 'L' || operation == 'P';
    if (argument > (operation == 'P' ? HAR_PREDICT_FACTORY : 0u)) return false;
    if (count > (items ? HAR_LEARNER_ITEMS : operation == 'B' ? HAR_FEATURES - 1u : 0u)) {
        return false;
    }
    for (uint32_t i = 0; items && i < count; ++i) {
        uint8_t activity = 0;
        if (operation == 'L' && !take(&activity, 1)) return false;
        if (!take(window, sizeof window)) return false;
        put(operation == 'L' ? label(activity) : predict(argument), 1);
    }
    switch (operation) {
        case 'L':
        case 'P':
            return true;
        case 'H':
            hello();
            return true;
        case 'S':
            tell();
            return true;
        case 'A':
            (void)har_learner_add(&learner); /* the number of activities tells */
            break;
        case 'B':
            blind(count);
            break;
        case 'R':
            har_learner_reset(&learner);
            break;
        default:
            return false;
    }
    put(head.activities, 1);
    return true;
}

static void join(void) {
    const struct har_learner_memory memory = {
        .parameters = parameters,
        .scratch = scratch,
        .windows = windows,
        .window_labels = window_labels,
        .trust = trust,
        .seen = seen,
        .state = &state,
        .labels = labels,
        .previous = previous,
        .previous_window = previous_window,
    };
    model = har_head_model;
    model.scale = scale;
    model.offset = offset;
    har_learner_from_model(&learner, &head, &replay, &model, &memory);
}

int main(void) {
    uint8_t request[6];
    size_t got;
    join();
    blind(0);
    while ((got = fread(request, 1, sizeof request, stdin)) == sizeof request) {
        const uint32_t count = (uint32_t)request[2] | (uint32_t)request[3] << 8 |
                               (uint32_t)request[4] << 16 | (uint32_t)request[5] << 24;
        if (!answer(request[0], request[1], count) || fflush(stdout) != 0) {
            fprintf(stderr, "no such request, or it broke off\n");
            return 2;
        }
    }
    return got == 0 && !ferror(stdin) ? 0 : 2;
}
