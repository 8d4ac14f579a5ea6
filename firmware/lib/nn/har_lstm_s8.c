#include "lib/nn/har_nn.h"
#include "lib/nn/har_requant.h"

static inline int32_t to_s16(int32_t x) {
    return har_clamp(x, INT16_MIN, INT16_MAX);
}

static inline int32_t scaled(int32_t x, har_factor factor) {
    return to_s16(har_requant(x, factor.multiplier, factor.shift));
}

/* 1 / (1 + e^-x) of x in Q3.12 * 3, from the table of sigmoid(i / 24) in Q0.16, in Q0.15. */
static inline int32_t sigmoid(const uint16_t *table, int32_t x) {
    const uint32_t size = (uint32_t)(x < 0 ? -x : x), i = size >> 9;
    uint32_t y = 0x7FFFu << 10; /* beyond the table */
    if (i < 255u) {
        y = ((uint32_t)table[i] << 9) + (size & 0x1FFu) * (uint32_t)(table[i + 1u] - table[i]);
    }
    y = x >= 0 ? y + (1u << 9) : (1u << 25) - y + (1u << 9) - 1u;
    return (int16_t)(y >> 10);
}

/* 2 * sigmoid(2 * x) - 1, from the same table. */
static inline int32_t tanh_of(const uint16_t *table, int32_t x) {
    const uint32_t size = (uint32_t)(x < 0 ? -x : x), i = size >> 8;
    int32_t y = 0xFFFF << 8;
    if (i < 255u) {
        y = (int32_t)(((uint32_t)table[i] << 8) +
                      (size & 0xFFu) * (uint32_t)(table[i + 1u] - table[i]));
    }
    y = x >= 0 ? y - (1 << 23) + (1 << 7) : -y + (1 << 23) + (1 << 7) - 1;
    return (int16_t)(y >> 8);
}

static int32_t dot_s8(const int8_t *weights, const int8_t *x, int32_t count) {
    int32_t sum = 0;
    for (int32_t i = 0; i < count; ++i) sum += weights[i] * x[i];
    return sum;
}

static int32_t dot_s16(const int8_t *weights, const int16_t *x, int32_t count) {
    int32_t sum = 0;
    for (int32_t i = 0; i < count; ++i) sum += weights[i] * x[i];
    return sum;
}

void har_lstm_s8(const har_lstm_params *params, const int8_t *input, int16_t *scratch,
                 int16_t *state, const int8_t *weights, const int8_t *recurrent,
                 const int32_t *bias, const uint16_t *table, int8_t *output) {
    const har_lstm_params *p = params;
    const int32_t units = p->units;
    int16_t *cell = state, *hidden = state + units;
    int16_t *gates = scratch; /* (4, units): forget, input, cell, output; Q3.12, then Q0.15 */

    for (int32_t t = 0; t < p->steps; ++t, input += p->inputs, output += units) {
        for (int32_t row = 0; row < 4 * units; ++row) {
            const har_lstm_gate *gate = &p->gates[row / units];
            const int32_t from_input =
                bias[row] + dot_s8(weights + row * p->inputs, input, p->inputs);
            const int32_t from_hidden = dot_s16(recurrent + row * units, hidden, units);
            const int32_t x =
                to_s16(scaled(from_input, gate->input) + scaled(from_hidden, gate->recurrent));
            gates[row] =
                (int16_t)(row / units == 2 ? tanh_of(table, 3 * x) : sigmoid(table, 3 * x));
        }
        for (int32_t i = 0; i < units; ++i) {
            const int32_t kept = scaled(gates[i] * cell[i], p->forget);
            const int32_t added = scaled(gates[units + i] * gates[2 * units + i], p->add);
            int32_t c = to_s16(kept + added);
            if (p->cell_clip > 0) c = har_clamp(c, -p->cell_clip, p->cell_clip);
            cell[i] = (int16_t)c;
            const int32_t half = p->tanh_shift > 0 ? 1 << (p->tanh_shift - 1) : 0;
            const int32_t y = tanh_of(table, (c * p->tanh_multiplier + half) >> p->tanh_shift);
            output[i] = har_requant_s8(y * gates[3 * units + i], p->output.multiplier,
                                       p->output.shift, p->output_zero_point, INT8_MIN, INT8_MAX);
        }
        for (int32_t i = 0; i < units; ++i) {
            hidden[i] = (int16_t)(output[i] - p->output_zero_point);
        }
    }
}
