// What the sources of firmware/boards/nano33ble touch, on this machine: a clock that moves only
// when told or when something takes time, motion sensors of both revisions at the level of their
// registers, the internal flash, USB serial, the lights, the processor's thermometer.
#ifndef NANO33BLE_FAKE_H
#define NANO33BLE_FAKE_H

#include <stddef.h>
#include <stdint.h>

#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace fake {

// ---- the clock ----------------------------------------------------------------------------

extern uint64_t now_us;  // millis() and micros() show it modulo 2^32

// ---- the sensor ---------------------------------------------------------------------------

struct Frame {  // raw steps on the chip's own axes
    int16_t accel[3];
    int16_t gyro[3];
};

struct Sensor {
    int revision = 0;      // 0: none on the bus, 1: LSM9DS1, 2: BMI270
    double rate_hz = 0.0;  // its true one
    int failing = 0;       // transfers that fail from now on; -1: all
    int tearing = 0;    // reads of the FIFO that break off: what follows is shifted by half a frame
    bool dead = false;  // answers no address
    bool hanging = false;  // holds the bus, so that each transfer waits long and then fails
    bool frozen = false;   // answers, and makes no more samples
    bool deaf = false;     // takes no setting
    bool stuck = false;    // holds SDA low...
    int frees_after = 0;   // ...until it has seen so many clocks; 0: for good
    // Frame number k since the reset. The default shows k on the accelerometer's first axis
    // and constants elsewhere.
    std::function<Frame(uint64_t k)> motion;
    int cross_axis = 0;  // of a BMI270: what its register GYR_CAS says
    uint64_t transfers = 0;
};

extern Sensor sensor;

// ---- flash, USB serial, the lights, the processor -------------------------------------------

extern std::vector<uint8_t> flash;  // all of the processor's 1 MB
extern uint32_t rom_end;            // where the program ends
extern uint32_t bootloader_word;    // of UICR; 0xFFFFFFFF: none
extern std::function<void()> on_erase;

extern std::string usb_to_host;
extern std::deque<uint8_t> usb_from_host;
extern bool usb_reading;  // a host has the port open and takes what comes

bool lit(unsigned pin);  // LED_BUILTIN, LEDR, LEDG or LEDB of Arduino.h

extern double celsius;

// Makes the caller the thread that Mbed calls the main one.
void stack_begins_here(uint32_t size);

// A board as it comes from reset at `start_us`: sensor started afresh, flash kept.
void reset(int revision, double rate_hz, uint64_t start_us);

}  // namespace fake

#endif
