/*
 * conformance: hardware task switches by JMP, CALL, IRET, task gate and event: nesting, busy flag, checks on the new TSS
 * SDM: 3A, "Task Switching", table "Exception Conditions Checked During a Task Switch"
 * SDM: 3A, "Task Linking", "Use of Busy Flag To Prevent Recursive Task Switching", "Task-Gate Descriptor"
 * SDM: 3A, "Interrupt 10—Invalid TSS Exception (#TS)", "Task-Switch Exception Condition"
 * conformance-bits: 32
 */
#include "lab.h"

enum {
    OTHER = LAB_FREE, /* TSS of the task that is switched to */
    GATE = LAB_FREE + 8,
    FAULT_TASK =
        LAB_FREE + 0x10, /* #TS and #DB have tasks of their own where the new task's stack is spoiled */
    SHORT_TASK = LAB_FREE + 0x18,
    CODE_ABSENT = LAB_FREE + 0x20,
    TSS32 = 0x89,
    BUSY = 2,
    DPL3 = 0x60,
    EVENT = 0x60,
    NT = 1 << 14,
    TF_IN_TSS = 1,
};
#define CR0_TS 8ul

struct tss32 { /* SDM figure "32-Bit Task-State Segment (TSS)" */
    uint32_t link, esp0, ss0, unused[4], cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs, ldt;
    uint16_t trap, map;
};
struct tss16 {
    uint16_t link, stacks[6], ip, flags, ax, cx, dx, bx, sp, bp, si, di, es, cs, ss, ds, ldt;
};

static struct tss32 other;
static struct tss16 short_tss;
static uint8_t stack[4096];
static uint8_t piece[16];
static const uint8_t target[] = {0xcd, LAB_DONE}, back_by_iret[] = {0xcf, 0x90};
extern const uint8_t lab_stubs[];

static uint32_t address(const volatile void *p)
{
    return (uint32_t)(uintptr_t)p;
}

static unsigned access_of(unsigned selector)
{
    return (unsigned)(lab_gdt[selector / 8] >> 40) & 0xff;
}

static void set_access(unsigned selector, unsigned access)
{
    lab_gdt[selector / 8] = (lab_gdt[selector / 8] & ~(0xffull << 40)) | (uint64_t)access << 40;
}

static uint64_t task_gate(unsigned selector, unsigned access)
{
    return (uint64_t)selector << 16 | (uint64_t)access << 40;
}

/* A fresh task at CPL 0, and TR at ours. */
static void prepare(const void *code)
{
    other = (struct tss32){
        .eip = address(code), .eflags = LAB_FLAGS_FIXED, .esp = address(stack) + sizeof stack - 256};
    other.cs = LAB_CODE0;
    other.ss = other.ds = other.es = other.fs = other.gs = LAB_DATA0;
    other.eax = 0xa1a1a1a1;
    other.edi = 0xd1d1d1d1;
    lab_gdt[OTHER / 8] = lab_descriptor(address(&other), sizeof other - 1, TSS32, 0);
    lab_gdt[GATE / 8] = task_gate(OTHER, 0x85);
    set_access(LAB_TSS, TSS32);
    __asm__ volatile("ltr %w0; clts" ::"r"(LAB_TSS));
}

/* CALL or JMP to a selector. */
static struct lab_state transfer(bool call, unsigned selector, unsigned ring)
{
    piece[0] = call ? 0x9a : 0xea;
    memset(piece + 1, 0, 4);
    piece[5] = (uint8_t)selector;
    piece[6] = (uint8_t)(selector >> 8);
    return lab_start(piece, ring);
}

static uint16_t task_register(void)
{
    uint16_t tr;
    __asm__ volatile("str %0" : "=r"(tr));
    return tr;
}

