#include <string.h>

#include "lib/app/har_app_parts.h"
#include "lib/engine/har_engine.h"

static void send_banner(struct har_app *app) {
    struct har_line line;
    har_line_begin(&line);
    har_line_text(&line, HAR_FIRMWARE_VERSION ", model ");
    for (size_t i = 0; i < HAR_MODEL_ID_BYTES; ++i) har_line_hex(&line, har_head_model.id[i]);
    har_line_text(&line, har_engine_kind() == 0 ? ", compiled" : ", tflm");
    har_line_text(&line, " engine; ? for help");
    har_line_send(app, &line);
}

struct har_app *har_app_static(void) {
    static struct har_app app;
    return &app;
}

void har_app_init(struct har_app *app) {
    memset(app, 0, sizeof *app);
    har_send_init(app);
    har_frame_decoder_init(&app->decoder, app->frame_buffer, sizeof app->frame_buffer);
    send_banner(app);
    const char *notice = har_app_head_init(app);
    if (notice != NULL) har_send_notice(app, notice);
    har_sensor_init(app);
    har_stream_init(app);
    app->engine_ready = har_engine_init() == HAR_OK;
    if (!app->engine_ready) har_send_notice(app, har_engine_error());
    app->shown = app->engine_ready ? HAR_SHOW_ALIVE : HAR_SHOW_ERROR;
    har_board_show(app->shown);
}

/* ---- requests ---- */

static struct har_answer wrong_length(void) {
    return har_refuse(HAR_ERR_LENGTH, "the payload has another length");
}

/* Each execute_* reads a request and writes the payload of its reply. */

static struct har_answer execute_hello(struct har_app *app, struct har_reader *in,
                                       struct har_writer *reply) {
    const uint8_t version = har_get_u8(in);
    if (in->failed) return wrong_length();
    if (version != HAR_PROTOCOL_VERSION) {
        return har_refuse(HAR_ERR_VERSION, "this firmware speaks protocol version 4");
    }
    const uint32_t time_s = har_get_u32(in);
    if (!har_reader_done(in)) return wrong_length();
    har_put_u8(reply, HAR_PROTOCOL_VERSION);
    har_put_bytes(reply, har_head_model.id, HAR_MODEL_ID_BYTES);
    har_put_u8(reply, har_engine_kind());
    har_put_u8(reply, har_board_target());
    har_put_u8(reply, har_board_counter());
    har_put_f32(reply, HAR_RATE_HZ);
    har_put_u16(reply, HAR_WINDOW_LENGTH);
    har_put_u16(reply, HAR_WINDOW_HOP);
    har_put_u16(reply, HAR_FEATURES);
    har_put_u8(reply, HAR_ROWS);
    har_put_u8(reply, HAR_ACTIVITIES);
    har_put_u8(reply, (uint8_t)har_app_head_activities(app));
    for (uint16_t k = 0; k < har_app_head_activities(app); ++k)
        har_put_string(reply, har_app_head_name(app, k));
    har_put_string(reply, HAR_FIRMWARE_VERSION);
    if (reply->failed) return har_refuse(HAR_ERR_LENGTH, "the activities' names are too long");
    har_app_head_set_time(app, time_s);
    app->framed = true;
    har_stream_begin(app, true);
    return har_done();
}

static struct har_answer execute_recent(const struct har_app *app, struct har_writer *reply) {
    uint32_t number = app->stream.recent_number;
    har_put_u32(reply, number);
    for (const struct har_recent *each; (each = har_stream_recent(app, number)) != NULL; --number)
        har_put_u32(reply, har_board_millis() - each->at_ms);
    return har_done();
}

/* Of LABEL, which names a window by its last sample, and of LABEL_RECENT, by its number. */
static struct har_answer execute_label(struct har_app *app, uint8_t type, struct har_reader *in,
                                       struct har_writer *reply) {
    struct har_update_result result;
    const uint32_t named = har_get_u32(in);
    const uint8_t activity = har_get_u8(in);
    if (!har_reader_done(in)) return wrong_length();
    const struct har_recent *recent = har_stream_recent(app, named);
    const int8_t *window = type == HAR_MSG_LABEL ? har_stream_window(app, named)
                           : recent != NULL      ? recent->window
                                                 : NULL;
    if (window == NULL) {
        return har_refuse(HAR_ERR_STATE, "that window is gone: the last ten seconds are kept");
    }
    const struct har_answer answer = har_app_head_learn(app, window, activity, &result);
    if (answer.status != HAR_OK) return answer;
    har_put_u32(reply, named);
    har_put_u8(reply, activity);
    har_put_u8(reply, result.outcome);
    har_put_u8(reply, result.learned_active ? 1u : 0u);
    har_put_u32(reply, result.updates);
    har_put_f32(reply, result.before);
    har_put_f32(reply, result.after);
    har_put_u32(reply, result.head_crc);
    har_put_u32(reply, result.count);
    return har_done();
}

