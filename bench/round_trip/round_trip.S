/* round_trip.S: the shortest handler that is one: reads what an exit handler must read, skips the instruction, resumes. */
    .set EXIT_REASON, 0x4402
    .set EXIT_QUALIFICATION, 0x6400
    .set EXIT_INSTRUCTION_LENGTH, 0x440c
    .set GUEST_RIP, 0x681e
    .set HOST_RSP, 0x6c14
    .set HOST_RIP, 0x6c16
    .section .text
    .globl handle_round_trips
handle_round_trips:
    mov %rdi, %r15
    mov $HOST_RSP, %eax
    vmwrite %rsp, %rax
    mov $HOST_RIP, %eax
    mov $1f, %edx
    vmwrite %rdx, %rax
    vmlaunch
    ud2
1:  dec %r15
    jz 2f
    mov $EXIT_REASON, %eax
    vmread %rax, %rbx
    mov $EXIT_QUALIFICATION, %eax
    vmread %rax, %rbx
    mov $EXIT_INSTRUCTION_LENGTH, %eax
    vmread %rax, %rbx
    mov $GUEST_RIP, %eax
    vmread %rax, %rdx
    add %rbx, %rdx
    vmwrite %rdx, %rax
    vmresume
    ud2
2:  ret

    .globl guest_code, guest_code_end
guest_code:
    cpuid
    jmp guest_code
guest_code_end:
    .section .note.GNU-stack, "", @progbits
