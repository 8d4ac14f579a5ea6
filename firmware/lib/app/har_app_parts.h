/* The app's inside, for har_app*.c only. Five parts, each with one static instance:
 * send (what goes out), head (the learner, its history and its storage), stream (samples to
 * predictions), sensor (what is told of the board's own), keys (what a person types). har_app.c
 * itself reads the wire and executes requests. */
#ifndef HAR_APP_PARTS_H
#define HAR_APP_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/har_board.h"
#include "har_model.h" /* HAR_FIRMWARE_VERSION, too: there is one version, the package's */
#include "lib/base/har_status.h"
#include "lib/link/har_protocol.h"

/* ---- send (har_app_send.c): never waits; what does not fit whole is dropped and counted ---- */

void har_send_init(void);

/* Hands the board as much as it takes. */
void har_send_drain(void);

/* Whoever reads should be given time to take what waits, before there is more: there is hardly any
 * room left. False when nobody reads. */
bool har_send_full(void);

void har_send_frame(uint8_t type, uint16_t seq, const void *payload, size_t size);

/* Sends the answer to `request` and keeps it for har_send_again(). */
void har_send_reply(const struct har_frame *request, uint8_t type, const void *payload,
                    size_t size);

/* Answers `request` with the kept reply when it repeats the request that was answered last. */
bool har_send_again(const struct har_frame *request);

#define HAR_ERROR_TEXT_BYTES 120u /* longer texts are cut */
#define HAR_ERROR_BYTES (5u + HAR_ERROR_TEXT_BYTES)

/* ERROR payload: what was asked, the status, one line for a person. HAR_ERROR_BYTES are always
 * enough. Returns its size. */
size_t har_send_error_payload(uint8_t *payload, size_t capacity, uint8_t type, uint16_t seq,
                              har_status status, const char *text);

/* One line of text for a person; longer ones are cut. */
struct har_line {
    char text[160];
    size_t size;
};
void har_line_begin(struct har_line *line); /* "har: " */
void har_line_text(struct har_line *line, const char *text);
void har_line_number(struct har_line *line, uint32_t number);
void har_line_share(struct har_line *line, float share); /* 0 <= share, two decimals */
void har_line_hex(struct har_line *line, uint8_t byte);
void har_line_send(struct har_line *line); /* and ends it: not to be used again */

/* "har: TEXT\n" */
void har_send_notice(const char *text);

/* "NAME 0.97\n" for 0 <= share <= 1; skipped, not counted, while nobody takes the line before. */
void har_send_prediction_line(const char *name, float share);

uint32_t har_send_dropped(void);

/* ---- head (har_app_head.c; har_app_record.c stores; har_app_names.c) ------------------------ */

/* Takes the newest stored head of this model, else the shipped one. Returns a line for a person
 * when a stored head could not be taken, else NULL. */
const char *har_app_head_init(void);

/* Unix time from a host; 0, which it does not know, changes nothing. */
void har_app_head_set_time(uint32_t unix_s);

/* Unix time, 0 when no host has told it. To be asked at least every 49 days: the board's own clock
 * begins again from 0. */
uint32_t har_app_head_now_s(void);

/* What every change of the head answers; `text` says what to do when `status` is not HAR_OK. */
struct har_answer {
    har_status status;
    const char *text;
};

/* A, shipped and taught. */
uint16_t har_app_head_activities(void);

/* Of an activity < A; valid until the next call. */
const char *har_app_head_name(uint16_t activity);

/* int8 window (B,) at the cut -> probabilities (A,), of the parameters that serve. */
void har_app_head_predict(const int8_t *window, float *probabilities);

/* The distance of the window that was predicted last from what is known of `activity`, as a share
 * of the limit, at most HAR_HEAD_LIMIT: above 1 it is unknown. 0 for what was taught. */
float har_app_head_novelty(uint16_t activity);

