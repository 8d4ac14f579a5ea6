/* What the files of this board share. */
#ifndef HAR_NANO33BLE_H
#define HAR_NANO33BLE_H

#include "har_flash.h"

/* The last 64 KB of the internal flash. Before har_nano33ble_flash_init(), and where that region
 * is not ours to write, every call on it answers HAR_ERR_FLASH. */
const struct har_flash *har_nano33ble_flash(void);

/* Tells by its status why the region cannot be used; the rest of the board works without it.
 * HAR_ERR_STATE: a bootloader lives there, or the program reaches into it. */
har_status har_nano33ble_flash_init(void);

#endif
