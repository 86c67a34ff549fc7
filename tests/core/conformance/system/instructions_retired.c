/*
 * conformance: the counter of retired instructions: a repeated string instruction is one, however often it repeats
 * SDM: 3B, "Fixed-function Performance Counters" (INST_RETIRED.ANY), 2B, "REP/REPE/REPZ/REPNE/REPNZ"
 */
#include "window.h"

enum { FIXED_CTR_CTRL = 0x38d, GLOBAL_CTRL = 0x38f, COUNT_OS = 1 };

/* What stands between the two readings, in counted instructions. */
#define RETIRED(code, ...)                                                                                   \
    ({                                                                                                       \
        uint64_t before, after;                                                                              \
        __asm__ volatile("mov $0x40000000, %%ecx\n\trdpmc\n\tshl $32, %%rdx\n\tor %%rax, %%rdx\n\t"          \
                         "mov %%rdx, %%r8\n\tmov %[count], %%rcx\n\t" code                                   \
                         "\n\tmov $0x40000000, %%ecx\n\trdpmc\n\tshl $32, %%rdx\n\tor %%rax, %%rdx\n\t"      \
                         "mov %%r8, %[before]\n\tmov %%rdx, %[after]"                                        \
                         : [before] "=&r"(before), [after] "=&r"(after), "+S"(from), "+D"(to)                \
                         : __VA_ARGS__                                                                       \
                         : "rax", "rcx", "rdx", "r8", "memory", "cc");                                       \
        after - before;                                                                                      \
    })

static const unsigned long counts[] = {0, 1, 2, 5, 300, 5000};

int main(void)
{
    lab_init();
    window_open();
    wrmsr(FIXED_CTR_CTRL, COUNT_OS);
    wrmsr(GLOBAL_CTRL, 1ul << 32);
    uint8_t *from = window_at(0), *to = window_at(4);
    const uint64_t empty = RETIRED("", [count] "r"(0ul));
    LAB_EQUAL(RETIRED("nop", [count] "r"(0ul)), empty + 1, "NOP");
    for (unsigned i = 0; i < sizeof counts / sizeof *counts; i++) {
        from = window_at(0), to = window_at(4);
        LAB_EQUAL(RETIRED("rep movsb", [count] "r"(counts[i])), empty + 1, "REP MOVSB, %lx times", counts[i]);
        to = window_at(4) + 7;
        LAB_EQUAL(RETIRED("rep stosb", [count] "r"(counts[i])), empty + 1, "REP STOSB, %lx times", counts[i]);
        from = window_at(0);
        LAB_EQUAL(RETIRED("rep lodsb", [count] "r"(counts[i])), empty + 1, "REP LODSB, %lx times", counts[i]);
        from = to = window_at(0);
        LAB_EQUAL(RETIRED("repe cmpsb", [count] "r"(counts[i])), empty + 1, "REPE CMPSB, %lx times",
                  counts[i]);
    }
    memset(window_at(8), 0, PAGE);
    window_at(8)[100] = 1;
    to = window_at(8);
    LAB_EQUAL(RETIRED("xor %%eax, %%eax\n\trepe scasb", [count] "r"(4000ul)), empty + 2,
              "REPE SCASB that ends early");
    LAB_EQUAL(to - window_at(8), 101, "where");
    to = window_at(8);
    LAB_EQUAL(RETIRED("mov $1, %%al\n\trepne scasb", [count] "r"(4000ul)), empty + 2,
              "REPNE SCASB that ends early");
    to = window_at(4), from = window_at(0);
    LAB_EQUAL(RETIRED("rep movsq\n\tnop\n\tnop", [count] "r"(64ul)), empty + 3, "and what follows it");
    /* The same while each instruction is checked by itself: a breakpoint somewhere. */
    __asm__ volatile("mov %0, %%dr0; mov %1, %%dr7" ::"r"(window_at(15)), "r"(0x10001ul));
    const uint64_t checked = RETIRED("", [count] "r"(0ul));
    LAB_EQUAL(checked, empty, "nothing, checked");
    to = window_at(4), from = window_at(0);
    LAB_EQUAL(RETIRED("rep movsb", [count] "r"(7ul)), checked + 1, "REP MOVSB, checked");
    to = from = window_at(0);
    LAB_EQUAL(RETIRED("repe cmpsb", [count] "r"(7ul)), checked + 1, "REPE CMPSB, checked");
    lab_end();
}