static struct har_answer execute_name(struct har_app *app, struct har_reader *in,
                                      struct har_writer *reply) {
    const size_t size = har_get_u8(in);
    const uint8_t *name = har_get_bytes(in, size);
    uint8_t activity = 0;
    if (!har_reader_done(in)) return wrong_length();
    const struct har_answer answer = har_app_head_add(app, name, size, &activity);
    if (answer.status == HAR_OK) har_put_u8(reply, activity);
    return answer;
}

static struct har_answer execute_head_read(struct har_app *app, struct har_reader *in,
                                           struct har_writer *reply) {
    const uint32_t offset = har_get_u32(in);
    const uint16_t length = har_get_u16(in);
    if (!har_reader_done(in)) return wrong_length();
    const uint8_t *bytes = har_app_head_bytes(app, offset, length);
    if (length > HAR_HEAD_PIECE_BYTES_MAX || bytes == NULL) {
        return har_refuse(HAR_ERR_ARGUMENT,
                          "that piece is not inside the head, or longer than 508");
    }
    har_put_u32(reply, offset);
    har_put_bytes(reply, bytes, length);
    return har_done();
}

static struct har_answer execute_head_write(struct har_app *app, struct har_reader *in,
                                            struct har_writer *reply) {
    const uint32_t offset = har_get_u32(in);
    if (in->failed) return wrong_length();
    const size_t size = har_reader_left(in);
    uint32_t end = 0;
    const struct har_answer answer =
        har_app_head_write(app, offset, har_get_bytes(in, size), size, &end);
    if (answer.status == HAR_OK) har_put_u32(reply, end);
    return answer;
}

static struct har_answer execute_head_commit(struct har_app *app, struct har_reader *in) {
    const uint8_t *model_id = har_get_bytes(in, 8);
    const uint32_t length_bytes = har_get_u32(in);
    const uint32_t crc = har_get_u32(in);
    if (!har_reader_done(in)) return wrong_length();
    return har_app_head_commit(app, model_id, length_bytes, crc);
}

static struct har_answer execute_sensor(struct har_app *app, struct har_reader *in,
                                        struct har_writer *reply) {
    const uint8_t flags = har_get_u8(in);
    if (!har_reader_done(in)) return wrong_length();
    if (flags > HAR_SENSOR_FLAG_SEND) return har_refuse(HAR_ERR_ARGUMENT, "no flag but SEND");
    har_sensor_flush(app);
    har_sensor_send(app, flags & HAR_SENSOR_FLAG_SEND);
    har_sensor_put_state(app, reply);
    return har_done();
}

static void put_status(struct har_app *app, struct har_writer *reply) {
    const struct har_stream_counts counts = har_stream_counts(app);
    har_put_u32(reply, har_board_millis());
    har_put_u32(reply, counts.received);
    har_put_u32(reply, counts.lost);
    har_put_u32(reply, counts.windows);
    har_put_u32(reply, app->decoder.bad);
    har_put_u32(reply, har_send_dropped(app));
    har_put_u32(reply, har_board_stack_used());
    har_put_u32(reply, har_board_stack_size());
}

/* Requests without a payload, and those whose reply is the head's state. */
static struct har_answer execute_plain(struct har_app *app, uint8_t type,
                                       const struct har_reader *in, struct har_writer *reply) {
    if (har_reader_left(in) != 0) return wrong_length();
    switch (type) {
        case HAR_MSG_UNDO:
            return har_app_head_undo(app);
        case HAR_MSG_SAVE:
            return har_app_head_save(app);
        case HAR_MSG_HEAD_RESET:
            return har_app_head_reset(app);
        case HAR_MSG_HEAD_ROLLBACK:
            return har_app_head_rollback(app);
        case HAR_MSG_STATUS:
            put_status(app, reply);
            return har_done();
        case HAR_MSG_RECENT:
            return execute_recent(app, reply);
        default: /* HEAD_SHOW, BYE */
            return har_done();
    }
}

static uint8_t reply_type(uint8_t type) {
    switch (type) {
        case HAR_MSG_HELLO:
            return HAR_MSG_HELLO_REPLY;
        case HAR_MSG_LABEL:
        case HAR_MSG_LABEL_RECENT:
            return HAR_MSG_LEARNED;
        case HAR_MSG_RECENT:
            return HAR_MSG_RECENT_REPLY;
        case HAR_MSG_NAME:
            return HAR_MSG_NAMED;
        case HAR_MSG_SENSOR:
            return HAR_MSG_SENSOR_STATE;
        case HAR_MSG_UNDO:
        case HAR_MSG_SAVE:
        case HAR_MSG_HEAD_SHOW:
        case HAR_MSG_HEAD_RESET:
        case HAR_MSG_HEAD_ROLLBACK:
        case HAR_MSG_HEAD_COMMIT:
            return HAR_MSG_HEAD_STATE;
        case HAR_MSG_HEAD_READ:
            return HAR_MSG_HEAD_DATA;
        case HAR_MSG_HEAD_WRITE:
            return HAR_MSG_HEAD_WRITTEN;
        case HAR_MSG_STATUS:
            return HAR_MSG_STATUS_REPLY;
        case HAR_MSG_BYE:
            return HAR_MSG_BYE_REPLY;
        default: /* unknown, or SAMPLES, which has no reply but ERROR */
            return HAR_MSG_ERROR;
    }
}

