// firmware/boards/nano33ble over nano33ble_fake. One command a line, one answer.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <string>
#include <vector>

#include "Arduino.h"
#include "hal/har_board.h"
#include "har_model.h"
#include "nano33ble_fake.h"

using fake::now_us;
using fake::sensor;

static unsigned long long number() {
    unsigned long long value = 0;
    if (scanf("%llu", &value) != 1) abort();
    return value;
}

// boot REVISION TRUE_RATE_HZ CLOCK_US UICR_WORD ROM_END
static void boot() {
    int revision = 0;
    double rate_hz = 0;
    unsigned long long start = 0;
    unsigned word = 0, end = 0;
    if (scanf("%d %lf %llu %x %x", &revision, &rate_hz, &start, &word, &end) != 5) abort();
    fake::bootloader_word = word;
    fake::rom_end = end;
    const fake::Sensor before = sensor;
    fake::reset(revision, rate_hz, start);
    sensor.deaf = before.deaf;  // `set` may come before `boot`
    sensor.stuck = before.stuck;
    sensor.frees_after = before.frees_after;
    sensor.cross_axis = before.cross_axis;
    sensor.motion = before.motion;
    har_board_init();
    puts("ok");
}

// set NAME VALUE
static void set() {
    char name[16];
    int value = 0;
    if (scanf("%15s %d", name, &value) != 2) abort();
    const std::string what = name;
    if (what == "failing") {
        sensor.failing = value;
    } else if (what == "tearing") {
        sensor.tearing = value;
    } else if (what == "dead") {
        sensor.dead = value != 0;
    } else if (what == "hanging") {
        sensor.hanging = value != 0;
    } else if (what == "frozen") {
        sensor.frozen = value != 0;
    } else if (what == "deaf") {
        sensor.deaf = value != 0;
    } else if (what == "stuck") {
        sensor.stuck = value != 0;
    } else if (what == "frees_after") {
        sensor.frees_after = value;
    } else if (what == "cross_axis") {
        sensor.cross_axis = value;
    } else if (what == "centicelsius") {
        fake::celsius = value / 100.0;
    } else {
        abort();
    }
    puts("ok");
}

// motion STEPS: frame k from now on shows these six raw steps, with one of noise; the ramp before
static void motion() {
    int steps[6];
    for (int &step : steps) {
        if (scanf("%d", &step) != 1) abort();
    }
    sensor.motion = [=](uint64_t k) {
        fake::Frame frame;
        for (int i = 0; i < 3; ++i) {
            frame.accel[i] = static_cast<int16_t>(steps[i] + static_cast<int>(k % 2u));
            frame.gyro[i] = static_cast<int16_t>(steps[3 + i] + static_cast<int>(k % 2u));
        }
        return frame;
    };
    puts("ok");
}

static void take() {
    struct har_sensed s;
    while (har_board_imu(&s)) {
        printf("%u %u ", s.time_ms, s.lost);
        for (int c = 0; c < 6; ++c) printf("%.7g ", static_cast<double>(s.values[c]));
    }
}

// poll MS: what the IMU gives in that time, asked once a millisecond: time_ms, lost and six values
// a sample; a dot ends it
static void poll() {
    const uint64_t end_us = now_us + number() * 1000u;
    while (now_us < end_us) {
        now_us += 1000u;
        take();
    }
    puts(".");
}

// work MS: MS of work that collects each 50 ms
static void work() {
    const uint64_t end_us = now_us + number() * 1000u;
    while (now_us < end_us) {
        now_us += 50000u;
        har_board_collect();
    }
    puts("ok");
}

// state: all of har_sensor_state
static void state() {
    struct har_sensor_state s;
    har_board_sensor(&s);
    printf("%u %u %d %.7g %.7g ", s.sensor, s.trouble, s.zero_known,
           static_cast<double>(s.nominal_hz), static_cast<double>(s.rate_hz));
    for (const float zero : s.gyro_zero) printf("%.7g ", static_cast<double>(zero));
    printf("%.7g %u %u %u %u\n", static_cast<double>(s.celsius), s.overruns, s.bus_errors,
           s.saturated, s.late);
}

// transfers: on the bus since the boot
static void transfers() {
    printf("%llu\n", static_cast<unsigned long long>(sensor.transfers));
}

