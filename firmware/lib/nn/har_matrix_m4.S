/* Matrix kernels for the Cortex-M4's DSP extension; har_matrix.h says what they compute, and
 * har_matrix_twin.c computes the same in C.
 *
 * GCC moves all loads of an unrolled block to its front and spills: hence assembly. In the inner
 * loop all registers but sp and pc are taken, so that counters and pointers wait in the FPU's:
 *   r0  block, reset for each pair of channels      r1  weights, read once from end to end
 *   r2, r4, r6, r8  sums of channel 0, pixels 0 to 3     r3, r5, r7, r9  of channel 1
 *   r10, lr  weights of two inputs, channel 0 and 1      r11, r12  inputs of two pixels
 *   (with 1 or 2 pixels the registers of the others' sums hold more weights and inputs)
 *   s0 block  s1 its end  s2 end of the weights  s3 offsets  s4 out  s5 channel_stride
 */
#if defined(__ARM_FEATURE_DSP) && defined(__thumb__)
    .syntax unified
    .arch   armv7e-m
    .fpu    fpv4-sp-d16
    .thumb

/* sum of channel 0 and of channel 1 of a pixel, started or continued. */
.macro MAC first, sum0, sum1, inputs, weights0, weights1
  .if \first
    smuad   \sum0, \inputs, \weights0
    smuad   \sum1, \inputs, \weights1
  .else
    smlad   \sum0, \inputs, \weights0, \sum0
    smlad   \sum1, \inputs, \weights1, \sum1
  .endif
.endm

/* Two inputs of 3 or 4 pixels by the weights of two channels. */
.macro STEP pixels, first
    ldr     r10, [r1], #4
    ldm     r0!, {r11, r12}
    sxtb16  lr, r10, ror #8
    sxtb16  r10, r10
    MAC     \first, r2, r3, r11, r10, lr
    MAC     \first, r4, r5, r12, r10, lr
  .if \pixels == 3
    ldr     r11, [r0], #4
  .else
    ldm     r0!, {r11, r12}
  .endif
    MAC     \first, r6, r7, r11, r10, lr
  .if \pixels == 4
    MAC     \first, r8, r9, r12, r10, lr
  .endif
.endm

/* Four inputs of 2 pixels: the sums leave registers to load more at once. */
.macro TWO_STEPS first
    ldm     r1!, {r10, lr}
    ldm     r0!, {r6, r7, r8, r9}
    sxtb16  r11, r10, ror #8
    sxtb16  r10, r10
    MAC     \first, r2, r3, r6, r10, r11
    MAC     \first, r4, r5, r7, r10, r11
    sxtb16  r12, lr, ror #8
    sxtb16  lr, lr
    MAC     0, r2, r3, r8, lr, r12
    MAC     0, r4, r5, r9, lr, r12
.endm

/* Eight inputs of 1 pixel. */
.macro FOUR_STEPS first
    ldm     r1!, {r6, r7, r8, r9}
    ldm     r0!, {r4, r5, r10, r11}
    sxtb16  r12, r6, ror #8
    sxtb16  lr, r6
    MAC     \first, r2, r3, r4, lr, r12
    sxtb16  r12, r7, ror #8
    sxtb16  lr, r7
    MAC     0, r2, r3, r5, lr, r12
    sxtb16  r12, r8, ror #8
    sxtb16  lr, r8
    MAC     0, r2, r3, r10, lr, r12
    sxtb16  r12, r9, ror #8
    sxtb16  lr, r9
    MAC     0, r2, r3, r11, lr, r12
.endm

/* All inputs; their number of pairs is a multiple of 4. */
.macro MULTIPLY pixels
  .if \pixels == 1
    FOUR_STEPS 1
    b       3f
2:  FOUR_STEPS 0
3:
  .elseif \pixels == 2
    TWO_STEPS 1
    b       3f
2:  TWO_STEPS 0
3:  TWO_STEPS 0
  .else
    STEP    \pixels, 1
    b       3f
2:  STEP    \pixels, 0
3:  STEP    \pixels, 0
    STEP    \pixels, 0
    STEP    \pixels, 0
  .endif
    vmov    r10, s1
    cmp     r0, r10
    bne     2b
.endm

/* y = high word of (b + (sum << k)) * m */
.macro SCALE sum, b, m, k
    add     \sum, \b, \sum, lsl #\k
    smmul   \sum, \sum, \m
.endm

/* The upper halves of the sums, saturated to bytes, in one word: pixel 0 lowest. */
.macro JOIN pixels, y0, y1, y2, y3
  .if \pixels >= 3
    pkhtb   \y0, \y2, \y0, asr #16
    usat16  \y0, #8, \y0
  .else
    usat    \y0, #8, \y0, asr #16
  .endif
  .if \pixels == 4
    pkhtb   \y1, \y3, \y1, asr #16
    usat16  \y1, #8, \y1
  .elseif \pixels >= 2
    usat    \y1, #8, \y1, asr #16
  .endif
  .if \pixels >= 2
    orr     \y0, \y0, \y1, lsl #8
  .endif
.endm

/* As TensorFlow Lite rounds: 2 (sum + bias) * m >> 32 to nearest, then by `shift`, halves away
 * from zero; `rounding` holds a half and the zero point. */
.macro LINEAR sum, twice_b, m, rounding, shift
    add     \sum, \twice_b, \sum, lsl #1
    smmulr  \sum, \sum, \m
    add     \sum, \sum, \sum, asr #31
    add     \sum, \sum, \rounding
    asr     \sum, \sum, \shift
    ssat    \sum, #8, \sum