static struct har_answer execute(struct har_app *app, const struct har_frame *frame,
                                 struct har_writer *reply) {
    struct har_reader in;
    har_reader_init(&in, frame->payload, frame->size);
    if (frame->type != HAR_MSG_SAMPLES && reply_type(frame->type) == HAR_MSG_ERROR) {
        return har_refuse(HAR_ERR_TYPE, "unknown type of frame");
    }
    if (!app->engine_ready) return har_refuse(HAR_ERR_ENGINE, har_engine_error());
    if (!app->framed && frame->type != HAR_MSG_HELLO) {
        return har_refuse(HAR_ERR_STATE, "say HELLO first: the board speaks text, or started anew");
    }
    switch (frame->type) {
        case HAR_MSG_HELLO:
            return execute_hello(app, &in, reply);
        case HAR_MSG_SAMPLES:
            return har_stream_take(app, frame);
        case HAR_MSG_LABEL:
        case HAR_MSG_LABEL_RECENT:
            return execute_label(app, frame->type, &in, reply);
        case HAR_MSG_NAME:
            return execute_name(app, &in, reply);
        case HAR_MSG_HEAD_READ:
            return execute_head_read(app, &in, reply);
        case HAR_MSG_HEAD_WRITE:
            return execute_head_write(app, &in, reply);
        case HAR_MSG_HEAD_COMMIT:
            return execute_head_commit(app, &in);
        case HAR_MSG_SENSOR:
            return execute_sensor(app, &in, reply);
        default:
            return execute_plain(app, frame->type, &in, reply);
    }
}

static void handle(struct har_app *app, const struct har_frame *frame) {
    /* A frame from a board is our own, echoed: answering would never end. */
    if (frame->type >= HAR_MSG_HELLO_REPLY) return;
    /* HELLO is always executed: whoever says it means a new session, whatever seq it took. */
    if (frame->type != HAR_MSG_HELLO && har_send_again(app, frame)) return;

    uint8_t payload[HAR_LINK_MAX_PAYLOAD];
    struct har_writer reply;
    har_writer_init(&reply, payload, sizeof payload);
    const uint16_t activities = har_app_head_activities(app);
    const struct har_answer answer = execute(app, frame, &reply);
    if (har_app_head_activities(app) != activities) har_stream_forget(app);
    uint8_t type = reply_type(frame->type);
    if (answer.status != HAR_OK) {
        type = HAR_MSG_ERROR;
        reply.size = har_send_error_payload(payload, sizeof payload, frame->type, frame->seq,
                                            answer.status, answer.text);
    } else if (type == HAR_MSG_HEAD_STATE) {
        har_app_head_put_state(app, &reply);
    }
    if (frame->type != HAR_MSG_SAMPLES) {
        har_send_reply(app, frame, type, payload, reply.size);
    } else if (answer.status != HAR_OK) {
        har_send_frame(app, type, frame->seq, payload, reply.size);
    }
    if (frame->type == HAR_MSG_BYE && answer.status == HAR_OK) {
        app->framed = false;
        har_keys_begin(app);
        har_stream_begin(app, false);
    }
}

/* The engine has no memory to put a window into when it did not start. */
static bool work(struct har_app *app) {
    return app->engine_ready && har_stream_work(app);
}

/* Decodes to the end of the chunk, unless an inference or a request has taken its time. */
static void read_wire(struct har_app *app) {
    if (app->chunk_at == app->chunk_size) {
        app->chunk_at = 0;
        app->chunk_size = har_board_read(app->chunk, sizeof app->chunk);
    }
    if (app->chunk_size == 0 && !app->framed) har_keys_silence(app);
    while (app->chunk_at < app->chunk_size) {
        struct har_frame frame;
        const uint8_t byte = app->chunk[app->chunk_at++];
        const uint32_t bad = app->decoder.bad;
        if (!app->framed) har_keys_take(app, byte);
        const bool whole = har_frame_decoder_push(&app->decoder, byte, &frame);
        if (!app->framed) app->decoder.bad = bad; /* typed, not damaged */
        if (!whole) continue;
        handle(app, &frame);
        if (frame.type != HAR_MSG_SAMPLES || work(app)) return;
    }
}

void har_app_poll(struct har_app *app) {
    (void)har_app_head_now_s(app); /* or it would miss that the board's clock begins again */
    har_send_drain(app);
    if (!work(app)) read_wire(app);
    if (!app->framed) har_sensor_tell(app);
    har_show_on(app);
    har_send_drain(app);
}
