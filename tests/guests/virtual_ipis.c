/*
 * virtual_ipis: a guest's IPIs that reach their destination without a VM exit. SDM "IPI Virtualization",
 * "Posted-Interrupt Processing". The guest on the first processor writes to its virtual ICR; virtual
 * processor 0 is itself, whose notification is processed as a posted interrupt; virtual processor 1 stands
 * for a hypervisor that waits on the second processor, in real mode.
 */
/* expect: status 0 */
/* expect: options --cpu sapphirerapids --smp 2 */
#include "guest_tables.h"
#include "trap.h"
#include "vmx.h"
#include "working_set.h"

enum {
    EXTERNAL_INTERRUPT_EXITING = 1 << 0,
    PROCESS_POSTED_INTERRUPTS = 1 << 7,
    ACTIVATE_TERTIARY_CONTROLS = 1 << 17,
    USE_TPR_SHADOW = 1 << 21,
    VIRTUALIZE_APIC_ACCESSES = 1 << 0,
    APIC_REGISTER_VIRTUALIZATION = 1 << 8,
    VIRTUAL_INTERRUPT_DELIVERY = 1 << 9,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    ACKNOWLEDGE_INTERRUPT_ON_EXIT = 1 << 15,
    TERTIARY_IPI_VIRTUALIZATION = 1 << 4,
    POSTED_INTERRUPT_NOTIFICATION_VECTOR = 0x0002,
    LAST_PID_POINTER_INDEX = 0x0008,
    GUEST_INTERRUPT_STATUS = 0x810,
    VIRTUAL_APIC_ADDRESS = 0x2012,
    APIC_ACCESS_ADDRESS = 0x2014,
    POSTED_INTERRUPT_DESCRIPTOR_ADDRESS = 0x2016,
    TERTIARY_CONTROLS = 0x2034,
    PID_POINTER_TABLE_ADDRESS = 0x2042,
    IA32_VMX_PROCBASED_CTLS3 = 0x492,
    EXIT_APIC_WRITE = 56,
    IA32_APIC_BASE = 0x1b,
    VECTOR = 0x51,
    WAKE = 0x61,   /* notifies the second processor */
    POSTED = 0x62, /* notifies the first, in non-root operation */
    OUTSTANDING = 1,
    SUPPRESSED = 2,
    PAGE = 4096,
    START = 0x8000,
};
#define APIC 0xfee00000ull

static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE))), guest_stack[PAGE] __attribute__((aligned(16)));
static uint32_t virtual_apic[PAGE / 4] __attribute__((aligned(PAGE)));
static uint64_t pid_table[2] __attribute__((aligned(PAGE)));
static struct descriptor {
    volatile uint64_t requests[4], notification, unused[3];
} descriptors[2] __attribute__((aligned(64)));
static struct guest_registers registers;
static bool launched;
static volatile unsigned interrupts;

/* RDI: the APIC-access page. RCX: the ICR's upper half, RAX: its lower. */
__asm__(".text\n"
        "op_ipi: mov %ecx, 0x310(%rdi)\n mov %eax, 0x300(%rdi)\n after_ipi: vmcall\n"
        "op_ipi_to_itself: mov %ecx, 0x310(%rdi)\n sti\n mov %eax, 0x300(%rdi)\n"
        "1: pause\n cmpl $0, interrupts\n je 1b\n cli\n vmcall\n");
extern const char op_ipi[], after_ipi[], op_ipi_to_itself[];

/* The second processor, at 8000H in real mode: x2APIC mode, counts interrupts at 9002H; 9000H: it is ready.
 */
__asm__(".text\n .code16\n"
        "second: cli\n xor %ax, %ax\n mov %ax, %ds\n mov %ax, %ss\n mov $0x7c00, %sp\n"
        " mov $0x1b, %ecx\n rdmsr\n or $0xc00, %eax\n wrmsr\n"
        " mov $0x80f, %ecx\n mov $0x1ff, %eax\n xor %edx, %edx\n wrmsr\n"
        " sti\n incw 0x9000\n"
        "1: hlt\n jmp 1b\n"
        "second_interrupt: pushal\n incw 0x9002\n"
        " mov $0x80b, %ecx\n xor %eax, %eax\n xor %edx, %edx\n wrmsr\n popal\n iretw\n"
        "second_end:\n .code64\n");
extern const char second[], second_interrupt[], second_end[];

static volatile uint16_t *word_at(uint64_t address)
{
    __asm__("" : "+r"(address)); /* nothing that the compiler knows of lies there */
    return (volatile uint16_t *)address;
}

static void apic_write(unsigned at, uint32_t value)
{
    *(volatile uint32_t *)(APIC + at) = value;
}

static void start_second(void)
{
    memcpy((void *)(uintptr_t)word_at(START), second, (size_t)(second_end - second));
    *word_at(0x9000) = *word_at(0x9002) = 0;
    *word_at(WAKE * 4) = (uint16_t)(START + (second_interrupt - second));
    *word_at(WAKE * 4 + 2) = 0;
    apic_write(0xf0, 0x1ff);
    apic_write(0x310, 1 << 24);
    apic_write(0x300, 0x4500); /* INIT */
    apic_write(0x310, 1 << 24);
    apic_write(0x300, 0x4600 | START >> 12);
    while (!*word_at(0x9000))
        __asm__ volatile("pause");
}

static void describe(unsigned id, unsigned processor, unsigned vector)
{
    descriptors[id].notification = (uint64_t)(processor << 8) << 32 | (uint64_t)vector << 16;
    pid_table[id] = (uint64_t)&descriptors[id] | 1;
}

