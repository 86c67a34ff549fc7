/* processors.S: what a processor runs after a start-up IPI: from real mode at 8000H to processor_main() in 64-bit mode, in
 * the address space of the first one. The code is copied to 8000H; every address in it is made relative to that. */
    .set AT, 0x8000
    .section .text
    .globl processor_start, processor_start_end, processor_stack
    .code16
processor_start:
    cli
    xor %ax, %ax
    mov %cs, %ax
    mov %ax, %ds
    lgdtl (start_gdtr - processor_start)
    mov $0x620, %eax /* PAE, OSFXSR, OSXMMEXCPT */
    mov %eax, %cr4
    mov (start_cr3 - processor_start), %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    mov $0x100, %eax
    xor %edx, %edx
    wrmsr
    mov $0x80000033, %eax
    mov %eax, %cr0
    ljmpl $8, $(AT + start_64 - processor_start)
    .code64
start_64:
    mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov processor_stack, %rsp
    mov $processor_main, %rax
    jmp *%rax
    .align 8
start_gdtr:
    .word 4 * 8 - 1
    .long AT + start_gdt - processor_start
    .align 8
start_gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* 64-bit code */
    .quad 0x00cf93000000ffff /* data */
    .quad 0
    .globl start_cr3
start_cr3:
    .long 0
processor_start_end:

    .section .data
    .align 8
processor_stack: .quad 0
    .globl patched, patched_end
    .section .text
    .code64
    .align 16
patched: /* changed while another processor calls it */
    mov $1, %eax
    ret
patched_end:
