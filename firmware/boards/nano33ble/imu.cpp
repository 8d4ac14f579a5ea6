#include "imu.h"

#include <Arduino.h>

#include "imu_bus.h"
#include "imu_chip.h"

namespace {

constexpr uint32_t poll_ms = 10u;     // asking more often only keeps the bus busy
constexpr uint32_t silent_ms = 500u;  // and so many times asked in vain:
constexpr uint8_t silent_times = 10u;
constexpr uint32_t seek_ms = 10000u;
constexpr uint8_t settling_frames = 10u;  // after a start

enum har_sensor name = HAR_SENSOR_NONE;
enum har_sensor_trouble trouble = HAR_SENSOR_ABSENT;
const ImuChip *chip;  // the one that works
uint32_t sought_ms;
uint32_t overruns;
uint32_t saturated;

ImuFrame batch[imu_chip_most];
uint8_t batch_size;
uint8_t batch_at;
uint16_t left_in_fifo;  // of those that were there when it was last asked
uint8_t settling;
bool gap;     // before the next frame
bool unsure;  // a read broke off: what the FIFO will give next is not known
uint32_t polled_ms;
uint8_t quiet;      // times in a row that nothing came...
uint32_t quiet_ms;  // ...since then

// When the frames were measured. The FIFO tells only how many it holds, so the newest is taken to
// be as old as the run of them says, within one period before the moment of asking.
bool timed;        // last_us is known
uint32_t last_us;  // of the last frame read
uint32_t step_us;  // between the frames that wait

uint32_t now_ms() {
    return static_cast<uint32_t>(millis());
}

// Measures the rate between two moments at which the FIFO had just been asked. In milliseconds,
// because those come from the board's quartz; micros() runs on an RC oscillator without USB.
struct RateMeter {
    static constexpr uint32_t enough = 1024u;  // frames, 9 to 10 s
    float measured_hz;                         // 0: not yet
    uint32_t since_ms;
    uint32_t frames;
    bool running;

