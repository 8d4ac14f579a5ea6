// firmware/board/nano33ble on this machine: a scripted clock, motion sensors of both revisions at
// the level of their registers, internal flash and USB serial. One command a line, one answer.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <deque>
#include <string>
#include <vector>

#include "Arduino.h"
#include "Arduino_BMI270_BMM150.h"
#include "USB/PluggableUSBSerial.h"
#include "Wire.h"
#include "cmsis.h"
#include "drivers/FlashIAP.h"
#include "har_assert.h"
#include "har_board.h"
#include "har_model.h"
#include "imu.h"

// ---- the clock ----------------------------------------------------------------------------

static uint64_t now_us;

extern "C" {
unsigned long millis(void) {
    return static_cast<uint32_t>(now_us / 1000u);
}
unsigned long micros(void) {
    return static_cast<uint32_t>(now_us);
}
void delay(unsigned long ms) {
    now_us += ms * 1000u;
}
void pinMode(pin_size_t, PinMode) {}
void digitalWrite(pin_size_t, PinStatus) {}
}

// ---- the sensors --------------------------------------------------------------------------

// Sample k shows k on the first axis of the accelerometer and constants elsewhere.
struct Frame {
    int16_t accel[3];
    int16_t gyro[3];
};

static struct {
    int revision;
    double rate_hz;
    size_t depth;
    uint64_t started_us;
    uint64_t made;
    bool overrun;
    bool on;
    uint8_t registers[256];
    std::deque<Frame> fifo;
    int failing; /* transfers that still fail; -1: all */
} chip;

static void sensor_advance() {
    if (!chip.on) return;
    const double seconds = static_cast<double>(now_us - chip.started_us) * 1e-6;
    const uint64_t due = static_cast<uint64_t>(seconds * chip.rate_hz);
    for (; chip.made < due; ++chip.made) {
        const int16_t k = static_cast<int16_t>(chip.made % 30000u);
        chip.fifo.push_back({{k, 2000, -3000}, {100, -200, 300}});
        if (chip.fifo.size() <= chip.depth) continue;
        chip.fifo.pop_front();
        chip.overrun = true;
    }
}

static void put(std::vector<uint8_t> *bytes, const int16_t *axes) {
    for (int i = 0; i < 3; ++i) {
        bytes->push_back(static_cast<uint8_t>(axes[i] & 0xFF));
        bytes->push_back(static_cast<uint8_t>((axes[i] >> 8) & 0xFF));
    }
}

static std::vector<uint8_t> sensor_read(uint8_t address, size_t size) {
    sensor_advance();
    std::vector<uint8_t> bytes;
    if (chip.revision == 1 && address == 0x2F) {
        const size_t waiting = chip.fifo.size();
        bytes.push_back(static_cast<uint8_t>(waiting | (chip.overrun ? 0x40u : 0u)));
        chip.overrun = false;
    } else if (chip.revision == 1 && address == 0x18 && !chip.fifo.empty()) {
        put(&bytes, chip.fifo.front().gyro);
    } else if (chip.revision == 1 && address == 0x28 && !chip.fifo.empty()) {
        put(&bytes, chip.fifo.front().accel);
        chip.fifo.pop_front();
    } else if (chip.revision == 2 && address == 0x24) {
        const size_t waiting = chip.fifo.size() * 12u + (chip.overrun ? 8u : 0u);
        bytes = {static_cast<uint8_t>(waiting & 0xFFu), static_cast<uint8_t>(waiting >> 8)};
        chip.overrun = false;
    } else if (chip.revision == 2 && address == 0x26 && !chip.fifo.empty()) {
        put(&bytes, chip.fifo.front().gyro);
        put(&bytes, chip.fifo.front().accel);
        chip.fifo.pop_front();
    } else {
        for (size_t i = 0; i < size; ++i) bytes.push_back(chip.registers[(address + i) & 0xFFu]);
    }
    bytes.resize(size);
    return bytes;
}

