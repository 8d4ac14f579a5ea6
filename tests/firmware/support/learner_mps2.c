/* The learner's script and trace in the file that QEMU maps as external RAM: the script from 1 MB
 * on; at 4 MB the trace's number of words, then the trace. Ends the emulator. */
#include "boards/mps2/mps2.h"
#include "learner_script.h"

#define SCRIPT_AT (1024u * 1024u)
#define TRACE_AT (4u * 1024u * 1024u)
#define WORDS (1u << 20)

int main(void) {
    volatile uint32_t *trace = (volatile uint32_t *)(HAR_MPS2_PSRAM + TRACE_AT);
    trace[0] = learner_script_run((const volatile uint32_t *)(HAR_MPS2_PSRAM + SCRIPT_AT),
                                  trace + 1, WORDS);
    har_mps2_exit(0);
}