.endm

/* All sums of one channel, whose four words are in r10, r11, r12 and lr. */
.macro LINEAR_PIXELS pixels, sum0, sum1, sum2, sum3
    LINEAR  \sum0, r10, r11, r12, lr
  .if \pixels >= 2
    LINEAR  \sum1, r10, r11, r12, lr
  .endif
  .if \pixels >= 3
    LINEAR  \sum2, r10, r11, r12, lr
  .endif
  .if \pixels == 4
    LINEAR  \sum3, r10, r11, r12, lr
  .endif
.endm

.macro STORE_NEXT y, offset, last
    strb    \y, [r10, \offset]
  .if \last == 0
    lsr     \y, \y, #8
  .endif
.endm

.macro STORE_SCATTERED pixels, y
    STORE_NEXT \y, r4, (\pixels == 1)
  .if \pixels >= 2
    STORE_NEXT \y, r5, (\pixels == 2)
  .endif
  .if \pixels >= 3
    STORE_NEXT \y, r6, (\pixels == 3)
  .endif
  .if \pixels == 4
    STORE_NEXT \y, r7, 1
  .endif
.endm

/* target: 0 planes in a row, 1 planes scattered, 2 linear */
.macro MATRIX name, pixels, k, target
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .thumb_func
    .type   \name, %function
\name:
    push    {r4-r11, lr}
    add     r2, r0, r2
    add     r3, r1, r3
    vmov    s0, s1, r0, r2
    add     r12, sp, #36
    ldm     r12, {r4, r5, r6}
    vmov    s2, s3, r3, r6
    vmov    s4, s5, r4, r5
1:  MULTIPLY \pixels
    ldm     r1!, {r10, r11, r12, lr}
  .if \target == 2
    LINEAR_PIXELS \pixels, r2, r4, r6, r8
    ldm     r1!, {r10, r11, r12, lr}
    LINEAR_PIXELS \pixels, r3, r5, r7, r9
    vmov    r10, s4
    vmov    r0, s3
    ldr     r11, [r0]
    strb    r2, [r10, r11]
    .if \pixels >= 2
    ldr     r12, [r0, #4]
    strb    r4, [r10, r12]
    .endif
    .if \pixels >= 3
    ldr     lr, [r0, #8]
    strb    r6, [r10, lr]
    .endif
    .if \pixels == 4
    ldr     r0, [r0, #12]
    strb    r8, [r10, r0]
    .endif
    vmov    r2, s5
    add     r10, r10, r2
    strb    r3, [r10, r11]
    .if \pixels >= 2
    strb    r5, [r10, r12]
    .endif
    .if \pixels >= 3
    strb    r7, [r10, lr]
    .endif
    .if \pixels == 4
    strb    r9, [r10, r0]
    .endif
    add     r10, r10, r2
  .else
    SCALE   r2, r10, r11, \k
    SCALE   r3, r12, lr, \k
    .if \pixels >= 2
    SCALE   r4, r10, r11, \k
    SCALE   r5, r12, lr, \k
    .endif
    .if \pixels >= 3
    SCALE   r6, r10, r11, \k
    SCALE   r7, r12, lr, \k
    .endif
    .if \pixels == 4
    SCALE   r8, r10, r11, \k
    SCALE   r9, r12, lr, \k
    .endif
    JOIN    \pixels, r2, r4, r6, r8
    JOIN    \pixels, r3, r5, r7, r9
    vmov    r10, r11, s4, s5
    .if \target == 1
    vmov    r12, s3
      .if \pixels == 1
    ldr     r4, [r12]
      .elseif \pixels == 2
    ldm     r12, {r4, r5}
      .elseif \pixels == 3
    ldm     r12, {r4, r5, r6}
      .else
    ldm     r12, {r4, r5, r6, r7}
      .endif
    STORE_SCATTERED \pixels, r2
    add     r10, r10, r11
    STORE_SCATTERED \pixels, r3
    add     r10, r10, r11
    .else
      .if \pixels >= 3
    str     r2, [r10]
    str     r3, [r10, r11]
      .elseif \pixels == 2
    strh    r2, [r10]
    strh    r3, [r10, r11]
      .else
    strb    r2, [r10]
    strb    r3, [r10, r11]
      .endif
    add     r10, r10, r11, lsl #1
    .endif
  .endif
    vmov    s4, r10
    vmov    r12, s2
    vmov    r0, s0
    cmp     r1, r12
    bne     1b
    pop     {r4-r11, pc}
    .size   \name, . - \name
.endm

.macro MATRIX_SHIFT pixels, k
    MATRIX  har_matrix_p\pixels\()_k\k, \pixels, \k, 0
    MATRIX  har_matrix_p\pixels\()_k\k\()_scattered, \pixels, \k, 1
.endm

.macro MATRIX_PIXELS pixels
    MATRIX_SHIFT \pixels, 10
    MATRIX_SHIFT \pixels, 11
    MATRIX_SHIFT \pixels, 12
    MATRIX_SHIFT \pixels, 13
    MATRIX_SHIFT \pixels, 14
    MATRIX  har_matrix_p\pixels\()_linear, \pixels, 0, 2
.endm

    MATRIX_PIXELS 1
    MATRIX_PIXELS 2
    MATRIX_PIXELS 3
    MATRIX_PIXELS 4
#endif
