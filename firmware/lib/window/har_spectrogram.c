#include "lib/window/har_spectrogram.h"

#include "lib/base/har_assert.h"
#include "lib/window/har_quantize.h"
#include "lib/window/har_spectrogram_tables.h"

#define BINS 16u /* bin 0 among them */
#define HALF 16u /* samples of a frame that are not another's mirror image */
#define BANDS 5u

/* Of one plane: the first bin of each band; the next band's first is after its last. */
static const uint8_t bands[BANDS + 1u] = {0, 1, 3, 5, 9, 16};

/* One channel of a frame: answers the sum of its samples and sets power[1..15]. */
static int32_t transform(const int8_t *frame, uint32_t power[BINS]) {
    int16_t even[HALF], odd[HALF]; /* samples n and 32 - n, added and subtracted */
    int32_t sum = frame[0];
    for (uint32_t n = 1; n < HALF; ++n) {
        const int16_t left = frame[n * HAR_SPECTROGRAM_CHANNELS];
        const int16_t right = frame[(HAR_SPECTROGRAM_FRAME - n) * HAR_SPECTROGRAM_CHANNELS];
        even[n - 1] = (int16_t)(left + right);
        odd[n - 1] = (int16_t)(left - right);
        sum += left + right;
    }
    even[HALF - 1] = frame[HALF * HAR_SPECTROGRAM_CHANNELS];
    odd[HALF - 1] = 0;
    sum += even[HALF - 1];
    for (uint32_t bin = 1; bin < BINS; ++bin) {
        const int16_t *cosine = har_cosine[bin - 1], *sine = har_sine[bin - 1];
        int32_t re = 512, im = 512; /* below 2^26: 32 samples of 128 under waves of 16384 */
        for (uint32_t n = 0; n < HALF; ++n) {
            re += even[n] * cosine[n];
            im += odd[n] * sine[n];
        }
        re >>= 10;
        im >>= 10;
        power[bin] = (uint32_t)(re * re) + (uint32_t)(im * im);
    }
    return sum;
}

/* 16 * log2(v), 0 < v < 2^40. */
static int16_t octaves(uint64_t v) {
    uint32_t exponent = 0, shifted = 0;
    if (v >> 32 != 0) shifted = 8;
    const uint32_t low = (uint32_t)(v >> shifted);
    for (uint32_t step = 16; step > 0; step >>= 1) {
        if (low >> (exponent + step) != 0) exponent += step;
    }
    const uint32_t bits = exponent < 4 ? low << (4 - exponent) : low >> (exponent - 4);
    return (int16_t)(16u * (exponent + shifted) + (bits & 15u));
}

static int16_t level_of(const uint32_t power[BINS], uint32_t first, uint32_t end) {
    uint64_t v = 1;
    for (uint32_t bin = first; bin < end; ++bin) v += power[bin];
    return octaves(v);
}

/* frame (32, 6) -> levels (32,) of one plane out of three. */
static void axis_levels(const int8_t *frame, uint32_t axis, int16_t *levels) {
    uint32_t power[BINS];
    for (uint32_t sensor = 0; sensor < 2; ++sensor) {
        *levels++ = (int16_t)transform(frame + 3 * sensor + axis, power);
        for (uint32_t bin = 1; bin < BINS; ++bin) *levels++ = level_of(power, bin, bin + 1);
    }
}

/* frame (32, 6) -> levels (32,) of the only plane. */
static void band_levels(const int8_t *frame, int16_t *levels) {
    uint32_t power[BINS];
    for (uint32_t channel = 0; channel < HAR_SPECTROGRAM_CHANNELS; ++channel) {
        *levels++ = (int16_t)transform(frame + channel, power);
        for (uint32_t band = 1; band < BANDS; ++band) {
            *levels++ = level_of(power, bands[band], bands[band + 1]);
        }
    }
    levels[0] = 0;
    levels[1] = 0;
}

/* levels (32,) into one column of one plane of the image. */
static void draw(const struct har_spectrogram_config *config, const int16_t *levels, uint32_t plane,
                 uint32_t column, int8_t *image) {
    const uint32_t pixels = config->pixels, planes = config->planes;
    const float *mean = config->mean + plane * HAR_SPECTROGRAM_ROWS;
    const float *gain = config->gain + plane * HAR_SPECTROGRAM_ROWS;
    int8_t *pixel = image + column * planes + plane;
    for (uint32_t i = 0; i < pixels; ++i) {
        const uint32_t row = i * HAR_SPECTROGRAM_ROWS / pixels;
        *pixel = har_quantize((float)levels[row], mean[row], gain[row], config->zero_point);
        pixel += pixels * planes;
    }
}

void har_spectrogram(const struct har_spectrogram_config *config, const int8_t *window,
                     int8_t *image) {
    HAR_ASSERT(config->length >= HAR_SPECTROGRAM_FRAME && config->pixels >= 2 &&
               (config->planes == 1 || config->planes == 3));
    const uint32_t steps = config->pixels - 1u;
    const uint32_t last = config->length - HAR_SPECTROGRAM_FRAME; /* the last frame's start */
    int16_t levels[HAR_SPECTROGRAM_ROWS];
    for (uint32_t column = 0; column < config->pixels; ++column) {
        const uint32_t start = (column * last + steps / 2) / steps;
        const int8_t *frame = window + start * HAR_SPECTROGRAM_CHANNELS;
        for (uint32_t plane = 0; plane < config->planes; ++plane) {
            if (config->planes == 3) {
                axis_levels(frame, plane, levels);
            } else {
                band_levels(frame, levels);
            }
            draw(config, levels, plane, column, image);
        }
    }
}
