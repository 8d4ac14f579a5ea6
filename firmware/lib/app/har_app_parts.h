/* The app's inside, for har_app*.c and tests. Each part is a file, its memory a member of struct
 * har_app; a part calls those above it in this list:
 *   send (what goes out), show (what a person sees), head (the learner), names, record (its
 *   storage), sensor (reports on the board's own), stream (samples to predictions), keys (what
 *   a person types), and har_app.c, which reads the wire and executes requests. */
#ifndef HAR_APP_PARTS_H
#define HAR_APP_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/har_board.h"
#include "har_model.h" /* HAR_FIRMWARE_VERSION, too: there is one version, the package's */
#include "lib/app/har_app.h"
#include "lib/base/har_status.h"
#include "lib/head/har_learner.h"
#include "lib/head/har_smoother.h"
#include "lib/link/har_protocol.h"
#include "lib/store/har_store.h"
#include "lib/window/har_window.h"

/* ---- the memory of each part ------------------------------------------------------------------
 */

#define HAR_SEND_RING_BYTES 2048u /* about 30 predictions of 6 activities */

struct har_app_send {
    uint8_t ring[HAR_SEND_RING_BYTES];
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
};

#define HAR_SPARE (HAR_ROWS - HAR_ACTIVITIES)
#define HAR_PARAMETERS                                                               \
    HAR_HEAD_PARAMETERS(HAR_ROWS, HAR_FEATURES, HAR_HEAD_CHANNELS, HAR_HEAD_FILTERS, \
                        HAR_HEAD_KERNEL)

#define HAR_NAME_BYTES_MAX 31u

struct har_name {
    uint8_t size;
    uint8_t text[HAR_NAME_BYTES_MAX]; /* UTF-8, the rest 0 */
};

/* Laid out as docs/STORAGE.md has it, so that storing and sending are copies of bytes. */
struct har_stored_head {
    uint16_t features;
    uint8_t rows;
    uint8_t activities; /* A */
    uint32_t parameters;
    struct har_learner_state state;
    uint32_t since_s; /* Unix time of the first label, 0: unknown */
    uint32_t saved_s; /* Unix time of the save, 0: unknown */
    uint16_t window_bytes;
    uint16_t capacity;
    uint32_t labels[HAR_ROWS];
    float limits[HAR_ROWS]; /* distances up to which windows are known */
#if HAR_SPARE > 0
    struct har_name names[HAR_SPARE]; /* of the activities from K on */
#endif
    float values[HAR_PARAMETERS]; /* of the layers */
};

/* The windows that are learned again; behind the head in a record. */
struct har_kept {
    uint32_t seen[HAR_ROWS];
    uint8_t labels[HAR_REPLAY_CAPACITY];
    uint8_t trust[HAR_REPLAY_CAPACITY];
    int8_t windows[HAR_REPLAY_CAPACITY * HAR_CUT_BYTES]; /* (N, B) */
};

struct har_learned {
    struct har_stored_head head;
    struct har_kept kept;
};

#define HAR_POSITIONS HAR_HEAD_POSITIONS(HAR_HEAD_MAP_LENGTH, HAR_HEAD_KERNEL, HAR_HEAD_STRIDE)
#define HAR_SCRATCH                                                                  \
    HAR_HEAD_SCRATCH(HAR_ROWS, HAR_FEATURES, HAR_HEAD_MAP_LENGTH, HAR_HEAD_CHANNELS, \
                     HAR_HEAD_FILTERS, HAR_POSITIONS, HAR_HEAD_KERNEL)

struct har_app_head {
    struct har_learned current; /* in use */
    bool learned;               /* current is not the factory head */
    bool unsaved;               /* current is not what the next start takes */

    /* A head from outside until it has been checked. Its values are also what undo goes back to,
     * so that a head that comes in forgets the undo, and a label what came in. */
    struct har_stored_head staged;
    uint32_t staged_bytes; /* of it that HEAD_WRITE has filled */

    struct har_head layers; /* over current */
    struct har_replay replay;
    struct har_learner learner;
    float scratch[HAR_SCRATCH];
    int8_t previous_window[HAR_CUT_BYTES];

    /* What else the last label changed, as it was. */
    struct {
        uint8_t activity;
        float limit;
        uint32_t since_s;
        bool learned;
        bool unsaved;
    } before;

