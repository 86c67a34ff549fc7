/*
 * kernels.S: the guest code that is measured, bare and in vtsim: the same bytes. 64-bit, position-independent, with RSI and RDI pointing at
 * data and RCX holding the number of rounds; each ends with HLT.
 */
    .macro kernel name
    .section .rodata
    .align 16
    .globl \name, \name\()_end
\name:
    .code64
    .endm
    .macro end_kernel name
    hlt
\name\()_end:
    .endm

/* Five instructions a block: load, store, integer work, branch. */
    kernel kernel_compute5
1:  add (%rsi), %rax
    mov %rax, (%rdi)
    xor %rcx, %rax
    dec %rcx
    jnz 1b
    end_kernel kernel_compute5

/* Two and three instructions a block. */
    kernel kernel_compute2
1:  add %rcx, %rax
    jmp 2f
2:  xor %rcx, %rax
    dec %rcx
    jnz 1b
    end_kernel kernel_compute2

/* One load from each of 8192 pages, again and again: RCX rounds. */
    kernel kernel_pages
1:  mov %rsi, %rbx
    mov $8192, %edx
2:  mov (%rbx), %eax
    add $4096, %rbx
    dec %edx
    jnz 2b
    dec %rcx
    jnz 1b
    end_kernel kernel_pages

    .section .note.GNU-stack, "", @progbits
