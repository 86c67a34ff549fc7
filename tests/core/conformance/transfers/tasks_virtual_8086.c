/*
 * conformance: hardware task switches into and out of a virtual-8086 task: JMP, CALL, IRET with NT, an event's task gate
 * SDM: 3A, "Task Switching", "Task-State Segment (TSS)", table "Effect of a Task Switch on Busy Flag, NT Flag, Previous Task Link Field, and TS Flag"
 * SDM: 3B, "Entering Virtual-8086 Mode", "Leaving Virtual-8086 Mode", "Handling a Virtual-8086 Interrupt or Exception Through a Task Gate"
 * conformance-bits: 32
 */
#include "v86.h"

enum {
    OTHER = LAB_FREE, /* the virtual-8086 task */
    HANDLER_TASK = LAB_FREE + 8,
    TSS32 = 0x89,
    BUSY = 2,
    EVENT = 0x60,
    START = 0x30,
    RF = 1 << 16,
};

struct tss32 { /* SDM figure "32-Bit Task-State Segment (TSS)" */
    uint32_t link, esp0, ss0, unused[4], cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs, ldt;
    uint16_t trap, map;
};

static struct tss32 other, handler;
static uint8_t stack[4096], handler_stack[4096], piece[16];
extern const uint8_t lab_stubs[];

static uint32_t address(const volatile void *p)
{
    return (uint32_t)(uintptr_t)p;
}

static unsigned access_of(unsigned selector)
{
    return (unsigned)(lab_gdt[selector / 8] >> 40) & 0xff;
}

static uint16_t task_register(void)
{
    uint16_t tr;
    __asm__ volatile("str %0" : "=r"(tr));
    return tr;
}

/* A virtual-8086 task that runs code at V86_CODE:START, and TR at ours. Segment selectors that no GDT has. */
static void prepare(const void *code, unsigned bytes, unsigned flags)
{
    uint8_t *to = (uint8_t *)(V86_CODE * 16ul + START);
    memcpy(to, code, bytes);
    to[bytes] = V86_HLT;
    other = (struct tss32){.eip = START, .eflags = LAB_FLAGS_FIXED | V86_VM | flags, .esp = V86_SP};
    other.esp0 = address(stack) + sizeof stack;
    other.ss0 = LAB_DATA0;
    other.cs = V86_CODE;
    other.ss = V86_STACK;
    other.ds = 0xfff1;
    other.es = 0x1235;
    other.fs = 7;
    other.gs = 0;
    other.eax = 0xa1a1a1a1;
    other.map = sizeof other;
    lab_gdt[OTHER / 8] = lab_descriptor(address(&other), sizeof other - 1, TSS32, 0);
    lab_gdt[LAB_TSS / 8] = (lab_gdt[LAB_TSS / 8] & ~(0xffull << 40)) | (uint64_t)TSS32 << 40;
    __asm__ volatile("ltr %w0; clts" ::"r"(LAB_TSS));
}

static struct lab_state transfer(bool call)
{
    piece[0] = call ? 0x9a : 0xea;
    memset(piece + 1, 0, 4);
    piece[5] = OTHER;
    piece[6] = 0;
    piece[7] = 0xcd;
    piece[8] = LAB_DONE;
    return lab_start(piece, 0);
}

/* The HLT of the task gives #GP through its own TSS's stack of ring 0: SS:ESP, and the data segments in the frame. */
static void entered(struct lab_state *s, const char *how, bool nested, unsigned flags)
{
    LAB_EVENT(s, LAB_GP, 0, START + 1, "%s: #GP of the task's HLT", how);
    LAB_EQUAL(s->frame, address(stack) + sizeof stack - 36, "%s: the frame is on the new TSS's stack", how);
    LAB_EQUAL(s->cs, V86_CODE, "%s: CS", how);
    LAB_EQUAL(s->ss, V86_STACK, "%s: SS", how);
    LAB_EQUAL(s->sp, V86_SP, "%s: SP", how);
    LAB_EQUAL(s->ds, 0xfff1, "%s: DS", how);
    LAB_EQUAL(s->es, 0x1235, "%s: ES", how);
    LAB_EQUAL(s->fs, 7, "%s: FS", how);
    LAB_EQUAL(s->gs, 0, "%s: GS", how);
    LAB_EQUAL(s->ax, 0xa1a1a1a1, "%s: EAX", how);
    LAB_EQUAL(s->flags, LAB_FLAGS_FIXED | V86_VM | RF | flags | (nested ? V86_NT : 0), "%s: EFLAGS", how);
    LAB_EQUAL(task_register(), OTHER, "%s: TR", how);
    LAB_EQUAL(other.link, nested ? LAB_TSS : 0, "%s: link", how);
    LAB_EQUAL(access_of(LAB_TSS), nested ? TSS32 | BUSY : TSS32, "%s: the old TSS", how);
    LAB_EQUAL(access_of(OTHER), TSS32 | BUSY, "%s: the new TSS", how);
}

static void into(void)
{
    static const uint8_t nop[] = {0x90};
    for (unsigned call = 0; call < 2; call++) {
        prepare(nop, 1, V86_CF | V86_IOPL);
        struct lab_state s = transfer(call);
        lab_go(&s);
        entered(&s, call ? "CALL" : "JMP", call, V86_CF | V86_IOPL);
    }
    /* by IRET with NT, to a TSS that is busy */
    static const uint8_t nt_then_iret[] = {0x9d, 0xcf};
    prepare(nop, 1, 0);
    lab_gdt[OTHER / 8] |= (uint64_t)BUSY << 40;
    *(uint16_t *)(void *)lab_tss = OTHER;
    struct lab_state s = lab_start(nt_then_iret, 0);
    *(uint32_t *)s.sp = V86_NT | LAB_FLAGS_FIXED;
    lab_go(&s);
    entered(&s, "IRET", false, 0);
    LAB_EQUAL(((struct tss32 *)(void *)lab_tss)->eflags & V86_NT, 0,
              "IRET: NT of the task left is saved as 0");
    *(uint16_t *)(void *)lab_tss = 0;
}

