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

/* A net of one input takes no index. */
#ifndef HAR_NET_INPUTS
#define HAR_NET_INPUTS 1u
#define INPUT(i) har_net_input()
#define INPUT_BYTES(i) ((uint32_t)HAR_NET_INPUT_BYTES)
#define QUANTIZE_INPUT(i, values) har_net_quantize_input(values)
#else
#define INPUT(i) har_net_input(i)
#define INPUT_BYTES(i) har_net_input_bytes[i]
#define QUANTIZE_INPUT(i, values) har_net_quantize_input(i, values)
#endif

/* A net that is int8 in and out has nothing that converts. */
#ifndef HAR_NET_FLOAT_INPUTS
#define HAR_NET_FLOAT_INPUTS 0u
#undef QUANTIZE_INPUT
#define QUANTIZE_INPUT(i, values) ((void)0)
#endif
#ifndef HAR_NET_FLOAT_OUTPUTS
#define HAR_NET_FLOAT_OUTPUTS 0u
#define DEQUANTIZE_OUTPUT(i, values) ((void)0)
#else
#define DEQUANTIZE_OUTPUT(i, values) har_net_dequantize_output(i, values)
#endif

static bool is_float(uint64_t floats, uint32_t i) {
    return (floats >> i & 1u) != 0u;
}

static uint32_t row_bytes(uint32_t values, bool floats) {
    return floats ? 4u * values : (values + 3u) & ~3u;
}

static uint32_t input_row_bytes(uint32_t i) {
    return row_bytes(INPUT_BYTES(i), is_float(HAR_NET_FLOAT_INPUTS, i));
}

static uint32_t output_row_bytes(uint32_t i) {
    return row_bytes(har_net_output_bytes[i], is_float(HAR_NET_FLOAT_OUTPUTS, i));
}

#ifdef HAR_NET_PROFILE
static uint32_t *step_counts;

void har_net_stepped(uint32_t step);
void har_net_stepped(uint32_t step) {
    const uint32_t counted = har_board_count_end();
    if (counted > step_counts[step]) step_counts[step] = counted;
    har_board_count_begin();
}
#else
#define har_net_stepped(step) ((void)(step))
#endif

static void put_int8_inputs(const uint8_t *row) {
    for (uint32_t i = 0; i < HAR_NET_INPUTS; ++i) {
        if (!is_float(HAR_NET_FLOAT_INPUTS, i)) memcpy(INPUT(i), row, INPUT_BYTES(i));
        row += input_row_bytes(i);
    }
}

static void get_int8_outputs(uint8_t *row) {
    for (uint32_t i = 0; i < HAR_NET_OUTPUTS; ++i) {
        if (!is_float(HAR_NET_FLOAT_OUTPUTS, i))
            memcpy(row, har_net_output(i), har_net_output_bytes[i]);
        row += output_row_bytes(i);
    }
}

/* These are the first steps of a net, and the last. */
static void put_float_inputs(const uint8_t *row) {
    uint32_t step = 0;
    for (uint32_t i = 0; HAR_NET_FLOAT_INPUTS != 0u && i < HAR_NET_INPUTS; ++i) {
        if (is_float(HAR_NET_FLOAT_INPUTS, i)) {
            QUANTIZE_INPUT(i, (const float *)(const void *)row);
            har_net_stepped(step++);
        }
        row += input_row_bytes(i);
    }
}

static void get_float_outputs(uint8_t *row, uint32_t steps) {
    for (uint32_t i = 0; i < HAR_NET_OUTPUTS; ++i) {
        if (is_float(HAR_NET_FLOAT_OUTPUTS, i)) --steps;
    }
    for (uint32_t i = 0; HAR_NET_FLOAT_OUTPUTS != 0u && i < HAR_NET_OUTPUTS; ++i) {
        if (is_float(HAR_NET_FLOAT_OUTPUTS, i)) {
            DEQUANTIZE_OUTPUT(i, (float *)(void *)row);
            har_net_stepped(steps++);
        }
        row += output_row_bytes(i);
    }
}

static bool holds(uint32_t size_bytes, uint32_t offset, uint32_t items, uint32_t item_bytes) {
    return offset <= size_bytes && (uint64_t)items * item_bytes <= size_bytes - offset;
}

int har_parity_run(uint8_t *memory, uint32_t size_bytes) {
    struct request request;
    if (size_bytes < sizeof(request)) return 2;
    memcpy(&request, memory, sizeof(request));
    if (memcmp(request.magic, "HARP", 4) != 0) return 2;
    uint32_t input_bytes = 0, output_bytes = 0;
    for (uint32_t i = 0; i < HAR_NET_INPUTS; ++i) input_bytes += input_row_bytes(i);
    for (uint32_t i = 0; i < HAR_NET_OUTPUTS; ++i) output_bytes += output_row_bytes(i);
    if (request.input_bytes != input_bytes || request.output_bytes != output_bytes) return 2;
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
        put_int8_inputs(input);

        har_board_count_begin();
        put_float_inputs(input);
        har_net_run();
        get_float_outputs(output, request.steps);
        const uint32_t counted = har_board_count_end();

        memcpy(count, &counted, sizeof(counted));
        count += sizeof(counted);
        get_int8_outputs(output);
        input += request.input_bytes;
        output += request.output_bytes;
        request.done = n + 1u;
        memcpy(memory + offsetof(struct request, done), &request.done, sizeof(request.done));
    }
    request.counter = har_board_counter();
    request.stack_bytes = har_board_stack_used() - stack_before;
    memcpy(memory, &request, sizeof(request));
    return 0;
}
