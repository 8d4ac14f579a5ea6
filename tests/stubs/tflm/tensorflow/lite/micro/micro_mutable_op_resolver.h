#ifndef TENSORFLOW_LITE_MICRO_MICRO_MUTABLE_OP_RESOLVER_H_
#define TENSORFLOW_LITE_MICRO_MICRO_MUTABLE_OP_RESOLVER_H_

#include "tensorflow/lite/micro/micro_interpreter.h"

namespace tflite {

// One method per operator that `har emit` can name.
template <unsigned int tOpCount>
class MicroMutableOpResolver : public MicroOpResolver {
   public:
    TfLiteStatus AddAdd();
    TfLiteStatus AddAveragePool2D();
    TfLiteStatus AddConcatenation();
    TfLiteStatus AddConv2D();
    TfLiteStatus AddDepthwiseConv2D();
    TfLiteStatus AddFullyConnected();
    TfLiteStatus AddMaxPool2D();
    TfLiteStatus AddMean();
    TfLiteStatus AddPad();
    TfLiteStatus AddPadV2();
    TfLiteStatus AddQuantize();
    TfLiteStatus AddRelu();
    TfLiteStatus AddRelu6();
    TfLiteStatus AddReshape();
    TfLiteStatus AddSoftmax();
};

}  // namespace tflite

#endif
