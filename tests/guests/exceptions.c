/*
 * exceptions: each is raised by one instruction and looked at in its handler: vector, error code, RIP, CR2.
 * SDM volume 3A "Exception and Interrupt Reference".
 */
/* expect: status 0 */
#include "trap.h"

enum {
    DE = 0,
    BP = 3,
    UD = 6,
    NM = 7,
    NP = 11,
    SS = 12,
    GP = 13,
    PF = 14,
    CR0_TS = 1 << 3,
    CR0_WP = 1 << 16,
    ERROR_P = 1,
    ERROR_W = 2,
    ERROR_RSVD = 8,
    ERROR_IDT = 2,
    PAGE = 4096,
    TSS_IST1 = 36, /* SDM "64-Bit TSS Format" */
    GATE_IST = 4,
    GATE_TYPE = 5, /* bytes of a gate */
};
#define UNMAPPED 0x8000000000ull /* PML4 entry 1, which boot.S leaves empty */
#define NOT_CANONICAL 0x800000000000ull

#define FNOP ".byte 0xd9, 0xd0"

extern uint64_t boot_pml4[512];
extern uint8_t boot_tss[];
static uint64_t tables[3][512] __attribute__((aligned(PAGE)));

static void instruction_faults(void)
{
    TRAP_TRY("divl %0", ::"r"(0), "a"(1), "d"(0) : "cc");
    CHECK_FAULT(DE, 0);
    TRAP_TRY("divb %0", ::"q"((uint8_t)1), "a"(0x1000) : "cc"); /* the quotient needs more than 8 bits */
    CHECK_FAULT(DE, 0);
    TRAP_TRY("ud2");
    CHECK_FAULT(UD, 0);
    TRAP_TRY(".byte 0x0f, 0xff, 0xc0"); /* UD0 */
    CHECK_FAULT(UD, 0);
    TRAP_TRY("int3");
    CHECK_TRAP(BP);
    TRAP_TRY(".byte 0xf0, 0x90"); /* LOCK NOP */
    CHECK_FAULT(UD, 0);
    write_cr0(read_cr0() | CR0_TS);
    TRAP_TRY(FNOP);
    CHECK_FAULT(NM, 0);
    __asm__ volatile("clts");
    TRAP_TRY(FNOP);
    CHECK_NO_TRAP();
}

/* A push with RSP not canonical. The exception's frame goes to the stack of IST 1, since RSP is of no use. */
static void stack_fault(void)
{
    static uint8_t stack[PAGE] __attribute__((aligned(16)));
    uint64_t top = (uint64_t)stack + sizeof stack;
    memcpy(boot_tss + TSS_IST1, &top, sizeof top);
    trap_gate(SS)[GATE_IST] = 1;
    trap_record.taken = false;
    __asm__ volatile("movq $1f, trap_tried; movq $2f, trap_resumes; mov %%rsp, %%rbx; mov %0, %%rsp\n"
                     "1: push %%rax\n"
                     "2: mov %%rbx, %%rsp" ::"r"(NOT_CANONICAL + PAGE)
                     : "rbx", "memory");
    CHECK_FAULT(SS, 0);
    trap_resumes = 0;
    trap_gate(SS)[GATE_IST] = 0;
    CHECK_EQUAL(trap_record.cr2, 0);
}

static void general_faults(void)
{
    TRAP_TRY("movq (%0), %%rax", ::"r"(NOT_CANONICAL) : "rax");
    CHECK_FAULT(GP, 0);
    TRAP_TRY("mov %0, %%ds", ::"r"(0x1000)); /* beyond the GDT's limit */
    CHECK_FAULT(GP, 0x1000);
    TRAP_TRY("mov %0, %%ss", ::"r"(0x13)); /* RPL 3 at CPL 0 */
    CHECK_FAULT(GP, 0x10);
    trap_gate(0x40)[GATE_TYPE] &= 0x7f; /* not present */
    TRAP_TRY("int $0x40");
    CHECK_FAULT(NP, 0x40 * 8 + ERROR_IDT);
    TRAP_TRY("wrmsr", ::"c"(0x12345678), "a"(0), "d"(0));
    CHECK_FAULT(GP, 0);
    TRAP_TRY("mov %0, %%cr4", ::"r"(1ull << 63));
    CHECK_FAULT(GP, 0);
}

static void page_faults(void)
{
    uint64_t value = 0;
    TRAP_TRY("movq (%1), %0", : "+r"(value) : "r"(UNMAPPED + 0x1234));
    CHECK_FAULT(PF, 0);
    CHECK_EQUAL(trap_record.cr2, UNMAPPED + 0x1234);
    TRAP_TRY("movb $1, (%0)", ::"r"(UNMAPPED + 5) : "memory");
    CHECK_FAULT(PF, ERROR_W);
    CHECK_EQUAL(trap_record.cr2, UNMAPPED + 5);

    boot_pml4[1] = (uint64_t)tables[0] | 3;
    tables[0][0] = (uint64_t)tables[1] | 3;
    tables[1][0] = (uint64_t)tables[2] | 3;
    tables[2][0] = (uint64_t)tables | 1;              /* read only */
    tables[2][1] = (uint64_t)tables | 1ull << 51 | 3; /* an address bit beyond the processor's width */
    write_cr0(read_cr0() | CR0_WP);
    TRAP_TRY("movq (%1), %0", : "+r"(value) : "r"(UNMAPPED));
    CHECK_NO_TRAP();
    TRAP_TRY("movq %0, (%1)", ::"r"(value), "r"(UNMAPPED + 8) : "memory");
    CHECK_FAULT(PF, ERROR_P | ERROR_W);
    CHECK_EQUAL(trap_record.cr2, UNMAPPED + 8);
    TRAP_TRY("movq (%1), %0", : "+r"(value) : "r"(UNMAPPED + PAGE));
    CHECK_FAULT(PF, ERROR_P | ERROR_RSVD);
    CHECK_EQUAL(trap_record.cr2, UNMAPPED + PAGE);
    TRAP_TRY("movq (%1), %0", : "+r"(value) : "r"(UNMAPPED + PAGE - 4)); /* 4 bytes in each of two pages */
    CHECK_FAULT(PF, ERROR_P | ERROR_RSVD);
    CHECK_EQUAL(trap_record.cr2, UNMAPPED + PAGE);
    TRAP_TRY("jmp *%0", ::"r"(UNMAPPED + 2 * PAGE)); /* RIP is the target's: the fetch faults, not the jump */
    CHECK_EQUAL(trap_record.vector, PF);
    CHECK_EQUAL(trap_record.rip, UNMAPPED + 2 * PAGE);
    CHECK_EQUAL(trap_record.cr2, UNMAPPED + 2 * PAGE);
    CHECK_EQUAL(trap_record.error_code, 0); /* neither NXE nor SMEP: the I/D flag stays 0 */
}

int main(void)
{
    trap_install();
    instruction_faults();
    stack_fault();
    general_faults();
    page_faults();
    check_end();
}
