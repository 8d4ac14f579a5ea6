#include "lib/head/har_head.h"

#include <string.h>

#include "lib/base/har_crc32.h"
#include "lib/head/har_head_kernels.h"
#include "lib/head/har_math.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "har_head_crc and stored heads are little-endian"
#endif

/* Where the layers lie in an array of parameters. */
struct layout {
    uint32_t depthwise;      /* (J, C) */
    uint32_t depthwise_bias; /* (C,) */
    uint32_t pointwise;      /* (M, C) */
    uint32_t pointwise_bias; /* (M,) */
    uint32_t dense;          /* (R, F) */
    uint32_t dense_bias;     /* (R,) */
    uint32_t end;
};

static struct layout layout_of(const struct har_head_shape *s) {
    struct layout at;
    at.depthwise = 0;
    at.depthwise_bias = (uint32_t)s->kernel * s->channels;
    at.pointwise = at.depthwise_bias + (s->kernel ? s->channels : 0u);
    at.pointwise_bias = at.pointwise + (uint32_t)s->filters * s->channels;
    at.dense = at.pointwise_bias + s->filters;
    at.dense_bias = at.dense + (uint32_t)s->rows * s->features;
    at.end = at.dense_bias + s->rows;
    return at;
}

static uint16_t positions_of(const struct har_head_shape *s) {
    return (uint16_t)(HAR_HEAD_POSITIONS(s->map_length, s->kernel, s->stride));
}

/* What a forward pass leaves in scratch for the step after it. */
struct pass {
    float *x;             /* (F,) */
    float *probabilities; /* (R,) */
    float *map;           /* (T, C) */
    float *hidden;        /* (T', M) after the pointwise convolution and ReLU */
    float *depthwise;     /* (T', C) after the depthwise convolution and ReLU */
    float *back;          /* (T', C) */
};

static struct pass pass_of(const struct har_head *head) {
    const struct har_head_shape *s = head->shape;
    const uint32_t positions = positions_of(s);
    struct pass pass;
    pass.x = head->scratch;
    pass.probabilities = pass.x + s->features;
    pass.map = pass.probabilities + s->rows;
    pass.hidden = pass.map + (uint32_t)s->map_length * s->channels;
    pass.depthwise = pass.hidden + positions * s->filters;
    pass.back = pass.depthwise + positions * s->channels;
    return pass;
}

static void relu(float *values, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
        if (!(values[i] > 0.0f)) values[i] = 0.0f;
    }
}

/* map (T, C), w (J, C) -> y (T', C) */
static void depthwise_forward(const struct har_head_shape *s, const float *map, const float *w,
                              const float *bias, float *y) {
    const uint32_t channels = s->channels;
    const uint32_t positions = positions_of(s);
    for (uint32_t t = 0; t < positions; ++t) {
        const float *in = map + t * s->stride * channels;
        for (uint32_t c = 0; c < channels; ++c) {
            float sum = bias[c];
            for (uint32_t j = 0; j < s->kernel; ++j) {
                sum = sum + w[j * channels + c] * in[j * channels + c];
            }
            y[t * channels + c] = sum;
        }
    }
}

/* The features (F,) of a window, into the pass. */
static void forward(const struct har_head *head, const float *parameters, const int8_t *window,
                    const struct pass *pass) {
    const struct har_head_shape *s = head->shape;
    for (uint32_t f = 0; f < s->frozen; ++f) {
        pass->x[f] = (float)window[f] * head->scale[f] + head->offset[f];
    }
    if (s->map_length == 0) return;
    const struct layout at = layout_of(s);
    const uint16_t positions = positions_of(s);
    const uint32_t count = (uint32_t)s->map_length * s->channels;
    const int8_t *map = window + s->frozen;
    for (uint32_t i = 0; i < count; ++i) {
        pass->map[i] = (float)(map[i] - head->map_zero_point) * head->map_scale;
    }
    const float *in = pass->map; /* (T', C) */
    if (s->kernel) {
        depthwise_forward(s, pass->map, parameters + at.depthwise, parameters + at.depthwise_bias,
                          pass->depthwise);
        relu(pass->depthwise, (uint32_t)positions * s->channels);
        in = pass->depthwise;
    }
    har_kernel_forward(in, parameters + at.pointwise, parameters + at.pointwise_bias, positions,
                       s->channels, s->filters, pass->hidden);
    for (uint32_t m = 0; m < s->filters; ++m) {
        float *hidden = pass->hidden + m; /* a column of (T', M) */
        float sum = 0.0f;
        for (uint32_t t = 0; t < positions; ++t, hidden += s->filters) {
            if (!(*hidden > 0.0f)) *hidden = 0.0f; /* ReLU */
            sum = sum + *hidden;
        }
        const uint32_t f = s->frozen + m;
        pass->x[f] = (sum / (float)positions) * head->scale[f] + head->offset[f];
    }
}

/* x (F,) -> probabilities of the first `activities` rows */
static void classify(const struct har_head_shape *s, const float *parameters, const float *x,
                     uint16_t activities, float *probabilities) {
    const struct layout at = layout_of(s);
    har_kernel_forward(x, parameters + at.dense, parameters + at.dense_bias, 1, s->features,
                       activities, probabilities);
    har_softmax(probabilities, activities);
}

const float *har_head_features(struct har_head *head, const int8_t *window, bool factory) {
    const struct pass pass = pass_of(head);
    forward(head, factory ? head->anchor : head->parameters, window, &pass);
    return pass.x;
}

