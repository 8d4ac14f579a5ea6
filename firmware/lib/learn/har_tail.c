#include "har_tail.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "har_crc32.h"
#include "har_math.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "har_tail_crc and stored tails are little-endian"
#endif

static uint32_t weight_count(const struct har_tail *tail) {
    return (uint32_t)tail->features * tail->activities;
}

/* Whether all |values| <= limit; false for NaN. The bits of floats without their sign are ordered
 * as the floats are, infinity and NaN last, and integers compare several times faster. */
static bool within(const float *values, uint32_t count, float limit) {
    uint32_t largest = 0;
    for (uint32_t i = 0; i < count; ++i) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        bits &= 0x7FFFFFFFu;
        if (bits > largest) largest = bits;
    }
    float size;
    memcpy(&size, &largest, sizeof size);
    return size <= limit;
}

void har_tail_dequantize(const int8_t *quantized, uint16_t size, float scale, int32_t zero_point,
                         float *x) {
    for (uint16_t f = 0; f < size; ++f) x[f] = (float)(quantized[f] - zero_point) * scale;
}

void har_tail_predict(const struct har_tail *tail, const float *x, float *probabilities) {
    const float *w = tail->weights; /* row k of (K, F) */
    for (uint16_t k = 0; k < tail->activities; ++k) {
        float logit = tail->bias[k];
        for (uint16_t f = 0; f < tail->features; ++f) logit = logit + w[f] * x[f];
        probabilities[k] = logit;
        w += tail->features;
    }
    har_softmax(probabilities, tail->activities);
}

uint16_t har_tail_argmax(const float *values, uint16_t n) {
    uint16_t best = 0;
    for (uint16_t i = 1; i < n; ++i) {
        if (values[i] > values[best]) best = i;
    }
    return best;
}

/* The gradient of a step is at most max(1, |x|) for each value (0 <= p <= 1), and the pull never
 * leads past the anchor (rate * anchor <= 1), so `steps` steps carry no value farther than
 * steps * rate * max(1, |x|) from what it and its anchor are now. */
static har_status check_update(const struct har_tail *tail, const struct har_learning *learning,
                               const float *x, uint16_t label) {
    if (label >= tail->activities || learning->steps == 0) return HAR_ERR_ARGUMENT;
    if (!(learning->rate > 0.0f) || !(learning->anchor >= 0.0f)) return HAR_ERR_ARGUMENT;
    if (!(learning->rate * learning->anchor <= 1.0f)) return HAR_ERR_ARGUMENT;
    if (!within(x, tail->features, HAR_TAIL_LIMIT)) return HAR_ERR_NOT_FINITE;
    float largest = 1.0f;
    for (uint16_t f = 0; f < tail->features; ++f) {
        if (fabsf(x[f]) > largest) largest = fabsf(x[f]);
    }
    const float travel = ((float)learning->steps * learning->rate) * largest;
    const float limit = HAR_TAIL_LIMIT - travel;
    const uint32_t weights = weight_count(tail);
    if (!within(tail->weights, weights, limit) || !within(tail->bias, tail->activities, limit) ||
        !within(tail->anchor_weights, weights, limit) ||
        !within(tail->anchor_bias, tail->activities, limit)) {
        return HAR_ERR_NOT_FINITE;
    }
    return HAR_OK;
}

har_status har_tail_update(struct har_tail *tail, const struct har_learning *learning,
                           const float *x, uint16_t label, float *scratch) {
    const har_status status = check_update(tail, learning, x, label);
    if (status != HAR_OK) return status;
    const float ra = learning->rate * learning->anchor;
    for (uint16_t step = 0; step < learning->steps; ++step) {
        har_tail_predict(tail, x, scratch);
        scratch[label] = scratch[label] - 1.0f;
        float *w = tail->weights;              /* row k of (K, F) */
        const float *a = tail->anchor_weights; /* row k of (K, F) */
        for (uint16_t k = 0; k < tail->activities; ++k) {
            const float rg = learning->rate * scratch[k];
            for (uint16_t f = 0; f < tail->features; ++f) {
                const float t1 = rg * x[f];
                const float t2 = ra * (w[f] - a[f]);
                w[f] = w[f] - (t1 + t2);
            }
            const float t2 = ra * (tail->bias[k] - tail->anchor_bias[k]);
            tail->bias[k] = tail->bias[k] - (rg + t2);
            w += tail->features;
            a += tail->features;
        }
    }
    return HAR_OK;
}

har_status har_tail_check(const float *values, uint32_t count) {
    return within(values, count, HAR_TAIL_LIMIT) ? HAR_OK : HAR_ERR_NOT_FINITE;
}

void har_tail_reset(struct har_tail *tail) {
    memcpy(tail->weights, tail->anchor_weights, weight_count(tail) * sizeof *tail->weights);
    memcpy(tail->bias, tail->anchor_bias, tail->activities * sizeof *tail->bias);
}

uint32_t har_tail_crc(const struct har_tail *tail) {
    const uint32_t crc = har_crc32(0, tail->weights, weight_count(tail) * sizeof *tail->weights);
    return har_crc32(crc, tail->bias, tail->activities * sizeof *tail->bias);
}
