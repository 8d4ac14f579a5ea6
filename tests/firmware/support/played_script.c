/* The played sensor under a clock that is set by hand. Argument: a recording, or nothing. Lines:
 *   clock MS     the clock says MS (u32)            -> ok
 *   init         har_played_init()                  -> ok
 *   imu          har_board_imu()                    -> none, or time_ms lost six values
 *   state        -> sensor trouble zero_known rate_hz overruns late */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boards/played/played.h"
#include "hal/har_board.h"

static uint32_t now_ms;
static _Alignas(4) uint8_t file[1 << 16];

uint32_t har_board_millis(void) {
    return now_ms;
}

int main(int argc, char **argv) {
    char line[64];
    FILE *in = argc > 1 ? fopen(argv[1], "rb") : NULL;
    const uint32_t size = in == NULL ? 0u : (uint32_t)fread(file, 1, sizeof file, in);
    if (in != NULL) fclose(in);
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (strncmp(line, "clock ", 6) == 0) {
            now_ms = (uint32_t)strtoul(line + 6, NULL, 10);
            printf("ok\n");
        } else if (strcmp(line, "init\n") == 0) {
            har_played_init(size == 0u ? NULL : file, size);
            printf("ok\n");
        } else if (strcmp(line, "imu\n") == 0) {
            struct har_sensed s;
            if (!har_board_imu(&s)) {
                printf("none\n");
            } else {
                printf("%u %u", s.time_ms, s.lost);
                for (int c = 0; c < 6; ++c) printf(" %.9g", (double)s.values[c]);
                printf("\n");
            }
        } else {
            struct har_sensor_state s;
            har_board_sensor(&s);
            printf("%d %d %d %g %u %u\n", s.sensor, s.trouble, s.zero_known, (double)s.rate_hz,
                   s.overruns, s.late);
        }
        fflush(stdout);
    }
    return 0;
}
