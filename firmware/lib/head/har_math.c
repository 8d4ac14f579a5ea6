#include "lib/head/har_math.h"

#include <string.h>

/* e^x = 2^k * e^r with k = round(x / ln 2), |r| <= ln(2) / 2 (Cody & Waite 1980: ln 2 in two parts,
 * the first so short that k * LN2_HIGH is exact), and e^r = 1 + r + r^2 * P(r). P is the
 * minimax polynomial of degree 4 for the relative error of e^r, 3.3e-9 before rounding. */
#define LOG2_E 0x1.715476p+0f
#define LN2_HIGH 0x1.63p-1f
#define LN2_LOW (-0x1.bd0106p-13f)
#define P0 0x1.fffffcp-2f
#define P1 0x1.55548ap-3f
#define P2 0x1.555916p-5f
#define P3 0x1.123fc6p-7f
#define P4 0x1.6a1a72p-10f

#define EXP32_LOWEST (-87.0f)

/* Each line is one or two roundings, in an order that the NumPy twin repeats. */
float har_exp32(float x) {
    if (!(x >= EXP32_LOWEST)) return 0.0f; /* NaN too */
    if (x > 0.0f) x = 0.0f;
    const int32_t k = (int32_t)(x * LOG2_E - 0.5f); /* cut toward 0: k in -126..0 */
    const float k_float = (float)k;
    float r = x - k_float * LN2_HIGH;
    r = r - k_float * LN2_LOW;
    float p = P4;
    p = p * r + P3;
    p = p * r + P2;
    p = p * r + P1;
    p = p * r + P0;
    float y = (r * r) * p;
    y = y + r;
    y = y + 1.0f;
    const uint32_t bits = (uint32_t)(k + 127) << 23; /* 2^k, a normal number */
    float power;
    memcpy(&power, &bits, sizeof power);
    return y * power;
}

void har_softmax(float *values, uint16_t n) {
    float max = values[0];
    for (uint16_t k = 1; k < n; ++k) {
        if (values[k] > max) max = values[k];
    }
    float sum = 0.0f;
    for (uint16_t k = 0; k < n; ++k) {
        values[k] = har_exp32(values[k] - max);
        sum = sum + values[k];
    }
    for (uint16_t k = 0; k < n; ++k) values[k] = values[k] / sum;
}
