#include "lib/store/har_store.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "lib/base/har_crc32.h"

#define HEADER_BYTES 28u
#define HEADER_CRC_AT 24u
#define CLOSING_BYTES 4u
#define RECORD_OVERHEAD_BYTES (HEADER_BYTES + CLOSING_BYTES)
#define FORMAT_VERSION 2u
#define CHUNK_BYTES 64u /* of stack, for reading back */

static const uint8_t magic[4] = {'H', 'A', 'R', 'H'};

/* A slot's header, decoded and found right; its payload is not yet checked. */
struct header {
    uint8_t bytes[HEADER_BYTES];
    uint8_t kind;
    bool mine;  /* made for the store's model */
    bool other; /* a header of another format version */
    uint32_t sequence;
    uint32_t length_bytes;
};

/* What a scan of all slots found. Sequence 0 means none. */
struct survey {
    struct har_record newest;  /* of this model, up to the scan's limit */
    struct har_record highest; /* of any model */
    uint32_t count;            /* valid records of this model */
    bool other;                /* there are records of another format version */
};

static uint32_t load_u16(const uint8_t *bytes) {
    return (uint32_t)bytes[0] | ((uint32_t)bytes[1] << 8);
}

static uint32_t load_u32(const uint8_t *bytes) {
    return load_u16(bytes) | (load_u16(bytes + 2) << 16);
}

static void store_u32(uint8_t *bytes, uint32_t value) {
    for (unsigned i = 0; i < 4; ++i) bytes[i] = (uint8_t)(value >> (8 * i));
}

static bool length_fits_kind(uint8_t kind, uint32_t length_bytes) {
    if (kind == HAR_RECORD_FACTORY) return length_bytes == 0;
    return kind == HAR_RECORD_LEARNED && length_bytes > 0 && length_bytes % 4u == 0;
}

static har_status read_flash(const struct har_store *store, uint32_t slot, uint32_t offset,
                             void *data, uint32_t size_bytes) {
    return store->flash->read(store->flash->context, slot * store->slot_bytes + offset, data,
                              size_bytes);
}

static har_status write_flash(const struct har_store *store, uint32_t slot, uint32_t offset,
                              const void *data, uint32_t size_bytes) {
    return store->flash->write(store->flash->context, slot * store->slot_bytes + offset, data,
                               size_bytes);
}

/* Fills *header from the slot's first bytes; *valid tells whether they are a right header. The
 * status is the flash's own. */
static har_status read_header(const struct har_store *store, uint32_t slot, struct header *header,
                              bool *valid) {
    uint8_t *bytes = header->bytes;
    *valid = false;
    const har_status status = read_flash(store, slot, 0, bytes, HEADER_BYTES);
    if (status != HAR_OK) return status;
    header->kind = bytes[6];
    header->mine = memcmp(bytes + 8, store->model_id, HAR_MODEL_ID_BYTES) == 0;
    header->sequence = load_u32(bytes + 16);
    header->length_bytes = load_u32(bytes + 20);
    const bool whole = memcmp(bytes, magic, sizeof magic) == 0 &&
                       har_crc32(0, bytes, HEADER_CRC_AT) == load_u32(bytes + HEADER_CRC_AT);
    header->other = whole && load_u16(bytes + 4) != FORMAT_VERSION;
    *valid = whole && !header->other && bytes[7] == 0 && header->sequence != 0 &&
             header->length_bytes <= store->slot_bytes - RECORD_OVERHEAD_BYTES &&
             length_fits_kind(header->kind, header->length_bytes);
    return HAR_OK;
}

/* *valid tells whether `crc`, of everything before, is the one that closes the record. */
static har_status check_closing(const struct har_store *store, uint32_t slot, uint32_t length_bytes,
                                uint32_t crc, bool *valid) {
    uint8_t closing[CLOSING_BYTES];
    *valid = false;
    const har_status status =
        read_flash(store, slot, HEADER_BYTES + length_bytes, closing, CLOSING_BYTES);
    if (status == HAR_OK) *valid = load_u32(closing) == crc;
    return status;
}

/* *valid tells whether the slot holds a whole record. */
static har_status check_slot(const struct har_store *store, uint32_t slot, struct header *header,
                             bool *valid) {
    har_status status = read_header(store, slot, header, valid);
    if (status != HAR_OK || !*valid) return status;
    uint32_t crc = har_crc32(0, header->bytes, HEADER_BYTES);
    uint8_t chunk[CHUNK_BYTES];
    for (uint32_t at = 0; at < header->length_bytes; at += CHUNK_BYTES) {
        const uint32_t left = header->length_bytes - at;
        const uint32_t size = left < CHUNK_BYTES ? left : CHUNK_BYTES;
        status = read_flash(store, slot, HEADER_BYTES + at, chunk, size);
        if (status != HAR_OK) return status;
        crc = har_crc32(crc, chunk, size);
    }
    return check_closing(store, slot, header->length_bytes, crc, valid);
}

