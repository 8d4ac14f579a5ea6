/* What a streaming network does beyond its matrix kernels: it computes only the columns (steps of
 * time) that the newest samples add, and keeps of each tensor what the next hop needs.
 * pipeline/compiler/stream.py lays it out. The caller owns all memory. */
#ifndef HAR_STREAM_H
#define HAR_STREAM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* So many neighbouring bytes: whole words, and of one more word the lowest bytes. */
typedef struct {
    int32_t words, shift; /* shift: the bits of the last word that are no such bytes */
} har_bytes_run;

/* A window is the newest `hops` hops and the last columns, if any, of the hop before them. The
 * other columns of a hop are its `head`. */
typedef struct {
    int32_t channels;
    int32_t offset, plane_bytes; /* of a hop's first column, and between channels */
    int32_t hops;
    har_bytes_run all, head;
    int32_t k, scale[4]; /* as har_pool_planes_params has them */
} har_pool_stream_params;

/* Mean of each plane over the window that ends now, int8 (channels). `state` is zeroed before the
 * first hop: uint16 (2 + channels * (hops + 3)), an even number of them. */
void har_pool_stream(const har_pool_stream_params *params, const void *input, int32_t *state,
                     int8_t *output);

/* Moves the last `bytes` of each of `planes` stretches of memory, which begin at `from`, to its
 * start. Up to 3 bytes after those are undefined afterwards. */
void har_keep_last(uint8_t *memory, int32_t planes, int32_t plane_bytes, int32_t from,
                   int32_t bytes);

#ifdef __cplusplus
}
#endif
#endif