    void asked(uint32_t ms, uint16_t waiting, float nominal_hz) {
        if (!running) {
            running = true;
            since_ms = ms;
            frames = 0;
            return;
        }
        frames += waiting;
        if (frames < enough) return;
        const float hz = static_cast<float>(frames) * 1000.0f / static_cast<float>(ms - since_ms);
        const float ratio = hz / nominal_hz;
        if (ratio > 0.8f && ratio < 1.2f) measured_hz = hz;
        since_ms = ms;
        frames = 0;
    }
};

RateMeter meter;

void interrupted() {
    gap = true;
    timed = false;
    meter.running = false;
}

void give_up(enum har_sensor_trouble why) {
    trouble = why;
    chip = nullptr;
    batch_size = batch_at = 0;
    left_in_fifo = 0;
    interrupted();
}

// Nothing came of asking.
void nothing(uint32_t ms) {
    if (quiet == 0u) quiet_ms = ms;
    if (quiet < silent_times) ++quiet;
    const bool silent = quiet == silent_times && ms - quiet_ms >= silent_ms;
    if (imu_bus_hung() || silent) give_up(HAR_SENSOR_SILENT);
}

void place_in_time(uint32_t ms, uint16_t waiting, bool dropped) {
    const uint32_t now_us = ms * 1000u;
    const float period_us = 1e6f / imu_rate_hz();
    const float span_us = period_us * static_cast<float>(waiting);
    if (timed && !dropped) {
        // Far fewer frames than time has passed: some are missing, whatever the FIFO says.
        const float passed_us = static_cast<float>(now_us - last_us);
        const float slack_us = period_us * (3.0f + static_cast<float>(waiting) / 16.0f);
        if (passed_us > span_us + slack_us) dropped = true;
    }
    if (dropped) {
        ++overruns;
        interrupted();
    }
    if (!timed) {
        timed = true;
        step_us = static_cast<uint32_t>(period_us);
        last_us = now_us - static_cast<uint32_t>(span_us);
        return;
    }
    const uint32_t passed_us = now_us - last_us;
    uint32_t newest_us = static_cast<uint32_t>(span_us);  // after last_us
    if (newest_us > passed_us) newest_us = passed_us;
    if (newest_us + static_cast<uint32_t>(period_us) < passed_us) {
        newest_us = passed_us - static_cast<uint32_t>(period_us);
    }
    step_us = newest_us / waiting;
}

// Asks the FIFO how much it holds.
bool ask(uint32_t ms) {
    if (ms - polled_ms < poll_ms) return false;
    polled_ms = ms;
    if (unsure) {
        if (!chip->flush()) {
            nothing(ms);
            return false;
        }
        unsure = false;
        interrupted();
        return false;
    }
    uint16_t waiting = 0;
    bool dropped = false;
    if (!chip->waiting(&waiting, &dropped) || waiting == 0u) {
        nothing(ms);
        return false;
    }
    quiet = 0;
    ms = now_ms();
    place_in_time(ms, waiting, dropped);
    meter.asked(ms, waiting, chip->nominal_hz);
    left_in_fifo = waiting;
    return true;
}

bool refill() {
    const uint32_t ms = now_ms();
    if (left_in_fifo == 0u && !ask(ms)) return false;
    const uint8_t count =
        static_cast<uint8_t>(left_in_fifo < imu_chip_most ? left_in_fifo : imu_chip_most);
    if (!chip->read(batch, count)) {
        left_in_fifo = 0;
        unsure = true;
        nothing(ms);
        return false;
    }
    left_in_fifo = static_cast<uint16_t>(left_in_fifo - count);
    batch_size = count;
    batch_at = 0;
    return true;
}

bool beyond(const int16_t *axes, int16_t end) {
    for (int i = 0; i < 3; ++i) {
        if (axes[i] >= end || axes[i] <= -end) return true;
    }
    return false;
}

void convert(const ImuFrame &frame, float *values) {
    for (int i = 0; i < 3; ++i) {
        const ImuAxis axis = chip->axes[i];
        values[i] = axis.sign * static_cast<float>(frame.accel[axis.from]) * chip->g_per_step;
        values[3 + i] =
            axis.sign * static_cast<float>(frame.gyro[axis.from]) * chip->rad_s_per_step;
    }
}

bool on_the_bus(const ImuChip &candidate) {
    return imu_bus_shows(candidate.device, candidate.who_register, candidate.who);
}

const ImuChip *find() {
    for (int attempt = 0; attempt < 3; ++attempt) {
        if (attempt > 0) delay(10);
        if (on_the_bus(imu_lsm9ds1)) return &imu_lsm9ds1;
        if (on_the_bus(imu_bmi270)) return &imu_bmi270;
        if (imu_bus_hung()) break;
    }
    return nullptr;
}

void start(const ImuChip *found) {
    name = found->name;
    if (!found->start()) {
        give_up(HAR_SENSOR_REFUSED);
        return;
    }
    chip = found;
    trouble = HAR_SENSOR_RIGHT;
    settling = settling_frames;
    unsure = false;
    quiet = 0;
    polled_ms = now_ms();
    interrupted();
}

}  // namespace

void imu_begin(void) {
    if (!imu_bus_begin()) {
        give_up(HAR_SENSOR_BUS_STUCK);
    } else {
        const ImuChip *found = find();
        if (found != nullptr) {
            start(found);
        } else {
            give_up(name == HAR_SENSOR_NONE ? HAR_SENSOR_ABSENT : HAR_SENSOR_SILENT);
        }
    }
    sought_ms = now_ms();
}

void imu_seek(void) {
    if (chip == nullptr && now_ms() - sought_ms >= seek_ms) imu_begin();
}

bool imu_read(ImuSample *sample) {
    const ImuFrame *next = nullptr;
    do {
        if (chip == nullptr) return false;
        if (batch_at == batch_size && !refill()) return false;
        next = &batch[batch_at++];
        last_us += step_us;
    } while (settling > 0u && settling-- > 0u);
    const ImuFrame &frame = *next;
    if (beyond(frame.accel, chip->accel_end) || beyond(frame.gyro, chip->gyro_end)) ++saturated;
    convert(frame, sample->values);
    sample->time_us = last_us;
    sample->after_gap = gap;
    gap = false;
    return true;
}

float imu_rate_hz(void) {
    if (meter.measured_hz > 0.0f) return meter.measured_hz;
    return chip != nullptr ? chip->nominal_hz : imu_lsm9ds1.nominal_hz;
}

void imu_state(struct har_sensor_state *state) {
    state->sensor = static_cast<uint8_t>(name);
    state->trouble = static_cast<uint8_t>(trouble);
    state->nominal_hz = name == HAR_SENSOR_LSM9DS1  ? imu_lsm9ds1.nominal_hz
                        : name == HAR_SENSOR_BMI270 ? imu_bmi270.nominal_hz
                                                    : 0.0f;
    state->rate_hz = meter.measured_hz;
    state->overruns = overruns;
    state->bus_errors = imu_bus_errors();
    state->saturated = saturated;
}