/* The end of the new task is an INT 20H in it; it runs on its own stack, and TR stays the new task's until prepare. */
static void arrived(struct lab_state *s, const char *how, bool nested)
{
    struct tss32 *old = (struct tss32 *)(void *)lab_tss;
    LAB_EVENT(s, LAB_DONE, 0, target + 2, "%s: the new task runs", how);
    LAB_EQUAL(task_register(), OTHER, "%s: TR", how);
    LAB_EQUAL(s->ax, 0xa1a1a1a1, "%s: EAX of the new TSS", how);
    LAB_EQUAL(s->di, 0xd1d1d1d1, "%s: EDI of the new TSS", how);
    LAB_EQUAL(s->flags & NT, nested ? NT : 0, "%s: NT", how);
    LAB_EQUAL(other.link, nested ? LAB_TSS : 0, "%s: link to the previous task", how);
    LAB_EQUAL(access_of(OTHER), TSS32 | BUSY, "%s: the new TSS is busy", how);
    LAB_EQUAL(access_of(LAB_TSS), nested ? TSS32 | BUSY : TSS32, "%s: the old TSS is %s", how,
              nested ? "busy" : "not busy");
    LAB_EQUAL(read_cr0() & CR0_TS, CR0_TS, "%s: CR0.TS", how);
    LAB_EQUAL(old->cs, LAB_CODE0, "%s: CS saved", how);
    LAB_EQUAL(old->ebx, 0xb1b1, "%s: EBX saved", how);
}

static void switches(void)
{
    static const struct {
        const char *name;
        bool call, gate;
    } ways[] = {{"JMP to a TSS", false, false},
                {"CALL of a TSS", true, false},
                {"JMP to a task gate", false, true},
                {"CALL of a task gate", true, true}};
    struct tss32 *old = (struct tss32 *)(void *)lab_tss;
    for (unsigned i = 0; i < 4; i++) {
        prepare(target);
        struct lab_state s = transfer(ways[i].call, ways[i].gate ? GATE : OTHER, 0);
        s.bx = 0xb1b1;
        lab_go(&s);
        arrived(&s, ways[i].name, ways[i].call);
        LAB_EQUAL(old->eip, address(piece) + 7, "%s: EIP saved is behind it", ways[i].name);
    }
    static const uint8_t int_n[] = {0xcd, EVENT};
    uint64_t gate = task_gate(OTHER, 0x85);
    prepare(target);
    memcpy(lab_idt + EVENT * 8, &gate, 8);
    struct lab_state s = lab_start(int_n, 0);
    s.bx = 0xb1b1;
    lab_go(&s);
    arrived(&s, "INT n through a task gate", true);
    LAB_EQUAL(old->eip, address(int_n) + 2, "INT n: EIP saved is behind it");
    LAB_EQUAL(old->eflags & NT, 0, "INT n: NT of the old task is as it was");
    /* an exception with an error code: pushed on the new task's stack; EIP at the instruction, RF set */
    static const uint8_t load[] = {0x8e, 0xd8}; /* MOV DS, AX */
    prepare(target);
    memcpy(lab_idt + LAB_GP * 8, &gate, 8);
    s = lab_start(load, 0);
    s.ax = 0xfff8;
    s.bx = 0xb1b1;
    lab_go(&s);
    arrived(&s, "#GP through a task gate", true);
    LAB_EQUAL(*(uint32_t *)s.sp, 0xfff8, "#GP: the error code on the new stack");
    LAB_EQUAL(old->eip, address(load), "#GP: EIP saved is the instruction's");
    LAB_EQUAL(old->eflags & 0x10000, 0x10000, "#GP: RF in the saved EFLAGS");
    lab_set_gate(LAB_GP, LAB_CODE0, (unsigned long)lab_stubs + LAB_GP * 16, LAB_INTERRUPT_GATE, 0);
}

static void nested_return(void)
{
    prepare(back_by_iret);
    struct lab_state s = transfer(true, OTHER, 0);
    piece[7] = 0xcd;
    piece[8] = LAB_DONE;
    s.bx = 0xb1b1;
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, piece + 9, "IRET with NT returns to the task that called");
    LAB_EQUAL(task_register(), LAB_TSS, "IRET: TR");
    LAB_EQUAL(s.bx, 0xb1b1, "IRET: registers of the caller");
    LAB_EQUAL(s.flags & NT, 0, "IRET: NT of the caller");
    LAB_EQUAL(access_of(OTHER), TSS32, "IRET: the task left is not busy");
    LAB_EQUAL(access_of(LAB_TSS), TSS32 | BUSY, "IRET: the caller's is");
    LAB_EQUAL(other.eflags & NT, 0, "IRET: NT is 0 in the TSS of the task left");
    LAB_EQUAL(other.eip, address(back_by_iret) + 1, "IRET: EIP saved is behind it");
}

