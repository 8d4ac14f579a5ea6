// The pages kept for learned heads: the last ones of the nRF52840's internal flash, through Mbed's
// FlashIAP. Erasing a page takes about 85 ms, writing a word 41 us; the processor stands still
// meanwhile, so the sensor's samples are collected between the pieces.
#include <Arduino.h>
#include <cmsis.h>
#include <drivers/FlashIAP.h>

#include "hal/har_board.h"
#include "har_model.h"
#include "nano33ble.h"

// scripts/check_image.py reads in the image where the program has to end.
#define HAR_TEXT_OF(x) #x
#define HAR_TEXT(x) HAR_TEXT_OF(x)
__asm__(
    ".globl har_learned_start\n"
    ".set har_learned_start, 0x100000 - " HAR_TEXT(HAR_STORE_PAGES) " * 0x1000\n");

namespace {

constexpr uint32_t page_bytes = 0x1000u;
constexpr uint32_t region_bytes = HAR_STORE_PAGES * page_bytes;
constexpr uint32_t region_start = 0x100000u - region_bytes;
constexpr uint32_t piece_bytes = 1024u;  // 11 ms
constexpr uint32_t erased_word = 0xFFFFFFFFu;

mbed::FlashIAP flash;
bool ready = false;

bool inside(uint32_t offset, uint32_t size_bytes) {
    return offset <= region_bytes && size_bytes <= region_bytes - offset;
}

har_status read(void *, uint32_t offset, void *data, uint32_t size_bytes) {
    if (!inside(offset, size_bytes)) return HAR_ERR_ARGUMENT;
    if (!ready) return HAR_ERR_FLASH;
    return flash.read(data, region_start + offset, size_bytes) == 0 ? HAR_OK : HAR_ERR_FLASH;
}

har_status write(void *, uint32_t offset, const void *data, uint32_t size_bytes) {
    if (!inside(offset, size_bytes)) return HAR_ERR_ARGUMENT;
    if (offset % HAR_FLASH_WORD_BYTES != 0u || size_bytes % HAR_FLASH_WORD_BYTES != 0u) {
        return HAR_ERR_ARGUMENT;
    }
    if (!ready) return HAR_ERR_FLASH;
    const uint8_t *from = static_cast<const uint8_t *>(data);
    for (uint32_t done = 0; done < size_bytes; done += piece_bytes) {
        const uint32_t left = size_bytes - done;
        const uint32_t piece = left < piece_bytes ? left : piece_bytes;
        const int failed = flash.program(from + done, region_start + offset + done, piece);
        har_board_collect();
        if (failed != 0) return HAR_ERR_FLASH;
    }
    return HAR_OK;
}

har_status erase(void *, uint32_t offset) {
    if (!inside(offset, page_bytes) || offset % page_bytes != 0u) return HAR_ERR_ARGUMENT;
    if (!ready) return HAR_ERR_FLASH;
    const int failed = flash.erase(region_start + offset, page_bytes);
    har_board_collect();
    return failed == 0 ? HAR_OK : HAR_ERR_FLASH;
}

const struct har_flash region = {region_bytes, page_bytes, nullptr, read, write, erase};

}  // namespace

const struct har_flash *har_board_flash(uint32_t pages) {
    return pages == HAR_STORE_PAGES ? &region : nullptr;
}

har_status har_nano33ble_flash_init(void) {
    // Boards updated by Arduino's Nano33BLE_System keep a bootloader at 0xE0000 and its settings
    // at 0xFF000. The word at 0x10001014 (UICR) then names its address; else it is erased.
    if (NRF_UICR->NRFFW[0] != erased_word) return HAR_ERR_STATE;
    if (FLASHIAP_APP_ROM_END_ADDR > region_start) return HAR_ERR_STATE;
    if (flash.init() != 0) return HAR_ERR_FLASH;
    // The record format of docs/STORAGE.md is cut for this geometry.
    ready = flash.get_sector_size(region_start) == page_bytes &&
            flash.get_page_size() <= HAR_FLASH_WORD_BYTES;
    return ready ? HAR_OK : HAR_ERR_FLASH;
}