static void run(const char *operation, uint32_t destination, uint32_t icr, uint64_t reason)
{
    registers.rax = icr;
    registers.rcx = destination << 24;
    registers.rdi = (uint64_t)set_page(0);
    vmwrite(GUEST_RIP, (uint64_t)operation);
    vmwrite(GUEST_RFLAGS, 2);
    check_equal("entered", vmx_run(&registers, launched), true, (int)icr);
    launched = true;
    CHECK_EQUAL(vmread(EXIT_REASON), reason);
}

static void to_another(void)
{
    run(op_ipi, 1, VECTOR, EXIT_VMCALL);
    CHECK_EQUAL(descriptors[1].requests[1], 1ull << (VECTOR - 64));
    CHECK_EQUAL(descriptors[1].notification & 3, OUTSTANDING);
    while (*word_at(0x9002) != 1)
        __asm__ volatile("pause");
    run(op_ipi, 1, 0xa0, EXIT_VMCALL); /* a notification is outstanding: no second one */
    CHECK_EQUAL(descriptors[1].requests[2], 1ull << (0xa0 - 128));
    CHECK_EQUAL(descriptors[0].requests[1], 0);
    descriptors[1].notification = (descriptors[1].notification & ~3ull) | SUPPRESSED;
    run(op_ipi, 1, 0xa1, EXIT_VMCALL);
    CHECK_EQUAL(descriptors[1].requests[2], 3ull << (0xa0 - 128));
    CHECK_EQUAL(descriptors[1].notification & 3, SUPPRESSED);
    descriptors[1].notification &= ~3ull;
    run(op_ipi, 1, 0xa2, EXIT_VMCALL);
    while (*word_at(0x9002) < 2)
        __asm__ volatile("pause");
    CHECK_EQUAL(*word_at(0x9002), 2);
}

static void count(struct trap_frame *frame)
{
    (void)frame;
    interrupts++;
}

static void to_itself(void)
{
    trap_on_interrupt(VECTOR, count);
    run(op_ipi_to_itself, 0, VECTOR, EXIT_VMCALL); /* no exit on the way */
    CHECK_EQUAL(interrupts, 1);
    CHECK_EQUAL(descriptors[0].requests[1], 0);
    CHECK_EQUAL(descriptors[0].notification & 3, 0);
    CHECK_EQUAL(vmread(GUEST_INTERRUPT_STATUS), VECTOR << 8);
}

static void for_the_hypervisor(const char *what, uint32_t destination, uint32_t icr)
{
    const uint64_t before = descriptors[1].requests[1];
    run(op_ipi, destination, icr, EXIT_APIC_WRITE);
    check_equal(what, vmread(EXIT_QUALIFICATION), 0x300, (int)icr);
    check_equal(what, vmread(GUEST_RIP), (uint64_t)after_ipi, (int)icr);
    check_equal(what, descriptors[1].requests[1], before, (int)icr);
}

static void what_exits(void)
{
    for_the_hypervisor("beyond the table", 2, VECTOR);
    for_the_hypervisor("logical destination", 1, 0x800 | VECTOR);
    for_the_hypervisor("NMI", 1, 0x400);
    for_the_hypervisor("shorthand: all but itself", 1, 0xc0000 | VECTOR);
    for_the_hypervisor("level-triggered", 1, 0x8000 | VECTOR);
    for_the_hypervisor("vector below 16", 1, 15);
    pid_table[1] &= ~1ull;
    for_the_hypervisor("entry that is not valid", 1, VECTOR);
}

static void set_up_virtual_apic(void)
{
    vmwrite(SECONDARY_CONTROLS,
            VIRTUALIZE_APIC_ACCESSES | APIC_REGISTER_VIRTUALIZATION | VIRTUAL_INTERRUPT_DELIVERY);
    vmwrite(VIRTUAL_APIC_ADDRESS, (uint64_t)virtual_apic);
    vmwrite(APIC_ACCESS_ADDRESS, SET_FRAMES);
    vmwrite(POSTED_INTERRUPT_NOTIFICATION_VECTOR, POSTED);
    vmwrite(POSTED_INTERRUPT_DESCRIPTOR_ADDRESS, (uint64_t)&descriptors[0]);
    vmwrite(TERTIARY_CONTROLS, TERTIARY_IPI_VIRTUALIZATION);
    vmwrite(PID_POINTER_TABLE_ADDRESS, (uint64_t)pid_table);
    vmwrite(LAST_PID_POINTER_INDEX, 1);
    describe(0, 0, POSTED);
    describe(1, 1, WAKE);
}

int main(void)
{
    const struct vmx_wanted_controls wanted = {
        .pin_based = EXTERNAL_INTERRUPT_EXITING | PROCESS_POSTED_INTERRUPTS,
        .primary = USE_TPR_SHADOW | ACTIVATE_TERTIARY_CONTROLS,
        .secondary = VIRTUALIZE_APIC_ACCESSES | APIC_REGISTER_VIRTUALIZATION | VIRTUAL_INTERRUPT_DELIVERY,
        .exit = HOST_ADDRESS_SPACE_SIZE | ACKNOWLEDGE_INTERRUPT_ON_EXIT};
    trap_install();
    set_map();
    start_second();
    if (!vmx_enable() || !vmcs_create_with(vmcs, &wanted))
        leave(1);
    CHECK_EQUAL(rdmsr(IA32_VMX_PROCBASED_CTLS3), TERTIARY_IPI_VIRTUALIZATION | 0xe); /* and HLAT's three */
    vmcs_guest_long_mode((uint64_t)op_ipi, (uint64_t)guest_stack + sizeof guest_stack - 16, read_cr3());
    guest_has_our_tables();
    set_up_virtual_apic();
    to_another();
    to_itself();
    what_exits();
    check_end();
}
