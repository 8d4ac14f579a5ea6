#include <string.h>

#include "hal/har_board.h"
#include "lib/app/har_app_parts.h"

#define LOOK_EVERY_MS 100u

/* index, time_ms, lost, count */
#define SENSED_HEADER_BYTES 13u
#define SENSED_BYTES (SENSED_HEADER_BYTES + HAR_SENSOR_BATCH * 4u * HAR_SAMPLE_CHANNELS)
_Static_assert(SENSED_BYTES <= HAR_LINK_MAX_PAYLOAD, "a batch must fit one frame");

enum said {
    SAID_ANYTHING = 1, /* of the sensor and its trouble */
    SAID_LAY_STILL = 2,
    SAID_ZERO = 4,
    SAID_SATURATED = 8,
    SAID_OVERRUN = 16
};

void har_sensor_init(struct har_app *app) {
    memset(&app->sensor, 0, sizeof app->sensor);
    app->sensor.looked_ms = har_board_millis() - LOOK_EVERY_MS;
}

/* ---- SENSED ---- */

void har_sensor_send(struct har_app *app, bool on) {
    if (on == app->sensor.sending) return;
    app->sensor.sending = on;
    app->sensor.followed = false;
    app->sensor.count = 0;
}

void har_sensor_flush(struct har_app *app) {
    if (app->sensor.count == 0) return;
    uint8_t payload[SENSED_BYTES];
    struct har_writer writer;
    har_writer_init(&writer, payload, sizeof payload);
    har_put_u32(&writer, app->sensor.index);
    har_put_u32(&writer, app->sensor.time_ms);
    har_put_u32(&writer, app->sensor.lost);
    har_put_u8(&writer, app->sensor.count);
    for (unsigned i = 0; i < app->sensor.count; ++i) {
        for (unsigned c = 0; c < HAR_SAMPLE_CHANNELS; ++c)
            har_put_f32(&writer, app->sensor.values[i][c]);
    }
    har_send_frame(app, HAR_MSG_SENSED, app->sensor.seq++, payload, writer.size);
    app->sensor.count = 0;
    har_send_drain(app); /* or a backlog of samples would find no room */
}

void har_sensor_keep(struct har_app *app, const struct har_sensed *sensed, uint32_t index) {
    if (!app->sensor.sending) return;
    const uint32_t lost = app->sensor.followed ? index - app->sensor.next_index : 0u;
    if (lost > 0) har_sensor_flush(app);
    if (app->sensor.count == 0) {
        app->sensor.index = index;
        app->sensor.time_ms = sensed->time_ms;
        app->sensor.lost = lost;
    }
    memcpy(app->sensor.values[app->sensor.count++], sensed->values, sizeof sensed->values);
    app->sensor.next_index = index + 1u;
    app->sensor.followed = true;
    if (app->sensor.count == HAR_SENSOR_BATCH) har_sensor_flush(app);
}

void har_sensor_put_state(struct har_app *app, struct har_writer *writer) {
    struct har_sensor_state state;
    har_board_sensor(&state);
    har_put_u8(writer, state.sensor);
    har_put_u8(writer, state.trouble);
    har_put_u8(writer, state.zero_known ? 1u : 0u);
    har_put_u8(writer, app->sensor.sending ? 1u : 0u);
    har_put_f32(writer, state.nominal_hz);
    har_put_f32(writer, state.rate_hz);
    for (unsigned axis = 0; axis < 3; ++axis) har_put_f32(writer, state.gyro_zero[axis]);
    har_put_f32(writer, state.celsius);
    har_put_u32(writer, state.overruns);
    har_put_u32(writer, state.bus_errors);
    har_put_u32(writer, state.saturated);
    har_put_u32(writer, state.late);
}

/* ---- lines of text ---- */

static void tell_right(struct har_app *app, const struct har_sensor_state *state) {
    struct har_line line;
    const float rate_hz = state->rate_hz > 0.0f ? state->rate_hz : state->nominal_hz;
    har_line_begin(&line);
    har_line_text(&line, "motion sensor ");
    har_line_text(&line, state->sensor == HAR_SENSOR_LSM9DS1  ? "LSM9DS1 (Rev1), "
                         : state->sensor == HAR_SENSOR_BMI270 ? "BMI270 (Rev2), "
                                                              : "is a played recording, ");
    har_line_number(&line, (uint32_t)(rate_hz + 0.5f));
    har_line_text(&line, " Hz");
    har_line_send(app, &line);
}

static void tell_trouble(struct har_app *app, uint8_t trouble) {
    switch (trouble) {
        case HAR_SENSOR_ABSENT:
            /* The other boards are made without one. */
            if (har_board_target() != HAR_TARGET_NANO33BLE) return;
            har_send_notice(app,
                            "no motion sensor found: a host can send samples instead (har stream)");
            return;
        case HAR_SENSOR_BUS_STUCK:
            har_send_notice(app, "the motion sensor's bus is stuck: unplug the board for a second");
            return;
        case HAR_SENSOR_REFUSED:
            har_send_notice(
                app, "the motion sensor refuses its settings: unplug the board for a second");
            return;
        default:
            har_send_notice(app, "the motion sensor answers no more: looked for again every 10 s");
            return;
    }
}

static void tell_once(struct har_app *app, uint8_t what, bool now, const char *text) {
    if (!now || (app->sensor.said & what)) return;
    app->sensor.said |= what;
    har_send_notice(app, text);
}

void har_sensor_tell(struct har_app *app) {
    if (har_board_millis() - app->sensor.looked_ms < LOOK_EVERY_MS) return;
    app->sensor.looked_ms = har_board_millis();
    struct har_sensor_state state;
    har_board_sensor(&state);
    if (!(app->sensor.said & SAID_ANYTHING) || state.sensor != app->sensor.sensor ||
        state.trouble != app->sensor.trouble) {
        app->sensor.said |= SAID_ANYTHING;
        app->sensor.sensor = state.sensor;
        app->sensor.trouble = state.trouble;
        if (state.trouble == HAR_SENSOR_RIGHT) {
            tell_right(app, &state);
        } else {
            tell_trouble(app, state.trouble);
        }
    }
    tell_once(app, SAID_LAY_STILL, state.trouble == HAR_SENSOR_RIGHT && !state.zero_known,
              "lay the board still for two seconds: the gyroscope's zero is not known yet");
    tell_once(app, SAID_ZERO, (app->sensor.said & SAID_LAY_STILL) && state.zero_known,
              "the gyroscope's zero is known");
    tell_once(app, SAID_SATURATED, state.saturated > 0,
              "an axis is beyond its range (4 g, 2000 degrees/s)");
    tell_once(app, SAID_OVERRUN, state.overruns > 0, "samples were lost: nobody took them in time");
}