// lights STATE MS: each millisecond's lights: orange 1, red 2, green 4, blue 8
static void lights() {
    const uint8_t shown = static_cast<uint8_t>(number());
    for (unsigned long long ms = number(); ms > 0; --ms) {
        now_us += 1000u;
        har_board_show(shown);
        printf("%d ", fake::lit(LED_BUILTIN) + 2 * fake::lit(LEDR) + 4 * fake::lit(LEDG) +
                          8 * fake::lit(LEDB));
    }
    puts(".");
}

// save PAGES BYTES: erases so many pages, and writes so many bytes into each
static void save() {
    const unsigned pages = static_cast<unsigned>(number());
    const std::vector<uint8_t> out(number(), 0xA5);
    const struct har_flash *f = har_board_flash(HAR_STORE_PAGES);
    for (unsigned page = 0; page < pages; ++page) {
        if (f->erase(f->context, page * f->page_bytes) != HAR_OK) abort();
        const uint32_t size = static_cast<uint32_t>(out.size());
        if (f->write(f->context, page * f->page_bytes, out.data(), size) != HAR_OK) abort();
    }
    puts("ok");
}

// stack: size and use, before and after 20000 bytes of it are used
static uint8_t deep(int levels) {
    volatile uint8_t here[1000];
    here[0] = static_cast<uint8_t>(levels);
    return levels == 0 ? here[0] : static_cast<uint8_t>(here[0] + deep(levels - 1));
}
static void stack() {
    printf("%u %u ", har_board_stack_size(), har_board_stack_used());
    deep(20);
    printf("%u\n", har_board_stack_used());
}

// stall MS: the board does nothing
static void stall() {
    now_us += number() * 1000u;
    puts("ok");
}

// flash OFFSET SIZE: the statuses of erase, write and read there, and whether it reads back
static void flash() {
    unsigned offset = 0, size = 0;
    if (scanf("%u %u", &offset, &size) != 2) abort();
    const struct har_flash *f = har_board_flash(HAR_STORE_PAGES);
    std::vector<uint8_t> out(size, 0x5A), in(size, 0);
    const int erased = f->erase(f->context, offset);
    const int written = f->write(f->context, offset, out.data(), size);
    const int read = f->read(f->context, offset, in.data(), size);
    printf("%d %d %d %d\n", erased, written, read, in == out);
}

// region: its size, the address of its first byte, and whether there is one of another size
static void region() {
    const struct har_flash *f = har_board_flash(HAR_STORE_PAGES);
    const uint32_t word = 0;
    if (f->write(f->context, 0, &word, sizeof word) != HAR_OK) abort();
    size_t first = 0;
    while (fake::flash[first] == 0xFF) ++first;
    printf("%u %zx %d\n", f->size_bytes, first, har_board_flash(HAR_STORE_PAGES + 1) != nullptr);
}

// write SIZE READING: how much the serial line takes while the host reads, or does not
static void serial_write() {
    unsigned size = 0;
    int reading = 0;
    if (scanf("%u %d", &size, &reading) != 2) abort();
    fake::usb_reading = reading != 0;
    const std::vector<uint8_t> data(size, 'x');
    printf("%zu\n", har_board_write(data.data(), size));
}

// read SIZE CAPACITY: how much of what waits comes at once
static void serial_read() {
    unsigned size = 0, capacity = 0;
    if (scanf("%u %u", &size, &capacity) != 2) abort();
    fake::usb_from_host.assign(size, 'y');
    std::vector<uint8_t> data(capacity);
    printf("%zu\n", har_board_read(data.data(), capacity));
}

int main() {
    fake::stack_begins_here(65536u);
    const struct {
        const char *name;
        void (*run)();
    } commands[] = {
        {"boot", boot},   {"set", set},          {"motion", motion},       {"poll", poll},
        {"work", work},   {"state", state},      {"lights", lights},       {"save", save},
        {"stack", stack}, {"flash", flash},      {"region", region},       {"write", serial_write},
        {"stall", stall}, {"read", serial_read}, {"transfers", transfers},
    };
    char word[16];
    setvbuf(stdout, nullptr, _IOLBF, 0);
    while (scanf("%15s", word) == 1) {
        bool known = false;
        for (const auto &command : commands) {
            if (strcmp(word, command.name) != 0) continue;
            command.run();
            known = true;
        }
        if (!known) abort();
    }
    return 0;
}
