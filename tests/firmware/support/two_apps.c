/* Two apps in one process, each with a board of its own: what each says, shows and stores when they
 * take turns is what it does alone. Prints what each says, the first one's first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/app/har_app_parts.h"
#include "lib/base/har_assert.h"

#define PAGE 4096u
#define ROUNDS 400u

int har_test_engine_broken;
int har_test_engine_run_fails;

struct board {
    const char *script; /* w: samples of one hop; another byte: that key, and silence */
    uint32_t random;
    unsigned samples; /* still to come */
    uint32_t now_ms;
    uint32_t shown; /* of all that was shown, in its order */
    char key;       /* typed and not yet read */
    char said[1 << 14];
    size_t said_size;
    uint8_t cells[2 * PAGE];
};

static struct har_app apps[2];
static struct board boards[2];
static struct board *board; /* the one whose app has its turn */
static struct har_flash flash;

void har_assert_failed(const char *file, int line) {
    fprintf(stderr, "assert failed at %s:%d\n", file, line);
    abort();
}

static har_status flash_read(void *context, uint32_t offset, void *data, uint32_t size) {
    (void)context;
    memcpy(data, board->cells + offset, size);
    return HAR_OK;
}

static har_status flash_write(void *context, uint32_t offset, const void *data, uint32_t size) {
    (void)context;
    memcpy(board->cells + offset, data, size);
    return HAR_OK;
}

static har_status flash_erase(void *context, uint32_t offset) {
    (void)context;
    memset(board->cells + offset, 0xFF, PAGE);
    return HAR_OK;
}

const struct har_flash *har_board_flash(uint32_t pages) {
    (void)pages;
    return &flash;
}

uint8_t har_board_target(void) {
    return HAR_TARGET_HOST;
}

uint8_t har_board_counter(void) {
    return HAR_COUNT_NANOSECONDS;
}

uint32_t har_board_millis(void) {
    return board->now_ms;
}

size_t har_board_read(uint8_t *data, size_t capacity) {
    if (board->key == '\0' || capacity == 0) return 0;
    data[0] = (uint8_t)board->key;
    board->key = '\0';
    return 1;
}

size_t har_board_write(const uint8_t *data, size_t size) {
    if (size > sizeof board->said - board->said_size) abort();
    memcpy(board->said + board->said_size, data, size);
    board->said_size += size;
    return size;
}

bool har_board_imu(struct har_sensed *sensed) {
    if (board->samples == 0) return false;
    --board->samples;
    memset(sensed, 0, sizeof *sensed);
    for (unsigned c = 0; c < HAR_CHANNELS; ++c) {
        board->random = board->random * 1664525u + 1013904223u;
        sensed->values[c] = (float)(board->random >> 16) / 32768.0f - 1.0f;
    }
    return true;
}

void har_board_sensor(struct har_sensor_state *state) {
    memset(state, 0, sizeof *state);
    state->sensor = HAR_SENSOR_PLAYED;
    state->zero_known = true;
    state->nominal_hz = HAR_RATE_HZ;
}

void har_board_collect(void) {}

void har_board_count_begin(void) {}

uint32_t har_board_count_end(void) {
    return 0;
}

uint32_t har_board_stack_used(void) {
    return 0;
}

uint32_t har_board_stack_size(void) {
    return 0;
}

void har_board_show(uint8_t state) {
    board->shown = board->shown * 31u + state;
}

static void begin(unsigned which) {
    static const char *const scripts[] = {"ww0w1ws0?wuw", "www2w2w2wsw?wrr?"};
    board = boards + which;
    memset(board, 0, sizeof *board);
    memset(board->cells, 0xFF, sizeof board->cells);
    memset(apps + which, 0xA5, sizeof *apps); /* nothing is taken from what was there */
    board->script = scripts[which];
    board->random = 7u + which;
    har_app_init(apps + which);
}

static void turn(unsigned which) {
    board = boards + which;
    board->now_ms += 60;
    har_app_poll(apps + which);
    if (board->samples > 0 || board->key != '\0' || *board->script == '\0') return;
    if (board->now_ms % 240u != 0) return; /* silence behind a key */
    const char next = *board->script++;
    if (next == 'w') {
        board->samples = HAR_WINDOW_HOP;
    } else {
        board->key = next;
    }
}

int main(void) {
    static struct board alone[2];
    flash = (struct har_flash){2 * PAGE, PAGE, NULL, flash_read, flash_write, flash_erase};
    for (unsigned which = 0; which < 2; ++which) {
        begin(which);
        for (unsigned round = 0; round < ROUNDS; ++round) turn(which);
        alone[which] = boards[which];
    }
    begin(0);
    begin(1);
    for (unsigned round = 0; round < ROUNDS; ++round) {
        turn(0);
        turn(1);
    }
    for (unsigned which = 0; which < 2; ++which) {
        if (memcmp(alone + which, boards + which, sizeof *boards) != 0) {
            fprintf(stderr, "app %u does otherwise when another one runs\n", which);
            return 1;
        }
        fwrite(boards[which].said, 1, boards[which].said_size, stdout);
        puts("----");
    }
    return 0;
}
