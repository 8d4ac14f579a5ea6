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

#define DRAWS (HAR_SPECTROGRAM_PIXELS > 0) /* the engine reads a picture of the window */

static const struct har_spectrogram_config spectrogram_config = {
    HAR_WINDOW_LENGTH,    HAR_SPECTROGRAM_PIXELS, HAR_SPECTROGRAM_PLANES,
    HAR_INPUT_ZERO_POINT, har_level_mean,         har_level_gain,
};
static int8_t samples[DRAWS ? HAR_WINDOW_LENGTH * HAR_CHANNELS : 1]; /* (T, C), oldest first */

static int8_t ring[HAR_WINDOW_LENGTH * HAR_CHANNELS]; /* (T, C) */
static struct har_window window;
static int8_t last[HAR_CUT_BYTES]; /* (B,) the last window at the cut, for who labels it */
static bool has_last;
static uint32_t last_end_index;

static float belief[HAR_ROWS]; /* (A,) */
static struct har_smoother smoother = {
    HAR_SMOOTHER_CHANGE, HAR_SMOOTHER_CHANGE_MOVING, HAR_ACTIVITIES, belief, false,
};

static bool framed;
static bool prints;
static bool from_host; /* the host has sent samples in this session */
static uint32_t expected;
static bool has_first; /* a sample of this session */
static struct har_stream_counts counts;

/* Of a SAMPLES frame that is not yet used up. */
static struct har_reader pending; /* its samples */
static uint8_t pending_left;
static uint8_t pending_taken;
static uint32_t pending_index; /* of the next sample */
static uint32_t pending_time_ms;
static uint16_t pending_seq;

/* What comes next does not follow from what came before. */
static void restart(void) {
    har_window_restart(&window);
    har_stream_forget();
}

void har_stream_forget(void) {
    smoother.activities = har_app_head_activities();
    har_smoother_restart(&smoother);
}

void har_stream_init(void) {
    har_window_init(&window, &window_config, ring);
    memset(&counts, 0, sizeof counts);
    har_stream_begin(false);
}

void har_stream_begin(bool in_frames) {
    framed = in_frames;
    prints = true;
    from_host = false;
    has_last = false;
    expected = 0;
    has_first = false;
    pending_left = 0;
    har_sensor_send(false);
    restart();
}

static void engine_failed(void) {
    har_show(HAR_SHOW_ERROR);
    if (!framed) {
        har_send_notice(har_engine_error());
        return;
    }
    uint8_t payload[HAR_ERROR_BYTES];
    const size_t size = har_send_error_payload(payload, sizeof payload, HAR_MSG_SAMPLES,
                                               pending_seq, HAR_ERR_ENGINE, har_engine_error());
    har_send_frame(HAR_MSG_ERROR, pending_seq, payload, size);
}

/* The engine's outputs into `last`, one after the other. */
static void keep_outputs(void) {
    int8_t *next = last;
    for (uint32_t i = 0; i < HAR_OUTPUTS; ++i) {
        memcpy(next, har_engine_output(i), har_output_sizes[i]);
        next += har_output_sizes[i];
    }
}

/* The window is complete: engine, head, prediction out. */
static void predict(uint32_t end_index, uint32_t time_ms) {
    const uint16_t seq = (uint16_t)counts.windows;
    ++counts.windows;
    has_last = false;
    har_window_copy(&window, DRAWS ? samples : har_engine_input());
    har_board_count_begin();
    if (DRAWS) har_spectrogram(&spectrogram_config, samples, har_engine_input());
    const har_status status = har_engine_run();
    const uint32_t engine_count = har_board_count_end();
    if (status != HAR_OK) {
        engine_failed();
        return;
    }
    const uint16_t activities = smoother.activities;
    float probabilities[HAR_ROWS]; /* (A,) */
    har_board_count_begin();
    keep_outputs();
    har_app_head_predict(last, probabilities);
    const uint16_t activity = har_head_argmax(probabilities, activities);
    const float novelty = har_app_head_novelty(activity);
    har_smoother_push(&smoother, probabilities, novelty > 1.0f);
    const uint16_t smoothed = har_head_argmax(belief, activities);
    const uint32_t head_count = har_board_count_end();
    has_last = true;
    last_end_index = end_index;
    har_show(HAR_SHOW_PREDICTING);

    if (!framed && !prints) return;
    if (!framed) {
        if (novelty > 1.0f) {
            har_send_prediction_line("unknown", 1.0f / novelty);
        } else {
            har_send_prediction_line(har_app_head_name(smoothed), belief[smoothed]);
        }
        return;
    }
    uint8_t payload[PREDICTION_BYTES_MAX];
    struct har_writer writer;
    har_writer_init(&writer, payload, sizeof payload);
    har_put_u32(&writer, end_index);
    har_put_u32(&writer, time_ms);
    har_put_u8(&writer, (uint8_t)activity);
    har_put_u32(&writer, har_crc32(0, last, sizeof last));
    har_put_u32(&writer, engine_count);
    har_put_u32(&writer, head_count);
    har_put_u8(&writer, (uint8_t)smoothed);
    har_put_f32(&writer, belief[smoothed]);
    har_put_f32(&writer, novelty);
    for (unsigned k = 0; k < activities; ++k) har_put_f32(&writer, probabilities[k]);
    har_send_frame(HAR_MSG_PREDICTION, seq, payload, writer.size);
}

