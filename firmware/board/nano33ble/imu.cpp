// Registers: ST LSM9DS1 (DocID025715) and Bosch BMI270 (BST-BMI270-DS000).
// Arduino's driver brings up the BMI270, which needs Bosch's 8 KB of start-up code. All else goes
// through read_registers() and write_register(), because the drivers take a failed transfer on the
// bus for a sample.
#include "imu.h"

#include <Arduino.h>
#include <Arduino_BMI270_BMM150.h>
#include <Wire.h>

namespace {

constexpr float radians_per_degree = 0.017453293f;
constexpr uint32_t bus_hz = 400000u;
constexpr uint8_t frame_bytes = 12u;  // three axes of two sensors, int16 little-endian
constexpr uint8_t give_up_after = 10u;
constexpr uint32_t poll_us = 2000u;  // asking more often only keeps the bus busy

bool read_registers(uint8_t device, uint8_t first, uint8_t *data, uint8_t size) {
    Wire1.beginTransmission(device);
    if (Wire1.write(first) != 1u) return false;
    if (Wire1.endTransmission(false) != 0u) return false;
    if (Wire1.requestFrom(device, size) != size) return false;
    for (uint8_t i = 0; i < size; ++i) data[i] = static_cast<uint8_t>(Wire1.read());
    return true;
}

bool write_register(uint8_t device, uint8_t address, uint8_t value) {
    Wire1.beginTransmission(device);
    if (Wire1.write(address) != 1u || Wire1.write(value) != 1u) return false;
    return Wire1.endTransmission() == 0u;
}

bool answers(uint8_t device, uint8_t address, uint8_t expected) {
    uint8_t value = 0;
    return read_registers(device, address, &value, 1u) && value == expected;
}

int16_t axis(const uint8_t *bytes) {
    return static_cast<int16_t>(static_cast<uint16_t>(bytes[0] | (bytes[1] << 8)));
}

// ---- LSM9DS1 ------------------------------------------------------------------------------

constexpr uint8_t lsm_device = 0x6B;
constexpr uint8_t lsm_who_am_i = 0x0F, lsm_who = 0x68;
constexpr uint8_t lsm_ctrl_reg1_g = 0x10, lsm_ctrl_reg6_xl = 0x20;
constexpr uint8_t lsm_ctrl_reg8 = 0x22, lsm_ctrl_reg9 = 0x23;
constexpr uint8_t lsm_out_g = 0x18, lsm_out_xl = 0x28;
constexpr uint8_t lsm_fifo_ctrl = 0x2E, lsm_fifo_src = 0x2F;

bool lsm_start() {
    if (!write_register(lsm_device, lsm_ctrl_reg8, 0x05)) return false;  // reset
    delay(20);
    return write_register(lsm_device, lsm_ctrl_reg8, 0x44)        // whole samples, auto-increment
           && write_register(lsm_device, lsm_ctrl_reg1_g, 0x78)   // 119 Hz, 2000 degrees/s
           && write_register(lsm_device, lsm_ctrl_reg6_xl, 0x70)  // 119 Hz, 4 g
           && write_register(lsm_device, lsm_ctrl_reg9, 0x02)     // FIFO on
           && write_register(lsm_device, lsm_fifo_ctrl, 0xC0);    // the newest push out the oldest
}

bool lsm_waiting(uint16_t *frames, bool *overrun) {
    uint8_t source = 0;
    if (!read_registers(lsm_device, lsm_fifo_src, &source, 1u)) return false;
    *frames = source & 0x3Fu;
    *overrun = (source & 0x40u) != 0u;
    return true;
}

bool lsm_frame(uint8_t *gyro, uint8_t *accel) {
    return read_registers(lsm_device, lsm_out_g, gyro, 6u) &&
           read_registers(lsm_device, lsm_out_xl, accel, 6u);
}

// ---- BMI270 -------------------------------------------------------------------------------

constexpr uint8_t bmi_device = 0x68;
constexpr uint8_t bmi_chip_id = 0x00, bmi_chip = 0x24;
constexpr uint8_t bmi_fifo_length = 0x24, bmi_fifo_data = 0x26;
constexpr uint8_t bmi_acc_range = 0x41, bmi_gyr_range = 0x43;
constexpr uint8_t bmi_fifo_config_0 = 0x48, bmi_fifo_config_1 = 0x49;
constexpr uint8_t bmi_pwr_conf = 0x7C, bmi_cmd = 0x7E;
constexpr uint16_t bmi_fifo_bytes = 2048u;

bool bmi_start() {
    if (IMU_BMI270_BMM150.begin(BOSCH_ACCELEROMETER_ONLY) != 1) return false;  // both, no compass
    Wire1.setClock(bus_hz);                                             // begin() made the bus anew
    if (!write_register(bmi_device, bmi_pwr_conf, 0x00)) return false;  // no sleep between reads
    delay(1);
    return answers(bmi_device, bmi_acc_range, 0x01)                // 4 g
           && answers(bmi_device, bmi_gyr_range, 0x00)             // 2000 degrees/s
           && write_register(bmi_device, bmi_fifo_config_0, 0x00)  // newest push out the oldest
           && write_register(bmi_device, bmi_fifo_config_1, 0xC0)  // gyro, accel, no headers
           && write_register(bmi_device, bmi_cmd, 0xB0);           // empty it
}

bool bmi_waiting(uint16_t *frames, bool *overrun) {
    uint8_t length[2] = {0, 0};
    if (!read_registers(bmi_device, bmi_fifo_length, length, 2u)) return false;
    const uint16_t bytes = static_cast<uint16_t>(length[0] | ((length[1] & 0x3Fu) << 8));
    *frames = static_cast<uint16_t>(bytes / frame_bytes);
    *overrun = bytes + frame_bytes > bmi_fifo_bytes;
    return true;
}

bool bmi_frame(uint8_t *gyro, uint8_t *accel) {
    uint8_t frame[frame_bytes];
    if (!read_registers(bmi_device, bmi_fifo_data, frame, frame_bytes)) return false;
    for (int i = 0; i < 6; ++i) {
        gyro[i] = frame[i];
        accel[i] = frame[6 + i];
    }
    return true;
}

// ---- either -------------------------------------------------------------------------------

struct Axes {
    uint8_t from[3];
    float sign[3];
};

struct Sensor {
    ImuRevision revision;
    float rate_hz;
    float g_per_step;
    float rad_s_per_step;
    Axes axes;
    bool (*start)();
    bool (*waiting)(uint16_t *frames, bool *overrun);
    bool (*frame)(uint8_t *gyro, uint8_t *accel);
};

// The LSM9DS1's data sheet says 0.070 degrees/s a step at 2000 degrees/s: not 2000 / 32768.
const Sensor lsm9ds1 = {ImuRevision::rev1,
                        119.0f,
                        4.0f / 32768.0f,
                        0.070f * radians_per_degree,
                        {{0, 1, 2}, {1.0f, 1.0f, 1.0f}},
                        lsm_start,
                        lsm_waiting,
                        lsm_frame};
const Sensor bmi270 = {ImuRevision::rev2,
                       100.0f,
                       4.0f / 32768.0f,
                       2000.0f / 32768.0f * radians_per_degree,
                       {{1, 0, 2}, {-1.0f, -1.0f, 1.0f}},
                       bmi_start,
                       bmi_waiting,
                       bmi_frame};

const Sensor *sensor = nullptr;
uint16_t waiting_frames;
uint32_t polled_us;
uint8_t failures;  // in a row

// Measures the rate between two moments at which the FIFO had just been emptied.
struct RateMeter {
    static constexpr uint32_t enough = 1024u;  // frames, 9 to 10 s
    float rate_hz;
    uint32_t since_us;
    uint32_t frames;
    bool running;