static void sensor_write(uint8_t address, uint8_t value) {
    chip.registers[address] = value;
    const bool starts =
        chip.revision == 1 ? address == 0x2E && value == 0xC0 : address == 0x7E && value == 0xB0;
    if (!starts) return;
    chip.on = true;
    chip.started_us = now_us;
    chip.made = 0;
    chip.fifo.clear();
}

arduino::MbedI2C Wire1;
static bool bus_up;
static uint8_t bus_device;
static std::vector<uint8_t> bus_out;
static std::deque<uint8_t> bus_in;

static bool acknowledged() {
    now_us += 60u;
    if (!bus_up) abort();  // the real one reads through a null pointer
    if (chip.failing != 0) {
        if (chip.failing > 0) --chip.failing;
        return false;
    }
    return (chip.revision == 1 && bus_device == 0x6B) || (chip.revision == 2 && bus_device == 0x68);
}

namespace arduino {
void MbedI2C::begin() {
    bus_up = true;
}
void MbedI2C::setClock(uint32_t) {}
void MbedI2C::beginTransmission(uint8_t address) {
    bus_device = address;
    bus_out.clear();
}
size_t MbedI2C::write(uint8_t data) {
    bus_out.push_back(data);
    return 1;
}
uint8_t MbedI2C::endTransmission(bool) {
    if (!acknowledged()) return 2;
    if (bus_out.size() == 2) sensor_write(bus_out[0], bus_out[1]);
    return 0;
}
uint8_t MbedI2C::endTransmission(void) {
    return endTransmission(true);
}
size_t MbedI2C::requestFrom(uint8_t address, size_t len, bool) {
    bus_device = address;
    if (!acknowledged()) return 0;
    for (const uint8_t byte : sensor_read(bus_out.at(0), len)) bus_in.push_back(byte);
    return len;
}
size_t MbedI2C::requestFrom(uint8_t address, size_t len) {
    return requestFrom(address, len, true);
}
int MbedI2C::read() {
    if (bus_in.empty()) return -1;
    const int byte = bus_in.front();
    bus_in.pop_front();
    return byte;
}
}  // namespace arduino

BoschSensorClass IMU_BMI270_BMM150;
int BoschSensorClass::begin(CfgBoshSensor_t cfg) {
    if (cfg != BOSCH_ACCELEROMETER_ONLY) return 0;
    chip.registers[0x41] = 0x01;
    chip.registers[0x43] = 0x00;
    return 1;
}

// ---- flash, USB serial, processor ---------------------------------------------------------

static std::vector<uint8_t> flash_bytes(0x100000, 0xFF);
uint32_t flashiap_app_rom_end_addr;

namespace mbed {
int FlashIAP::init() {
    return 0;
}
int FlashIAP::read(void *buffer, uint32_t addr, uint32_t size) {
    memcpy(buffer, &flash_bytes.at(addr), size);
    return 0;
}
int FlashIAP::program(const void *buffer, uint32_t addr, uint32_t size) {
    for (uint32_t i = 0; i < size; ++i) {
        flash_bytes.at(addr + i) &= static_cast<const uint8_t *>(buffer)[i];
    }
    return 0;
}
int FlashIAP::erase(uint32_t addr, uint32_t size) {
    for (uint32_t i = 0; i < size; ++i) flash_bytes.at(addr + i) = 0xFF;
    return 0;
}
uint32_t FlashIAP::get_sector_size(uint32_t) const {
    return 0x1000;
}
uint32_t FlashIAP::get_page_size() const {
    return 4;
}
}  // namespace mbed

arduino::USBSerial _SerialUSB;
static std::string usb_to_host;
static std::deque<uint8_t> usb_from_host;
static bool usb_reading = true;

