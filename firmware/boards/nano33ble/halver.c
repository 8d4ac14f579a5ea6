#include "halver.h"

#include <string.h>

/* A sinc under a Kaiser window: pipeline/data/resampling.py, HALF_BAND. */
static const float taps[HAR_HALVER_TAPS] = {
    0.31185946f, -0.089558154f, 0.039081868f, -0.016165908f, 0.004782742f,
};

void har_halver_restart(struct har_halver *halver) {
    halver->held = 0;
    halver->skip = false;
}

bool har_halver_take(struct har_halver *halver, float *sample) {
    memcpy(halver->kept[halver->next], sample, sizeof halver->kept[0]);
    halver->next = (unsigned char)((halver->next + 1u) % HAR_HALVER_LENGTH);
    if (halver->held < HAR_HALVER_LENGTH) halver->held++;
    if (halver->held < HAR_HALVER_LENGTH) return false;
    halver->skip = !halver->skip;
    if (!halver->skip) return false;
    const unsigned middle = halver->next + HAR_HALVER_REACH; /* `next` is the oldest one */
    for (unsigned c = 0; c < HAR_RESAMPLER_CHANNELS; ++c) {
        float sum = halver->kept[middle % HAR_HALVER_LENGTH][c] * 0.5f;
        for (unsigned k = 0; k < HAR_HALVER_TAPS; ++k) {
            const unsigned reach = 2u * k + 1u;
            sum += taps[k] * (halver->kept[(middle - reach) % HAR_HALVER_LENGTH][c] +
                              halver->kept[(middle + reach) % HAR_HALVER_LENGTH][c]);
        }
        sample[c] = sum;
    }
    return true;
}
