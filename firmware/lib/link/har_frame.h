/* Frames on the serial line: COBS(type u8 | seq u16 | payload | crc32 u32) 0x00.
 * docs/PROTOCOL.md describes every byte.
 *
 * What the receiver guarantees, whatever bytes arrive (tests/firmware/test_link.py and
 * tests/unit/protocol/test_frames.py check each by its number):
 *
 *  G1  A frame is yielded only when its CRC-32 is right: altered bytes are never yielded, but for
 *      the one in 2^32 that a CRC-32 cannot tell.
 *  G2  No byte outside the buffer given at init is ever written or read.
 *  G3  Bytes and the order of pushes are all that matters: any splitting of a stream into pushes
 *      yields the same frames and the same counts.
 *  G4  After any garbage the first 0x00 restores order: the whole frame after it is yielded.
 *  G5  Every run of bytes between two 0x00 is yielded, or counted once in `bad`, or empty.
 *      Empty runs are idle line: neither.
 *  G6  A yielded payload has at most HAR_LINK_MAX_PAYLOAD bytes.
 *  G7  The work per byte is bounded: constant, but for the 0x00, which costs one pass over a frame.
 *
 * The caller owns all memory. Sizes are bytes.
 */
#ifndef HAR_FRAME_H
#define HAR_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/link/har_cobs.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HAR_LINK_MAX_PAYLOAD 512u

#define HAR_FRAME_DELIMITER 0x00u
#define HAR_FRAME_HEADER_BYTES 3u /* type, seq */
#define HAR_FRAME_CRC_BYTES 4u
#define HAR_FRAME_OVERHEAD_BYTES (HAR_FRAME_HEADER_BYTES + HAR_FRAME_CRC_BYTES)

/* Longest frame as it stands on the wire, without and with its 0x00: 522 and 523. */
#define HAR_FRAME_BUFFER_BYTES \
    HAR_COBS_ENCODED_BYTES(HAR_LINK_MAX_PAYLOAD + HAR_FRAME_OVERHEAD_BYTES)
#define HAR_FRAME_WIRE_BYTES (HAR_FRAME_BUFFER_BYTES + 1u)

struct har_frame {
    uint8_t type; /* enum har_message_type, or unknown */
    uint16_t seq;
    uint16_t size;          /* of the payload */
    uint32_t crc;           /* as received, and right: with type and seq it names a repetition */
    const uint8_t *payload; /* inside the decoder's buffer, unaligned, valid until the next push */
};

struct har_frame_decoder {
    uint8_t *buffer; /* the caller's; holds the bytes since the last 0x00 */
    size_t capacity;
    size_t used;
    bool overflowed; /* more than `capacity` bytes came without a 0x00: dropped at the next one */
    uint32_t good;   /* frames yielded; wraps */
    uint32_t bad;    /* frames dropped: too short, too long, badly stuffed, wrong CRC; wraps */
};

/* `buffer` has HAR_FRAME_BUFFER_BYTES for frames of any length; longer frames than fit are bad. */
void har_frame_decoder_init(struct har_frame_decoder *decoder, uint8_t *buffer, size_t capacity);

/* Takes one byte. True when it ended a good frame, which is then in *frame. */
bool har_frame_decoder_push(struct har_frame_decoder *decoder, uint8_t byte,
                            struct har_frame *frame);

/* Writes one whole frame, its 0x00 included, and returns its size; 0 when the payload is longer
 * than HAR_LINK_MAX_PAYLOAD or `out` is too small. `out` of HAR_FRAME_WIRE_BYTES is always enough
 * and must not overlap `payload`, which may be NULL when `size` is 0.
 *
 * The first frame after text needs one HAR_FRAME_DELIMITER sent before it, so that the text does
 * not become part of it. */
size_t har_frame_encode(uint8_t type, uint16_t seq, const void *payload, size_t size, uint8_t *out,
                        size_t capacity);

#ifdef __cplusplus
}
#endif
#endif
