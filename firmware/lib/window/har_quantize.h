/* The one rounding to int8 of the window and of the spectrogram. */
#ifndef HAR_QUANTIZE_H
#define HAR_QUANTIZE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* v = (value - mean) * gain; clamp(round_half_away(v) + zero_point, -128, 127). */
static inline int8_t har_quantize(float value, float mean, float gain, int32_t zero_point) {
    /* Beyond any step that an int8 can reach from any zero point, and safe to make an integer. */
    const float limit = 512.0f;
    float v = (value - mean) * gain;
    if (!(v < limit)) v = limit;
    if (v < -limit) v = -limit;
    /* Half away from zero on the exact fraction: adding 0.5 first would round twice. */
    int32_t q = (int32_t)v;
    const float fraction = v - (float)q;
    if (fraction >= 0.5f) q += 1;
    if (fraction <= -0.5f) q -= 1;
    q += zero_point;
    if (q > 127) q = 127;
    if (q < -128) q = -128;
    return (int8_t)q;
}

#ifdef __cplusplus
}
#endif
#endif
