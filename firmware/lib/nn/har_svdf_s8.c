#include "lib/nn/har_nn.h"
#include "lib/nn/har_requant.h"

void har_svdf_s8(const har_svdf_params *params, const int8_t *input, int16_t *state,
                 const int8_t *features, const int16_t *time, const int32_t *bias, int8_t *output) {
    const har_svdf_params p = *params;

    for (int32_t unit = 0; unit < p.units; ++unit) {
        uint32_t sum = (uint32_t)bias[unit]; /* modulo 2^32, where TFLM overflows */
        for (int32_t r = 0; r < p.rank; ++r) {
            int32_t newest = 0;
            for (int32_t i = 0; i < p.inputs; ++i) {
                newest += *features++ * (input[i] - p.input_zero_point);
            }
            newest = har_clamp(har_requant(newest, p.state.multiplier, p.state.shift),
                               p.state_is_s8 ? INT8_MIN : INT16_MIN,
                               p.state_is_s8 ? INT8_MAX : INT16_MAX);
            if (p.state_is_s8) {
                newest = (int8_t)(newest + p.state_zero_point) - p.state_zero_point;
            }
            for (int32_t m = 1; m < p.memory; ++m) {
                state[m - 1] = state[m];
                sum += (uint32_t)(time[m - 1] * state[m - 1]);
            }
            state[p.memory - 1] = (int16_t)newest;
            sum += (uint32_t)(time[p.memory - 1] * newest);
            state += p.memory;
            time += p.memory;
        }
        output[unit] = har_requant_s8((int32_t)sum, p.output.multiplier, p.output.shift,
                                      p.output_zero_point, INT8_MIN, INT8_MAX);
    }
}
