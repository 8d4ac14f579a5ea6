#include "lib/nn/har_bytes.h"
#include "lib/nn/har_matrix.h"
#include "lib/nn/har_requant.h"

void har_pool_planes(const har_pool_planes_params *params, const void *input, int8_t *output) {
    const har_pool_planes_params p = *params;
    /* Of a row; of its last word, if not all bytes are the row's, the bits of the others. */
    const int32_t blocks = p.width / 16, words = p.width % 16 / 4;
    const int32_t dropped = p.width % 4 != 0 ? 32 - 8 * (p.width % 4) : 0;
    const uint8_t *plane = (const uint8_t *)input + p.offset;

    for (const int8_t *end = output + p.channels; output != end; plane += p.plane_bytes) {
        uint32_t sum = 0;
        int32_t y = 0;
        do {
            const uint8_t *at = plane + y * p.row_bytes;
            for (int32_t n = blocks; n != 0; --n, at += 16) {
                sum = har_add_bytes(sum, har_load_word(at));
                sum = har_add_bytes(sum, har_load_word(at + 4));
                sum = har_add_bytes(sum, har_load_word(at + 8));
                sum = har_add_bytes(sum, har_load_word(at + 12));
            }
            for (int32_t n = words; n != 0; --n, at += 4)
                sum = har_add_bytes(sum, har_load_word(at));
            if (dropped != 0) sum = har_add_bytes(sum, har_load_word(at) << dropped);
        } while (++y != p.height);
        *output++ = p.k != 0 ? (int8_t)(har_scale_u8(sum, p.scale[0], p.scale[1], p.k) - 128)
                             : har_linear_s8(sum, p.scale);
    }
}
