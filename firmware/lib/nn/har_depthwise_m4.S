/* Depthwise kernels for the Cortex-M4's DSP extension; har_matrix.h says what they compute, and
 * har_depthwise_twin.c computes the same in C.
 *
 * Four neighbours x0..x3 of a row are loaded as one word and split into the pairs (x0, x2) and
 * (x1, x3), low half first, which meet the weights (w0, w2), (w1, w3) two at a time. Where an
 * output needs (x2, x4), PKHBT joins it from two words, as (x4, x2): hence SMLADX for those.
 *
 *   s0 from the last row of a plane to the next plane  s1 block_step  s2 end of the weights
 */
#if defined(__ARM_FEATURE_DSP) && defined(__thumb__)
    .syntax unified
    .arch   armv7e-m
    .fpu    fpv4-sp-d16
    .thumb

/* r0 planes, r1 plane_bytes, r2 row_bytes, r3 block, on the stack block_step, weights, channels:
 * to r0 planes, r1 weights, r2 block, r3 row_bytes, s0, s1, s2. */
.macro ENTER rows, weight_bytes
    push    {r4-r11, lr}
  .if \rows > 1
    sub     r1, r1, r2, lsl #(\rows / 2) /* 3 rows: twice row_bytes */
  .endif
    vmov    s0, r1
    mov     r12, r3
    mov     r3, r2
    mov     r2, r12
    add     r12, sp, #36
    ldm     r12, {r4, r5, r6}
    vmov    s1, r4
    mov     r1, r5
    mov     r7, #\weight_bytes
    mla     r6, r6, r7, r1
    vmov    s2, r6
.endm

/* To the next channel, until the weights end. */
.macro NEXT
    vmov    r10, r11, s0, s1
    vmov    r12, s2
    add     r0, r0, r10
    add     r2, r2, r11
    cmp     r1, r12
    bne     1b
    pop     {r4-r11, pc}
.endm

.macro SPLIT even, odd, word
    uxtb16  \odd, \word, ror #8
    uxtb16  \even, \word
.endm

