/*
 * ept_restarts: each instruction meets an EPT violation in its operand, its stack or the second page of
 * either. The exit finds nothing changed and tells of the access; resumed, the instruction does what it does
 * without one. SDM volume 3C "EPT Violations", table "Exit Qualification for EPT Violations", "Saving RIP,
 * RSP, RFLAGS, and SSP".
 */
/* expect: status 0 */
/* expect: options --quiet */
#include "trap.h"
#include "vmx.h"

enum {
    PAGE = 4096,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    IA32E_MODE_GUEST = 1 << 9,
    LOAD_DEBUG_CONTROLS = 1 << 2,
    SECONDARY_EPT = 1 << 1,
    READ_ONLY = 1,
    READ_WRITE_EXECUTE = 7,
    WRITE_BACK = 6 << 3,
    LARGE = 1 << 7,
    EPTP_FOUR_LEVELS_WRITE_BACK = 3 << 3 | 6,
    R = 1, /* bits of the exit qualification */
    W = 2,
    LINEAR_VALID = 1 << 7,
    OF_THE_ACCESS = 1 << 8,
    RF = 1 << 16,
    FLAGS = 0x8d7, /* all arithmetic ones set */
    GUEST_LINEAR_ADDRESS = 0x640a,
    CODE_BYTES = 48,
    EDGE = 1024, /* bytes before and behind the boundary that a case may touch */
};
#define ACTIVATE_SECONDARY (1u << 31)
#define REGION 0x2200000ull /* 2 MiB with an EPT page table of its own */
#define HOLE (REGION + 0x10000)
#define BEFORE (REGION + 0x20000)
#define CODE 0x2000000ull
#define FXSAVE_AT 0x2100000ull
#define OTHER 0x2180000ull /* a second operand, always there */

struct restart_case {
    const char *name;
    uint8_t code[10];
    uint8_t bytes;
    uint8_t access;   /* R, W */
    int16_t at;       /* RBX (and RSP, RBP, RSI or RDI if named), from the hole's first byte */
    int16_t reported; /* where the violation is, from there */
    enum { IN_RBX = 0, IN_RSP = 1, IN_RBP = 2, IN_RSI = 4, IN_RDI = 8, PARTIAL = 16, FRAME = 32 } how;
    uint64_t rax, rcx, rdx;
};

