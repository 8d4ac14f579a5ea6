/* A board that does what it is told: the app runs under a script that comes on stdin and answers
 * on stdout. A command is a letter, a u32 and, for some, that many bytes (all little-endian):
 *   r n bytes  bytes arrive on the serial line; answers u32 size and all that the app sent
 *   i n bytes  IMU samples, 6 float32 each, arrive; answers the same
 *   t n        the serial line takes n more bytes and then none (0xFFFFFFFF: all)
 *   c n        har_board_read() gives at most n bytes at once
 *   f n        the flash refuses all writes and erases after n more (0xFFFFFFFF: never)
 *   e n        the engine's run fails (n = 1) or works (n = 0)
 * Arguments: FLASH_FILE [engine-broken] [no-flash] [one-slot]. Ends with stdin. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "har_app.h"
#include "har_assert.h"
#include "har_board.h"

#define PAGE 4096u
#define PAGES 16u /* as the Nano 33 BLE Sense */
#define FOREVER 0xFFFFFFFFu

int har_test_engine_broken;
int har_test_engine_run_fails;

static FILE *flash_file;
static uint32_t flash_left = FOREVER;
static struct har_flash flash;

static uint8_t arrived[1 << 16];
static size_t arrived_at, arrived_size;
static float imu[4096][6];
static size_t imu_at, imu_size;
static uint8_t sent[1 << 20];
static size_t sent_size;
static uint32_t line_left = FOREVER;
static uint32_t read_limit = FOREVER;
static uint32_t now_ms;
static uint32_t counted;

void har_assert_failed(const char *file, int line) {
    fprintf(stderr, "assert failed at %s:%d\n", file, line);
    abort();
}

static har_status flash_read(void *context, uint32_t offset, void *data, uint32_t size) {
    (void)context;
    if (fseek(flash_file, offset, SEEK_SET) != 0) return HAR_ERR_FLASH;
    return fread(data, 1, size, flash_file) == size ? HAR_OK : HAR_ERR_FLASH;
}

static bool flash_refuses(void) {
    if (flash_left == FOREVER) return false;
    if (flash_left == 0) return true;
    --flash_left;
    return false;
}

static har_status flash_put(uint32_t offset, const void *data, uint32_t size) {
    if (flash_refuses() || fseek(flash_file, offset, SEEK_SET) != 0) return HAR_ERR_FLASH;
    if (fwrite(data, 1, size, flash_file) != size) return HAR_ERR_FLASH;
    return fflush(flash_file) == 0 ? HAR_OK : HAR_ERR_FLASH;
}

static har_status flash_write(void *context, uint32_t offset, const void *data, uint32_t size) {
    (void)context;
    return flash_put(offset, data, size);
}

static har_status flash_erase(void *context, uint32_t offset) {
    static uint8_t erased[PAGE];
    (void)context;
    memset(erased, 0xFF, sizeof erased);
    return flash_put(offset, erased, sizeof erased);
}

void har_board_init(void) {}

uint8_t har_board_target(void) {
    return HAR_TARGET_HOST;
}

uint8_t har_board_counter(void) {
    return HAR_COUNT_NANOSECONDS;
}

uint32_t har_board_millis(void) {
    return now_ms++;
}

size_t har_board_read(uint8_t *data, size_t capacity) {
    size_t size = arrived_size - arrived_at;
    if (size > capacity) size = capacity;
    if (size > read_limit) size = read_limit;
    memcpy(data, arrived + arrived_at, size);
    arrived_at += size;
    return size;
}

size_t har_board_write(const uint8_t *data, size_t size) {
    if (line_left != FOREVER) {
        if (size > line_left) size = line_left;
        line_left -= (uint32_t)size;
    }
    if (size > sizeof sent - sent_size) abort();
    memcpy(sent + sent_size, data, size);
    sent_size += size;
    return size;
}

bool har_board_imu(float sample[6]) {
    if (imu_at == imu_size) return false;
    memcpy(sample, imu[imu_at++], sizeof imu[0]);
    return true;
}

const struct har_flash *har_board_flash(void) {
    return flash.size_bytes == 0 ? NULL : &flash;
}

void har_board_count_begin(void) {}

uint32_t har_board_count_end(void) {
    return ++counted;
}

uint32_t har_board_stack_used(void) {
    return 111;
}

uint32_t har_board_stack_size(void) {
    return 222;
}

void har_board_show(uint8_t state) {
    (void)state;
}

static void take(void *data, size_t size) {
    if (fread(data, 1, size, stdin) != size) exit(3);
}

static void answer(void) {
    while (arrived_at < arrived_size) har_app_poll();
    /* For what it has read and not yet done: at most a window with each sample. */
    for (size_t i = 0; i < imu_size + 40; ++i) har_app_poll();
    const uint32_t size = (uint32_t)sent_size;
    fwrite(&size, 1, sizeof size, stdout);
    fwrite(sent, 1, size, stdout);
    fflush(stdout);
    sent_size = 0;
}

int main(int argc, char **argv) {
    if (argc < 2 || (flash_file = fopen(argv[1], "r+b")) == NULL) return 2;
    flash = (struct har_flash){PAGES * PAGE, PAGE, NULL, flash_read, flash_write, flash_erase};
    for (int i = 2; i < argc; ++i) {
        if (strcmp(argv[i], "engine-broken") == 0) har_test_engine_broken = 1;
        if (strcmp(argv[i], "no-flash") == 0) flash.size_bytes = 0;
        if (strcmp(argv[i], "one-slot") == 0) flash.size_bytes = PAGE;
    }
    har_board_init();
    har_app_init();
    for (int command; (command = getchar()) != EOF;) {
        uint32_t n;
        take(&n, sizeof n);
        if (command == 'r') {
            if (n > sizeof arrived) return 3;
            take(arrived, n);
            arrived_at = 0;
            arrived_size = n;
            answer();
        } else if (command == 'i') {
            if (n > sizeof imu) return 3;
            take(imu, n);
            imu_at = 0;
            imu_size = n / sizeof imu[0];
            answer();
        } else if (command == 't') {
            line_left = n;
        } else if (command == 'c') {
            read_limit = n;
        } else if (command == 'f') {
            flash_left = n;
        } else if (command == 'e') {
            har_test_engine_run_fails = (int)n;
        } else {
            return 3;
        }
    }
    fclose(flash_file);
    return 0;
}
