/* A window as a picture, for an engine that runs an image network.
 *
 * Frames of 32 samples, evenly from the window's first sample to its last, are the S columns; bin b
 * of a frame is the frequency b * rate / 32, under a periodic Hann window. Bin 0's level is the
 * plain sum of the 32 samples (gravity keeps its sign), any other's the power in 1/16 octaves:
 *     re, im = (sum(sample * wave) + 512) >> 10, waves in 1/16384
 *     level = 16 * e + the four bits after the first of v, v = 1 + sum of re^2 + im^2, e its first
 * A plane has 32 base rows. Three planes, for the axes x, y, z: the accelerometer's bins 0 to 15,
 * then the gyroscope's. One plane: for each of the six channels the bins 0, 1-2, 3-4, 5-8, 9-15,
 * then two rows of level 0. Pixel row i shows base row i * 32 / S, quantized as
 *     clamp(round_half_away((level - mean[row]) * gain[row]) + zero_point, -128, 127)
 * Whole numbers up to the level, so that every machine gives the same picture.
 *
 * The caller owns all memory; some 250 bytes of stack. On a Cortex-M4F a picture of 32 x 32 takes
 * 0.79 million instructions in three planes and 0.57 million in one, in proportion to S.
 */
#ifndef HAR_SPECTROGRAM_H
#define HAR_SPECTROGRAM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HAR_SPECTROGRAM_CHANNELS 6u
#define HAR_SPECTROGRAM_FRAME 32u /* samples */
#define HAR_SPECTROGRAM_ROWS 32u  /* base rows of a plane */

struct har_spectrogram_config {
    uint16_t length;    /* T, samples of a window, at least 32 */
    uint16_t pixels;    /* S, at least 2 */
    uint8_t planes;     /* P, 1 or 3 */
    int32_t zero_point; /* of the engine's input */
    const float *mean;  /* (P, 32) of the levels */
    const float *gain;  /* (P, 32) quantization steps per level */
};

/* window (T, 6), oldest first, on a scale of any kind with zero point 0 -> image (S, S, P). */
void har_spectrogram(const struct har_spectrogram_config *config, const int8_t *window,
                     int8_t *image);

#ifdef __cplusplus
}
#endif
#endif