#define C(...) {__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
static const struct restart_case cases[] = {
    {"MOV store", C(0x48, 0x89, 0x03), W, 0, 0, 0, 1, 2, 3},
    {"MOV store, second page", C(0x48, 0x89, 0x03), W, -3, 0, 0, 0x1122334455667788, 2, 3},
    {"MOV load, second page", C(0x48, 0x8b, 0x03), R, -3, 0, 0, 1, 2, 3},
    {"ADD to memory", C(0x48, 0x01, 0x03), R | W, 8, 8, 0, 0x1111, 2, 3},
    {"ADD to memory, second page", C(0x48, 0x01, 0x03), R | W, -4, 0, 0, 0x1111, 2, 3},
    {"ADC from memory", C(0x48, 0x13, 0x03), R, 8, 8, 0, 0x1111, 2, 3},
    {"SBB to memory, second page", C(0x19, 0x03), R | W, -1, 0, 0, 0x1111, 2, 3},
    {"INC, second page", C(0x48, 0xff, 0x03), R | W, -1, 0, 0, 1, 2, 3},
    {"NEG", C(0xf7, 0x1b), R | W, 4, 4, 0, 1, 2, 3},
    {"NOT, second page", C(0x66, 0xf7, 0x13), R | W, -1, 0, 0, 1, 2, 3},
    {"XCHG, second page", C(0x48, 0x87, 0x03), R | W, -5, 0, 0, 0xabcdef, 2, 3},
    {"XADD, second page", C(0x48, 0x0f, 0xc1, 0x03), R | W, -5, 0, 0, 0xabcdef, 2, 3},
    {"LOCK XADD", C(0xf0, 0x48, 0x0f, 0xc1, 0x03), R | W, 16, 16, 0, 0xabcdef, 2, 3},
    {"LOCK INC", C(0xf0, 0xff, 0x03), R | W, 0, 0, 0, 1, 2, 3},
    {"CMPXCHG, unequal", C(0x48, 0x0f, 0xb1, 0x13), R | W, 0, 0, 0, 1, 2, 3},
    {"CMPXCHG8B", C(0x0f, 0xc7, 0x0b), R | W, 0, 0, 0, 1, 2, 3},
    {"LOCK CMPXCHG16B", C(0xf0, 0x48, 0x0f, 0xc7, 0x0b), R | W, 0, 0, 0, 1, 2, 3},
    {"BTS by register", C(0x48, 0x0f, 0xab, 0x0b), R | W, -64, 0, 0, 1, 515, 3},
    {"BT by register", C(0x48, 0x0f, 0xa3, 0x0b), R, -64, 0, 0, 1, 515, 3},
    {"SHL by CL, second page", C(0x48, 0xd3, 0x23), R | W, -2, 0, 0, 1, 5, 3},
    {"RCR by CL", C(0xd3, 0x1b), R | W, 0, 0, 0, 1, 5, 3},
    {"SHLD", C(0x48, 0x0f, 0xa5, 0x03), R | W, 0, 0, 0, 0x55aa, 9, 3},
    {"MUL", C(0x48, 0xf7, 0x23), R, 0, 0, 0, 0x123456789, 9, 3},
    {"DIV", C(0x48, 0xf7, 0x33), R, 0, 0, 0, 0x123456789, 9, 1},
    {"SETO", C(0x0f, 0x90, 0x03), W, 0, 0, 0, 1, 2, 3},
    {"CMOVNE that does not move", C(0x48, 0x0f, 0x45, 0x03), R, 0, 0, 0, 1, 2, 3},
    {"MOVBE store", C(0x48, 0x0f, 0x38, 0xf1, 0x03), W, -3, 0, 0, 0x0102030405060708, 2, 3},
    {"XLAT", C(0xd7), R, 0, 7, 0, 7, 2, 3},
    {"PUSH m64", C(0xff, 0x33), R, -4, 0, 0, 1, 2, 3},
    {"POP m64", C(0x8f, 0x03), W, -4, 0, 0, 1, 2, 3},
    {"PUSH RAX", C(0x50), W, 4, 0, IN_RSP, 1, 2, 3},
    {"PUSH RAX, second page", C(0x50), W, 4, 0, IN_RSP, 1, 2, 3},
    {"POP RAX", C(0x58), R, 0, 0, IN_RSP, 1, 2, 3},
    {"POP RSP", C(0x5c), R, -4, 0, IN_RSP, 1, 2, 3},
    {"PUSHFQ", C(0x9c), W, 16, 8, IN_RSP, 1, 2, 3},
    {"CALL near", C(0xe8, 0, 0, 0, 0), W, 8, 0, IN_RSP, 1, 2, 3},
    {"CALL m64", C(0xff, 0x13), R, 0, 0, 0, 1, 2, 3},
    {"JMP m64", C(0xff, 0x23), R, -4, 0, 0, 1, 2, 3},
    {"RET", C(0xc3), R, 0, 0, IN_RSP, 1, 2, 3},
    {"RET 16", C(0xc2, 16, 0), R, -4, 0, IN_RSP, 1, 2, 3},
    {"RETFQ", C(0x48, 0xcb), R, -8, 0, IN_RSP | FRAME, 1, 2, 3},
    {"IRETQ", C(0x48, 0xcf), R, -24, 0, IN_RSP | FRAME, 1, 2, 3},
    {"ENTER", C(0xc8, 32, 0, 0), W, 8, 0, IN_RSP, 1, 2, 3},
    {"LEAVE", C(0xc9), R, -3, 0, IN_RBP, 1, 2, 3},
    {"MOVSQ to the hole", C(0x48, 0xa5), W, -4, 0, IN_RDI, 1, 2, 3},
    {"MOVSB from the hole", C(0xa4), R, 0, 0, IN_RSI, 1, 2, 3},
    {"STOSD", C(0xab), W, -2, 0, IN_RDI, 0x12345678, 2, 3},
    {"LODSW", C(0x66, 0xad), R, -1, 0, IN_RSI, 0x12345678, 2, 3},
    {"SCASB", C(0xae), R, 0, 0, IN_RDI, 0x12345678, 2, 3},
    {"CMPSQ", C(0x48, 0xa7), R, -4, 0, IN_RDI, 0x12345678, 2, 3},
    {"REP MOVSB", C(0xf3, 0xa4), W, -5, 0, IN_RDI | PARTIAL, 1, 20, 3},
    {"REP STOSQ", C(0xf3, 0x48, 0xab), W, -24, 0, IN_RDI | PARTIAL, 1, 6, 3},
    {"REPE CMPSB", C(0xf3, 0xa6), R, 0, 0, IN_RSI | PARTIAL, 1, 6, 3},
    {"REPNE SCASB", C(0xf2, 0xae), R, -3, 0, IN_RDI | PARTIAL, 0xef, 6, 3},
    {"MOVUPS store", C(0x0f, 0x11, 0x03), W, -8, 0, 0, 1, 2, 3},
    {"MOVUPS load", C(0x0f, 0x10, 0x03), R, -7, 0, 0, 1, 2, 3},
    {"MOVAPS store", C(0x0f, 0x29, 0x03), W, 0, 0, 0, 1, 2, 3},
    {"MOVQ store", C(0x66, 0x0f, 0xd6, 0x03), W, -1, 0, 0, 1, 2, 3},
    {"ADDSD", C(0xf2, 0x0f, 0x58, 0x03), R, -1, 0, 0, 1, 2, 3},
    {"PSHUFB", C(0x66, 0x0f, 0x38, 0x00, 0x03), R, 0, 0, 0, 1, 2, 3},
    {"MASKMOVDQU", C(0x66, 0x0f, 0xf7, 0xc1), W, 0, 0, IN_RDI, 1, 2, 3},
    {"MOVNTI", C(0x48, 0x0f, 0xc3, 0x03), W, 0, 0, 0, 1, 2, 3},
    {"STMXCSR", C(0x0f, 0xae, 0x1b), W, -2, 0, 0, 1, 2, 3},
    {"FLD m64", C(0xdd, 0x03), R, -4, 0, 0, 1, 2, 3},
    {"FLD m80", C(0xdb, 0x2b), R, -9, 0, 0, 1, 2, 3},
    {"FSTP m80", C(0xdb, 0x3b), W, -4, 0, 0, 1, 2, 3},
    {"FSTP m80, last bytes", C(0xdb, 0x3b), W, -8, 0, 0, 1, 2, 3},
    {"FSTP m32", C(0xd9, 0x1b), W, -1, 0, 0, 1, 2, 3},
    {"FISTP m64", C(0xdf, 0x3b), W, -1, 0, 0, 1, 2, 3},
    {"FBSTP", C(0xdf, 0x33), W, -3, 0, 0, 1, 2, 3},
    {"FNSTENV", C(0xd9, 0x33), W, -12, 0, 0, 1, 2, 3},
    {"FNSAVE", C(0xdd, 0x33), W, -60, 0, 0, 1, 2, 3},
    {"FNSTCW", C(0xd9, 0x3b), W, -1, 0, 0, 1, 2, 3},
    {"FXSAVE", C(0x0f, 0xae, 0x03), W, -256, 0, 0, 1, 2, 3},
    {"SGDT", C(0x0f, 0x01, 0x03), W, -4, 0, 0, 1, 2, 3},
    {"SMSW m16", C(0x0f, 0x01, 0x23), W, -1, 0, 0, 1, 2, 3},
    {"SLDT m16", C(0x0f, 0x00, 0x03), W, 0, 0, 0, 1, 2, 3},
    {"VERR m16", C(0x0f, 0x00, 0x23), R, 0, 0, 0, 1, 2, 3},
    {"LAR m16", C(0x0f, 0x02, 0x03), R, -1, 0, 0, 1, 2, 3},
    {"TEST m8, imm8", C(0xf6, 0x03, 1), R, 0, 0, 0, 1, 2, 3},
    {"TEST m32, imm32", C(0xf7, 0x03, 1, 2, 3, 4), R, -1, 0, 0, 1, 2, 3},
    {"TEST m64, RAX", C(0x48, 0x85, 0x03), R, 0, 0, 0, 1, 2, 3},
    {"CMP m8, imm8", C(0x80, 0x3b, 1), R, 0, 0, 0, 1, 2, 3},
    {"ROL by 1", C(0x48, 0xd1, 0x03), R | W, -1, 0, 0, 1, 2, 3},
    {"ROR by imm8", C(0xc0, 0x0b, 3), R | W, 0, 0, 0, 1, 2, 3},
    {"RCL by 1", C(0xd1, 0x13), R | W, 0, 0, 0, 1, 2, 3},
    {"SAR by CL", C(0xd3, 0x3b), R | W, 0, 0, 0, 1, 2, 3},
    {"BTC by imm8", C(0x0f, 0xba, 0x3b, 9), R | W, -3, 0, 0, 1, 2, 3},
    {"BT by imm8", C(0x0f, 0xba, 0x23, 9), R, -3, 0, 0, 1, 2, 3},
    {"FST m32", C(0xd9, 0x13), W, 0, 0, 0, 1, 2, 3},
    {"FST m64", C(0xdd, 0x13), W, -1, 0, 0, 1, 2, 3},
    {"FIST m16", C(0xdf, 0x13), W, 0, 0, 0, 1, 2, 3},
    {"FISTTP m32", C(0xdb, 0x0b), W, 0, 0, 0, 1, 2, 3},
    {"FNSTSW m16", C(0xdd, 0x3b), W, -1, 0, 0, 1, 2, 3},
    {"FRSTOR", C(0xdd, 0x23), R, -20, 0, 0, 1, 2, 3},
    {"FLDCW", C(0xd9, 0x2b), R, -1, 0, 0, 1, 2, 3},
    {"CVTSD2SI", C(0xf2, 0x0f, 0x2d, 0x03), R, -1, 0, 0, 1, 2, 3},
    {"CVTTSS2SI", C(0xf3, 0x0f, 0x2c, 0x03), R, 0, 0, 0, 1, 2, 3},
    {"CMPSD", C(0xa7), R, -3, 0, IN_RSI, 1, 2, 3},
    {"MOVD mm store", C(0x0f, 0x7e, 0x03), W, -3, 0, 0, 1, 2, 3},
    {"PEXTRB store", C(0x66, 0x0f, 0x3a, 0x14, 0x03, 1), W, 0, 0, 0, 1, 2, 3},
    {"EXTRACTPS store", C(0x66, 0x0f, 0x3a, 0x17, 0x03, 1), W, -1, 0, 0, 1, 2, 3},
    {"MOVHPS store", C(0x0f, 0x17, 0x03), W, -1, 0, 0, 1, 2, 3},
    {"MOVBE load", C(0x0f, 0x38, 0xf0, 0x03), R, -1, 0, 0, 1, 2, 3},
    {"CLFLUSH", C(0x0f, 0xae, 0x3b), R, 0, 0, 0, 1, 2, 3},
};

