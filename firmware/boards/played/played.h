/* The motion sensor of the boards that have none: a recording, played in real time and again and
 * again. played.c implements that part of har_board.h; the board calls har_played_init().
 *
 * A recording, little-endian: "HSEN", count u32, two u32 that are 0, then count x 6 x float32
 * [ax ay az g, gx gy gz rad/s] at the model's rate. Between two rounds one sample is missing. */
#ifndef HAR_PLAYED_H
#define HAR_PLAYED_H

#include <stdint.h>

/* `file`: `size_bytes` that stay and do not change, 4-aligned. NULL, or what begins otherwise or is
 * longer than it has bytes, is no sensor. The first sample is due now. */
void har_played_init(const void *file, uint32_t size_bytes);

#endif
