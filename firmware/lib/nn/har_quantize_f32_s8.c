#include <math.h>

#include "lib/nn/har_nn.h"
#include "lib/nn/har_requant.h"

#define MOST_STEPS 256          /* beyond either end of int8 from any zero point */
#define ALMOST_HALF 0.49999997f /* the largest float32 below: half would carry it up to 1 */

static int32_t nearest(float steps) {
    if (fabsf(steps) < (float)MOST_STEPS)
        return (int32_t)(steps + (steps < 0.0f ? -ALMOST_HALF : ALMOST_HALF));
    if (isnan(steps)) return 0;
    return steps < 0.0f ? -MOST_STEPS : MOST_STEPS;
}

void har_quantize_f32_s8(const float *input, uint32_t size, float scale, int32_t zero_point,
                         int8_t *output) {
    for (uint32_t i = 0; i < size; ++i) {
        const int32_t q = nearest(input[i] / scale) + zero_point;
        output[i] = (int8_t)har_clamp(q, INT8_MIN, INT8_MAX);
    }
}