extern uint16_t boot_gdtr[];
extern char boot_gdt[];
static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE)));
static uint64_t ept[4][512] __attribute__((aligned(PAGE)));
static uint8_t pattern[2 * EDGE], after_fault[2 * EDGE], results[2][2 * EDGE], fx[2][512];
static uint8_t start_fx[512] __attribute__((aligned(16)));
static struct guest_registers before, registers, ends[2];
static uint64_t end_rsp[2], end_rflags[2];
static bool launched;

static void build_ept(void)
{
    ept[0][0] = (uint64_t)ept[1] | READ_WRITE_EXECUTE;
    ept[1][0] = (uint64_t)ept[2] | READ_WRITE_EXECUTE;
    for (uint64_t i = 0; i < 512; i++) {
        ept[2][i] = i << 21 | LARGE | WRITE_BACK | READ_WRITE_EXECUTE;
        ept[3][i] = (REGION + i * PAGE) | WRITE_BACK | READ_WRITE_EXECUTE;
    }
    ept[2][REGION >> 21] = (uint64_t)ept[3] | READ_WRITE_EXECUTE;
}

static void set_hole(unsigned rights)
{
    ept[3][(HOLE - REGION) / PAGE] = rights ? HOLE | WRITE_BACK | rights : 0;
    const uint64_t descriptor[2] = {(uint64_t)ept[0] | EPTP_FOUR_LEVELS_WRITE_BACK, 0};
    __asm__ volatile("invept %0, %1" ::"m"(descriptor), "r"(1ull) : "cc", "memory");
}

