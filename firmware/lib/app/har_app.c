#include "lib/app/har_app.h"

#include <string.h>

#include "hal/har_board.h"
#include "har_model.h"
#include "lib/app/har_app_parts.h"
#include "lib/engine/har_engine.h"

#define CHUNK_BYTES 64u
#define PREDICTION_SHOWN_MS 150u
#define LEARNING_SHOWN_MS 300u

static uint8_t frame_buffer[HAR_FRAME_BUFFER_BYTES];
static struct har_frame_decoder decoder;
static uint8_t chunk[CHUNK_BYTES]; /* bytes read and not yet decoded */
static size_t chunk_at;
static size_t chunk_size;
static bool framed;
static bool engine_ready;
static uint8_t shown; /* enum har_show */
static uint32_t shown_ms;

static void send_banner(void) {
    static const uint8_t model_id[] = HAR_MODEL_ID_INIT;
    struct har_line line;
    har_line_begin(&line);
    har_line_text(&line, HAR_FIRMWARE_VERSION ", model ");
    for (size_t i = 0; i < sizeof model_id; ++i) har_line_hex(&line, model_id[i]);
    har_line_text(&line, har_engine_kind() == 0 ? ", compiled" : ", tflm");
    har_line_text(&line, " engine; ? for help");
    har_line_send(&line);
}

void har_app_init(void) {
    har_send_init();
    har_frame_decoder_init(&decoder, frame_buffer, sizeof frame_buffer);
    chunk_at = 0;
    chunk_size = 0;
    framed = false;
    har_keys_begin();
    send_banner();
    const char *notice = har_app_head_init();
    if (notice != NULL) har_send_notice(notice);
    har_sensor_init();
    har_stream_init();
    engine_ready = har_engine_init() == HAR_OK;
    if (!engine_ready) har_send_notice(har_engine_error());
    shown = engine_ready ? HAR_SHOW_ALIVE : HAR_SHOW_ERROR;
    har_board_show(shown);
}

/* ---- what a person sees ---- */

static bool shown_long_enough(void) {
    const uint32_t passed_ms = har_board_millis() - shown_ms;
    if (shown == HAR_SHOW_LEARNING) return passed_ms >= LEARNING_SHOWN_MS;
    return shown == HAR_SHOW_PREDICTING && passed_ms >= PREDICTION_SHOWN_MS;
}

void har_show(uint8_t state) {
    if (state == HAR_SHOW_PREDICTING && shown == HAR_SHOW_LEARNING && !shown_long_enough()) return;
    shown = state;
    shown_ms = har_board_millis();
    har_board_show(shown);
}

static void keep_showing(void) {
    if (shown_long_enough()) shown = HAR_SHOW_ALIVE;
    har_board_show(shown);
}

/* ---- requests ---- */

static struct har_answer done(void) {
    return (struct har_answer){HAR_OK, ""};
}

static struct har_answer refuse(har_status status, const char *text) {
    return (struct har_answer){status, text};
}

static struct har_answer wrong_length(void) {
    return refuse(HAR_ERR_LENGTH, "the payload has another length");
}

/* Each execute_* reads a request and writes the payload of its reply. */

static struct har_answer execute_hello(struct har_reader *in, struct har_writer *reply) {
    static const uint8_t model_id[] = HAR_MODEL_ID_INIT;
    const uint8_t version = har_get_u8(in);
    if (in->failed) return wrong_length();
    if (version != HAR_PROTOCOL_VERSION) {
        return refuse(HAR_ERR_VERSION, "this firmware speaks protocol version 4");
    }
    const uint32_t time_s = har_get_u32(in);
    if (!har_reader_done(in)) return wrong_length();
    har_put_u8(reply, HAR_PROTOCOL_VERSION);
    har_put_bytes(reply, model_id, sizeof model_id);
    har_put_u8(reply, har_engine_kind());
    har_put_u8(reply, har_board_target());
    har_put_u8(reply, har_board_counter());
    har_put_f32(reply, HAR_RATE_HZ);
    har_put_u16(reply, HAR_WINDOW_LENGTH);
    har_put_u16(reply, HAR_WINDOW_HOP);
    har_put_u16(reply, HAR_FEATURES);
    har_put_u8(reply, HAR_ROWS);
    har_put_u8(reply, HAR_ACTIVITIES);
    har_put_u8(reply, (uint8_t)har_app_head_activities());
    for (uint16_t k = 0; k < har_app_head_activities(); ++k)
        har_put_string(reply, har_app_head_name(k));
    har_put_string(reply, HAR_FIRMWARE_VERSION);
    if (reply->failed) return refuse(HAR_ERR_LENGTH, "the activities' names are too long");
    har_app_head_set_time(time_s);
    framed = true;
    har_stream_begin(true);
    return done();
}

