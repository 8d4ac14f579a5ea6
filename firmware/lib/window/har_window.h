/* Samples in, quantized windows out.
 *
 * Each sample is companded, normalized and quantized once, when it arrives:
 *     y = x / (|x| + knee[c]) where knee[c] > 0, else x
 *     v = (y - mean[c]) * gain[c];  q = clamp(round_half_away(v) + zero_point, -128, 127)
 * with gain = 1 / (standard deviation * input scale). Companding keeps small motions apart from
 * rounding next to large ones. The window keeps int8 only (T * C bytes).
 * A window is complete every `hop` samples once T samples have come without a gap.
 *
 * The caller owns the storage.
 */
#ifndef HAR_WINDOW_H
#define HAR_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/har_status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct har_window_config {
    uint16_t length;    /* T, samples */
    uint16_t hop;       /* samples between windows, 1..T */
    uint8_t channels;   /* C */
    int32_t zero_point; /* of the engine's input */
    const float *knee;  /* (C,) g and rad/s, where a companded channel reaches 1/2; 0: linear */
    const float *mean;  /* (C,) of the companded channels */
    const float *gain;  /* (C,) quantization steps per unit of the companded channels */
};

struct har_window {
    const struct har_window_config *config;
    int8_t *ring;        /* (T, C), the caller's */
    uint16_t head;       /* row that the next sample takes */
    uint16_t filled;     /* rows since the last restart, at most T */
    uint16_t until_next; /* samples still missing to the next complete window */
};

void har_window_init(struct har_window *window, const struct har_window_config *config,
                     int8_t *ring);

/* Forgets all samples: no window ever straddles a gap. */
void har_window_restart(struct har_window *window);

/* Takes one sample (C values, g and rad/s). *complete tells whether a window ends with it.
 * HAR_ERR_NOT_FINITE: a value is NaN or infinite; the sample is not taken. */
har_status har_window_push(struct har_window *window, const float *sample, bool *complete);

/* Copies `count` samples, oldest first, as (count, C) int8, from the one on that has `back` - 1
 * newer ones. What is older than the window is written as the zero point. A window must be whole.
 */
void har_window_copy(const struct har_window *window, uint32_t back, uint32_t count, int8_t *out);

#ifdef __cplusplus
}
#endif
#endif
