// firmware/src/main.cpp on this machine, in scripted time. One command a line, one answer.
// What the processor works on takes the time that is told; the bus, the flash and delay() take
// their own (nano33ble_fake.cpp).
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "Arduino.h"
#include "lib/engine/har_engine.h"
#include "lib/head/har_head.h"
#include "nano33ble_fake.h"

static uint32_t turn_us = 200;
static uint32_t inference_us = 100000;
static uint32_t step_us = 1000;
static uint32_t packet_us = 500;
static uint64_t packet_under_way_until_us;

extern "C" {
int har_test_engine_broken;
int har_test_engine_run_fails;
size_t __real_har_board_write(const uint8_t *, size_t);
size_t __wrap_har_board_write(const uint8_t *, size_t);
har_status __real_har_engine_run(void);
har_status __wrap_har_engine_run(void);
void __real_har_head_step(struct har_head *, const struct har_step *, const int8_t *, uint8_t,
                          float);
void __wrap_har_head_step(struct har_head *, const struct har_step *, const int8_t *, uint8_t,
                          float);
}

har_status __wrap_har_engine_run(void) {
    fake::now_us += inference_us;
    return __real_har_engine_run();
}

void __wrap_har_head_step(struct har_head *head, const struct har_step *step, const int8_t *window,
                          uint8_t label, float weight) {
    fake::now_us += step_us;
    __real_har_head_step(head, step, window, label, weight);
}

// As send_nb() does it: nothing while a packet is under way.
size_t __wrap_har_board_write(const uint8_t *data, size_t size) {
    if (fake::now_us < packet_under_way_until_us) return 0;
    const size_t taken = __real_har_board_write(data, size);
    if (taken > 0u) packet_under_way_until_us = fake::now_us + packet_us;
    return taken;
}

static char word[2 * 65536 + 1];

static const char *take_word() {
    if (scanf("%131072s", word) != 1) exit(3);
    return word;
}

static unsigned long long take_number() {
    return strtoull(take_word(), nullptr, 10);
}

// The acceleration along z counts the samples, which both revisions show as it is.
static fake::Frame counted(uint64_t k) {
    const int noise = static_cast<int>(k * 2654435761u >> 7 & 0xFFF) - 2048;
    const int16_t x = static_cast<int16_t>(noise);
    return {{x, static_cast<int16_t>(-x), static_cast<int16_t>(k % 30000u)}, {0, 0, 0}};
}

// boot REVISION TRUE_RATE_HZ CLOCK_US
static void boot() {
    const int revision = static_cast<int>(take_number());
    const double rate_hz = strtod(take_word(), nullptr);
    fake::reset(revision, rate_hz, take_number());
    fake::sensor.motion = counted;
    fake::usb_reading = false;
    packet_under_way_until_us = 0;
    setup();
    puts("ok");
}

// run US: turns, the longest of them in us, and what the host was sent meanwhile
static void run() {
    const uint64_t end_us = fake::now_us + take_number();
    unsigned turns = 0;
    uint64_t longest_us = 0;
    while (fake::now_us < end_us) {
        const uint64_t began_us = fake::now_us;
        loop();
        fake::now_us += turn_us;
        longest_us = std::max(longest_us, fake::now_us - began_us);
        ++turns;
    }
    printf("%u %llu ", turns, static_cast<unsigned long long>(longest_us));
    for (const char c : fake::usb_to_host) printf("%02x", static_cast<unsigned char>(c));
    fake::usb_to_host.clear();
    puts("");
}

static void cost() {
    const std::string what = take_word();
    const uint32_t us = static_cast<uint32_t>(take_number());
    if (what == "turn") {
        turn_us = us;
    } else if (what == "inference") {
        inference_us = us;
    } else if (what == "step") {
        step_us = us;
    } else if (what == "packet") {
        packet_us = us;
    } else {
        exit(3);
    }
    puts("ok");
}

// send HEX: bytes for the board
static void send() {
    const std::string hex = take_word();
    for (size_t i = 0; i + 1 < hex.size(); i += 2) {
        const std::string byte = hex.substr(i, 2);
        fake::usb_from_host.push_back(static_cast<uint8_t>(strtoul(byte.c_str(), nullptr, 16)));
    }
    puts("ok");
}

int main() {
    setvbuf(stdout, nullptr, _IOFBF, 1 << 16);
    for (char name[16]; scanf("%15s", name) == 1; fflush(stdout)) {
        alarm(30);  // a loop that waits for what does not come would wait forever
        const std::string command = name;
        if (command == "boot") {
            boot();
        } else if (command == "run") {
            run();
        } else if (command == "cost") {
            cost();
        } else if (command == "send") {
            send();
        } else if (command == "port") {
            fake::usb_reading = take_number() != 0u;
            puts("ok");
        } else if (command == "stall") {
            fake::now_us += take_number();
            puts("ok");
        } else if (command == "fail") {
            fake::sensor.failing = atoi(take_word());
            puts("ok");
        } else if (command == "dead") {
            fake::sensor.dead = take_number() != 0u;
            puts("ok");
        } else if (command == "frozen") {
            fake::sensor.frozen = take_number() != 0u;
            puts("ok");
        } else if (command == "clock") {
            printf("%llu\n", static_cast<unsigned long long>(fake::now_us));
        } else {
            return 3;
        }
    }
    return 0;
}
