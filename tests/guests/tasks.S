/* tasks.S: from 64-bit mode down to 32-bit protected mode with PAE paging, through the task switches of tasks.c, and back. */
    .set CODE64, 0x08
    .set CODE32, 0x18
    .set MAIN_TASK, 0x20
    .set NESTED_GATE, 0x38
    .set JUMPED_TASK, 0x40

    .section .text
    .code64
    .globl tasks_run
tasks_run:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, long_stack
    lgdt tasks_gdtr
    lidt tasks_idtr
    pushq $CODE32
    pushq $1f
    lretq
    .code32
1:  mov %cr0, %eax
    and $0x7fffffff, %eax /* PG */
    mov %eax, %cr0
    mov $0xc0000080, %ecx
    rdmsr
    and $~0x100, %eax /* LME */
    wrmsr
    mov $tasks_pdpt, %eax
    mov %eax, %cr3
    mov %cr0, %eax
    or $0x80000000, %eax
    mov %eax, %cr0
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    mov $MAIN_TASK, %eax
    ltr %ax

    clts
    mov $0x1234, %ebx
    lcall $NESTED_GATE, $0 /* call */
    mov %ebx, seen_ebx
    mov %cr0, %eax
    mov %eax, seen_cr0
    lcall $NESTED_GATE, $0 /* again: it goes on behind its IRET */
    int $0x30              /* a 16-bit task */
    mov $0xffff, %eax
    .globl faulting
faulting:
    mov %eax, %fs /* #GP, by a task too; it sets EIP to what follows */
    .globl behind_fault
behind_fault:
    ljmp $JUMPED_TASK, $0 /* comes back by JMP */
    str %ax
    mov %ax, seen_tr

    mov %cr0, %eax
    and $0x7ffffff7, %eax /* PG, TS */
    mov %eax, %cr0
    mov $0xc0000080, %ecx
    rdmsr
    or $0x100, %eax
    wrmsr
    mov $boot_pml4, %eax
    mov %eax, %cr3
    mov %cr0, %eax
    or $0x80000000, %eax
    mov %eax, %cr0
    ljmp $CODE64, $2f
    .code64
2:  mov long_stack, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .code32
    .globl nested_task
nested_task:
    incl nested_entries
    pushf
    popl nested_eflags
    mov %cr3, %eax
    mov %eax, nested_cr3
    mov marker_alias, %eax
    mov (%eax), %eax /* mapped in this task only */
    mov %eax, nested_marker
    iret
    jmp nested_task

    .globl fault_task
fault_task:
    popl fault_code
    mov tasks_main_tss + 32, %eax /* EIP of the task that faulted */
    mov %eax, fault_eip
    mov tasks_main_tss + 36, %eax
    mov %eax, fault_eflags
    movl $behind_fault, tasks_main_tss + 32
    iret
    jmp fault_task

    .globl jumped_task
jumped_task:
    pushf
    popl jumped_eflags
    ljmp $MAIN_TASK, $0
    jmp jumped_task

    .code16
    .globl short_task
short_task:
    .byte 0x67, 0x66, 0x89, 0x35 /* addr32 movl %esi, short_esi: not every assembler knows the prefix here */
    .long short_esi
    .byte 0x67, 0x89, 0x25 /* addr32 movw %sp, short_sp */
    .long short_sp
    iret
    jmp short_task

    .section .bss
    .align 8
long_stack: .skip 8
    .section .note.GNU-stack, "", @progbits