struct har_lesson {
    float before; /* probability of the label, by the learned parameters */
    float after;
    uint32_t updates; /* labels learned from since the shipped head */
    uint32_t head_crc;
    uint32_t count;  /* cost of the label, in the unit of har_board_counter() */
    uint8_t outcome; /* enum har_outcome */
    bool serves;     /* the learned parameters, not the shipped ones */
};

/* Learns that the window (B,) was `activity`. */
struct har_answer har_app_head_learn(const int8_t *window, uint8_t activity,
                                     struct har_lesson *lesson);

/* Whether the learned head is active, not the factory head. */
bool har_app_head_serves(void);

/* Takes the last label back. */
struct har_answer har_app_head_undo(void);

/* One more activity of that name (UTF-8, no NUL). */
struct har_answer har_app_head_add(const uint8_t *name, size_t size, uint8_t *activity);

struct har_answer har_app_head_save(void);
struct har_answer har_app_head_reset(void);
struct har_answer har_app_head_rollback(void);
struct har_answer har_app_head_commit(const uint8_t *model_id, uint32_t length_bytes, uint32_t crc);

/* One piece of a head from the host; *end is where the next belongs. */
struct har_answer har_app_head_write(uint32_t offset, const uint8_t *data, size_t size,
                                     uint32_t *end);

/* `size` bytes of the current head, or NULL when they are not all inside it. */
const uint8_t *har_app_head_bytes(uint32_t offset, size_t size);

/* HEAD_STATE payload. */
void har_app_head_put_state(struct har_writer *writer);

/* ---- stream (har_app_stream.c) ------------------------------------------------------------- */

/* How predictions leave: lines of text, or frames. */
void har_stream_init(void);

/* A new session in text (framed = false) or frames: an empty window, indices from 0, samples from
 * the board's own IMU until the host sends some. */
void har_stream_begin(bool framed);

/* Checks a SAMPLES frame and takes it; har_stream_work() does the rest. The frame's payload must
 * stay until har_stream_work() says false. */
struct har_answer har_stream_take(const struct har_frame *frame);

/* Takes samples until there are none or one inference was done; true in the latter case. */
bool har_stream_work(void);

/* The window (B,) at the cut that ended at `end_index`, if that was the last one; else NULL. */
const int8_t *har_stream_window(uint32_t end_index);

/* The last window (B,) at the cut, NULL when there is none. */
const int8_t *har_stream_last(void);

/* Whether predictions are printed in text; they are at the beginning of every session. */
void har_stream_print(bool on);
bool har_stream_prints(void);

/* After the number of activities has changed: what was believed of them is forgotten. */
void har_stream_forget(void);

struct har_stream_counts {
    uint32_t received; /* samples taken */
    uint32_t lost;     /* samples missing in gaps, or not finite */
    uint32_t windows;
};
struct har_stream_counts har_stream_counts(void);

/* ---- sensor (har_app_sensor.c): the board's own -------------------------------------------- */

void har_sensor_init(void);

/* Tells a person, in text, what is new with the sensor; each thing once. */
void har_sensor_tell(void);

/* Whether samples shall leave as SENSED from now on. What is held and not yet sent is dropped when
 * they no longer shall. */
void har_sensor_send(bool on);

/* A sample that the window took. Those that do not follow from the one before begin a new frame. */
void har_sensor_keep(const struct har_sensed *sensed, uint32_t index);

/* Sends what is held. */
void har_sensor_flush(void);

/* SENSOR_STATE payload. */
void har_sensor_put_state(struct har_writer *writer);

/* ---- keys (har_app_keys.c): what a person types while the board speaks text ------------------ */

/* Forgets what was begun. */
void har_keys_begin(void);

void har_keys_take(uint8_t byte);

/* To be called when no byte waits: a key counts once the line has been silent behind it. */
void har_keys_silence(void);

/* ---- what a person sees (har_app.c) --------------------------------------------------------- */

/* Shows `state`, one of enum har_show: an error until something works again, a lesson at least
 * 300 ms, a prediction 150 ms. */
void har_show(uint8_t state);

#endif
