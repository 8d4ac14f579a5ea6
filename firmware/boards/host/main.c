#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hal/har_board.h"
#include "host.h"
#include "lib/app/har_app.h"

static int usage(void) {
    fputs("usage: har_firmware --listen-fd N --flash FILE [--sensor FILE]\n", stderr);
    return 2;
}

int main(int argc, char **argv) {
    int listen_fd = -1;
    const char *flash_path = NULL;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc) return usage();
        if (strcmp(argv[i], "--listen-fd") == 0)
            listen_fd = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--flash") == 0)
            flash_path = argv[i + 1];
        else if (strcmp(argv[i], "--sensor") == 0)
            har_host_play(argv[i + 1]);
        else
            return usage();
    }
    if (listen_fd < 0 || flash_path == NULL) return usage();

    (void)signal(SIGPIPE, SIG_IGN);
    har_host_open(listen_fd, flash_path);
    har_board_init();
    struct har_app *app = har_app_static();
    har_app_init(app);
    fputs("har: ready\n", stderr); /* the launcher waits for this line */
    for (;;) {
        har_app_poll(app);
        har_host_idle();
    }
}
