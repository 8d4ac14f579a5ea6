#include "lib/head/har_novelty.h"

float har_novelty_distance(const struct har_novelty *novelty, const float *x, uint16_t activity) {
    const uint16_t n = novelty->features;
    const float *center = novelty->center + (uint32_t)activity * n;           /* row of (K, N) */
    const float *inverse_std = novelty->inverse_std + (uint32_t)activity * n; /* row of (K, N) */
    float sum = 0.0f;
    for (uint16_t f = 0; f < n; ++f) {
        const float z = (x[f] - center[f]) * inverse_std[f];
        sum = sum + z * z;
    }
    return sum / (float)n;
}
