/* boot32.S: main() of a 32-bit guest straight from the Multiboot loader's flat protected mode, without paging. */
    .set MULTIBOOT_MAGIC, 0x1badb002
    .set MULTIBOOT_FLAGS, 3

    .section .multiboot, "a"
    .align 4
    .long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

    .section .text
    .code32
    .globl _start
_start:
    cli
    mov $boot_stack_top, %esp
    mov %cr0, %eax
    and $~0xc, %eax /* EM, TS */
    or $0x22, %eax /* NE, MP */
    mov %eax, %cr0
    mov %cr4, %eax
    or $0x600, %eax /* OSFXSR, OSXMMEXCPT */
    mov %eax, %cr4
    lgdt boot_gdtr
    ljmp $8, $1f
1:  mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov %eax, %ss
    call main
    push %eax
    call leave

    .section .data
    .align 8
boot_gdt:
    .quad 0
    .quad 0x00cf9b000000ffff
    .quad 0x00cf93000000ffff
boot_gdtr:
    .word . - boot_gdt - 1
    .long boot_gdt

    .section .bss
    .align 16
    .skip 16384
boot_stack_top:
    .section .note.GNU-stack, "", @progbits
