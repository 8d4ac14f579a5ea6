/* firmware/lib/store over a NOR flash that can lose its power or fail, driven by lines on stdin;
 * one line each on stdout.
 *
 *   init PAGE SIZE MODEL LIMIT   a boot: "STATUS SLOT_BYTES SLOTS"; SIZE 0 keeps the flash
 *   load OFFSET BYTES | dump     the flash itself
 *   keep | restore               a copy of the flash
 *   newest | previous SEQUENCE   "STATUS SLOT SEQUENCE KIND LENGTH"
 *   count                        "COUNT"
 *   read OFFSET SIZE             of the newest record's payload: "STATUS BYTES"
 *   reread SLOT SEQUENCE KIND LENGTH OFFSET SIZE   of any record's
 *   write KIND BYTES             "STATUS SLOT SEQUENCE STEPS CALLS"
 *   null KIND LENGTH             the same with a payload of NULL
 *   unaligned BYTES              a learned record from an odd address: the same
 *   cut SEED STEP                the power goes during step STEP (from 0) of the next write; a step
 *                                is one word written or one page erased
 *   fail CALL HOW                call CALL (from 0: reads, writes and erases) of what comes next
 *                                answers HAR_ERR_FLASH; HOW 0: did nothing, 1: half, 2: all of it
 *   stuck OFFSET                 the word there always reads 0; "stuck -1" ends it
 *
 * "." stands for no bytes. What a store must never do to a flash ends the program with one line on
 * stderr: an access outside or unaligned, a word written twice. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/store/har_store.h"

#define LINE_BYTES (1u << 18)
#define NEVER UINT32_MAX

static struct {
    uint8_t *cells;
    uint8_t *kept;
    struct har_flash flash;
    struct har_store store;
    bool powered;
    uint32_t steps; /* words written and pages erased since the command began */
    uint32_t calls;
    uint32_t cut_step;
    uint32_t fail_call;
    uint32_t fail_how;
    uint32_t stuck_offset;
    uint64_t random;
} t;

static void broken(const char *what, uint32_t offset) {
    fprintf(stderr, "store misuses the flash: %s at %" PRIu32 "\n", what, offset);
    exit(9);
}

static uint32_t random_u32(void) { /* splitmix64 */
    t.random += 0x9E3779B97F4A7C15u;
    uint64_t z = t.random;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ (z >> 31)) >> 16);
}

/* One of the ways in which a cut erase leaves a page. */
static void half_erase(uint8_t *page) {
    const uint32_t way = random_u32() % 6;
    const uint32_t border = random_u32() % t.flash.page_bytes;
    for (uint32_t i = 0; i < t.flash.page_bytes; ++i) {
        const uint8_t noise = (uint8_t)random_u32();
        if (way == 1) page[i] = noise;                   /* garbage */
        if (way == 2) page[i] |= noise;                  /* some bits erased already */
        if (way == 3 && i < border) page[i] = 0xFF;      /* only the beginning */
        if (way == 4 && i >= border) page[i] = 0xFF;     /* only the end */
        if (way == 5) page[i] = noise < 3 ? 0xFE : 0xFF; /* nearly done */
    }                                                    /* way 0: not begun */
}

static bool power_goes(void) {
    if (t.steps++ != t.cut_step) return false;
    t.powered = false;
    return true;
}

static bool this_call_fails(void) {
    return t.calls++ == t.fail_call;
}

static har_status flash_read(void *context, uint32_t offset, void *data, uint32_t size) {
    (void)context;
    if (offset > t.flash.size_bytes || size > t.flash.size_bytes - offset) broken("read", offset);
    const bool fails = this_call_fails();
    if (!t.powered || fails) return HAR_ERR_FLASH;
    memcpy(data, t.cells + offset, size);
    for (uint32_t i = 0; i < 4; ++i) {
        const uint32_t at = t.stuck_offset + i;
        if (t.stuck_offset != NEVER && at >= offset && at - offset < size) {
            ((uint8_t *)data)[at - offset] = 0;
        }
    }
    return HAR_OK;
}

