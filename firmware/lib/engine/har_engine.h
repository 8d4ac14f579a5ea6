/* The engine: runs the frozen int8 extractor. Pure interface; which engine implements it is
 * chosen at link time: engine_compiled.c (C emitted by `har emit`) or engine_tflm.cpp
 * (TFLite-Micro's MicroInterpreter). Both give the same int8 bytes.
 *
 * All memory is static and belongs to the engine. The pointers stay valid for ever. Sizes and
 * quantization are compile-time constants of the generated har_model.h.
 */
#ifndef HAR_ENGINE_H
#define HAR_ENGINE_H

#include <stdint.h>

#include "lib/base/har_status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Call once before anything else. HAR_ERR_ENGINE when the engine cannot start; then
 * har_engine_error() says which step failed and what to do. */
har_status har_engine_init(void);

/* What to fill before a run: int8[HAR_ENGINE_INPUT_BYTES], the quantized window (T, C) or a picture
 * of it (S, S, planes), see har_spectrogram.h; of an engine that streams, the window's newest
 * samples (HAR_ENGINE_SAMPLES, C). A run may overwrite it. */
int8_t *har_engine_input(void);

/* One inference. Where the engine streams, its answer is for the window that ends with these
 * samples, once HAR_ENGINE_RUNS runs have followed each other without a gap since a restart. */
har_status har_engine_run(void);

/* Before samples that do not follow from the last run's. */
void har_engine_restart(void);

/* After a run: int8[har_output_sizes[index]], activations at the cut on a scale of their own. NULL
 * unless index < HAR_OUTPUTS. Overwritten by the next run. */
const int8_t *har_engine_output(uint32_t index);

/* One line for the user; "" when nothing failed. */
const char *har_engine_error(void);

/* Name as in the protocol: 0 compiled, 1 tflm. */
uint8_t har_engine_kind(void);

#ifdef __cplusplus
}
#endif
#endif
