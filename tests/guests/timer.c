/*
 * timer: the local APIC's timer: one-shot, periodic and TSC-deadline mode, held back by RFLAGS.IF and by the
 * task priority. SDM volume 3A "APIC Timer", "Task and Processor Priorities".
 */
/* expect: status 0 */
/* expect: pause */
#include "trap.h"

enum {
    APIC_TASK_PRIORITY = 0x80,
    APIC_EOI = 0xb0,
    APIC_SPURIOUS = 0xf0,
    APIC_IRR = 0x200,
    APIC_LVT_TIMER = 0x320,
    APIC_INITIAL_COUNT = 0x380,
    APIC_CURRENT_COUNT = 0x390,
    APIC_DIVIDE = 0x3e0,
    SOFTWARE_ENABLE = 0x100,
    DIVIDE_BY_1 = 0xb,
    LVT_MASKED = 1 << 16,
    LVT_PERIODIC = 1 << 17,
    LVT_TSC_DEADLINE = 1 << 18,
    VECTOR = 0x51,
    IA32_TSC_DEADLINE = 0x6e0,
    PIC_MASTER_MASK = 0x21,
    PIC_SLAVE_MASK = 0xa1,
};
#define APIC 0xfee00000ull

static volatile unsigned interrupts;

static uint32_t apic_read(unsigned at)
{
    return *(volatile uint32_t *)(APIC + at);
}
static void apic_write(unsigned at, uint32_t value)
{
    *(volatile uint32_t *)(APIC + at) = value;
}

static void on_timer(struct trap_frame *frame)
{
    (void)frame;
    interrupts++;
    apic_write(APIC_EOI, 0);
}

static bool requested(void)
{
    return apic_read(APIC_IRR + VECTOR / 32 * 0x10) >> VECTOR % 32 & 1;
}

static void halt_until_interrupt(void)
{
    __asm__ volatile("sti; hlt; cli" ::: "memory");
}

/* With IF = 0: the request waits, and comes after the instruction that follows STI. */
static void one_shot(void)
{
    apic_write(APIC_LVT_TIMER, VECTOR);
    apic_write(APIC_INITIAL_COUNT, 20000);
    uint32_t first = apic_read(APIC_CURRENT_COUNT), second = apic_read(APIC_CURRENT_COUNT);
    CHECK_EQUAL(first <= 20000 && second <= first && second > 0, true);
    while (!requested())
        ;
    CHECK_EQUAL(interrupts, 0);
    CHECK_EQUAL(apic_read(APIC_CURRENT_COUNT), 0);
    unsigned in_shadow;
    __asm__ volatile("sti; movl %1, %0; cli" : "=&r"(in_shadow) : "m"(interrupts) : "memory");
    CHECK_EQUAL(in_shadow, 0);
    CHECK_EQUAL(interrupts, 1);
    CHECK_EQUAL(requested(), false);
}

static void periodic(void)
{
    interrupts = 0;
    apic_write(APIC_LVT_TIMER, VECTOR | LVT_PERIODIC);
    apic_write(APIC_INITIAL_COUNT, 50000);
    uint64_t start = rdtsc();
    for (unsigned i = 1; i <= 5; i++) {
        halt_until_interrupt();
        CHECK_EQUAL(interrupts, i);
    }
    /* Five periods; the timer's clock is no faster than the processor's. */
    CHECK_EQUAL(rdtsc() - start >= 5 * 50000, true);
    apic_write(APIC_LVT_TIMER, VECTOR | LVT_MASKED);
    apic_write(APIC_INITIAL_COUNT, 0);
}

/* A priority class at or below the task priority's waits. */
static void task_priority(void)
{
    interrupts = 0;
    apic_write(APIC_LVT_TIMER, VECTOR);
    __asm__ volatile("mov %0, %%cr8" ::"r"((uint64_t)VECTOR >> 4));
    CHECK_EQUAL(apic_read(APIC_TASK_PRIORITY), VECTOR & 0xf0);
    apic_write(APIC_INITIAL_COUNT, 1000);
    __asm__ volatile("sti");
    while (!requested())
        ;
    CHECK_EQUAL(interrupts, 0);
    apic_write(APIC_TASK_PRIORITY, 0);
    __asm__ volatile("jmp 1f; 1: nop; cli"); /* taken between translated blocks */
    CHECK_EQUAL(interrupts, 1);
}

static void tsc_deadline(void)
{
    interrupts = 0;
    apic_write(APIC_LVT_TIMER, VECTOR | LVT_TSC_DEADLINE);
    uint64_t deadline = rdtsc() + 100000;
    wrmsr(IA32_TSC_DEADLINE, deadline);
    CHECK_EQUAL(rdmsr(IA32_TSC_DEADLINE), deadline);
    halt_until_interrupt();
    CHECK_EQUAL(interrupts, 1);
    CHECK_EQUAL(rdtsc() >= deadline, true);
    CHECK_EQUAL(rdmsr(IA32_TSC_DEADLINE), 0); /* disarmed */
    wrmsr(IA32_TSC_DEADLINE, 1);              /* past: at once */
    __asm__ volatile("sti; nop; nop; cli");
    CHECK_EQUAL(interrupts, 2);
}

int main(void)
{
    trap_install();
    trap_on_interrupt(VECTOR, on_timer);
    out8(PIC_MASTER_MASK, 0xff);
    out8(PIC_SLAVE_MASK, 0xff);
    apic_write(APIC_SPURIOUS, SOFTWARE_ENABLE | 0xff);
    apic_write(APIC_DIVIDE, DIVIDE_BY_1);
    one_shot();
    periodic();
    task_priority();
    tsc_deadline();
    check_end();
}
