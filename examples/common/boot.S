/* boot.S: from a Multiboot 1 loader's flat 32-bit protected mode to main() in 64-bit mode, the first 4 GiB mapped 1:1. */
    .set MULTIBOOT_MAGIC, 0x1badb002
    .set MULTIBOOT_FLAGS, 3 /* page-aligned modules, memory information */

    .section .multiboot, "a"
    .align 4
    .long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

    .section .text
    .code32
    .globl _start
_start:
    cli
    mov $boot_stack_top, %esp
    mov %ebx, boot_information
    /* Page tables: one PML4 entry, four PDPT entries, 2048 pages of 2 MiB. */
    mov $boot_pdpt + 3, %eax
    mov %eax, boot_pml4
    mov $boot_pdpt, %edi
    mov $boot_pd + 3, %eax
    mov $4, %ecx
1:  mov %eax, (%edi)
    add $8, %edi
    add $0x1000, %eax
    loop 1b
    mov $boot_pd, %edi
    mov $0x83, %eax
    mov $2048, %ecx
2:  mov %eax, (%edi)
    add $8, %edi
    add $0x200000, %eax
    loop 2b
    mov %cr4, %eax
    or $0x620, %eax /* PAE, OSFXSR, OSXMMEXCPT */
    mov %eax, %cr4
    mov $boot_pml4, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x100, %eax /* LME */
    wrmsr
    mov %cr0, %eax
    and $~0x4, %eax
    or $0x80000022, %eax /* PG, NE, MP */
    mov %eax, %cr0
    lgdt boot_gdtr
    ljmp $8, $3f
    .code64
3:  mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    mov $boot_tss, %rax /* the TSS descriptor's base */
    mov %ax, boot_gdt + 24 + 2
    shr $16, %rax
    mov %al, boot_gdt + 24 + 4
    mov %ah, boot_gdt + 24 + 7
    mov $24, %eax
    ltr %ax
    mov boot_information, %edi
    call main
    mov %eax, %edi
    call leave
4:  hlt
    jmp 4b

    .section .data
    .align 16
    .globl boot_gdt
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* 64-bit code */
    .quad 0x00cf93000000ffff /* data */
    .quad 0x0000890000000067 /* 64-bit TSS; base filled in */
    .quad 0
    .globl boot_gdtr
boot_gdtr:
    .word . - boot_gdt - 1
    .quad boot_gdt

    .section .bss
    .align 4096
    .globl boot_pml4
boot_pml4: .skip 4096
boot_pdpt: .skip 4096
boot_pd: .skip 16384
    .skip 16384
boot_stack_top:
    .globl boot_tss
boot_tss: .skip 104
    .globl boot_information
boot_information: .skip 8
    .section .note.GNU-stack, "", @progbits
