/* timing.S: what timing.c times, instruction by instruction. General registers go through VM entries and exits untouched. */
    .set HOST_RSP, 0x6c14
    .set GUEST_RIP, 0x681e
    .section .text

    .macro save
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov $HOST_RSP, %eax
    vmwrite %rsp, %rax
    .endm
    .macro restore
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    .endm
    .macro tsc to /* 64 bits */
    rdtsc
    shl $32, %rdx
    lea (%rdx, %rax), \to
    .endm

/* uint64_t time_round_trips(uint64_t count): what the guest sees between its two RDTSCs, with count exits between them. */
    .globl time_round_trips, timing_exit_round_trip, timing_guest_round_trip
time_round_trips:
    save
    mov %rdi, %r12
    xor %ebx, %ebx
    vmlaunch
    jmp 3f /* the entry failed */
timing_exit_round_trip:
    dec %r12
    jle 1f
    vmresume
    jmp 3f
1:  js 2f
    mov $GUEST_RIP, %ecx /* the last VMCALL of the count: go on behind it */
    lea after_round_trip(%rip), %rdx
    vmwrite %rdx, %rcx
    vmresume
    jmp 3f
2:  mov %rbx, %rax
    restore
    ret
3:  xor %eax, %eax
    restore
    ret

timing_guest_round_trip:
    tsc %rbp
    vmcall
after_round_trip:
    tsc %rbx
    sub %rbp, %rbx
    vmcall /* the count is below 0 now: the end */

/* bool time_halves(uint64_t count, struct halves *halves): host RDTSC, VMRESUME, guest RDTSC; guest RDTSC, VMCALL, host RDTSC. */
    .globl time_halves, timing_exit_halves, timing_guest_halves
time_halves:
    save
    mov %rdi, %r12
    mov %rsi, %r13
    xor %r14d, %r14d /* sum of entries */
    xor %r15d, %r15d /* sum of exits */
    tsc %rbp
    vmlaunch
    jmp 2f
timing_exit_halves:
    tsc %rbx
    sub %rbp, %rbx
    add %rbx, %r15
    dec %r12
    jz 1f
    mov $GUEST_RIP, %ecx
    lea timing_guest_halves(%rip), %rdx
    vmwrite %rdx, %rcx
    tsc %rbp
    vmresume
    jmp 2f
1:  mov %r14, 0(%r13)
    mov %r15, 8(%r13)
    mov $1, %eax
    restore
    ret
2:  xor %eax, %eax
    restore
    ret

timing_guest_halves:
    tsc %rbx
    sub %rbp, %rbx
    add %rbx, %r14
    tsc %rbp
    vmcall

    .globl time_vmread, time_vmwrite, time_nothing
time_vmread:
    tsc %r8
    .rept 64
    vmread %rdi, %r9
    .endr
    tsc %rax
    sub %r8, %rax
    ret

time_vmwrite:
    tsc %r8
    .rept 64
    vmwrite %rsi, %rdi
    .endr
    tsc %rax
    sub %r8, %rax
    ret

time_nothing:
    tsc %r8
    tsc %rax
    sub %r8, %rax
    ret
    .section .note.GNU-stack, "", @progbits
