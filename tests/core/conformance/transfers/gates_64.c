/*
 * conformance: far CALL, JMP, RET and IRET in IA-32e mode: 64-bit gates, compatibility mode and back, stacks, canonical targets
 * SDM: 3A, "IA-32e Mode Call Gates", "Stack Switching in 64-bit Mode", "Code-Segment Descriptors in 64-bit Mode"
 * SDM: 2A, "CALL—Call Procedure", "JMP—Jump", "IRET/IRETD/IRETQ—Interrupt Return"; 2B, "RET—Return From Procedure"
 */
#include "lab.h"

enum {
    GATE = LAB_FREE, /* 16 bytes */
    CODE = LAB_FREE + 0x10,
    GATE64 = 0x8c,
    DPL3 = 0x60,
    TSS_RSP0 = 4,
};
#define NOT_CANONICAL 0x800000000000ul
#define FLAGS_NT 0x4000ul

static const uint8_t target[] = {0xcd, LAB_DONE};
static const uint8_t call_far[] = {0xff, 0x18}, jmp_far[] = {0xff, 0x28};                 /* m16:32 at RAX */
static const uint8_t call_far64[] = {0x48, 0xff, 0x18}, jmp_far64[] = {0x48, 0xff, 0x28}; /* m16:64 */
static const uint8_t retf64[] = {0x48, 0xcb}, retf32[] = {0xcb}, iretq[] = {0x48, 0xcf};
static struct __attribute__((packed)) {
    uint64_t offset;
    uint16_t selector;
} far64;
static struct __attribute__((packed)) {
    uint32_t offset;
    uint16_t selector;
} far32;

static void set_gate(unsigned selector, uint64_t offset, unsigned access, unsigned upper_type)
{
    lab_gdt[GATE / 8] =
        (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)access << 40 | (offset >> 16 & 0xffff) << 48;
    lab_gdt[GATE / 8 + 1] = offset >> 32 | (uint64_t)upper_type << 40;
}

static struct lab_state far_go(const uint8_t *code, unsigned selector, uint64_t offset, unsigned ring)
{
    struct lab_state s = lab_start(code, ring);
    far64.offset = offset;
    far32.offset = (uint32_t)offset;
    far64.selector = far32.selector = (uint16_t)selector;
    s.ax = code == call_far64 || code == jmp_far64 ? (unsigned long)&far64 : (unsigned long)&far32;
    lab_go(&s);
    return s;
}

static void direct(void)
{
    struct lab_state s = far_go(jmp_far64, LAB_CODE0, (uint64_t)target, 0);
    LAB_EVENT(&s, LAB_DONE, 0, target + 2, "JMP m16:64");
    s = far_go(call_far64, LAB_CODE0, (uint64_t)target, 0);
    LAB_EVENT(&s, LAB_DONE, 0, target + 2, "CALL m16:64");
    LAB_EQUAL(((uint64_t *)s.sp)[0], (uint64_t)call_far64 + 3, "CALL m16:64: RIP pushed");
    LAB_EQUAL(((uint64_t *)s.sp)[1], LAB_CODE0, "CALL m16:64: CS pushed, 8 bytes");
    s = far_go(call_far, LAB_CODE0, (uint64_t)target, 0);
    LAB_EVENT(&s, LAB_DONE, 0, target + 2, "CALL m16:32");
    LAB_EQUAL(((uint32_t *)s.sp)[1], LAB_CODE0, "CALL m16:32: CS pushed, 4 bytes");
    s = far_go(jmp_far64, LAB_CODE0, NOT_CANONICAL, 0);
    LAB_EVENT(&s, LAB_GP, 0, jmp_far64, "JMP to an address that is not canonical: #GP(0)");
    s = far_go(jmp_far, LAB_CODE32, (uint64_t)target, 0);
    LAB_EVENT(&s, LAB_DONE, 0, target + 2, "JMP to compatibility mode");
    LAB_EQUAL(s.cs, LAB_CODE32, "its CS");
    s = far_go(jmp_far, LAB_CODE3, (uint64_t)target, 3);
    LAB_EVENT(&s, LAB_DONE, 0, target + 2, "JMP at ring 3");
    lab_gdt[CODE / 8] = lab_descriptor(0, 0xfffff, LAB_ACCESS_CODE, LAB_FLAGS_64 | 4);
    s = far_go(jmp_far, CODE, (uint64_t)target, 0);
    LAB_EVENT(&s, LAB_GP, CODE, jmp_far, "JMP to a segment with L = D = 1: #GP(selector)");
    s = far_go(jmp_far, LAB_TSS, 0, 0);
    LAB_EVENT(&s, LAB_GP, LAB_TSS, jmp_far, "JMP to a TSS: #GP(selector)");
    lab_gdt[CODE / 8] = 0x0000850000000000 | (uint64_t)LAB_TSS << 16;
    s = far_go(jmp_far, CODE, 0, 0);
    LAB_EVENT(&s, LAB_GP, CODE, jmp_far, "JMP to a task gate: #GP(selector)");
}

