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

#ifdef __cplusplus
}
#endif
#endif
