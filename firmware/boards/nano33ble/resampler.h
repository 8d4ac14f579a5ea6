/* Samples of one rate in, samples of another out, by straight lines between neighbours. */
#ifndef HAR_RESAMPLER_H
#define HAR_RESAMPLER_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HAR_RESAMPLER_CHANNELS 6

/* All zero is a fresh one. */
struct har_resampler {
    float before[HAR_RESAMPLER_CHANNELS];
    float after[HAR_RESAMPLER_CHANNELS];
    float next;         /* place of the next output between `before` (0) and `after` (1) */
    unsigned char held; /* samples taken so far, at most 2 */
};

/* Forgets all samples: no output ever lies across a gap. */
void har_resampler_restart(struct har_resampler *resampler);

/* Takes the next sample. Call har_resampler_pop() until it says false before the next one. */
void har_resampler_push(struct har_resampler *resampler, const float *sample);

/* The next output, when there is one, and its place between the last two samples taken: 0 is the
 * older, 1 the newer. `step` is input rate / output rate, > 0. */
bool har_resampler_pop(struct har_resampler *resampler, float step, float *sample, float *place);

#ifdef __cplusplus
}
#endif
#endif
