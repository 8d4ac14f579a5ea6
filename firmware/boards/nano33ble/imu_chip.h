/* What the two motion sensors have in common. */
#ifndef HAR_IMU_CHIP_H
#define HAR_IMU_CHIP_H

#include <stdint.h>

#include "hal/har_board.h"

/* One sample in the chip's steps, on its own axes. */
struct ImuFrame {
    int16_t accel[3];
    int16_t gyro[3];
};

constexpr uint8_t imu_frame_bytes = 12u;

/* One axis of the board: `sign` times the chip's axis number `from`. */
struct ImuAxis {
    uint8_t from;
    float sign;
};

struct ImuChip {
    enum har_sensor name;
    float nominal_hz;
    float g_per_step;
    float rad_s_per_step;
    int16_t accel_end; /* steps from which on an axis is at the end of its range */
    int16_t gyro_end;
    ImuAxis axes[3]; /* of both sensors */

    uint8_t device; /* its address on the bus */
    uint8_t who_register;
    uint8_t who;

    bool (*start)(); /* resets and sets it up, FIFO on; false: it did not take a setting */
    bool (*flush)(); /* empties the FIFO */
    bool (*waiting)(uint16_t *frames, bool *overrun); /* in the FIFO; overrun: it dropped some */
    bool (*read)(ImuFrame *frames, uint8_t count);    /* the oldest ones, at most imu_chip_most */
};

constexpr uint8_t imu_chip_most = 20u;

extern const ImuChip imu_lsm9ds1;
extern const ImuChip imu_bmi270;

/* Three int16, little-endian. */
inline void imu_axes(const uint8_t *bytes, int16_t *axes) {
    for (int i = 0; i < 3; ++i) {
        axes[i] = static_cast<int16_t>(static_cast<uint16_t>(bytes[2 * i] | bytes[2 * i + 1] << 8));
    }
}

#endif