    uint32_t time_s; /* Unix time at time_ms of the board's own clock; 0: unknown */
    uint32_t time_ms;
    char name[HAR_NAME_BYTES_MAX + 1u]; /* what har_app_head_name() answered */
    struct har_store store;
    bool store_ready;
};

#define HAR_DRAWS (HAR_SPECTROGRAM_PIXELS > 0) /* the engine reads a picture of the window */

struct har_stream_counts {
    uint32_t received; /* samples taken */
    uint32_t lost;     /* samples missing in gaps, or not finite */
    uint32_t windows;
};

#define HAR_RECENT 8u /* windows; with the one that is filling, ten seconds */

/* A window at the cut, for who labels it later. */
struct har_recent {
    uint32_t number; /* since the start, from 1 on; 0: none */
    uint32_t end_index;
    uint32_t at_ms;  /* by the board's clock, when its answer came */
    bool of_session; /* end_index is of this session's count */
    int8_t window[HAR_CUT_BYTES];
};

struct har_app_stream {
    int8_t samples[HAR_DRAWS ? HAR_WINDOW_LENGTH * HAR_CHANNELS : 1]; /* (T, C), oldest first */
    int8_t ring[HAR_WINDOW_LENGTH * HAR_CHANNELS];                    /* (T, C) */
    struct har_window window;
    int8_t last[HAR_CUT_BYTES]; /* (B,) the last window at the cut, for who labels it */
    bool has_last;
    bool engine_follows; /* the next run's samples follow from the last one's */
    uint32_t last_end_index;
    struct har_recent recent[HAR_RECENT]; /* half a window apart, in a ring */
    uint32_t recent_number;               /* of the newest */
    uint16_t until_recent;                /* answers before the next one */
    float belief[HAR_ROWS];               /* (A,) */
    struct har_smoother smoother;

    bool framed;
    bool prints;
    bool from_host; /* the host has sent samples in this session */
    uint32_t expected;
    bool has_first; /* a sample of this session */
    struct har_stream_counts counts;

    /* Of a SAMPLES frame that is not yet used up. */
    struct har_reader pending; /* its samples */
    uint8_t pending_left;
    uint8_t pending_taken;
    uint32_t pending_index; /* of the next sample */
    uint32_t pending_time_ms;
    uint16_t pending_seq;
};

#define HAR_SENSOR_BATCH 10u /* of the 20 that a SENSED may carry; RAM is scarce */

struct har_app_sensor {
    bool sending;
    bool followed; /* next_index is that of the sample after the last one kept */
    uint8_t count; /* of `values` */
    uint16_t seq;
    uint32_t next_index;
    uint32_t index; /* of the first one held */
    uint32_t time_ms;
    uint32_t lost;
    float values[HAR_SENSOR_BATCH][HAR_SAMPLE_CHANNELS];

    uint8_t said;   /* enum said */
    uint8_t sensor; /* as it was said last */
    uint8_t trouble;
    uint32_t looked_ms;
};

enum har_typed { HAR_TYPED_NOTHING = 0, HAR_TYPED_KEY, HAR_TYPED_WORD, HAR_TYPED_NO_TEXT };

struct har_app_keys {
    /* What came since the line was silent, or since a 0x00. */
    uint8_t is;  /* enum har_typed */
    uint8_t key; /* the first byte */
    uint32_t last_ms;

    bool labelled; /* the last key was the label of a window */
    uint8_t activity;
    uint32_t labelled_ms;
    uint32_t answers; /* that there were then */
    uint32_t number;  /* of the oldest window that it labelled */

    bool reset_asked;
    uint32_t reset_asked_ms;
    bool remarked;
    uint32_t remarked_ms;
};

#define HAR_CHUNK_BYTES 64u

struct har_app {
    uint8_t frame_buffer[HAR_FRAME_BUFFER_BYTES];
    struct har_frame_decoder decoder;
    uint8_t chunk[HAR_CHUNK_BYTES]; /* bytes read and not yet decoded */
    size_t chunk_at;
    size_t chunk_size;
    bool framed;
    bool engine_ready;
    uint8_t shown; /* enum har_show */
    uint32_t shown_ms;

    struct har_app_send send;
    struct har_app_head head;
    struct har_app_stream stream;
    struct har_app_sensor sensor;
    struct har_app_keys keys;
};

/* ---- send (har_app_send.c): never waits; what does not fit whole is dropped and counted ---- */

void har_send_init(struct har_app *app);

/* Hands the board as much as it takes. */
void har_send_drain(struct har_app *app);