namespace arduino {
void USBCDC::send_nb(uint8_t *buffer, uint32_t size, uint32_t *actual, bool now) {
    const uint32_t room = usb_reading ? 64u : 0u;
    *actual = size < room ? size : room;
    if (now) usb_to_host.append(reinterpret_cast<char *>(buffer), *actual);
}
int USBSerial::read(void) {
    if (usb_from_host.empty()) return -1;
    const int byte = usb_from_host.front();
    usb_from_host.pop_front();
    return byte;
}
}  // namespace arduino

static DWT_Type dwt;
static CoreDebug_Type core_debug;
static NRF_UICR_Type uicr;
DWT_Type *const DWT = &dwt;
CoreDebug_Type *const CoreDebug = &core_debug;
NRF_UICR_Type *const NRF_UICR = &uicr;

// ---- commands -----------------------------------------------------------------------------

// boot REVISION TRUE_RATE_HZ CLOCK_US UICR_WORD ROM_END
static void boot() {
    double rate_hz = 0;
    unsigned long long start = 0;
    unsigned word = 0, end = 0;
    if (scanf("%d %lf %llu %x %x", &chip.revision, &rate_hz, &start, &word, &end) != 5) abort();
    chip.rate_hz = rate_hz;
    chip.depth = chip.revision == 1 ? 32u : 170u;
    memset(chip.registers, 0, sizeof chip.registers);
    chip.registers[chip.revision == 1 ? 0x0F : 0x00] = chip.revision == 1 ? 0x68 : 0x24;
    now_us = start;
    uicr.NRFFW[0] = word;
    flashiap_app_rom_end_addr = end;
    har_board_init();
    puts("ok");
}

// poll MS: what the IMU gives in that time, asked once a millisecond; a dot ends it
static void poll() {
    unsigned ms = 0;
    if (scanf("%u", &ms) != 1) abort();
    const uint64_t end_us = now_us + ms * 1000ull;
    while (now_us < end_us) {
        now_us += 1000u;
        float sample[6];
        while (har_board_imu(sample)) {
            for (int c = 0; c < 6; ++c) printf("%.6g ", static_cast<double>(sample[c]));
        }
    }
    puts(".");
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
    while (flash_bytes[first] == 0xFF) ++first;
    printf("%u %zx %d\n", f->size_bytes, first, har_board_flash(HAR_STORE_PAGES + 1) != nullptr);
}

// write SIZE READING: how much the serial line takes while the host reads, or does not
static void serial_write() {
    unsigned size = 0;
    int reading = 0;
    if (scanf("%u %d", &size, &reading) != 2) abort();
    usb_reading = reading != 0;
    const std::vector<uint8_t> data(size, 'x');
    printf("%zu\n", har_board_write(data.data(), size));
}

// read SIZE CAPACITY: how much of what waits comes at once
static void serial_read() {
    unsigned size = 0, capacity = 0;
    if (scanf("%u %u", &size, &capacity) != 2) abort();
    usb_from_host.assign(size, 'y');
    std::vector<uint8_t> data(capacity);
    printf("%zu\n", har_board_read(data.data(), capacity));
}

int main() {
    char word[16];
    setvbuf(stdout, nullptr, _IOLBF, 0);
    while (scanf("%15s", word) == 1) {
        const std::string command = word;
        if (command == "boot") {
            boot();
        } else if (command == "poll") {
            poll();
        } else if (command == "stall") {
            unsigned ms = 0;
            if (scanf("%u", &ms) != 1) abort();
            now_us += ms * 1000ull;
            puts("ok");
        } else if (command == "fail") {
            if (scanf("%d", &chip.failing) != 1) abort();
            puts("ok");
        } else if (command == "rate") {
            printf("%.6g\n", static_cast<double>(imu_rate_hz()));
        } else if (command == "flash") {
            flash();
        } else if (command == "region") {
            region();
        } else if (command == "write") {
            serial_write();
        } else if (command == "read") {
            serial_read();
        } else {
            abort();
        }
    }
    return 0;
}
