/* A NOR flash in the first pages of the machine's external RAM, which is a file of the host: what
 * was written is still there after the emulator was killed, and so is what was half written. */
#include "hal/har_board.h"
#include "mps2.h"

#define PAGE_BYTES 4096u

static struct har_flash flash;

static bool inside(uint32_t offset, uint32_t size) {
    return offset <= flash.size_bytes && size <= flash.size_bytes - offset;
}

static har_status flash_read(void *context, uint32_t offset, void *data, uint32_t size_bytes) {
    uint8_t *out = (uint8_t *)data;
    (void)context;
    if (!inside(offset, size_bytes)) return HAR_ERR_ARGUMENT;
    for (uint32_t i = 0; i < size_bytes; ++i) out[i] = HAR_MPS2_PSRAM[offset + i];
    return HAR_OK;
}

static har_status flash_write(void *context, uint32_t offset, const void *data,
                              uint32_t size_bytes) {
    const uint8_t *in = (const uint8_t *)data;
    (void)context;
    if (!inside(offset, size_bytes)) return HAR_ERR_ARGUMENT;
    if (offset % HAR_FLASH_WORD_BYTES != 0u || size_bytes % HAR_FLASH_WORD_BYTES != 0u)
        return HAR_ERR_ARGUMENT;
    for (uint32_t i = 0; i < size_bytes; ++i) HAR_MPS2_PSRAM[offset + i] &= in[i];
    return HAR_OK;
}

static har_status flash_erase(void *context, uint32_t offset) {
    (void)context;
    if (!inside(offset, PAGE_BYTES) || offset % PAGE_BYTES != 0u) return HAR_ERR_ARGUMENT;
    for (uint32_t i = 0; i < PAGE_BYTES; ++i) HAR_MPS2_PSRAM[offset + i] = 0xFFu;
    return HAR_OK;
}

const struct har_flash *har_board_flash(uint32_t pages) {
    if (pages > HAR_MPS2_PSRAM_BYTES / PAGE_BYTES) return 0;
    flash = (struct har_flash){
        .size_bytes = pages * PAGE_BYTES,
        .page_bytes = PAGE_BYTES,
        .context = 0,
        .read = flash_read,
        .write = flash_write,
        .erase = flash_erase,
    };
    return &flash;
}
