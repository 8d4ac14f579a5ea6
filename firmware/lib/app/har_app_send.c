#include <string.h>

#include "hal/har_board.h"
#include "lib/app/har_app_parts.h"

#define RING_BYTES 2048u                       /* about 30 predictions of 6 activities */
#define ROOM_BYTES (2u * HAR_FRAME_WIRE_BYTES) /* samples with their prediction, and a reply */
#define PATIENCE_MS 250u /* a line that takes nothing for so long has no reader */

static struct {
    uint8_t ring[RING_BYTES];
    size_t first; /* oldest byte not yet sent */
    size_t used;
    uint32_t dropped;
    uint32_t moved_ms; /* when the board last took some, or the first came */
    bool after_text;   /* the next frame needs a 0x00 before it */
    bool has_reply;    /* of what follows */
    uint8_t request_type;
    uint16_t request_seq;
    uint32_t request_crc;
    uint8_t reply[HAR_FRAME_WIRE_BYTES];
    size_t reply_size;
} out;

void har_send_init(void) {
    memset(&out, 0, sizeof out);
    out.after_text = true; /* whatever stood on the wire before the board started */
}

void har_send_drain(void) {
    while (out.used > 0) {
        const size_t to_end = RING_BYTES - out.first;
        const size_t size = out.used < to_end ? out.used : to_end;
        const size_t taken = har_board_write(out.ring + out.first, size);
        out.first = (out.first + taken) % RING_BYTES;
        out.used -= taken;
        if (taken > 0) out.moved_ms = har_board_millis();
        if (taken < size) return;
    }
}

bool har_send_full(void) {
    return RING_BYTES - out.used < ROOM_BYTES && har_board_millis() - out.moved_ms < PATIENCE_MS;
}

static void queue(const void *data, size_t size) {
    if (out.used == 0) out.moved_ms = har_board_millis();
    const size_t at = (out.first + out.used) % RING_BYTES;
    const size_t to_end = RING_BYTES - at;
    const size_t head = size < to_end ? size : to_end;
    memcpy(out.ring + at, data, head);
    memcpy(out.ring, (const uint8_t *)data + head, size - head);
    out.used += size;
}

static bool room_for(size_t size) {
    if (size <= RING_BYTES - out.used) return true;
    ++out.dropped;
    return false;
}

static void queue_frame(const uint8_t *wire, size_t size) {
    static const uint8_t delimiter = HAR_FRAME_DELIMITER;
    if (!room_for(size + 1u)) return;
    if (out.after_text) queue(&delimiter, 1);
    out.after_text = false;
    queue(wire, size);
}

static void queue_text(const char *line, size_t size) {
    if (!room_for(size)) return;
    out.after_text = true;
    queue(line, size);
}

void har_send_frame(uint8_t type, uint16_t seq, const void *payload, size_t size) {
    uint8_t wire[HAR_FRAME_WIRE_BYTES];
    queue_frame(wire, har_frame_encode(type, seq, payload, size, wire, sizeof wire));
}

void har_send_reply(const struct har_frame *request, uint8_t type, const void *payload,
                    size_t size) {
    out.has_reply = true;
    out.request_type = request->type;
    out.request_seq = request->seq;
    out.request_crc = request->crc;
    out.reply_size =
        har_frame_encode(type, request->seq, payload, size, out.reply, sizeof out.reply);
    queue_frame(out.reply, out.reply_size);
}

bool har_send_again(const struct har_frame *request) {
    if (!out.has_reply || request->type != out.request_type || request->seq != out.request_seq ||
        request->crc != out.request_crc) {
        return false;
    }
    queue_frame(out.reply, out.reply_size);
    return true;
}

size_t har_send_error_payload(uint8_t *payload, size_t capacity, uint8_t type, uint16_t seq,
                              har_status status, const char *text) {
    struct har_writer writer;
    har_writer_init(&writer, payload, capacity);
    har_put_u8(&writer, type);
    har_put_u16(&writer, seq);
    har_put_u8(&writer, (uint8_t)status);
    const size_t length = strlen(text);
    const size_t size = length < HAR_ERROR_TEXT_BYTES ? length : HAR_ERROR_TEXT_BYTES;
    har_put_u8(&writer, (uint8_t)size);
    har_put_bytes(&writer, text, size);
    return writer.size;
}

void har_line_begin(struct har_line *line) {
    line->size = 0;
    har_line_text(line, "har: ");
}

static void put(struct har_line *line, char c) {
    if (line->size < sizeof line->text - 1u) line->text[line->size++] = c;
}

void har_line_text(struct har_line *line, const char *text) {
    while (*text != '\0') put(line, *text++);
}

void har_line_number(struct har_line *line, uint32_t number) {
    if (number >= 10u) har_line_number(line, number / 10u);
    put(line, (char)('0' + number % 10u));
}

void har_line_share(struct har_line *line, float share) {
    const uint32_t hundredths = (uint32_t)(share * 100.0f + 0.5f);
    har_line_number(line, hundredths / 100u);
    put(line, '.');
    put(line, (char)('0' + hundredths / 10u % 10u));
    put(line, (char)('0' + hundredths % 10u));
}

void har_line_hex(struct har_line *line, uint8_t byte) {
    static const char digits[] = "0123456789abcdef";
    put(line, digits[byte >> 4]);
    put(line, digits[byte & 15u]);
}

void har_line_send(struct har_line *line) {
    line->text[line->size++] = '\n';
    queue_text(line->text, line->size);
}

void har_send_notice(const char *text) {
    struct har_line line;
    har_line_begin(&line);
    har_line_text(&line, text);
    har_line_send(&line);
}

void har_send_prediction_line(const char *name, float share) {
    if (out.used > 0) return;
    struct har_line line = {.size = 0};
    har_line_text(&line, name);
    put(&line, ' ');
    har_line_share(&line, share);
    har_line_send(&line);
}

uint32_t har_send_dropped(void) {
    return out.dropped;
}