static void through_gates(void)
{
    set_gate(LAB_CODE0, (uint64_t)target, GATE64, 0);
    struct lab_state s = far_go(call_far64, GATE, 0, 0);
    LAB_EVENT(&s, LAB_DONE, 0, target + 2, "CALL through a gate, same ring");
    LAB_EQUAL(((uint64_t *)s.sp)[1], LAB_CODE0, "CS pushed, 8 bytes");
    s = far_go(call_far, GATE, 0, 3);
    LAB_EVENT(&s, LAB_GP, GATE, call_far, "CALL, CPL above the gate's DPL: #GP(gate)");
    set_gate(LAB_CODE0, (uint64_t)target, GATE64 | DPL3, 0);
    s = far_go(call_far, GATE | 3, 0, 3);
    LAB_EVENT(&s, LAB_DONE, 0, target + 2, "CALL through a gate, ring 3 to 0");
    const uint64_t *frame = (const uint64_t *)s.sp;
    LAB_EQUAL(s.sp, (unsigned long)lab_stack_event + LAB_STACK_BYTES - 32, "RSP of the TSS less 32");
    LAB_EQUAL(s.ss, 0, "SS is null");
    LAB_EQUAL(frame[0], (uint64_t)call_far + 2, "RIP pushed");
    LAB_EQUAL(frame[1], LAB_CODE3, "CS pushed");
    LAB_EQUAL(frame[3], LAB_DATA3, "SS pushed");
    s = far_go(jmp_far, GATE | 3, 0, 3);
    LAB_EVENT(&s, LAB_GP, LAB_CODE0, jmp_far, "JMP through a gate to an inner ring: #GP(CS)");
    set_gate(LAB_CODE0, (uint64_t)target, GATE64 & 0x7f, 0);
    s = far_go(call_far, GATE, 0, 0);
    LAB_EVENT(&s, LAB_NP, GATE, call_far, "CALL, gate not present: #NP(gate)");
    set_gate(LAB_CODE32, (uint64_t)target, GATE64, 0);
    s = far_go(call_far, GATE, 0, 0);
    LAB_EVENT(&s, LAB_GP, LAB_CODE32, call_far, "CALL through a gate to compatibility mode: #GP(CS)");
    set_gate(LAB_CODE0, (uint64_t)target, GATE64, 1);
    s = far_go(call_far, GATE, 0, 0);
    LAB_EVENT(&s, LAB_GP, GATE, call_far, "CALL, type of the upper half not 0: #GP(gate)");
    set_gate(LAB_CODE0, NOT_CANONICAL, GATE64, 0);
    s = far_go(call_far, GATE, 0, 0);
    LAB_EVENT(&s, LAB_GP, 0, call_far, "CALL, offset not canonical: #GP(0)");
    set_gate(LAB_CODE0, (uint64_t)target, 0x84, 0);
    s = far_go(call_far, GATE, 0, 0);
    LAB_EVENT(&s, LAB_GP, GATE, call_far, "CALL through a 16-bit gate: #GP(gate)");
}

/* RSP0 not canonical: #SS(0) before anything is pushed. The #SS comes at CPL 3 and needs a stack too: IST 1. */
static void bad_stack(void)
{
    uint64_t old, bad = NOT_CANONICAL + 64, ist = (uint64_t)lab_stack0 + 4096;
    memcpy(&old, lab_tss + TSS_RSP0, 8);
    memcpy(lab_tss + 36, &ist, 8);
    memcpy(lab_tss + TSS_RSP0, &bad, 8);
    lab_idt[LAB_SS * 16 + 4] = 1;
    set_gate(LAB_CODE0, (uint64_t)target, GATE64 | DPL3, 0);
    struct lab_state s = far_go(call_far, GATE | 3, 0, 3);
    LAB_EVENT(&s, LAB_SS, 0, call_far, "CALL to ring 0, RSP of the TSS not canonical: #SS(0)");
    memcpy(lab_tss + TSS_RSP0, &old, 8);
    lab_idt[LAB_SS * 16 + 4] = 0;
}