    void restart(float nominal_hz) {
        rate_hz = nominal_hz;
        running = false;
    }

    void emptied(uint32_t now_us, float nominal_hz) {
        if (running && frames < enough) return;
        if (running) {
            const float seconds = static_cast<float>(now_us - since_us) * 1e-6f;
            const float measured_hz = static_cast<float>(frames) / seconds;
            const float ratio = measured_hz / nominal_hz;
            if (ratio > 0.9f && ratio < 1.1f) rate_hz = measured_hz;
        }
        running = true;
        since_us = now_us;
        frames = 0;
    }
};

RateMeter meter;

void failed() {
    waiting_frames = 0;
    meter.running = false;
    if (++failures >= give_up_after) sensor = nullptr;
}

const Sensor *find() {
    for (int attempt = 0; attempt < 3; ++attempt) {
        if (answers(lsm_device, lsm_who_am_i, lsm_who)) return &lsm9ds1;
        if (answers(bmi_device, bmi_chip_id, bmi_chip)) return &bmi270;
        delay(10);
    }
    return nullptr;
}

}  // namespace

ImuRevision imu_begin(void) {
    Wire1.begin();
    Wire1.setClock(bus_hz);
    sensor = find();
    if (sensor != nullptr && !sensor->start()) sensor = nullptr;
    if (sensor == nullptr) return ImuRevision::none;
    waiting_frames = 0;
    failures = 0;
    polled_us = static_cast<uint32_t>(micros());
    meter.restart(sensor->rate_hz);
    return sensor->revision;
}

ImuRead imu_read(float sample[6]) {
    if (sensor == nullptr) return ImuRead::nothing;
    if (waiting_frames == 0u) {
        const uint32_t now_us = static_cast<uint32_t>(micros());
        if (now_us - polled_us < poll_us) return ImuRead::nothing;
        polled_us = now_us;
        bool overrun = false;
        if (!sensor->waiting(&waiting_frames, &overrun)) {
            failed();
            return ImuRead::nothing;
        }
        if (overrun) {
            meter.running = false;
            return ImuRead::gap;
        }
        if (waiting_frames == 0u) return ImuRead::nothing;
    }
    uint8_t gyro[6];
    uint8_t accel[6];
    if (!sensor->frame(gyro, accel)) {
        failed();
        return ImuRead::nothing;
    }
    failures = 0;
    --waiting_frames;
    ++meter.frames;
    if (waiting_frames == 0u) meter.emptied(static_cast<uint32_t>(micros()), sensor->rate_hz);
    for (int i = 0; i < 3; ++i) {
        const uint8_t from = static_cast<uint8_t>(2u * sensor->axes.from[i]);
        const float sign = sensor->axes.sign[i];
        sample[i] = sign * static_cast<float>(axis(accel + from)) * sensor->g_per_step;
        sample[3 + i] = sign * static_cast<float>(axis(gyro + from)) * sensor->rad_s_per_step;
    }
    return ImuRead::sample;
}

float imu_rate_hz(void) {
    return meter.rate_hz;
}