/* Samples before the next one are missing. */
static void miss(uint32_t lost) {
    counts.lost += lost;
    restart();
}

/* True when the sample completed a window. */
static bool push(const struct har_sensed *sensed, uint32_t index) {
    bool complete = false;
    expected = index + 1u;
    if (har_window_push(&window, sensed->values, &complete) != HAR_OK) {
        miss(1); /* a sensor that answers nonsense is a gap like any other */
        return false;
    }
    ++counts.received;
    if (!from_host) har_sensor_keep(sensed, index);
    if (!complete) return false;
    har_sensor_flush(); /* the samples of a window come before its prediction */
    predict(index, sensed->time_ms);
    return true;
}

struct har_answer har_stream_take(const struct har_frame *frame) {
    struct har_reader reader;
    har_reader_init(&reader, frame->payload, frame->size);
    const uint32_t index = har_get_u32(&reader);
    const uint32_t time_ms = har_get_u32(&reader);
    const uint8_t flags = har_get_u8(&reader);
    const uint8_t count = har_get_u8(&reader);
    if (reader.failed || har_reader_left(&reader) != count * HAR_SAMPLE_BYTES) {
        return (struct har_answer){HAR_ERR_LENGTH, "count and length of the samples disagree"};
    }
    if (count == 0 || count > HAR_SAMPLES_PER_FRAME_MAX || flags > HAR_SAMPLES_FLAG_RESTART) {
        return (struct har_answer){HAR_ERR_ARGUMENT, "1 to 32 samples, and no flag but RESTART"};
    }
    if (!from_host) {
        from_host = true;
        expected = 0;
        har_sensor_send(false);
        restart();
    }
    if (flags & HAR_SAMPLES_FLAG_RESTART) {
        expected = index;
        restart();
    }
    pending = reader;
    pending_left = count;
    pending_taken = 0;
    pending_index = index;
    pending_time_ms = time_ms;
    pending_seq = frame->seq;
    return (struct har_answer){HAR_OK, ""};
}

/* One sample of the host's frame; true when it completed a window. */
static bool take_pending(void) {
    struct har_sensed sensed = {.lost = 0};
    har_get_sample(&pending, sensed.values);
    const uint32_t index = pending_index++;
    sensed.time_ms = pending_time_ms + (uint32_t)((float)pending_taken * (1000.0f / HAR_RATE_HZ));
    ++pending_taken;
    --pending_left;
    const uint32_t ahead = index - expected;
    if (ahead >= 0x80000000u) return false; /* before the expected one: a repetition */
    if (ahead > 0) miss(ahead);
    return push(&sensed, index);
}

/* One sample of the board's own; true when it completed a window. */
static bool take_own(const struct har_sensed *sensed) {
    if (sensed->lost > 0 && has_first) {
        expected += sensed->lost;
        miss(sensed->lost);
    }
    has_first = true;
    return push(sensed, expected);
}

bool har_stream_work(void) {
    while (pending_left > 0) {
        if (take_pending()) return true;
    }
    struct har_sensed sensed;
    for (;;) {
        if (!from_host && har_send_full()) {
            har_board_collect(); /* they wait there */
            return false;
        }
        if (!har_board_imu(&sensed)) return false;
        /* While the host sends samples the board's own go nowhere. */
        if (!from_host && take_own(&sensed)) return true;
    }
}

const int8_t *har_stream_window(uint32_t end_index) {
    return has_last && last_end_index == end_index ? last : NULL;
}

const int8_t *har_stream_last(void) {
    return has_last ? last : NULL;
}

void har_stream_print(bool on) {
    prints = on;
}

bool har_stream_prints(void) {
    return prints;
}

struct har_stream_counts har_stream_counts(void) {
    return counts;
}
