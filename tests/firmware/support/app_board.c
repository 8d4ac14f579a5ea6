/* A board that does what it is told: the app runs under a script that comes on stdin and answers
 * on stdout. A command is a letter, a u32 and, for some, that many bytes (all little-endian):
 *   r n bytes  bytes arrive on the serial line; answers u32 size and all that the app sent
 *   i n bytes  samples of its own sensor, each a struct har_sensed, arrive; answers the same
 *   s n bytes  the sensor's state from now on, a struct har_sensor_state
 *   t n        the serial line takes n more bytes and then none (0xFFFFFFFF: all)
 *   c n        har_board_read() gives at most n bytes at once
 *   f n        the flash refuses all writes and erases after n more (0xFFFFFFFF: never)
 *   p n        the power goes in step n (from 0) of the flash: a word written or a page erased,
 *              and what it was at is torn; n also seeds how. The app sees a flash that refuses.
 *   e n        the engine's run fails (n = 1) or works (n = 0)
 *   m n        n milliseconds pass; at no other time does time pass
 *   w n        answers u32 size, u32 calls of har_board_collect() and a byte for each state that
 *              was shown instead of another one, both since it was asked last
 * Arguments: FLASH_FILE [engine-broken] [no-flash] [one-slot] [nano]. Ends with stdin. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hal/har_board.h"
#include "lib/app/har_app.h"
#include "lib/base/har_assert.h"

#define PAGE 4096u
#define FOREVER 0xFFFFFFFFu

int har_test_engine_broken;
int har_test_engine_run_fails;

static FILE *flash_file;
static uint32_t flash_left = FOREVER;
static uint32_t power_left = FOREVER;
static uint32_t power_random;
static bool power_gone;
static struct har_flash flash;

static uint8_t arrived[1 << 16];
static size_t arrived_at, arrived_size;
static struct har_sensed imu[4096];
static size_t imu_at, imu_size;
static uint8_t sent[1 << 20];
static size_t sent_size;
static uint32_t line_left = FOREVER;
static uint32_t read_limit = FOREVER;
static uint32_t now_ms;
static uint32_t counted;
static uint8_t target = HAR_TARGET_HOST;
static struct har_sensor_state sensor = {.trouble = HAR_SENSOR_ABSENT};
static uint32_t collected;
static uint8_t shown[256];
static uint32_t shown_size;
static uint8_t shows;

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

static uint32_t random_u32(void) {
    power_random = power_random * 1664525u + 1013904223u;
    return power_random >> 8;
}

static bool power_goes(void) {
    return power_left != FOREVER && power_left-- == 0;
}

static har_status flash_put(uint32_t offset, const void *data, uint32_t size) {
    if (fseek(flash_file, offset, SEEK_SET) != 0) return HAR_ERR_FLASH;
    if (fwrite(data, 1, size, flash_file) != size) return HAR_ERR_FLASH;
    return fflush(flash_file) == 0 ? HAR_OK : HAR_ERR_FLASH;
}

/* What is written where the power goes: as many words as were written before, and one in which
 * some bits are not yet 0. */
static har_status flash_write(void *context, uint32_t offset, const void *data, uint32_t size) {
    (void)context;
    if (flash_refuses() || power_gone) return HAR_ERR_FLASH;
    for (uint32_t at = 0; at < size; at += 4) {
        if (!power_goes()) continue;
        uint32_t torn;
        memcpy(&torn, (const uint8_t *)data + at, sizeof torn);
        torn |= random_u32() << 8 ^ random_u32();
        power_gone = true;
        (void)flash_put(offset, data, at);
        (void)flash_put(offset + at, &torn, sizeof torn);
        return HAR_ERR_FLASH;
    }
    return flash_put(offset, data, size);
}