static struct har_answer execute_label(struct har_reader *in, struct har_writer *reply) {
    struct har_lesson lesson;
    const uint32_t end_index = har_get_u32(in);
    const uint8_t activity = har_get_u8(in);
    if (!har_reader_done(in)) return wrong_length();
    const int8_t *window = har_stream_window(end_index);
    if (window == NULL) return refuse(HAR_ERR_STATE, "only the last window can be labelled");
    const struct har_answer answer = har_app_head_learn(window, activity, &lesson);
    if (answer.status != HAR_OK) return answer;
    har_put_u32(reply, end_index);
    har_put_u8(reply, activity);
    har_put_u8(reply, lesson.outcome);
    har_put_u8(reply, lesson.serves ? 1u : 0u);
    har_put_u32(reply, lesson.updates);
    har_put_f32(reply, lesson.before);
    har_put_f32(reply, lesson.after);
    har_put_u32(reply, lesson.head_crc);
    har_put_u32(reply, lesson.count);
    return done();
}

static struct har_answer execute_name(struct har_reader *in, struct har_writer *reply) {
    const size_t size = har_get_u8(in);
    const uint8_t *name = har_get_bytes(in, size);
    uint8_t activity = 0;
    if (!har_reader_done(in)) return wrong_length();
    const struct har_answer answer = har_app_head_add(name, size, &activity);
    if (answer.status == HAR_OK) har_put_u8(reply, activity);
    return answer;
}

static struct har_answer execute_head_read(struct har_reader *in, struct har_writer *reply) {
    const uint32_t offset = har_get_u32(in);
    const uint16_t length = har_get_u16(in);
    if (!har_reader_done(in)) return wrong_length();
    const uint8_t *bytes = har_app_head_bytes(offset, length);
    if (length > HAR_HEAD_PIECE_BYTES_MAX || bytes == NULL) {
        return refuse(HAR_ERR_ARGUMENT, "that piece is not inside the head, or longer than 508");
    }
    har_put_u32(reply, offset);
    har_put_bytes(reply, bytes, length);
    return done();
}

static struct har_answer execute_head_write(struct har_reader *in, struct har_writer *reply) {
    const uint32_t offset = har_get_u32(in);
    if (in->failed) return wrong_length();
    const size_t size = har_reader_left(in);
    uint32_t end = 0;
    const struct har_answer answer =
        har_app_head_write(offset, har_get_bytes(in, size), size, &end);
    if (answer.status == HAR_OK) har_put_u32(reply, end);
    return answer;
}

static struct har_answer execute_head_commit(struct har_reader *in) {
    const uint8_t *model_id = har_get_bytes(in, 8);
    const uint32_t length_bytes = har_get_u32(in);
    const uint32_t crc = har_get_u32(in);
    if (!har_reader_done(in)) return wrong_length();
    return har_app_head_commit(model_id, length_bytes, crc);
}

static struct har_answer execute_sensor(struct har_reader *in, struct har_writer *reply) {
    const uint8_t flags = har_get_u8(in);
    if (!har_reader_done(in)) return wrong_length();
    if (flags > HAR_SENSOR_FLAG_SEND) return refuse(HAR_ERR_ARGUMENT, "no flag but SEND");
    har_sensor_flush();
    har_sensor_send(flags & HAR_SENSOR_FLAG_SEND);
    har_sensor_put_state(reply);
    return done();
}

static void put_status(struct har_writer *reply) {
    const struct har_stream_counts counts = har_stream_counts();
    har_put_u32(reply, har_board_millis());
    har_put_u32(reply, counts.received);
    har_put_u32(reply, counts.lost);
    har_put_u32(reply, counts.windows);
    har_put_u32(reply, decoder.bad);
    har_put_u32(reply, har_send_dropped());
    har_put_u32(reply, har_board_stack_used());
    har_put_u32(reply, har_board_stack_size());
}

/* Requests without a payload, and those whose reply is the head's state. */
static struct har_answer execute_plain(uint8_t type, const struct har_reader *in,
                                       struct har_writer *reply) {
    if (har_reader_left(in) != 0) return wrong_length();
    switch (type) {
        case HAR_MSG_UNDO:
            return har_app_head_undo();
        case HAR_MSG_SAVE:
            return har_app_head_save();
        case HAR_MSG_HEAD_RESET:
            return har_app_head_reset();
        case HAR_MSG_HEAD_ROLLBACK:
            return har_app_head_rollback();
        case HAR_MSG_STATUS:
            put_status(reply);
            return done();
        default: /* HEAD_SHOW, BYE */
            return done();
    }
}

