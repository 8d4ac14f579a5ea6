/* What main() and the tools need of this board beyond har_board.h. */
#ifndef HAR_MPS2_H
#define HAR_MPS2_H

#include <stdint.h>

/* External RAM of the machine: QEMU maps a file of the host there. */
#define HAR_MPS2_PSRAM ((volatile uint8_t *)0x21000000u)
#define HAR_MPS2_PSRAM_BYTES (16u * 1024u * 1024u)
/* Of it, what tools and the host exchange: behind lie constants (whole_machine.ld). */
#define HAR_MPS2_EXCHANGE_BYTES (8u * 1024u * 1024u)

/* Where in it a recording (played.h) may lie, which is then the board's motion sensor. */
#define HAR_MPS2_SENSOR_OFFSET 0x200000u

/* Sleeps until an interrupt comes, unless serial bytes moved since the last call. */
void har_mps2_idle(void);

/* One text on the emulator's own stderr, away from the serial line. */
void har_mps2_print(const char *text);

/* Paints the stack below the caller anew, so that har_board_stack_used() forgets deeper uses. */
void har_mps2_paint_stack(void);

/* Ends the emulator with this exit code. */
void har_mps2_exit(int code) __attribute__((noreturn));

#endif
