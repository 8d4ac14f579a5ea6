#include "lib/nn/har_nn.h"

void har_pad_s8(const har_pad_params *params, const int8_t *input, int8_t *output) {
    const int32_t *size = params->output_shape;
    int32_t at[4]; /* where the current output element lies in the input, if inside */

    for (at[0] = -params->before[0]; at[0] < size[0] - params->before[0]; ++at[0]) {
        for (at[1] = -params->before[1]; at[1] < size[1] - params->before[1]; ++at[1]) {
            for (at[2] = -params->before[2]; at[2] < size[2] - params->before[2]; ++at[2]) {
                for (at[3] = -params->before[3]; at[3] < size[3] - params->before[3]; ++at[3]) {
                    int inside = 1;
                    for (int axis = 0; axis < 4; ++axis) {
                        inside = inside && at[axis] >= 0 && at[axis] < params->input_shape[axis];
                    }
                    /* Inside elements come in the input's own order. */
                    *output++ = inside ? *input++ : (int8_t)params->value;
                }
            }
        }
    }
}
