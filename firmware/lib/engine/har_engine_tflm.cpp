// The engine on TFLite-Micro's MicroInterpreter. The model, its arena and its operators come from
// the bundle (har_model.h); nothing is taken on trust: what does not match is named and refused.
#include <stddef.h>

#include "har_extractor_tflite.h"
#include "har_model.h"
#include "lib/engine/har_engine.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

#if !defined HAR_EXTRACTOR_TFLITE_ID || !defined HAR_MODEL_ID || \
    HAR_EXTRACTOR_TFLITE_ID != HAR_MODEL_ID
#error "har_extractor_tflite.h and har_model.h are of two models: run `har emit` again"
#endif

#define HAR_TEXT_OF(x) #x
#define HAR_TEXT(x) HAR_TEXT_OF(x)

namespace {

using Resolver = tflite::MicroMutableOpResolver<HAR_TFLM_OPERATOR_COUNT>;

alignas(16) uint8_t arena[HAR_TFLM_ARENA_BYTES];

const char not_started[] = "the tflm engine was not started";
const char *error = not_started;
tflite::MicroInterpreter *interpreter = nullptr;
int8_t *input = nullptr;
const int8_t *outputs[HAR_OUTPUTS];

har_status fail(const char *text) {
    error = text;
    interpreter = nullptr;
    return HAR_ERR_ENGINE;
}

// Adds what the model names; answers the name that could not be added, or null.
const char *add_operators(Resolver *resolver) {
#define HAR_ADD(name) \
    if (resolver->Add##name() != kTfLiteOk) return "cannot register the operator " #name;
    HAR_TFLM_OPERATORS(HAR_ADD)
#undef HAR_ADD
    return nullptr;
}

bool is_dense(const tflite::Model *model, const tflite::Operator *op) {
    const tflite::OperatorCode *code = model->operator_codes()->Get(op->opcode_index());
    return code->builtin_code() == tflite::BuiltinOperator_FULLY_CONNECTED ||
           code->deprecated_builtin_code() == tflite::BuiltinOperator_FULLY_CONNECTED;
}

// TFLite-Micro's dense kernel reads the first scale only and computes wrong numbers silently.
bool has_per_channel_dense(const tflite::Model *model) {
    const tflite::SubGraph *graph = model->subgraphs()->Get(0);
    for (const tflite::Operator *op : *graph->operators()) {
        if (!is_dense(model, op) || op->inputs()->size() < 2) continue;
        const int32_t weights = op->inputs()->Get(1);
        if (weights < 0) continue;
        const tflite::QuantizationParameters *quantization =
            graph->tensors()->Get(static_cast<uint32_t>(weights))->quantization();
        if (quantization != nullptr && quantization->scale() != nullptr &&
            quantization->scale()->size() > 1) {
            return true;
        }
    }
    return false;
}

bool is_int8(const TfLiteTensor *tensor, size_t bytes) {
    return tensor != nullptr && tensor->type == kTfLiteInt8 && tensor->bytes == bytes &&
           tensor->data.int8 != nullptr;
}

bool quantized_as(const TfLiteTensor *tensor, float scale, int32_t zero_point) {
    return tensor->params.scale == scale && tensor->params.zero_point == zero_point;
}

}  // namespace

har_status har_engine_init(void) {
    if (interpreter != nullptr) return HAR_OK;
    const tflite::Model *model = tflite::GetModel(har_extractor_tflite);
    if (model->version() != TFLITE_SCHEMA_VERSION) {
        return fail("the model has another schema version than this TFLite-Micro: emit again");
    }
    if (model->subgraphs() == nullptr || model->subgraphs()->size() != 1) {
        return fail("the model has not exactly one graph: emit again");
    }
    if (has_per_channel_dense(model)) {
        return fail("a dense layer has one scale per channel: quantize it with one per tensor");
    }
    static Resolver resolver;
    static bool registered = false;
    if (!registered) {
        const char *refused = add_operators(&resolver);
        if (refused != nullptr) return fail(refused);
        registered = true;
    }
    static tflite::MicroInterpreter the_interpreter(model, resolver, arena, sizeof(arena));
    if (the_interpreter.initialization_status() != kTfLiteOk) {
        return fail("TFLite-Micro cannot take the model: emit again");
    }
    if (the_interpreter.AllocateTensors() != kTfLiteOk) {
        return fail("cannot place the tensors in an arena of " HAR_TEXT(
            HAR_TFLM_ARENA_BYTES) " bytes, or an operator is missing: emit again");
    }
    if (the_interpreter.inputs_size() != 1 || the_interpreter.outputs_size() != HAR_OUTPUTS) {
        return fail(
            "the model has not one input and " HAR_TEXT(HAR_OUTPUTS) " outputs: emit again");
    }
    TfLiteTensor *in = the_interpreter.input(0);
    if (!is_int8(in, HAR_ENGINE_INPUT_BYTES)) {
        return fail("the model's input is not int8 of the size that har_model.h says: emit again");
    }
    if (!quantized_as(in, HAR_INPUT_SCALE, HAR_INPUT_ZERO_POINT)) {
        return fail("the model's input is quantized otherwise than har_model.h says: emit again");
    }
    for (size_t i = 0; i < HAR_OUTPUTS; ++i) {
        const TfLiteTensor *out = the_interpreter.output(i);
        if (!is_int8(out, har_output_sizes[i])) {
            return fail("an output is not int8 of the size that har_model.h says: emit again");
        }
        outputs[i] = out->data.int8;
    }
    interpreter = &the_interpreter;
    input = in->data.int8;
    error = "";
    return HAR_OK;
}

int8_t *har_engine_input(void) {
    return input;
}

har_status har_engine_run(void) {
    if (interpreter == nullptr) return HAR_ERR_ENGINE;
    if (interpreter->Invoke() != kTfLiteOk) {
        error = "TFLite-Micro could not run the model";
        return HAR_ERR_ENGINE;
    }
    error = "";
    return HAR_OK;
}

void har_engine_restart(void) {}

const int8_t *har_engine_output(uint32_t index) {
    return interpreter != nullptr && index < HAR_OUTPUTS ? outputs[index] : nullptr;
}

const char *har_engine_error(void) {
    return error;
}

uint8_t har_engine_kind(void) {
    return 1;
}
