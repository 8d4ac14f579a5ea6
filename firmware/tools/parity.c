#include "parity.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "hal/har_board.h"
#include "har_net.h"

struct request {
    uint8_t magic[4];
    uint32_t inputs;
    uint32_t input_bytes;
    uint32_t output_bytes;
    uint32_t counts_offset;
    uint32_t inputs_offset;
    uint32_t outputs_offset;
    uint32_t done;
    uint32_t counter;
    uint32_t stack_bytes;
    uint32_t step_counts_offset;
    uint32_t steps;
};

#ifdef HAR_NET_PROFILE
static uint32_t *step_counts;

void har_net_stepped(uint32_t step);
void har_net_stepped(uint32_t step) {
    const uint32_t counted = har_board_count_end();
    if (counted > step_counts[step]) step_counts[step] = counted;
    har_board_count_begin();
}
#endif

static uint32_t net_output_bytes(void) {
    uint32_t total = 0;
    for (uint32_t i = 0; i < HAR_NET_OUTPUTS; ++i) total += har_net_output_bytes[i];
    return total;
}

static bool holds(uint32_t size_bytes, uint32_t offset, uint32_t items, uint32_t item_bytes) {
    return offset <= size_bytes && (uint64_t)items * item_bytes <= size_bytes - offset;
}

int har_parity_run(uint8_t *memory, uint32_t size_bytes) {
    struct request request;
    if (size_bytes < sizeof(request)) return 2;
    memcpy(&request, memory, sizeof(request));
    if (memcmp(request.magic, "HARP", 4) != 0) return 2;
    if (request.input_bytes != HAR_NET_INPUT_BYTES) return 2;
    if (request.output_bytes != net_output_bytes()) return 2;
    if (!holds(size_bytes, request.counts_offset, request.inputs, 4u) ||
        !holds(size_bytes, request.inputs_offset, request.inputs, request.input_bytes) ||
        !holds(size_bytes, request.outputs_offset, request.inputs, request.output_bytes) ||
        !holds(size_bytes, request.step_counts_offset, request.steps, 4u))
        return 2;

    const uint8_t *input = memory + request.inputs_offset;
    uint8_t *output = memory + request.outputs_offset;
    uint8_t *count = memory + request.counts_offset;
#ifdef HAR_NET_PROFILE
    step_counts = (uint32_t *)(void *)(memory + request.step_counts_offset);
#endif
    har_parity_forget_stack();
    const uint32_t stack_before = har_board_stack_used();
    for (uint32_t n = 0; n < request.inputs; ++n) {
#ifdef HAR_NET_HOPS
        uint32_t restart;
        memcpy(&restart, count, sizeof(restart));
        if (restart != 0u) har_net_restart();
#endif
        memcpy(har_net_input(), input, request.input_bytes);
        input += request.input_bytes;

        har_board_count_begin();
        har_net_run();
        const uint32_t counted = har_board_count_end();

        memcpy(count, &counted, sizeof(counted));
        count += sizeof(counted);
        for (uint32_t i = 0; i < HAR_NET_OUTPUTS; ++i) {
            memcpy(output, har_net_output(i), har_net_output_bytes[i]);
            output += har_net_output_bytes[i];
        }
        request.done = n + 1u;
        memcpy(memory + offsetof(struct request, done), &request.done, sizeof(request.done));
    }
    request.counter = har_board_counter();
    request.stack_bytes = har_board_stack_used() - stack_before;
    memcpy(memory, &request, sizeof(request));
    return 0;
}
