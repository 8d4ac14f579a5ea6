/* Bytes four at a time, at any address. */
#ifndef HAR_BYTES_H
#define HAR_BYTES_H

#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline uint32_t har_load_word(const void *from) {
    uint32_t word;
    memcpy(&word, from, sizeof(word));
    return word;
}

static inline void har_store_word(void *to, uint32_t word) {
    memcpy(to, &word, sizeof(word));
}

/* sum + the four bytes of a word */
static inline uint32_t har_add_bytes(uint32_t sum, uint32_t word) {
#if defined(__ARM_FEATURE_DSP)
    __asm__("usada8 %0, %1, %2, %0" : "+r"(sum) : "r"(word), "r"(0));
    return sum;
#else
    return sum + (word & 0xFFu) + (word >> 8 & 0xFFu) + (word >> 16 & 0xFFu) + (word >> 24);
#endif
}

#ifdef __cplusplus
}
#endif
#endif
