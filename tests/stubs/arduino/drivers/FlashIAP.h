#ifndef MBED_FLASHIAP_H
#define MBED_FLASHIAP_H

#include <stdint.h>

extern uint32_t flashiap_app_rom_end_addr;
#define FLASHIAP_APP_ROM_END_ADDR flashiap_app_rom_end_addr

namespace mbed {

class FlashIAP {
   public:
    constexpr FlashIAP() {}

    int init();
    int read(void *buffer, uint32_t addr, uint32_t size);
    int program(const void *buffer, uint32_t addr, uint32_t size);
    int erase(uint32_t addr, uint32_t size);
    uint32_t get_sector_size(uint32_t addr) const;
    uint32_t get_page_size() const;
};

}  // namespace mbed

#endif
