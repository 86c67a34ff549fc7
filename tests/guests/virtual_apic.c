/*
 * virtual_apic: a guest's local APIC on the virtual-APIC page, by translated code; and the monitor trap flag.
 * SDM chapter "APIC Virtualization and Virtual Interrupts", section "Monitor Trap Flag". Each operation is a
 * few instructions that end with VMCALL; the expected exits are by hand.
 */
/* expect: status 0 */
/* expect: options --cpu haswell */
#include "guest_tables.h"
#include "trap.h"
#include "vmx.h"
#include "working_set.h"

enum {
    EXTERNAL_INTERRUPT_EXITING = 1 << 0,
    USE_TPR_SHADOW = 1 << 21,
    MONITOR_TRAP_FLAG = 1 << 27,
    VIRTUALIZE_APIC_ACCESSES = 1 << 0,
    APIC_REGISTER_VIRTUALIZATION = 1 << 8,
    VIRTUAL_INTERRUPT_DELIVERY = 1 << 9,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    GUEST_INTERRUPT_STATUS = 0x810,
    VIRTUAL_APIC_ADDRESS = 0x2012,
    APIC_ACCESS_ADDRESS = 0x2014,
    EOI_EXIT_BITMAP_1 = 0x201e,
    TPR_THRESHOLD = 0x401c,
    EXIT_MONITOR_TRAP_FLAG = 37,
    EXIT_TPR_BELOW_THRESHOLD = 43,
    EXIT_APIC_ACCESS = 44,
    EXIT_VIRTUALIZED_EOI = 45,
    EXIT_APIC_WRITE = 56,
    VECTOR = 0x51,
    PAGE = 4096,
    RFLAGS_RF = 1 << 16,
};

static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE))), guest_stack[PAGE] __attribute__((aligned(16)));
static uint32_t virtual_apic[PAGE / 4] __attribute__((aligned(PAGE)));
static uint32_t scratch[4];
static struct guest_registers registers;
static bool launched;
static unsigned interrupts;

/* RDI: the APIC-access page. */
__asm__(".text\n"
        "op_read_tpr: mov 0x80(%rdi), %eax\n vmcall\n"
        "op_write_tpr: mov %eax, 0x80(%rdi)\n after_write_tpr: vmcall\n"
        "op_and_tpr: andl $0xf0, 0x80(%rdi)\n vmcall\n"
        "op_read_version: mov 0x30(%rdi), %eax\n vmcall\n"
        "op_write_icr: movl %eax, 0x300(%rdi)\n after_write_icr: vmcall\n"
        "op_read_8: mov 0x80(%rdi), %rax\n vmcall\n"
        "op_crossing: mov -2(%rdi), %eax\n vmcall\n"
        "op_write_lvt: movl %eax, 0x320(%rdi)\n after_write_lvt: vmcall\n"
        "op_repeat: rep stosl\n vmcall\n"
        "op_push: push %rax\n vmcall\n"
        "op_cr8: mov %rax, %cr8\n after_cr8: vmcall\n"
        "op_nops: nop\n after_nop: nop\n vmcall\n"
        "op_interrupt: mov %eax, 0x300(%rdi)\n sti\n nop\n cli\n vmcall\n"
        "op_eoi: movl $0, 0xb0(%rdi)\n after_eoi: vmcall\n");
extern const char op_read_tpr[], op_write_tpr[], after_write_tpr[], op_and_tpr[], op_read_version[],
    op_write_icr[], after_write_icr[], op_read_8[], op_crossing[], op_write_lvt[], after_write_lvt[],
    op_repeat[], op_push[], op_cr8[], after_cr8[], op_nops[], after_nop[], op_interrupt[], op_eoi[],
    after_eoi[];

static void go_on(uint64_t reason, uint64_t qualification)
{
    check_equal("entered", vmx_run(&registers, launched), true, (int)reason);
    launched = true;
    CHECK_EQUAL(vmread(EXIT_REASON), reason);
    if (reason != EXIT_VMCALL && reason != EXIT_MONITOR_TRAP_FLAG)
        CHECK_EQUAL(vmread(EXIT_QUALIFICATION), qualification);
}

