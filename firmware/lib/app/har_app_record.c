#include <string.h>

#include "lib/app/har_app_parts.h"
#include "lib/base/har_crc32.h"

#define CHUNK_BYTES 64u /* of stack */

static struct har_answer no_store(void) {
    return har_refuse(HAR_ERR_FLASH, "no flash for learned heads on this board");
}

static struct har_answer not_written(har_status status) {
    return har_refuse(status,
                      "the flash refused: the old or the new head stands; repeat the request");
}

static struct har_answer not_taken(har_status status) {
    if (status == HAR_ERR_FLASH)
        return har_refuse(status, "the flash cannot be read: show the head");
    return har_refuse(status, "the stored head is damaged; nothing has changed");
}

/* This model has stored nothing that this firmware can read. */
static bool is_nothing(har_status status) {
    return status == HAR_ERR_EMPTY || status == HAR_ERR_MODEL || status == HAR_ERR_VERSION;
}

/* A record of a head alone has no windows: so is a head stored that came from outside. */
static bool has_kept(const struct har_record *record) {
    return record->length_bytes == sizeof(struct har_learned);
}

static struct har_stored_head *stage(struct har_app *app) {
    har_app_head_forget_undo(app);
    app->head.staged_bytes = 0;
    return &app->head.staged;
}

