/* Fixed-point requantization, rounding exactly as TFLite-Micro does (the double-rounding form).
 *
 * A real factor m is carried as (multiplier, shift): m = multiplier / 2^31 * 2^shift with
 * multiplier in [0, 2^31) and shift in [-31, 30]; the host computes both.
 *
 * Where a value could leave int32 it wraps, as it does there: the casts through uint32_t keep that
 * defined (GCC and Clang define the conversion back, and >> of a negative number as arithmetic).
 */
#ifndef HAR_REQUANT_H
#define HAR_REQUANT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* x * multiplier / 2^31, to nearest, halves up. */
static inline int32_t har_mul_high(int32_t x, int32_t multiplier) {
    return (int32_t)(((int64_t)x * multiplier + ((int64_t)1 << 30)) >> 31);
}

/* twice_x / 2 * multiplier / 2^31, to nearest, halves up: one instruction where there is SMMULR. */
static inline int32_t har_mul_high_of_twice(int32_t twice_x, int32_t multiplier) {
#if defined(__ARM_FEATURE_DSP)
    int32_t high;
    __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"(twice_x), "r"(multiplier));
    return high;
#else
    return (int32_t)(((int64_t)twice_x * multiplier + ((int64_t)1 << 31)) >> 32);
#endif
}

/* x / 2^bits, to nearest, halves away from zero; bits in [0, 31]. */
static inline int32_t har_round_shift(int32_t x, int32_t bits) {
    const int32_t mask = (int32_t)((UINT32_C(1) << bits) - 1u);
    const int32_t remainder = x & mask;
    const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> bits) + (remainder > threshold ? 1 : 0);
}

/* x * 2^bits; bits in [0, 31]. */
static inline int32_t har_shift_left(int32_t x, int32_t bits) {
    return (int32_t)((uint32_t)x << bits);
}

static inline int32_t har_requant(int32_t x, int32_t multiplier, int32_t shift) {
    return shift > 0 ? har_mul_high(har_shift_left(x, shift), multiplier)
                     : har_round_shift(har_mul_high(x, multiplier), -shift);
}

static inline int32_t har_clamp(int32_t x, int32_t low, int32_t high) {
    return x < low ? low : (x > high ? high : x);
}

/* An accumulator becomes an activation: scaled, moved to the output zero point, clamped. */
static inline int8_t har_requant_s8(int32_t acc, int32_t multiplier, int32_t shift, int32_t offset,
                                    int32_t low, int32_t high) {
    const uint32_t moved = (uint32_t)har_requant(acc, multiplier, shift) + (uint32_t)offset;
    return (int8_t)har_clamp((int32_t)moved, low, high);
}

/* As har_requant_s8 over the whole of int8, for |sum + bias| < 2^30 and shifts to the right by 1 to
 * 22: `scale` is {2 * bias, multiplier, a half and the zero point before the shift, shift}. The sum
 * may wrap where the bias undoes it. */
static inline int8_t har_linear_s8(uint32_t sum, const int32_t *scale) {
    const int32_t twice = (int32_t)((uint32_t)scale[0] + (sum << 1));
    const int32_t high = har_mul_high_of_twice(twice, scale[1]);
    return (int8_t)har_clamp((high + (high >> 31) + scale[2]) >> scale[3], INT8_MIN, INT8_MAX);
}

/* The exact line of a channel (har_matrix.h): y = high word of (b + (sum << k)) * m, its upper half
 * saturated to uint8. Sums may wrap: only the result of the addition has to fit. */
static inline uint8_t har_scale_u8(uint32_t sum, int32_t b, int32_t m, int32_t k) {
    const int32_t t = (int32_t)((uint32_t)b + (sum << k));
#if defined(__ARM_FEATURE_DSP)
    uint32_t y;
    __asm__("smmul %0, %1, %2\n\tusat %0, #8, %0, asr #16" : "=r"(y) : "r"(t), "r"(m));
    return (uint8_t)y;
#else
    return (uint8_t)har_clamp((int32_t)(((int64_t)t * m) >> 48), 0, UINT8_MAX);
#endif
}

#ifdef __cplusplus
}
#endif
#endif
