/* The head's memory, for har_app_head.c (what is in use, and learning), har_app_names.c and
 * har_app_record.c (what is stored, and what comes from outside). One static instance. */
#ifndef HAR_APP_HEAD_H
#define HAR_APP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "har_model.h"
#include "lib/app/har_app_parts.h"
#include "lib/head/har_learner.h"

#define HAR_SPARE (HAR_ROWS - HAR_ACTIVITIES)
#define HAR_PARAMETERS                                                               \
    HAR_HEAD_PARAMETERS(HAR_ROWS, HAR_FEATURES, HAR_HEAD_CHANNELS, HAR_HEAD_FILTERS, \
                        HAR_HEAD_KERNEL)

#define HAR_NAME_BYTES_MAX 31u

struct har_name {
    uint8_t size;
    uint8_t text[HAR_NAME_BYTES_MAX]; /* UTF-8, the rest 0 */
};

/* Laid out as docs/STORAGE.md has it, so that storing and sending are copies of bytes. */
struct har_app_head {
    uint16_t features;
    uint8_t rows;
    uint8_t activities; /* A */
    uint32_t parameters;
    struct har_learner_state state;
    uint32_t since_s; /* Unix time of the first label, 0: unknown */
    uint32_t saved_s; /* Unix time of the save, 0: unknown */
    uint16_t window_bytes;
    uint16_t capacity;
    uint32_t labels[HAR_ROWS];
    float limits[HAR_ROWS]; /* distances up to which windows are known */
#if HAR_SPARE > 0
    struct har_name names[HAR_SPARE]; /* of the activities from K on */
#endif
    float values[HAR_PARAMETERS]; /* of the layers */
};

/* The windows that are learned again; behind the head in a record. */
struct har_kept {
    uint32_t seen[HAR_ROWS];
    uint8_t labels[HAR_REPLAY_CAPACITY];
    uint8_t trust[HAR_REPLAY_CAPACITY];
    int8_t windows[HAR_REPLAY_CAPACITY * HAR_CUT_BYTES]; /* (N, B) */
};

struct har_learned {
    struct har_app_head head;
    struct har_kept kept;
};

struct har_app_heads {
    struct har_learned current; /* in use */
    bool learned;               /* current is not the shipped head */
    bool unsaved;               /* current is not what the next start takes */

    /* A head from outside until it has been checked. Its values are also what undo goes back to,
     * so that a head that comes in forgets the undo, and a label what came in. */
    struct har_app_head staged;
    uint32_t staged_bytes; /* of it that HEAD_WRITE has filled */
};
extern struct har_app_heads har_app_heads;

/* ---- har_app_head.c ---- */

/* The shipped head into use. */
void har_app_head_take_shipped(void);

/* After har_app_heads.current was filled, and checked. `saved`: as it is stored. */
void har_app_head_taken(bool saved);

/* After this har_app_heads.staged may be filled. */
void har_app_head_forget_undo(void);

/* Empties har_app_heads.current.kept. */
void har_app_head_empty_kept(void);

/* After har_app_heads.current has become the newest record. */
void har_app_head_saved(void);

/* Whether a head's sizes, values and names are right for this model; HAR_ERR_MODEL when it has
 * another shape, HAR_ERR_ARGUMENT for its names, HAR_ERR_NOT_FINITE for its values and counts. */
har_status har_app_head_check(const struct har_app_head *head);

/* ---- har_app_record.c ---- */

/* Sequence of the newest record of this model, 0 when there is none. */
uint32_t har_record_newest_sequence(void);

/* Records of this model, 255 for more. */
uint8_t har_record_count(void);

/* ---- har_app_names.c ---- */

/* Where the name of a taught activity stands, K <= activity < R. */
struct har_name *har_name_entry(struct har_app_head *head, uint16_t activity);

/* Whether `text` (`size` bytes) can be one more name behind the first `count` activities'. */
bool har_name_fits(const struct har_app_head *head, uint16_t count, const uint8_t *text,
                   size_t size);

/* Whether the names of all taught activities are right. */
bool har_names_right(const struct har_app_head *head);

#endif
