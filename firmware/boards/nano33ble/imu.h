/* The motion sensor of either revision of the Nano 33 BLE Sense, found by its WHO_AM_I.
 *
 * Both run at about twice the model's usual rate, +-4 g, +-2000 degrees/s, with their FIFO on:
 * that holds 32 samples (0.27 s) on Rev1 and 170 (1.7 s) on Rev2.
 *
 * Axes of both: right-handed, z out of the component side, so that a board that lies flat shows
 * az = +1 g. Not yet checked on a board (docs/BOARD.md). */
#ifndef HAR_IMU_H
#define HAR_IMU_H

#include <stdint.h>

#include "hal/har_board.h"

struct ImuSample {
    float values[6];  /* [ax ay az g, gx gy gz rad/s] */
    uint32_t time_us; /* har_board_millis() * 1000, modulo 2^32, when it was measured */
    bool after_gap;   /* samples are missing just before it */
};

/* Looks for the sensor and starts it: up to a second and a quarter, nearly all of it loading the
 * BMI270. What went wrong, imu_state() tells. */
void imu_begin(void);

/* Begins again where there is no sensor that works, and the last attempt was 10 s ago. Not to be
 * called in the middle of something urgent. */
void imu_seek(void);

/* The oldest sample not yet read. Never waits for one; a bus that hangs costs a few tenths of a
 * second once, then the sensor counts as silent. */
bool imu_read(ImuSample *sample);

/* The sensor's rate, Hz: nominal at first, then as measured against the clock. */
float imu_rate_hz(void);

/* Sets what it knows: sensor, trouble, nominal_hz, rate_hz, overruns, bus_errors, saturated. */
void imu_state(struct har_sensor_state *state);

#endif
