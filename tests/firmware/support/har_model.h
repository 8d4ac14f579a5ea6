/* A small model by hand, in the shape that `har emit` writes: T = 8, hop = 4, F = 12, K = 3. */
#ifndef HAR_MODEL_H
#define HAR_MODEL_H

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
#define HAR_FEATURES 12
#define HAR_ACTIVITIES 3
#define HAR_INPUT_SCALE 0.05f
#define HAR_INPUT_ZERO_POINT (-3)
#define HAR_FEATURE_SCALE 0.03f
#define HAR_FEATURE_ZERO_POINT (-100)
#define HAR_LEARNING_RATE 0.05f
#define HAR_LEARNING_ANCHOR 0.01f
#define HAR_LEARNING_STEPS 3

extern const char *const har_activity_names[HAR_ACTIVITIES];
extern const float har_norm_mean[HAR_CHANNELS];
extern const float har_norm_gain[HAR_CHANNELS];
extern const float har_factory_weights[HAR_ACTIVITIES * HAR_FEATURES];
extern const float har_factory_bias[HAR_ACTIVITIES];

#endif
