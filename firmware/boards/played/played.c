#include "played.h"

#include <math.h>
#include <string.h>

#include "hal/har_board.h"

#if __has_include("har_model.h")
#include "har_model.h"
#else
#define HAR_RATE_HZ 50.0f /* a tool that is built without a model */
#endif

#define HEADER_BYTES 16u
#define KEPT 64u /* samples that wait; of more the oldest are lost */
#define RATE_MHZ ((uint64_t)(HAR_RATE_HZ * 1000.0f + 0.5f))
#define MS_MHZ 1000000u /* ms * mHz that are one sample */

static const float (*samples)[6];
static uint32_t count;      /* 0: no recording */
static uint64_t taken;      /* places so far: a round has `count`, and the one that is missing */
static uint32_t lost;       /* of them since the last sample that was given */
static uint32_t started_ms; /* of har_board_millis() */
static uint32_t clock_ms;   /* of har_board_millis() when passed_ms was right */
static uint64_t passed_ms;
static uint32_t overruns;
static uint32_t late;

void har_played_init(const void *file, uint32_t size_bytes) {
    uint32_t found;
    started_ms = clock_ms = har_board_millis();
    if (file == NULL || size_bytes < HEADER_BYTES || memcmp(file, "HSEN", 4) != 0) return;
    memcpy(&found, (const uint8_t *)file + 4, sizeof found);
    if (found > (size_bytes - HEADER_BYTES) / sizeof *samples) return;
    count = found;
    samples = (const float(*)[6])((const uint8_t *)file + HEADER_BYTES);
}

static void skip(uint64_t places) {
    taken += places;
    lost += (uint32_t)places;
}

bool har_board_imu(struct har_sensed *sensed) {
    if (count == 0) return false;
    const uint32_t now_ms = har_board_millis();
    passed_ms += now_ms - clock_ms;
    clock_ms = now_ms;
    const uint64_t due = passed_ms * RATE_MHZ / MS_MHZ + 1u;
    if (due > taken + KEPT) {
        skip(due - taken - KEPT);
        ++overruns;
    }
    if (taken < due && taken % (count + 1u) == count) skip(1);
    if (taken >= due) return false;

    const uint64_t at_ms = (taken * MS_MHZ + RATE_MHZ - 1u) / RATE_MHZ;
    memcpy(sensed->values, samples[taken % (count + 1u)], sizeof sensed->values);
    sensed->time_ms = started_ms + (uint32_t)at_ms;
    sensed->lost = lost;
    if (passed_ms - at_ms > HAR_SENSOR_LATE_MS) ++late;
    lost = 0;
    ++taken;
    return true;
}

void har_board_sensor(struct har_sensor_state *state) {
    const float rate_hz = count > 0 ? HAR_RATE_HZ : 0.0f;
    *state = (struct har_sensor_state){
        .sensor = count > 0 ? HAR_SENSOR_PLAYED : HAR_SENSOR_NONE,
        .trouble = count > 0 ? HAR_SENSOR_RIGHT : HAR_SENSOR_ABSENT,
        .zero_known = count > 0,
        .nominal_hz = rate_hz,
        .rate_hz = rate_hz,
        .celsius = NAN,
        .overruns = overruns,
        .late = late,
    };
}

void har_board_collect(void) {} /* what is due stays due */
