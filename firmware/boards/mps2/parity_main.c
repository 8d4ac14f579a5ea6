#include "hal/har_board.h"
#include "mps2.h"
#include "tools/parity.h"

void har_parity_forget_stack(void) {
    har_mps2_paint_stack();
}

int main(void) {
    har_board_init();
    /* Not volatile: the emulator's file changes only before the start and is read after the end. */
    har_mps2_exit(har_parity_run((uint8_t *)HAR_MPS2_PSRAM + HAR_PARITY_OFFSET,
                                 HAR_MPS2_EXCHANGE_BYTES - HAR_PARITY_OFFSET));
}
