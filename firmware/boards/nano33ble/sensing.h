/* From the sensor's samples to the model's: resampled, freed of the gyroscope's zero, dated, and
 * kept until the app takes them. */
#ifndef HAR_SENSING_H
#define HAR_SENSING_H

#include <stdbool.h>
#include <stdint.h>

#include "gyro_zero.h"
#include "hal/har_board.h"
#include "halver.h"
#include "resampler.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HAR_SENSING_CAPACITY 80u /* 1.6 s at 50 Hz */

/* All zero is a fresh one. */
struct har_sensing {
    struct har_resampler resampler;
    struct har_halver halver; /* for models of 30 Hz or less */
    struct har_gyro_zero zero;
    struct har_sensed queue[HAR_SENSING_CAPACITY];
    uint16_t oldest; /* its place in the queue */
    uint16_t held;
    uint32_t before_us; /* when the resampler's last two inputs were measured */
    uint32_t after_us;
    uint32_t last_ms;  /* of the last sample made */
    uint32_t delay_ms; /* for which the low-pass keeps a sample back */
    bool started;      /* one was made */
    bool gap;          /* between that one and the next */
    uint32_t late;     /* taken later than HAR_SENSOR_LATE_MS after they were to be had */
};

/* The next sample of the sensor. `time_us`: har_board_millis() * 1000, modulo 2^32, when it was
 * measured; `now_ms`: har_board_millis(); `in_hz`: the sensor's rate; `out_hz`: the model's. */
void har_sensing_push(struct har_sensing *sensing, const float *sample, uint32_t time_us,
                      uint32_t now_ms, float in_hz, float out_hz);

/* Samples of the sensor are missing before the next one. */
void har_sensing_gap(struct har_sensing *sensing);

/* The oldest one kept. When more came than there is room for, the oldest were dropped, and the one
 * after them counts them as lost. */
bool har_sensing_pop(struct har_sensing *sensing, uint32_t now_ms, struct har_sensed *sensed);

#ifdef __cplusplus
}
#endif
#endif
