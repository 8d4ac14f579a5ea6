#include "resampler.h"

#include <string.h>

void har_resampler_restart(struct har_resampler *resampler) {
    resampler->held = 0;
    resampler->next = 0.0f;
}

void har_resampler_push(struct har_resampler *resampler, const float *sample) {
    memcpy(resampler->before, resampler->after, sizeof resampler->before);
    memcpy(resampler->after, sample, sizeof resampler->after);
    if (resampler->held == 2) resampler->next -= 1.0f;
    if (resampler->held < 2) resampler->held++;
}

bool har_resampler_pop(struct har_resampler *resampler, float step, float *sample, float *place) {
    if (resampler->held < 2 || resampler->next >= 1.0f) return false;
    for (int c = 0; c < HAR_RESAMPLER_CHANNELS; ++c) {
        const float before = resampler->before[c];
        sample[c] = before + (resampler->after[c] - before) * resampler->next;
    }
    *place = resampler->next;
    resampler->next += step;
    return true;
}
