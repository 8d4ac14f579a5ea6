#include "learner_script.h"

#include <string.h>

#include "har_math.h"
#include "har_tail.h"

#define FEATURES_MAX 128
#define ACTIVITIES_MAX 16

static const volatile uint32_t *in;
static volatile uint32_t *out;
static uint32_t room;

static float take(void) {
    const uint32_t bits = *in++;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void put_word(uint32_t word) {
    if (room == 0) return;
    --room;
    *out++ = word;
}

static void put(const float *values, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        put_word(bits);
    }
}

uint32_t learner_script_run(const volatile uint32_t *script, volatile uint32_t *trace,
                            uint32_t capacity) {
    static float weights[FEATURES_MAX * ACTIVITIES_MAX], anchor[FEATURES_MAX * ACTIVITIES_MAX];
    static float bias[ACTIVITIES_MAX], anchor_bias[ACTIVITIES_MAX];
    static float x[FEATURES_MAX], probabilities[ACTIVITIES_MAX], scratch[ACTIVITIES_MAX];
    in = script;
    out = trace;
    room = capacity;

    const uint32_t exponentials = *in++;
    for (uint32_t i = 0; i < exponentials; ++i) {
        const float y = har_exp32(take());
        put(&y, 1);
    }

    const uint32_t features = *in++;
    const uint32_t activities = *in++;
    if (features > FEATURES_MAX || activities > ACTIVITIES_MAX) return 0;
    struct har_learning learning;
    learning.rate = take();
    learning.anchor = take();
    learning.steps = (uint16_t)*in++;
    for (uint32_t i = 0; i < features * activities; ++i) anchor[i] = take();
    for (uint32_t k = 0; k < activities; ++k) anchor_bias[k] = take();
    struct har_tail tail = {(uint16_t)features, (uint16_t)activities, weights, bias, anchor,
                            anchor_bias};
    har_tail_reset(&tail);

    const uint32_t updates = *in++;
    for (uint32_t n = 0; n < updates; ++n) {
        const uint16_t label = (uint16_t)*in++;
        for (uint32_t f = 0; f < features; ++f) x[f] = take();
        har_tail_predict(&tail, x, probabilities);
        const har_status status = har_tail_update(&tail, &learning, x, label, scratch);
        if (status != HAR_OK) memset(probabilities, 0, sizeof probabilities);
        put(probabilities, activities);
        put_word((uint32_t)status);
        put_word(har_tail_crc(&tail));
        put(weights, features * activities);
        put(bias, activities);
    }
    return capacity - room;
}
