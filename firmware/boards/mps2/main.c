#include "hal/har_board.h"
#include "lib/app/har_app.h"
#include "mps2.h"

int main(void) {
    har_board_init();
    struct har_app *app = har_app_static();
    har_app_init(app);
    har_mps2_print("har: ready\n"); /* the launcher waits for this line */
    for (;;) {
        har_app_poll(app);
        har_mps2_idle();
    }
}
