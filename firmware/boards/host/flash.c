/* A NOR flash in the first pages of a file: the same file that the emulated board maps. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "hal/har_board.h"
#include "host.h"

#define PAGE_BYTES 4096u

static int file = -1;
static const char *file_path;
static struct har_flash flash;

static bool read_all(uint32_t offset, uint8_t *data, uint32_t size) {
    return pread(file, data, size, (off_t)offset) == (ssize_t)size;
}

static bool write_all(uint32_t offset, const uint8_t *data, uint32_t size) {
    return pwrite(file, data, size, (off_t)offset) == (ssize_t)size;
}

static bool inside(uint32_t offset, uint32_t size) {
    return offset <= flash.size_bytes && size <= flash.size_bytes - offset;
}

static har_status flash_read(void *context, uint32_t offset, void *data, uint32_t size_bytes) {
    (void)context;
    if (!inside(offset, size_bytes)) return HAR_ERR_ARGUMENT;
    return read_all(offset, (uint8_t *)data, size_bytes) ? HAR_OK : HAR_ERR_FLASH;
}

static har_status flash_write(void *context, uint32_t offset, const void *data,
                              uint32_t size_bytes) {
    const uint8_t *in = (const uint8_t *)data;
    (void)context;
    if (!inside(offset, size_bytes)) return HAR_ERR_ARGUMENT;
    if (offset % HAR_FLASH_WORD_BYTES != 0u || size_bytes % HAR_FLASH_WORD_BYTES != 0u)
        return HAR_ERR_ARGUMENT;
    /* Word by word, as the real flash: a process killed in between leaves a part. */
    for (uint32_t i = 0; i < size_bytes; i += HAR_FLASH_WORD_BYTES) {
        uint8_t word[HAR_FLASH_WORD_BYTES];
        if (!read_all(offset + i, word, sizeof(word))) return HAR_ERR_FLASH;
        for (uint32_t k = 0; k < sizeof(word); ++k) word[k] &= in[i + k];
        if (!write_all(offset + i, word, sizeof(word))) return HAR_ERR_FLASH;
    }
    return HAR_OK;
}

static har_status flash_erase(void *context, uint32_t offset) {
    uint8_t erased[PAGE_BYTES];
    (void)context;
    if (!inside(offset, PAGE_BYTES) || offset % PAGE_BYTES != 0u) return HAR_ERR_ARGUMENT;
    memset(erased, 0xFF, sizeof(erased));
    return write_all(offset, erased, sizeof(erased)) ? HAR_OK : HAR_ERR_FLASH;
}

void har_host_flash_open(const char *path) {
    file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) har_host_die("cannot open", path);
    file_path = path;
}

const struct har_flash *har_board_flash(uint32_t pages) {
    uint8_t last;
    flash = (struct har_flash){
        .size_bytes = pages * PAGE_BYTES,
        .page_bytes = PAGE_BYTES,
        .context = NULL,
        .read = flash_read,
        .write = flash_write,
        .erase = flash_erase,
    };
    if (!read_all(flash.size_bytes - 1u, &last, 1u)) {
        har_host_die("too short for the learned heads of this model:", file_path);
    }
    return &flash;
}
