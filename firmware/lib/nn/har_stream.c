#include "lib/nn/har_stream.h"

#include "lib/nn/har_bytes.h"
#include "lib/nn/har_requant.h"

static inline uint32_t sum_of(const har_bytes_run *run, const uint8_t *bytes) {
    uint32_t sum = 0;
    for (int32_t n = run->words; n != 0; --n, bytes += 4) {
        sum = har_add_bytes(sum, har_load_word(bytes));
    }
    return har_add_bytes(sum, har_load_word(bytes) << run->shift);
}

/* What leaves the window together is kept as one sum: the tail of a hop with the head of the next.
 */
void har_pool_stream(const har_pool_stream_params *params, const void *input, int32_t *state,
                     int8_t *output) {
    const har_pool_stream_params p = *params;
    const uint8_t *columns = (const uint8_t *)input + p.offset;
    uint16_t *const slot = (uint16_t *)(void *)state;
    uint16_t *window = slot + 2;           /* (channels), the sum that the last hop had */
    uint16_t *tail = window + p.channels;  /* (channels), of the last hop */
    uint16_t *leaving = tail + p.channels; /* (hops + 1, channels), a ring */
    uint16_t *newest = leaving + *slot * p.channels;
    const uint16_t next = *slot == p.hops ? 0 : (uint16_t)(*slot + 1);
    const uint16_t *oldest = leaving + next * p.channels;
    const int8_t *const end = output + p.channels;

    for (; output != end; columns += p.plane_bytes) {
        const uint32_t head = sum_of(&p.head, columns);
        const uint32_t all = sum_of(&p.all, columns);
        *newest++ = (uint16_t)(*tail + head);
        *tail++ = (uint16_t)(all - head);
        const uint32_t sum = (*window + all - *oldest++) & 0xFFFFu;
        *window++ = (uint16_t)sum;
        *output++ = p.k != 0 ? (int8_t)(har_scale_u8(sum, p.scale[0], p.scale[1], p.k) - 128)
                             : har_linear_s8(sum, p.scale);
    }
    *slot = next;
}

void har_keep_last(uint8_t *memory, int32_t planes, int32_t plane_bytes, int32_t from,
                   int32_t bytes) {
    for (; planes > 0; --planes, memory += plane_bytes) {
        har_store_word(memory, har_load_word(memory + from));
        for (int32_t i = 4; i < bytes; i += 4) {
            har_store_word(memory + i, har_load_word(memory + from + i));
        }
    }
}
