#include <string.h>

#include "har_app_parts.h"
#include "har_board.h"

#define RING_BYTES 2048u /* about 30 predictions of 6 activities */
#define LINE_BYTES 160u

static struct {
    uint8_t ring[RING_BYTES];
    size_t first; /* oldest byte not yet sent */
    size_t used;
    uint32_t dropped;
    bool after_text; /* the next frame needs a 0x00 before it */
    bool has_reply;  /* of what follows */
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
        if (taken < size) return;
    }
}

static void queue(const void *data, size_t size) {
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

static size_t append(char *line, size_t size, const char *text) {
    while (*text != '\0' && size < LINE_BYTES - 1u) line[size++] = *text++;
    return size;
}

void har_send_notice(const char *text) {
    char line[LINE_BYTES];
    size_t size = append(line, append(line, 0, "har: "), text);
    line[size++] = '\n';
    queue_text(line, size);
}

void har_send_prediction_line(const char *name, float share) {
    if (out.used > 0) return;
    char line[LINE_BYTES];
    const uint32_t hundredths = (uint32_t)(share * 100.0f + 0.5f);
    const char digits[] = {' ',
                           (char)('0' + hundredths / 100u),
                           '.',
                           (char)('0' + hundredths / 10u % 10u),
                           (char)('0' + hundredths % 10u),
                           '\0'};
    size_t size = append(line, append(line, 0, name), digits);
    line[size++] = '\n';
    queue_text(line, size);
}

uint32_t har_send_dropped(void) {
    return out.dropped;
}
