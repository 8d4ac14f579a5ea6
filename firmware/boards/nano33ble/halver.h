/* Every second sample after a half-band low-pass, for models of 30 Hz or less: the last step of
 * pipeline/data/resampling.py, to the bit. */
#ifndef HAR_HALVER_H
#define HAR_HALVER_H

#include <stdbool.h>

#include "resampler.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HAR_HALVED_UP_TO_HZ 30.0f
#define HAR_HALVER_TAPS 5u                             /* to either side, every second one */
#define HAR_HALVER_REACH (2u * HAR_HALVER_TAPS - 1u)   /* samples to either side */
#define HAR_HALVER_LENGTH (2u * HAR_HALVER_REACH + 1u) /* samples that an output is made of */

/* All zero is a fresh one. */
struct har_halver {
    float kept[HAR_HALVER_LENGTH][HAR_RESAMPLER_CHANNELS]; /* the newest samples, in a ring */
    unsigned char next;                                    /* place of the next one */
    unsigned char held;
    bool skip; /* the next one makes no output */
};

/* Forgets all samples: no output ever lies across a gap. */
void har_halver_restart(struct har_halver *halver);

/* Takes a sample. True where it makes an output, which stands in its place then, and is that of the
 * moment HAR_HALVER_REACH samples before. */
bool har_halver_take(struct har_halver *halver, float *sample);

#ifdef __cplusplus
}
#endif
#endif
