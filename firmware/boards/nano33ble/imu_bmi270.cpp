// Bosch BMI270 (BST-BMI270-DS000), the motion sensor of Rev2. Arduino's driver loads the 8 KB of
// start-up code that the chip needs; all else is done here.
#include <Arduino.h>
#include <Arduino_BMI270_BMM150.h>

#include "imu_bus.h"
#include "imu_chip.h"

namespace {

constexpr uint8_t device = 0x68;
constexpr uint8_t chip_id = 0x00, chip = 0x24;
constexpr uint8_t internal_status = 0x21;
constexpr uint8_t fifo_length = 0x24, fifo_data = 0x26;
constexpr uint8_t feature_page = 0x2F, gyro_cross_axis = 0x3C;
constexpr uint8_t acc_conf = 0x40, acc_range = 0x41, gyr_conf = 0x42, gyr_range = 0x43;
constexpr uint8_t fifo_config_0 = 0x48, fifo_config_1 = 0x49;
constexpr uint8_t pwr_conf = 0x7C, pwr_ctrl = 0x7D, cmd = 0x7E;
constexpr uint16_t fifo_bytes = 2048u;

int32_t cross_axis;  // of this very chip, in 1/512: how much of z the gyroscope's x shows

bool get(uint8_t first, uint8_t *data, uint8_t size) {
    return imu_bus_read(device, first, data, size);
}

bool set(uint8_t address, uint8_t value) {
    return imu_bus_set(device, address, value);
}

bool flush() {
    return imu_bus_write(device, cmd, 0xB0);
}

bool measured_cross_axis() {
    uint8_t value = 0;
    if (!imu_bus_write(device, feature_page, 0x00) || !get(gyro_cross_axis, &value, 1u)) {
        return false;
    }
    value &= 0x7Fu;
    cross_axis = (value & 0x40u) != 0u ? static_cast<int32_t>(value) - 128 : value;
    return true;
}

bool start() {
    // Accelerometer and gyroscope; with the compass, too, an error of theirs would be forgotten.
    if (IMU_BMI270_BMM150.begin(BOSCH_ACCELEROMETER_ONLY) != 1) return false;
    imu_bus_fast();                                            // begin() made the bus anew
    if (!imu_bus_write(device, pwr_conf, 0x00)) return false;  // no sleep between transfers
    delay(1);
    uint8_t status = 0;
    if (!get(internal_status, &status, 1u) || (status & 0x0Fu) != 0x01u) return false;
    const bool taken = set(acc_conf, 0x98)           // 100 Hz, below about 20 Hz
                       && set(acc_range, 0x01)       // 4 g
                       && set(gyr_conf, 0xD8)        // 100 Hz, below about 20 Hz, low noise
                       && set(gyr_range, 0x00)       // 2000 degrees/s
                       && set(pwr_ctrl, 0x06)        // both on
                       && set(fifo_config_0, 0x00)   // the newest push out the oldest
                       && set(fifo_config_1, 0xC0);  // gyroscope, accelerometer, no headers
    return taken && measured_cross_axis() && flush();
}

bool waiting(uint16_t *frames, bool *overrun) {
    uint8_t length[2] = {0, 0};
    if (!get(fifo_length, length, sizeof length)) return false;
    const uint16_t bytes = static_cast<uint16_t>(length[0] | (length[1] & 0x3Fu) << 8);
    *frames = static_cast<uint16_t>(bytes / imu_frame_bytes);
    *overrun = bytes + imu_frame_bytes > fifo_bytes;
    return true;
}

bool read(ImuFrame *frames, uint8_t count) {
    static uint8_t bytes[imu_chip_most * imu_frame_bytes];
    if (!get(fifo_data, bytes, static_cast<uint8_t>(count * imu_frame_bytes))) return false;
    for (uint8_t i = 0; i < count; ++i) {
        const uint8_t *frame = bytes + i * imu_frame_bytes;
        imu_axes(frame, frames[i].gyro);
        imu_axes(frame + 6, frames[i].accel);
        const int32_t x = frames[i].gyro[0] - cross_axis * frames[i].gyro[2] / 512;
        frames[i].gyro[0] = static_cast<int16_t>(x < -32768 ? -32768 : x > 32767 ? 32767 : x);
    }
    return true;
}

}  // namespace

static_assert(imu_chip_most * imu_frame_bytes <= imu_bus_most, "Wire could not hold a burst");

// Its own axes are right-handed and as they are printed on the board.
extern const ImuChip imu_bmi270 = {HAR_SENSOR_BMI270,
                                   100.0f,
                                   4.0f / 32768.0f,
                                   2000.0f / 32768.0f * 0.017453293f,
                                   32767,
                                   32767,
                                   {{0u, 1.0f}, {1u, 1.0f}, {2u, 1.0f}},
                                   device,
                                   chip_id,
                                   chip,
                                   start,
                                   flush,
                                   waiting,
                                   read};
