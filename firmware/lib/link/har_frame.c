#include "lib/link/har_frame.h"

#include "lib/base/har_crc32.h"

static uint16_t load_u16(const uint8_t *bytes) {
    return (uint16_t)(bytes[0] | (uint16_t)(bytes[1] << 8));
}

static uint32_t load_u32(const uint8_t *bytes) {
    return (uint32_t)load_u16(bytes) | ((uint32_t)load_u16(bytes + 2) << 16);
}

static void store_u16(uint8_t *bytes, uint16_t value) {
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}

static void store_u32(uint8_t *bytes, uint32_t value) {
    store_u16(bytes, (uint16_t)value);
    store_u16(bytes + 2, (uint16_t)(value >> 16));
}

void har_frame_decoder_init(struct har_frame_decoder *decoder, uint8_t *buffer, size_t capacity) {
    decoder->buffer = buffer;
    decoder->capacity = capacity;
    decoder->used = 0;
    decoder->overflowed = false;
    decoder->good = 0;
    decoder->bad = 0;
}

/* Unstuffs the first `size` bytes of the buffer in place and checks them. */
static bool parse(uint8_t *buffer, size_t size, struct har_frame *frame) {
    size_t raw = 0;
    if (har_cobs_decode(buffer, size, buffer, size, &raw) != HAR_OK) return false;
    if (raw < HAR_FRAME_OVERHEAD_BYTES) return false;
    if (raw > HAR_FRAME_OVERHEAD_BYTES + HAR_LINK_MAX_PAYLOAD) return false;
    const size_t checked = raw - HAR_FRAME_CRC_BYTES;
    const uint32_t crc = load_u32(buffer + checked);
    if (har_crc32(0, buffer, checked) != crc) return false;
    frame->type = buffer[0];
    frame->seq = load_u16(buffer + 1);
    frame->size = (uint16_t)(checked - HAR_FRAME_HEADER_BYTES);
    frame->crc = crc;
    frame->payload = buffer + HAR_FRAME_HEADER_BYTES;
    return true;
}

bool har_frame_decoder_push(struct har_frame_decoder *decoder, uint8_t byte,
                            struct har_frame *frame) {
    if (byte != HAR_FRAME_DELIMITER) {
        if (decoder->used < decoder->capacity) {
            decoder->buffer[decoder->used++] = byte;
        } else {
            decoder->overflowed = true;
        }
        return false;
    }
    const size_t size = decoder->used;
    const bool overflowed = decoder->overflowed;
    decoder->used = 0;
    decoder->overflowed = false;
    if (size == 0 && !overflowed) return false;
    if (overflowed || !parse(decoder->buffer, size, frame)) {
        ++decoder->bad;
        return false;
    }
    ++decoder->good;
    return true;
}

size_t har_frame_encode(uint8_t type, uint16_t seq, const void *payload, size_t size, uint8_t *out,
                        size_t capacity) {
    if (size > HAR_LINK_MAX_PAYLOAD || capacity == 0) return 0;
    uint8_t header[HAR_FRAME_HEADER_BYTES];
    header[0] = type;
    store_u16(header + 1, seq);
    const uint32_t crc = har_crc32(har_crc32(0, header, sizeof header), payload, size);
    uint8_t trailer[HAR_FRAME_CRC_BYTES];
    store_u32(trailer, crc);

    struct har_cobs_encoder encoder;
    har_cobs_begin(&encoder, out, capacity - 1u);
    har_cobs_put(&encoder, header, sizeof header);
    har_cobs_put(&encoder, payload, size);
    har_cobs_put(&encoder, trailer, sizeof trailer);
    const size_t used = har_cobs_end(&encoder);
    if (used == 0) return 0;
    out[used] = HAR_FRAME_DELIMITER;
    return used + 1u;
}
