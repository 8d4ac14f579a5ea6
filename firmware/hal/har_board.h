/* The seam between the app and the hardware. Everything above this header is portable; each
 * folder of firmware/board implements it once. No call blocks. */
#ifndef HAR_BOARD_H
#define HAR_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/har_flash.h"

#ifdef __cplusplus
extern "C" {
#endif

enum har_target { HAR_TARGET_HOST = 0, HAR_TARGET_MPS2 = 1, HAR_TARGET_NANO33BLE = 2 };

/* What har_board_count() counts. */
enum har_counter { HAR_COUNT_INSTRUCTIONS = 1, HAR_COUNT_CYCLES = 2, HAR_COUNT_NANOSECONDS = 3 };

void har_board_init(void);
uint8_t har_board_target(void);
uint8_t har_board_counter(void);

uint32_t har_board_millis(void); /* wraps at 2^32 */

/* Serial. Both return at once with what was possible, 0 included. */
size_t har_board_read(uint8_t *data, size_t capacity);
size_t har_board_write(const uint8_t *data, size_t size);

/* ---- the board's own motion sensor; boards without one never have a sample ------------------ */

enum har_sensor {
    HAR_SENSOR_NONE = 0,
    HAR_SENSOR_LSM9DS1 = 1, /* Nano 33 BLE Sense, Rev1 */
    HAR_SENSOR_BMI270 = 2,  /* Rev2 */
    HAR_SENSOR_PLAYED = 3   /* a recording that is played to an emulated board */
};

enum har_sensor_trouble {
    HAR_SENSOR_RIGHT = 0,
    HAR_SENSOR_ABSENT = 1,    /* none on the bus; boards that are made without one say so, too */
    HAR_SENSOR_BUS_STUCK = 2, /* a line of the bus is held low */
    HAR_SENSOR_REFUSED = 3,   /* found, and did not take its settings */
    HAR_SENSOR_SILENT = 4     /* was right, and answers no more */
};

/* Counts are of this start of the board, modulo 2^32. */
struct har_sensor_state {
    uint8_t sensor;  /* enum har_sensor */
    uint8_t trouble; /* enum har_sensor_trouble */
    bool zero_known; /* gyro_zero was measured: the board has lain still since it started */
    float nominal_hz;
    float rate_hz;       /* of the sensor, measured against the board's clock; 0: not yet */
    float gyro_zero[3];  /* rad/s at rest, subtracted from all samples */
    float celsius;       /* of the processor; NaN where it cannot be known */
    uint32_t overruns;   /* times that the sensor had to drop samples */
    uint32_t bus_errors; /* transfers that failed */
    uint32_t saturated;  /* samples with an axis at the end of its range */
    uint32_t late;       /* samples that waited longer than HAR_SENSOR_LATE_MS for the app */
};

#define HAR_SENSOR_LATE_MS 250u

/* What it says now. */
void har_board_sensor(struct har_sensor_state *state);

/* One sample, at the model's rate. */
struct har_sensed {
    float values[6];  /* [ax ay az g, gx gy gz rad/s], right-handed, z out of the board's top */
    uint32_t time_ms; /* of har_board_millis(), when it was measured */
    uint32_t lost;    /* samples of the model's rate that are missing just before it */
};

/* The oldest sample not yet taken, when there is one. */
bool har_board_imu(struct har_sensed *sensed);

/* To be called between the parts of long work, at most 100 ms apart: takes what the sensor holds
 * into the board's own memory, so that nothing is lost while nobody asks for samples. */
void har_board_collect(void);

/* The region kept for learned heads: the last `pages` pages of the flash. NULL where the board has
 * none; the same every time, as is `pages`. */
const struct har_flash *har_board_flash(uint32_t pages);

/* Measures what runs between begin and end, in the unit that har_board_counter() names. */
void har_board_count_begin(void);
uint32_t har_board_count_end(void);

/* Deepest stack use so far and the stack's size, bytes; 0 where it cannot be known. */
uint32_t har_board_stack_used(void);
uint32_t har_board_stack_size(void);

/* Something for the user to see (an LED). To be called with the present state at every turn of the
 * app, so that a board can blink. */
enum har_show {
    HAR_SHOW_ALIVE = 0,
    HAR_SHOW_PREDICTING = 1,
    HAR_SHOW_LEARNING = 2,
    HAR_SHOW_ERROR = 3
};
void har_board_show(uint8_t state);

#ifdef __cplusplus
}
#endif
#endif
