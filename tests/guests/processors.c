/*
 * processors: four processors: INIT and start-up IPIs, fixed, broadcast and NMI IPIs, locked counting, code
 * that one changes while another runs it, TLBs of their own, INIT to a processor that runs. SDM volume 3A
 * "Multiple-Processor (MP) Initialization", "Issuing Interprocessor Interrupts", "Handling Self- and
 * Cross-Modifying Code", "Propagation of Page Table and Page Directory Entry Changes to Multiple Processors".
 */
/* expect: status 0 */
/* expect: options --smp 4 */
/* expect: pause */
#include "trap.h"

enum {
    PROCESSORS = 4,
    START_PAGE = 8, /* 8000H */
    ROUNDS = 20000,
    VECTOR = 0x61,
    APIC_ID = 0x20,
    APIC_EOI = 0xb0,
    APIC_SPURIOUS = 0xf0,
    APIC_ICR = 0x300,
    APIC_ICR_HIGH = 0x310,
    SOFTWARE_ENABLE = 0x100,
    ICR_NMI = 0x4400,
    ICR_INIT = 0x4500,
    ICR_STARTUP = 0x4600,
    ICR_OTHERS = 0xc0000,
    IA32_APIC_BASE = 0x1b,
    APIC_BASE_BSP = 1 << 8,
};
#define APIC 0xfee00000ull
#define PAGE_LINEAR 0x3f000000ull /* a 2-MiB page */
#define OTHER_PAGE 0x03e00000ull
#define PAGE_2M_PRESENT_WRITE 0x83ull

enum task { REST, COUNT, CALL_PATCHED, READ_PAGE, READ_PAGE_AFTER_INVLPG };

extern uint8_t processor_start[], processor_start_end[], patched[];
extern uint32_t start_cr3;
extern uint64_t processor_stack, boot_pml4[];

static uint8_t stacks[PROCESSORS][8192] __attribute__((aligned(16)));
static volatile uint32_t started, counter, interrupts[PROCESSORS], nmis[PROCESSORS];
static volatile enum task task[PROCESSORS];
static volatile uint64_t answer[PROCESSORS], cpuid_id[PROCESSORS], apic_base[PROCESSORS];

static uint32_t apic_read(unsigned at)
{
    return *(volatile uint32_t *)(APIC + at);
}
static void apic_write(unsigned at, uint32_t value)
{
    *(volatile uint32_t *)(APIC + at) = value;
}
static unsigned self(void)
{
    return apic_read(APIC_ID) >> 24;
}

static void send(unsigned processor, uint32_t what)
{
    apic_write(APIC_ICR_HIGH, processor << 24);
    apic_write(APIC_ICR, what);
}

static void on_interrupt(struct trap_frame *frame)
{
    (void)frame;
    interrupts[self()]++;
    apic_write(APIC_EOI, 0);
}

static void on_nmi(struct trap_frame *frame)
{
    (void)frame;
    nmis[self()]++;
}

static void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(subleaf));
}

static uint64_t read_page(void)
{
    return *(volatile uint64_t *)PAGE_LINEAR;
}
static unsigned call_patched(void)
{
    return ((unsigned (*)(void))(uintptr_t)patched)();
}

static void do_task(unsigned me)
{
    switch (task[me]) {
    case COUNT:
        for (unsigned i = 0; i < ROUNDS; i++)
            __asm__ volatile("lock incl %0" : "+m"(counter));
        break;
    case CALL_PATCHED: /* until it changes */
        while (call_patched() == 1)
            answer[me]++;
        break;
    case READ_PAGE_AFTER_INVLPG:
        __asm__ volatile("invlpg (%0)" ::"r"(PAGE_LINEAR) : "memory");
        answer[me] = read_page();
        break;
    case READ_PAGE:
        answer[me] = read_page();
        break;
    case REST:
        return;
    }
    task[me] = REST;
}

_Noreturn void processor_main(void);
void processor_main(void)
{
    uint32_t r[4];
    unsigned me = self();
    trap_install();
    cpuid(0xb, 0, r);
    cpuid_id[me] = r[3];
    apic_base[me] = rdmsr(IA32_APIC_BASE);
    apic_write(APIC_SPURIOUS, SOFTWARE_ENABLE | 0xff);
    __asm__ volatile("lock incl %0" : "+m"(started));
    for (;;) {
        __asm__ volatile("sti; hlt; cli" ::: "memory");
        do_task(me);
    }
}

static void wait_for(volatile uint32_t *value, uint32_t wanted)
{
    while (*value != wanted)
        __asm__ volatile("pause");
}

static void start(unsigned processor)
{
    uint32_t before = started;
    processor_stack = (uint64_t)(stacks[processor] + sizeof stacks[processor]);
    send(processor, ICR_INIT);
    send(processor, ICR_STARTUP | START_PAGE);
    send(processor, ICR_STARTUP | START_PAGE); /* the second finds it running */
    wait_for(&started, before + 1);
}

static void order(unsigned processor, enum task what)
{
    task[processor] = what;
    send(processor, 0x4000 | VECTOR);
}

