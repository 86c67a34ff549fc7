/*
 * conformance: RDPMC, RDRAND and RDSEED, RDTSC and RDTSCP, IA32_TSC_ADJUST, MONITOR and MWAIT
 * SDM: 2B, "RDPMC—Read Performance-Monitoring Counters", "RDRAND—Read Random Number", "RDSEED—Read Random SEED"
 * SDM: 2B, "RDTSC—Read Time-Stamp Counter", "RDTSCP—Read Time-Stamp Counter and Processor ID"
 * SDM: 3B, "Time-Stamp Counter", "IA32_TSC_ADJUST MSR"; 2A, "MONITOR", "MWAIT"
 */
#include "lab.h"

enum {
    TSC = 0x10,
    TSC_ADJUST = 0x3b,
    TSC_AUX = 0xc0000103,
    CR4_TSD = 4,
    CR4_PCE = 0x100,
    MISC_ENABLE = 0x1a0
};
#define ARITHMETIC 0x8d5ul
#define MISC_ENABLE_MONITOR (1ul << 18)

static struct lab_state at_ring(const uint8_t *code, unsigned ring, unsigned long cx)
{
    struct lab_state s = lab_start(code, ring);
    s.cx = cx;
    s.ax = (unsigned long)lab_stack3;
    s.flags |= ARITHMETIC;
    lab_go(&s);
    return s;
}

static void performance_counters(void)
{
    static const uint8_t rdpmc[] = {0x0f, 0x33, 0xcd, LAB_DONE};
    struct lab_state s = at_ring(rdpmc, 3, 0);
    LAB_EVENT(&s, LAB_GP, 0, rdpmc, "RDPMC at CPL 3 with CR4.PCE = 0: #GP(0)");
    uint32_t version;
    __asm__("cpuid" : "=a"(version) : "a"(10), "c"(0) : "ebx", "edx");
    s = at_ring(rdpmc, 0, 0x3fffffff);
    LAB_EVENT(&s, LAB_GP, 0, rdpmc, "RDPMC of a counter that is not there: #GP(0)");
    if ((version & 0xff) == 0) { /* no counters: CPUID.0AH */
        s = at_ring(rdpmc, 0, 0);
        LAB_EVENT(&s, LAB_GP, 0, rdpmc, "CPUID.0AH says that there is none: counter 0 too");
    }
}

static void random_numbers(void)
{
    static const uint8_t rdrand64[] = {0x48, 0x0f, 0xc7, 0xf0, 0xcd, LAB_DONE},
                         rdrand32[] = {0x0f, 0xc7, 0xf0, 0xcd, LAB_DONE};
    static const uint8_t rdrand16[] = {0x66, 0x0f, 0xc7, 0xf0, 0xcd, LAB_DONE};
    static const uint8_t rdseed64[] = {0x48, 0x0f, 0xc7, 0xf8, 0xcd, LAB_DONE};
    struct lab_state a = at_ring(rdrand64, 3, 0), b = at_ring(rdrand64, 3, 0);
    LAB_EVENT(&a, LAB_DONE, 0, rdrand64 + 6, "RDRAND at CPL 3");
    LAB_EQUAL(a.flags & ARITHMETIC, 1, "RDRAND: CF = 1, OF, SF, ZF, AF, PF = 0");
    LAB_CHECK(a.ax != b.ax, "RDRAND: two numbers differ");
    LAB_CHECK(a.ax >> 32 && b.ax >> 32, "RDRAND: 64 bits wide");
    a = at_ring(rdrand32, 3, 0);
    LAB_EQUAL(a.ax >> 32, 0, "RDRAND of 32 bits clears the upper half");
    a = at_ring(rdrand16, 3, 0);
    LAB_EQUAL(a.ax >> 16, (unsigned long)lab_stack3 >> 16, "RDRAND of 16 bits keeps bits 63:16");
    a = at_ring(rdseed64, 3, 0);
    LAB_EVENT(&a, LAB_DONE, 0, rdseed64 + 6, "RDSEED");
    LAB_EQUAL(a.flags & ARITHMETIC, 1, "RDSEED: CF = 1, the others 0");
    LAB_CHECK(a.ax != b.ax, "RDSEED: another number");
}

