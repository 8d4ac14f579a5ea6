/* The models of har_model.h and an engine that anyone can compute by hand (its Python twin is in
 * app_twin.py): value f is the saturated sum of every input times one of -2..2, over 4; output 0
 * has the last values, output 1 those before them, and so on. */
#include <stddef.h>
#include <string.h>

#include "har_model.h"
#include "lib/engine/har_engine.h"

const float har_norm_knee[HAR_CHANNELS] = {0.0f, 0.0f, 0.0f, 0.1f, 0.25f, 0.0f};
const float har_norm_mean[HAR_CHANNELS] = {0.1f, -0.2f, 0.9f, 0.0f, 0.05f, -0.1f};
const float har_norm_gain[HAR_CHANNELS] = {40.0f, 35.5f, 50.25f, 20.0f, 18.0f, 25.0f};
const float har_level_mean[] = {[0] = 300.0f, [1 ... 95] = 200.0f};
const float har_level_gain[] = {[0 ... 95] = 0.25f};
#ifdef HAR_TEST_LARGE
const uint16_t har_output_sizes[HAR_OUTPUTS] = {48, 64, 96, 96, 112};
const char *const har_activity_names[HAR_ACTIVITIES] = {"a", "b", "c", "d", "e", "f"};
const float har_factory_parameters[HAR_PARAMETER_COUNT] = {
    [HAR_ROWS * HAR_FEATURES] = 0.1f, -0.1f, 0.05f, 0.0f, 0.2f, 0.3f,
};
const float har_feature_scale[HAR_FEATURES] = {[0 ... HAR_FEATURES - 1] = 0.03f};
const float har_feature_offset[HAR_FEATURES] = {[0 ... 47] = 0.5f};
const int8_t har_exemplars[HAR_REPLAY_EXEMPLARS * HAR_CUT_BYTES] = {1, -2, 3};
const uint8_t har_exemplar_activities[HAR_REPLAY_EXEMPLARS] = {0, 1, 2, 3, 4, 5};
const float har_novelty_center[HAR_ACTIVITIES * HAR_NOVELTY_FEATURES] = {0.0f};
const float har_novelty_inverse_std[HAR_ACTIVITIES * HAR_NOVELTY_FEATURES] = {1.0f};
#else
const char *const har_activity_names[HAR_ACTIVITIES] = {"walking", "sitting", "l\303\244uft"};
#ifdef HAR_TEST_MAP
const uint16_t har_output_sizes[HAR_OUTPUTS] = {5, 2, 4};
const float har_factory_parameters[HAR_PARAMETER_COUNT] = {
    /* pointwise (3, 2), its bias */
    0.5f,
    -0.25f,
    0.3f,
    0.4f,
    -0.2f,
    0.6f,
    0.1f,
    0.0f,
    -0.05f,
    /* dense, the first 3 rows of (R, 10) */
    0.1f,
    -0.2f,
    0.3f,
    0.05f,
    0.0f,
    -0.15f,
    0.25f,
    0.12f,
    -0.3f,
    0.2f,
    -0.2f,
    0.1f,
    0.15f,
    -0.1f,
    0.35f,
    0.2f,
    -0.1f,
    0.0f,
    0.25f,
    -0.3f,
    0.05f,
    0.3f,
    -0.4f,
    0.2f,
    -0.1f,
    0.1f,
    0.15f,
    -0.2f,
    0.125f,
    0.1f,
    [9 + HAR_ROWS * HAR_FEATURES] = 0.1f,
    -0.1f,
    0.05f,
};
const float har_feature_scale[HAR_FEATURES] = {
    0.03f, 0.03f, 0.03f, 0.03f, 0.03f, 0.011f, 0.011f, 0.2f, 0.3f, 0.25f,
};
const float har_feature_offset[HAR_FEATURES] = {
    3.0f, 3.0f, 3.0f, 3.0f, 3.0f, -0.187f, -0.187f, -1.0f, -2.0f, -1.5f,
};
const int8_t har_exemplars[HAR_REPLAY_EXEMPLARS * HAR_CUT_BYTES] = {
    20, -30, 40, 5,  60, -70, 80, -90, 100, -110, 120, /**/
    -5, 15,  25, 35, 45, 55,  65, 75,  85,  95,   -105, [5 * HAR_CUT_BYTES] = 99, -99, 33,
};
#else
const uint16_t har_output_sizes[HAR_OUTPUTS] = {5, 2, 5};
const float har_factory_parameters[HAR_PARAMETER_COUNT] = {
    0.1f,   -0.2f, 0.3f,  0.05f, 0.0f,
    -0.15f, 0.25f, 0.12f, -0.3f, 0.2f,
    -0.05f, 0.4f, /* row 0 */
    -0.2f,  0.1f,  0.15f, -0.1f, 0.35f,
    0.2f,   -0.1f, 0.0f,  0.25f, -0.3f,
    0.1f,   -0.2f, 0.05f, 0.3f,  -0.4f,
    0.2f,   -0.1f, 0.1f,  0.15f, -0.2f,
    0.125f, 0.1f,  0.2f,  -0.1f, [HAR_ROWS * HAR_FEATURES] = 0.1f,
    -0.1f,  0.05f,
};
const float har_feature_scale[HAR_FEATURES] = {
    0.03f, 0.03f, 0.03f, 0.03f, 0.03f, 0.011f, 0.011f, 0.07f, 0.07f, 0.07f, 0.07f, 0.07f,
};
const float har_feature_offset[HAR_FEATURES] = {
    3.0f, 3.0f, 3.0f, 3.0f, 3.0f, -0.187f, -0.187f, 8.96f, 8.96f, 8.96f, 8.96f, 8.96f,
};
const int8_t har_exemplars[HAR_REPLAY_EXEMPLARS * HAR_CUT_BYTES] = {
    20, -30, 40, 5,  60, -70, 80, -90, 100, -110, 120,  -128, /**/
    -5, 15,  25, 35, 45, 55,  65, 75,  85,  95,   -105, 115,  [5 * HAR_CUT_BYTES] = 99, -99, 33,
};
#endif
const uint8_t har_exemplar_activities[HAR_REPLAY_EXEMPLARS] = {0, 1, 2, 0, 1, 2};
const float har_novelty_center[HAR_ACTIVITIES * HAR_NOVELTY_FEATURES] = {
    3.0f, 2.5f, 3.5f, 3.0f, 2.0f, 2.5f, 3.0f, 3.0f, 2.75f, 4.0f, 3.5f, 3.0f, 2.0f, 3.25f, 3.0f,
};
const float har_novelty_inverse_std[HAR_ACTIVITIES * HAR_NOVELTY_FEATURES] = {
    0.5f, 0.4f, 0.6f, 0.5f, 0.3f, 0.45f, 0.5f, 0.55f, 0.5f, 0.6f, 0.7f, 0.5f, 0.4f, 0.5f, 0.35f,
};
#endif

