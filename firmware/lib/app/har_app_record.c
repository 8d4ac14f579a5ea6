#include <string.h>

#include "hal/har_board.h"
#include "lib/app/har_app_head.h"
#include "lib/base/har_crc32.h"
#include "lib/store/har_store.h"

#define CHUNK_BYTES 64u /* of stack */

static const uint8_t model_id[HAR_MODEL_ID_BYTES] = HAR_MODEL_ID_INIT;

static struct har_store store;
static bool store_ready;

static struct har_answer done(void) {
    return (struct har_answer){HAR_OK, ""};
}

static struct har_answer refuse(har_status status, const char *text) {
    return (struct har_answer){status, text};
}

static struct har_answer no_store(void) {
    return refuse(HAR_ERR_FLASH, "no flash for learned heads on this board");
}

static struct har_answer not_written(har_status status) {
    return refuse(status, "the flash refused: the old or the new head stands; repeat the request");
}

static struct har_answer not_taken(har_status status) {
    if (status == HAR_ERR_FLASH) return refuse(status, "the flash cannot be read: show the head");
    return refuse(status, "the stored head is damaged; nothing has changed");
}

/* This model has stored nothing that this firmware can read. */
static bool is_nothing(har_status status) {
    return status == HAR_ERR_EMPTY || status == HAR_ERR_MODEL || status == HAR_ERR_VERSION;
}

/* A record of a head alone has no windows: so is a head stored that came from outside. */
static bool has_kept(const struct har_record *record) {
    return record->length_bytes == sizeof(struct har_learned);
}

static struct har_app_head *stage(void) {
    har_app_head_forget_undo();
    har_app_heads.staged_bytes = 0;
    return &har_app_heads.staged;
}

/* The labels of the stored windows: entries in use come first, each of an activity in use. */
static har_status check_kept(const struct har_record *record, uint8_t activities) {
    uint8_t labels[CHUNK_BYTES];
    bool ended = false;
    for (uint32_t at = 0; at < HAR_REPLAY_CAPACITY; at += CHUNK_BYTES) {
        const uint32_t left = HAR_REPLAY_CAPACITY - at;
        const uint32_t size = left < CHUNK_BYTES ? left : CHUNK_BYTES;
        const har_status status = har_store_read(
            &store, record,
            (uint32_t)(offsetof(struct har_learned, kept) + offsetof(struct har_kept, labels)) + at,
            labels, size);
        if (status != HAR_OK) return status;
        for (uint32_t i = 0; i < size; ++i) {
            if (labels[i] == HAR_REPLAY_FREE) {
                ended = true;
            } else if (ended || (labels[i] & HAR_REPLAY_LABEL) >= activities) {
                return HAR_ERR_ARGUMENT;
            }
        }
    }
    return HAR_OK;
}

/* The head of a learned record into har_app_heads.staged; whether all of the record is right. */
static har_status stage_record(const struct har_record *record) {
    if (!has_kept(record) && record->length_bytes != sizeof(struct har_app_head)) {
        return HAR_ERR_LENGTH;
    }
    struct har_app_head *staged = stage();
    har_status status = har_store_read(&store, record, 0, staged, sizeof *staged);
    if (status == HAR_OK) status = har_app_head_check(staged);
    if (status == HAR_OK && has_kept(record)) status = check_kept(record, staged->activities);
    return status;
}

/* A learned record into use. What is wrong with it is found before anything has changed; should the
 * flash fail even then, the shipped head is in use. */
static har_status take_record(const struct har_record *record) {
    har_status status = stage_record(record);
    if (status != HAR_OK) return status;
    har_app_head_empty_kept();
    if (has_kept(record)) {
        status = har_store_read(&store, record, offsetof(struct har_learned, kept),
                                &har_app_heads.current.kept, sizeof har_app_heads.current.kept);
    }
    if (status != HAR_OK) {
        har_app_head_take_shipped();
        return status;
    }
    har_app_heads.current.head = har_app_heads.staged;
    har_app_head_taken(true);
    return HAR_OK;
}

const char *har_app_head_init(void) {
    har_app_head_take_shipped();
    har_app_heads.staged_bytes = 0;
    const struct har_flash *flash = har_board_flash(HAR_STORE_PAGES);
    store_ready = flash != NULL &&
                  har_store_init(&store, flash, model_id, sizeof har_app_heads.current) == HAR_OK;
    if (!store_ready) return "no flash for learned heads: what is learned ends with the power";
    struct har_record record;
    har_status status = har_store_newest(&store, &record);
    if (status == HAR_ERR_EMPTY) return NULL;
    if (status == HAR_ERR_MODEL)
        return "the stored head is another model's: using the factory head";
    if (status == HAR_ERR_VERSION) {
        return "the stored head is another firmware's: using the factory head";
    }
    if (status == HAR_OK && record.kind == HAR_RECORD_FACTORY) return NULL;
    if (status == HAR_OK) status = take_record(&record);
    return status == HAR_OK ? NULL : "the stored head is damaged: using the factory head";
}

/* What is in use becomes the newest record. */
static har_status write_current(void) {
    struct har_record record;
    return har_store_write(&store, HAR_RECORD_LEARNED, &har_app_heads.current,
                           sizeof har_app_heads.current, &record);
}

