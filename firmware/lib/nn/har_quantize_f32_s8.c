#include <math.h>

#include "lib/nn/har_nn.h"
#include "lib/nn/har_requant.h"

/* Any number of steps beyond the widest distance from a zero point to an end of int8. */
static const float most_steps = 256.0f;

void har_quantize_f32_s8(const float *input, uint32_t size, float scale, int32_t zero_point,
                         int8_t *output) {
    for (uint32_t i = 0; i < size; ++i) {
        float steps = input[i] / scale;
        if (isnan(steps)) steps = 0.0f;
        if (steps > most_steps) steps = most_steps;
        if (steps < -most_steps) steps = -most_steps;
        int32_t whole = (int32_t)steps; /* towards zero; the rest is exact */
        const float rest = steps - (float)whole;
        whole += (rest >= 0.5f) - (rest <= -0.5f) + zero_point;
        output[i] = (int8_t)har_clamp(whole, INT8_MIN, INT8_MAX);
    }
}
