#include "sensing.h"

/* Samples that are missing between two moments, by the clock. */
static uint32_t missing(uint32_t from_ms, uint32_t to_ms, float rate_hz) {
    const float steps = (float)(to_ms - from_ms) * rate_hz / 1000.0f + 0.5f;
    return steps < 2.0f ? 0u : (uint32_t)steps - 1u;
}

static void keep(struct har_sensing *sensing, const struct har_sensed *sensed) {
    if (sensing->held == HAR_SENSING_CAPACITY) {
        const uint32_t lost = sensing->queue[sensing->oldest].lost + 1u;
        sensing->oldest = (uint16_t)((sensing->oldest + 1u) % HAR_SENSING_CAPACITY);
        sensing->queue[sensing->oldest].lost += lost;
        sensing->held--;
    }
    sensing->queue[(sensing->oldest + sensing->held++) % HAR_SENSING_CAPACITY] = *sensed;
}

/* `delay_us`: how long ago the output's moment is, before its place between the last two inputs. */
static void make(struct har_sensing *sensing, struct har_sensed *sensed, float place,
                 uint32_t delay_us, uint32_t now_ms, float out_hz) {
    const float span_us = (float)(sensing->after_us - sensing->before_us);
    const uint32_t time_us = sensing->before_us + (uint32_t)(span_us * place) - delay_us;
    sensed->time_ms = now_ms - (now_ms * 1000u - time_us) / 1000u;
    sensed->lost = 0;
    if (sensing->started && sensing->gap) {
        sensed->lost = missing(sensing->last_ms, sensed->time_ms, out_hz);
    }
    sensing->started = true;
    sensing->gap = false;
    sensing->last_ms = sensed->time_ms;
    har_gyro_zero_look(&sensing->zero, sensed->values, out_hz);
    har_gyro_zero_subtract(&sensing->zero, sensed->values);
    keep(sensing, sensed);
}

void har_sensing_push(struct har_sensing *sensing, const float *sample, uint32_t time_us,
                      uint32_t now_ms, float in_hz, float out_hz) {
    har_resampler_push(&sensing->resampler, sample);
    sensing->before_us = sensing->after_us;
    sensing->after_us = time_us;
    const bool halved = out_hz <= HAR_HALVED_UP_TO_HZ;
    const float made_hz = halved ? 2.0f * out_hz : out_hz;
    const uint32_t delay_us = halved ? (uint32_t)(1e6f * HAR_HALVER_REACH / made_hz) : 0u;
    sensing->delay_ms = delay_us / 1000u;
    struct har_sensed sensed;
    float place;
    while (har_resampler_pop(&sensing->resampler, in_hz / made_hz, sensed.values, &place)) {
        if (halved && !har_halver_take(&sensing->halver, sensed.values)) continue;
        make(sensing, &sensed, place, delay_us, now_ms, out_hz);
    }
}

void har_sensing_gap(struct har_sensing *sensing) {
    har_resampler_restart(&sensing->resampler);
    har_halver_restart(&sensing->halver);
    har_gyro_zero_restart(&sensing->zero);
    sensing->gap = true;
}

bool har_sensing_pop(struct har_sensing *sensing, uint32_t now_ms, struct har_sensed *sensed) {
    if (sensing->held == 0) return false;
    *sensed = sensing->queue[sensing->oldest];
    sensing->oldest = (uint16_t)((sensing->oldest + 1u) % HAR_SENSING_CAPACITY);
    sensing->held--;
    if (now_ms - sensed->time_ms > HAR_SENSOR_LATE_MS + sensing->delay_ms) sensing->late++;
    return true;
}