struct har_answer har_app_head_save(void) {
    if (!har_app_heads.unsaved) return done(); /* flash wears: nothing new, nothing written */
    if (!store_ready) return no_store();
    struct har_app_head *head = &har_app_heads.current.head;
    const uint32_t saved_s = head->saved_s;
    head->saved_s = har_app_head_now_s();
    const har_status status = write_current();
    if (status != HAR_OK) {
        head->saved_s = saved_s;
        return not_written(status);
    }
    har_app_head_saved();
    return done();
}

/* The next start takes the shipped head anyway. Flash wears, and one more factory record would put
 * the learned one behind it out of rollback's reach. */
static bool reset_is_stored(void) {
    struct har_record newest;
    const har_status status = har_store_newest(&store, &newest);
    if (status == HAR_OK) return newest.kind == HAR_RECORD_FACTORY;
    return !har_app_heads.learned && is_nothing(status);
}

struct har_answer har_app_head_reset(void) {
    struct har_record record;
    if (store_ready && !reset_is_stored()) {
        const har_status status = har_store_write(&store, HAR_RECORD_FACTORY, NULL, 0, &record);
        if (status != HAR_OK) return not_written(status);
    }
    har_app_head_take_shipped();
    return done();
}

/* Back from what was learned and not saved, which hides the newest record: nothing to write. */
static struct har_answer drop_unsaved(const struct har_record *newest) {
    if (newest->kind == HAR_RECORD_FACTORY) {
        har_app_head_take_shipped();
        return done();
    }
    const har_status status = take_record(newest);
    return status == HAR_OK ? done() : not_taken(status);
}

/* The record before the newest into use, and behind the newest. It has to pass through the memory
 * of what is in use: the newest record, or the shipped head, which come back when the flash
 * refuses. */
static struct har_answer bring_back(const struct har_record *previous,
                                    const struct har_record *newest) {
    const bool learned = har_app_heads.learned;
    har_status status = take_record(previous);
    if (status != HAR_OK) return not_taken(status);
    status = write_current();
    if (status == HAR_OK) return done();
    har_app_heads.unsaved = true;
    if (!learned) {
        har_app_head_take_shipped();
    } else {
        (void)take_record(newest); /* else the earlier head stays in use, whole and not saved */
    }
    return not_written(status);
}

struct har_answer har_app_head_rollback(void) {
    struct har_record newest;
    struct har_record previous;
    if (!store_ready) return no_store();
    har_status status = har_store_newest(&store, &newest);
    if (status == HAR_OK && har_app_heads.unsaved) return drop_unsaved(&newest);
    if (status == HAR_OK) status = har_store_previous(&store, newest.sequence, &previous);
    if (is_nothing(status)) {
        return refuse(HAR_ERR_STATE, "no earlier head is stored; reset goes to the factory head");
    }
    if (status != HAR_OK) return refuse(status, "the stored heads cannot be read");
    if (previous.kind == HAR_RECORD_FACTORY) return har_app_head_reset();
    return bring_back(&previous, &newest);
}

struct har_answer har_app_head_write(uint32_t offset, const uint8_t *data, size_t size,
                                     uint32_t *end) {
    if (offset != 0 && offset != har_app_heads.staged_bytes) {
        return refuse(HAR_ERR_STATE, "pieces of a head must follow each other from offset 0");
    }
    if (size == 0 || size > sizeof har_app_heads.staged - offset) {
        return refuse(HAR_ERR_LENGTH, "the head is longer than this model's");
    }
    memcpy((uint8_t *)stage() + offset, data, size);
    har_app_heads.staged_bytes = offset + (uint32_t)size;
    *end = har_app_heads.staged_bytes;
    return done();
}

struct har_answer har_app_head_commit(const uint8_t *id, uint32_t length_bytes, uint32_t crc) {
    struct har_record record;
    const struct har_app_head *staged = &har_app_heads.staged;
    if (memcmp(id, model_id, sizeof model_id) != 0) {
        return refuse(HAR_ERR_MODEL, "this head was learned by another model");
    }
    if (length_bytes != sizeof *staged || har_app_heads.staged_bytes != sizeof *staged) {
        return refuse(HAR_ERR_LENGTH, "the head is not complete");
    }
    if (har_crc32(0, staged, sizeof *staged) != crc) {
        return refuse(HAR_ERR_CRC, "the head changed on the way: send it again");
    }
    har_status status = har_app_head_check(staged);
    if (status == HAR_ERR_MODEL) return refuse(status, "this head has another shape");
    if (status == HAR_ERR_ARGUMENT) return refuse(status, "a name in this head cannot be one");
    if (status != HAR_OK) return refuse(status, "a value of this head is out of range");
    if (!store_ready) return no_store();
    status = har_store_write(&store, HAR_RECORD_LEARNED, staged, sizeof *staged, &record);
    if (status != HAR_OK) return not_written(status);
    har_app_heads.current.head = *staged;
    har_app_heads.staged_bytes = 0;
    har_app_head_empty_kept();
    har_app_head_taken(true);
    return done();
}

uint32_t har_record_newest_sequence(void) {
    struct har_record newest;
    const bool found = store_ready && har_store_newest(&store, &newest) == HAR_OK;
    return found ? newest.sequence : 0;
}

uint8_t har_record_count(void) {
    const uint32_t count = store_ready ? har_store_count(&store) : 0;
    return (uint8_t)(count < 255u ? count : 255u);
}