static void keep_later(struct har_record *best, uint32_t slot, const struct header *header) {
    if (header->sequence <= best->sequence) return;
    best->slot = slot;
    best->sequence = header->sequence;
    best->length_bytes = header->length_bytes;
    best->kind = header->kind;
}

/* Looks at every slot. A slot that cannot be read ends the scan: what it hides may be the newest
 * record, and taking an older one for it would lead to erasing the wrong slot. */
static har_status scan(const struct har_store *store, uint32_t last, struct survey *survey) {
    memset(survey, 0, sizeof *survey);
    for (uint32_t slot = 0; slot < store->slots; ++slot) {
        struct header header;
        bool valid;
        const har_status status = check_slot(store, slot, &header, &valid);
        if (status != HAR_OK) return status;
        survey->other = survey->other || header.other;
        if (!valid) continue;
        keep_later(&survey->highest, slot, &header);
        if (!header.mine) continue;
        ++survey->count;
        if (header.sequence <= last) keep_later(&survey->newest, slot, &header);
    }
    return HAR_OK;
}

har_status har_store_init(struct har_store *store, const struct har_flash *flash,
                          const uint8_t model_id[HAR_MODEL_ID_BYTES],
                          uint32_t payload_limit_bytes) {
    const uint32_t page = flash->page_bytes;
    const uint32_t half = flash->size_bytes / 2u;
    if (page == 0 || page % HAR_FLASH_WORD_BYTES != 0 || flash->size_bytes % page != 0) {
        return HAR_ERR_ARGUMENT;
    }
    /* Asked before anything is added: what comes from a limit near 2^32 must not wrap. */
    if (page > half || payload_limit_bytes > half) return HAR_ERR_ARGUMENT;
    const uint32_t pages = (payload_limit_bytes + RECORD_OVERHEAD_BYTES - 1u) / page + 1u;
    if (pages * page > half) return HAR_ERR_ARGUMENT;
    store->flash = flash;
    memcpy(store->model_id, model_id, HAR_MODEL_ID_BYTES);
    store->slot_bytes = pages * page;
    store->slots = flash->size_bytes / store->slot_bytes;
    store->failed_slot = store->slots;
    store->verified.sequence = 0;
    return HAR_OK;
}

har_status har_store_newest(const struct har_store *store, struct har_record *record,
                            uint32_t *count) {
    struct survey survey;
    const har_status status = scan(store, UINT32_MAX, &survey);
    if (status != HAR_OK) return status;
    if (count != NULL) *count = survey.count;
    if (survey.newest.sequence == 0) {
        if (survey.highest.sequence != 0) return HAR_ERR_MODEL;
        return survey.other ? HAR_ERR_VERSION : HAR_ERR_EMPTY;
    }
    *record = survey.newest;
    return HAR_OK;
}

har_status har_store_previous(const struct har_store *store, uint32_t sequence,
                              struct har_record *record) {
    if (sequence == 0) return HAR_ERR_EMPTY;
    struct survey survey;
    const har_status status = scan(store, sequence - 1u, &survey);
    if (status != HAR_OK) return status;
    if (survey.newest.sequence == 0) return HAR_ERR_EMPTY;
    *record = survey.newest;
    return HAR_OK;
}

har_status har_store_verify(struct har_store *store, const struct har_record *record) {
    store->verified.sequence = 0;
    if (record->slot >= store->slots) return HAR_ERR_ARGUMENT;
    struct header header;
    bool valid;
    const har_status status = check_slot(store, record->slot, &header, &valid);
    if (status != HAR_OK) return status;
    if (!valid || !header.mine || header.sequence != record->sequence ||
        header.kind != record->kind || header.length_bytes != record->length_bytes) {
        return HAR_ERR_CRC;
    }
    store->verified = *record;
    return HAR_OK;
}

har_status har_store_read(const struct har_store *store, const struct har_record *record,
                          uint32_t offset, void *data, uint32_t size_bytes) {
    if (record->sequence == 0 || record->sequence != store->verified.sequence ||
        record->slot != store->verified.slot) {
        return HAR_ERR_STATE;
    }
    const uint32_t length_bytes = store->verified.length_bytes;
    if (offset > length_bytes || size_bytes > length_bytes - offset) return HAR_ERR_LENGTH;
    if (size_bytes == 0) return HAR_OK;
    return read_flash(store, record->slot, HEADER_BYTES + offset, data, size_bytes);
}

/* The slot after the highest sequence of any model, so that wear goes round and what another
 * model left is overwritten in turn; but never the slot of this model's newest record, and not
 * the one that has just failed while there is another. */
