#include "lib/link/har_cobs.h"

#define FULL_GROUP 0xFFu /* 254 bytes without a 0x00 and none implied after them */

static void open_group(struct har_cobs_encoder *encoder) {
    encoder->code_at = encoder->used;
    encoder->code = 1;
    if (encoder->used < encoder->capacity) {
        ++encoder->used;
    } else {
        encoder->overflowed = true;
    }
}

void har_cobs_begin(struct har_cobs_encoder *encoder, uint8_t *out, size_t capacity) {
    encoder->out = out;
    encoder->capacity = capacity;
    encoder->used = 0;
    encoder->overflowed = false;
    open_group(encoder);
}

void har_cobs_put(struct har_cobs_encoder *encoder, const void *data, size_t size) {
    const uint8_t *bytes = (const uint8_t *)data;
    for (size_t i = 0; i < size && !encoder->overflowed; ++i) {
        /* A full group is closed only when more follows: nothing follows a final one. */
        if (encoder->code == FULL_GROUP) {
            encoder->out[encoder->code_at] = FULL_GROUP;
            open_group(encoder);
            if (encoder->overflowed) return;
        }
        if (bytes[i] == 0) {
            encoder->out[encoder->code_at] = encoder->code;
            open_group(encoder);
        } else if (encoder->used < encoder->capacity) {
            encoder->out[encoder->used++] = bytes[i];
            ++encoder->code;
        } else {
            encoder->overflowed = true;
        }
    }
}

size_t har_cobs_end(struct har_cobs_encoder *encoder) {
    if (encoder->overflowed) return 0;
    encoder->out[encoder->code_at] = encoder->code;
    return encoder->used;
}

har_status har_cobs_decode(const uint8_t *data, size_t size, uint8_t *out, size_t capacity,
                           size_t *decoded) {
    *decoded = 0;
    if (size == 0) return HAR_ERR_LENGTH;
    size_t in = 0;
    size_t used = 0; /* never passes `in`, so that `out` may be `data` */
    while (in < size) {
        const uint8_t code = data[in++];
        const size_t run = (size_t)code - 1u;
        if (code == 0 || run > size - in || run > capacity - used) return HAR_ERR_LENGTH;
        for (size_t i = 0; i < run; ++i) {
            if (data[in] == 0) return HAR_ERR_LENGTH;
            out[used++] = data[in++];
        }
        if (code != FULL_GROUP && in < size) {
            if (used == capacity) return HAR_ERR_LENGTH;
            out[used++] = 0;
        }
    }
    *decoded = used;
    return HAR_OK;
}
