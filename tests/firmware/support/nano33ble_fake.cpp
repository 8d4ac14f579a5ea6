#include "nano33ble_fake.h"

#include <stdlib.h>
#include <string.h>

#include <utility>

#include "Arduino.h"
#include "Arduino_BMI270_BMM150.h"
#include "USB/PluggableUSBSerial.h"
#include "Wire.h"
#include "cmsis.h"
#include "drivers/FlashIAP.h"
#include "rtx_os.h"

namespace fake {
uint64_t now_us;
Sensor sensor;
std::vector<uint8_t> flash(0x100000, 0xFF);
uint32_t rom_end = 0x60000;
uint32_t bootloader_word = 0xFFFFFFFFu;
std::function<void()> on_erase;
std::string usb_to_host;
std::deque<uint8_t> usb_from_host;
bool usb_reading = true;
double celsius = 25.0;
}  // namespace fake

using fake::now_us;
using fake::sensor;

// ---- the processor ------------------------------------------------------------------------

static DWT_Type dwt;
static CoreDebug_Type core_debug;
static NRF_UICR_Type uicr;
DWT_Type *const DWT = &dwt;
CoreDebug_Type *const CoreDebug = &core_debug;
NRF_UICR_Type *const NRF_UICR = &uicr;

static NRF_TWI_Type twi[2];
NRF_TWI_Type *const NRF_TWI0 = &twi[0];
NRF_TWI_Type *const NRF_TWI1 = &twi[1];

// As NRF_TEMP_Type, whose last member only the hardware can write.
static struct {
    uint32_t start;
    uint32_t ready;
    int32_t quarters;
} temperature;
static_assert(sizeof temperature == sizeof(NRF_TEMP_Type), "another layout");
NRF_TEMP_Type *const NRF_TEMP = reinterpret_cast<NRF_TEMP_Type *>(&temperature);

// The thread that runs main() has the stack below it.
static osRtxThread_t thread;
osThreadId_t osThreadGetId(void) {
    return thread.stack_size == 0u ? nullptr : &thread;
}

void fake::stack_begins_here(uint32_t size) {
    const uintptr_t top = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    thread.stack_size = size;
    thread.stack_mem = reinterpret_cast<void *>((top - size) & ~static_cast<uintptr_t>(7u));
}

// ---- the clock and the pins ---------------------------------------------------------------

static PinStatus pins[64];
static PinMode modes[64];
static int clocks_seen;

extern "C" {
unsigned long millis(void) {
    if (temperature.start != 0u) {  // long done
        temperature = {0u, 1u, static_cast<int32_t>(fake::celsius * 4.0)};
    }
    return static_cast<uint32_t>(now_us / 1000u);
}
unsigned long micros(void) {
    return static_cast<uint32_t>(now_us);
}
void delay(unsigned long ms) {
    now_us += ms * 1000u;
}
void delayMicroseconds(unsigned int us) {
    now_us += us;
}
void pinMode(pin_size_t pin, PinMode mode) {
    const bool ours = twi[0].ENABLE == 0u && twi[1].ENABLE == 0u;  // else the peripheral's
    if (ours && mode != OUTPUT && modes[pin] == OUTPUT && pin == PIN_WIRE_SCL1) ++clocks_seen;
    modes[pin] = mode;
}
void digitalWrite(pin_size_t pin, PinStatus status) {
    pins[pin] = status;
}
PinStatus digitalRead(pin_size_t pin) {
    if (modes[pin] == OUTPUT) return pins[pin];
    if (pin != PIN_WIRE_SDA1 || !sensor.stuck) return HIGH;
    if (sensor.frees_after > 0 && clocks_seen >= sensor.frees_after) sensor.stuck = false;
    return sensor.stuck ? LOW : HIGH;
}
}

bool fake::lit(unsigned pin) {
    const bool high = pins[pin] == HIGH;
    return pin == LED_BUILTIN ? high : !high;
}

// ---- the sensors --------------------------------------------------------------------------

