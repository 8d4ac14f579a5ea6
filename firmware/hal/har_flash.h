/* The seam to a NOR flash region. Offsets are bytes from the region's start.
 * Erasing sets a page to 0xFF; writing can only clear bits; both may be cut by a power loss. */
#ifndef HAR_FLASH_H
#define HAR_FLASH_H

#include <stdint.h>

#include "lib/base/har_status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HAR_FLASH_WORD_BYTES 4u

struct har_flash {
    uint32_t size_bytes; /* a multiple of page_bytes */
    uint32_t page_bytes; /* smallest unit of erase */
    void *context;       /* handed to each call */
    har_status (*read)(void *context, uint32_t offset, void *data, uint32_t size_bytes);
    /* offset and size are multiples of HAR_FLASH_WORD_BYTES; the words were erased before. */
    har_status (*write)(void *context, uint32_t offset, const void *data, uint32_t size_bytes);
    /* offset is a multiple of page_bytes; erases one page. */
    har_status (*erase)(void *context, uint32_t offset);
};

#ifdef __cplusplus
}
#endif
#endif
