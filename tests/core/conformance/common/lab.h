/*
 * lab.h: runtime of the conformance guests. A check prints "ok N text" or "not ok N text: ..."; lab_end
 * leaves through the debug-exit port. lab_go runs code in any mode and privilege until an event ends it, and
 * says where and with which registers that was.
 *
 * Guests are 64-bit programs, or 32-bit ones (protected mode, no paging) where a line "conformance-bits: 32"
 * stands in them. Both find the same functions here; a register is an unsigned long.
 */
#ifndef TESTS_CORE_CONFORMANCE_LAB_H
#define TESTS_CORE_CONFORMANCE_LAB_H

#include "machine.h"

/* Checks. A text may have %s, %u, %d, %x (unsigned int) and %lx (unsigned long) in it. */
void lab_print(const char *format, ...);
#define LAB_CHECK(condition, ...) lab_check((condition), __LINE__, __VA_ARGS__)
#define LAB_EQUAL(value, expected, ...)                                                                      \
    lab_equal((unsigned long)(value), (unsigned long)(expected), __LINE__, __VA_ARGS__)
bool lab_check(bool holds, int line, const char *format, ...);
bool lab_equal(unsigned long value, unsigned long expected, int line, const char *format, ...);
/* Status 1 if each check held; else (failures << 1) | 1, at most 201. */
_Noreturn void lab_end(void);

/* Selectors of the GDT that lab_init loads. From LAB_FREE on it is the test's. */
enum {
    LAB_CODE0 = 0x08, /* as wide as the program */
    LAB_DATA0 = 0x10,
    LAB_TSS = 0x18, /* and 20H in a 64-bit program */
    LAB_CODE3 = 0x28 | 3,
    LAB_DATA3 = 0x30 | 3,
    LAB_CODE32 = 0x38, /* in a 64-bit program: compatibility mode */
    LAB_CODE32_3 = 0x40 | 3,
    LAB_CODE16 = 0x48, /* base 0, limit FFFFFH bytes */
    LAB_DATA16 = 0x50, /* base 0, limit FFFFFH bytes, B = 0 */
    LAB_FREE = 0x60,
    LAB_GDT_ENTRIES = 64,
};
/* Access bytes (P = 1, accessed) and flags (G, D/B, L) of a descriptor: SDM "Segment Descriptors". */
enum {
    LAB_ACCESS_CODE = 0x9b,
    LAB_ACCESS_DATA = 0x93,
    LAB_ACCESS_DPL3 = 0x60,
    LAB_FLAGS_32 = 0xc,
    LAB_FLAGS_64 = 0xa,
};
enum { LAB_INTERRUPT_GATE = 0x8e, LAB_TRAP_GATE = 0x8f, LAB_TASK_GATE = 0x85, LAB_STACK_BYTES = 8192 };
enum lab_vector {
    LAB_DE,
    LAB_DB,
    LAB_NMI,
    LAB_BP,
    LAB_OF,
    LAB_BR,
    LAB_UD,
    LAB_NM,
    LAB_DF,
    LAB_TS = 10,
    LAB_NP,
    LAB_SS,
    LAB_GP,
    LAB_PF,
    LAB_MF = 16,
    LAB_AC,
    LAB_MC,
    LAB_XM,
    LAB_DONE = 0x20, /* INT 20H ends a piece of code as planned; its gate has DPL 3 */
};

extern uint64_t lab_gdt[LAB_GDT_ENTRIES];
extern uint8_t lab_idt[256 * 16], lab_tss[0x68 + 32 + 8192 + 1];
extern uint8_t lab_stack0[LAB_STACK_BYTES], lab_stack3[LAB_STACK_BYTES], lab_stack_event[LAB_STACK_BYTES];

/* Loads GDT, IDT (interrupt gates with DPL 0) and TR. First statement of main. */
void lab_init(void);
uint64_t lab_descriptor(uint32_t base, uint32_t limit, unsigned access, unsigned flags);
void lab_set_gate(unsigned vector, unsigned selector, unsigned long offset, unsigned type, unsigned dpl);
/* 64-bit program: the pages of boot.S get U/S = 1. 32-bit program: paging on, 1:1 with pages of 4 MiB, U/S
 * = 1. */