static struct {
    size_t depth;
    uint64_t started_us;
    uint64_t made;
    bool overrun;
    bool on;
    bool torn;  // until the FIFO is emptied
    uint8_t registers[256];
    std::deque<fake::Frame> fifo;
} chip;

static fake::Frame ramp(uint64_t k) {
    return {{static_cast<int16_t>(k % 30000u), 2000, -3000}, {100, -200, 300}};
}

static void chip_restart() {
    chip.on = false;
    chip.torn = false;
    chip.overrun = false;
    chip.fifo.clear();
    memset(chip.registers, 0, sizeof chip.registers);
    chip.registers[sensor.revision == 1 ? 0x0F : 0x00] = sensor.revision == 1 ? 0x68 : 0x24;
}

void fake::reset(int revision, double rate_hz, uint64_t start_us) {
    sensor = Sensor();
    sensor.revision = revision;
    sensor.rate_hz = rate_hz;
    clocks_seen = 0;
    chip = {};
    chip.depth = revision == 1 ? 32u : 170u;
    chip_restart();
    now_us = start_us;
    chip.started_us = start_us;
    uicr.NRFFW[0] = bootloader_word;
    flashiap_app_rom_end_addr = rom_end;
}

static void chip_advance() {
    const double seconds = static_cast<double>(now_us - chip.started_us) * 1e-6;
    const uint64_t due = static_cast<uint64_t>(seconds * sensor.rate_hz);
    for (; chip.made < due; ++chip.made) {
        if (!chip.on || sensor.frozen) continue;
        chip.fifo.push_back(sensor.motion ? sensor.motion(chip.made) : ramp(chip.made));
        fake::Frame &newest = chip.fifo.back();
        if (chip.torn) std::swap(newest.accel, newest.gyro);
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

static void chip_empty() {
    chip.fifo.clear();
    chip.torn = false;
}

static bool is_fifo(uint8_t address) {
    return address == (sensor.revision == 1 ? 0x18 : 0x26);
}

static std::vector<uint8_t> chip_read(uint8_t address, size_t size) {
    chip_advance();
    std::vector<uint8_t> bytes;
    if (sensor.revision == 1 && address == 0x2F) {
        const size_t waiting = chip.fifo.size();
        bytes.push_back(static_cast<uint8_t>(waiting | (chip.overrun ? 0x40u : 0u)));
        chip.overrun = false;
    } else if (sensor.revision == 1 && address == 0x18 && !chip.fifo.empty()) {
        put(&bytes, chip.fifo.front().gyro);
    } else if (sensor.revision == 1 && address == 0x28 && !chip.fifo.empty()) {
        put(&bytes, chip.fifo.front().accel);
        chip.fifo.pop_front();
    } else if (sensor.revision == 2 && address == 0x24) {
        const size_t waiting = chip.fifo.size() * 12u + (chip.overrun ? 8u : 0u);
        bytes = {static_cast<uint8_t>(waiting & 0xFFu), static_cast<uint8_t>(waiting >> 8)};
        chip.overrun = false;
    } else if (sensor.revision == 2 && address == 0x26) {
        while (bytes.size() < size && !chip.fifo.empty()) {
            put(&bytes, chip.fifo.front().gyro);
            put(&bytes, chip.fifo.front().accel);
            chip.fifo.pop_front();
        }
        while (bytes.size() < size) bytes.push_back(bytes.size() % 2u != 0u ? 0x80 : 0x00);
    } else {
        for (size_t i = 0; i < size; ++i) bytes.push_back(chip.registers[(address + i) & 0xFFu]);
    }
    bytes.resize(size);
    return bytes;
}

static void chip_write(uint8_t address, uint8_t value) {
    if (sensor.deaf) return;
    chip_advance();
    if (sensor.revision == 1 && address == 0x22 && (value & 1u) != 0u) {
        chip_restart();
        return;
    }
    if (sensor.revision == 2 && address == 0x7E) {
        chip_empty();
        return;
    }
    chip.registers[address] = value;
    if (sensor.revision == 1) {
        const uint8_t *r = chip.registers;
        if (address == 0x2E && value == 0x00) chip_empty();
        chip.on = r[0x2E] == 0xC0 && r[0x23] == 0x02 && r[0x10] == 0x78 && r[0x20] == 0x70;
    } else {
        chip.on = chip.registers[0x49] == 0xC0 && chip.registers[0x7D] == 0x06;
    }
}

// ---- the bus ------------------------------------------------------------------------------

arduino::MbedI2C Wire1;
static bool bus_up;
static bool bus_used;
static uint8_t bus_device;
static std::vector<uint8_t> bus_out;
static std::deque<uint8_t> bus_in;

static bool transferred(size_t bytes) {
    ++sensor.transfers;
    if (!bus_up) abort();                          // the real one reads through a null pointer
    if (bus_used && twi[0].ENABLE == 0u) abort();  // the real one then never sets it up again
    bus_used = true;
    twi[0].ENABLE = 5u;
    now_us += 30u + 25u * bytes;
    if (sensor.hanging) now_us += 150000u;
    if (sensor.dead || sensor.stuck || sensor.hanging) return false;
    if (sensor.failing != 0) {
        if (sensor.failing > 0) --sensor.failing;
        return false;
    }
    return (sensor.revision == 1 && bus_device == 0x6B) ||
           (sensor.revision == 2 && bus_device == 0x68);
}

namespace arduino {
void MbedI2C::begin() {
    bus_up = true;
}
void MbedI2C::end() {
    bus_up = false;
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
    if (!transferred(1u + bus_out.size())) return 2;
    if (bus_out.size() == 2) chip_write(bus_out[0], bus_out[1]);
    return 0;
}
uint8_t MbedI2C::endTransmission(void) {
    return endTransmission(true);
}
size_t MbedI2C::requestFrom(uint8_t address, size_t len, bool) {
    bus_device = address;
    if (len > 256u) len = 256u;
    if (!transferred(1u + len)) return 0;
    if (sensor.tearing > 0 && is_fifo(bus_out.at(0))) {
        --sensor.tearing;
        chip.torn = true;
        return 0;
    }
    for (const uint8_t byte : chip_read(bus_out.at(0), len)) {
        if (bus_in.size() < 256u) bus_in.push_back(byte);
    }
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
    Wire1.begin();
    bus_device = 0x68;
    if (cfg != BOSCH_ACCELEROMETER_ONLY || !transferred(1u)) return 0;
    now_us += 900000u;  // at 100 kHz
    chip_advance();
    chip_restart();
    chip.registers[0x21] = 0x01;
    chip.registers[0x3C] = static_cast<uint8_t>(sensor.cross_axis & 0x7F);
    return 1;
}

// ---- flash, USB serial, processor ---------------------------------------------------------

uint32_t flashiap_app_rom_end_addr;

namespace mbed {
int FlashIAP::init() {
    return 0;
}
int FlashIAP::read(void *buffer, uint32_t addr, uint32_t size) {
    memcpy(buffer, &fake::flash.at(addr), size);
    return 0;
}
int FlashIAP::program(const void *buffer, uint32_t addr, uint32_t size) {
    now_us += size / 4u * 41u;
    for (uint32_t i = 0; i < size; ++i) {
        fake::flash.at(addr + i) &= static_cast<const uint8_t *>(buffer)[i];
    }
    return 0;
}
int FlashIAP::erase(uint32_t addr, uint32_t size) {
    now_us += size / 4096u * 85000u;
    for (uint32_t i = 0; i < size; ++i) fake::flash.at(addr + i) = 0xFF;
    if (fake::on_erase) fake::on_erase();
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

namespace arduino {
void USBCDC::send_nb(uint8_t *buffer, uint32_t size, uint32_t *actual, bool now) {
    const uint32_t room = fake::usb_reading ? 64u : 0u;
    *actual = size < room ? size : room;
    if (now) fake::usb_to_host.append(reinterpret_cast<char *>(buffer), *actual);
}
int USBSerial::read(void) {
    if (fake::usb_from_host.empty()) return -1;
    const int byte = fake::usb_from_host.front();
    fake::usb_from_host.pop_front();
    return byte;
}
}  // namespace arduino