static har_status flash_write(void *context, uint32_t offset, const void *data, uint32_t size) {
    (void)context;
    if (offset > t.flash.size_bytes || size > t.flash.size_bytes - offset) broken("write", offset);
    if (offset % 4 || size % 4 || (uintptr_t)data % 4) broken("unaligned write", offset);
    const bool fails = this_call_fails();
    if (!t.powered || (fails && t.fail_how == 0)) return HAR_ERR_FLASH;
    for (uint32_t at = 0; at < size; at += 4) {
        uint8_t *word = t.cells + offset + at;
        const uint8_t *from = (const uint8_t *)data + at;
        const bool cut = power_goes();
        for (uint32_t i = 0; i < 4; ++i) {
            if (word[i] != 0xFF) broken("word written twice", offset + at);
            word[i] = (uint8_t)(cut ? from[i] | random_u32() : from[i]); /* torn: some bits */
        }
        if (cut || (fails && t.fail_how == 1 && at >= size / 2)) return HAR_ERR_FLASH;
    }
    return fails ? HAR_ERR_FLASH : HAR_OK;
}

static har_status flash_erase(void *context, uint32_t offset) {
    (void)context;
    if (offset >= t.flash.size_bytes || offset % t.flash.page_bytes) broken("erase", offset);
    const bool fails = this_call_fails();
    if (!t.powered || (fails && t.fail_how == 0)) return HAR_ERR_FLASH;
    if (power_goes()) {
        half_erase(t.cells + offset);
        return HAR_ERR_FLASH;
    }
    const uint32_t size = fails && t.fail_how == 1 ? t.flash.page_bytes / 2 : t.flash.page_bytes;
    memset(t.cells + offset, 0xFF, size);
    return fails ? HAR_ERR_FLASH : HAR_OK;
}

static char *word(void) {
    char *found = strtok(NULL, " \n");
    if (found == NULL) exit(4);
    return found;
}

static uint32_t number(void) {
    return (uint32_t)strtoll(word(), NULL, 0);
}

static uint32_t bytes_into(uint8_t *out) {
    const char *hex = word();
    if (strcmp(hex, ".") == 0) return 0;
    const uint32_t size = (uint32_t)(strlen(hex) / 2);
    for (uint32_t i = 0; i < size; ++i) {
        unsigned value = 0;
        if (sscanf(hex + 2 * i, "%2x", &value) != 1) exit(3);
        out[i] = (uint8_t)value;
    }
    return size;
}

static void print_hex(const uint8_t *data, uint32_t size) {
    if (size == 0) printf(".");
    for (uint32_t i = 0; i < size; ++i) printf("%02x", data[i]);
}

static void disarm(void) {
    t.powered = true;
    t.cut_step = NEVER;
    t.fail_call = NEVER;
}

static void command_init(void) {
    const uint32_t page = number();
    const uint32_t size = number();
    uint8_t model[HAR_MODEL_ID_BYTES] = {0};
    (void)bytes_into(model);
    const uint32_t limit = number();
    if (size > 0) {
        free(t.cells);
        free(t.kept);
        t.cells = malloc(size);
        t.kept = malloc(size);
        memset(t.cells, 0xFF, size);
        t.flash.size_bytes = size;
    }
    t.flash.page_bytes = page;
    t.flash.read = flash_read;
    t.flash.write = flash_write;
    t.flash.erase = flash_erase;
    memset(&t.store, 0xA5, sizeof t.store);
    const har_status status = har_store_init(&t.store, &t.flash, model, limit);
    printf("%d %" PRIu32 " %" PRIu32 "\n", status, t.store.slot_bytes, t.store.slots);
}

static void print_record(har_status status, const struct har_record *record) {
    printf("%d %" PRIu32 " %" PRIu32 " %u %" PRIu32 "\n", status, record->slot, record->sequence,
           record->kind, record->length_bytes);
}