const struct har_head_model har_head_model = {
    .id = HAR_MODEL_ID_INIT,
    .shape = {HAR_FEATURES, HAR_ROWS, HAR_HEAD_FROZEN, HAR_HEAD_MAP_LENGTH, HAR_HEAD_CHANNELS,
              HAR_HEAD_FILTERS, HAR_HEAD_KERNEL, HAR_HEAD_STRIDE},
    .activities = HAR_ACTIVITIES,
    .parameters = har_factory_parameters,
    .scale = har_feature_scale,
    .offset = har_feature_offset,
    .map_scale = 0.07f,
    .map_zero_point = -128,
    .learning = {{0.05f, 0.02f}, 0.99f, HAR_LEARNING_STEPS, 3, 4, 3},
    .capacity = HAR_REPLAY_CAPACITY,
    .exemplars = HAR_REPLAY_EXEMPLARS,
    .exemplar_windows = har_exemplars,
    .exemplar_activities = har_exemplar_activities,
};

#define INPUTS (HAR_ENGINE_INPUT_BYTES * HAR_ENGINE_RUNS)

extern int har_test_engine_broken;    /* it cannot start */
extern int har_test_engine_run_fails; /* it starts and cannot run */

static int8_t window[INPUTS]; /* what the last runs took, the newest last */
static int8_t *const input = window + INPUTS - HAR_ENGINE_INPUT_BYTES;
static unsigned taken; /* runs since a restart */
static int8_t output[HAR_CUT_BYTES];

har_status har_engine_init(void) {
    return har_test_engine_broken ? HAR_ERR_ENGINE : HAR_OK;
}

int8_t *har_engine_input(void) {
    return har_test_engine_broken ? NULL : input; /* as tflm, which has no tensor then */
}

har_status har_engine_run(void) {
    if (har_test_engine_run_fails) return HAR_ERR_ENGINE;
    for (int f = 0; f < HAR_CUT_BYTES; ++f) {
        int32_t sum = 0;
        for (int i = 0; i < (int)INPUTS; ++i) sum += window[i] * ((i * 7 + f * 13) % 5 - 2);
        sum /= 4;
        output[f] = (int8_t)(sum > 127 ? 127 : sum < -128 ? -128 : sum);
    }
    if (++taken < HAR_ENGINE_RUNS) memset(output, 0x33, sizeof output); /* it cannot know */
    memmove(window, window + HAR_ENGINE_INPUT_BYTES, INPUTS - HAR_ENGINE_INPUT_BYTES);
    memset(input, 0x55, HAR_ENGINE_INPUT_BYTES); /* as a run may */
    return HAR_OK;
}

void har_engine_restart(void) {
    taken = 0;
    memset(window, 0x66, sizeof window);
}

const int8_t *har_engine_output(uint32_t index) {
    if (index >= HAR_OUTPUTS) return NULL;
    const int8_t *start = output + HAR_CUT_BYTES;
    for (uint32_t i = 0; i <= index; ++i) start -= har_output_sizes[i];
    return start;
}

const char *har_engine_error(void) {
    return "the arena is too small: emit again";
}

uint8_t har_engine_kind(void) {
    return 0;
}
