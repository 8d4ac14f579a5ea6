#ifndef FLATBUFFERS_GENERATED_SCHEMA_TFLITE_H_
#define FLATBUFFERS_GENERATED_SCHEMA_TFLITE_H_

#include <stdint.h>

namespace flatbuffers {

template <typename T>
class Offset;

// What a vector of T gives: T itself, or a pointer where it holds offsets.
template <typename T>
struct Element {
    typedef T Type;
};
template <typename T>
struct Element<Offset<T>> {
    typedef const T *Type;
};

template <typename T>
class Vector {
   public:
    typedef typename Element<T>::Type Value;
    uint32_t size() const;
    Value Get(uint32_t i) const;
    const Value *begin() const;
    const Value *end() const;
};

}  // namespace flatbuffers

namespace tflite {

enum BuiltinOperator : int32_t { BuiltinOperator_FULLY_CONNECTED = 9 };

struct OperatorCode {
    int8_t deprecated_builtin_code() const;
    BuiltinOperator builtin_code() const;
};

struct Operator {
    uint32_t opcode_index() const;
    const flatbuffers::Vector<int32_t> *inputs() const;
};

struct QuantizationParameters {
    const flatbuffers::Vector<float> *scale() const;
};

struct Tensor {
    const QuantizationParameters *quantization() const;
};

struct SubGraph {
    const flatbuffers::Vector<flatbuffers::Offset<Tensor>> *tensors() const;
    const flatbuffers::Vector<flatbuffers::Offset<Operator>> *operators() const;
};

struct Model {
    uint32_t version() const;
    const flatbuffers::Vector<flatbuffers::Offset<OperatorCode>> *operator_codes() const;
    const flatbuffers::Vector<flatbuffers::Offset<SubGraph>> *subgraphs() const;
};

const Model *GetModel(const void *buf);

}  // namespace tflite

#endif
