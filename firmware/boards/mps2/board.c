/* Board: QEMU mps2-an386, an emulated Cortex-M4F. To be run with `-icount shift=6`: then virtual
 * time is a number of executed instructions, 64 ns each, and all counts repeat exactly. */
#include <string.h>

#include "boards/played/played.h"
#include "hal/har_board.h"
#include "lib/base/har_assert.h"
#include "mps2.h"

#define REG32(address) (*(volatile uint32_t *)(address))

/* CMSDK UART 0 */
#define UART_DATA REG32(0x40004000u)
#define UART_STATE REG32(0x40004004u)
#define UART_CTRL REG32(0x40004008u)
#define UART_INTCLEAR REG32(0x4000400Cu)
#define UART_BAUDDIV REG32(0x40004010u)
#define UART_STATE_TX_FULL 1u
#define UART_STATE_RX_FULL 2u
#define UART_CTRL_TX 1u
#define UART_CTRL_RX 2u
#define UART_CTRL_RX_IRQ 8u
#define UART_INT_RX 2u
#define UART_IRQ 0u

/* CMSDK timers 0 (counts instructions) and 1 (keeps the time); both count down and run free */
#define TIMER0_CTRL REG32(0x40000000u)
#define TIMER0_VALUE REG32(0x40000004u)
#define TIMER0_RELOAD REG32(0x40000008u)
#define TIMER1_CTRL REG32(0x40001000u)
#define TIMER1_VALUE REG32(0x40001004u)
#define TIMER1_RELOAD REG32(0x40001008u)
#define TIMER_CTRL_ENABLE 1u
#define TIMER_HZ 25000000u /* and of the processor, so of SysTick */

/* SysTick ends the sleep of an idle board; the time does not depend on it. */
#define SYSTICK_CTRL REG32(0xE000E010u)
#define SYSTICK_RELOAD REG32(0xE000E014u)
#define SYSTICK_VALUE REG32(0xE000E018u)
#define SYSTICK_CTRL_ENABLE 1u
#define SYSTICK_CTRL_IRQ 2u
#define SYSTICK_CTRL_PROCESSOR_CLOCK 4u

#define LEDS REG32(0x40028000u)
#define NVIC_ENABLE REG32(0xE000E100u)

/* 25 MHz ticks of 40 ns; instructions of 64 ns. */
#define TICK_NS 40u
#define INSTRUCTION_NS 64u

#define WAKE_MS 20u /* the app gets a turn at least this often */
#define TICKS_PER_MS (TIMER_HZ / 1000u)

/* The timer first passes zero one second after the start and then every 172 s, so that no run is
 * the first to see that. */
#define TIMER1_START TIMER_HZ

#define STACK_PAINT 0x57ACC0DEu /* the same word as in startup.S */

#define RX_CAPACITY 1024u /* a power of two */

extern uint32_t har_ld_stack_start[], har_ld_stack_end[];

static volatile uint8_t rx_ring[RX_CAPACITY];
static volatile uint32_t rx_head; /* written by the interrupt */
static volatile uint32_t rx_tail; /* written by har_board_read() */
static bool bytes_moved;

static uint32_t clock_ms;
static uint32_t clock_at = TIMER1_START; /* TIMER1_VALUE when clock_ms began */

static uint32_t count_mask;
static uint32_t count_overhead; /* instructions of an empty measurement */

static uint32_t interrupts_off(void) {
    uint32_t mask;
    __asm volatile("mrs %0, primask\n cpsid i" : "=r"(mask)::"memory");
    return mask;
}

static void interrupts_restore(uint32_t mask) {
    __asm volatile("msr primask, %0" ::"r"(mask) : "memory");
}

/* ---- semihosting -------------------------------------------------------------------------- */

