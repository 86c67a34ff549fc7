/*
 * guests.S: the three guests. Each is copied to guest-physical 1000H of its own memory and runs there; it prints through port
 * E9H, which its hypervisor intercepts, hands its result over in (E/R)AX with VMCALL, and halts.
 */
    .set CONSOLE, 0xe9

    .macro blob name
    .section .text
    .align 16
    .globl \name, \name\()_end
\name:
    .endm

/* 16-bit real mode: how many primes are there below 10000? */
    blob guest_real
    .code16
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %ss
    mov $0x7000, %sp
    xor %edi, %edi /* primes found */
    mov $2, %si
1:  mov $2, %bx
2:  mov %bx, %ax
    mul %bx
    cmp %si, %ax
    ja 3f
    mov %si, %ax
    xor %dx, %dx
    div %bx
    or %dx, %dx
    jz 4f
    inc %bx
    jmp 2b
3:  inc %di
4:  inc %si
    cmp $10000, %si
    jb 1b
    mov $(5f - guest_real + 0x1000), %si
6:  lodsb
    or %al, %al
    jz 7f
    out %al, $CONSOLE
    jmp 6b
7:  mov %edi, %eax
    vmcall
    hlt
5:  .asciz "counted the primes below 10000 by trial division\n"
guest_real_end:

/* 32-bit, paged: fills 64 KiB at linear address 40000000H by a linear congruential generator and adds it up again. */
    blob guest_protected
    .code32
    mov $0x40000000, %edi
    mov $12345, %eax
    mov $16384, %ecx
1:  imul $1664525, %eax, %eax
    add $1013904223, %eax
    mov %eax, (%edi)
    add $4, %edi
    dec %ecx
    jnz 1b
    mov $8, %ebp /* rounds */
    xor %eax, %eax
2:  mov $0x40000000, %esi
    mov $16384, %ecx
3:  rol $1, %eax
    add (%esi), %eax
    add $4, %esi
    dec %ecx
    jnz 3b
    dec %ebp
    jnz 2b
    mov %eax, %edi
    mov $(5f - guest_protected + 0x1000), %esi
6:  lodsb
    or %al, %al
    jz 7f
    out %al, $CONSOLE
    jmp 6b
7:  mov %edi, %eax
    vmcall
    hlt
5:  .asciz "added up 64 KiB of numbers, eight times\n"
guest_protected_end:

/* 64-bit: a xorshift generator over 128 KiB at linear address 8000000000H. */
    blob guest_long
    .code64
    mov $0x8000000000, %rdi
    mov $0x2545f4914f6cdd1d, %rax
    mov $16384, %ecx
1:  mov %rax, %rdx
    shl $13, %rdx
    xor %rdx, %rax
    mov %rax, %rdx
    shr $7, %rdx
    xor %rdx, %rax
    mov %rax, %rdx
    shl $17, %rdx
    xor %rdx, %rax
    mov %rax, (%rdi)
    add $8, %rdi
    dec %ecx
    jnz 1b
    mov $8, %ebp
    xor %eax, %eax
2:  mov $0x8000000000, %rsi
    mov $16384, %ecx
3:  rol $1, %rax
    add (%rsi), %rax
    add $8, %rsi
    dec %ecx
    jnz 3b
    dec %ebp
    jnz 2b
    mov %rax, %rdi
    mov $(5f - guest_long + 0x1000), %esi
6:  lodsb
    or %al, %al
    jz 7f
    out %al, $CONSOLE
    jmp 6b
7:  mov %rdi, %rax
    vmcall
    hlt
5:  .asciz "ran a xorshift generator over 128 KiB\n"
guest_long_end:
    .section .note.GNU-stack, "", @progbits
