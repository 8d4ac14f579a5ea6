#include <string.h>

#include "hal/har_board.h"
#include "lib/app/har_app_parts.h"

#define ROOM_BYTES (2u * HAR_FRAME_WIRE_BYTES) /* samples with their prediction, and a reply */
#define PATIENCE_MS 250u /* a line that takes nothing for so long has no reader */

void har_send_init(struct har_app *app) {
    memset(&app->send, 0, sizeof app->send);
    app->send.after_text = true; /* whatever stood on the wire before the board started */
}

void har_send_drain(struct har_app *app) {
    while (app->send.used > 0) {
        const size_t to_end = HAR_SEND_RING_BYTES - app->send.first;
        const size_t size = app->send.used < to_end ? app->send.used : to_end;
        const size_t taken = har_board_write(app->send.ring + app->send.first, size);
        app->send.first = (app->send.first + taken) % HAR_SEND_RING_BYTES;
        app->send.used -= taken;
        if (taken > 0) app->send.moved_ms = har_board_millis();
        if (taken < size) return;
    }
}

bool har_send_full(struct har_app *app) {
    return HAR_SEND_RING_BYTES - app->send.used < ROOM_BYTES &&
           har_board_millis() - app->send.moved_ms < PATIENCE_MS;
}

static void queue(struct har_app *app, const void *data, size_t size) {
    if (app->send.used == 0) app->send.moved_ms = har_board_millis();
    const size_t at = (app->send.first + app->send.used) % HAR_SEND_RING_BYTES;
    const size_t to_end = HAR_SEND_RING_BYTES - at;
    const size_t head = size < to_end ? size : to_end;
    memcpy(app->send.ring + at, data, head);
    memcpy(app->send.ring, (const uint8_t *)data + head, size - head);
    app->send.used += size;
}

static bool room_for(struct har_app *app, size_t size) {
    if (size <= HAR_SEND_RING_BYTES - app->send.used) return true;
    ++app->send.dropped;
    return false;
}

static void queue_frame(struct har_app *app, const uint8_t *wire, size_t size) {
    static const uint8_t delimiter = HAR_FRAME_DELIMITER;
    if (!room_for(app, size + 1u)) return;
    if (app->send.after_text) queue(app, &delimiter, 1);
    app->send.after_text = false;
    queue(app, wire, size);
}

static void queue_text(struct har_app *app, const char *line, size_t size) {
    if (!room_for(app, size)) return;
    app->send.after_text = true;
    queue(app, line, size);
}

void har_send_frame(struct har_app *app, uint8_t type, uint16_t seq, const void *payload,
                    size_t size) {
    uint8_t wire[HAR_FRAME_WIRE_BYTES];
    queue_frame(app, wire, har_frame_encode(type, seq, payload, size, wire, sizeof wire));
}

void har_send_reply(struct har_app *app, const struct har_frame *request, uint8_t type,
                    const void *payload, size_t size) {
    app->send.has_reply = true;
    app->send.request_type = request->type;
    app->send.request_seq = request->seq;
    app->send.request_crc = request->crc;
    app->send.reply_size = har_frame_encode(type, request->seq, payload, size, app->send.reply,
                                            sizeof app->send.reply);
    queue_frame(app, app->send.reply, app->send.reply_size);
}

bool har_send_again(struct har_app *app, const struct har_frame *request) {
    if (!app->send.has_reply || request->type != app->send.request_type ||
        request->seq != app->send.request_seq || request->crc != app->send.request_crc) {
        return false;
    }
    queue_frame(app, app->send.reply, app->send.reply_size);
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

void har_line_send(struct har_app *app, struct har_line *line) {
    line->text[line->size++] = '\n';
    queue_text(app, line->text, line->size);
}

void har_send_notice(struct har_app *app, const char *text) {
    struct har_line line;
    har_line_begin(&line);
    har_line_text(&line, text);
    har_line_send(app, &line);
}

void har_send_prediction_line(struct har_app *app, const char *name, float share) {
    if (app->send.used > 0) return;
    struct har_line line = {.size = 0};
    har_line_text(&line, name);
    put(&line, ' ');
    har_line_share(&line, share);
    har_line_send(app, &line);
}

uint32_t har_send_dropped(struct har_app *app) {
    return app->send.dropped;
}