/* What CALL, JMP and IRET refuse before anything changes. */
static void refusals(void)
{
    static const struct {
        const char *name;
        unsigned tss_access, gate_access, selector, ring;
        bool call;
        unsigned vector, error_code;
    } cases[] = {
        {"JMP to a busy TSS", TSS32 | BUSY, 0x85, OTHER, 0, false, LAB_GP, OTHER},
        {"CALL of a busy TSS", TSS32 | BUSY, 0x85, OTHER, 0, true, LAB_GP, OTHER},
        {"CALL of a gate to a busy TSS", TSS32 | BUSY, 0x85, GATE, 0, true, LAB_GP, OTHER},
        {"CALL of a TSS that is not present", 0x09, 0x85, OTHER, 0, true, LAB_NP, OTHER},
        {"CALL of a gate that is not present", TSS32, 0x05, GATE, 0, true, LAB_NP, GATE},
        {"CALL of a TSS of DPL 0 at ring 3", TSS32, 0x85, OTHER, 3, true, LAB_GP, OTHER},
        {"CALL of a gate of DPL 0 at ring 3", TSS32, 0x85, GATE, 3, true, LAB_GP, GATE},
        {"CALL with RPL 3 of a TSS of DPL 0", TSS32, 0x85, OTHER | 3, 0, true, LAB_GP, OTHER},
        {"CALL of a gate to a code segment", 0x9b, 0x85, GATE, 0, true, LAB_GP, OTHER},
        {"CALL of a gate to a 16-bit call gate", 0x84, 0x85, GATE, 0, true, LAB_GP, OTHER},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        prepare(target);
        set_access(OTHER, cases[i].tss_access);
        lab_gdt[GATE / 8] = task_gate(OTHER, cases[i].gate_access);
        struct lab_state s = transfer(cases[i].call, cases[i].selector, cases[i].ring);
        lab_go(&s);
        LAB_EVENT(&s, cases[i].vector, cases[i].error_code, piece, "%s", cases[i].name);
        LAB_EQUAL(task_register(), LAB_TSS, "%s: TR as before", cases[i].name);
    }
    prepare(target); /* a gate at ring 3 with DPL 3 leads to a TSS of DPL 0 */
    lab_gdt[GATE / 8] = task_gate(OTHER, 0x85 | DPL3);
    struct lab_state s = transfer(true, GATE | 3, 3);
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, target + 2,
              "CALL at ring 3 of a gate of DPL 3: the TSS's DPL does not matter");
    prepare(target);
    lab_gdt[OTHER / 8] = lab_descriptor(address(&other), 0x66, TSS32, 0);
    s = transfer(true, OTHER, 0);
    lab_go(&s);
    LAB_EVENT(&s, LAB_TS, OTHER, piece, "a 32-bit TSS with a limit of 66H: #TS(TSS)");
    prepare(target);
    lab_gdt[GATE / 8] = task_gate(OTHER | 4, 0x85);
    s = transfer(true, GATE, 0);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, OTHER | 4, piece, "a TSS in the LDT: #GP(TSS)");
    /* IRET with NT: the link must name a busy TSS */
    prepare(target);
    *(uint16_t *)(void *)lab_tss = OTHER;
    s = lab_start(back_by_iret, 0);
    static const uint8_t nt_then_iret[] = {0x9d, 0xcf}; /* POPF; IRET: lab_go's own IRET must not see NT */
    s = lab_start(nt_then_iret, 0);
    *(uint32_t *)s.sp = NT | LAB_FLAGS_FIXED;
    lab_go(&s);
    LAB_EVENT(&s, LAB_TS, OTHER, nt_then_iret + 1, "IRET to a TSS that is not busy: #TS(TSS)");
    *(uint16_t *)(void *)lab_tss = 0;
    __asm__ volatile("pushf; andl $~0x4000, (%%esp); popf" ::: "memory", "cc");
}

