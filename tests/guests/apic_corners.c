/*
 * apic_corners: operations of translated code on the APIC-access page that are more than a plain MOV of 4
 * bytes: what is virtualized, what exits, and with which qualification. SDM "Virtualizing Reads from the
 * APIC-Access Page", "Determining Whether a Write Access is Virtualized", "APIC-Write Emulation", table "Exit
 * Qualification for APIC-Access VM Exits from Linear Accesses and Guest-Physical Accesses".
 */
/* expect: status 0 */
/* expect: options --cpu haswell */
#include "guest_tables.h"
#include "trap.h"
#include "vmx.h"
#include "working_set.h"

enum {
    PAGE = 4096,
    USE_TPR_SHADOW = 1 << 21,
    VIRTUALIZE_APIC_ACCESSES = 1 << 0,
    APIC_REGISTER_VIRTUALIZATION = 1 << 8,
    VIRTUAL_INTERRUPT_DELIVERY = 1 << 9,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    EXTERNAL_INTERRUPT_EXITING = 1 << 0,
    GUEST_INTERRUPT_STATUS = 0x810,
    VIRTUAL_APIC_ADDRESS = 0x2012,
    APIC_ACCESS_ADDRESS = 0x2014,
    TPR_THRESHOLD = 0x401c,
    IDT_VECTORING_INFORMATION = 0x4408,
    EXIT_TPR_BELOW_THRESHOLD = 43,
    EXIT_APIC_ACCESS = 44,
    EXIT_APIC_WRITE = 56,
    READ = 0x0000,
    WRITE = 0x1000,
    FETCH = 0x2000,
    DELIVERY = 0x3000,
    MONITOR = 0x4000,
    TPR = 0x80,
    ICR = 0x300,
    ICR_HIGH = 0x310,
    VECTOR = 0x51,
};

static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE))), guest_stack[PAGE] __attribute__((aligned(16)));
static uint32_t virtual_apic[PAGE / 4] __attribute__((aligned(PAGE)));
static uint32_t scratch[256] __attribute__((aligned(64)));
static struct guest_registers registers;
static bool launched;

/* RDI: the APIC-access page. RSI: memory. */
__asm__(
    ".text\n"
    "op_fetch: lea 0x80(%rdi), %rax\n jmp *%rax\n"
    "op_xadd: xadd %eax, 0x80(%rdi)\n vmcall\n"
    "op_cmpxchg: lock cmpxchg %ecx, 0x80(%rdi)\n vmcall\n"
    "op_bts: btsl $5, 0x80(%rdi)\n vmcall\n"
    "op_bts_register: btsl %ecx, 0x80(%rdi)\n vmcall\n"
    "op_byte: movb $0x60, 0x80(%rdi)\n vmcall\n"
    "op_byte_at_1: movb $0x60, 0x81(%rdi)\n vmcall\n"
    "op_word_at_3: movw $0x60, 0x83(%rdi)\n vmcall\n"
    "op_read_byte_at_1: movb 0x81(%rdi), %al\n vmcall\n"
    "op_movd: movd 0x80(%rdi), %xmm0\n movd %xmm0, %eax\n vmcall\n"
    "op_movq: movq 0x80(%rdi), %xmm0\n vmcall\n"
    "op_fxsave: fxsave (%rdi)\n vmcall\n"
    "op_sgdt: sgdt 0x80(%rdi)\n vmcall\n"
    "op_lods: xchg %rdi, %rsi\n rep lodsl\n vmcall\n"
    "op_movs_up: mov %rdi, %rsi\n add $0x310, %rsi\n add $0x80, %rdi\n movsl\n vmcall\n"
    "op_pop: pop 0x80(%rdi)\n vmcall\n"
    "op_call: call *0x80(%rdi)\n vmcall\n"
    "op_monitor: lea 0x80(%rdi), %rax\n xor %ecx, %ecx\n xor %edx, %edx\n monitor\n vmcall\n"
    "op_monitor_version: lea 0x30(%rdi), %rax\n xor %ecx, %ecx\n xor %edx, %edx\n at_monitor: monitor\n "
    "vmcall\n"
    "op_clflush: clflush 0x30(%rdi)\n vmcall\n"
    "op_prefetch: prefetcht0 0x30(%rdi)\n vmcall\n"
    "op_int: int $0x51\n vmcall\n"
    "op_fault: ud2\n vmcall\n"
    "op_two: movl $0x50, 0x80(%rdi)\n movl 0x80(%rdi), %eax\n movl $0x30, 0x80(%rdi)\n movl 0x80(%rdi), "
    "%ebx\n vmcall\n"
    "op_icr_byte: movb $0x52, 0x300(%rdi)\n vmcall\n"
    "op_loop: mov $100, %ecx\n 1: mov %ecx, %eax\n shl $4, %eax\n and $0xf0, %eax\n mov %eax, 0x80(%rdi)\n"
    " add 0x80(%rdi), %ebx\n dec %ecx\n jnz 1b\n vmcall\n");
