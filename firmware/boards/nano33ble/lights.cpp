// What the user sees. Orange: the board is alive. Green: it predicts. Blue: it learns. Red: an
// error.
#include <Arduino.h>

#include "hal/har_board.h"
#include "lib/base/har_assert.h"
#include "nano33ble.h"

namespace {

constexpr uint32_t turn_ms = 1000u;
constexpr uint32_t flash_ms = 100u;

void colour(pin_size_t pin, bool on) {
    digitalWrite(pin, on ? LOW : HIGH);  // the three colours are lit by a low level
}

}  // namespace

void har_nano33ble_lights_init(void) {
    pinMode(LED_BUILTIN, OUTPUT);
    pinMode(LEDR, OUTPUT);
    pinMode(LEDG, OUTPUT);
    pinMode(LEDB, OUTPUT);
    har_board_show(HAR_SHOW_ALIVE);
}

void har_board_show(uint8_t state) {
    const uint32_t phase_ms = har_board_millis() % turn_ms;
    digitalWrite(LED_BUILTIN, phase_ms < flash_ms ? HIGH : LOW);
    colour(LEDG, state == HAR_SHOW_PREDICTING);
    colour(LEDB, state == HAR_SHOW_LEARNING);
    colour(LEDR, state == HAR_SHOW_ERROR);
}

void har_assert_failed(const char *, int) {
    // delay() lets Mbed's threads run, so that the 1200-baud touch still reaches the bootloader.
    for (;;) {
        colour(LEDR, true);
        delay(100);
        colour(LEDR, false);
        delay(100);
    }
}
