/* What the files of this board share. */
#ifndef HAR_NANO33BLE_H
#define HAR_NANO33BLE_H

#include "lib/base/har_status.h"

/* Tells by its status why the region of har_board_flash() cannot be used; the rest of the board
 * works without it. HAR_ERR_STATE: a bootloader lives there, or the program reaches into it.
 * Before this call, and where that region is not ours to write, every call on it answers
 * HAR_ERR_FLASH. */
har_status har_nano33ble_flash_init(void);

/* Both at the very start. */
void har_nano33ble_lights_init(void);
void har_nano33ble_stack_paint(void);

#endif