/* The labels of the stored windows: entries in use come first, each of an activity in use. */
static har_status check_kept(struct har_app *app, const struct har_record *record,
                             uint8_t activities) {
    uint8_t labels[CHUNK_BYTES];
    bool ended = false;
    for (uint32_t at = 0; at < HAR_REPLAY_CAPACITY; at += CHUNK_BYTES) {
        const uint32_t left = HAR_REPLAY_CAPACITY - at;
        const uint32_t size = left < CHUNK_BYTES ? left : CHUNK_BYTES;
        const har_status status = har_store_read(
            &app->head.store, record,
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

/* The head of a learned record into app->head.staged; whether all of the record is right. */
static har_status stage_record(struct har_app *app, const struct har_record *record) {
    if (!has_kept(record) && record->length_bytes != sizeof(struct har_stored_head)) {
        return HAR_ERR_LENGTH;
    }
    struct har_stored_head *staged = stage(app);
    har_status status = har_store_verify(&app->head.store, record);
    if (status == HAR_OK) {
        status = har_store_read(&app->head.store, record, 0, staged, sizeof *staged);
    }
    if (status == HAR_OK) status = har_app_head_check(staged);
    if (status == HAR_OK && has_kept(record)) status = check_kept(app, record, staged->activities);
    return status;
}

/* A learned record into use. What is wrong with it is found before anything has changed; should the
 * flash fail even then, the shipped head is in use. */
static har_status take_record(struct har_app *app, const struct har_record *record) {
    har_status status = stage_record(app, record);
    if (status != HAR_OK) return status;
    har_replay_reset(&app->head.replay);
    if (has_kept(record)) {
        status = har_store_read(&app->head.store, record, offsetof(struct har_learned, kept),
                                &app->head.current.kept, sizeof app->head.current.kept);
    }
    if (status != HAR_OK) {
        har_app_head_take_factory(app);
        return status;
    }
    app->head.current.head = app->head.staged;
    har_app_head_taken(app, true);
    return HAR_OK;
}

const char *har_app_head_init(struct har_app *app) {
    har_app_head_assemble(app);
    har_app_head_take_factory(app);
    const struct har_flash *flash = har_board_flash(HAR_STORE_PAGES);
    app->head.store_ready =
        flash != NULL && har_store_init(&app->head.store, flash, har_head_model.id,
                                        sizeof app->head.current) == HAR_OK;
    if (!app->head.store_ready)
        return "no flash for learned heads: what is learned ends with the power";
    struct har_record record;
    har_status status = har_store_newest(&app->head.store, &record, NULL);
    if (status == HAR_ERR_EMPTY) return NULL;
    if (status == HAR_ERR_MODEL)
        return "the stored head is another model's: using the factory head";
    if (status == HAR_ERR_VERSION) {
        return "the stored head is another firmware's: using the factory head";
    }
    if (status == HAR_OK && record.kind == HAR_RECORD_FACTORY) return NULL;
    if (status == HAR_OK) status = take_record(app, &record);
    return status == HAR_OK ? NULL : "the stored head is damaged: using the factory head";
}

/* What is in use becomes the newest record. */
static har_status write_current(struct har_app *app) {
    struct har_record record;
    return har_store_write(&app->head.store, HAR_RECORD_LEARNED, &app->head.current,
                           sizeof app->head.current, &record);
}

struct har_answer har_app_head_save(struct har_app *app) {
    if (!app->head.unsaved) return har_done(); /* flash wears: nothing new, nothing written */
    if (!app->head.store_ready) return no_store();
    struct har_stored_head *head = &app->head.current.head;
    const uint32_t saved_s = head->saved_s;
    head->saved_s = har_app_head_now_s(app);
    const har_status status = write_current(app);
    if (status != HAR_OK) {
        head->saved_s = saved_s;
        return not_written(status);
    }
    har_app_head_saved(app);
    return har_done();
}

/* The next start takes the shipped head anyway. Flash wears, and one more factory record would put
 * the learned one behind it out of rollback's reach. */
static bool reset_is_stored(struct har_app *app) {
    struct har_record newest;
    const har_status status = har_store_newest(&app->head.store, &newest, NULL);
    if (status == HAR_OK) return newest.kind == HAR_RECORD_FACTORY;
    return !app->head.learned && is_nothing(status);
}

struct har_answer har_app_head_reset(struct har_app *app) {
    struct har_record record;
    if (app->head.store_ready && !reset_is_stored(app)) {
        const har_status status =
            har_store_write(&app->head.store, HAR_RECORD_FACTORY, NULL, 0, &record);
        if (status != HAR_OK) return not_written(status);
    }
    har_app_head_take_factory(app);
    return har_done();
}

/* Back from what was learned and not saved, which hides the newest record: nothing to write. */
static struct har_answer drop_unsaved(struct har_app *app, const struct har_record *newest) {
    if (newest->kind == HAR_RECORD_FACTORY) {
        har_app_head_take_factory(app);
        return har_done();
    }
    const har_status status = take_record(app, newest);
    return status == HAR_OK ? har_done() : not_taken(status);
}

/* The record before the newest into use, and behind the newest. It has to pass through the memory
 * of what is in use: the newest record, or the shipped head, which come back when the flash
 * refuses. */
static struct har_answer bring_back(struct har_app *app, const struct har_record *previous,
                                    const struct har_record *newest) {
    const bool learned = app->head.learned;
    har_status status = take_record(app, previous);
    if (status != HAR_OK) return not_taken(status);
    status = write_current(app);
    if (status == HAR_OK) return har_done();
    app->head.unsaved = true;
    if (!learned) {
        har_app_head_take_factory(app);
    } else {
        (void)take_record(app,
                          newest); /* else the earlier head stays in use, whole and not saved */
    }
    return not_written(status);
}

struct har_answer har_app_head_rollback(struct har_app *app) {
    struct har_record newest;
    struct har_record previous;
    if (!app->head.store_ready) return no_store();
    har_status status = har_store_newest(&app->head.store, &newest, NULL);
    if (status == HAR_OK && app->head.unsaved) return drop_unsaved(app, &newest);
    if (status == HAR_OK) status = har_store_previous(&app->head.store, newest.sequence, &previous);
    if (is_nothing(status)) {
        return har_refuse(HAR_ERR_STATE,
                          "no earlier head is stored; reset goes to the factory head");
    }
    if (status != HAR_OK) return har_refuse(status, "the stored heads cannot be read");
    if (previous.kind == HAR_RECORD_FACTORY) return har_app_head_reset(app);
    return bring_back(app, &previous, &newest);
}

struct har_answer har_app_head_write(struct har_app *app, uint32_t offset, const uint8_t *data,
                                     size_t size, uint32_t *end) {
    if (offset != 0 && offset != app->head.staged_bytes) {
        return har_refuse(HAR_ERR_STATE, "pieces of a head must follow each other from offset 0");
    }
    if (size == 0 || size > sizeof app->head.staged - offset) {
        return har_refuse(HAR_ERR_LENGTH, "the head is longer than this model's");
    }
    memcpy((uint8_t *)stage(app) + offset, data, size);
    app->head.staged_bytes = offset + (uint32_t)size;
    *end = app->head.staged_bytes;
    return har_done();
}

struct har_answer har_app_head_commit(struct har_app *app, const uint8_t *id, uint32_t length_bytes,
                                      uint32_t crc) {
    struct har_record record;
    const struct har_stored_head *staged = &app->head.staged;
    if (memcmp(id, har_head_model.id, HAR_MODEL_ID_BYTES) != 0) {
        return har_refuse(HAR_ERR_MODEL, "this head was learned by another model");
    }
    if (length_bytes != sizeof *staged || app->head.staged_bytes != sizeof *staged) {
        return har_refuse(HAR_ERR_LENGTH, "the head is not complete");
    }
    if (har_crc32(0, staged, sizeof *staged) != crc) {
        return har_refuse(HAR_ERR_CRC, "the head changed on the way: send it again");
    }
    har_status status = har_app_head_check(staged);
    if (status == HAR_ERR_MODEL) return har_refuse(status, "this head has another shape");
    if (status == HAR_ERR_ARGUMENT) return har_refuse(status, "a name in this head cannot be one");
    if (status != HAR_OK) return har_refuse(status, "a value of this head is out of range");
    if (!app->head.store_ready) return no_store();
    status = har_store_write(&app->head.store, HAR_RECORD_LEARNED, staged, sizeof *staged, &record);
    if (status != HAR_OK) return not_written(status);
    app->head.current.head = *staged;
    app->head.staged_bytes = 0;
    har_replay_reset(&app->head.replay);
    har_app_head_taken(app, true);
    return har_done();
}

/* 0, and no records, where the flash holds none that can be read. */
static uint32_t newest_sequence(struct har_app *app, uint32_t *count) {
    struct har_record newest;
    *count = 0;
    if (!app->head.store_ready) return 0;
    return har_store_newest(&app->head.store, &newest, count) == HAR_OK ? newest.sequence : 0;
}

uint32_t har_app_head_newest_sequence(struct har_app *app) {
    uint32_t count;
    return newest_sequence(app, &count);
}

void har_app_head_put_state(struct har_app *app, struct har_writer *writer) {
    const struct har_stored_head *head = &app->head.current.head;
    const struct har_guard *guard = &head->state.guard;
    float probabilities[HAR_ROWS];
    uint16_t held;
    uint16_t right;
    uint32_t count = 0;
    const uint32_t sequence = newest_sequence(app, &count);
    har_learner_held(&app->head.learner, probabilities, &held, &right);
    har_put_u8(writer, app->head.learned ? 1u : 0u);
    har_put_u8(writer, har_learner_learned_active(&app->head.learner) ? 1u : 0u);
    har_put_u8(writer, app->head.unsaved ? 1u : 0u);
    har_put_u8(writer, app->head.learner.can_undo ? 1u : 0u);
    har_put_u32(writer, sequence);
    har_put_u32(writer, head->state.updates);
    har_put_u32(writer, har_head_crc(&app->head.layers));
    har_put_u8(writer, (uint8_t)(count < 255u ? count : 255u));
    har_put_u16(writer, HAR_FEATURES);
    har_put_u8(writer, HAR_ROWS);
    har_put_u32(writer, guard->judged);
    har_put_u32(writer, guard->shipped_right);
    har_put_u32(writer, guard->learned_right);
    har_put_u32(writer, guard->undone);
    har_put_u16(writer, held);
    har_put_u16(writer, right);
    har_put_u16(writer, har_replay_count(&app->head.replay));
    har_put_u16(writer, HAR_REPLAY_CAPACITY);
    har_put_u16(writer, har_head_model.learning.evidence);
    har_put_u32(writer, head->since_s);
    har_put_u32(writer, head->saved_s);
    har_put_u8(writer, head->activities);
    for (unsigned k = 0; k < head->activities; ++k) har_put_u32(writer, head->labels[k]);
    for (uint16_t k = HAR_ACTIVITIES; k < head->activities; ++k) {
        har_put_string(writer, har_app_head_name(app, k));
    }
}
