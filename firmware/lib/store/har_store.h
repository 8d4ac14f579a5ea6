/* Learned heads that survive a power cut: whole records in alternating flash slots.
 * docs/STORAGE.md describes every byte.
 *
 * The newest valid record wins. A cut at any write or erase leaves the old record or the new one,
 * never neither. Records of another model, or of another format, are seen, never taken.
 *
 * What the flash answers other than HAR_OK is passed on as it is, and ends the call: a slot that
 * cannot be read may hide the newest record.
 *
 * The store owns no memory: the caller keeps `struct har_store` and the payload buffers.
 */
#ifndef HAR_STORE_H
#define HAR_STORE_H

#include <stdint.h>

#include "hal/har_flash.h"
#include "lib/base/har_status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HAR_MODEL_ID_BYTES 8u

enum har_record_kind {
    HAR_RECORD_FACTORY = 0, /* back to the factory head; no payload */
    HAR_RECORD_LEARNED = 1
};

struct har_record {
    uint32_t slot;
    uint32_t sequence;
    uint32_t length_bytes; /* of the payload */
    uint8_t kind;          /* enum har_record_kind */
};

struct har_store {
    const struct har_flash *flash;
    uint8_t model_id[HAR_MODEL_ID_BYTES];
    uint32_t slot_bytes;        /* a multiple of the page size */
    uint32_t slots;             /* at least 2 */
    uint32_t failed_slot;       /* where the last write failed, or `slots` */
    struct har_record verified; /* sequence 0: none since the last write */
};

/* Keeps `flash`. HAR_ERR_ARGUMENT: the region holds fewer than two slots for
 * `payload_limit_bytes`, or is no whole number of pages of whole words. */
har_status har_store_init(struct har_store *store, const struct har_flash *flash,
                          const uint8_t model_id[HAR_MODEL_ID_BYTES], uint32_t payload_limit_bytes);

/* Newest valid record of this model, and how many there are (`count` may be NULL). Where there is
 * none: HAR_ERR_MODEL when there are records of another model, else HAR_ERR_VERSION when there are
 * some of another format, else HAR_ERR_EMPTY. */
har_status har_store_newest(const struct har_store *store, struct har_record *record,
                            uint32_t *count);

/* The valid record of this model with the highest sequence below `sequence`, or HAR_ERR_EMPTY. */
har_status har_store_previous(const struct har_store *store, uint32_t sequence,
                              struct har_record *record);

/* Checks all of a record and remembers that it is whole until the next write: HAR_ERR_CRC when it
 * went bad since it was found, HAR_ERR_ARGUMENT when it names no slot. */
har_status har_store_verify(struct har_store *store, const struct har_record *record);

/* Copies `size_bytes` of the payload of the record that was verified last, from `offset` on:
 * HAR_ERR_STATE when that was another one, HAR_ERR_LENGTH when the piece is not inside it. After
 * either `data` is untouched. */
har_status har_store_read(const struct har_store *store, const struct har_record *record,
                          uint32_t offset, void *data, uint32_t size_bytes);

/* Appends a record with the next sequence number, verifies it by reading it back, and only then
 * answers HAR_OK and fills *written. `payload` is 4-byte aligned; learned records hold at least one
 * word, factory records nothing (`payload` may be NULL). The slot of the newest record is never
 * touched. Takes one erase per page of a slot (about 85 ms each on the nRF52840).
 *
 * HAR_ERR_ARGUMENT: unknown kind, or unaligned. HAR_ERR_LENGTH: no multiple of 4, or too long.
 * HAR_ERR_STATE: sequence 2^32 - 1 is taken, which no flash lives to see. Any of these: nothing was
 * touched. An error of the flash: the old newest record stands, or the new one does; writing again
 * is safe and tries another slot where there is one. */
har_status har_store_write(struct har_store *store, uint8_t kind, const void *payload,
                           uint32_t length_bytes, struct har_record *written);

#ifdef __cplusplus
}
#endif
#endif
