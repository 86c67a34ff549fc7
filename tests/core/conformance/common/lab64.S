/* lab64.S: lab_go and the event stubs of 64-bit guests. Offsets are those of struct lab_state. */
    .set AX, 0
    .set CX, 8
    .set DX, 16
    .set BX, 24
    .set SP, 32
    .set BP, 40
    .set SI, 48
    .set DI, 56
    .set R8, 64
    .set R15, 120
    .set IP, 128
    .set FLAGS, 136
    .set CS, 144
    .set SS, 152
    .set DS, 160
    .set ES, 168
    .set FS, 176
    .set GS, 184
    .set VECTOR, 192
    .set ERROR, 200
    .set CR2, 208
    .set FRAME, 216
    .set STATE_BYTES, 224

    .macro copy from, to
    mov \from(%rbx), %rax
    mov %rax, \to(%rsp)
    .endm
    .macro store segment, to
    xor %eax, %eax
    mov \segment, %ax
    mov %rax, \to(%rsp)
    .endm

    .section .text
    .globl lab_go, lab_iret
lab_go:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    pushf
    mov %rsp, lab_host_sp
    mov %rdi, lab_current
    mov %rdi, %rax
    pushq SS(%rax)
    pushq SP(%rax)
    pushq FLAGS(%rax)
    pushq CS(%rax)
    pushq IP(%rax)
    mov DS(%rax), %ds
    mov ES(%rax), %es
    mov FS(%rax), %fs
    mov GS(%rax), %gs
    mov CX(%rax), %rcx
    mov DX(%rax), %rdx
    mov BX(%rax), %rbx
    mov BP(%rax), %rbp
    mov SI(%rax), %rsi
    mov DI(%rax), %rdi
    mov R8(%rax), %r8
    mov R8+8(%rax), %r9
    mov R8+16(%rax), %r10
    mov R8+24(%rax), %r11
    mov R8+32(%rax), %r12
    mov R8+40(%rax), %r13
    mov R8+48(%rax), %r14
    mov R15(%rax), %r15
    mov AX(%rax), %rax
lab_iret:
    iretq

    .globl lab_stubs
    .align 16
lab_stubs:
    .set vector, 0
    .rept 256
    .align 16
    .if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21)
    .else
    pushq $0
    .endif
    pushq $vector
    jmp common
    .set vector, vector + 1
    .endr

    .align 16
/* Above RSP: vector, error code, RIP, CS, RFLAGS, RSP, SS. */
common:
    sub $STATE_BYTES, %rsp
    mov %rax, AX(%rsp)
    mov %rcx, CX(%rsp)
    mov %rdx, DX(%rsp)
    mov %rbx, BX(%rsp)
    mov %rbp, BP(%rsp)
    mov %rsi, SI(%rsp)
    mov %rdi, DI(%rsp)
    mov %r8, R8(%rsp)
    mov %r9, R8+8(%rsp)
    mov %r10, R8+16(%rsp)
    mov %r11, R8+24(%rsp)
    mov %r12, R8+32(%rsp)
    mov %r13, R8+40(%rsp)
    mov %r14, R8+48(%rsp)
    mov %r15, R15(%rsp)
    lea STATE_BYTES(%rsp), %rbx
    copy 0, VECTOR
    copy 8, ERROR
    copy 16, IP
    copy 24, CS
    copy 32, FLAGS
    copy 40, SP
    copy 48, SS
    store %ds, DS
    store %es, ES
    store %fs, FS
    store %gs, GS
    lea 16(%rbx), %rax
    mov %rax, FRAME(%rsp)
    mov %rsp, %rdi
    lea 16(%rbx), %rsi /* where the frame's RIP is */
    mov %rsp, %rbp
    and $-16, %rsp
    cld
    call lab_record
    mov %rbp, %rsp
    test %al, %al
    jz 1f
    mov AX(%rsp), %rax
    mov CX(%rsp), %rcx
    mov DX(%rsp), %rdx
    mov BX(%rsp), %rbx
    mov BP(%rsp), %rbp
    mov SI(%rsp), %rsi
    mov DI(%rsp), %rdi
    mov R8(%rsp), %r8
    mov R8+8(%rsp), %r9
    mov R8+16(%rsp), %r10
    mov R8+24(%rsp), %r11
    add $STATE_BYTES + 16, %rsp
    iretq
1:  mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov %eax, %ss
    mov lab_host_sp, %rsp
    popf
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .section .bss
    .align 8
lab_host_sp: .skip 8
    .section .note.GNU-stack, "", @progbits
