/* Counts what learning costs with a head of any shape, on the emulated board. The host
 * (pipeline/sim/bench.py) leaves a request in memory and reads the counts there.
 *
 * The exchange memory, little-endian, words of 4 bytes from its start:
 *    0  magic "HARL"                                                        host
 *    1  features F, rows R, frozen, map_length, channels, filters, kernel,
 *       stride: struct har_head_shape, a word each                          host
 *    9  activities A, all of them shipped                                   host
 *   10  capacity N and exemplars E of the replay                            host
 *   12  labels L to give, at least 1                                        host
 *   13  steps, replay_every, hold_every, evidence                           host
 *   17  rate, rate_convolution, keep, map_scale (float32), map_zero_point   host
 *   22  instructions of one prediction by the head                          board
 *   23  instructions of one gradient step                                   board
 *   24  instructions of a label, the most of those not held back            board
 *   25  labels not held back                                                board
 *   26  windows held back in the store before the first label               board
 *   27  CRC-32 of the parameters after the last label                       board
 *   28  parameters (P,), scale (F,), offset (F,), float32                   host
 *       then windows int8: N of the store, L to label, E exemplars, (B,) each
 *
 * Window number i of the store is of activity i % A, held back every hold_every-th; likewise label
 * i and exemplar i. The step counted learns the first label, which then is taken back. Ends with 0;
 * with 2 when the request is none or does not fit, with 3 when a label is refused.
 */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "boards/mps2/mps2.h"
#include "hal/har_board.h"
#include "lib/head/har_learner.h"

#define EXCHANGE_OFFSET 0x10000u /* as of the exchange memory of parity.h */
#define TRUSTED 255u

struct request {
    uint8_t magic[4];
    uint32_t shape[8];
    uint32_t activities;
    uint32_t capacity;
    uint32_t exemplars;
    uint32_t labels;
    uint32_t steps;
    uint32_t replay_every;
    uint32_t hold_every;
    uint32_t evidence;
    float rate;
    float rate_convolution;
    float keep;
    float map_scale;
    int32_t map_zero_point;
    uint32_t predict_count;
    uint32_t step_count;
    uint32_t update_count;
    uint32_t learned;
    uint32_t held;
    uint32_t crc;
};

/* What is left of the exchange memory. */
struct memory {
    uint8_t *at;
    uint32_t left;
};

/* A multiple of 4 bytes; NULL when there are not so many. */
static void *take(struct memory *memory, uint32_t count, uint32_t item_bytes) {
    const uint64_t bytes = ((uint64_t)count * item_bytes + 3u) & ~(uint64_t)3u;
    if (memory->at == NULL || bytes > memory->left) {
        memory->at = NULL;
        return NULL;
    }
    void *taken = memory->at;
    memory->at += bytes;
    memory->left -= (uint32_t)bytes;
    return taken;
}

struct bench {
    struct har_head_model model;
    struct har_head head;
    struct har_replay replay;
    struct har_learner_state state;
    struct har_learner learner;
    const int8_t *stored; /* (N, B) */
    const int8_t *given;  /* (L, B) */
    float *probabilities; /* (R,) */
};

