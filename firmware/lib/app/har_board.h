/* The seam between the app and the hardware. Everything above this header is portable; each
 * folder of firmware/board implements it once. No call blocks. */
#ifndef HAR_BOARD_H
#define HAR_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "har_flash.h"

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

/* One sample of the on-board IMU [ax ay az g, gx gy gz rad/s] when a new one is there. Boards
 * without an IMU always say false. */
bool har_board_imu(float sample[6]);

/* The region kept for learned heads: the last `pages` pages of the flash. NULL where the board has
 * none; the same every time, as is `pages`. */
const struct har_flash *har_board_flash(uint32_t pages);

/* Measures what runs between begin and end, in the unit that har_board_counter() names. */
void har_board_count_begin(void);
uint32_t har_board_count_end(void);

/* Deepest stack use so far and the stack's size, bytes; 0 where it cannot be known. */
uint32_t har_board_stack_used(void);
uint32_t har_board_stack_size(void);

/* Something for a person to see (an LED): 0 alive, 1 predicting, 2 learning, 3 error. */
void har_board_show(uint8_t state);

#ifdef __cplusplus
}
#endif
#endif