void lab_user_pages(void);

/* Code of a test's own, in assembly; INT 20H follows it. Further labels: LAB_LABEL. */
#define LAB_CODE(name, text)                                                                                 \
    LAB_LABEL(name);                                                                                         \
    __asm__(".pushsection .text\n" #name ":\n\t" text "\n\tint $0x20\n\t.popsection")
#define LAB_LABEL(name) extern const uint8_t name[] __asm__(#name)

/* The state that code starts with, and that it was in when an event came. */
struct lab_state {
    unsigned long ax, cx, dx, bx, sp, bp, si, di;
#ifdef __x86_64__
    unsigned long r8, r9, r10, r11, r12, r13, r14, r15;
#endif
    unsigned long ip, flags;
    unsigned long cs, ss, ds, es, fs, gs;
    /* written only: the event (an error code of 0 where the vector has none), the address of its frame */
    unsigned long vector, error_code, cr2, frame;
};
#define LAB_FLAGS_FIXED 2ul

/* Registers 0, flags 2, CS:IP at code, data segments flat, a stack of its own; ring 0 or 3. */
struct lab_state lab_start(const void *code, unsigned ring);
/* Runs from *s by IRET until the first exception, interrupt or INT n, which *s describes. In a 32-bit program
 * RFLAGS.VM = 1 gives virtual-8086 mode; at ring 0 the stack must be a flat one there. NMIs stay blocked
 * after one. */
void lab_go(struct lab_state *s);
extern const uint8_t lab_iret[]; /* lab_go's IRET, where its own faults are */
/* Event, error code and IP in one check. */
#define LAB_EVENT(s, vector, error_code, ip, ...)                                                            \
    lab_event((s), (vector), (error_code), (unsigned long)(ip), __LINE__, __VA_ARGS__)
bool lab_event(const struct lab_state *s, unsigned vector, unsigned long error_code, unsigned long ip,
               int line, const char *format, ...);

/* One instruction at ring 0 with operands as in asm; what it raised is in lab_tried (vector LAB_NOTHING if
 * nothing). Registers that the instruction changed before a fault must be among the outputs. */
#define LAB_NOTHING 0xffful
struct lab_tried {
    unsigned long vector, error_code, cr2, flags;
    bool at_instruction; /* IP: fault (true) or behind it (false) */
};
extern struct lab_tried lab_tried;
extern volatile unsigned long lab_try_from, lab_try_to;
#ifdef __x86_64__
#define LAB_MOVE "movq"
#else
#define LAB_MOVE "movl"
#endif
#define LAB_TRY(instruction, ...)                                                                            \
    do {                                                                                                     \
        lab_tried = (struct lab_tried){.vector = LAB_NOTHING};                                               \
        __asm__ volatile("" ::: "memory");                                                                   \
        __asm__ volatile(LAB_MOVE " $771f, lab_try_from\n\t" LAB_MOVE                                        \
                                  " $772f, lab_try_to\n771:\t" instruction "\n772:\t" LAB_MOVE               \
                                  " $0, lab_try_to" __VA_ARGS__);                                            \
        __asm__ volatile("" ::: "memory");                                                                   \
    } while (0)
/* The last LAB_TRY raised a fault, a trap, nothing. */
#define LAB_FAULT(vector, error_code, ...)                                                                   \
    lab_tried_event((vector), (error_code), true, __LINE__, __VA_ARGS__)
#define LAB_TRAP(vector, ...) lab_tried_event((vector), 0, false, __LINE__, __VA_ARGS__)
#define LAB_NO_EVENT(...) lab_tried_event(LAB_NOTHING, 0, false, __LINE__, __VA_ARGS__)
bool lab_tried_event(unsigned long vector, unsigned long error_code, bool fault, int line, const char *format,
                     ...);

#endif
