/* The engine whose C was emitted from the .tflite (har_net.h). It has no step that can fail. */
#include "har_model.h"
#include "har_net.h"
#include "lib/engine/har_engine.h"

#if !defined HAR_NET_ID || !defined HAR_MODEL_ID || HAR_NET_ID != HAR_MODEL_ID
#error "har_net.h and har_model.h are of two models: run `har emit` again"
#endif

har_status har_engine_init(void) {
    return HAR_OK;
}

int8_t *har_engine_input(void) {
    return har_net_input();
}

har_status har_engine_run(void) {
    har_net_run();
    return HAR_OK;
}

void har_engine_restart(void) {
#ifdef HAR_NET_HOPS
    har_net_restart();
#endif
}

const int8_t *har_engine_output(uint32_t index) {
    return har_net_output(index);
}

const char *har_engine_error(void) {
    return "";
}

uint8_t har_engine_kind(void) {
    return 0;
}