/* FXRSTOR [FXSAVE_AT + 512]; the instruction; VMCALL (as the target of what jumps); FXSAVE is the host's
 * business. */
static void write_code(const struct restart_case *c)
{
    uint8_t *to = (uint8_t *)CODE;
    memset(to, 0x90, CODE_BYTES);
    memcpy(to, c->code, c->bytes);
    to[c->bytes] = 0x0f;
    to[c->bytes + 1] = 0x01;
    to[c->bytes + 2] = 0xc1;
}

static void write_memory(const struct restart_case *c)
{
    uint64_t target = CODE + c->bytes;
    memcpy((void *)(HOLE - EDGE), pattern, sizeof pattern);
    if (c->how & FRAME) { /* RIP, CS, RFLAGS, RSP, SS */
        const uint64_t frame[] = {target, 8, 2, HOLE + 256, 16};
        memcpy((void *)(HOLE + c->at), frame, sizeof frame);
    } else if (c->code[0] == 0xc3 || c->code[0] == 0xc2 || c->code[0] == 0xff) {
        memcpy((void *)(HOLE + c->at), &target, sizeof target);
    }
}

static void set_up(const struct restart_case *c)
{
    const uint64_t operand = HOLE + (uint64_t)(int64_t)c->at;
    write_memory(c);
    before = (struct guest_registers){.rax = c->rax, .rcx = c->rcx, .rdx = c->rdx, .rbx = operand};
    before.rbp = c->how & IN_RBP ? operand : 0x1b1b;
    before.rsi = c->how & IN_RSI ? operand : OTHER;
    before.rdi = c->how & IN_RDI ? operand : OTHER + 64;
    before.r8 = 8, before.r9 = 9, before.r10 = 10, before.r11 = 11;
    before.r12 = 12, before.r13 = 13, before.r14 = 14, before.r15 = 15;
    memcpy((void *)OTHER, pattern, 256);
    registers = before;
    vmwrite(GUEST_RSP, c->how & IN_RSP ? operand : BEFORE);
    vmwrite(GUEST_RIP, CODE);
    vmwrite(GUEST_RFLAGS, FLAGS);
    __asm__ volatile("fninit; fxrstor %0" ::"m"(start_fx)); /* FNINIT: no instruction and data pointers */
}

