/* Softmax in fixed point. "Qn" below is a signed 32-bit number with n integer bits: raw / 2^(31-n).
 */
#include "lib/nn/har_nn.h"
#include "lib/nn/har_requant.h"

enum {
    ONE_Q0 = INT32_MAX,       /* the largest Q0 stands for 1 */
    QUARTER_Q5 = 1 << 24,     /* 1/4 */
    EIGHTH_Q0 = 1 << 28,      /* 1/8 */
    EXP_EIGHTH = 1895147668,  /* exp(-1/8), Q0 */
    THIRD = 715827883,        /* 1/3, Q0 */
    SUM_INTEGER_BITS = 12,    /* the sum of a row is Q12 */
    OUTPUT_FRACTION_BITS = 8, /* the output counts 1/256 */
};

/* exp(a) for a in [-1/4, 0), both Q0: Taylor's series to the fourth power around -1/8. */
static int32_t exp_small(int32_t a) {
    const int32_t x = a + EIGHTH_Q0;
    const int32_t x2 = har_mul_high(x, x);
    const int32_t x3 = har_mul_high(x2, x);
    const int32_t x4_4 = har_round_shift(har_mul_high(x2, x2), 2);
    /* x^4/24 + x^3/6 + x^2/2 */
    const int32_t high = har_round_shift(har_mul_high(x4_4 + x3, THIRD) + x2, 1);
    return EXP_EIGHTH + har_mul_high(x + high, EXP_EIGHTH);
}

/* exp(a) for a <= 0, Q5 -> Q0: the part below a quarter by series, the rest, whose bits count
 * quarters, by multiplying with a constant for each bit that is set. */
static int32_t exp_negative(int32_t a) {
    static const int32_t factors[7] = {
        1672461947, /* exp(-1/4), Q0 */
        1302514674, /* exp(-1/2) */
        790015084,  /* exp(-1) */
        290630308,  /* exp(-2) */
        39332535,   /* exp(-4) */
        720401,     /* exp(-8) */
        242,        /* exp(-16) */
    };
    if (a == 0) return ONE_Q0;

    const int32_t small = (a & (QUARTER_Q5 - 1)) - QUARTER_Q5; /* in [-1/4, 0) */
    const uint32_t rest = (uint32_t)small - (uint32_t)a;       /* a multiple of 1/4 */
    int32_t result = exp_small(har_shift_left(small, 5));
    for (int bit = 0; bit < 7; ++bit) {
        if ((rest & ((uint32_t)QUARTER_Q5 << bit)) != 0) {
            result = har_mul_high(result, factors[bit]);
        }
    }
    return result;
}

static int32_t saturating_shift_left(int32_t x, int32_t bits) {
    const int64_t wide = (int64_t)x * ((int64_t)1 << bits);
    if (wide > INT32_MAX) return INT32_MAX;
    return wide < INT32_MIN ? INT32_MIN : (int32_t)wide;
}

/* 1 / (1 + a) for a in [0, 1), Q0 -> Q0: Newton's division on half the denominator, in Q2. */
static int32_t reciprocal_of_one_plus(int32_t a) {
    const int32_t half = (int32_t)(((int64_t)a + ONE_Q0 + 1) / 2); /* (1 + a) / 2 */
    int32_t x = 1515870810 + har_mul_high(half, -1010580540);      /* 48/17 - 32/17 half, Q2 */
    for (int step = 0; step < 3; ++step) {
        const int32_t error = (1 << 29) - har_mul_high(half, x); /* 1 - half * x, Q2 */
        x += saturating_shift_left(har_mul_high(x, error), 2);   /* Q4 -> Q2 */
    }
    return saturating_shift_left(x, 1); /* x is 2 / (1 + a) in Q2: halved it is Q1, to Q0 */
}

static int32_t leading_zeros(uint32_t x) {
    int32_t zeros = 0;
    while ((x & 0x80000000u) == 0) {
        x <<= 1;
        ++zeros;
    }
    return zeros;
}

void har_softmax_s8(const har_softmax_params *params, const int8_t *input, int8_t *output) {
    const har_softmax_params p = *params;

    for (int32_t row = 0; row < p.rows; ++row, input += p.depth, output += p.depth) {
        int32_t largest = INT8_MIN;
        for (int32_t c = 0; c < p.depth; ++c) {
            if (input[c] > largest) largest = input[c];
        }

        int32_t sum = 0; /* Q12, at least 1 */
        for (int32_t c = 0; c < p.depth; ++c) {
            const int32_t difference = input[c] - largest;
            if (difference < p.difference_min) continue;
            const int32_t scaled = har_requant(difference, p.multiplier, p.left_shift); /* Q5 */
            sum += har_round_shift(exp_negative(scaled), SUM_INTEGER_BITS);
        }

        /* sum = (1 + fraction) * 2^integer_bits */
        const int32_t headroom = leading_zeros((uint32_t)sum);
        const int32_t integer_bits = SUM_INTEGER_BITS - headroom;
        const int32_t fraction = (int32_t)(((uint32_t)sum << headroom) - 0x80000000u);
        const int32_t reciprocal = reciprocal_of_one_plus(fraction);
        const int32_t exponent = integer_bits + 31 - OUTPUT_FRACTION_BITS;

        for (int32_t c = 0; c < p.depth; ++c) {
            const int32_t difference = input[c] - largest;
            int32_t probability = INT8_MIN;
            if (difference >= p.difference_min) {
                const int32_t scaled = har_requant(difference, p.multiplier, p.left_shift);
                probability +=
                    har_round_shift(har_mul_high(reciprocal, exp_negative(scaled)), exponent);
            }
            output[c] = (int8_t)har_clamp(probability, INT8_MIN, INT8_MAX);
        }
    }
}