static void await(unsigned processor)
{
    while (task[processor] != REST)
        __asm__ volatile("pause");
}

static void start_all(void)
{
    uint32_t r[4];
    start_cr3 = (uint32_t)(uint64_t)boot_pml4;
    memcpy((void *)(START_PAGE << 12), processor_start, (size_t)(processor_start_end - processor_start));
    for (unsigned i = 1; i < PROCESSORS; i++)
        start(i);
    for (unsigned i = 1; i < PROCESSORS; i++) {
        CHECK_EQUAL(cpuid_id[i], i);
        CHECK_EQUAL(apic_base[i] & APIC_BASE_BSP, 0);
    }
    CHECK_EQUAL(rdmsr(IA32_APIC_BASE) & APIC_BASE_BSP, APIC_BASE_BSP);
    cpuid(1, 0, r);
    CHECK_EQUAL(r[1] >> 16 & 0xff, PROCESSORS);
    CHECK_EQUAL(r[3] >> 28 & 1, 1);
    cpuid(0xb, 1, r);
    CHECK_EQUAL(r[0], 2);
    CHECK_EQUAL(r[1], PROCESSORS);
    CHECK_EQUAL(r[2], 0x201);
}

static void count_together(void)
{
    for (unsigned i = 1; i < PROCESSORS; i++)
        order(i, COUNT);
    for (unsigned i = 0; i < ROUNDS; i++)
        __asm__ volatile("lock incl %0" : "+m"(counter));
    for (unsigned i = 1; i < PROCESSORS; i++)
        await(i);
    CHECK_EQUAL(counter, PROCESSORS * ROUNDS);
}

static void interrupt_them(void)
{
    uint32_t before[PROCESSORS];
    for (unsigned i = 1; i < PROCESSORS; i++)
        before[i] = interrupts[i];
    apic_write(APIC_ICR, ICR_OTHERS | 0x4000 | VECTOR);
    for (unsigned i = 1; i < PROCESSORS; i++)
        wait_for(&interrupts[i], before[i] + 1);
    CHECK_EQUAL(interrupts[0], 0);
    send(2, ICR_NMI);
    wait_for(&nmis[2], 1);
    CHECK_EQUAL(nmis[1] + nmis[3], 0);
}

/* Its translation of the code is its own; a store here must reach it, both times. */
static void change_code_under_them(void)
{
    CHECK_EQUAL(call_patched(), 1);
    order(1, CALL_PATCHED);
    order(3, CALL_PATCHED);
    while (answer[1] < 1000 || answer[3] < 1000)
        __asm__ volatile("pause");
    *(volatile uint8_t *)(patched + 1) = 2;
    await(1);
    await(3);
    CHECK_EQUAL(call_patched(), 2);
}

static uint64_t *page_entry(uint64_t linear)
{
    uint64_t *pdpt = (uint64_t *)(boot_pml4[0] & ~0xfffull);
    uint64_t *pd = (uint64_t *)(pdpt[linear >> 30 & 511] & ~0xfffull);
    return &pd[linear >> 21 & 511];
}

/* No TLB hears of another's INVLPG: processor 1 keeps what it cached until it is told. */
static void change_a_page_table(void)
{
    uint64_t *entry = page_entry(PAGE_LINEAR);
    *entry = 0x03c00000ull | PAGE_2M_PRESENT_WRITE;
    __asm__ volatile("invlpg (%0)" ::"r"(PAGE_LINEAR) : "memory");
    *(volatile uint64_t *)0x03c00000 = 11;
    *(volatile uint64_t *)OTHER_PAGE = 22;
    order(1, READ_PAGE);
    await(1);
    CHECK_EQUAL(answer[1], 11);
    *entry = OTHER_PAGE | PAGE_2M_PRESENT_WRITE;
    __asm__ volatile("invlpg (%0)" ::"r"(PAGE_LINEAR) : "memory");
    CHECK_EQUAL(read_page(), 22);
    order(1, READ_PAGE);
    await(1);
    CHECK_EQUAL(answer[1], 11);
    order(1, READ_PAGE_AFTER_INVLPG);
    await(1);
    CHECK_EQUAL(answer[1], 22);
}

/* INIT takes a processor out of whatever it does; it begins anew at the next start-up IPI. */
static void restart_one(void)
{
    patched[1] = 1;
    answer[2] = 0;
    order(2, CALL_PATCHED);
    while (answer[2] < 100)
        __asm__ volatile("pause");
    start(2);
    task[2] = REST;
    uint64_t before = answer[2];
    patched[1] = 2;
    for (unsigned i = 0; i < 10000; i++)
        __asm__ volatile("pause");
    CHECK_EQUAL(answer[2], before);
}

int main(void)
{
    trap_install();
    trap_on_interrupt(VECTOR, on_interrupt);
    trap_on_interrupt(2, on_nmi);
    apic_write(APIC_SPURIOUS, SOFTWARE_ENABLE | 0xff);
    start_all();
    count_together();
    interrupt_them();
    change_code_under_them();
    change_a_page_table();
    restart_one();
    check_end();
}