/* False when the request does not fit the memory. */
static bool build(struct bench *bench, const struct request *request, struct memory *memory) {
    const uint32_t *s = request->shape;
    struct har_head_model *model = &bench->model;
    model->shape =
        (struct har_head_shape){(uint16_t)s[0], (uint16_t)s[1], (uint16_t)s[2], (uint16_t)s[3],
                                (uint16_t)s[4], (uint16_t)s[5], (uint16_t)s[6], (uint16_t)s[7]};
    const uint32_t parameters = har_head_parameters(&model->shape);
    const uint32_t window = har_head_window_bytes(&model->shape);
    const uint32_t positions = HAR_HEAD_POSITIONS(s[3], s[6], s[7]);
    model->activities = (uint16_t)request->activities;
    model->capacity = (uint16_t)request->capacity;
    model->exemplars = (uint16_t)request->exemplars;
    model->map_scale = request->map_scale;
    model->map_zero_point = request->map_zero_point;
    model->learning = (struct har_learning){
        .step = {request->rate, request->rate_convolution},
        .keep = request->keep,
        .steps = (uint16_t)request->steps,
        .replay_every = (uint16_t)request->replay_every,
        .hold_every = (uint16_t)request->hold_every,
        .evidence = (uint16_t)request->evidence,
    };
    model->parameters = take(memory, parameters, 4);
    model->scale = take(memory, s[0], 4);
    model->offset = take(memory, s[0], 4);
    bench->stored = take(memory, request->capacity, window);
    bench->given = take(memory, request->labels, window);
    model->exemplar_windows = take(memory, request->exemplars, window);
    /* What follows is the learner's own. */
    uint8_t *shipped_of = take(memory, request->exemplars, 1);
    model->exemplar_activities = shipped_of;
    bench->probabilities = take(memory, s[1], 4);
    const struct har_learner_memory arrays = {
        .parameters = take(memory, parameters, 4),
        .scratch = take(memory, HAR_HEAD_SCRATCH(s[1], s[0], s[3], s[4], s[5], positions, s[6]), 4),
        .windows = take(memory, request->capacity, window),
        .window_labels = take(memory, request->capacity, 1),
        .trust = take(memory, request->capacity, 1),
        .seen = take(memory, s[1], 4),
        .state = &bench->state,
        .labels = take(memory, s[1], 4),
        .previous = take(memory, parameters, 4),
        .previous_window = take(memory, window, 1),
    };
    har_learner_from_model(&bench->learner, &bench->head, &bench->replay, model, &arrays);
    if (memory->at == NULL) return false;
    for (uint32_t i = 0; i < request->exemplars; ++i) {
        shipped_of[i] = (uint8_t)(i % request->activities);
    }
    return true;
}

/* A store as it is once a person has labelled a while: full, a share of it held back. */
static uint32_t fill(struct bench *bench) {
    const uint32_t hold_every = bench->model.learning.hold_every;
    uint32_t held_back = 0;
    for (uint16_t i = 0; i < bench->replay.capacity; ++i) {
        const uint8_t activity = (uint8_t)(i % bench->head.activities);
        const bool held = hold_every && i % hold_every == hold_every - 1u;
        har_replay_put(&bench->replay, i, bench->stored + i * bench->replay.window_bytes, activity,
                       TRUSTED, held);
        bench->replay.seen[activity] += !held;
        held_back += held;
    }
    return held_back;
}

static void count_head(struct bench *bench, struct request *request) {
    har_board_count_begin();
    har_head_predict(&bench->head, bench->given, false, bench->probabilities);
    request->predict_count = har_board_count_end();

    har_board_count_begin();
    har_head_step(&bench->head, &bench->model.learning.step, bench->given, 0, 1.0f);
    request->step_count = har_board_count_end();
    har_head_reset(&bench->head);
}

static int run(uint8_t *memory, uint32_t size_bytes) {
    static struct bench bench;
    struct request request;
    struct memory rest = {memory, size_bytes};
    void *header = take(&rest, 1, sizeof request);
    if (header == NULL) return 2;
    memcpy(&request, header, sizeof request);
    if (memcmp(request.magic, "HARL", 4) != 0 || request.activities == 0 || request.labels == 0 ||
        request.activities > request.shape[1] || !build(&bench, &request, &rest))
        return 2;
    har_learner_reset(&bench.learner);
    request.held = fill(&bench);
    count_head(&bench, &request);
    request.update_count = 0;
    request.learned = 0;
    for (uint32_t i = 0; i < request.labels; ++i) {
        const int8_t *window = bench.given + i * bench.replay.window_bytes;
        enum har_outcome outcome;
        har_board_count_begin();
        const har_status status =
            har_learner_label(&bench.learner, window, (uint8_t)(i % request.activities),
                              bench.probabilities, &outcome);
        const uint32_t counted = har_board_count_end();
        if (status != HAR_OK) return 3;
        if (outcome == HAR_HELD_BACK) continue;
        request.learned += 1;
        if (counted > request.update_count) request.update_count = counted;
    }
    request.crc = har_head_crc(&bench.head);
    memcpy(memory, &request, sizeof request);
    return 0;
}

int main(void) {
    har_board_init();
    /* Not volatile: the emulator's file changes only before the start and is read after the end. */
    har_mps2_exit(run((uint8_t *)HAR_MPS2_PSRAM + EXCHANGE_OFFSET,
                      HAR_MPS2_EXCHANGE_BYTES - EXCHANGE_OFFSET));
}
