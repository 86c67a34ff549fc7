/*
 * conformance: IA32_APIC_BASE: each transition between disabled, xAPIC and x2APIC; registers as MSRs
 * SDM: 3A, "x2APIC State Transitions"
 * SDM: 3A, "x2APIC Register Address Space"
 * SDM: 3A, "Local APIC Status and Location"
 */
#include "apic.h"

enum { BSP = 0x100, EXTD = 0x400, EN = 0x800, X2APIC = 0x800 };

static const uint32_t modes[] = {0, EN, EN | EXTD, EXTD}; /* the last is no state */
static const char *const names[] = {"disabled", "xAPIC", "x2APIC", "invalid"};

static uint64_t base_of(unsigned mode)
{
    return APIC_BASE | BSP | modes[mode];
}

static void write_base(uint64_t value)
{
    LAB_TRY("wrmsr", ::"c"(IA32_APIC_BASE), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

/* By legal steps, from wherever it is. */
static void go_to(unsigned mode)
{
    wrmsr(IA32_APIC_BASE, base_of(0));
    if (mode)
        wrmsr(IA32_APIC_BASE, base_of(1));
    if (mode == 2)
        wrmsr(IA32_APIC_BASE, base_of(2));
}

static bool cpuid_has_apic(void)
{
    uint32_t a = 1, b, c, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
    return d >> 9 & 1;
}

static void transitions(void)
{
    static const bool allowed[3][4] = {
        {true, true, false, false},
        {true, true, true, false},
        {true, false, true, false},
    };
    for (unsigned from = 0; from < 3; from++)
        for (unsigned to = 0; to < 4; to++) {
            go_to(from);
            write_base(base_of(to));
            if (allowed[from][to])
                LAB_NO_EVENT("%s to %s", names[from], names[to]);
            else
                LAB_FAULT(LAB_GP, 0, "%s to %s", names[from], names[to]);
            LAB_EQUAL(rdmsr(IA32_APIC_BASE), base_of(allowed[from][to] ? to : from), "IA32_APIC_BASE then");
            LAB_EQUAL(cpuid_has_apic(), (allowed[from][to] ? to : from) != 0, "CPUID.01H:EDX.APIC then");
        }
}

static void reserved_bits(void)
{
    static const unsigned bits[] = {0, 7, 9, 39, 51, 63};
    go_to(1);
    for (unsigned i = 0; i < sizeof bits / sizeof *bits; i++) {
        write_base(base_of(1) | 1ull << bits[i]);
        LAB_FAULT(LAB_GP, 0, "bit %u of IA32_APIC_BASE", bits[i]);
    }
}

static void read_register(unsigned reg)
{
    LAB_TRY("rdmsr", ::"c"(X2APIC + reg) : "rax", "rdx");
}

/* MSRs in x2APIC mode alone, memory in xAPIC mode alone. */
static void faces(void)
{
    for (unsigned mode = 0; mode < 3; mode++) {
        go_to(mode);
        read_register(3);
        if (mode == 2)
            LAB_NO_EVENT("version register as MSR in mode %s", names[mode]);
        else
            LAB_FAULT(LAB_GP, 0, "version register as MSR in mode %s", names[mode]);
        LAB_EQUAL(apic_read(0x30) & 0xff, mode == 1 ? 0x14 : 0xff, "version in memory in mode %s",
                  names[mode]);
    }
}

/* What a mode change keeps. "x2APIC After xAPIC": all but ICR's destination; disabling loses it all. */
static void state_over_changes(void)
{
    go_to(1);
    apic_write(APIC_SVR, 0x1ef);
    apic_write(APIC_TPR, 0x30);
    apic_write(APIC_ICR_HIGH, 0x5a000000);
    wrmsr(IA32_APIC_BASE, base_of(2));
    LAB_EQUAL(rdmsr(X2APIC + 0xf), 0x1ef, "spurious vector after xAPIC to x2APIC");
    LAB_EQUAL(rdmsr(X2APIC + 8), 0x30, "TPR");
    LAB_EQUAL(rdmsr(X2APIC + 0x30) >> 32, 0, "ICR, high half");
    LAB_EQUAL(rdmsr(X2APIC + 0xd), 1, "logical ID: cluster 0, bit 0");
    go_to(1);
    LAB_EQUAL(apic_read(APIC_SVR), 0xff, "spurious vector after it was disabled");
    LAB_EQUAL(apic_read(APIC_TPR), 0, "TPR after it was disabled");
}

static void interrupts(void)
{
    go_to(2);
    wrmsr(X2APIC + 0xf, 0x1ff);
    wrmsr(X2APIC + 0x3f, 0x55); /* self-IPI register */
    LAB_EQUAL(apic_poll(), 0x55, "self-IPI register");
    LAB_EQUAL(rdmsr(X2APIC + 0x10 + 0x55 / 32), 1u << 0x55 % 32, "ISR as MSR");
    LAB_TRY("wrmsr", ::"c"(X2APIC + 0xb), "a"(1), "d"(0));
    LAB_FAULT(LAB_GP, 0, "EOI of 1");
    LAB_EQUAL(rdmsr(X2APIC + 0x10 + 0x55 / 32), 1u << 0x55 % 32, "which was no EOI");
    wrmsr(X2APIC + 0xb, 0);
    LAB_EQUAL(rdmsr(X2APIC + 0x10 + 0x55 / 32), 0, "EOI of 0");
    read_register(0xb);
    LAB_FAULT(LAB_GP, 0, "RDMSR of EOI");
    LAB_TRY("wrmsr", ::"c"(X2APIC + 2), "a"(0), "d"(0));
    LAB_FAULT(LAB_GP, 0, "WRMSR of the ID");
    read_register(0x31);
    LAB_FAULT(LAB_GP, 0, "the ICR's high half has no MSR");
    read_register(0xe);
    LAB_FAULT(LAB_GP, 0, "the DFR has none either");
}

int main(void)
{
    lab_init();
    apic_begin();
    transitions();
    reserved_bits();
    faces();
    state_over_changes();
    interrupts();
    lab_end();
}
