/*
 * processors_vmx: INIT, start-up, NMI and fixed IPIs to a processor in VMX root operation, in VMX non-root
 * operation and in each activity state of a guest. The second processor is the hypervisor, the first sends
 * and looks. SDM "Other Causes of VM Exits", "Activity State" of VM entry, "Posted-Interrupt Processing",
 * "Event Blocking".
 */
/* expect: status 0 */
/* expect: options --smp 2 --cpu haswell */
#include "guest_tables.h"
#include "trap.h"
#include "vmx.h"

enum {
    START_PAGE = 8,
    PAGE = 4096,
    APIC_EOI = 0xb0,
    APIC_SPURIOUS = 0xf0,
    APIC_ICR = 0x300,
    APIC_ICR_HIGH = 0x310,
    APIC_TIMER = 0x320,
    ICR_NMI = 0x4400,
    ICR_INIT = 0x4500,
    ICR_STARTUP = 0x4600,
    EXTERNAL_INTERRUPT_EXITING = 1 << 0,
    NMI_EXITING = 1 << 3,
    PROCESS_POSTED_INTERRUPTS = 1 << 7,
    HLT_EXITING = 1 << 7,
    USE_TPR_SHADOW = 1 << 21,
    VIRTUAL_INTERRUPT_DELIVERY = 1 << 9,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    ACKNOWLEDGE_INTERRUPT_ON_EXIT = 1 << 15,
    POSTED_INTERRUPT_NOTIFICATION_VECTOR = 0x0002,
    GUEST_INTERRUPT_STATUS = 0x810,
    VIRTUAL_APIC_ADDRESS = 0x2012,
    POSTED_INTERRUPT_DESCRIPTOR_ADDRESS = 0x2016,
    EXIT_INTERRUPTION_INFORMATION = 0x4404,
    EXIT_EXCEPTION_OR_NMI = 0,
    EXIT_EXTERNAL_INTERRUPT = 1,
    EXIT_INIT = 3,
    EXIT_SIPI = 4,
    ACTIVE = 0,
    HALTED = 1,
    SHUTDOWN = 2,
    WAIT_FOR_SIPI = 3,
    VECTOR = 0x51,
    NOTIFICATION = 0x61,
};
#define APIC 0xfee00000ull

extern uint8_t processor_start[], processor_start_end[];
extern uint32_t start_cr3;
extern uint64_t processor_stack, boot_pml4[];
static uint8_t stack[2 * PAGE] __attribute__((aligned(16))), guest_stack[PAGE] __attribute__((aligned(16)));
static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE)));
static uint32_t virtual_apic[PAGE / 4] __attribute__((aligned(PAGE)));
static struct {
    volatile uint64_t requests[4], notification, unused[3];
} descriptor __attribute__((aligned(64)));
static struct guest_registers registers;
static bool launched;
static volatile unsigned nmis, interrupts;

/* What the second processor is to do, and what came of it. */
static volatile uint32_t order, done, ready, go, guest_is_in, guest_may_leave;
static struct {
    const char *code;
    uint32_t pin_based, activity;
    bool waits; /* in root operation, until go */
} wanted;
static volatile struct {
    bool entered;
    uint64_t reason, qualification, rip, activity, information, nmis, interrupts, svr, timer;
} seen;

__asm__(".text\n"
        "op_spin: movl $1, guest_is_in\n 1: pause\n cmpl $0, guest_may_leave\n je 1b\n vmcall\n"
        "op_halt: sti\n hlt\n cli\n vmcall\n"
        "op_leave: vmcall\n");
extern const char op_spin[], op_halt[], op_leave[];

static uint32_t apic_read(unsigned at)
{
    return *(volatile uint32_t *)(APIC + at);
}

static void apic_write(unsigned at, uint32_t value)
{
    *(volatile uint32_t *)(APIC + at) = value;
}

static void send(uint32_t what)
{
    apic_write(APIC_ICR_HIGH, 1u << 24);
    apic_write(APIC_ICR, what);
}

static void wait_for(volatile uint32_t *value, uint32_t expected)
{
    while (*value != expected)
        __asm__ volatile("pause");
}

/* Long enough for the other processor to have taken what there is to take. */
static void a_while(void)
{
    for (unsigned i = 0; i < 20000; i++)
        __asm__ volatile("pause");
}

static void on_nmi(struct trap_frame *frame)
{
    (void)frame;
    nmis++;
}

static void on_interrupt(struct trap_frame *frame)
{
    (void)frame;
    interrupts++;
}

static void share_our_tables(void)
{
    guest_has_our_tables();
    vmwrite(HOST_IDTR_BASE, vmread(GUEST_IDTR_BASE));
}

