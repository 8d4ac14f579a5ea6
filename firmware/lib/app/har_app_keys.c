#include <stdbool.h>

#include "hal/har_board.h"
#include "lib/app/har_app_parts.h"

#define SILENCE_MS 50u
#define AGAIN_MS 5000u  /* how long `r` waits for the second one; between two remarks */
#define BEFORE_MS 3000u /* how long a label waits for the same again */

void har_keys_begin(struct har_app *app) {
    app->keys.is = HAR_TYPED_NOTHING;
    app->keys.reset_asked = false;
    app->keys.labelled = false;
}

void har_keys_take(struct har_app *app, uint8_t byte) {
    app->keys.last_ms = har_board_millis();
    if (byte == HAR_FRAME_DELIMITER) {
        app->keys.is = HAR_TYPED_NOTHING;
    } else if (app->keys.is == HAR_TYPED_NOTHING) {
        app->keys.is = byte >= ' ' && byte <= '~'
                           ? HAR_TYPED_KEY
                           : HAR_TYPED_NO_TEXT; /* frames begin so, and empty lines */
        app->keys.key = byte;
    } else if (app->keys.is == HAR_TYPED_KEY && byte != '\r' && byte != '\n') {
        app->keys.is = HAR_TYPED_WORD;
    }
}

/* ---- what the keys do; each answers ---- */

static void help(struct har_app *app) {
    static const char *const keys[] = {
        "? this help",
        "p pause printing, and go on",
        "0..9 the last window was activity:",
    };
    static const char *const more[] = {
        "the same digit again within 3 s: so was the window before",
        "u undo the last label",
        "s save what was learned",
        "r forget all that was learned",
    };
    struct har_line line;
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; ++i) har_send_notice(app, keys[i]);
    for (uint16_t k = 0; k < har_app_head_activities(app); ++k) {
        har_line_begin(&line);
        har_line_text(&line, "  ");
        har_line_number(&line, k);
        har_line_text(&line, " ");
        har_line_text(&line, har_app_head_name(app, k));
        har_line_send(app, &line);
    }
    for (unsigned i = 0; i < sizeof more / sizeof *more; ++i) har_send_notice(app, more[i]);
    har_line_begin(&line);
    har_line_text(&line, har_app_head_learned_active(app) ? "the learned" : "the factory");
    har_line_text(&line, " head is active; ");
    har_line_number(&line, app->head.current.head.state.updates);
    har_line_text(&line, app->head.unsaved ? " labels learned, not saved" : " labels learned");
    har_line_send(app, &line);
}

static void turn_printing(struct har_app *app) {
    const bool on = !har_stream_prints(app);
    har_stream_print(app, on);
    har_send_notice(app, on ? "going on" : "paused; p goes on");
}

/* What a digit labels: the last window; pressed again before half a window is new, the one before,
 * and so on. */
static const int8_t *window_of_key(struct har_app *app, bool before) {
    if (before) {
        const struct har_recent *older = har_stream_recent(app, app->keys.number - 1u);
        if (older == NULL) return NULL;
        --app->keys.number;
        return older->window;
    }
    app->keys.number = app->stream.recent_number;
    app->keys.answers = app->stream.counts.windows;
    return har_stream_last(app);
}

static void label(struct har_app *app, uint8_t activity, bool before) {
    static const char *const outcomes[] = {
        [HAR_HELD_BACK] = ", kept for the holdout",
        [HAR_UNDONE] = ", undone: it made others worse",
    };
    struct har_update_result result;
    if (activity >= har_app_head_activities(app)) {
        har_send_notice(app, "no such activity; ? lists them");
        return;
    }
    const int8_t *window = window_of_key(app, before);
    if (window == NULL) {
        har_send_notice(app,
                        before ? "the window before is gone" : "there is no window yet to label");
        return;
    }
    const struct har_answer answer = har_app_head_learn(app, window, activity, &result);
    if (answer.status != HAR_OK) {
        har_send_notice(app, answer.text);
        return;
    }
    app->keys.labelled = true;
    app->keys.activity = activity;
    app->keys.labelled_ms = har_board_millis();
    struct har_line line;
    har_line_begin(&line);
    if (before) har_line_text(&line, "the one before: ");
    if (result.outcome == HAR_LEARNED) har_line_text(&line, "learned ");
    har_line_text(&line, har_app_head_name(app, activity));
    if (result.outcome == HAR_LEARNED) {
        har_line_text(&line, ", ");
        har_line_share(&line, result.before);
        har_line_text(&line, " -> ");
        har_line_share(&line, result.after);
    } else {
        har_line_text(&line, outcomes[result.outcome]);
    }
    har_line_send(app, &line);
}

static void save(struct har_app *app) {
    const struct har_answer answer = har_app_head_save(app);
    if (answer.status != HAR_OK) {
        har_send_notice(app, answer.text);
        return;
    }
    const uint32_t sequence = har_app_head_newest_sequence(app);
    if (sequence == 0) {
        har_send_notice(app, "nothing was learned: nothing to save");
        return;
    }
    struct har_line line;
    har_line_begin(&line);
    har_line_text(&line, "saved, record ");
    har_line_number(&line, sequence);
    har_line_send(app, &line);
}

static void tell(struct har_app *app, struct har_answer answer, const char *done) {
    har_send_notice(app, answer.status == HAR_OK ? done : answer.text);
}

static void reset(struct har_app *app, bool asked) {
    if (!asked) {
        app->keys.reset_asked = true;
        app->keys.reset_asked_ms = har_board_millis();
        har_send_notice(app, "press r again within 5 s to forget all that was learned");
        return;
    }
    const uint16_t activities = har_app_head_activities(app);
    tell(app, har_app_head_reset(app), "forgotten: the factory head is active");
    if (har_app_head_activities(app) != activities) har_stream_forget(app);
}

static void press(struct har_app *app, uint8_t key) {
    const bool asked =
        app->keys.reset_asked && har_board_millis() - app->keys.reset_asked_ms <= AGAIN_MS;
    const bool before = app->keys.labelled && key == '0' + app->keys.activity &&
                        har_board_millis() - app->keys.labelled_ms <= BEFORE_MS &&
                        app->stream.counts.windows - app->keys.answers < HAR_RECENT_EVERY;
    app->keys.reset_asked = false;
    app->keys.labelled = false;
    if (key >= '0' && key <= '9') {
        label(app, (uint8_t)(key - '0'), before);
        return;
    }
    switch (key) {
        case '?':
            help(app);
            return;
        case 'p':
            turn_printing(app);
            return;
        case 'u':
            tell(app, har_app_head_undo(app), "the last label is taken back");
            return;
        case 's':
            save(app);
            return;
        case 'r':
            reset(app, asked);
            return;
        default:
            har_send_notice(app, "no such key; ? for help");
            return;
    }
}

static void remark(struct har_app *app) {
    if (app->keys.remarked && har_board_millis() - app->keys.remarked_ms < AGAIN_MS) return;
    app->keys.remarked = true;
    app->keys.remarked_ms = har_board_millis();
    har_send_notice(app, "one key at a time; ? for help");
}

void har_keys_silence(struct har_app *app) {
    if (app->keys.is == HAR_TYPED_NOTHING || har_board_millis() - app->keys.last_ms < SILENCE_MS)
        return;
    const bool is_key = app->keys.is == HAR_TYPED_KEY;
    if (app->keys.is == HAR_TYPED_WORD) remark(app);
    app->keys.is = HAR_TYPED_NOTHING;
    if (is_key) press(app, app->keys.key);
}