static uint8_t reply_type(uint8_t type) {
    switch (type) {
        case HAR_MSG_HELLO:
            return HAR_MSG_HELLO_REPLY;
        case HAR_MSG_LABEL:
            return HAR_MSG_LEARNED;
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

static struct har_answer execute(const struct har_frame *frame, struct har_writer *reply) {
    struct har_reader in;
    har_reader_init(&in, frame->payload, frame->size);
    if (frame->type != HAR_MSG_SAMPLES && reply_type(frame->type) == HAR_MSG_ERROR) {
        return refuse(HAR_ERR_TYPE, "unknown type of frame");
    }
    if (!engine_ready) return refuse(HAR_ERR_ENGINE, har_engine_error());
    if (!framed && frame->type != HAR_MSG_HELLO) {
        return refuse(HAR_ERR_STATE, "say HELLO first: the board speaks text, or started anew");
    }
    switch (frame->type) {
        case HAR_MSG_HELLO:
            return execute_hello(&in, reply);
        case HAR_MSG_SAMPLES:
            return har_stream_take(frame);
        case HAR_MSG_LABEL:
            return execute_label(&in, reply);
        case HAR_MSG_NAME:
            return execute_name(&in, reply);
        case HAR_MSG_HEAD_READ:
            return execute_head_read(&in, reply);
        case HAR_MSG_HEAD_WRITE:
            return execute_head_write(&in, reply);
        case HAR_MSG_HEAD_COMMIT:
            return execute_head_commit(&in);
        case HAR_MSG_SENSOR:
            return execute_sensor(&in, reply);
        default:
            return execute_plain(frame->type, &in, reply);
    }
}

static void handle(const struct har_frame *frame) {
    /* A frame from a board is our own, echoed: answering would never end. */
    if (frame->type >= HAR_MSG_HELLO_REPLY) return;
    /* HELLO is always executed: whoever says it means a new session, whatever seq it took. */
    if (frame->type != HAR_MSG_HELLO && har_send_again(frame)) return;

    uint8_t payload[HAR_LINK_MAX_PAYLOAD];
    struct har_writer reply;
    har_writer_init(&reply, payload, sizeof payload);
    const uint16_t activities = har_app_head_activities();
    const struct har_answer answer = execute(frame, &reply);
    if (har_app_head_activities() != activities) har_stream_forget();
    uint8_t type = reply_type(frame->type);
    if (answer.status != HAR_OK) {
        type = HAR_MSG_ERROR;
        reply.size = har_send_error_payload(payload, sizeof payload, frame->type, frame->seq,
                                            answer.status, answer.text);
    } else if (type == HAR_MSG_HEAD_STATE) {
        har_app_head_put_state(&reply);
    }
    if (frame->type != HAR_MSG_SAMPLES) {
        har_send_reply(frame, type, payload, reply.size);
    } else if (answer.status != HAR_OK) {
        har_send_frame(type, frame->seq, payload, reply.size);
    }
    if (frame->type == HAR_MSG_BYE && answer.status == HAR_OK) {
        framed = false;
        har_keys_begin();
        har_stream_begin(false);
    }
}

/* The engine has no memory to put a window into when it did not start. */
static bool work(void) {
    return engine_ready && har_stream_work();
}

/* Decodes to the end of the chunk, unless an inference or a request has taken its time. */
static void read_wire(void) {
    if (chunk_at == chunk_size) {
        chunk_at = 0;
        chunk_size = har_board_read(chunk, sizeof chunk);
    }
    if (chunk_size == 0 && !framed) har_keys_silence();
    while (chunk_at < chunk_size) {
        struct har_frame frame;
        const uint8_t byte = chunk[chunk_at++];
        const uint32_t bad = decoder.bad;
        if (!framed) har_keys_take(byte);
        const bool whole = har_frame_decoder_push(&decoder, byte, &frame);
        if (!framed) decoder.bad = bad; /* typed, not damaged */
        if (!whole) continue;
        handle(&frame);
        if (frame.type != HAR_MSG_SAMPLES || work()) return;
    }
}

void har_app_poll(void) {
    (void)har_app_head_now_s(); /* or it would miss that the board's clock begins again */
    har_send_drain();
    if (!work()) read_wire();
    if (!framed) har_sensor_tell();
    keep_showing();
    har_send_drain();
}