extern const char op_fetch[], op_xadd[], op_cmpxchg[], op_bts[], op_bts_register[], op_byte[], op_byte_at_1[],
    op_word_at_3[], op_read_byte_at_1[], op_movd[], op_movq[], op_fxsave[], op_sgdt[], op_lods[],
    op_movs_up[], op_pop[], op_call[], op_monitor[], op_monitor_version[], at_monitor[], op_clflush[],
    op_prefetch[], op_int[], op_fault[], op_two[], op_icr_byte[], op_loop[];

static uint64_t page(void)
{
    return (uint64_t)set_page(0);
}

#define RUN(operation, reason, qualification) run(#operation, operation, reason, qualification)
static void run(const char *name, const char *operation, uint64_t reason, uint64_t qualification)
{
    registers.rdi = page();
    registers.rsi = (uint64_t)scratch;
    vmwrite(GUEST_RIP, (uint64_t)operation);
    vmwrite(GUEST_RFLAGS, 2);
    check_equal("entered", vmx_run(&registers, launched), true, __LINE__);
    launched = true;
    check_equal(name, vmread(EXIT_REASON), reason, __LINE__);
    if (reason == EXIT_APIC_ACCESS || reason == EXIT_APIC_WRITE)
        check_equal(name, vmread(EXIT_QUALIFICATION), qualification, __LINE__);
}

static void with(uint32_t secondary)
{
    vmwrite(SECONDARY_CONTROLS, VIRTUALIZE_APIC_ACCESSES | secondary);
}

static void tpr_alone(void)
{
    with(0);
    RUN(op_fetch, EXIT_APIC_ACCESS, FETCH | TPR);
    CHECK_EQUAL(vmread(GUEST_RIP), page() + TPR);
    virtual_apic[TPR / 4] = 0x20;
    registers.rax = 0x11;
    RUN(op_xadd, EXIT_VMCALL, 0);
    CHECK_EQUAL(registers.rax, 0x20);
    CHECK_EQUAL(virtual_apic[TPR / 4], 0x31);
    registers.rax = 0x31;
    registers.rcx = 0xabcdef47;
    RUN(op_cmpxchg, EXIT_VMCALL, 0);
    CHECK_EQUAL(virtual_apic[TPR / 4], 0x47);
    registers.rax = 0x48; /* unequal: what was read is written */
    RUN(op_cmpxchg, EXIT_VMCALL, 0);
    CHECK_EQUAL(virtual_apic[TPR / 4], 0x47);
    CHECK_EQUAL(registers.rax, 0x47);
    RUN(op_bts, EXIT_VMCALL, 0);
    CHECK_EQUAL(virtual_apic[TPR / 4], 0x67);
    registers.rcx = 32 * 4; /* the register at 090H */
    RUN(op_bts_register, EXIT_APIC_ACCESS, READ | 0x90);
    virtual_apic[TPR / 4] = 0x12345610;
    RUN(op_byte, EXIT_VMCALL, 0);
    CHECK_EQUAL(virtual_apic[TPR / 4], 0x60);
    RUN(op_byte_at_1, EXIT_APIC_ACCESS, WRITE | 0x81);
    RUN(op_word_at_3, EXIT_APIC_ACCESS, WRITE | 0x83);
    RUN(op_read_byte_at_1, EXIT_APIC_ACCESS, READ | 0x81);
    RUN(op_movd, EXIT_VMCALL, 0);
    CHECK_EQUAL(registers.rax, 0x60);
    RUN(op_movq, EXIT_APIC_ACCESS, READ | TPR);
    RUN(op_fxsave, EXIT_APIC_ACCESS, WRITE);
    RUN(op_sgdt, EXIT_APIC_ACCESS, WRITE | TPR);
    registers.rcx = 3;
    RUN(op_lods, EXIT_APIC_ACCESS, READ);
    CHECK_EQUAL(registers.rcx, 3);
    const uint64_t rsp = vmread(GUEST_RSP);
    RUN(op_pop, EXIT_APIC_ACCESS, WRITE | TPR);
    CHECK_EQUAL(vmread(GUEST_RSP), rsp);
    RUN(op_call, EXIT_APIC_ACCESS, READ | TPR);
    CHECK_EQUAL(vmread(GUEST_RSP), rsp);
    RUN(op_monitor, EXIT_VMCALL, 0);
    RUN(op_monitor_version, EXIT_APIC_ACCESS, MONITOR | 0x30);
    CHECK_EQUAL(vmread(GUEST_RIP), at_monitor);
    RUN(op_clflush, EXIT_APIC_ACCESS, READ | 0x30);
    RUN(op_prefetch, EXIT_VMCALL, 0);
    RUN(op_two, EXIT_VMCALL, 0);
    CHECK_EQUAL(registers.rax, 0x50);
    CHECK_EQUAL(registers.rbx, 0x30);
    registers.rbx = 0;
    RUN(op_loop, EXIT_VMCALL, 0);
    uint64_t sum = 0;
    for (unsigned i = 1; i <= 100; i++)
        sum += i << 4 & 0xf0;
    CHECK_EQUAL(registers.rbx, sum);
    vmwrite(TPR_THRESHOLD, 5); /* the loop's first value below is 4 (of 100 = 64H) */
    RUN(op_loop, EXIT_TPR_BELOW_THRESHOLD, 0);
    vmwrite(TPR_THRESHOLD, 0);
}

