#include "lib/head/har_smoother.h"

#include <math.h>

void har_smoother_restart(struct har_smoother *smoother) {
    const float even = 1.0f / (float)smoother->activities;
    for (uint16_t k = 0; k < smoother->activities; ++k) smoother->belief[k] = even;
    smoother->moving = false;
}

static float evidence(float probability, uint16_t roots) {
    for (; roots > 0; --roots) probability = sqrtf(probability); /* rounded as IEEE 754 says */
    return probability;
}

/* Never divides by 0: before the product each belief is at least change / K, and the largest
 * probability is at least 1 / K. */
void har_smoother_push(struct har_smoother *smoother, const float *probabilities, bool unknown) {
    const bool moving = unknown || smoother->moving;
    const float change = moving ? smoother->change_moving : smoother->change;
    const float keep = 1.0f - change;
    const float spread = change / (float)smoother->activities;
    float *belief = smoother->belief; /* (K,) */
    float sum = 0.0f;
    for (uint16_t k = 0; k < smoother->activities; ++k) {
        const float before = keep * belief[k] + spread;
        belief[k] = before * evidence(probabilities[k], smoother->roots);
        sum = sum + belief[k];
    }
    for (uint16_t k = 0; k < smoother->activities; ++k) belief[k] = belief[k] / sum;
    smoother->moving = unknown;
}