static bool become_hypervisor(void)
{
    const struct vmx_wanted_controls all = {.primary = USE_TPR_SHADOW,
                                            .secondary = VIRTUAL_INTERRUPT_DELIVERY,
                                            .pin_based =
                                                EXTERNAL_INTERRUPT_EXITING | PROCESS_POSTED_INTERRUPTS,
                                            .exit = HOST_ADDRESS_SPACE_SIZE | ACKNOWLEDGE_INTERRUPT_ON_EXIT};
    if (!vmx_enable() || !vmcs_create_with(vmcs, &all))
        return false;
    vmcs_guest_long_mode((uint64_t)op_leave, (uint64_t)guest_stack + sizeof guest_stack - 16, read_cr3());
    share_our_tables();
    vmwrite(VIRTUAL_APIC_ADDRESS, (uint64_t)virtual_apic);
    vmwrite(POSTED_INTERRUPT_NOTIFICATION_VECTOR, NOTIFICATION);
    vmwrite(POSTED_INTERRUPT_DESCRIPTOR_ADDRESS, (uint64_t)&descriptor);
    return true;
}

static void obey(void)
{
    vmwrite(PIN_BASED_CONTROLS, 0x16 | wanted.pin_based);
    vmwrite(SECONDARY_CONTROLS,
            wanted.pin_based & PROCESS_POSTED_INTERRUPTS ? VIRTUAL_INTERRUPT_DELIVERY : 0);
    vmwrite(GUEST_ACTIVITY_STATE, wanted.activity);
    vmwrite(GUEST_INTERRUPTIBILITY_STATE, 0);
    vmwrite(GUEST_RIP, (uint64_t)wanted.code);
    vmwrite(GUEST_RSP, (uint64_t)guest_stack + sizeof guest_stack - 16);
    vmwrite(GUEST_RFLAGS, 2);
    ready = 1;
    if (wanted.waits)
        wait_for(&go, 1);
    seen.entered = vmx_run(&registers, launched);
    launched = true;
    seen.reason = vmread(EXIT_REASON);
    seen.qualification = vmread(EXIT_QUALIFICATION);
    seen.rip = vmread(GUEST_RIP);
    seen.activity = vmread(GUEST_ACTIVITY_STATE);
    seen.information = vmread(EXIT_INTERRUPTION_INFORMATION);
    if (seen.reason == EXIT_EXTERNAL_INTERRUPT)
        apic_write(APIC_EOI, 0);
    seen.svr = apic_read(APIC_SPURIOUS);
    seen.timer = apic_read(APIC_TIMER);
}

_Noreturn void processor_main(void);
void processor_main(void)
{
    trap_install();
    apic_write(APIC_SPURIOUS, 0x1ff);
    apic_write(APIC_TIMER, 0x10077);
    if (!become_hypervisor())
        leave(1);
    for (uint32_t next = 1;; next++) {
        wait_for(&order, next);
        obey();
        done = next;
    }
}

/* The guest is entered (or about to be, with waits). */
static void begin(const char *code, uint32_t pin_based, uint32_t activity, bool waits)
{
    wanted.code = code;
    wanted.pin_based = pin_based;
    wanted.activity = activity;
    wanted.waits = waits;
    guest_is_in = guest_may_leave = ready = go = 0;
    nmis = interrupts = 0;
    order++;
    wait_for(&ready, 1);
    if (code == op_spin && activity == ACTIVE && !waits)
        wait_for(&guest_is_in, 1);
    else
        a_while();
}

#define END(expected) end(expected, __LINE__)
static void end(uint64_t reason, int line)
{
    wait_for(&done, order);
    check_equal("entered", seen.entered, true, line);
    check_equal("exit reason", seen.reason, reason, line);
    check_equal("SVR", seen.svr, 0x1ff, line); /* no event has reset the local APIC */
    check_equal("LVT timer", seen.timer, 0x10077, line);
}

static void init_signals(void)
{
    begin(op_spin, 0, ACTIVE, false);
    send(ICR_INIT);
    END(EXIT_INIT);
    CHECK_EQUAL(seen.activity, ACTIVE);
    CHECK_EQUAL(seen.rip > (uint64_t)op_spin && seen.rip < (uint64_t)op_halt, true);
    begin(op_leave, 0, HALTED, false);
    send(ICR_INIT);
    END(EXIT_INIT);
    CHECK_EQUAL(seen.activity, HALTED);
    CHECK_EQUAL(seen.rip, (uint64_t)op_leave);
    begin(op_leave, 0, SHUTDOWN, false);
    send(ICR_INIT);
    END(EXIT_INIT);
    CHECK_EQUAL(seen.activity, SHUTDOWN);
    /* Blocked in root operation; the guest gets to execute nothing. */
    begin(op_leave, 0, ACTIVE, true);
    send(ICR_INIT);
    send(ICR_STARTUP | 0x9a); /* finds no processor that waits */
    a_while();
    CHECK_EQUAL(done, order - 1);
    go = 1;
    END(EXIT_INIT);
    CHECK_EQUAL(seen.rip, (uint64_t)op_leave);
}

