#include <stdbool.h>

#include "hal/har_board.h"
#include "lib/app/har_app_head.h"
#include "lib/app/har_app_parts.h"

#define SILENCE_MS 50u
#define AGAIN_MS 5000u /* how long `r` waits for the second one; between two remarks */

/* What came since the line was silent, or since a 0x00. */
static struct {
    enum { NOTHING, KEY, WORD, NO_TEXT } is;
    uint8_t key; /* the first byte */
    uint32_t last_ms;
} run;

static bool reset_asked;
static uint32_t reset_asked_ms;
static bool remarked;
static uint32_t remarked_ms;

void har_keys_begin(void) {
    run.is = NOTHING;
    reset_asked = false;
}

void har_keys_take(uint8_t byte) {
    run.last_ms = har_board_millis();
    if (byte == HAR_FRAME_DELIMITER) {
        run.is = NOTHING;
    } else if (run.is == NOTHING) {
        run.is = byte >= ' ' && byte <= '~' ? KEY : NO_TEXT; /* frames begin so, and empty lines */
        run.key = byte;
    } else if (run.is == KEY && byte != '\r' && byte != '\n') {
        run.is = WORD;
    }
}

/* ---- what the keys do; each answers ---- */

static void help(void) {
    static const char *const keys[] = {
        "? this help",
        "p pause printing, and go on",
        "0..9 the last window was activity:",
    };
    static const char *const more[] = {
        "u undo the last label",
        "s save what was learned",
        "r forget all that was learned",
    };
    struct har_line line;
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; ++i) har_send_notice(keys[i]);
    for (uint16_t k = 0; k < har_app_head_activities(); ++k) {
        har_line_begin(&line);
        har_line_text(&line, "  ");
        har_line_number(&line, k);
        har_line_text(&line, " ");
        har_line_text(&line, har_app_head_name(k));
        har_line_send(&line);
    }
    for (unsigned i = 0; i < sizeof more / sizeof *more; ++i) har_send_notice(more[i]);
    har_line_begin(&line);
    har_line_text(&line, har_app_head_serves() ? "the learned" : "the factory");
    har_line_text(&line, " head is active; ");
    har_line_number(&line, har_app_heads.current.head.state.updates);
    har_line_text(&line, har_app_heads.unsaved ? " labels learned, not saved" : " labels learned");
    har_line_send(&line);
}

static void turn_printing(void) {
    const bool on = !har_stream_prints();
    har_stream_print(on);
    har_send_notice(on ? "going on" : "paused; p goes on");
}

static void label(uint8_t activity) {
    static const char *const outcomes[] = {
        [HAR_HELD_BACK] = ", kept for the holdout",
        [HAR_UNDONE] = ", undone: it made others worse",
    };
    struct har_lesson lesson;
    const int8_t *window = har_stream_last();
    if (activity >= har_app_head_activities()) {
        har_send_notice("no such activity; ? lists them");
        return;
    }
    if (window == NULL) {
        har_send_notice("there is no window yet to label");
        return;
    }
    const struct har_answer answer = har_app_head_learn(window, activity, &lesson);
    if (answer.status != HAR_OK) {
        har_send_notice(answer.text);
        return;
    }
    struct har_line line;
    har_line_begin(&line);
    if (lesson.outcome == HAR_LEARNED) har_line_text(&line, "learned ");
    har_line_text(&line, har_app_head_name(activity));
    if (lesson.outcome == HAR_LEARNED) {
        har_line_text(&line, ", ");
        har_line_share(&line, lesson.before);
        har_line_text(&line, " -> ");
        har_line_share(&line, lesson.after);
    } else {
        har_line_text(&line, outcomes[lesson.outcome]);
    }
    har_line_send(&line);
}

static void save(void) {
    const struct har_answer answer = har_app_head_save();
    if (answer.status != HAR_OK) {
        har_send_notice(answer.text);
        return;
    }
    const uint32_t sequence = har_record_newest_sequence();
    if (sequence == 0) {
        har_send_notice("nothing was learned: nothing to save");
        return;
    }
    struct har_line line;
    har_line_begin(&line);
    har_line_text(&line, "saved, record ");
    har_line_number(&line, sequence);
    har_line_send(&line);
}

static void tell(struct har_answer answer, const char *done) {
    har_send_notice(answer.status == HAR_OK ? done : answer.text);
}

static void reset(bool asked) {
    if (!asked) {
        reset_asked = true;
        reset_asked_ms = har_board_millis();
        har_send_notice("press r again within 5 s to forget all that was learned");
        return;
    }
    const uint16_t activities = har_app_head_activities();
    tell(har_app_head_reset(), "forgotten: the factory head is active");
    if (har_app_head_activities() != activities) har_stream_forget();
}

static void press(uint8_t key) {
    const bool asked = reset_asked && har_board_millis() - reset_asked_ms <= AGAIN_MS;
    reset_asked = false;
    if (key >= '0' && key <= '9') {
        label((uint8_t)(key - '0'));
        return;
    }
    switch (key) {
        case '?':
            help();
            return;
        case 'p':
            turn_printing();
            return;
        case 'u':
            tell(har_app_head_undo(), "the last label is taken back");
            return;
        case 's':
            save();
            return;
        case 'r':
            reset(asked);
            return;
        default:
            har_send_notice("no such key; ? for help");
            return;
    }
}

static void remark(void) {
    if (remarked && har_board_millis() - remarked_ms < AGAIN_MS) return;
    remarked = true;
    remarked_ms = har_board_millis();
    har_send_notice("one key at a time; ? for help");
}

void har_keys_silence(void) {
    if (run.is == NOTHING || har_board_millis() - run.last_ms < SILENCE_MS) return;
    const bool is_key = run.is == KEY;
    if (run.is == WORD) remark();
    run.is = NOTHING;
    if (is_key) press(run.key);
}