/* Whoever reads should be given time to take what waits, before there is more: there is hardly any
 * room left. False when nobody reads. */
bool har_send_full(struct har_app *app);

void har_send_frame(struct har_app *app, uint8_t type, uint16_t seq, const void *payload,
                    size_t size);

/* Sends the answer to `request` and keeps it for har_send_again(). */
void har_send_reply(struct har_app *app, const struct har_frame *request, uint8_t type,
                    const void *payload, size_t size);

/* Answers `request` with the kept reply when it repeats the request that was answered last. */
bool har_send_again(struct har_app *app, const struct har_frame *request);

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
void har_line_send(struct har_app *app,
                   struct har_line *line); /* and ends it: not to be used again */

/* "har: TEXT\n" */
void har_send_notice(struct har_app *app, const char *text);

/* "NAME 0.97\n" for 0 <= share <= 1; skipped, not counted, while nobody takes the line before. */
void har_send_prediction_line(struct har_app *app, const char *name, float share);

uint32_t har_send_dropped(struct har_app *app);

/* ---- head (har_app_head.c; har_app_record.c stores; har_app_names.c) ------------------------ */

/* Takes the newest stored head of this model, else the shipped one. Returns a line for a person
 * when a stored head could not be taken, else NULL. */
const char *har_app_head_init(struct har_app *app);

/* Unix time from a host; 0, which it does not know, changes nothing. */
void har_app_head_set_time(struct har_app *app, uint32_t unix_s);

/* Unix time, 0 when no host has told it. To be asked at least every 49 days: the board's own clock
 * begins again from 0. */
uint32_t har_app_head_now_s(struct har_app *app);

/* What every change of the head answers; `text` says what to do when `status` is not HAR_OK. */
struct har_answer {
    har_status status;
    const char *text;
};
static inline struct har_answer har_refuse(har_status status, const char *text) {
    return (struct har_answer){status, text};
}
static inline struct har_answer har_done(void) {
    return har_refuse(HAR_OK, "");
}

/* A, shipped and taught. */
uint16_t har_app_head_activities(struct har_app *app);

/* Of an activity < A; valid until the next call. */
const char *har_app_head_name(struct har_app *app, uint16_t activity);

/* int8 window (B,) at the cut -> probabilities (A,), of the active head. */
void har_app_head_predict(struct har_app *app, const int8_t *window, float *probabilities);

/* The distance of the window that was predicted last from what is known of `activity`, as a share
 * of the limit, at most HAR_HEAD_LIMIT: above 1 it is unknown. 0 for what was taught. */
float har_app_head_novelty(struct har_app *app, uint16_t activity);

struct har_update_result {
    float before; /* probability of the label, by the learned parameters */
    float after;
    uint32_t updates; /* labels learned from since the shipped head */
    uint32_t head_crc;
    uint32_t count;      /* cost of the label, in the unit of har_board_counter() */
    uint8_t outcome;     /* enum har_outcome */
    bool learned_active; /* the learned parameters, not the factory ones */
};

/* Learns that the window (B,) was `activity`. */
struct har_answer har_app_head_learn(struct har_app *app, const int8_t *window, uint8_t activity,
                                     struct har_update_result *result);

/* Whether the learned head is active, not the factory head. */
bool har_app_head_learned_active(struct har_app *app);

/* Takes the last label back. */
struct har_answer har_app_head_undo(struct har_app *app);

/* One more activity of that name (UTF-8, no NUL). */
struct har_answer har_app_head_add(struct har_app *app, const uint8_t *name, size_t size,
                                   uint8_t *activity);

struct har_answer har_app_head_save(struct har_app *app);
struct har_answer har_app_head_reset(struct har_app *app);
struct har_answer har_app_head_rollback(struct har_app *app);
struct har_answer har_app_head_commit(struct har_app *app, const uint8_t *model_id,
                                      uint32_t length_bytes, uint32_t crc);

/* One piece of a head from the host; *end is where the next belongs. */
struct har_answer har_app_head_write(struct har_app *app, uint32_t offset, const uint8_t *data,
                                     size_t size, uint32_t *end);

/* `size` bytes of the current head, or NULL when they are not all inside it. */
const uint8_t *har_app_head_bytes(const struct har_app *app, uint32_t offset, size_t size);

/* HEAD_STATE payload. */
void har_app_head_put_state(struct har_app *app, struct har_writer *writer);

