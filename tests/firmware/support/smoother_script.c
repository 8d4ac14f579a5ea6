/* Runs a script of novelty and smoother, in the place of the learner's (learner_script.h):
 *   script: K, N, change, change_moving, roots, centers (K, N), inverse_std (K, N), limits (K,);
 *           windows, then per window: x (N,), activity, probabilities (K,); activity K restarts
 *   trace:  per window: distance, novelty, belief (K,) */
#include <string.h>

#include "learner_script.h"
#include "lib/head/har_novelty.h"
#include "lib/head/har_smoother.h"

#define FEATURES_MAX 128
#define ACTIVITIES_MAX 32

static const volatile uint32_t *in;
static volatile uint32_t *out;
static uint32_t room;

static void take(float *values, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
        const uint32_t bits = *in++;
        memcpy(&values[i], &bits, sizeof bits);
    }
}

static void put(const float *values, uint32_t count) {
    for (uint32_t i = 0; i < count && room > 0; ++i, --room) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        *out++ = bits;
    }
}

uint32_t learner_script_run(const volatile uint32_t *script, volatile uint32_t *trace,
                            uint32_t capacity) {
    static float center[FEATURES_MAX * ACTIVITIES_MAX], inverse_std[FEATURES_MAX * ACTIVITIES_MAX];
    static float limits[ACTIVITIES_MAX], x[FEATURES_MAX];
    static float probabilities[ACTIVITIES_MAX], belief[ACTIVITIES_MAX];
    in = script;
    out = trace;
    room = capacity;

    const uint32_t activities = *in++;
    const uint32_t features = *in++;
    if (features > FEATURES_MAX || activities > ACTIVITIES_MAX) return 0;
    struct har_smoother smoother = {0.0f, 0.0f, 0, (uint16_t)activities, belief, false};
    take(&smoother.change, 1);
    take(&smoother.change_moving, 1);
    smoother.roots = (uint16_t)*in++;
    take(center, activities * features);
    take(inverse_std, activities * features);
    take(limits, activities);
    const struct har_novelty novelty = {(uint16_t)features, center, inverse_std};
    har_smoother_restart(&smoother);

    const uint32_t windows = *in++;
    for (uint32_t n = 0; n < windows; ++n) {
        take(x, features);
        const uint32_t activity = *in++;
        take(probabilities, activities);
        if (activity == activities) {
            har_smoother_restart(&smoother);
            continue;
        }
        float said[2] = {har_novelty_distance(&novelty, x, (uint16_t)activity), 0.0f};
        said[1] = said[0] / limits[activity];
        har_smoother_push(&smoother, probabilities, said[1] > 1.0f);
        put(said, 2);
        put(belief, activities);
    }
    return capacity - room;
}
