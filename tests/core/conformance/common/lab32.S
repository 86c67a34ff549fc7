/* lab32.S: lab_go and the event stubs of 32-bit guests. Offsets are those of struct lab_state. */
    .set AX, 0
    .set CX, 4
    .set DX, 8
    .set BX, 12
    .set SP, 16
    .set BP, 20
    .set SI, 24
    .set DI, 28
    .set IP, 32
    .set FLAGS, 36
    .set CS, 40
    .set SS, 44
    .set DS, 48
    .set ES, 52
    .set FS, 56
    .set GS, 60
    .set VECTOR, 64
    .set ERROR, 68
    .set FRAME, 76
    .set STATE_BYTES, 80
    .set EFLAGS_VM, 0x20000

    .macro copy from, to
    mov \from(%ebx), %eax
    mov %eax, \to(%esp)
    .endm
    .macro store segment, to
    xor %eax, %eax
    mov \segment, %ax
    mov %eax, \to(%esp)
    .endm

    .section .text
    .code32
    .globl lab_go, lab_iret
lab_go:
    push %ebx
    push %ebp
    push %esi
    push %edi
    pushf
    mov %esp, lab_host_sp
    mov 24(%esp), %eax
    mov %eax, lab_current
    testl $EFLAGS_VM, FLAGS(%eax)
    jz 1f
    pushl GS(%eax)
    pushl FS(%eax)
    pushl DS(%eax)
    pushl ES(%eax)
    jmp 2f
1:  testb $3, CS(%eax)
    jnz 2f
    mov SS(%eax), %ss
    mov SP(%eax), %esp
    jmp 3f
2:  pushl SS(%eax)
    pushl SP(%eax)
3:  pushl %cs:FLAGS(%eax)
    pushl %cs:CS(%eax)
    pushl %cs:IP(%eax)
    testl $EFLAGS_VM, %cs:FLAGS(%eax)
    jnz 4f
    mov %cs:ES(%eax), %es
    mov %cs:FS(%eax), %fs
    mov %cs:GS(%eax), %gs
    mov %cs:DS(%eax), %ds
4:  mov %cs:CX(%eax), %ecx
    mov %cs:DX(%eax), %edx
    mov %cs:BX(%eax), %ebx
    mov %cs:BP(%eax), %ebp
    mov %cs:SI(%eax), %esi
    mov %cs:DI(%eax), %edi
    mov %cs:AX(%eax), %eax
lab_iret:
    iret

    .globl lab_stubs
    .align 16
lab_stubs:
    .set vector, 0
    .rept 256
    .align 16
    .if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21)
    .else
    pushl $0
    .endif
    pushl $vector
    jmp common
    .set vector, vector + 1
    .endr

    .align 16
/* Above ESP: vector, error code, EIP, CS, EFLAGS; ESP, SS after a change of privilege; ES, DS, FS, GS after
 * virtual-8086 mode. */
common:
    sub $STATE_BYTES, %esp
    mov %eax, AX(%esp)
    mov %ecx, CX(%esp)
    mov %edx, DX(%esp)
    mov %ebx, BX(%esp)
    mov %ebp, BP(%esp)
    mov %esi, SI(%esp)
    mov %edi, DI(%esp)
    store %ds, DS
    store %es, ES
    store %fs, FS
    store %gs, GS
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    lea STATE_BYTES(%esp), %ebx
    copy 0, VECTOR
    copy 4, ERROR
    copy 8, IP
    copy 12, CS
    copy 16, FLAGS
    lea 8(%ebx), %eax
    mov %eax, FRAME(%esp)
    testl $EFLAGS_VM, 16(%ebx)
    jz 1f
    copy 28, ES
    copy 32, DS
    copy 36, FS
    copy 40, GS
    jmp 2f
1:  testb $3, 12(%ebx)
    jnz 2f
    lea 20(%ebx), %eax
    mov %eax, SP(%esp)
    store %ss, SS
    jmp 3f
2:  copy 20, SP
    copy 24, SS
3:  mov %esp, %eax
    lea 8(%ebx), %edx /* where the frame's EIP is */
    push %edx
    push %eax
    cld
    call lab_record
    add $8, %esp
    test %al, %al
    jz 4f
    mov DS(%esp), %ds
    mov ES(%esp), %es
    mov CX(%esp), %ecx
    mov DX(%esp), %edx
    mov BX(%esp), %ebx
    mov AX(%esp), %eax
    add $STATE_BYTES + 8, %esp
    iret
4:  mov $0x10, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov %eax, %ss
    mov lab_host_sp, %esp
    popf
    pop %edi
    pop %esi
    pop %ebp
    pop %ebx
    ret

    .section .bss
    .align 4
lab_host_sp: .skip 4
    .section .note.GNU-stack, "", @progbits