.macro STORE sum, b, m, k, at
    add     \sum, \b, \sum, lsl #\k
    smmul   \sum, \sum, \m
    usat    \sum, #8, \sum, asr #16
    strh    \sum, [r2, #(4 * \at)]
.endm

/* One row of 5 taps. Weights: (w0, w2), (w1, w3), w4, b, m in r7 to r11.
 * r4 (x0, x2)  r5 (x1, x3)  r6 (x4, x6)  r3 (x5, x7), then of the outputs 2 and 3 also x8 to x10 */
.macro FIVE stride, outputs, k
    ENTER   1, 20
1:  ldm     r1!, {r7-r11}
    ldr     r4, [r0]
  .if \outputs == 1
    ldrb    r6, [r0, #4]
  .else
    ldr     r6, [r0, #4]
  .endif
    SPLIT   r4, r5, r4
  .if \outputs > 1
    SPLIT   r6, r3, r6
    pkhbt   r12, r6, r4             /* (x4, x2) */
    .if (\outputs > 2) || (\stride == 2)
    pkhbt   lr, r3, r5              /* (x5, x3) */
    .endif
  .endif
    smuad   r4, r4, r7
    smlad   r4, r5, r8, r4
    smlabb  r4, r6, r9, r4
    STORE   r4, r10, r11, \k, 0
  .if \stride == 1
    .if \outputs > 1
    smuad   r5, r5, r7
    smladx  r5, r12, r8, r5
    smlabb  r5, r3, r9, r5
    STORE   r5, r10, r11, \k, 1
    .endif
    .if \outputs > 2
    smuadx  r12, r12, r7
    smladx  r12, lr, r8, r12
    smlatb  r12, r6, r9, r12
    STORE   r12, r10, r11, \k, 2
    .endif
    .if \outputs > 3
    smuadx  lr, lr, r7
    smlad   lr, r6, r8, lr
    smlatb  lr, r3, r9, lr
    STORE   lr, r10, r11, \k, 3
    .endif
  .else
    .if \outputs > 1
    smuadx  r12, r12, r7
    smladx  r12, lr, r8, r12
    smlatb  r12, r6, r9, r12
    STORE   r12, r10, r11, \k, 1
    .endif
    .if \outputs == 3
    ldrb    r4, [r0, #8]
    .elseif \outputs == 4
    ldr     r4, [r0, #8]
    SPLIT   r4, r5, r4              /* (x8, x10), (x9, x11) */
    pkhbt   r12, r4, r6             /* (x8, x6) */
    pkhbt   lr, r5, r3              /* (x9, x7) */
    .endif
    .if \outputs > 2
    smuad   r6, r6, r7
    smlad   r6, r3, r8, r6
    smlabb  r6, r4, r9, r6
    STORE   r6, r10, r11, \k, 2
    .endif
    .if \outputs > 3
    smuadx  r12, r12, r7
    smladx  r12, lr, r8, r12
    smlatb  r12, r4, r9, r12
    STORE   r12, r10, r11, \k, 3
    .endif
  .endif
    NEXT
.endm

/* sum = or += pair * (w0, w2), in the order of a split word or joined */
.macro OUTER sum, pair, first, joined
  .if \first
    .if \joined
    smuadx  \sum, \pair, r8
    .else
    smuad   \sum, \pair, r8
    .endif
  .else
    .if \joined
    smladx  \sum, \pair, r8, \sum
    .else
    smlad   \sum, \pair, r8, \sum
    .endif
  .endif
.endm

/* One of 1 or 3 rows of 3 taps. r4 to r7 sums of outputs 0 to 3, r8 (w0, w2), r9 w1.
 * r10 (x0, x2)  r11 (x1, x3)  r12 (x4, x6)  lr (x5, x7) */
.macro ROW stride, outputs, first
    ldrd    r8, r9, [r1], #8
    ldr     r10, [r0]
  .if \stride == 1
    .if \outputs == 4
    ldr     r12, [r0, #4]
    .elseif \outputs == 3
    ldrb    r12, [r0, #4]
    .endif
    SPLIT   r10, r11, r10
    .if \outputs == 4
    SPLIT   r12, lr, r12
    .endif
    .if \outputs >= 3
    pkhbt   r12, r12, r10           /* (x4, x2) */
    .endif
    .if \outputs == 4
    pkhbt   lr, lr, r11             /* (x5, x3) */
    .endif
    OUTER   r4, r10, \first, 0
    smlabb  r4, r11, r9, r4
    .if \outputs >= 2
    OUTER   r5, r11, \first, 0
    smlatb  r5, r10, r9, r5
    .endif
    .if \outputs >= 3
    OUTER   r6, r12, \first, 1
    smlatb  r6, r11, r9, r6
    .endif
    .if \outputs == 4
    OUTER   r7, lr, \first, 1
    smlabb  r7, r12, r9, r7
    .endif
  .else
    .if \outputs == 2
    ldrb    r12, [r0, #4]
    .elseif \outputs > 2
    ldr     r12, [r0, #4]
    .endif
    SPLIT   r10, r11, r10
    .if \outputs > 2
    SPLIT   r12, lr, r12
    .endif
    OUTER   r4, r10, \first, 0
    smlabb  r4, r11, r9, r4
    .if \outputs >= 2
    pkhbt   r10, r12, r10           /* (x4, x2) */
    OUTER   r5, r10, \first, 1
    smlatb  r5, r11, r9, r5
    .endif
    .if \outputs >= 3
    OUTER   r6, r12, \first, 0
    smlabb  r6, lr, r9, r6
    .endif
    .if \outputs == 4
    ldrb    r11, [r0, #8]
    pkhbt   r11, r11, r12           /* (x8, x6) */
    OUTER   r7, r11, \first, 1
    smlatb  r7, lr, r9, r7
    .endif
  .endif
.endm

/* Weights: for each row (w0, w2), w1; then b, m. */
.macro THREE rows, stride, outputs, k
    ENTER   \rows, (8 * \rows + 8)
1:  ROW     \stride, \outputs, 1
  .if \rows == 3
    add     r0, r0, r3
    ROW     \stride, \outputs, 0
    add     r0, r0, r3
    ROW     \stride, \outputs, 0
  .endif
    ldrd    r8, r9, [r1], #8
    STORE   r4, r8, r9, \k, 0
  .if \outputs >= 2
    STORE   r5, r8, r9, \k, 1
  .endif
  .if \outputs >= 3
    STORE   r6, r8, r9, \k, 2
  .endif
  .if \outputs == 4
    STORE   r7, r8, r9, \k, 3
  .endif
    NEXT
.endm

.macro KERNEL name
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .thumb_func
    .type   \name, %function
\name:
.endm

.macro KERNELS stride, outputs, k
    KERNEL  har_depthwise_1x3_s\stride\()_n\outputs\()_k\k
    THREE   1, \stride, \outputs, \k
    KERNEL  har_depthwise_3x3_s\stride\()_n\outputs\()_k\k
    THREE   3, \stride, \outputs, \k
    KERNEL  har_depthwise_1x5_s\stride\()_n\outputs\()_k\k
    FIVE    \stride, \outputs, \k
.endm

.macro SHIFTS stride, outputs
    KERNELS \stride, \outputs, 10
    KERNELS \stride, \outputs, 11
    KERNELS \stride, \outputs, 12
    KERNELS \stride, \outputs, 13
    KERNELS \stride, \outputs, 14
.endm

    SHIFTS  1, 1
    SHIFTS  1, 2
    SHIFTS  1, 3
    SHIFTS  1, 4
    SHIFTS  2, 1
    SHIFTS  2, 2
    SHIFTS  2, 3
    SHIFTS  2, 4
#endif
