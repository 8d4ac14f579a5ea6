/* The bias of the gyroscope: up to half a rad/s, another for each chip, slowly moving with its
 * temperature. Measured whenever the board lies still. */
#ifndef HAR_GYRO_ZERO_H
#define HAR_GYRO_ZERO_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HAR_GYRO_ZERO_SECONDS 2         /* of stillness */
#define HAR_GYRO_ZERO_GYRO_RAD_S 0.03f  /* an axis at rest moves less, peak to peak */
#define HAR_GYRO_ZERO_ACCEL_G 0.04f     /* likewise */
#define HAR_GYRO_ZERO_MOST_RAD_S 0.7f   /* no chip is that far off: the board is being turned */
#define HAR_GYRO_ZERO_FOLLOW (1.0f / 8) /* how far a later rest moves the zero towards its mean */

/* All zero is a fresh one. */
struct har_gyro_zero {
    float zero[3]; /* rad/s */
    bool known;
    uint32_t count; /* samples since the board last moved */
    float least[6];
    float most[6];
    float sum[3];
};

/* Looks at the next sample [ax ay az g, gx gy gz rad/s] as the sensor gave it. `rate_hz`: of these
 * samples. */
void har_gyro_zero_look(struct har_gyro_zero *zero, const float *sample, float rate_hz);

/* Samples are missing, or the sensor was started anew: what was seen of a rest does not count. */
void har_gyro_zero_restart(struct har_gyro_zero *zero);

/* Takes the zero from the sample's last three values. */
void har_gyro_zero_subtract(const struct har_gyro_zero *zero, float *sample);

#ifdef __cplusplus
}
#endif
#endif
