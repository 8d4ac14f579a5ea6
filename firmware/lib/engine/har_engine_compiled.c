/* The engine whose C was emitted from the .tflite (har_net.h). It has no step that can fail. */
#include "har_engine.h"
#include "har_model.h"
#include "har_net.h"

_Static_assert(HAR_NET_INPUT_BYTES == HAR_WINDOW_LENGTH * HAR_CHANNELS,
               "har_net and har_model come from different bundles: run `har emit` again");

har_status har_engine_init(void) {
    return har_net_output_bytes[0] == HAR_FEATURES ? HAR_OK : HAR_ERR_ENGINE;
}

int8_t *har_engine_input(void) {
    return har_net_input();
}

har_status har_engine_run(void) {
    har_net_run();
    return HAR_OK;
}

const int8_t *har_engine_output(void) {
    return har_net_output(0);
}

const char *har_engine_error(void) {
    if (har_net_output_bytes[0] == HAR_FEATURES) return "";
    return "har_net and har_model come from different bundles: run har emit again";
}

uint8_t har_engine_kind(void) {
    return 0;
}
