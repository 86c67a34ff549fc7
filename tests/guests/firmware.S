/* firmware.S: from 64-bit mode down to real mode ("Switching Out of IA-32e Mode Operation", "Switching Back to
 * Real-Address Mode"), and what is checked there. */
    .set AT, 0x8000
    .set TICKS, 0x46c
    .set MIDNIGHT, 0x470
    .set HOOKED, 0x600 /* how often vector 1CH was called */

    .section .text
    .code64
    .globl enter_real_mode
enter_real_mode:
    cli
    lgdt down_gdtr
    lidt down_idtr
    ljmp *down_compatibility
    .code32
1:  mov $0x18, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %cr0, %eax
    and $0x7fffffff, %eax
    mov %eax, %cr0
    mov $0xc0000080, %ecx
    xor %eax, %eax
    xor %edx, %edx
    wrmsr
    xor %eax, %eax
    mov %eax, %cr4
    ljmp $0x10, $AT

    .section .data
    .align 8
down_gdt:
    .quad 0
    .quad 0x00cf9b000000ffff /* 8: 32-bit code */
    .quad 0x00009b000000ffff /* 10H: 16-bit code */
    .quad 0x000093000000ffff /* 18H: 16-bit data */
down_gdtr:
    .word . - down_gdt - 1
    .quad down_gdt
down_idtr:
    .word 0x3ff
    .quad 0
down_compatibility:
    .long 1b
    .word 8

/* Copied to AT. A check that fails leaves with its number in BL. */
    .globl real_mode_begin, real_mode_end
    .code16
    .macro CHECK number
    mov $\number, %bl
    jne failed
    .endm
real_mode_begin:
    mov %cr0, %eax
    and $0xfe, %al
    mov %eax, %cr0
    ljmp $0, $(AT + 2f - real_mode_begin)
2:  xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $0x7000, %sp
    movw %ax, HOOKED
    movw $(AT + hook - real_mode_begin), 0x1c * 4
    movw %ax, 0x1c * 4 + 2

    /* Three ticks, each calls vector 1CH, and the EOI lets the next one through. */
    cmpl $0, TICKS
    CHECK 1
    sti
    hlt
    hlt
    hlt
    cli
    cmpl $3, TICKS
    CHECK 2
    cmpw $3, HOOKED
    CHECK 3

    /* The last tick of the day. */
    movl $0x1800af, TICKS
    sti
    hlt
    cli
    cmpl $0, TICKS
    CHECK 4
    cmpb $1, MIDNIGHT
    CHECK 5

    /* A service that is not there: carry, AH 86H, all else as it was. */
    mov $0x0201, %ax
    mov $0x1234, %cx
    clc
    int $0x13
    mov $6, %bl
    jnc failed
    cmp $0x8601, %ax
    CHECK 7
    cmp $0x1234, %cx
    CHECK 8
    cmpw $639, 0x413
    CHECK 9

    /* Line 11 by way of the slave: both controllers have nothing in service afterwards. */
    mov $0xf7, %al
    out %al, $0xa1
    mov $0x200b, %dx
    mov $1, %al
    out %al, %dx
    sti
    nop
    nop
    cli
    mov $0, %al
    out %al, %dx
    mov $0x0b, %al
    out %al, $0xa0
    in $0xa0, %al
    test %al, %al
    CHECK 10
    mov $0x0b, %al
    out %al, $0x20
    in $0x20, %al
    test %al, %al
    CHECK 11
    mov $0x0a, %al /* and no request is left: the line was acknowledged */
    out %al, $0xa0
    in $0xa0, %al
    test $8, %al
    CHECK 12

    /* By INT, with nothing in service: no EOI, and it comes back. */
    int $0x73
    int $0x0f
    int $0x05
    xor %bl, %bl
failed:
    mov %bl, %al
    out %al, $0xf4
3:  hlt
    jmp 3b
hook:
    push %ds
    push $0
    pop %ds
    incw HOOKED
    pop %ds
    iret
real_mode_end:
    .section .note.GNU-stack, "", @progbits
