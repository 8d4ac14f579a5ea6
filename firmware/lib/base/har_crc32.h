/* CRC-32 (IEEE 802.3, reflected, polynomial 0xEDB88320): the same as Python's zlib.crc32. */
#ifndef HAR_CRC32_H
#define HAR_CRC32_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Continues `crc` (0 to begin) over `size` bytes. */
uint32_t har_crc32(uint32_t crc, const void *data, size_t size);

#ifdef __cplusplus
}
#endif
#endif