static uint64_t run(const struct restart_case *c)
{
    if (!vmx_run(&registers, launched)) {
        put_text(c->name);
        put_text(": no VM entry\n");
        leave(2);
    }
    launched = true;
    return vmread(EXIT_REASON);
}

static void check(const struct restart_case *c, const char *what, uint64_t value, uint64_t expected)
{
    if (value == expected)
        return;
    put_text(c->name);
    put_text(": ");
    check_equal(what, value, expected, (int)(c - cases));
}

static bool same(const void *a, const void *b, size_t bytes)
{
    const uint8_t *x = a, *y = b;
    for (size_t i = 0; i < bytes; i++)
        if (x[i] != y[i])
            return false;
    return true;
}

static void check_violation(const struct restart_case *c, uint64_t rights)
{
    const uint64_t at = HOLE + (uint64_t)(int64_t)c->reported;
    /* An operand that is read and written meets a page that may be read as a write. */
    check(c, "access, rights", vmread(EXIT_QUALIFICATION) & 0x3f, (c->access & ~rights) | rights << 3);
    check(c, "guest-linear address is valid, and of the access", vmread(EXIT_QUALIFICATION) & 0x180,
          LINEAR_VALID | OF_THE_ACCESS);
    check(c, "guest-physical address", vmread(GUEST_PHYSICAL_ADDRESS), at);
    check(c, "guest-linear address", vmread(GUEST_LINEAR_ADDRESS), at);
    check(c, "RIP", vmread(GUEST_RIP), CODE);
    if (c->how & PARTIAL) {
        check(c, "RF", vmread(GUEST_RFLAGS) & RF, RF);
        return;
    }
    check(c, "RFLAGS", vmread(GUEST_RFLAGS), FLAGS | RF);
    check(c, "RSP", vmread(GUEST_RSP), c->how & IN_RSP ? HOLE + (uint64_t)(int64_t)c->at : BEFORE);
    check(c, "registers are as before", same(&registers, &before, sizeof before), true);
    check(c, "RAX", registers.rax, before.rax);
}

