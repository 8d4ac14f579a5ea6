/* The engine whose C was emitted from the .tflite (har_net.h). It has no step that can fail, but
 * har_net and har_model may come from different bundles. */
#include <stdbool.h>

#include "har_model.h"
#include "har_net.h"
#include "lib/engine/har_engine.h"

_Static_assert(HAR_NET_INPUT_BYTES == HAR_ENGINE_INPUT_BYTES && HAR_NET_OUTPUTS == HAR_OUTPUTS,
               "har_net and har_model come from different bundles: run `har emit` again");

static bool outputs_agree(void) {
    for (uint32_t i = 0; i < HAR_OUTPUTS; ++i) {
        if (har_net_output_bytes[i] != har_output_sizes[i]) return false;
    }
    return true;
}

har_status har_engine_init(void) {
    return outputs_agree() ? HAR_OK : HAR_ERR_ENGINE;
}

int8_t *har_engine_input(void) {
    return har_net_input();
}

har_status har_engine_run(void) {
    har_net_run();
    return HAR_OK;
}

const int8_t *har_engine_output(uint32_t index) {
    return har_net_output(index);
}

const char *har_engine_error(void) {
    if (outputs_agree()) return "";
    return "har_net and har_model come from different bundles: run har emit again";
}

uint8_t har_engine_kind(void) {
    return 0;
}
