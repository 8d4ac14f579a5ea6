#include <string.h>

#include "hal/har_board.h"
#include "har_model.h"
#include "lib/app/har_app_parts.h"
#include "lib/base/har_crc32.h"
#include "lib/engine/har_engine.h"
#include "lib/head/har_head.h"
#include "lib/head/har_smoother.h"
#include "lib/window/har_spectrogram.h"
#include "lib/window/har_window.h"

_Static_assert(HAR_CHANNELS == HAR_SAMPLE_CHANNELS, "the wire carries six channels");
_Static_assert(HAR_SPECTROGRAM_PIXELS == 0 || HAR_CHANNELS == HAR_SPECTROGRAM_CHANNELS,
               "a spectrogram shows six channels");
_Static_assert(HAR_SPECTROGRAM_PIXELS == 0 || HAR_WINDOW_LENGTH >= HAR_SPECTROGRAM_FRAME,
               "a spectrogram needs windows of a frame at least");

/* One byte each for two activities; end_index, time_ms, features_crc and two counts; the rest
 * floats. */
#define PREDICTION_BYTES_MAX (30u + 4u * HAR_ROWS)
_Static_assert(PREDICTION_BYTES_MAX <= HAR_LINK_MAX_PAYLOAD, "a prediction must fit one frame");

static const struct har_window_config window_config = {
    HAR_WINDOW_LENGTH, HAR_WINDOW_HOP, HAR_CHANNELS,  HAR_SAMPLE_ZERO_POINT,
    har_norm_knee,     har_norm_mean,  har_norm_gain,
};

static const struct har_spectrogram_config spectrogram_config = {
    HAR_WINDOW_LENGTH,    HAR_SPECTROGRAM_PIXELS, HAR_SPECTROGRAM_PLANES,
    HAR_INPUT_ZERO_POINT, har_level_mean,         har_level_gain,
};
/* What comes next does not follow from what came before. */
static void restart(struct har_app *app) {
    har_window_restart(&app->stream.window);
    app->stream.engine_follows = false;
    app->stream.until_recent = 0;
    har_stream_forget(app);
}

void har_stream_forget(struct har_app *app) {
    app->stream.smoother.activities = har_app_head_activities(app);
    har_smoother_restart(&app->stream.smoother);
}

void har_stream_init(struct har_app *app) {
    har_window_init(&app->stream.window, &window_config, app->stream.ring);
    app->stream.smoother = (struct har_smoother){
        HAR_SMOOTHER_CHANGE, HAR_SMOOTHER_CHANGE_MOVING, HAR_SMOOTHER_ROOTS,
        HAR_ACTIVITIES,      app->stream.belief,         false,
    };
    har_stream_begin(app, false);
}

void har_stream_begin(struct har_app *app, bool in_frames) {
    app->stream.framed = in_frames;
    app->stream.prints = true;
    app->stream.from_host = false;
    app->stream.has_last = false;
    app->stream.expected = 0;
    app->stream.has_first = false;
    app->stream.pending_left = 0;
    for (unsigned i = 0; i < HAR_RECENT; ++i) app->stream.recent[i].of_session = false;
    har_sensor_send(app, false);
    restart(app);
}

static void engine_failed(struct har_app *app) {
    har_show(app, HAR_SHOW_ERROR);
    if (!app->stream.framed) {
        har_send_notice(app, har_engine_error());
        return;
    }
    uint8_t payload[HAR_ERROR_BYTES];
    const size_t size =
        har_send_error_payload(payload, sizeof payload, HAR_MSG_SAMPLES, app->stream.pending_seq,
                               HAR_ERR_ENGINE, har_engine_error());
    har_send_frame(app, HAR_MSG_ERROR, app->stream.pending_seq, payload, size);
}

/* The engine's outputs into `last`, one after the other. */
static void keep_outputs(struct har_app *app) {
    int8_t *next = app->stream.last;
    for (uint32_t i = 0; i < HAR_OUTPUTS; ++i) {
        memcpy(next, har_engine_output(i), har_output_sizes[i]);
        next += har_output_sizes[i];
    }
}

