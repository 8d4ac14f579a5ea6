/* Status codes shared by every library of the firmware.
 *
 * Two kinds of failure, two words. A *check* is for what the outside world can cause (bytes from
 * the wire, a worn flash page, a sensor that answers nonsense): it answers with one of these codes
 * and changes nothing. An *assert* (har_assert.h) is for our own bug.
 *
 * The numbers travel in ERROR frames (docs/PROTOCOL.md): append, never renumber.
 */
#ifndef HAR_STATUS_H
#define HAR_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    HAR_OK = 0,
    HAR_ERR_ARGUMENT = 1,   /* a value is out of range */
    HAR_ERR_LENGTH = 2,     /* a length is wrong, or a buffer too small */
    HAR_ERR_CRC = 3,        /* a checksum does not match */
    HAR_ERR_MODEL = 4,      /* made for another model */
    HAR_ERR_VERSION = 5,    /* an unknown version of a format or protocol */
    HAR_ERR_STATE = 6,      /* not possible now (no window to label, nothing to roll back to) */
    HAR_ERR_NOT_FINITE = 7, /* NaN, infinity, or a step that would lead there */
    HAR_ERR_FLASH = 8,      /* the flash did not take what was written */
    HAR_ERR_EMPTY = 9,      /* no valid record */
    HAR_ERR_ENGINE = 10,    /* the inference engine refused to start or to run */
    HAR_ERR_TYPE = 11       /* an unknown frame type */
} har_status;

#ifdef __cplusplus
}
#endif
#endif
