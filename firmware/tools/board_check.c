/* An app that exercises the seam har_board.h and nothing else: link it in place of lib/app to see
 * whether a board keeps the seam's promises. Serial commands, one letter each:
 *   e SIZE(u32) bytes...      echoes SIZE bytes
 *   s SIZE(u32) bytes...      swallows SIZE bytes, then answers with one '.'
 *   g SIZE(u32)               sends SIZE bytes 0, 1, 2, ...
 *   c LOOPS(u32)              counts LOOPS turns of a loop of two instructions -> u32
 *   m                         milliseconds -> u32
 *   k                         stack used, stack size -> u32, u32
 *   r OFFSET SIZE             reads flash -> status u32, bytes
 *   w OFFSET SIZE bytes...    writes flash -> status u32
 *   x OFFSET                  erases a page -> status u32
 *   t                         target, counter -> u32, u32
 *   !                         fails an assert
 */
#include <string.h>

#include "hal/har_board.h"
#include "lib/app/har_app.h"
#include "lib/base/har_assert.h"

#define DATA_BYTES 4096u
#define FLASH_PAGES 16u

static uint8_t command;
static uint8_t arguments[8];
static uint32_t arguments_have;
static uint8_t data[DATA_BYTES];
static uint32_t data_have;
static uint32_t to_come; /* bytes of `e` or `s` not read yet */
static uint8_t out[DATA_BYTES + 8u];
static uint32_t out_begin, out_end;
static uint32_t to_generate;
static uint8_t generated;

static uint32_t argument(uint32_t index) {
    uint32_t value;
    memcpy(&value, &arguments[4u * index], sizeof(value));
    return value;
}

static void answer(const void *bytes, uint32_t size) {
    HAR_ASSERT(size <= sizeof(out) - out_end);
    memcpy(&out[out_end], bytes, size);
    out_end += size;
}

static void answer_u32(uint32_t value) {
    answer(&value, sizeof(value));
}

static uint32_t argument_bytes(uint8_t letter) {
    switch (letter) {
        case 'e':
        case 's':
        case 'g':
        case 'c':
        case 'x':
            return 4u;
        case 'r':
        case 'w':
            return 8u;
        default:
            return 0u;
    }
}

static uint32_t data_bytes(uint8_t letter) {
    return letter == 'w' ? argument(1) : 0u;
}

static void spin(uint32_t loops) {
#if defined(__arm__)
    __asm volatile("1: subs %0, %0, #1\n bne 1b" : "+r"(loops)::"cc");
#else
    for (volatile uint32_t i = 0; i < loops; ++i) continue;
#endif
}

static void execute(void) {
    const struct har_flash *flash = har_board_flash(FLASH_PAGES);
    switch (command) {
        case 'e':
        case 's':
            to_come = argument(0);
            return; /* not over before all has come */
        case 'g':
            to_generate = argument(0);
            generated = 0;
            break;
        case 'c': {
            const uint32_t loops = argument(0);
            har_board_count_begin();
            spin(loops);
            answer_u32(har_board_count_end());
            break;
        }
        case 'm':
            answer_u32(har_board_millis());
            break;
        case 'k':
            answer_u32(har_board_stack_used());
            answer_u32(har_board_stack_size());
            break;
        case 'r': {
            const uint32_t size = argument(1) <= DATA_BYTES ? argument(1) : DATA_BYTES;
            answer_u32((uint32_t)flash->read(flash->context, argument(0), data, size));
            answer(data, size);
            break;
        }
        case 'w':
            answer_u32((uint32_t)flash->write(flash->context, argument(0), data, argument(1)));
            break;
        case 'x':
            answer_u32((uint32_t)flash->erase(flash->context, argument(0)));
            break;
        case 't':
            answer_u32(har_board_target());
            answer_u32(har_board_counter());
            break;
        case '!':
            HAR_ASSERT(command == 0u);
            break;
        default:
            break;
    }
    command = 0u;
}

static bool flushed(void) {
    out_begin += (uint32_t)har_board_write(&out[out_begin], out_end - out_begin);
    if (out_begin != out_end) return false;
    out_begin = out_end = 0u;
    while (to_generate != 0u) {
        if (har_board_write(&generated, 1u) == 0u) return false;
        ++generated;
        --to_generate;
    }
    return true;
}

static bool fill(uint8_t *into, uint32_t *have, uint32_t want) {
    *have += (uint32_t)har_board_read(into + *have, want - *have);
    return *have == want;
}

static void pass_on(void) {
    const uint32_t want = to_come < DATA_BYTES ? to_come : DATA_BYTES;
    const uint32_t size = (uint32_t)har_board_read(data, want);
    to_come -= size;
    if (command == 'e') answer(data, size);
    if (to_come != 0u) return;
    if (command == 's') answer(".", 1u);
    command = 0u;
}

struct har_app *har_app_static(void) {
    return NULL; /* this program has none */
}

void har_app_init(struct har_app *app) {
    (void)app;
    har_board_show(0);
}

void har_app_poll(struct har_app *app) {
    (void)app;
    if (!flushed()) return;
    if (to_come != 0u) {
        pass_on();
        return;
    }
    if (command == 0u) {
        if (har_board_read(&command, 1u) == 0u) return;
        arguments_have = data_have = 0u;
    }
    if (!fill(arguments, &arguments_have, argument_bytes(command))) return;
    HAR_ASSERT(data_bytes(command) <= DATA_BYTES);
    if (!fill(data, &data_have, data_bytes(command))) return;
    execute();
}
