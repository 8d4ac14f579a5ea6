/* Reset and vectors of the emulated Cortex-M4F (QEMU mps2-an386). */
    .syntax unified
    .cpu cortex-m4
    .fpu fpv4-sp-d16
    .thumb

    .equ CPACR, 0xE000ED88
    .equ STACK_PAINT, 0x57ACC0DE /* the same word as in board.c */

    .section .vectors, "a", %progbits
    .global har_vectors
har_vectors:
    .word har_ld_stack_end
    .word har_reset
    .word har_fault_handler     /* NMI */
    .word har_fault_handler     /* HardFault */
    .word har_fault_handler     /* MemManage */
    .word har_fault_handler     /* BusFault */
    .word har_fault_handler     /* UsageFault */
    .word 0, 0, 0, 0
    .word har_fault_handler     /* SVCall */
    .word har_fault_handler     /* DebugMonitor */
    .word 0
    .word har_fault_handler     /* PendSV */
    .word har_systick_handler
    .word har_uart0_rx_handler  /* 0 */
    .rept 31
    .word har_fault_handler     /* 1..31 */
    .endr

    .text
    .thumb_func
    .global har_reset
    .type har_reset, %function
har_reset:
    /* The FPU first: compiled code may use its registers anywhere. */
    ldr r0, =CPACR
    ldr r1, [r0]
    orr r1, r1, #(0xF << 20)
    str r1, [r0]
    dsb
    isb

    /* Paint the stack, so that its deepest use can be read later. */
    ldr r0, =har_ld_stack_start
    ldr r1, =har_ld_stack_end
    ldr r2, =STACK_PAINT
1:  cmp r0, r1
    bhs 2f
    str r2, [r0], #4
    b 1b

2:  ldr r0, =har_ld_data_start
    ldr r1, =har_ld_data_end
    ldr r2, =har_ld_data_load
3:  cmp r0, r1
    bhs 4f
    ldr r3, [r2], #4
    str r3, [r0], #4
    b 3b

4:  ldr r0, =har_ld_bss_start
    ldr r1, =har_ld_bss_end
    movs r2, #0
5:  cmp r0, r1
    bhs 6f
    str r2, [r0], #4
    b 5b

6:  bl main
7:  b 7b
    .size har_reset, . - har_reset