/* Every half window. */
static void keep_recent(struct har_app *app, uint32_t end_index) {
    if (app->stream.until_recent > 0u) {
        --app->stream.until_recent;
        return;
    }
    app->stream.until_recent = HAR_RECENT_EVERY - 1u;
    struct har_recent *entry = &app->stream.recent[app->stream.recent_number % HAR_RECENT];
    entry->number = ++app->stream.recent_number;
    entry->end_index = end_index;
    entry->at_ms = har_board_millis();
    entry->of_session = true;
    memcpy(entry->window, app->stream.last, sizeof entry->window);
}

/* The engine's answer for the window that is complete now. One that streams knows all samples but
 * the newest, unless there was a gap. */
static har_status run_engine(struct har_app *app) {
    uint32_t runs = app->stream.engine_follows ? 1u : HAR_ENGINE_RUNS;
    if (!app->stream.engine_follows) har_engine_restart();
    app->stream.engine_follows = false;
    for (; runs > 0u; --runs) {
        har_window_copy(&app->stream.window, runs * HAR_ENGINE_SAMPLES, HAR_ENGINE_SAMPLES,
                        HAR_DRAWS ? app->stream.samples : har_engine_input());
        if (HAR_DRAWS)
            har_spectrogram(&spectrogram_config, app->stream.samples, har_engine_input());
        const har_status status = har_engine_run();
        if (status != HAR_OK) return status;
    }
    app->stream.engine_follows = true;
    return HAR_OK;
}

/* The window is complete: engine, head, prediction out. */
static void predict(struct har_app *app, uint32_t end_index, uint32_t time_ms) {
    const uint16_t seq = (uint16_t)app->stream.counts.windows;
    ++app->stream.counts.windows;
    app->stream.has_last = false;
    har_board_count_begin();
    const har_status status = run_engine(app);
    const uint32_t engine_count = har_board_count_end();
    if (status != HAR_OK) {
        engine_failed(app);
        return;
    }
    const uint16_t activities = app->stream.smoother.activities;
    float probabilities[HAR_ROWS]; /* (A,) */
    har_board_count_begin();
    keep_outputs(app);
    har_app_head_predict(app, app->stream.last, probabilities);
    const uint16_t activity = har_head_argmax(probabilities, activities);
    const float novelty = har_app_head_novelty(app, activity);
    har_smoother_push(&app->stream.smoother, probabilities, novelty > 1.0f);
    const uint16_t smoothed = har_head_argmax(app->stream.belief, activities);
    const uint32_t head_count = har_board_count_end();
    app->stream.has_last = true;
    app->stream.last_end_index = end_index;
    keep_recent(app, end_index);
    har_show(app, HAR_SHOW_PREDICTING);

    if (!app->stream.framed && !app->stream.prints) return;
    if (!app->stream.framed) {
        if (novelty > 1.0f) {
            har_send_prediction_line(app, "unknown", 1.0f / novelty);
        } else {
            har_send_prediction_line(app, har_app_head_name(app, smoothed),
                                     app->stream.belief[smoothed]);
        }
        return;
    }
    uint8_t payload[PREDICTION_BYTES_MAX];
    struct har_writer writer;
    har_writer_init(&writer, payload, sizeof payload);
    har_put_u32(&writer, end_index);
    har_put_u32(&writer, time_ms);
    har_put_u8(&writer, (uint8_t)activity);
    har_put_u32(&writer, har_crc32(0, app->stream.last, sizeof app->stream.last));
    har_put_u32(&writer, engine_count);
    har_put_u32(&writer, head_count);
    har_put_u8(&writer, (uint8_t)smoothed);
    har_put_f32(&writer, app->stream.belief[smoothed]);
    har_put_f32(&writer, novelty);
    for (unsigned k = 0; k < activities; ++k) har_put_f32(&writer, probabilities[k]);
    har_send_frame(app, HAR_MSG_PREDICTION, seq, payload, writer.size);
}

/* Samples before the next one are missing. */
static void miss(struct har_app *app, uint32_t lost) {
    app->stream.counts.lost += lost;
    restart(app);
}

/* True when the sample completed a window. */
static bool push(struct har_app *app, const struct har_sensed *sensed, uint32_t index) {
    bool complete = false;
    app->stream.expected = index + 1u;
    if (har_window_push(&app->stream.window, sensed->values, &complete) != HAR_OK) {
        miss(app, 1); /* a sensor that answers nonsense is a gap like any other */
        return false;
    }
    ++app->stream.counts.received;
    if (!app->stream.from_host) har_sensor_keep(app, sensed, index);
    if (!complete) return false;
    har_sensor_flush(app); /* the samples of a window come before its prediction */
    predict(app, index, sensed->time_ms);
    return true;
}

