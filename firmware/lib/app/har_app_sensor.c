#include <string.h>

#include "hal/har_board.h"
#include "lib/app/har_app_parts.h"

/* Of the 20 that a SENSED may carry; RAM is scarce. */
#define HELD 10u
#define LOOK_EVERY_MS 100u

/* index, time_ms, lost, count */
#define SENSED_HEADER_BYTES 13u
#define SENSED_BYTES (SENSED_HEADER_BYTES + HELD * 4u * HAR_SAMPLE_CHANNELS)
_Static_assert(SENSED_BYTES <= HAR_LINK_MAX_PAYLOAD, "a batch must fit one frame");

static struct {
    bool sending;
    bool followed; /* next_index is that of the sample behind the last one kept */
    uint8_t count; /* of `values` */
    uint16_t seq;
    uint32_t next_index;
    uint32_t index; /* of the first one held */
    uint32_t time_ms;
    uint32_t lost;
    float values[HELD][HAR_SAMPLE_CHANNELS];
} batch;

enum said {
    SAID_ANYTHING = 1, /* of the sensor and its trouble */
    SAID_LAY_STILL = 2,
    SAID_ZERO = 4,
    SAID_SATURATED = 8,
    SAID_OVERRUN = 16
};
static struct {
    uint8_t said;
    uint8_t sensor; /* as it was told last */
    uint8_t trouble;
    uint32_t looked_ms;
} told;

void har_sensor_init(void) {
    memset(&batch, 0, sizeof batch);
    memset(&told, 0, sizeof told);
    told.looked_ms = har_board_millis() - LOOK_EVERY_MS;
}

/* ---- SENSED ---- */

void har_sensor_send(bool on) {
    if (on == batch.sending) return;
    batch.sending = on;
    batch.followed = false;
    batch.count = 0;
}

void har_sensor_flush(void) {
    if (batch.count == 0) return;
    uint8_t payload[SENSED_BYTES];
    struct har_writer writer;
    har_writer_init(&writer, payload, sizeof payload);
    har_put_u32(&writer, batch.index);
    har_put_u32(&writer, batch.time_ms);
    har_put_u32(&writer, batch.lost);
    har_put_u8(&writer, batch.count);
    for (unsigned i = 0; i < batch.count; ++i) {
        for (unsigned c = 0; c < HAR_SAMPLE_CHANNELS; ++c) har_put_f32(&writer, batch.values[i][c]);
    }
    har_send_frame(HAR_MSG_SENSED, batch.seq++, payload, writer.size);
    batch.count = 0;
    har_send_drain(); /* or a backlog of samples would find no room */
}

void har_sensor_keep(const struct har_sensed *sensed, uint32_t index) {
    if (!batch.sending) return;
    const uint32_t lost = batch.followed ? index - batch.next_index : 0u;
    if (lost > 0) har_sensor_flush();
    if (batch.count == 0) {
        batch.index = index;
        batch.time_ms = sensed->time_ms;
        batch.lost = lost;
    }
    memcpy(batch.values[batch.count++], sensed->values, sizeof sensed->values);
    batch.next_index = index + 1u;
    batch.followed = true;
    if (batch.count == HELD) har_sensor_flush();
}

void har_sensor_put_state(struct har_writer *writer) {
    struct har_sensor_state state;
    har_board_sensor(&state);
    har_put_u8(writer, state.sensor);
    har_put_u8(writer, state.trouble);
    har_put_u8(writer, state.zero_known ? 1u : 0u);
    har_put_u8(writer, batch.sending ? 1u : 0u);
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

static void tell_right(const struct har_sensor_state *state) {
    struct har_line line;
    const float rate_hz = state->rate_hz > 0.0f ? state->rate_hz : state->nominal_hz;
    har_line_begin(&line);
    har_line_text(&line, "motion sensor ");
    har_line_text(&line, state->sensor == HAR_SENSOR_LSM9DS1  ? "LSM9DS1 (Rev1), "
                         : state->sensor == HAR_SENSOR_BMI270 ? "BMI270 (Rev2), "
                                                              : "is a played recording, ");
    har_line_number(&line, (uint32_t)(rate_hz + 0.5f));
    har_line_text(&line, " Hz");
    har_line_send(&line);
}

static void tell_trouble(uint8_t trouble) {
    switch (trouble) {
        case HAR_SENSOR_ABSENT:
            /* The other boards are made without one. */
            if (har_board_target() != HAR_TARGET_NANO33BLE) return;
            har_send_notice("no motion sensor found: a host can send samples instead (har stream)");
            return;
        case HAR_SENSOR_BUS_STUCK:
            har_send_notice("the motion sensor's bus is stuck: unplug the board for a second");
            return;
        case HAR_SENSOR_REFUSED:
            har_send_notice(
                "the motion sensor refuses its settings: unplug the board for a second");
            return;
        default:
            har_send_notice("the motion sensor answers no more: looked for again every 10 s");
            return;
    }
}

static void tell_once(uint8_t what, bool now, const char *text) {
    if (!now || (told.said & what)) return;
    told.said |= what;
    har_send_notice(text);
}

void har_sensor_tell(void) {
    if (har_board_millis() - told.looked_ms < LOOK_EVERY_MS) return;
    told.looked_ms = har_board_millis();
    struct har_sensor_state state;
    har_board_sensor(&state);
    if (!(told.said & SAID_ANYTHING) || state.sensor != told.sensor ||
        state.trouble != told.trouble) {
        told.said |= SAID_ANYTHING;
        told.sensor = state.sensor;
        told.trouble = state.trouble;
        if (state.trouble == HAR_SENSOR_RIGHT) {
            tell_right(&state);
        } else {
            tell_trouble(state.trouble);
        }
    }
    tell_once(SAID_LAY_STILL, state.trouble == HAR_SENSOR_RIGHT && !state.zero_known,
              "lay the board still for two seconds: the gyroscope's zero is not known yet");
    tell_once(SAID_ZERO, (told.said & SAID_LAY_STILL) && state.zero_known,
              "the gyroscope's zero is known");
    tell_once(SAID_SATURATED, state.saturated > 0,
              "an axis is beyond its range (4 g, 2000 degrees/s)");
    tell_once(SAID_OVERRUN, state.overruns > 0, "samples were lost: nobody took them in time");
}
