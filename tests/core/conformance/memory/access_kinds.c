/*
 * conformance: W/R of a page fault's error code: which instructions read their operand, write it, or both; PREFETCHh and NOP do not fault
 * SDM: 3A, "Interrupt 14—Page-Fault Exception (#PF)"
 * SDM: 2, the operation of each instruction; "CLFLUSH—Flush Cache Line", "PREFETCHh—Prefetch Data Into Caches"
 */
#include "lab.h"

enum { PAGE = 4096, CR0_WP = 1 << 16, P = 1, W = 2, READS = 0, WRITES = W, NEITHER = -1 };
#define LINEAR 0x8000000000ull /* PML4 entry 1, which boot.S leaves empty */

extern uint64_t boot_pml4[512];
static uint64_t tables[3][512] __attribute__((aligned(PAGE)));
static uint8_t page[PAGE] __attribute__((aligned(PAGE)));

#define C(...) {__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
static const struct {
    const char *name;
    uint8_t code[8];
    uint8_t bytes;
    int8_t kind; /* of an operand that is read and written: WRITES */
} cases[] = {
    {"MOV load", C(0x8b, 0x03), READS},
    {"MOV store", C(0x89, 0x03), WRITES},
    {"ADD to memory", C(0x01, 0x03), WRITES},
    {"CMP", C(0x39, 0x03), READS},
    {"TEST m8, imm8", C(0xf6, 0x03, 1), READS},
    {"TEST m32, imm32", C(0xf7, 0x03, 1, 0, 0, 0), READS},
    {"TEST m32, EAX", C(0x85, 0x03), READS},
    {"NOT", C(0xf7, 0x13), WRITES},
    {"ROL", C(0xd1, 0x03), WRITES},
    {"RCR by CL", C(0xd3, 0x1b), WRITES},
    {"SHL by imm8", C(0xc1, 0x23, 3), WRITES},
    {"SETNE", C(0x0f, 0x95, 0x03), WRITES},
    {"BT", C(0x0f, 0xba, 0x23, 1), READS},
    {"BTS", C(0x0f, 0xba, 0x2b, 1), WRITES},
    {"XCHG", C(0x87, 0x03), WRITES},
    {"CMPXCHG", C(0x0f, 0xb1, 0x0b), WRITES},
    {"MOVNTI", C(0x0f, 0xc3, 0x03), WRITES},
    {"FST m64", C(0xdd, 0x13), WRITES},
    {"FISTP m16", C(0xdf, 0x1b), WRITES},
    {"FNSTCW", C(0xd9, 0x3b), WRITES},
    {"FLDCW", C(0xd9, 0x2b), READS},
    {"FRSTOR", C(0xdd, 0x23), READS},
    {"FNSAVE", C(0xdd, 0x33), WRITES},
    {"CVTSD2SI", C(0xf2, 0x0f, 0x2d, 0x03), READS},
    {"MOVUPS store", C(0x0f, 0x11, 0x03), WRITES},
    {"STMXCSR", C(0x0f, 0xae, 0x1b), WRITES},
    {"CLFLUSH", C(0x0f, 0xae, 0x3b), READS},
    {"PREFETCHT0", C(0x0f, 0x18, 0x0b), NEITHER},
    {"NOP m32", C(0x0f, 0x1f, 0x03), NEITHER},
};

static void map(uint64_t entry)
{
    tables[2][0] = entry;
    __asm__ volatile("invlpg (%0)" ::"r"(LINEAR) : "memory");
}

static void try_case(unsigned i, const char *how)
{
    static uint8_t code[16];
    memcpy(code, cases[i].code, cases[i].bytes);
    code[cases[i].bytes] = 0xcd;
    code[cases[i].bytes + 1] = LAB_DONE;
    const uint8_t *end = code + cases[i].bytes + 2;
    const int kind = cases[i].kind;
    struct lab_state s = lab_start(code, 0);
    s.bx = LINEAR;
    map(0);
    lab_go(&s);
    if (kind == NEITHER)
        LAB_EVENT(&s, LAB_DONE, 0, end, "%s%s: page not present", cases[i].name, how);
    else
        LAB_EVENT(&s, LAB_PF, (unsigned)kind, code, "%s%s: page not present", cases[i].name, how);
    s = lab_start(code, 0);
    s.bx = LINEAR;
    map((uint64_t)page | 1);
    lab_go(&s);
    if (kind == WRITES)
        LAB_EVENT(&s, LAB_PF, P | W, code, "%s%s: page read-only", cases[i].name, how);
    else
        LAB_EVENT(&s, LAB_DONE, 0, end, "%s%s: page read-only", cases[i].name, how);
}

int main(void)
{
    lab_init();
    boot_pml4[1] = (uint64_t)tables[0] | 3;
    tables[0][0] = (uint64_t)tables[1] | 3;
    tables[1][0] = (uint64_t)tables[2] | 3;
    write_cr0(read_cr0() | CR0_WP);
    write_cr4(read_cr4() | 0x600); /* OSFXSR, OSXMMEXCPT */
    __asm__ volatile("fninit; fnsave %0" : "=m"(*(uint8_t(*)[108])page));
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        try_case(i, "");
    /* Where breakpoints are enabled, vtsim checks each instruction by itself. */
    __asm__ volatile("mov %0, %%dr0; mov %1, %%dr7" ::"r"(0x12345678ul), "r"(0x401ul));
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        try_case(i, " with a breakpoint enabled");
    lab_end();
}
