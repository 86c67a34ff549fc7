/* trap.h: exceptions and interrupts of our guest tests: an IDT whose exceptions are recorded, and whose
 * interrupts call a function. */
#ifndef TESTS_GUESTS_COMMON_TRAP_H
#define TESTS_GUESTS_COMMON_TRAP_H

#include "machine.h"

enum { TRAP_CODE_SELECTOR = 8, TRAP_DATA_SELECTOR = 16 };

struct trap_frame { /* in the order in which trap.S pushes, lowest first */
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error_code; /* 0 where the exception has none */
    uint64_t rip, cs, rflags, rsp, ss;
};

struct trap_record {
    bool taken;
    uint64_t vector, error_code, rip, cr2;
    uint64_t went_on_at;
};

extern struct trap_record trap_record;    /* the last exception that TRAP_TRY met */
extern uint64_t trap_tried, trap_resumes; /* RIP of the instruction that is tried, and where to go on */

/* Loads an IDT with all 256 vectors. An exception that nobody tries for is told and ends the run with code
 * 127. */
void trap_install(void);
/* Gate of a vector: changes its P flag or its type, for tests of delivery itself. Gates have 16 bytes: SDM
 * "64-Bit Mode IDT". */
uint8_t *trap_gate(unsigned vector);
/* function is called for an interrupt at vector (32 to 255); it sends the EOI if one is needed. */
void trap_on_interrupt(unsigned vector, void (*function)(struct trap_frame *frame));

/* Executes one instruction (a string with operands as in asm) and records the exception that it raises. */
#define TRAP_TRY(instruction, ...)                                                                           \
    do {                                                                                                     \
        trap_record.taken = false;                                                                           \
        __asm__ volatile("" ::: "memory");                                                                   \
        __asm__ volatile("movq $771f, trap_tried\n\tmovq $772f, trap_resumes\n771:\t" instruction            \
                         "\n772:\tmovq $0, trap_resumes" __VA_ARGS__);                                       \
        __asm__ volatile("" ::: "memory");                                                                   \
    } while (0)

/* Checks
 * -----------------------------------------------------------------------------------------------------------
 */

/* Says what does not hold, and counts; return check_failures() from main: status 1 when nothing failed. */
#define CHECK_EQUAL(what, expected) check_equal(#what, (uint64_t)(what), (uint64_t)(expected), __LINE__)
void check_equal(const char *what, uint64_t value, uint64_t expected, int line);
/* The last TRAP_TRY raised vector with error_code, with RIP at the instruction (faults) or after it (traps).
 */
#define CHECK_FAULT(vector, error_code) check_trap(vector, error_code, true, __LINE__)
#define CHECK_TRAP(vector) check_trap(vector, 0, false, __LINE__)
#define CHECK_NO_TRAP() CHECK_EQUAL(trap_record.taken, false)
void check_trap(uint64_t vector, uint64_t error_code, bool fault, int line);
uint32_t check_failures(void);
/* Powers off (status 0) if nothing failed, else leaves with the number of failures (an odd status). */
_Noreturn void check_end(void);
_Noreturn void power_off(void);

#endif