static void finish(const struct restart_case *c, unsigned which)
{
    check(c, "ends with VMCALL", run(c), EXIT_VMCALL);
    __asm__ volatile("fxsave %0" : "=m"(*(uint8_t(*)[512])(FXSAVE_AT)));
    memcpy(fx[which], (void *)FXSAVE_AT, 512);
    memcpy(results[which], (void *)(HOLE - EDGE), 2 * EDGE);
    ends[which] = registers;
    end_rsp[which] = vmread(GUEST_RSP);
    end_rflags[which] = vmread(GUEST_RFLAGS);
}

/* The hole's page has these rights in the EPT, and lacks one that c needs. */
static void meet_violation(const struct restart_case *c, unsigned rights)
{
    set_up(c);
    set_hole(rights);
    memcpy(after_fault, (void *)(HOLE - EDGE), sizeof after_fault);
    check(c, "exit reason", run(c), EXIT_EPT_VIOLATION);
    if (vmread(EXIT_REASON) != EXIT_EPT_VIOLATION)
        return;
    check_violation(c, rights);
    if (!(c->how & PARTIAL))
        check(c, "memory is as before", same(after_fault, (void *)(HOLE - EDGE), sizeof after_fault), true);
    set_hole(READ_WRITE_EXECUTE);
    finish(c, 0);
    check(c, "same memory", same(results[0], results[1], sizeof results[0]), true);
    check(c, "same registers", same(&ends[0], &ends[1], sizeof ends[0]), true);
    check(c, "same RAX", ends[0].rax, ends[1].rax);
    check(c, "same RSP", end_rsp[0], end_rsp[1]);
    check(c, "same RFLAGS", end_rflags[0] & ~(uint64_t)RF, end_rflags[1]);
    check(c, "same x87 and SSE registers", same(fx[0] + 24, fx[1] + 24, 392), true);
    check(c, "same x87 status", same(fx[0], fx[1], 6), true);
}

static void try_case(const struct restart_case *c)
{
    write_code(c);
    set_hole(READ_WRITE_EXECUTE);
    set_up(c);
    finish(c, 1);
    meet_violation(c, 0);
    if (c->access & W) {
        meet_violation(c, READ_ONLY);
        return;
    }
    set_up(c); /* what only reads is content with a page that can only be read */
    set_hole(READ_ONLY);
    finish(c, 0);
    check(c, "same RAX, read-only page", ends[0].rax, ends[1].rax);
}

/* Breakpoints are enabled: instructions are then checked one by one (sim/core/step.h). */
static void with_breakpoints(void)
{
    __asm__ volatile("mov %0, %%dr0" ::"r"(0x12345678ul));
    vmwrite(GUEST_DR7, 0x401);
}

int main(void)
{
    const struct vmx_wanted_controls wanted = {.primary = ACTIVATE_SECONDARY,
                                               .secondary = SECONDARY_EPT,
                                               .exit = HOST_ADDRESS_SPACE_SIZE,
                                               .entry = IA32E_MODE_GUEST | LOAD_DEBUG_CONTROLS};
    trap_install();
    if (!vmx_enable() || !vmcs_create_with(vmcs, &wanted))
        leave(1);
    write_cr4(read_cr4() | 0x600); /* OSFXSR, OSXMMEXCPT */
    vmwrite(HOST_CR4, read_cr4());
    for (unsigned i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 7 + 3);
    __asm__ volatile("fninit; fld1; fldpi; fldl2e; fxsave %0" : "=m"(start_fx));
    for (unsigned i = 0; i < 64; i++)
        start_fx[160 + i] = (uint8_t)(0x81 + 3 * i);
    build_ept();
    vmcs_guest_long_mode(CODE, 0, read_cr3());
    vmwrite(GUEST_CR4, 0x2620);
    vmwrite(GUEST_GDTR_BASE, (uint64_t)boot_gdt);
    vmwrite(GUEST_CS_SELECTOR, 8);
    vmwrite(GUEST_SS_SELECTOR, 16);
    vmwrite(EPT_POINTER, (uint64_t)ept[0] | EPTP_FOUR_LEVELS_WRITE_BACK);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
            try_case(&cases[i]);
        with_breakpoints();
    }
    check_end();
}
