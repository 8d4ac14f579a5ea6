// ST LSM9DS1 (DocID025715), the motion sensor of Rev1.
#include <Arduino.h>

#include "imu_bus.h"
#include "imu_chip.h"

namespace {

constexpr uint8_t device = 0x6B;
constexpr uint8_t who_am_i = 0x0F, who = 0x68;
constexpr uint8_t ctrl_reg1_g = 0x10, ctrl_reg6_xl = 0x20;
constexpr uint8_t ctrl_reg8 = 0x22, ctrl_reg9 = 0x23;
constexpr uint8_t out_g = 0x18, out_xl = 0x28;
constexpr uint8_t fifo_ctrl = 0x2E, fifo_src = 0x2F;

bool get(uint8_t first, uint8_t *data, uint8_t size) {
    return imu_bus_read(device, first, data, size);
}

bool set(uint8_t address, uint8_t value) {
    return imu_bus_set(device, address, value);
}

bool flush() {
    return set(fifo_ctrl, 0x00)      // a FIFO that is passed by is empty
           && set(fifo_ctrl, 0xC0);  // the newest push out the oldest
}

bool start() {
    if (!imu_bus_write(device, ctrl_reg8, 0x05)) return false;  // reset
    delay(20);
    return set(ctrl_reg8, 0x44)        // whole samples, the address counts up
           && set(ctrl_reg1_g, 0x78)   // 119 Hz, 2000 degrees/s, below 14 Hz
           && set(ctrl_reg6_xl, 0x70)  // 119 Hz, 4 g, below 50 Hz
           && set(ctrl_reg9, 0x02)     // FIFO on
           && flush();
}

bool waiting(uint16_t *frames, bool *overrun) {
    uint8_t source = 0;
    if (!get(fifo_src, &source, 1u)) return false;
    *frames = source & 0x3Fu;
    *overrun = (source & 0x40u) != 0u;
    return true;
}

// The data sheet promises no jump from one sensor's registers to the other's: two reads a frame.
bool read(ImuFrame *frames, uint8_t count) {
    for (uint8_t i = 0; i < count; ++i) {
        uint8_t gyro[6];
        uint8_t accel[6];
        if (!get(out_g, gyro, sizeof gyro) || !get(out_xl, accel, sizeof accel)) return false;
        imu_axes(gyro, frames[i].gyro);
        imu_axes(accel, frames[i].accel);
    }
    return true;
}

}  // namespace

// At 2000 degrees/s the data sheet gives 0.070 degrees/s a step, not 2000 / 32768. Its two sensors
// share a left-handed frame; the reflection makes it the right-handed one of Rev2.
extern const ImuChip imu_lsm9ds1 = {HAR_SENSOR_LSM9DS1,
                                    119.0f,
                                    4.0f / 32768.0f,
                                    0.070f * 0.017453293f,
                                    32767,
                                    28571,
                                    {{1u, -1.0f}, {0u, -1.0f}, {2u, 1.0f}},
                                    device,
                                    who_am_i,
                                    who,
                                    start,
                                    flush,
                                    waiting,
                                    read};
