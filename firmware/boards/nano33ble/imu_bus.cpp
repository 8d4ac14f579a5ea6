#include "imu_bus.h"

#include <Arduino.h>
#include <Wire.h>
#include <cmsis.h>

namespace {

constexpr uint32_t bus_hz = 400000u;
constexpr unsigned half_clock_us = 5u;
// A transfer that is not acknowledged fails at once. Where a line is held, Mbed's driver polls
// 100000 times before it gives up: a tenth of a second and more.
constexpr uint32_t hung_ms = 20u;

uint32_t errors;
bool hung;

bool counted(bool worked, uint32_t since_ms) {
    if (worked) return true;
    ++errors;
    if (static_cast<uint32_t>(millis()) - since_ms >= hung_ms) hung = true;
    return false;
}

bool lines_are_high() {
    return digitalRead(PIN_WIRE_SDA1) == HIGH && digitalRead(PIN_WIRE_SCL1) == HIGH;
}

// A line is only ever pulled low or let go, as open drain asks.
void pull(pin_size_t pin) {
    pinMode(pin, OUTPUT);
    digitalWrite(pin, LOW);
}

void let_go(pin_size_t pin) {
    pinMode(pin, INPUT_PULLUP);
    delayMicroseconds(half_clock_us);
}

bool lines_freed() {
    let_go(PIN_WIRE_SDA1);
    let_go(PIN_WIRE_SCL1);
    // A sensor that was cut off in the middle of a byte, by a reset of the processor alone, holds
    // the data line until it has been clocked through the rest.
    for (int i = 0; i < 9 && !lines_are_high(); ++i) {
        pull(PIN_WIRE_SCL1);
        delayMicroseconds(half_clock_us);
        let_go(PIN_WIRE_SCL1);
    }
    if (!lines_are_high()) return false;
    pull(PIN_WIRE_SDA1);  // a stop condition
    delayMicroseconds(half_clock_us);
    let_go(PIN_WIRE_SDA1);
    return true;
}

}  // namespace

bool imu_bus_begin(void) {
    // Wire leaves the peripheral on, and as long as it is, the pins are not ours. Its state has to
    // be as before when Wire takes it up again, because Mbed goes by it.
    const uint32_t enabled[] = {NRF_TWI0->ENABLE, NRF_TWI1->ENABLE};
    Wire1.end();
    NRF_TWI0->ENABLE = 0u;
    NRF_TWI1->ENABLE = 0u;
    const bool high = lines_freed();
    NRF_TWI0->ENABLE = enabled[0];
    NRF_TWI1->ENABLE = enabled[1];
    if (!high) return false;
    Wire1.begin();
    imu_bus_fast();
    hung = false;
    return true;
}

void imu_bus_fast(void) {
    Wire1.setClock(bus_hz);
}

bool imu_bus_read(uint8_t device, uint8_t first, uint8_t *data, uint8_t size) {
    const uint32_t since_ms = static_cast<uint32_t>(millis());
    Wire1.beginTransmission(device);
    // With a stop: Mbed sets its peripheral up anew for each transfer, so that there is no repeated
    // start to be had.
    const bool asked = Wire1.write(first) == 1u && Wire1.endTransmission() == 0u;
    if (!counted(asked, since_ms)) return false;
    if (!counted(Wire1.requestFrom(device, size) == size, since_ms)) return false;
    for (uint8_t i = 0; i < size; ++i) data[i] = static_cast<uint8_t>(Wire1.read());
    return true;
}

bool imu_bus_write(uint8_t device, uint8_t address, uint8_t value) {
    const uint32_t since_ms = static_cast<uint32_t>(millis());
    Wire1.beginTransmission(device);
    const bool taken =
        Wire1.write(address) == 1u && Wire1.write(value) == 1u && Wire1.endTransmission() == 0u;
    return counted(taken, since_ms);
}

bool imu_bus_set(uint8_t device, uint8_t address, uint8_t value) {
    uint8_t kept = 0;
    return imu_bus_write(device, address, value) && imu_bus_read(device, address, &kept, 1u) &&
           kept == value;
}

bool imu_bus_shows(uint8_t device, uint8_t address, uint8_t expected) {
    const uint32_t before = errors;
    uint8_t value = 0;
    const bool shown = imu_bus_read(device, address, &value, 1u) && value == expected;
    errors = before;
    return shown;
}

uint32_t imu_bus_errors(void) {
    return errors;
}

bool imu_bus_hung(void) {
    const bool was = hung;
    hung = false;
    return was;
}
