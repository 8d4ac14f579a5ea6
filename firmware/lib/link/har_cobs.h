/* COBS (Cheshire & Baker 1999): removes every 0x00 from a run of bytes, at the price of one byte
 * and one more per 254, so that 0x00 can end a frame.
 *
 * The caller owns all memory. Sizes are bytes. The 0x00 at the end is not part of it.
 */
#ifndef HAR_COBS_H
#define HAR_COBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/har_status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Room for `size` bytes once encoded. */
#define HAR_COBS_ENCODED_BYTES(size) ((size) + (size) / 254u + 1u)

/* Encoder that takes its input in pieces and writes straight into `out`. */
struct har_cobs_encoder {
    uint8_t *out; /* the caller's */
    size_t capacity;
    size_t used;     /* bytes of `out` taken so far */
    size_t code_at;  /* where the length of the open group will stand */
    uint8_t code;    /* that length, 1..0xFF */
    bool overflowed; /* `out` was too small; latched */
};

void har_cobs_begin(struct har_cobs_encoder *encoder, uint8_t *out, size_t capacity);
void har_cobs_put(struct har_cobs_encoder *encoder, const void *data, size_t size);

/* Bytes written in all, or 0 when `out` was too small. */
size_t har_cobs_end(struct har_cobs_encoder *encoder);

/* Decodes `size` bytes into `out`, which may be `data` itself. HAR_ERR_LENGTH: badly stuffed
 * (empty, a 0x00 inside, a group that runs past the end) or `out` too small; *decoded is then 0. */
har_status har_cobs_decode(const uint8_t *data, size_t size, uint8_t *out, size_t capacity,
                           size_t *decoded);

#ifdef __cplusplus
}
#endif
#endif
