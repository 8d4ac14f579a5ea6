/* Runs a compiled net on inputs that the host left in memory, and leaves the outputs and the counts
 * there. The host (pipeline/sim/parity.py) compares.
 *
 * The exchange memory, little-endian, offsets from its start:
 *   0  magic "HARP"                  host
 *   4  number of inputs N            host
 *   8  bytes of one input            host (all inputs of the net, in order)
 *  12  bytes of one input's outputs  host (all outputs of the net, in order)
 *  16  offset of counts,  u32 (N)    host (a multiple of 4); before the start, for a net that
 *      streams: not 0 where a restart comes before this input
 *  20  offset of inputs,  (N, input bytes)    host
 *  24  offset of outputs, (N, output bytes)   host
 *  28  inputs done                   board
 *  32  unit of the counts, enum har_counter        board
 *  36  stack that the net needs, bytes  board
 *  40  offset of step counts, u32 (steps); used by the build with HAR_NET_PROFILE   host
 *  44  number of steps               host
 *
 * Each input and output of the net is int8 or float32, as its model has it, with zeros up to a
 * multiple of 4 bytes.
 *
 * The build with HAR_NET_PROFILE counts each step of the net apart from the others, for the input
 * that needs most. Its counts per input do not hold: they lack the steps.
 */
#ifndef HAR_PARITY_H
#define HAR_PARITY_H

#include <stdint.h>

/* Where the exchange memory begins in the flash file: after the region of learned heads. */
#define HAR_PARITY_OFFSET 0x10000u

/* Of the board: makes har_board_stack_used() forget all uses deeper than the caller's. */
void har_parity_forget_stack(void);

/* 0 when all inputs ran; 2 when the request does not suit this net or this memory. */
int har_parity_run(uint8_t *memory, uint32_t size_bytes);

#endif