struct har_answer har_stream_take(struct har_app *app, const struct har_frame *frame) {
    struct har_reader reader;
    har_reader_init(&reader, frame->payload, frame->size);
    const uint32_t index = har_get_u32(&reader);
    const uint32_t time_ms = har_get_u32(&reader);
    const uint8_t flags = har_get_u8(&reader);
    const uint8_t count = har_get_u8(&reader);
    if (reader.failed || har_reader_left(&reader) != count * HAR_SAMPLE_BYTES) {
        return (struct har_answer){HAR_ERR_LENGTH,
                                   "count and length of the app->stream.samples disagree"};
    }
    if (count == 0 || count > HAR_SAMPLES_PER_FRAME_MAX || flags > HAR_SAMPLES_FLAG_RESTART) {
        return (struct har_answer){HAR_ERR_ARGUMENT,
                                   "1 to 32 app->stream.samples, and no flag but RESTART"};
    }
    if (!app->stream.from_host) {
        app->stream.from_host = true;
        app->stream.expected = 0;
        har_sensor_send(app, false);
        restart(app);
    }
    if (flags & HAR_SAMPLES_FLAG_RESTART) {
        app->stream.expected = index;
        restart(app);
    }
    app->stream.pending = reader;
    app->stream.pending_left = count;
    app->stream.pending_taken = 0;
    app->stream.pending_index = index;
    app->stream.pending_time_ms = time_ms;
    app->stream.pending_seq = frame->seq;
    return har_done();
}

/* One sample of the host's frame; true when it completed a window. */
static bool take_pending(struct har_app *app) {
    struct har_sensed sensed = {.lost = 0};
    har_get_sample(&app->stream.pending, sensed.values);
    const uint32_t index = app->stream.pending_index++;
    sensed.time_ms = app->stream.pending_time_ms +
                     (uint32_t)((float)app->stream.pending_taken * (1000.0f / HAR_RATE_HZ));
    ++app->stream.pending_taken;
    --app->stream.pending_left;
    const uint32_t ahead = index - app->stream.expected;
    if (ahead >= 0x80000000u) return false; /* before the expected one: a repetition */
    if (ahead > 0) miss(app, ahead);
    return push(app, &sensed, index);
}

/* One sample of the board's own; true when it completed a window. */
static bool take_own(struct har_app *app, const struct har_sensed *sensed) {
    if (sensed->lost > 0 && app->stream.has_first) {
        app->stream.expected += sensed->lost;
        miss(app, sensed->lost);
    }
    app->stream.has_first = true;
    return push(app, sensed, app->stream.expected);
}

bool har_stream_work(struct har_app *app) {
    while (app->stream.pending_left > 0) {
        if (take_pending(app)) return true;
    }
    struct har_sensed sensed;
    for (;;) {
        if (!app->stream.from_host && har_send_full(app)) {
            har_board_collect(); /* they wait there */
            return false;
        }
        if (!har_board_imu(&sensed)) return false;
        /* While the host sends samples the board's own go nowhere. */
        if (!app->stream.from_host && take_own(app, &sensed)) return true;
    }
}

const int8_t *har_stream_window(struct har_app *app, uint32_t end_index) {
    if (app->stream.has_last && app->stream.last_end_index == end_index) return app->stream.last;
    for (unsigned i = 0; i < HAR_RECENT; ++i) {
        const struct har_recent *entry = &app->stream.recent[i];
        if (entry->number != 0 && entry->of_session && entry->end_index == end_index)
            return entry->window;
    }
    return NULL;
}

const int8_t *har_stream_last(struct har_app *app) {
    return app->stream.has_last ? app->stream.last : NULL;
}

const struct har_recent *har_stream_recent(const struct har_app *app, uint32_t number) {
    if (number == 0) return NULL;
    const struct har_recent *entry = &app->stream.recent[(number - 1u) % HAR_RECENT];
    return entry->number == number ? entry : NULL;
}

void har_stream_print(struct har_app *app, bool on) {
    app->stream.prints = on;
}

bool har_stream_prints(struct har_app *app) {
    return app->stream.prints;
}

struct har_stream_counts har_stream_counts(struct har_app *app) {
    return app->stream.counts;
}
