#include <string.h>

#include "har_app_parts.h"
#include "har_board.h"
#include "har_crc32.h"
#include "har_model.h"
#include "har_novelty.h"
#include "har_store.h"
#include "har_tail.h"

/* Laid out as the payload of docs/STORAGE.md, so that storing and sending are copies of bytes. */
struct head {
    uint16_t features;
    uint16_t activities;
    uint32_t updates;
    uint32_t labels[HAR_ACTIVITIES];
    float limits[HAR_ACTIVITIES];                 /* (K,) distances up to which windows are known */
    float weights[HAR_ACTIVITIES * HAR_FEATURES]; /* (K, F) */
    float bias[HAR_ACTIVITIES];                   /* (K,) */
};
_Static_assert(sizeof(struct head) == 8 + 4 * HAR_ACTIVITIES * (HAR_FEATURES + 3),
               "the head is the payload of docs/STORAGE.md, without padding");

static const uint8_t model_id[HAR_MODEL_ID_BYTES] = HAR_MODEL_ID_INIT;
static const struct har_learning learning = {HAR_LEARNING_RATE, HAR_LEARNING_ANCHOR,
                                             HAR_LEARNING_STEPS};

static struct head current;
static struct har_tail tail = {HAR_FEATURES, HAR_ACTIVITIES,      current.weights,
                               current.bias, har_factory_weights, har_factory_bias};
static const struct har_novelty novelty = {HAR_NOVELTY_FEATURES, har_novelty_center,
                                           har_novelty_inverse_std};
static bool learned; /* current is not the shipped head */
static bool unsaved;

static struct head staged;    /* a head from outside, until it has been checked */
static uint32_t staged_bytes; /* of it that HEAD_WRITE has filled */

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

static void take_factory(void) {
    memset(&current, 0, sizeof current);
    current.features = HAR_FEATURES;
    current.activities = HAR_ACTIVITIES;
    har_tail_reset(&tail);
    for (unsigned k = 0; k < HAR_ACTIVITIES; ++k) current.limits[k] = HAR_NOVELTY_LIMIT;
    learned = false;
    unsaved = false;
}

static void take_staged(void) {
    current = staged;
    learned = true;
    unsaved = false;
}

static har_status check_staged(void) {
    if (staged.features != HAR_FEATURES || staged.activities != HAR_ACTIVITIES) {
        return HAR_ERR_MODEL;
    }
    for (unsigned k = 0; k < HAR_ACTIVITIES; ++k) {
        if (!(staged.limits[k] > 0.0f)) return HAR_ERR_NOT_FINITE; /* NaN too */
    }
    har_status status = har_tail_check(staged.limits, HAR_ACTIVITIES);
    if (status == HAR_OK) {
        status = har_tail_check(staged.weights, HAR_ACTIVITIES * HAR_FEATURES);
    }
    return status == HAR_OK ? har_tail_check(staged.bias, HAR_ACTIVITIES) : status;
}

/* A learned record into `staged`, checked. */
static har_status stage_record(const struct har_record *record) {
    staged_bytes = 0;
    if (record->length_bytes != sizeof staged) return HAR_ERR_LENGTH;
    const har_status status = har_store_read(&store, record, &staged, sizeof staged);
    return status == HAR_OK ? check_staged() : status;
}

const char *har_head_init(void) {
    take_factory();
    staged_bytes = 0;
    const struct har_flash *flash = har_board_flash();
    store_ready =
        flash != NULL && har_store_init(&store, flash, model_id, sizeof current) == HAR_OK;
    if (!store_ready) return "no flash for learned heads: what is learned ends with the power";
    struct har_record record;
    har_status status = har_store_newest(&store, &record);
    if (status == HAR_ERR_EMPTY) return NULL;
    if (status == HAR_ERR_MODEL) return "the stored head is another model's: using the shipped one";
    if (status == HAR_OK && record.kind == HAR_RECORD_FACTORY) return NULL;
    if (status == HAR_OK) status = stage_record(&record);
    if (status != HAR_OK) return "the stored head is damaged: using the shipped one";
    take_staged();
    return NULL;
}

void har_head_predict(const float *x, float *probabilities) {
    har_tail_predict(&tail, x, probabilities);
}

float har_head_novelty(const float *x, uint16_t activity) {
    const float share = har_novelty_distance(&novelty, x, activity) / current.limits[activity];
    return share > HAR_TAIL_LIMIT ? HAR_TAIL_LIMIT : share; /* limits may be tiny: never infinite */
}

/* A label says that windows like this one, too, are that activity. */
static void widen_limit(const float *x, uint8_t activity) {
    float limit = HAR_NOVELTY_WIDEN * har_novelty_distance(&novelty, x, activity);
    if (limit > HAR_TAIL_LIMIT) limit = HAR_TAIL_LIMIT;
    if (limit > current.limits[activity]) current.limits[activity] = limit;
}

struct har_answer har_head_learn(const float *x, uint8_t activity, struct har_lesson *lesson) {
    float probabilities[HAR_ACTIVITIES]; /* (K,) */
    if (activity >= HAR_ACTIVITIES) return refuse(HAR_ERR_ARGUMENT, "no such activity");
    har_tail_predict(&tail, x, probabilities);
    lesson->before = probabilities[activity];
    har_board_count_begin();
    const har_status status = har_tail_update(&tail, &learning, x, activity, probabilities);
    if (status == HAR_OK) widen_limit(x, activity);
    lesson->count = har_board_count_end();
    if (status != HAR_OK) return refuse(status, "the step would leave the finite: reset the head");
    learned = true;
    unsaved = true;
    current.updates += 1;
    current.labels[activity] += 1;
    har_tail_predict(&tail, x, probabilities);
    lesson->after = probabilities[activity];
    lesson->updates = current.updates;
    lesson->tail_crc = har_tail_crc(&tail);
    return done();
}

