/* The motion sensor of either revision of the Nano 33 BLE Sense, found by its WHO_AM_I.
 *
 * Both run at about twice the model's usual rate with their FIFO on, so that no sample is lost
 * while the processor infers, learns or erases a page of flash: the FIFO holds 32 samples (0.27 s)
 * on Rev1 and about 170 (1.7 s) on Rev2.
 *
 * Axes are those that Arduino's drivers report: the chip's own on Rev1; x = -y, y = -x, z = z of
 * the chip's on Rev2, which mirrors the frame. Not yet checked on a board. */
#ifndef HAR_IMU_H
#define HAR_IMU_H

#include <stdint.h>

enum class ImuRevision : uint8_t { none = 0, rev1 = 1 /* LSM9DS1 */, rev2 = 2 /* BMI270 */ };

enum class ImuRead : uint8_t {
    nothing = 0, /* no new sample */
    sample = 1,
    gap = 2 /* samples were lost before the next one: the FIFO was full */
};

/* Finds and starts the sensor: +-4 g, +-2000 degrees/s, FIFO on. Takes up to a quarter second. */
ImuRevision imu_begin(void);

/* The oldest sample not yet read: [ax ay az g, gx gy gz rad/s]. A sensor that fails many times in
 * a row is given up: then only `nothing` comes. */
ImuRead imu_read(float sample[6]);

/* The sensor's rate, Hz: nominal at first, then as measured against the processor's clock. */
float imu_rate_hz(void);

#endif