/* Deliveries that push to the page. */
static void event_deliveries(void)
{
    const uint64_t rsp = vmread(GUEST_RSP);
    vmwrite(GUEST_RSP, page() + 0x90);
    RUN(op_int, EXIT_APIC_ACCESS, DELIVERY | 0x88);
    CHECK_EQUAL(vmread(IDT_VECTORING_INFORMATION), 0x80000400 | VECTOR);
    CHECK_EQUAL(vmread(EXIT_INSTRUCTION_LENGTH), 2);
    RUN(op_fault, EXIT_APIC_ACCESS, DELIVERY | 0x88);
    CHECK_EQUAL(vmread(IDT_VECTORING_INFORMATION), 0x80000306);
    CHECK_EQUAL(vmread(GUEST_RSP), page() + 0x90);
    CHECK_EQUAL(vmread(GUEST_RIP), op_fault);
    vmwrite(GUEST_RSP, rsp);
}

static void all_registers(void)
{
    with(APIC_REGISTER_VIRTUALIZATION);
    virtual_apic[TPR / 4] = 0x45;
    RUN(op_byte_at_1, EXIT_APIC_WRITE, 0x81); /* inside of the range, not at the TPR's offset */
    CHECK_EQUAL(virtual_apic[TPR / 4], 0x6045);
    RUN(op_movs_up, EXIT_VMCALL, 0); /* ICR, high, to TPR: a read and a write of one operation */
    CHECK_EQUAL(virtual_apic[TPR / 4], virtual_apic[ICR_HIGH / 4] & 0xff);
    virtual_apic[ICR_HIGH / 4] = 0x70;
    RUN(op_movs_up, EXIT_VMCALL, 0);
    CHECK_EQUAL(virtual_apic[TPR / 4], 0x70);
    virtual_apic[ICR / 4] = 0x40000; /* to itself, and the vector comes as a byte */
    with(APIC_REGISTER_VIRTUALIZATION | VIRTUAL_INTERRUPT_DELIVERY);
    vmwrite(GUEST_INTERRUPT_STATUS, 0);
    RUN(op_icr_byte, EXIT_VMCALL, 0);
    CHECK_EQUAL(vmread(GUEST_INTERRUPT_STATUS), 0x52);
    CHECK_EQUAL(virtual_apic[0x220 / 4], 1 << (0x52 & 31));
    CHECK_EQUAL(virtual_apic[0xa0 / 4], 0x70);
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
    vmcs_guest_long_mode((uint64_t)op_two, (uint64_t)guest_stack + sizeof guest_stack - 16, read_cr3());
    guest_has_our_tables();
    vmwrite(GUEST_CR4, 0x2620); /* VMXE, OSXMMEXCPT, OSFXSR, PAE */
    vmwrite(VIRTUAL_APIC_ADDRESS, (uint64_t)virtual_apic);
    vmwrite(APIC_ACCESS_ADDRESS, SET_FRAMES);
    tpr_alone();
    event_deliveries();
    all_registers();
    check_end();
}