static void read_back(har_status status, const struct har_record *record) {
    const uint32_t offset = number();
    const uint32_t size = number();
    const uint32_t room = size < LINE_BYTES ? size : 0;
    uint8_t *piece = malloc(room + 1u);
    memset(piece, 0xA5, room + 1u);
    if (status == HAR_OK) status = har_store_verify(&t.store, record);
    if (status == HAR_OK) status = har_store_read(&t.store, record, offset, piece, size);
    for (uint32_t i = 0; i < room && status != HAR_OK && status != HAR_ERR_FLASH; ++i) {
        if (piece[i] != 0xA5) broken("data of a refused read", offset + i);
    }
    printf("%d ", status);
    print_hex(piece, status == HAR_OK ? room : 0);
    printf("\n");
    free(piece);
}

static void write_record(uint8_t kind, const uint8_t *payload, uint32_t size) {
    struct har_record record = {0};
    const har_status status = har_store_write(&t.store, kind, payload, size, &record);
    printf("%d %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 "\n", status, record.slot,
           record.sequence, t.steps, t.calls);
}

static void command_write(bool aligned) {
    static _Alignas(8) uint8_t line[LINE_BYTES / 2];
    const uint8_t kind = aligned ? (uint8_t)number() : (uint8_t)HAR_RECORD_LEARNED;
    const uint32_t size = bytes_into(line);
    uint8_t *exact = malloc(size + 1u);
    memcpy(exact + !aligned, line, size);
    write_record(kind, exact + !aligned, size);
    free(exact);
}

static void run(const char *command) {
    struct har_record record = {0};
    t.steps = 0;
    t.calls = 0;
    if (strcmp(command, "init") == 0) {
        command_init();
    } else if (strcmp(command, "load") == 0) {
        const uint32_t offset = number();
        printf("%" PRIu32 "\n", bytes_into(t.cells + offset));
    } else if (strcmp(command, "dump") == 0) {
        print_hex(t.cells, t.flash.size_bytes);
        printf("\n");
    } else if (strcmp(command, "keep") == 0 || strcmp(command, "restore") == 0) {
        const bool keep = *command == 'k';
        memcpy(keep ? t.kept : t.cells, keep ? t.cells : t.kept, t.flash.size_bytes);
        printf("ok\n");
    } else if (strcmp(command, "newest") == 0) {
        const har_status status = har_store_newest(&t.store, &record, NULL);
        print_record(status, &record);
    } else if (strcmp(command, "previous") == 0) {
        const har_status status = har_store_previous(&t.store, number(), &record);
        print_record(status, &record);
    } else if (strcmp(command, "count") == 0) {
        uint32_t count = 0;
        (void)har_store_newest(&t.store, &record, &count);
        printf("%" PRIu32 "\n", count);
    } else if (strcmp(command, "read") == 0) {
        const har_status status = har_store_newest(&t.store, &record, NULL);
        read_back(status, &record);
    } else if (strcmp(command, "reread") == 0) {
        record.slot = number();
        record.sequence = number();
        record.kind = (uint8_t)number();
        record.length_bytes = number();
        read_back(HAR_OK, &record);
    } else if (strcmp(command, "write") == 0) {
        command_write(true);
    } else if (strcmp(command, "unaligned") == 0) {
        command_write(false);
    } else if (strcmp(command, "null") == 0) {
        write_record((uint8_t)number(), NULL, number());
    } else if (strcmp(command, "stuck") == 0) {
        t.stuck_offset = number();
        printf("ok\n");
    } else {
        fprintf(stderr, "unknown command %s\n", command);
        exit(2);
    }
    disarm();
}

int main(void) {
    static char line[LINE_BYTES];
    t.stuck_offset = NEVER;
    disarm();
    while (fgets(line, sizeof line, stdin) != NULL) {
        const char *command = strtok(line, " \n");
        if (command == NULL) continue;
        if (strcmp(command, "cut") == 0) {
            t.random = (uint64_t)number() << 32;
            t.cut_step = number();
            t.random |= t.cut_step;
            printf("ok\n");
        } else if (strcmp(command, "fail") == 0) {
            t.fail_call = number();
            t.fail_how = number();
            printf("ok\n");
        } else {
            run(command);
        }
        fflush(stdout);
    }
    free(t.cells);
    free(t.kept);
    return 0;
}