static uint32_t choose_slot(const struct har_store *store, const struct survey *survey) {
    uint32_t slot = survey->highest.slot;
    uint32_t fallback = store->slots;
    for (uint32_t i = 0; i < store->slots; ++i) {
        slot = slot + 1u == store->slots ? 0 : slot + 1u;
        if (survey->newest.sequence != 0 && slot == survey->newest.slot) continue;
        if (slot != store->failed_slot) return slot;
        fallback = slot;
    }
    return fallback;
}

static har_status erase_slot(const struct har_store *store, uint32_t slot) {
    const uint32_t begin = slot * store->slot_bytes;
    /* Always, even where it reads as erased: a page whose erase was cut may read 0xFF and not
     * hold what is written to it. */
    for (uint32_t at = 0; at < store->slot_bytes; at += store->flash->page_bytes) {
        const har_status status = store->flash->erase(store->flash->context, begin + at);
        if (status != HAR_OK) return status;
    }
    return HAR_OK;
}

static har_status verify(const struct har_store *store, uint32_t slot, uint32_t offset,
                         const void *expected, uint32_t size_bytes) {
    uint8_t chunk[CHUNK_BYTES];
    for (uint32_t at = 0; at < size_bytes; at += CHUNK_BYTES) {
        const uint32_t left = size_bytes - at;
        const uint32_t size = left < CHUNK_BYTES ? left : CHUNK_BYTES;
        const har_status status = read_flash(store, slot, offset + at, chunk, size);
        if (status != HAR_OK) return status;
        if (memcmp(chunk, (const uint8_t *)expected + at, size) != 0) return HAR_ERR_FLASH;
    }
    return HAR_OK;
}

/* Erases the slot, writes the record, its closing CRC last, and reads all of it back. */
static har_status put_record(const struct har_store *store, uint32_t slot, const uint32_t *header,
                             const void *payload, uint32_t length_bytes, uint32_t closing) {
    const uint32_t end = HEADER_BYTES + length_bytes;
    har_status status = erase_slot(store, slot);
    if (status == HAR_OK) status = write_flash(store, slot, 0, header, HEADER_BYTES);
    if (status == HAR_OK && length_bytes > 0) {
        status = write_flash(store, slot, HEADER_BYTES, payload, length_bytes);
    }
    if (status == HAR_OK) status = write_flash(store, slot, end, &closing, CLOSING_BYTES);
    if (status == HAR_OK) status = verify(store, slot, 0, header, HEADER_BYTES);
    if (status == HAR_OK) status = verify(store, slot, HEADER_BYTES, payload, length_bytes);
    if (status == HAR_OK) status = verify(store, slot, end, &closing, CLOSING_BYTES);
    return status;
}

har_status har_store_write(struct har_store *store, uint8_t kind, const void *payload,
                           uint32_t length_bytes, struct har_record *written) {
    if (kind != HAR_RECORD_FACTORY && kind != HAR_RECORD_LEARNED) return HAR_ERR_ARGUMENT;
    if ((uintptr_t)payload % HAR_FLASH_WORD_BYTES != 0) return HAR_ERR_ARGUMENT;
    if (payload == NULL && length_bytes > 0) return HAR_ERR_ARGUMENT;
    if (!length_fits_kind(kind, length_bytes) ||
        length_bytes > store->slot_bytes - RECORD_OVERHEAD_BYTES) {
        return HAR_ERR_LENGTH;
    }
    struct survey survey;
    const har_status scanned = scan(store, UINT32_MAX, &survey);
    if (scanned != HAR_OK) return scanned;
    if (survey.highest.sequence == UINT32_MAX) return HAR_ERR_STATE;

    const struct har_record record = {
        .slot = choose_slot(store, &survey),
        .sequence = survey.highest.sequence + 1u,
        .length_bytes = length_bytes,
        .kind = kind,
    };
    uint32_t words[HEADER_BYTES / 4u] = {0}; /* words, because flash takes aligned data */
    uint8_t *header = (uint8_t *)words;
    memcpy(header, magic, sizeof magic);
    header[4] = FORMAT_VERSION;
    header[6] = kind;
    memcpy(header + 8, store->model_id, HAR_MODEL_ID_BYTES);
    store_u32(header + 16, record.sequence);
    store_u32(header + 20, length_bytes);
    store_u32(header + HEADER_CRC_AT, har_crc32(0, header, HEADER_CRC_AT));
    uint32_t closing;
    store_u32((uint8_t *)&closing,
              har_crc32(har_crc32(0, header, HEADER_BYTES), payload, length_bytes));

    store->verified.sequence = 0;
    const har_status status = put_record(store, record.slot, words, payload, length_bytes, closing);
    store->failed_slot = status == HAR_OK ? store->slots : record.slot;
    if (status == HAR_OK) *written = record;
    return status;
}