/* What only the new mode makes a fault: it comes in the new task, at its first instruction. */
static void first_instruction(void)
{
    static const uint8_t nop[] = {0x90};
    unsigned long dr6;
    prepare(nop, 1, 0);
    other.eip = 0x10000; /* beyond the limit of FFFFH */
    struct lab_state s = transfer(false);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, 0x10000, "EIP beyond FFFFH: #GP(0) in the new task");
    LAB_EQUAL(s.flags & V86_VM, V86_VM, "EIP beyond FFFFH: VM in the frame");
    LAB_EQUAL(task_register(), OTHER, "EIP beyond FFFFH: TR");
    prepare(nop, 1, 0);
    other.trap = 1;
    __asm__ volatile("mov %0, %%dr6" ::"r"(0xffff0ff0ul));
    s = transfer(false);
    lab_go(&s);
    __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
    LAB_EVENT(&s, LAB_DB, 0, START, "T flag of the TSS: #DB before the first instruction");
    LAB_EQUAL(dr6 & 0xe000, 0x8000, "DR6.BT");
    static const uint8_t flags[] = {0x9c}; /* PUSHF at IOPL 0 */
    prepare(flags, 1, 0);
    s = transfer(false);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, START, "PUSHF at IOPL 0 in the new task");
    static const uint8_t in[] = {0xe4, 0x60};
    prepare(in, 2, V86_IOPL);
    s = transfer(false);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, START, "IN, whose permission map the new TSS does not have");
}

/* The segments act as those of the mode: base selector * 16, limit FFFFH. */
static void segments(void)
{
    static const uint8_t store[] = {0x2e, 0xa2, 0,   2,
                                    0x88, 0x46, 0xfe}; /* MOV CS:[200H], AL; MOV [BP-2], AL */
    volatile uint8_t *code = (volatile uint8_t *)(V86_CODE * 16ul + 0x200);
    volatile uint8_t *on_stack = (volatile uint8_t *)(V86_STACK * 16ul + 0xe);
    prepare(store, sizeof store, 0);
    other.ebp = 0x10;
    *code = *on_stack = 0;
    struct lab_state s = transfer(false);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, START + sizeof store, "stores by CS and SS");
    LAB_EQUAL(*code, 0xa1, "CS may be written");
    LAB_EQUAL(*on_stack, 0xa1, "SS has the base of its selector");
    static const uint8_t beyond[] = {0xa1, 0xff, 0xff}; /* MOV AX, [FFFFH] */
    prepare(beyond, sizeof beyond, 0);
    s = transfer(false);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, START, "a word at FFFFH");
}

/* Out of the task: its state is saved with VM, and IRET with NT leads back into it. */
static void out_and_back(void)
{
    static const uint8_t inc_int[] = {0x40, 0xcd, EVENT, 0x40}; /* INC AX; INT 60H; INC AX */
    static const uint8_t iret[] = {0xcf};
    uint64_t gate = (uint64_t)HANDLER_TASK << 16 | (uint64_t)(0x85 | 0x60) << 40;
    prepare(inc_int, sizeof inc_int, V86_IOPL | V86_CF);
    handler =
        (struct tss32){.eip = address(iret), .eflags = LAB_FLAGS_FIXED, .cs = LAB_CODE0, .ss = LAB_DATA0};
    handler.esp = address(handler_stack) + sizeof handler_stack;
    handler.ds = handler.es = handler.fs = handler.gs = LAB_DATA0;
    lab_gdt[HANDLER_TASK / 8] = lab_descriptor(address(&handler), sizeof handler - 1, TSS32, 0);
    memcpy(lab_idt + EVENT * 8, &gate, 8);
    struct lab_state s = transfer(false);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, START + sizeof inc_int, "INT through a task gate, and back by IRET");
    LAB_EQUAL(s.ax, 0xa1a1a1a3, "the task went on");
    LAB_EQUAL(s.cs, V86_CODE, "CS after IRET");
    LAB_EQUAL(s.es, 0x1235, "ES after IRET");
    LAB_EQUAL(s.flags & ~(unsigned long)(RF | 0x8d4), LAB_FLAGS_FIXED | V86_VM | V86_IOPL | V86_CF,
              "EFLAGS after IRET");
    LAB_EQUAL(other.eip, START + 3, "EIP saved is behind INT");
    LAB_EQUAL(other.eflags & (V86_VM | V86_NT | V86_IOPL), V86_VM | V86_IOPL, "EFLAGS saved have VM");
    LAB_EQUAL(other.ds, 0xfff1, "DS saved");
    LAB_EQUAL(handler.link, OTHER, "the handler's link");
    LAB_EQUAL(access_of(HANDLER_TASK), TSS32, "the handler's TSS is not busy");
    LAB_EQUAL(task_register(), OTHER, "TR after IRET");
    lab_set_gate(EVENT, LAB_CODE0, (unsigned long)lab_stubs + EVENT * 16, LAB_INTERRUPT_GATE, 0);
}

int main(void)
{
    lab_init();
    into();
    first_instruction();
    segments();
    out_and_back();
    lab_end();
}