/* A page whose erase was cut: garbage, erased only in part, or nearly erased. */
static har_status flash_erase(void *context, uint32_t offset) {
    static uint8_t page[PAGE];
    (void)context;
    if (flash_refuses() || power_gone) return HAR_ERR_FLASH;
    power_gone = power_goes();
    if (!power_gone) {
        memset(page, 0xFF, sizeof page);
        return flash_put(offset, page, sizeof page);
    }
    if (flash_read(context, offset, page, sizeof page) != HAR_OK) return HAR_ERR_FLASH;
    const uint32_t way = random_u32() % 3u;
    const uint32_t border = random_u32() % PAGE;
    for (uint32_t i = 0; i < PAGE; ++i) {
        const uint8_t noise = (uint8_t)random_u32();
        if (way == 0) page[i] |= noise;
        if (way == 1 && i < border) page[i] = 0xFF;
        if (way == 2) page[i] = noise < 3 ? 0xFE : 0xFF;
    }
    (void)flash_put(offset, page, sizeof page);
    return HAR_ERR_FLASH;
}

void har_board_init(void) {}

uint8_t har_board_target(void) {
    return target;
}

uint8_t har_board_counter(void) {
    return HAR_COUNT_NANOSECONDS;
}

uint32_t har_board_millis(void) {
    return now_ms;
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

bool har_board_imu(struct har_sensed *sensed) {
    if (imu_at == imu_size) return false;
    *sensed = imu[imu_at++];
    return true;
}

void har_board_sensor(struct har_sensor_state *state) {
    *state = sensor;
}

void har_board_collect(void) {
    ++collected;
}

const struct har_flash *har_board_flash(uint32_t pages) {
    if (flash.size_bytes != 0 && flash.size_bytes != PAGE) flash.size_bytes = pages * PAGE;
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
    if (state != shows && shown_size < sizeof shown) shown[shown_size++] = state;
    shows = state;
}

static void take(void *data, size_t size) {
    if (fread(data, 1, size, stdin) != size) exit(3);
}

static void answer(void) {
    while (arrived_at < arrived_size) har_app_poll(har_app_static());
    /* For what it has read and not yet done: at most a window with each sample. */
    for (size_t i = 0; i < imu_size + 40; ++i) har_app_poll(har_app_static());
    const uint32_t size = (uint32_t)sent_size;
    fwrite(&size, 1, sizeof size, stdout);
    fwrite(sent, 1, size, stdout);
    fflush(stdout);
    sent_size = 0;
}

static void answer_watch(void) {
    const uint32_t size = shown_size + (uint32_t)sizeof collected;
    fwrite(&size, 1, sizeof size, stdout);
    fwrite(&collected, 1, sizeof collected, stdout);
    fwrite(shown, 1, shown_size, stdout);
    fflush(stdout);
    collected = 0;
    shown_size = 0;
}

int main(int argc, char **argv) {
    if (argc < 2 || (flash_file = fopen(argv[1], "r+b")) == NULL) return 2;
    flash = (struct har_flash){2 * PAGE, PAGE, NULL, flash_read, flash_write, flash_erase};
    for (int i = 2; i < argc; ++i) {
        if (strcmp(argv[i], "engine-broken") == 0) har_test_engine_broken = 1;
        if (strcmp(argv[i], "no-flash") == 0) flash.size_bytes = 0;
        if (strcmp(argv[i], "one-slot") == 0) flash.size_bytes = PAGE;
        if (strcmp(argv[i], "nano") == 0) target = HAR_TARGET_NANO33BLE;
    }
    har_board_init();
    har_app_init(har_app_static());
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
        } else if (command == 's') {
            if (n != sizeof sensor) return 3;
            take(&sensor, n);
        } else if (command == 'w') {
            answer_watch();
        } else if (command == 't') {
            line_left = n;
        } else if (command == 'c') {
            read_limit = n;
        } else if (command == 'f') {
            flash_left = n;
        } else if (command == 'p') {
            power_left = n;
            power_random = n;
        } else if (command == 'm') {
            now_ms += n;
        } else if (command == 'e') {
            har_test_engine_run_fails = (int)n;
        } else {
            return 3;
        }
    }
    fclose(flash_file);
    return 0;
}