static void semihost(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

void har_mps2_print(const char *text) {
    semihost(0x04u, text);
}

void har_mps2_exit(int code) {
    const uint32_t block[2] = {0x20026u /* application exit */, (uint32_t)code};
    for (;;) semihost(0x20u, block);
}

/* ---- failures ----------------------------------------------------------------------------- */

static void say(const char *text) {
    (void)har_board_write((const uint8_t *)text, strlen(text));
    har_mps2_print(text);
}

void har_assert_failed(const char *file, int line) {
    char digits[12];
    char *number = &digits[sizeof(digits) - 1u];
    uint32_t rest = (uint32_t)line;
    (void)interrupts_off();
    *number = '\0';
    do {
        *--number = (char)('0' + rest % 10u);
        rest /= 10u;
    } while (rest != 0u);
    say("\nhar: assert failed at ");
    say(file);
    say(":");
    say(number);
    say("\n");
    har_board_show(HAR_SHOW_ERROR);
    har_mps2_exit(1);
}

void har_fault_handler(void);
void har_fault_handler(void) {
    say("\nhar: processor fault\n");
    har_mps2_exit(1);
}

/* ---- serial ------------------------------------------------------------------------------- */

void har_uart0_rx_handler(void);
void har_uart0_rx_handler(void) {
    UART_INTCLEAR = UART_INT_RX;
    while (UART_STATE & UART_STATE_RX_FULL) {
        if (rx_head - rx_tail == RX_CAPACITY) {
            /* Leave the byte in the UART: the sender waits until har_board_read() made room. */
            UART_CTRL = UART_CTRL_TX | UART_CTRL_RX;
            return;
        }
        rx_ring[rx_head % RX_CAPACITY] = (uint8_t)UART_DATA;
        ++rx_head;
    }
}

size_t har_board_read(uint8_t *data, size_t capacity) {
    size_t size = 0;
    while (size < capacity && rx_tail != rx_head) {
        data[size++] = rx_ring[rx_tail % RX_CAPACITY];
        ++rx_tail;
    }
    if (size != 0u && !(UART_CTRL & UART_CTRL_RX_IRQ)) {
        const uint32_t mask = interrupts_off();
        UART_CTRL = UART_CTRL_TX | UART_CTRL_RX | UART_CTRL_RX_IRQ;
        har_uart0_rx_handler(); /* for the byte that came while its interrupt was off */
        interrupts_restore(mask);
    }
    bytes_moved |= size != 0u;
    return size;
}

size_t har_board_write(const uint8_t *data, size_t size) {
    size_t done = 0;
    while (done < size && !(UART_STATE & UART_STATE_TX_FULL)) UART_DATA = data[done++];
    bytes_moved |= done != 0u;
    return done;
}

/* ---- time --------------------------------------------------------------------------------- */

void har_systick_handler(void);
void har_systick_handler(void) {}

/* Read from a timer that runs free, not counted in interrupts: those are masked while an inference
 * is measured, and of all that fall due then only one stays pending. Right as long as it is called
 * once in 172 s; not for interrupts. */
uint32_t har_board_millis(void) {
    const uint32_t passed = (clock_at - TIMER1_VALUE) / TICKS_PER_MS;
    clock_ms += passed;
    clock_at -= passed * TICKS_PER_MS;
    return clock_ms;
}

void har_mps2_idle(void) {
    (void)har_board_millis();
    const uint32_t mask = interrupts_off();
    /* A pending interrupt ends WFI although it is masked, so none can slip in between. */
    if (!bytes_moved && rx_head == rx_tail) __asm volatile("wfi" ::: "memory");
    bytes_moved = false;
    interrupts_restore(mask);
}

/* ---- measuring ---------------------------------------------------------------------------- */

void har_board_count_begin(void) {
    count_mask = interrupts_off();
    /* Writing starts a tick anew, so that equal work always gives equal ticks. */
    TIMER0_VALUE = UINT32_MAX;
}

uint32_t har_board_count_end(void) {
    const uint32_t ticks = UINT32_MAX - TIMER0_VALUE; /* counts down */
    interrupts_restore(count_mask);
    const uint64_t instructions =
        ((uint64_t)ticks * TICK_NS + INSTRUCTION_NS / 2u) / INSTRUCTION_NS;
    return (uint32_t)instructions > count_overhead ? (uint32_t)instructions - count_overhead : 0u;
}

uint32_t har_board_stack_size(void) {
    return (uint32_t)((uintptr_t)har_ld_stack_end - (uintptr_t)har_ld_stack_start);
}

uint32_t har_board_stack_used(void) {
    const volatile uint32_t *deepest = har_ld_stack_start;
    while (deepest < har_ld_stack_end && *deepest == STACK_PAINT) ++deepest;
    return (uint32_t)((uintptr_t)har_ld_stack_end - (uintptr_t)deepest);
}

void har_mps2_paint_stack(void) {
    const volatile uint32_t *end;
    __asm volatile("mov %0, sp" : "=r"(end));
    for (volatile uint32_t *word = har_ld_stack_start; word < end; ++word) *word = STACK_PAINT;
}

/* ---- the rest of the seam ----------------------------------------------------------------- */

void har_board_init(void) {
    UART_BAUDDIV = 217u; /* 115200 baud; QEMU asks only for 16 or more */
    UART_CTRL = UART_CTRL_TX | UART_CTRL_RX | UART_CTRL_RX_IRQ;

    TIMER0_RELOAD = UINT32_MAX;
    TIMER0_VALUE = UINT32_MAX;
    TIMER0_CTRL = TIMER_CTRL_ENABLE;

    TIMER1_RELOAD = UINT32_MAX;
    TIMER1_VALUE = TIMER1_START;
    TIMER1_CTRL = TIMER_CTRL_ENABLE;

    SYSTICK_RELOAD = WAKE_MS * TICKS_PER_MS - 1u;
    SYSTICK_VALUE = 0;
    SYSTICK_CTRL = SYSTICK_CTRL_ENABLE | SYSTICK_CTRL_IRQ | SYSTICK_CTRL_PROCESSOR_CLOCK;

    NVIC_ENABLE = 1u << UART_IRQ;

    count_overhead = 0;
    har_board_count_begin();
    count_overhead = har_board_count_end();

    /* Not volatile: the host writes it before the start. */
    har_played_init((const uint8_t *)HAR_MPS2_PSRAM + HAR_MPS2_SENSOR_OFFSET,
                    HAR_MPS2_PSRAM_BYTES - HAR_MPS2_SENSOR_OFFSET);
}

uint8_t har_board_target(void) {
    return HAR_TARGET_MPS2;
}

uint8_t har_board_counter(void) {
    return HAR_COUNT_INSTRUCTIONS;
}

void har_board_show(uint8_t state) {
    LEDS = state;
}
