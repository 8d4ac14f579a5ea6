/* Runs a script of the learner and writes down all that it computes; the same code on a host and
 * on a Cortex-M4F. Both are arrays of 32-bit little-endian words (learner.py); int8 arrays are
 * padded to whole words.
 *   script: n, n floats for har_exp32; F, R, frozen, T, C, M, J, stride, K; map scale, map zero
 *           point; scales (F,), offsets (F,), shipped parameters (P,); capacity N, exemplars E,
 *           their windows int8 (E, B), their activities uint8 (E,); rate, rate of the convolutions,
 *           keep, steps, replay_every, hold_every, evidence; the number of lines, then the lines:
 *             LABEL activity rate, window int8 (B,)
 *             UNDO
 *             ADD
 *             TAKE parameters (P,): from outside, into use unless har_head_check() refuses them
 *             RESET
 *   trace:  n floats; then per line: status, outcome (0 unless a label was taken), head CRC, A,
 *           updates, exemplars, random, the guard's four, serves, can undo, held, held right,
 *           CRC of the stored windows; labels given (R,), windows seen (R,), labels of the entries
 *           (N,), their trust (N,); of the last labelled window: CRC of x (F,), probabilities (R,)
 *           of the active head, of the learned and of the shipped ones, 0 beyond A
 */
#ifndef LEARNER_SCRIPT_H
#define LEARNER_SCRIPT_H

#include <stdint.h>

enum learner_line { LINE_LABEL, LINE_UNDO, LINE_ADD, LINE_TAKE, LINE_RESET };

/* Returns the number of words written to `trace`, at most `capacity`; 0 for a script too large and
 * when something was written outside its array. */
uint32_t learner_script_run(const volatile uint32_t *script, volatile uint32_t *trace,
                            uint32_t capacity);

#endif