static void run(const char *operation, uint64_t rax, uint64_t reason, uint64_t qualification)
{
    registers.rax = rax;
    registers.rdi = (uint64_t)set_page(0);
    vmwrite(GUEST_RIP, (uint64_t)operation);
    vmwrite(GUEST_RFLAGS, 2);
    go_on(reason, qualification);
}

static void with(uint32_t secondary)
{
    vmwrite(SECONDARY_CONTROLS, secondary);
}

static void tpr_alone(void)
{
    with(VIRTUALIZE_APIC_ACCESSES);
    virtual_apic[0x80 / 4] = 0x47;
    run(op_read_tpr, 0, EXIT_VMCALL, 0);
    CHECK_EQUAL(registers.rax, 0x47);
    run(op_write_tpr, 0xffffff35, EXIT_VMCALL, 0); /* bytes 3:1 are cleared afterwards */
    CHECK_EQUAL(virtual_apic[0x80 / 4], 0x35);
    run(op_and_tpr, 0, EXIT_VMCALL, 0);
    CHECK_EQUAL(virtual_apic[0x80 / 4], 0x30);
    run(op_read_version, 0, EXIT_APIC_ACCESS, 0x0030);
    CHECK_EQUAL(vmread(GUEST_RIP), op_read_version);
    CHECK_EQUAL(vmread(EXIT_INSTRUCTION_LENGTH), 3);
    run(op_write_icr, 0x40051, EXIT_APIC_ACCESS, 0x1300);
    CHECK_EQUAL(virtual_apic[0x300 / 4], 0);
    run(op_read_8, 0, EXIT_APIC_ACCESS, 0x0080);
    vmwrite(TPR_THRESHOLD, 3);
    run(op_write_tpr, 0x2f, EXIT_TPR_BELOW_THRESHOLD, 0);
    CHECK_EQUAL(vmread(GUEST_RIP), after_write_tpr);
    virtual_apic[0x80 / 4] = 0x30;
    run(op_cr8, 2, EXIT_TPR_BELOW_THRESHOLD, 0);
    CHECK_EQUAL(vmread(GUEST_RIP), after_cr8);
    CHECK_EQUAL(virtual_apic[0x80 / 4], 0x20);
    run(op_read_tpr, 0, EXIT_TPR_BELOW_THRESHOLD, 0); /* at once after the entry */
    CHECK_EQUAL(vmread(GUEST_RIP), op_read_tpr);
    vmwrite(TPR_THRESHOLD, 0);
}

static void apic_registers(void)
{
    with(VIRTUALIZE_APIC_ACCESSES | APIC_REGISTER_VIRTUALIZATION);
    virtual_apic[0x30 / 4] = 0x50014;
    run(op_read_version, 0, EXIT_VMCALL, 0);
    CHECK_EQUAL(registers.rax, 0x50014);
    run(op_write_lvt, 0x10033, EXIT_APIC_WRITE, 0x320); /* trap-like */
    CHECK_EQUAL(vmread(GUEST_RIP), after_write_lvt);
    CHECK_EQUAL(virtual_apic[0x320 / 4], 0x10033);
    /* The first iteration's write (ICR, high) needs no exit; the second lies beside the register. */
    registers.rcx = 3;
    registers.rax = 0x12345678;
    registers.rdi = (uint64_t)set_page(0) + 0x310;
    vmwrite(GUEST_RIP, (uint64_t)op_repeat);
    go_on(EXIT_APIC_ACCESS, 0x1314);
    CHECK_EQUAL(vmread(GUEST_RIP), op_repeat);
    CHECK_EQUAL(registers.rcx, 2);
    CHECK_EQUAL(virtual_apic[0x310 / 4], 0x12000000);
    /* The stack on the page: a push of 8 bytes. */
    const uint64_t rsp = vmread(GUEST_RSP);
    vmwrite(GUEST_RSP, (uint64_t)set_page(0) + 0x88);
    run(op_push, 1, EXIT_APIC_ACCESS, 0x1080);
    CHECK_EQUAL(vmread(GUEST_RSP), (uint64_t)set_page(0) + 0x88);
    vmwrite(GUEST_RSP, rsp);
}

