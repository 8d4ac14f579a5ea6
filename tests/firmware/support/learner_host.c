/* The learner's script from stdin, its trace to stdout. */
#include <stdio.h>

#include "learner_script.h"

#define WORDS (1u << 20)

static uint32_t script[WORDS];
static uint32_t trace[WORDS];

int main(void) {
    if (fread(script, sizeof script[0], WORDS, stdin) == 0) return 2;
    const uint32_t words = learner_script_run(script, trace, WORDS);
    return fwrite(trace, sizeof trace[0], words, stdout) == words ? 0 : 1;
}
