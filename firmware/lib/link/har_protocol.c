#include "lib/link/har_protocol.h"

#include <string.h>

void har_reader_init(struct har_reader *reader, const uint8_t *data, size_t size) {
    reader->data = data;
    reader->size = size;
    reader->at = 0;
    reader->failed = false;
}

const uint8_t *har_get_bytes(struct har_reader *reader, size_t size) {
    if (reader->failed || size > reader->size - reader->at) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *bytes = reader->data + reader->at;
    reader->at += size;
    return bytes;
}

uint8_t har_get_u8(struct har_reader *reader) {
    const uint8_t *bytes = har_get_bytes(reader, 1);
    return bytes == NULL ? 0 : bytes[0];
}

uint16_t har_get_u16(struct har_reader *reader) {
    const uint8_t *bytes = har_get_bytes(reader, 2);
    if (bytes == NULL) return 0;
    return (uint16_t)(bytes[0] | (uint16_t)(bytes[1] << 8));
}

uint32_t har_get_u32(struct har_reader *reader) {
    const uint8_t *bytes = har_get_bytes(reader, 4);
    if (bytes == NULL) return 0;
    return (uint32_t)bytes[0] | ((uint32_t)bytes[1] << 8) | ((uint32_t)bytes[2] << 16) |
           ((uint32_t)bytes[3] << 24);
}

int16_t har_get_i16(struct har_reader *reader) {
    return (int16_t)har_get_u16(reader);
}

float har_get_f32(struct har_reader *reader) {
    const uint32_t bits = har_get_u32(reader);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

size_t har_reader_left(const struct har_reader *reader) {
    return reader->size - reader->at;
}

bool har_reader_done(const struct har_reader *reader) {
    return !reader->failed && reader->at == reader->size;
}

void har_get_sample(struct har_reader *reader, float sample[HAR_SAMPLE_CHANNELS]) {
    for (size_t c = 0; c < HAR_SAMPLE_CHANNELS; ++c) {
        const float step = c < 3 ? HAR_SAMPLE_ACCEL_G : HAR_SAMPLE_GYRO_RAD_S;
        sample[c] = (float)har_get_i16(reader) * step;
    }
}

void har_writer_init(struct har_writer *writer, uint8_t *data, size_t capacity) {
    writer->data = data;
    writer->capacity = capacity;
    writer->size = 0;
    writer->failed = false;
}

void har_put_bytes(struct har_writer *writer, const void *data, size_t size) {
    if (writer->failed || size > writer->capacity - writer->size) {
        writer->failed = true;
        return;
    }
    if (size == 0) return;
    memcpy(writer->data + writer->size, data, size);
    writer->size += size;
}

void har_put_u8(struct har_writer *writer, uint8_t value) {
    har_put_bytes(writer, &value, 1);
}

void har_put_u16(struct har_writer *writer, uint16_t value) {
    const uint8_t bytes[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
    har_put_bytes(writer, bytes, sizeof bytes);
}

void har_put_u32(struct har_writer *writer, uint32_t value) {
    const uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                              (uint8_t)(value >> 24)};
    har_put_bytes(writer, bytes, sizeof bytes);
}

void har_put_i16(struct har_writer *writer, int16_t value) {
    har_put_u16(writer, (uint16_t)value);
}

void har_put_f32(struct har_writer *writer, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    har_put_u32(writer, bits);
}

void har_put_string(struct har_writer *writer, const char *text) {
    const size_t size = strlen(text);
    if (size > 255u || size + 1u > writer->capacity - writer->size) {
        writer->failed = true;
        return;
    }
    har_put_u8(writer, (uint8_t)size);
    har_put_bytes(writer, text, size);
}