static void count(struct trap_frame *frame)
{
    (void)frame;
    interrupts++;
}

static void virtual_interrupts(void)
{
    with(VIRTUALIZE_APIC_ACCESSES | APIC_REGISTER_VIRTUALIZATION | VIRTUAL_INTERRUPT_DELIVERY);
    trap_on_interrupt(VECTOR, count);
    virtual_apic[0x80 / 4] = 0;
    run(op_interrupt, 0x40000 | VECTOR, EXIT_VMCALL, 0);
    CHECK_EQUAL(interrupts, 1);
    CHECK_EQUAL(vmread(GUEST_INTERRUPT_STATUS), VECTOR << 8);
    CHECK_EQUAL(virtual_apic[0x120 / 4], 1 << (VECTOR & 31));
    CHECK_EQUAL(virtual_apic[0xa0 / 4], VECTOR & 0xf0);
    run(op_interrupt, 0x40000 | VECTOR, EXIT_VMCALL, 0); /* the same class is in service */
    CHECK_EQUAL(interrupts, 1);
    CHECK_EQUAL(vmread(GUEST_INTERRUPT_STATUS), VECTOR << 8 | VECTOR);
    vmwrite(EOI_EXIT_BITMAP_1, 1ull << (VECTOR - 64));
    run(op_eoi, 0, EXIT_VIRTUALIZED_EOI, VECTOR);
    CHECK_EQUAL(vmread(GUEST_RIP), after_eoi);
    CHECK_EQUAL(vmread(GUEST_INTERRUPT_STATUS), VECTOR);
    CHECK_EQUAL(virtual_apic[0x120 / 4], 0);
    run(op_write_icr, 0x51, EXIT_APIC_WRITE, 0x300); /* no shorthand: the hypervisor's */
    CHECK_EQUAL(vmread(GUEST_RIP), after_write_icr);
}

static void monitor_trap_flag(void)
{
    const uint64_t primary = vmread(PRIMARY_CONTROLS);
    with(0);
    vmwrite(PRIMARY_CONTROLS, primary | MONITOR_TRAP_FLAG);
    run(op_nops, 0, EXIT_MONITOR_TRAP_FLAG, 0);
    CHECK_EQUAL(vmread(GUEST_RIP), after_nop);
    registers.rcx = 3;
    registers.rdi = (uint64_t)scratch;
    vmwrite(GUEST_RIP, (uint64_t)op_repeat);
    go_on(EXIT_MONITOR_TRAP_FLAG, 0);
    CHECK_EQUAL(vmread(GUEST_RIP), op_repeat); /* after one iteration */
    CHECK_EQUAL(registers.rcx, 2);
    CHECK_EQUAL(vmread(GUEST_RFLAGS) & RFLAGS_RF, RFLAGS_RF);
    vmwrite(PRIMARY_CONTROLS, primary);
}

int main(void)
{
    const struct vmx_wanted_controls wanted = {.pin_based = EXTERNAL_INTERRUPT_EXITING,
                                               .primary = USE_TPR_SHADOW,
                                               .secondary = VIRTUALIZE_APIC_ACCESSES,
                                               .exit = HOST_ADDRESS_SPACE_SIZE};
    trap_install();
    set_map();
    if (!vmx_enable() || !vmcs_create_with(vmcs, &wanted))
        leave(1);
    vmcs_guest_long_mode((uint64_t)op_read_tpr, (uint64_t)guest_stack + sizeof guest_stack - 16, read_cr3());
    guest_has_our_tables();
    vmwrite(VIRTUAL_APIC_ADDRESS, (uint64_t)virtual_apic);
    vmwrite(APIC_ACCESS_ADDRESS, SET_FRAMES);
    tpr_alone();
    apic_registers();
    virtual_interrupts();
    monitor_trap_flag();
    check_end();
}
