/* A small model by hand, in the shape that `har emit` writes: T = 8, hop = 4, F = 12 in three
 * outputs, two of them of one size, K = 3. HAR_TEST_LARGE: with F and K of the default network,
 * whose head takes several pages and many frames. */
#ifndef HAR_MODEL_H
#define HAR_MODEL_H

#include <stdint.h>

#ifdef HAR_TEST_OTHER_MODEL
#define HAR_MODEL_ID_INIT \
    { 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18 }
#else
#define HAR_MODEL_ID_INIT \
    { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08 }
#endif
#define HAR_RATE_HZ 50.0f
#define HAR_WINDOW_LENGTH 8
#define HAR_WINDOW_HOP 4
#define HAR_CHANNELS 6
#ifdef HAR_TEST_LARGE
#define HAR_OUTPUTS 5
#define HAR_FEATURES 416
#define HAR_ACTIVITIES 6
#else
#define HAR_OUTPUTS 3
#define HAR_FEATURES 12
#define HAR_ACTIVITIES 3
#endif
#define HAR_INPUT_SCALE 0.05f
#define HAR_INPUT_ZERO_POINT (-3)
#define HAR_LEARNING_RATE 0.05f
#define HAR_LEARNING_ANCHOR 0.01f
#define HAR_LEARNING_STEPS 3
#ifdef HAR_TEST_LARGE
#define HAR_NOVELTY_FEATURES 48
#else
#define HAR_NOVELTY_FEATURES 5
#endif
#define HAR_NOVELTY_LIMIT 0.3f
#define HAR_NOVELTY_WIDEN 1.25f
#define HAR_SMOOTHER_CHANGE 0.01f
#define HAR_SMOOTHER_CHANGE_MOVING 0.5f

#ifdef __cplusplus
extern "C" {
#endif

extern const uint16_t har_output_sizes[HAR_OUTPUTS];
extern const float har_output_scales[HAR_OUTPUTS];
extern const int8_t har_output_zero_points[HAR_OUTPUTS];
extern const char *const har_activity_names[HAR_ACTIVITIES];
extern const float har_norm_knee[HAR_CHANNELS];
extern const float har_norm_mean[HAR_CHANNELS];
extern const float har_norm_gain[HAR_CHANNELS];
extern const float har_factory_weights[HAR_ACTIVITIES * HAR_FEATURES];
extern const float har_factory_bias[HAR_ACTIVITIES];
extern const float har_novelty_center[HAR_ACTIVITIES * HAR_NOVELTY_FEATURES];
extern const float har_novelty_inverse_std[HAR_ACTIVITIES * HAR_NOVELTY_FEATURES];

#ifdef __cplusplus
}
#endif

#endif
