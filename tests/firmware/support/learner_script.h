/* Runs a script of the learner and writes down all that it computes; the same code on a host and
 * on a Cortex-M4F. Both are arrays of 32-bit little-endian words (learner.py):
 *   script: n, n floats for har_exp32; F, K, rate, anchor, steps, weights (K, F), bias (K,);
 *           updates, then per update: label, x (F,)
 *   trace:  n floats; then per update: probabilities (K,) before it or zeros when it was refused
 *           (the bits of a NaN are nobody's promise), status, tail CRC, weights (K, F), bias (K,)
 */
#ifndef LEARNER_SCRIPT_H
#define LEARNER_SCRIPT_H

#include <stdint.h>

/* Returns the number of words written to `trace`, at most `capacity`; 0 for a script too large. */
uint32_t learner_script_run(const volatile uint32_t *script, volatile uint32_t *trace,
                            uint32_t capacity);

#endif
