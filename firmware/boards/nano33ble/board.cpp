// Board: Arduino Nano 33 BLE Sense, either revision.
#include <Arduino.h>
#include <USB/PluggableUSBSerial.h>
#include <cmsis.h>
#include <math.h>

#include "hal/har_board.h"
#include "har_model.h"
#include "imu.h"
#include "lib/base/har_assert.h"
#include "nano33ble.h"
#include "sensing.h"

static_assert(HAR_CHANNELS == HAR_RESAMPLER_CHANNELS,
              "the board's sensor has six axes; the model wants another number");

namespace {

// A USB packet of the full 64 bytes would wait at the host for the next one: a shorter one says
// that it is the last.
constexpr size_t packet_bytes = 63u;

constexpr uint32_t thermometer_ms = 1000u;

struct har_sensing sensing;
float celsius = NAN;
uint32_t celsius_ms;

void cycle_counter_start() {
    CoreDebug->DEMCR |= CoreDebug_DEMCR_TRCENA_Msk;
    DWT->CYCCNT = 0u;
    DWT->CTRL |= DWT_CTRL_CYCCNTENA_Msk;
}

// Reads the processor's thermometer when it has measured, and starts it again each second.
void thermometer_turn() {
    if (NRF_TEMP->EVENTS_DATARDY != 0u) {
        celsius = 0.25f * static_cast<float>(NRF_TEMP->TEMP);
        NRF_TEMP->EVENTS_DATARDY = 0u;
    }
    if (har_board_millis() - celsius_ms < thermometer_ms) return;
    celsius_ms = har_board_millis();
    NRF_TEMP->TASKS_START = 1u;
}

}  // namespace

void har_board_init(void) {
    har_nano33ble_stack_paint();
    har_nano33ble_lights_init();
    cycle_counter_start();
    NRF_TEMP->EVENTS_DATARDY = 0u;
    celsius_ms = har_board_millis() - thermometer_ms;
    thermometer_turn();
    // Without flash nothing can be kept, without the sensor a host can still send samples: both
    // tell of themselves when they are used.
    (void)har_nano33ble_flash_init();
    imu_begin();
}

uint8_t har_board_target(void) {
    return HAR_TARGET_NANO33BLE;
}

uint8_t har_board_counter(void) {
    return HAR_COUNT_CYCLES;
}

uint32_t har_board_millis(void) {
    return static_cast<uint32_t>(millis());
}

size_t har_board_read(uint8_t *data, size_t capacity) {
    size_t size = 0;
    while (size < capacity) {
        const int byte = _SerialUSB.read();
        if (byte < 0) break;
        data[size++] = static_cast<uint8_t>(byte);
    }
    return size;
}

size_t har_board_write(const uint8_t *data, size_t size) {
    // Serial.write() waits without limit for a host that holds the port open and does not read, so
    // this speaks to the object under `Serial`: its send_nb() takes nothing while a packet is
    // under way, or when nobody has opened the port.
    if (size == 0u) return 0u;
    const uint32_t most = static_cast<uint32_t>(size < packet_bytes ? size : packet_bytes);
    uint32_t sent = 0;
    _SerialUSB.send_nb(const_cast<uint8_t *>(data), most, &sent, true);  // only copies from it
    return sent;
}

void har_board_sensor(struct har_sensor_state *state) {
    thermometer_turn();
    imu_state(state);
    state->zero_known = sensing.zero.known;
    for (int i = 0; i < 3; ++i) state->gyro_zero[i] = sensing.zero.zero[i];
    state->celsius = celsius;
    state->late = sensing.late;
}

void har_board_collect(void) {
    struct ImuSample sample;
    while (imu_read(&sample)) {
        if (sample.after_gap) har_sensing_gap(&sensing);
        har_sensing_push(&sensing, sample.values, sample.time_us, har_board_millis(), imu_rate_hz(),
                         HAR_RATE_HZ);
    }
}

bool har_board_imu(struct har_sensed *sensed) {
    thermometer_turn();
    imu_seek();
    har_board_collect();
    return har_sensing_pop(&sensing, har_board_millis(), sensed);
}

void har_board_count_begin(void) {
    DWT->CYCCNT = 0u;
}

uint32_t har_board_count_end(void) {
    return DWT->CYCCNT;
}