/* Joins the learner and its arrays; before anything else of the head. */
void har_app_head_assemble(struct har_app *app);

/* The factory head into use. */
void har_app_head_take_factory(struct har_app *app);

/* After app->head.current was filled, and checked. `saved`: as it is stored. */
void har_app_head_taken(struct har_app *app, bool saved);

/* After this app->head.staged may be filled. */
void har_app_head_forget_undo(struct har_app *app);

/* After app->head.current has become the newest record. */
void har_app_head_saved(struct har_app *app);

/* Whether a head's sizes, values and names are right for this model; HAR_ERR_MODEL when it has
 * another shape, HAR_ERR_ARGUMENT for its names, HAR_ERR_NOT_FINITE for its values and counts. */
har_status har_app_head_check(const struct har_stored_head *head);

/* Sequence of the newest record of this model, 0 when there is none. */
uint32_t har_app_head_newest_sequence(struct har_app *app);

/* ---- names (har_app_names.c) ---------------------------------------------------------------- */

/* Where the name of a taught activity stands, K <= activity < R. */
struct har_name *har_name_entry(struct har_stored_head *head, uint16_t activity);

/* Whether `text` (`size` bytes) can be one more name after the first `count` activities'. */
bool har_name_fits(const struct har_stored_head *head, uint16_t count, const uint8_t *text,
                   size_t size);

/* Whether the names of all taught activities are right. */
bool har_names_right(const struct har_stored_head *head);

/* ---- stream (har_app_stream.c) ------------------------------------------------------------- */

/* How predictions leave: lines of text, or frames. */
void har_stream_init(struct har_app *app);

/* A new session in text (framed = false) or frames: an empty window, indices from 0, samples from
 * the board's own IMU until the host sends some. */
void har_stream_begin(struct har_app *app, bool framed);

/* Checks a SAMPLES frame and takes it; har_stream_work() does the rest. The frame's payload must
 * stay until har_stream_work() says false. */
struct har_answer har_stream_take(struct har_app *app, const struct har_frame *frame);

/* Takes samples until there are none or one inference was done; true in the latter case. */
bool har_stream_work(struct har_app *app);

/* The window (B,) at the cut that ended at `end_index` of this session, while it is kept; else
 * NULL. */
const int8_t *har_stream_window(struct har_app *app, uint32_t end_index);

/* The window with this number, NULL when it is gone. */
const struct har_recent *har_stream_recent(const struct har_app *app, uint32_t number);

/* The last window (B,) at the cut, NULL when there is none. */
const int8_t *har_stream_last(struct har_app *app);

/* Whether predictions are printed in text; they are at the beginning of every session. */
void har_stream_print(struct har_app *app, bool on);
bool har_stream_prints(struct har_app *app);

/* After the number of activities has changed: what was believed of them is forgotten. */
void har_stream_forget(struct har_app *app);

struct har_stream_counts har_stream_counts(struct har_app *app);

/* ---- sensor (har_app_sensor.c): the board's own -------------------------------------------- */

void har_sensor_init(struct har_app *app);

/* Tells a person, in text, what is new with the sensor; each thing once. */
void har_sensor_tell(struct har_app *app);

/* Whether samples shall leave as SENSED from now on. What is held and not yet sent is dropped when
 * they no longer shall. */
void har_sensor_send(struct har_app *app, bool on);

/* A sample that the window took. Those that do not follow from the one before begin a new frame. */
void har_sensor_keep(struct har_app *app, const struct har_sensed *sensed, uint32_t index);

/* Sends what is held. */
void har_sensor_flush(struct har_app *app);

/* SENSOR_STATE payload. */
void har_sensor_put_state(struct har_app *app, struct har_writer *writer);

/* ---- keys (har_app_keys.c): what a person types while the board speaks text ------------------ */

/* Forgets what was begun. */
void har_keys_begin(struct har_app *app);

void har_keys_take(struct har_app *app, uint8_t byte);

/* To be called when no byte waits: a key counts once the line has been silent behind it. */
void har_keys_silence(struct har_app *app);

/* ---- what a person sees (har_app_show.c)
 * --------------------------------------------------------- */

/* Shows `state`, one of enum har_show: an error until something works again, a lesson at least
 * 300 ms, a prediction 150 ms. */
void har_show(struct har_app *app, uint8_t state);

/* Ends what was shown long enough. */
void har_show_on(struct har_app *app);

#endif
