/* What the frames mean: message types, limits, and cursors that read and write payloads.
 * docs/PROTOCOL.md describes every byte; pipeline/protocol/messages.py is the other half.
 */
#ifndef HAR_PROTOCOL_H
#define HAR_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/link/har_frame.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HAR_PROTOCOL_VERSION 4u

enum har_message_type {
    /* from the host */
    HAR_MSG_HELLO = 0x01,
    HAR_MSG_SAMPLES = 0x02,
    HAR_MSG_LABEL = 0x03,
    HAR_MSG_SAVE = 0x04,
    HAR_MSG_HEAD_SHOW = 0x05,
    HAR_MSG_HEAD_RESET = 0x06,
    HAR_MSG_HEAD_ROLLBACK = 0x07,
    HAR_MSG_HEAD_READ = 0x08,
    HAR_MSG_HEAD_WRITE = 0x09,
    HAR_MSG_HEAD_COMMIT = 0x0A,
    HAR_MSG_STATUS = 0x0B,
    HAR_MSG_BYE = 0x0C,
    HAR_MSG_UNDO = 0x0D,
    HAR_MSG_NAME = 0x0E,
    HAR_MSG_SENSOR = 0x0F,
    HAR_MSG_RECENT = 0x11,
    HAR_MSG_LABEL_RECENT = 0x12,
    /* from the board */
    HAR_MSG_HELLO_REPLY = 0x81,
    HAR_MSG_PREDICTION = 0x82,
    HAR_MSG_LEARNED = 0x83,
    HAR_MSG_HEAD_STATE = 0x84,
    HAR_MSG_HEAD_DATA = 0x88,
    HAR_MSG_HEAD_WRITTEN = 0x89,
    HAR_MSG_STATUS_REPLY = 0x8B,
    HAR_MSG_BYE_REPLY = 0x8C,
    HAR_MSG_NAMED = 0x8E,
    HAR_MSG_SENSOR_STATE = 0x8F,
    HAR_MSG_SENSED = 0x90,
    HAR_MSG_RECENT_REPLY = 0x91,
    HAR_MSG_ERROR = 0xFF
};

/* Samples on the wire: int16 [ax ay az gx gy gz]. */
#define HAR_SAMPLE_CHANNELS 6u
#define HAR_SAMPLE_BYTES (HAR_SAMPLE_CHANNELS * 2u)
#define HAR_SAMPLES_PER_FRAME_MAX 32u
#define HAR_SAMPLES_FLAG_RESTART 0x01u
#define HAR_SENSOR_FLAG_SEND 0x01u
#define HAR_SAMPLE_ACCEL_G (1.0f / 4096.0f)   /* g per step: exact in float32 */
#define HAR_SAMPLE_GYRO_RAD_S (1.0f / 800.0f) /* rad/s per step: 0x3AA3D70A */

/* Most bytes of a head that one HEAD_DATA or HEAD_WRITE carries after its offset. */
#define HAR_HEAD_PIECE_BYTES_MAX (HAR_LINK_MAX_PAYLOAD - 4u)

/* Reads little-endian values from a payload. Reading past the end latches `failed` and gives 0:
 * read all fields, then ask har_reader_done() once. */
struct har_reader {
    const uint8_t *data; /* the caller's */
    size_t size;
    size_t at;
    bool failed;
};

void har_reader_init(struct har_reader *reader, const uint8_t *data, size_t size);
uint8_t har_get_u8(struct har_reader *reader);
uint16_t har_get_u16(struct har_reader *reader);
uint32_t har_get_u32(struct har_reader *reader);
int16_t har_get_i16(struct har_reader *reader);
float har_get_f32(struct har_reader *reader); /* any bits: may be NaN or infinite */

/* Points to the next `size` bytes (unaligned), or NULL and `failed` when there are fewer. */
const uint8_t *har_get_bytes(struct har_reader *reader, size_t size);

size_t har_reader_left(const struct har_reader *reader);

/* True when nothing failed and every byte was read. */
bool har_reader_done(const struct har_reader *reader);

/* One sample: six int16 -> float [ax ay az g, gx gy gz rad/s] by the constants above. */
void har_get_sample(struct har_reader *reader, float sample[HAR_SAMPLE_CHANNELS]);

/* Writes little-endian values. Writing past the end latches `failed` and writes nothing. */
struct har_writer {
    uint8_t *data; /* the caller's */
    size_t capacity;
    size_t size; /* bytes written so far */
    bool failed;
};

void har_writer_init(struct har_writer *writer, uint8_t *data, size_t capacity);
void har_put_u8(struct har_writer *writer, uint8_t value);
void har_put_u16(struct har_writer *writer, uint16_t value);
void har_put_u32(struct har_writer *writer, uint32_t value);
void har_put_i16(struct har_writer *writer, int16_t value);
void har_put_f32(struct har_writer *writer, float value);
void har_put_bytes(struct har_writer *writer, const void *data, size_t size);

/* Length u8, then the bytes of a NUL-terminated UTF-8 text. Longer than 255 bytes: `failed`. */
void har_put_string(struct har_writer *writer, const char *text);

#ifdef __cplusplus
}
#endif
#endif
