#include "lib/window/har_window.h"

#include <string.h>

#include "lib/base/har_assert.h"
#include "lib/window/har_quantize.h"

static bool is_finite(float value) {
    return value - value == 0.0f; /* NaN for NaN and the infinities */
}

static float compand(float sample, float knee) {
    if (!(knee > 0.0f)) return sample;
    const float size = sample < 0.0f ? -sample : sample;
    return sample / (size + knee);
}

void har_window_init(struct har_window *window, const struct har_window_config *config,
                     int8_t *ring) {
    HAR_ASSERT(config->length > 0 && config->hop > 0 && config->hop <= config->length);
    window->config = config;
    window->ring = ring;
    har_window_restart(window);
}

void har_window_restart(struct har_window *window) {
    window->head = 0;
    window->filled = 0;
    window->until_next = window->config->length;
}

har_status har_window_push(struct har_window *window, const float *sample, bool *complete) {
    const struct har_window_config *config = window->config;
    *complete = false;
    for (uint8_t c = 0; c < config->channels; ++c) {
        if (!is_finite(sample[c])) return HAR_ERR_NOT_FINITE;
    }
    int8_t *row = window->ring + (uint32_t)window->head * config->channels;
    for (uint8_t c = 0; c < config->channels; ++c) {
        row[c] = har_quantize(compand(sample[c], config->knee[c]), config->mean[c], config->gain[c],
                              config->zero_point);
    }
    window->head = (uint16_t)(window->head + 1u == config->length ? 0u : window->head + 1u);
    if (window->filled < config->length) window->filled += 1;
    window->until_next -= 1;
    if (window->until_next == 0) {
        window->until_next = config->hop;
        *complete = true;
    }
    return HAR_OK;
}

void har_window_copy(const struct har_window *window, uint32_t back, uint32_t count, int8_t *out) {
    const struct har_window_config *config = window->config;
    const uint32_t length = config->length, channels = config->channels;
    const uint32_t older = back > length ? (back - length < count ? back - length : count) : 0u;
    memset(out, config->zero_point, older * channels);
    out += older * channels;
    back -= older;
    count -= older;
    const uint32_t row = (window->head + length - back) % length;
    const uint32_t first = count < length - row ? count : length - row; /* up to the ring's end */
    memcpy(out, window->ring + row * channels, first * channels);
    memcpy(out + first * channels, window->ring, (count - first) * channels);
}
