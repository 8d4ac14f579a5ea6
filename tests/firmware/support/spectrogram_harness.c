/* Pictures of windows, from stdin to stdout, all as the machine has them in memory:
 * count, length, pixels, planes, zero point (int32); mean, gain (planes * 32 floats); windows.
 * Each buffer is as large as it must be and no byte larger, for AddressSanitizer to watch. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/har_assert.h"
#include "lib/window/har_spectrogram.h"

void har_assert_failed(const char *file, int line) {
    fprintf(stderr, "%s:%d: assertion failed\n", file, line);
    abort();
}

static void *take(size_t bytes) {
    void *buffer = malloc(bytes);
    if (buffer == NULL || fread(buffer, 1, bytes, stdin) != bytes) abort();
    return buffer;
}

int main(void) {
    int32_t *head = take(5 * sizeof *head);
    const uint32_t rows = (uint32_t)head[3] * HAR_SPECTROGRAM_ROWS;
    float *mean = take(rows * sizeof *mean), *gain = take(rows * sizeof *gain);
    const struct har_spectrogram_config config = {
        (uint16_t)head[1], (uint16_t)head[2], (uint8_t)head[3], head[4], mean, gain,
    };
    const size_t bytes = (size_t)config.pixels * config.pixels * config.planes;
    for (int32_t i = 0; i < head[0]; ++i) {
        int8_t *window = take((size_t)config.length * HAR_SPECTROGRAM_CHANNELS);
        int8_t *image = malloc(bytes);
        if (image == NULL) abort();
        har_spectrogram(&config, window, image);
        if (fwrite(image, 1, bytes, stdout) != bytes) abort();
        free(window);
        free(image);
    }
    free(head);
    free(mean);
    free(gain);
    return 0;
}