void har_head_predict(struct har_head *head, const int8_t *window, bool factory,
                      float *probabilities) {
    const struct pass pass = pass_of(head);
    const float *parameters = factory ? head->anchor : head->parameters;
    const uint16_t known = factory ? head->factory_activities : head->activities;
    forward(head, parameters, window, &pass);
    classify(head->shape, parameters, pass.x, known, probabilities);
    for (uint16_t k = known; k < head->activities; ++k) probabilities[k] = 0.0f;
}

uint16_t har_head_argmax(const float *values, uint16_t n) {
    uint16_t best = 0;
    for (uint16_t i = 1; i < n; ++i) {
        if (values[i] > values[best]) best = i;
    }
    return best;
}

/* The convolutions, from what the dense layer (before its own step) hands back. `gradient` (A,) is
 * the loss by the logits. */
static void step_convolutions(struct har_head *head, float rate, const float *gradient,
                              const struct pass *pass) {
    const struct har_head_shape *s = head->shape;
    const struct layout at = layout_of(s);
    const uint32_t positions = positions_of(s);
    const uint32_t filters = s->filters;
    for (uint32_t m = 0; m < filters; ++m) {
        const uint32_t f = s->frozen + m;
        float sum = 0.0f;
        for (uint32_t k = 0; k < head->activities; ++k) {
            sum = sum + gradient[k] * head->parameters[at.dense + k * s->features + f];
        }
        const float step = rate * ((sum * head->scale[f]) / (float)positions);
        float *hidden = pass->hidden + m; /* a column of (T', M) */
        for (uint32_t t = 0; t < positions; ++t, hidden += filters) {
            *hidden = *hidden > 0.0f ? step : 0.0f;
        }
    }
    const float *in = pass->map;
    if (s->kernel) {
        in = pass->depthwise;
        har_kernel_backward(pass->hidden, head->parameters + at.pointwise, (uint16_t)positions,
                            s->channels, s->filters, pass->back);
    }
    har_kernel_update(in, pass->hidden, (uint16_t)positions, s->channels, s->filters,
                      head->parameters + at.pointwise, head->parameters + at.pointwise_bias);
    if (!s->kernel) return;
    float *w = head->parameters + at.depthwise;         /* (J, C) */
    float *bias = head->parameters + at.depthwise_bias; /* (C,) */
    for (uint32_t t = 0; t < positions; ++t) {
        const float *map = pass->map + t * s->stride * s->channels; /* (J, C) */
        for (uint32_t c = 0; c < s->channels; ++c) {
            if (!(pass->depthwise[t * s->channels + c] > 0.0f)) continue;
            const float step = pass->back[t * s->channels + c];
            bias[c] = bias[c] - step;
            for (uint32_t j = 0; j < s->kernel; ++j) {
                const uint32_t i = j * s->channels + c;
                w[i] = w[i] - step * map[i];
            }
        }
    }
}

void har_head_step(struct har_head *head, const struct har_step *step, const int8_t *window,
                   uint16_t label, float weight) {
    const struct har_head_shape *s = head->shape;
    const struct layout at = layout_of(s);
    const struct pass pass = pass_of(head);
    float *gradient = pass.probabilities; /* (A,) */
    forward(head, head->parameters, window, &pass);
    classify(s, head->parameters, pass.x, head->activities, gradient);
    gradient[label] = gradient[label] - 1.0f;
    for (uint16_t k = 0; k < head->activities; ++k) gradient[k] = weight * gradient[k];
    if (s->map_length) step_convolutions(head, step->rate_convolution, gradient, &pass);
    for (uint16_t k = 0; k < head->activities; ++k) gradient[k] = step->rate * gradient[k];
    har_kernel_update(pass.x, gradient, 1, s->features, head->activities,
                      head->parameters + at.dense, head->parameters + at.dense_bias);
}

void har_head_pull(struct har_head *head, float keep) {
    const uint32_t count = har_head_parameters(head->shape);
    for (uint32_t i = 0; i < count; ++i) {
        const float moved = head->parameters[i] - head->anchor[i];
        head->parameters[i] = head->anchor[i] + keep * moved;
    }
}

static uint32_t magnitude_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x7FFFFFFFu;
}

#define LIMIT_BITS 0x49800000u  /* HAR_HEAD_LIMIT; NaN and infinity lie above it */
#define NORMAL_BITS 0x00800000u /* the smallest normal number */

har_status har_head_settle(struct har_head *head) {
    const uint32_t count = har_head_parameters(head->shape);
    uint32_t largest = 0;
    for (uint32_t i = 0; i < count; ++i) {
        const uint32_t bits = magnitude_bits(head->parameters[i]);
        if (bits > largest) largest = bits;
        if (bits < NORMAL_BITS) head->parameters[i] = 0.0f;
    }
    return largest <= LIMIT_BITS ? HAR_OK : HAR_ERR_NOT_FINITE;
}

har_status har_head_check(const float *values, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
        const uint32_t bits = magnitude_bits(values[i]);
        if (bits > LIMIT_BITS || (bits != 0 && bits < NORMAL_BITS)) return HAR_ERR_NOT_FINITE;
    }
    return HAR_OK;
}

void har_head_reset(struct har_head *head) {
    const uint32_t count = har_head_parameters(head->shape);
    memcpy(head->parameters, head->anchor, count * sizeof *head->parameters);
    head->activities = head->factory_activities;
}

uint32_t har_head_parameters(const struct har_head_shape *shape) {
    return layout_of(shape).end;
}

uint32_t har_head_window_bytes(const struct har_head_shape *shape) {
    return shape->frozen + (uint32_t)shape->map_length * shape->channels;
}

uint32_t har_head_crc(const struct har_head *head) {
    return har_crc32(0, head->parameters,
                     har_head_parameters(head->shape) * sizeof *head->parameters);
}
