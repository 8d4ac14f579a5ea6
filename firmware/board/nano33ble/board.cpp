// Board: Arduino Nano 33 BLE Sense, either revision.
#include <Arduino.h>
#include <USB/PluggableUSBSerial.h>
#include <cmsis.h>

#include "har_assert.h"
#include "har_board.h"
#include "har_model.h"
#include "imu.h"
#include "nano33ble.h"
#include "resampler.h"

static_assert(HAR_CHANNELS == HAR_RESAMPLER_CHANNELS,
              "the board's sensor has six axes; the model wants another number");

namespace {

// A USB packet of the full 64 bytes would wait at the host for the next one: a shorter one says
// that it is the last.
constexpr size_t packet_bytes = 63u;

struct har_resampler resampler;

void cycle_counter_start() {
    CoreDebug->DEMCR |= CoreDebug_DEMCR_TRCENA_Msk;
    DWT->CYCCNT = 0u;
    DWT->CTRL |= DWT_CTRL_CYCCNTENA_Msk;
}

void light(pin_size_t pin, bool on) {
    digitalWrite(pin, on ? LOW : HIGH);  // the three colours are lit by a low level
}

}  // namespace

void har_board_init(void) {
    pinMode(LED_BUILTIN, OUTPUT);
    pinMode(LEDR, OUTPUT);
    pinMode(LEDG, OUTPUT);
    pinMode(LEDB, OUTPUT);
    har_board_show(0);
    cycle_counter_start();
    // Without flash nothing can be kept, without the sensor a host can still send samples: both
    // tell of themselves when they are used.
    (void)har_nano33ble_flash_init();
    (void)imu_begin();
    har_resampler_restart(&resampler);
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
    // this speaks to the object behind `Serial`: its send_nb() takes nothing while a packet is
    // under way, or when nobody has opened the port.
    if (size == 0u) return 0u;
    const uint32_t most = static_cast<uint32_t>(size < packet_bytes ? size : packet_bytes);
    uint32_t sent = 0;
    _SerialUSB.send_nb(const_cast<uint8_t *>(data), most, &sent, true);  // only copies from it
    return sent;
}

bool har_board_imu(float sample[6]) {
    for (;;) {
        if (har_resampler_pop(&resampler, imu_rate_hz() / HAR_RATE_HZ, sample)) return true;
        float raw[HAR_RESAMPLER_CHANNELS];
        switch (imu_read(raw)) {
            case ImuRead::nothing:
                return false;
            case ImuRead::gap:
                har_resampler_restart(&resampler);
                break;
            case ImuRead::sample:
                har_resampler_push(&resampler, raw);
                break;
        }
    }
}

void har_board_count_begin(void) {
    DWT->CYCCNT = 0u;
}

uint32_t har_board_count_end(void) {
    return DWT->CYCCNT;
}

uint32_t har_board_stack_used(void) {
    return 0u;
}

uint32_t har_board_stack_size(void) {
    return 0u;
}

void har_board_show(uint8_t state) {
    digitalWrite(LED_BUILTIN, HIGH);
    light(LEDG, state == 1u);
    light(LEDB, state == 2u);
    light(LEDR, state == 3u);
}

void har_assert_failed(const char *, int) {
    // delay() lets Mbed's threads run, so that the 1200-baud touch still reaches the bootloader.
    for (;;) {
        light(LEDR, true);
        delay(100);
        light(LEDR, false);
        delay(100);
    }
}