struct har_answer har_head_save(void) {
    struct har_record record;
    if (!unsaved) return done(); /* flash wears: nothing new, nothing written */
    if (!store_ready) return no_store();
    const har_status status =
        har_store_write(&store, HAR_RECORD_LEARNED, &current, sizeof current, &record);
    if (status != HAR_OK) return not_written(status);
    unsaved = false;
    return done();
}

/* The next start takes the shipped head anyway. Flash wears, and one more factory record would put
 * the learned one behind it out of rollback's reach. */
static bool reset_is_stored(void) {
    struct har_record newest;
    const har_status status = har_store_newest(&store, &newest);
    if (status == HAR_OK) return newest.kind == HAR_RECORD_FACTORY;
    return !learned && (status == HAR_ERR_EMPTY || status == HAR_ERR_MODEL);
}

struct har_answer har_head_reset(void) {
    struct har_record record;
    if (store_ready && !reset_is_stored()) {
        const har_status status = har_store_write(&store, HAR_RECORD_FACTORY, NULL, 0, &record);
        if (status != HAR_OK) return not_written(status);
    }
    take_factory();
    return done();
}

/* Back from what was learned and not saved, which hides the newest record: nothing to write. */
static struct har_answer drop_unsaved(const struct har_record *newest) {
    if (newest->kind == HAR_RECORD_FACTORY) {
        take_factory();
        return done();
    }
    const har_status status = stage_record(newest);
    if (status != HAR_OK) return refuse(status, "the stored head is damaged; nothing has changed");
    take_staged();
    return done();
}

struct har_answer har_head_rollback(void) {
    struct har_record newest;
    struct har_record previous;
    if (!store_ready) return no_store();
    har_status status = har_store_newest(&store, &newest);
    if (status == HAR_OK && unsaved) return drop_unsaved(&newest);
    if (status == HAR_OK) status = har_store_previous(&store, newest.sequence, &previous);
    if (status == HAR_ERR_EMPTY || status == HAR_ERR_MODEL) {
        return refuse(HAR_ERR_STATE, "no earlier head is stored; reset goes to the shipped one");
    }
    if (status != HAR_OK) return refuse(status, "the stored heads cannot be read");
    if (previous.kind == HAR_RECORD_FACTORY) return har_head_reset();
    status = stage_record(&previous);
    if (status != HAR_OK) return refuse(status, "the earlier head is damaged; nothing has changed");
    status = har_store_write(&store, HAR_RECORD_LEARNED, &staged, sizeof staged, &newest);
    if (status != HAR_OK) return not_written(status);
    take_staged();
    return done();
}

struct har_answer har_head_write(uint32_t offset, const uint8_t *data, size_t size, uint32_t *end) {
    if (offset != 0 && offset != staged_bytes) {
        return refuse(HAR_ERR_STATE, "pieces of a head must follow each other from offset 0");
    }
    if (size == 0 || size > sizeof staged - offset) {
        return refuse(HAR_ERR_LENGTH, "the head is longer than this model's");
    }
    memcpy((uint8_t *)&staged + offset, data, size);
    staged_bytes = offset + (uint32_t)size;
    *end = staged_bytes;
    return done();
}

struct har_answer har_head_commit(const uint8_t *id, uint32_t length_bytes, uint32_t crc) {
    struct har_record record;
    if (memcmp(id, model_id, sizeof model_id) != 0) {
        return refuse(HAR_ERR_MODEL, "this head was learned by another model");
    }
    if (length_bytes != sizeof staged || staged_bytes != sizeof staged) {
        return refuse(HAR_ERR_LENGTH, "the head is not complete");
    }
    if (har_crc32(0, &staged, sizeof staged) != crc) {
        return refuse(HAR_ERR_CRC, "the head changed on the way: send it again");
    }
    har_status status = check_staged();
    if (status == HAR_ERR_MODEL) return refuse(status, "this head has another shape");
    if (status != HAR_OK) return refuse(status, "a value of this head is out of range");
    if (!store_ready) return no_store();
    status = har_store_write(&store, HAR_RECORD_LEARNED, &staged, sizeof staged, &record);
    if (status != HAR_OK) return not_written(status);
    take_staged();
    staged_bytes = 0;
    return done();
}

const uint8_t *har_head_bytes(uint32_t offset, size_t size) {
    if (offset > sizeof current || size > sizeof current - offset) return NULL;
    return (const uint8_t *)&current + offset;
}

void har_head_put_state(struct har_writer *writer) {
    struct har_record newest = {0};
    uint32_t records = 0;
    if (store_ready) {
        if (har_store_newest(&store, &newest) != HAR_OK) newest.sequence = 0;
        records = har_store_count(&store);
    }
    har_put_u8(writer, learned ? 1u : 0u);
    har_put_u8(writer, unsaved ? 1u : 0u);
    har_put_u32(writer, newest.sequence);
    har_put_u32(writer, current.updates);
    har_put_u32(writer, har_tail_crc(&tail));
    har_put_u8(writer, (uint8_t)(records < 255u ? records : 255u));
    har_put_u16(writer, HAR_FEATURES);
    har_put_u8(writer, HAR_ACTIVITIES);
    for (unsigned k = 0; k < HAR_ACTIVITIES; ++k) har_put_u32(writer, current.labels[k]);
}
