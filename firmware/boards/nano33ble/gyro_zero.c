#include "gyro_zero.h"

#include <string.h>

static void begin(struct har_gyro_zero *zero, const float *sample) {
    memcpy(zero->least, sample, sizeof zero->least);
    memcpy(zero->most, sample, sizeof zero->most);
    memcpy(zero->sum, sample + 3, sizeof zero->sum);
    zero->count = 1;
}

static bool moves(struct har_gyro_zero *zero, const float *sample) {
    bool still = true;
    for (int c = 0; c < 6; ++c) {
        if (sample[c] < zero->least[c]) zero->least[c] = sample[c];
        if (sample[c] > zero->most[c]) zero->most[c] = sample[c];
        const float limit = c < 3 ? HAR_GYRO_ZERO_ACCEL_G : HAR_GYRO_ZERO_GYRO_RAD_S;
        if (!(zero->most[c] - zero->least[c] < limit)) still = false; /* NaN moves, too */
    }
    return !still;
}

static void settle(struct har_gyro_zero *zero) {
    float mean[3];
    for (int i = 0; i < 3; ++i) {
        mean[i] = zero->sum[i] / (float)zero->count;
        if (!(mean[i] < HAR_GYRO_ZERO_MOST_RAD_S && mean[i] > -HAR_GYRO_ZERO_MOST_RAD_S)) return;
    }
    const float follow = zero->known ? HAR_GYRO_ZERO_FOLLOW : 1.0f;
    for (int i = 0; i < 3; ++i) zero->zero[i] += (mean[i] - zero->zero[i]) * follow;
    zero->known = true;
}

void har_gyro_zero_look(struct har_gyro_zero *zero, const float *sample, float rate_hz) {
    if (zero->count == 0 || moves(zero, sample)) {
        begin(zero, sample);
        return;
    }
    for (int i = 0; i < 3; ++i) zero->sum[i] += sample[3 + i];
    if ((float)++zero->count < rate_hz * HAR_GYRO_ZERO_SECONDS) return;
    settle(zero);
    zero->count = 0;
}

void har_gyro_zero_restart(struct har_gyro_zero *zero) {
    zero->count = 0;
}

void har_gyro_zero_subtract(const struct har_gyro_zero *zero, float *sample) {
    for (int i = 0; i < 3; ++i) sample[3 + i] -= zero->zero[i];
}
