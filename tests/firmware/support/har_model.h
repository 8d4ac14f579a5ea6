/* A small model by hand, in the shape that `har emit` writes: T = 8, hop = 4, F = 12 in three
 * outputs, two of them of one size, K = 3, R = 5. Variants:
 *   HAR_TEST_LARGE  the sizes of the default network, whose head takes several pages and frames
 *   HAR_TEST_MAP    a cut within the last stage: its output is a map (2, 2), behind which a
 *                   pointwise convolution of 3 filters learns
 *   HAR_TEST_FULL   no spare row
 *   HAR_TEST_SPECTROGRAM  the engine reads a picture (5, 5, 3); for T of 32 and more
 *   HAR_TEST_STREAMING  an answer every 2 samples, by an engine that takes these alone */
#ifndef HAR_MODEL_H
#define HAR_MODEL_H

#include <stdint.h>

#include "lib/head/har_learner.h"

#ifdef HAR_TEST_OTHER_MODEL
#define HAR_MODEL_ID 0x1112131415161718ull
#define HAR_MODEL_ID_INIT \
    { 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18 }
#else
#define HAR_MODEL_ID 0x0102030405060708ull
#define HAR_MODEL_ID_INIT \
    { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08 }
#endif
#ifndef HAR_FIRMWARE_VERSION
#define HAR_FIRMWARE_VERSION "0.1.0"
#endif
#ifndef HAR_RATE_HZ
#define HAR_RATE_HZ 50.0f
#endif
#ifndef HAR_WINDOW_LENGTH
#define HAR_WINDOW_LENGTH 8
#endif
#define HAR_CHANNELS 6
#ifdef HAR_TEST_STREAMING
#define HAR_WINDOW_HOP 2
#define HAR_ENGINE_SAMPLES 2
#define HAR_ENGINE_RUNS 4u
#define HAR_SMOOTHER_ROOTS 1
#define HAR_RECENT_EVERY 2u
#else
#ifndef HAR_WINDOW_HOP
#define HAR_WINDOW_HOP 4
#endif
#define HAR_ENGINE_SAMPLES HAR_WINDOW_LENGTH
#define HAR_ENGINE_RUNS 1u
#define HAR_SMOOTHER_ROOTS 0
#define HAR_RECENT_EVERY 1u
#endif
#ifdef HAR_TEST_SPECTROGRAM
#define HAR_SPECTROGRAM_PIXELS 5
#define HAR_SPECTROGRAM_PLANES 3
#define HAR_SAMPLE_ZERO_POINT (0)
#define HAR_ENGINE_INPUT_BYTES 75
#else
#define HAR_SPECTROGRAM_PIXELS 0
#define HAR_SPECTROGRAM_PLANES 0
#define HAR_SAMPLE_ZERO_POINT HAR_INPUT_ZERO_POINT
#define HAR_ENGINE_INPUT_BYTES (HAR_ENGINE_SAMPLES * HAR_CHANNELS)
#endif
#ifdef HAR_TEST_LARGE
#define HAR_OUTPUTS 5
#define HAR_FEATURES 416
#define HAR_CUT_BYTES 416
#define HAR_ACTIVITIES 6
#define HAR_ROWS 8
#define HAR_REPLAY_CAPACITY 36
#define HAR_NOVELTY_FEATURES 48
#else
#define HAR_OUTPUTS 3
#define HAR_ACTIVITIES 3
#ifdef HAR_TEST_FULL
#define HAR_ROWS 3
#else
#define HAR_ROWS 5
#endif
#define HAR_REPLAY_CAPACITY 7
#define HAR_NOVELTY_FEATURES 5
#ifdef HAR_TEST_MAP
#define HAR_FEATURES 10
#define HAR_CUT_BYTES 11
#else
#define HAR_FEATURES 12
#define HAR_CUT_BYTES 12
#endif
#endif
#ifdef HAR_TEST_MAP
#define HAR_HEAD_FROZEN 7
#define HAR_HEAD_MAP_LENGTH 2
#define HAR_HEAD_CHANNELS 2
#define HAR_HEAD_FILTERS 3
#define HAR_PARAMETER_COUNT (2 * 3 + 3 + HAR_ROWS * 11)
#else
#define HAR_HEAD_FROZEN HAR_FEATURES
#define HAR_HEAD_MAP_LENGTH 0
#define HAR_HEAD_CHANNELS 0
#define HAR_HEAD_FILTERS 0
#define HAR_PARAMETER_COUNT (HAR_ROWS * (HAR_FEATURES + 1))
#endif
#define HAR_HEAD_KERNEL 0
#define HAR_HEAD_STRIDE 1
#define HAR_INPUT_SCALE 0.05f
#define HAR_INPUT_ZERO_POINT (-3)
#ifndef HAR_LEARNING_STEPS
#define HAR_LEARNING_STEPS 6
#endif
#define HAR_REPLAY_EXEMPLARS 6
#ifndef HAR_STORE_PAGES
#define HAR_STORE_PAGES 16
#endif
#define HAR_NOVELTY_LIMIT 0.3f
#define HAR_NOVELTY_WIDEN 1.25f
#define HAR_SMOOTHER_CHANGE 0.01f
#define HAR_SMOOTHER_CHANGE_MOVING 0.5f

#ifdef __cplusplus
extern "C" {
#endif

extern const uint16_t har_output_sizes[HAR_OUTPUTS];
extern const char *const har_activity_names[HAR_ACTIVITIES];
extern const float har_norm_knee[HAR_CHANNELS];
extern const float har_norm_mean[HAR_CHANNELS];
extern const float har_norm_gain[HAR_CHANNELS];
extern const float har_level_mean[];
extern const float har_level_gain[];
extern const struct har_head_model har_head_model;
extern const float har_factory_parameters[HAR_PARAMETER_COUNT];
extern const float har_feature_scale[HAR_FEATURES];
extern const float har_feature_offset[HAR_FEATURES];
extern const int8_t har_exemplars[HAR_REPLAY_EXEMPLARS * HAR_CUT_BYTES];
extern const uint8_t har_exemplar_activities[HAR_REPLAY_EXEMPLARS];
extern const float har_novelty_center[HAR_ACTIVITIES * HAR_NOVELTY_FEATURES];
extern const float har_novelty_inverse_std[HAR_ACTIVITIES * HAR_NOVELTY_FEATURES];

#ifdef __cplusplus
}
#endif

#endif