static void time_stamps(void)
{
    static const uint8_t rdtsc_code[] = {0x0f, 0x31, 0xcd, LAB_DONE},
                         rdtscp[] = {0x0f, 0x01, 0xf9, 0xcd, LAB_DONE};
    uint64_t first = rdtsc(), second = rdtsc();
    LAB_CHECK(second > first, "RDTSC counts");
    struct lab_state s = at_ring(rdtsc_code, 3, 0);
    LAB_EVENT(&s, LAB_DONE, 0, rdtsc_code + 4, "RDTSC at CPL 3 with CR4.TSD = 0");
    LAB_EQUAL(s.ax >> 32 | s.dx >> 32, 0, "RDTSC clears bits 63:32 of RAX and RDX");
    wrmsr(TSC_AUX, 0x89abcdef);
    s = at_ring(rdtscp, 3, ~0ul);
    LAB_EVENT(&s, LAB_DONE, 0, rdtscp + 5, "RDTSCP at CPL 3");
    LAB_EQUAL(s.cx, 0x89abcdef, "RDTSCP: IA32_TSC_AUX in RCX");
    LAB_TRY("wrmsr", ::"a"(0), "d"(1), "c"(TSC_AUX));
    LAB_FAULT(LAB_GP, 0, "IA32_TSC_AUX bits 63:32 are reserved");
    write_cr4(read_cr4() | CR4_TSD);
    s = at_ring(rdtsc_code, 3, 0);
    LAB_EVENT(&s, LAB_GP, 0, rdtsc_code, "RDTSC at CPL 3 with CR4.TSD = 1: #GP(0)");
    s = at_ring(rdtscp, 3, 0);
    LAB_EVENT(&s, LAB_GP, 0, rdtscp, "RDTSCP at CPL 3 with CR4.TSD = 1: #GP(0)");
    s = at_ring(rdtsc_code, 0, 0);
    LAB_EVENT(&s, LAB_DONE, 0, rdtsc_code + 4, "RDTSC at CPL 0 with CR4.TSD = 1");
    write_cr4(read_cr4() & ~(unsigned long)CR4_TSD);
    wrmsr(TSC, 1ul << 40);
    first = rdtsc();
    LAB_CHECK(first >= 1ul << 40 && first < (1ul << 40) + 100000, "WRMSR of IA32_TIME_STAMP_COUNTER");
    uint64_t adjust = rdmsr(TSC_ADJUST);
    LAB_CHECK(adjust > 1ul << 39 && adjust <= 1ul << 40, "which moves IA32_TSC_ADJUST by as much");
    wrmsr(TSC_ADJUST, adjust + (1ul << 41));
    first = rdtsc();
    LAB_CHECK(first >= 3ul << 40 && first < (3ul << 40) + 1000000, "IA32_TSC_ADJUST moves the counter");
    wrmsr(TSC_ADJUST, 0);
    LAB_CHECK(rdtsc() < 1ul << 39, "IA32_TSC_ADJUST = 0: the counter as it would have been");
}

static void monitor_and_mwait(void)
{
    static const uint8_t monitor[] = {0x0f, 0x01, 0xc8, 0xcd, LAB_DONE},
                         mwait[] = {0x0f, 0x01, 0xc9, 0xcd, LAB_DONE};
    struct lab_state s = at_ring(monitor, 0, 0);
    LAB_EVENT(&s, LAB_DONE, 0, monitor + 5, "MONITOR");
    s = at_ring(monitor, 0, 1);
    LAB_EVENT(&s, LAB_GP, 0, monitor, "MONITOR with an extension in ECX: #GP(0)");
    s = at_ring(monitor, 3, 0);
    LAB_EVENT(&s, LAB_UD, 0, monitor, "MONITOR at CPL 3: #UD");
    s = lab_start(monitor, 0);
    s.ax = 0x8000000000ul;
    lab_go(&s);
    LAB_EVENT(&s, LAB_PF, 0, monitor, "MONITOR of a page that is not there: #PF of a read");
    s = lab_start(monitor, 0);
    s.ax = 0x8000000000000000ul;
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, monitor, "MONITOR of an address that is not canonical: #GP(0)");
    s = at_ring(mwait, 0, 0);
    LAB_EVENT(&s, LAB_DONE, 0, mwait + 5, "MWAIT ends: implementation-dependent events may end it");
    s = at_ring(mwait, 0, 2);
    LAB_EVENT(&s, LAB_GP, 0, mwait, "MWAIT with an unknown extension in ECX: #GP(0)");
    s = at_ring(mwait, 3, 0);
    LAB_EVENT(&s, LAB_UD, 0, mwait, "MWAIT at CPL 3: #UD");
    wrmsr(MISC_ENABLE, rdmsr(MISC_ENABLE) & ~MISC_ENABLE_MONITOR);
    s = at_ring(monitor, 0, 0);
    LAB_EVENT(&s, LAB_UD, 0, monitor, "MONITOR with IA32_MISC_ENABLE's bit 18 = 0: #UD");
    uint32_t ecx;
    __asm__("cpuid" : "=c"(ecx) : "a"(1), "c"(0) : "ebx", "edx");
    LAB_EQUAL(ecx & 8, 0, "CPUID.1:ECX.MONITOR follows it");
    wrmsr(MISC_ENABLE, rdmsr(MISC_ENABLE) | MISC_ENABLE_MONITOR);
}

int main(void)
{
    lab_init();
    lab_user_pages();
    performance_counters();
    random_numbers();
    time_stamps();
    monitor_and_mwait();
    lab_end();
}
