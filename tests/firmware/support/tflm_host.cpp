// The tflm engine over an interpreter that answers as the first argument says:
//   good | outputs | size | type | input | run
// Prints the status and the error of the start, and after a good one the outputs of one run.
#include <stdio.h>
#include <string.h>

#include "tensorflow/lite/schema/schema_generated.h"

namespace flatbuffers {

// Every vector of the model is empty but for its one graph.
template <typename T>
uint32_t Vector<T>::size() const {
    return 0;
}
template <>
uint32_t Vector<Offset<tflite::SubGraph>>::size() const {
    return 1;
}
template <typename T>
typename Vector<T>::Value Vector<T>::Get(uint32_t) const {
    return Value();
}
template <>
const tflite::SubGraph *Vector<Offset<tflite::SubGraph>>::Get(uint32_t) const {
    static const tflite::SubGraph graph{};
    return &graph;
}
template <typename T>
const typename Vector<T>::Value *Vector<T>::begin() const {
    return nullptr;
}
template <typename T>
const typename Vector<T>::Value *Vector<T>::end() const {
    return nullptr;
}

}  // namespace flatbuffers

#include "lib/engine/har_engine_tflm.cpp"

extern "C" {
const unsigned char har_extractor_tflite[1] = {0};
const unsigned int har_extractor_tflite_len = 1;
const uint16_t har_output_sizes[HAR_OUTPUTS] = {5, 2, 5};
}

static const char *scenario;
static int8_t input_bytes[HAR_ENGINE_INPUT_BYTES];
static int8_t output_bytes[HAR_OUTPUTS][5];

static bool is(const char *name) {
    return strcmp(scenario, name) == 0;
}

namespace tflite {

const Model *GetModel(const void *) {
    static const Model model{};
    return &model;
}
uint32_t Model::version() const {
    return TFLITE_SCHEMA_VERSION;
}
const flatbuffers::Vector<flatbuffers::Offset<OperatorCode>> *Model::operator_codes() const {
    return nullptr;
}
const flatbuffers::Vector<flatbuffers::Offset<SubGraph>> *Model::subgraphs() const {
    static const flatbuffers::Vector<flatbuffers::Offset<SubGraph>> graphs{};
    return &graphs;
}
const flatbuffers::Vector<flatbuffers::Offset<Tensor>> *SubGraph::tensors() const {
    return nullptr;
}
const flatbuffers::Vector<flatbuffers::Offset<Operator>> *SubGraph::operators() const {
    static const flatbuffers::Vector<flatbuffers::Offset<Operator>> none{};
    return &none;
}
uint32_t Operator::opcode_index() const {
    return 0;
}
const flatbuffers::Vector<int32_t> *Operator::inputs() const {
    return nullptr;
}
int8_t OperatorCode::deprecated_builtin_code() const {
    return 0;
}
BuiltinOperator OperatorCode::builtin_code() const {
    return BuiltinOperator_FULLY_CONNECTED;
}
const QuantizationParameters *Tensor::quantization() const {
    return nullptr;
}
const flatbuffers::Vector<float> *QuantizationParameters::scale() const {
    return nullptr;
}

MicroInterpreter::MicroInterpreter(const Model *, const MicroOpResolver &, uint8_t *, size_t,
                                   MicroResourceVariables *, MicroProfilerInterface *) {}
MicroInterpreter::~MicroInterpreter() {}
TfLiteStatus MicroInterpreter::initialization_status() const {
    return kTfLiteOk;
}
TfLiteStatus MicroInterpreter::AllocateTensors() {
    return kTfLiteOk;
}
TfLiteStatus MicroInterpreter::Invoke() {
    if (is("run")) return kTfLiteError;
    for (int i = 0; i < HAR_OUTPUTS; ++i) {
        for (int f = 0; f < har_output_sizes[i]; ++f) output_bytes[i][f] = (int8_t)(10 * i + f);
    }
    return kTfLiteOk;
}
size_t MicroInterpreter::inputs_size() const {
    return 1;
}
size_t MicroInterpreter::outputs_size() const {
    return is("outputs") ? HAR_OUTPUTS - 1 : HAR_OUTPUTS;
}
TfLiteTensor *MicroInterpreter::input(size_t) {
    static TfLiteTensor tensor;
    tensor.data.int8 = input_bytes;
    tensor.params.scale = is("input") ? 0.5f : HAR_INPUT_SCALE;
    tensor.params.zero_point = HAR_INPUT_ZERO_POINT;
    tensor.bytes = sizeof(input_bytes);
    tensor.type = kTfLiteInt8;
    return &tensor;
}
// What is wrong is wrong with the last output alone.
TfLiteTensor *MicroInterpreter::output(size_t index) {
    static TfLiteTensor tensors[HAR_OUTPUTS];
    const bool last = index == HAR_OUTPUTS - 1;
    TfLiteTensor &tensor = tensors[index];
    tensor.data.int8 = output_bytes[index];
    tensor.bytes = har_output_sizes[index] - (last && is("size") ? 1u : 0u);
    tensor.type = last && is("type") ? kTfLiteNoType : kTfLiteInt8;
    return &tensor;
}

#define HAR_FAKE_ADD(name)                                \
    template <unsigned int n>                             \
    TfLiteStatus MicroMutableOpResolver<n>::Add##name() { \
        return kTfLiteOk;                                 \
    }
HAR_TFLM_OPERATORS(HAR_FAKE_ADD)

}  // namespace tflite

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    scenario = argv[1];
    if (har_engine_output(0) != nullptr) return 3;  // nothing is there before the start
    const har_status status = har_engine_init();
    printf("%d %s\n", (int)status, har_engine_error());
    if (status != HAR_OK) return har_engine_output(0) == nullptr ? 0 : 3;
    const har_status ran = har_engine_run();
    printf("%d %s\n", (int)ran, har_engine_error());
    for (uint32_t i = 0; i < HAR_OUTPUTS; ++i) {
        for (int f = 0; f < har_output_sizes[i]; ++f) printf("%d ", har_engine_output(i)[f]);
    }
    printf("\n");
    return har_engine_output(HAR_OUTPUTS) == nullptr ? 0 : 3;
}