static void start_up_signals(void)
{
    begin(op_spin, 0, ACTIVE, false);
    send(ICR_STARTUP | 0x9a); /* discarded */
    a_while();
    guest_may_leave = 1;
    END(EXIT_VMCALL);
    /* INIT, NMI and interrupts are blocked in the wait-for-SIPI state; all but the interrupt come afterwards.
     */
    begin(op_leave, EXTERNAL_INTERRUPT_EXITING | NMI_EXITING, WAIT_FOR_SIPI, false);
    send(ICR_INIT);
    send(ICR_NMI);
    send(0x4000 | VECTOR);
    a_while();
    CHECK_EQUAL(done, order - 1);
    send(ICR_STARTUP | 0x9a);
    END(EXIT_SIPI);
    CHECK_EQUAL(seen.qualification, 0x9a);
    CHECK_EQUAL(seen.activity, WAIT_FOR_SIPI);
    CHECK_EQUAL(nmis, 1);
    begin(op_leave, 0, ACTIVE, false); /* the INIT still waits */
    END(EXIT_INIT);
    begin(op_leave, EXTERNAL_INTERRUPT_EXITING, ACTIVE, false); /* and so does the interrupt */
    END(EXIT_EXTERNAL_INTERRUPT);
    CHECK_EQUAL(seen.information, 0x80000000 | VECTOR);
}

static uint64_t gate_target(unsigned vector)
{
    const uint8_t *gate = trap_gate(vector);
    return *(const uint16_t *)gate | (uint64_t) * (const uint16_t *)(gate + 6) << 16 |
           (uint64_t) * (const uint32_t *)(gate + 8) << 32;
}

static void nmis_to_guests(void)
{
    begin(op_spin, NMI_EXITING, ACTIVE, false);
    send(ICR_NMI);
    END(EXIT_EXCEPTION_OR_NMI);
    CHECK_EQUAL(seen.information, 0x80000202);
    CHECK_EQUAL(nmis, 0);
    send(ICR_NMI); /* NMIs are blocked since that exit; the next entry unblocks them */
    a_while();
    CHECK_EQUAL(nmis, 0);
    begin(op_leave, 0, ACTIVE, false);
    END(EXIT_VMCALL);
    CHECK_EQUAL(nmis, 1); /* by the guest's IDT */
    begin(op_spin, 0, ACTIVE, false);
    send(ICR_NMI);
    a_while();
    CHECK_EQUAL(nmis, 1);
    guest_may_leave = 1;
    END(EXIT_VMCALL);
    /* An external interrupt does not come in the shutdown state; an NMI ends it. */
    begin(op_leave, EXTERNAL_INTERRUPT_EXITING, SHUTDOWN, false);
    send(0x4000 | VECTOR);
    a_while();
    CHECK_EQUAL(done, order - 1);
    send(ICR_NMI);
    END(EXIT_EXTERNAL_INTERRUPT);
    /* It exits between the NMI's delivery and its handler. */
    CHECK_EQUAL(seen.information, 0x80000000 | VECTOR);
    CHECK_EQUAL(nmis, 0);
    CHECK_EQUAL(seen.activity, ACTIVE);
    CHECK_EQUAL(seen.rip, gate_target(2));
}

static void post(unsigned vector)
{
    __asm__ volatile("lock bts %1, %0" : "+m"(descriptor.requests) : "r"((uint64_t)vector) : "cc", "memory");
    __asm__ volatile("lock bts $0, %0" : "+m"(descriptor.notification)::"cc", "memory");
    send(0x4000 | NOTIFICATION);
}

static void posted_interrupts(void)
{
    const uint32_t posted = EXTERNAL_INTERRUPT_EXITING | PROCESS_POSTED_INTERRUPTS;
    begin(op_halt, posted, ACTIVE, false);
    post(VECTOR);
    END(EXIT_VMCALL);
    CHECK_EQUAL(interrupts, 1);
    CHECK_EQUAL(descriptor.requests[1] | descriptor.notification, 0);
    /* In service is 51H: of the same class, so 52H waits, and 61H does not. */
    begin(op_halt, posted, ACTIVE, false);
    post(VECTOR + 1);
    a_while();
    CHECK_EQUAL(done, order - 1);
    CHECK_EQUAL(interrupts, 0);
    post(0x63);
    END(EXIT_VMCALL);
    CHECK_EQUAL(interrupts, 1);
    CHECK_EQUAL(virtual_apic[0x220 / 4], 1 << ((VECTOR + 1) & 31));
    CHECK_EQUAL(virtual_apic[0xa0 / 4], 0x60);
    /* Another vector is the hypervisor's. */
    begin(op_spin, posted, ACTIVE, false);
    send(0x4000 | 0x71);
    END(EXIT_EXTERNAL_INTERRUPT);
    CHECK_EQUAL(seen.information, 0x80000071);
}

int main(void)
{
    trap_install();
    trap_on_interrupt(2, on_nmi);
    trap_on_interrupt(VECTOR, on_interrupt);
    trap_on_interrupt(VECTOR + 1, on_interrupt);
    trap_on_interrupt(0x63, on_interrupt);
    start_cr3 = (uint32_t)(uint64_t)boot_pml4;
    memcpy((void *)(START_PAGE << 12), processor_start, (size_t)(processor_start_end - processor_start));
    processor_stack = (uint64_t)(stack + sizeof stack);
    apic_write(APIC_SPURIOUS, 0x1ff);
    send(ICR_INIT);
    send(ICR_STARTUP | START_PAGE);
    init_signals();
    start_up_signals();
    nmis_to_guests();
    posted_interrupts();
    check_end();
}