static struct lab_state with_frame(const uint8_t *code, unsigned ring, const uint64_t *items, unsigned count)
{
    struct lab_state s = lab_start(code, ring);
    s.sp -= 128;
    memcpy((void *)s.sp, items, count * 8);
    lab_go(&s);
    return s;
}

static void returns(void)
{
    const uint64_t to3[] = {(uint64_t)target, LAB_CODE3, (uint64_t)lab_stack3 + 512, LAB_DATA3};
    struct lab_state s = with_frame(retf64, 0, to3, 4);
    LAB_EVENT(&s, LAB_DONE, 0, target + 2, "RET to ring 3");
    LAB_EQUAL(s.sp, (unsigned long)lab_stack3 + 512, "its RSP");
    LAB_EQUAL(s.ss, LAB_DATA3, "its SS");
    const uint64_t null_ss[] = {(uint64_t)target, LAB_CODE3, (uint64_t)lab_stack3 + 512, 0};
    s = with_frame(retf64, 0, null_ss, 4);
    LAB_EVENT(&s, LAB_GP, 0, retf64, "RET to ring 3 with a null SS: #GP(0)");
    const uint64_t compat3[] = {(uint64_t)target, LAB_CODE32_3, (uint64_t)lab_stack3 + 512, LAB_DATA3};
    s = with_frame(retf64, 0, compat3, 4);
    LAB_EVENT(&s, LAB_DONE, 0, target + 2, "RET to compatibility mode at ring 3");
    LAB_EQUAL(s.cs, LAB_CODE32_3, "its CS");
    const uint64_t far_away[] = {NOT_CANONICAL, LAB_CODE0};
    s = with_frame(retf64, 0, far_away, 2);
    LAB_EVENT(&s, LAB_GP, 0, retf64, "RET to an address that is not canonical: #GP(0)");
    const uint64_t inner[] = {(uint64_t)target, LAB_CODE0};
    s = with_frame(retf64, 3, inner, 2);
    LAB_EVENT(&s, LAB_GP, LAB_CODE0, retf64, "RET to an inner ring: #GP(selector)");
    const uint64_t packed32[] = {(uint64_t)(uint32_t)(uint64_t)target | (uint64_t)LAB_CODE0 << 32};
    s = with_frame(retf32, 0, packed32, 1);
    LAB_EVENT(&s, LAB_DONE, 0, target + 2, "RET with 32-bit operands");

    const uint64_t same[] = {(uint64_t)target, LAB_CODE0, 0x2, (uint64_t)lab_stack0 + 2048, LAB_DATA0};
    s = with_frame(iretq, 0, same, 5);
    LAB_EVENT(&s, LAB_DONE, 0, target + 2, "IRETQ to the same ring");
    LAB_EQUAL(s.sp, (unsigned long)lab_stack0 + 2048, "pops RSP all the same");
    const uint64_t null0[] = {(uint64_t)target, LAB_CODE0, 0x2, (uint64_t)lab_stack0 + 2048, 0};
    s = with_frame(iretq, 0, null0, 5);
    LAB_EVENT(&s, LAB_DONE, 0, target + 2, "IRETQ to 64-bit mode at ring 0 with a null SS");
    const uint64_t null_compat[] = {(uint64_t)target, LAB_CODE32, 0x2, (uint64_t)lab_stack0 + 2048, 0};
    s = with_frame(iretq, 0, null_compat, 5);
    LAB_EVENT(&s, LAB_GP, 0, iretq, "IRETQ to compatibility mode with a null SS: #GP(0)");
    const uint64_t vm[] = {(uint64_t)target, LAB_CODE0, 0x20002, (uint64_t)lab_stack0 + 2048, LAB_DATA0};
    s = with_frame(iretq, 0, vm, 5);
    LAB_EVENT(&s, LAB_DONE, 0, target + 2, "IRETQ with VM = 1 in the image");
    LAB_EQUAL(s.flags & 0x20000, 0, "VM stays 0");
    static const uint8_t nt_iretq[] = {0x9d, 0x48, 0xcf};
    s = lab_start(nt_iretq, 0);
    *(uint64_t *)s.sp = FLAGS_NT | LAB_FLAGS_FIXED;
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, nt_iretq + 1, "IRETQ with NT: #GP(0)");
}

int main(void)
{
    lab_init();
    lab_user_pages();
    direct();
    through_gates();
    bad_stack();
    returns();
    lab_end();
}