/* Faults after the commit come in the new task, with EIP at its first instruction. #TS needs a stack that works: SS is good. */
static void faults_in_the_new_task(void)
{
    static const struct {
        const char *name;
        unsigned segment; /* index from ES: ES CS SS DS FS GS LDT */
        unsigned selector, vector, error_code;
    } cases[] = {
        {"DS beyond the GDT", 3, LAB_GDT_ENTRIES * 8, LAB_TS, LAB_GDT_ENTRIES * 8},
        {"ES a TSS", 0, LAB_TSS, LAB_TS, LAB_TSS},
        {"FS not present", 4, CODE_ABSENT, LAB_NP, CODE_ABSENT},
        {"CS a data segment", 1, LAB_DATA0, LAB_TS, LAB_DATA0},
        {"CS null", 1, 0, LAB_TS, 0},
        {"CS not present", 1, CODE_ABSENT, LAB_NP, CODE_ABSENT},
        {"LDT a code segment", 6, LAB_CODE0, LAB_TS, LAB_CODE0},
    };
    lab_gdt[CODE_ABSENT / 8] = lab_descriptor(0, 0xfffff, LAB_ACCESS_CODE & 0x7f, LAB_FLAGS_32);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        static struct tss32 handler;
        prepare(target);
        (&other.es)[cases[i].segment] = cases[i].selector;
        /* a task for #TS and #NP, since nothing of the new task may be relied on */
        handler = other;
        handler.es = handler.ss = handler.ds = handler.fs = handler.gs = LAB_DATA0;
        handler.cs = LAB_CODE0;
        handler.ldt = 0;
        handler.esp -= 1024;
        lab_gdt[FAULT_TASK / 8] = lab_descriptor(address(&handler), sizeof handler - 1, TSS32, 0);
        uint64_t gate = task_gate(FAULT_TASK, 0x85);
        memcpy(lab_idt + cases[i].vector * 8, &gate, 8);
        struct lab_state s = transfer(false, OTHER, 0);
        lab_go(&s);
        LAB_EVENT(&s, LAB_DONE, 0, target + 2, "%s: the fault's task runs", cases[i].name);
        LAB_EQUAL(*(uint32_t *)s.sp & ~1u, cases[i].error_code, "%s: error code", cases[i].name);
        LAB_EQUAL(other.eip, address(target), "%s: EIP is the new task's first instruction", cases[i].name);
        LAB_EQUAL(handler.link, OTHER, "%s: TR was the new task's already", cases[i].name);
        lab_set_gate(cases[i].vector, LAB_CODE0, (unsigned long)lab_stubs + cases[i].vector * 16,
                     LAB_INTERRUPT_GATE, 0);
    }
}

static void debug_trap(void)
{
    unsigned long dr6;
    prepare(target);
    other.trap = TF_IN_TSS;
    __asm__ volatile("mov %0, %%dr6" ::"r"(0xffff0ff0ul));
    struct lab_state s = transfer(false, OTHER, 0);
    lab_go(&s);
    __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
    LAB_EVENT(&s, LAB_DB, 0, target, "T flag of the new TSS: #DB before its first instruction");
    LAB_EQUAL(dr6 & 0xe000, 0x8000, "DR6.BT");
}

static void short_task(void)
{
    /* ESP's upper half is not defined: MOV EDX, ESP; MOV ESP, 7000H; INT 20H */
    static const uint8_t code[] = {0x89, 0xe2, 0xbc, 0, 0x70, 0, 0, 0xcd, LAB_DONE};
    memcpy((void *)0x5000ul, code, sizeof code);
    short_tss = (struct tss16){
        .ip = 0x5000, .flags = LAB_FLAGS_FIXED, .sp = 0x6f00, .es = LAB_DATA0, .cs = LAB_CODE0};
    short_tss.ss = short_tss.ds = LAB_DATA0;
    short_tss.cx = 0x1234;
    prepare(target);
    lab_gdt[SHORT_TASK / 8] = lab_descriptor(address(&short_tss), sizeof short_tss - 1, 0x81, 0);
    struct lab_state s = transfer(true, SHORT_TASK, 0);
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, 0x5000 + sizeof code, "CALL of a 16-bit TSS");
    LAB_EQUAL(s.dx & 0xffff, 0x6f00, "16-bit TSS: SP");
    LAB_EQUAL(s.cx & 0xffff, 0x1234, "16-bit TSS: CX");
    LAB_EQUAL(short_tss.link, LAB_TSS, "16-bit TSS: link");
    LAB_EQUAL(s.fs, 0, "16-bit TSS: FS becomes null");
    prepare(target);
    lab_gdt[SHORT_TASK / 8] = lab_descriptor(address(&short_tss), 0x2a, 0x81, 0);
    s = transfer(true, SHORT_TASK, 0);
    lab_go(&s);
    LAB_EVENT(&s, LAB_TS, SHORT_TASK, piece, "a 16-bit TSS with a limit of 2AH: #TS(TSS)");
}

int main(void)
{
    lab_init();
    switches();
    nested_return();
    refusals();
    faults_in_the_new_task();
    debug_trap();
    short_task();
    lab_end();
}
