/*
 * instruction_timeout: guests whose processor never comes to the next instruction, and the VM exit that takes
 * it back. SDM volume 3C "Instruction-Timeout Control", "Other Causes of VM Exits". Both are known from
 * hypervisors that hung: CVE-2015-8104 (#DB) and CVE-2015-5307 (#AC).
 */
/* expect: status 0 */
/* expect: options --cpu sapphirerapids */
#include "trap.h"
#include "vmx.h"

enum {
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    INSTRUCTION_TIMEOUT_CONTROL = 0x4024,
    IDT_VECTORING_INFORMATION = 0x4408,
    IDT_VECTORING_ERROR_CODE = 0x440a,
    EXIT_INSTRUCTION_TIMEOUT = 75,
    GUEST_TR_BASE = 0x6814,
    LOAD_DEBUG_CONTROLS = 1 << 2,
    DB = 1,
    AC = 17,
    HARDWARE_EXCEPTION = 3 << 8,
    ERROR_CODE_VALID = 1 << 11,
    CODE3_32 = 8 | 3, /* in gdt32 */
    DATA3_32 = 16 | 3,
    CR0_AM = 1 << 18,
    RFLAGS_AC = 1 << 18,
    CRYSTAL = 120, /* cycles of the TSC */
    TIMEOUT = 5000,
    PAGE = 4096,
};
#define SECONDARY_INSTRUCTION_TIMEOUT (1u << 31)
#define VALID (1u << 31)

static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE))), stack[PAGE] __attribute__((aligned(PAGE))),
    interrupt_stack[PAGE] __attribute__((aligned(PAGE)));
static uint32_t directory[1024] __attribute__((aligned(PAGE)));
static uint8_t tss[104] __attribute__((aligned(128)));
static uint64_t idt[64] __attribute__((aligned(16))), gdt32[4] __attribute__((aligned(16)));
static struct guest_registers registers;

/* Writes where the breakpoint is, which the frames of its own handler hit too: the handler never runs. */
__asm__(".text\n"
        "op_debug: mov %rdi, %dr0\n mov %rsi, %dr7\n movq $1, (%rdi)\n vmcall\n"
        "in_debug_handler: vmcall\n"
        ".code32\n op_alignment: ud2\n vmcall\n"
        "in_alignment_handler: vmcall\n .code64\n");
extern const char op_debug[], in_debug_handler[], op_alignment[], in_alignment_handler[];

static bool create(uint32_t secondary)
{
    const struct vmx_wanted_controls wanted = {
        .secondary = secondary, .exit = HOST_ADDRESS_SPACE_SIZE, .entry = LOAD_DEBUG_CONTROLS};
    if (!vmcs_create_with(vmcs, &wanted))
        return false;
    vmwrite(INSTRUCTION_TIMEOUT_CONTROL, TIMEOUT);
    return true;
}

static void times_out(const char *what, uint32_t vectoring)
{
    const uint64_t before = rdtsc();
    check_equal(what, vmx_run(&registers, false), true, 0);
    const uint64_t took = rdtsc() - before;
    check_equal(what, vmread(EXIT_REASON), EXIT_INSTRUCTION_TIMEOUT, 1);
    check_equal(what, vmread(EXIT_QUALIFICATION), 0, 2);
    check_equal(what, vmread(IDT_VECTORING_INFORMATION), VALID | HARDWARE_EXCEPTION | vectoring, 3);
    check_equal(what, took >= TIMEOUT * CRYSTAL, true, 4);
}

static void long_gate(unsigned vector, const char *handler, unsigned ist)
{
    const uint64_t at = (uint64_t)handler;
    idt[2 * vector] = (at & 0xffff) | TRAP_CODE_SELECTOR << 16 | (uint64_t)ist << 32 | 0x8eull << 40 |
                      (at >> 16 & 0xffff) << 48;
    idt[2 * vector + 1] = at >> 32;
}

static void debug_exceptions(void)
{
    const uint64_t top = (uint64_t)interrupt_stack + PAGE;
    CHECK_EQUAL(create(SECONDARY_INSTRUCTION_TIMEOUT), true);
    vmcs_guest_long_mode((uint64_t)op_debug, (uint64_t)stack + PAGE - 16, read_cr3());
    vmwrite(GUEST_CS_SELECTOR, TRAP_CODE_SELECTOR);
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) gdtr;
    __asm__("sgdt %0" : "=m"(gdtr));
    vmwrite(GUEST_GDTR_BASE, gdtr.base);
    vmwrite(GUEST_IDTR_BASE, (uint64_t)idt);
    vmwrite(GUEST_TR_BASE, (uint64_t)tss);
    memcpy(tss + 36, &top, sizeof top); /* IST 1 */
    long_gate(DB, in_debug_handler, 1);
    registers.rdi = top - 40;                      /* where RIP is pushed */
    registers.rsi = 0x400 | 2 | 1 << 16 | 2 << 18; /* G0, writes, 8 bytes */
    times_out("#DB", DB);
    CHECK_EQUAL(vmread(GUEST_RIP), in_debug_handler);
    /* Without the breakpoint the same exception is delivered, and the guest goes on. */
    vmwrite(GUEST_DR7, 0x400);
    vmwrite(ENTRY_INTERRUPTION_INFORMATION, VALID | HARDWARE_EXCEPTION | DB);
    CHECK_EQUAL(vmx_run(&registers, true), true);
    CHECK_EQUAL(vmread(EXIT_REASON), EXIT_VMCALL);
    CHECK_EQUAL(vmread(GUEST_RIP), in_debug_handler);
}

static void gate_32(unsigned vector, const char *handler)
{
    const uint64_t at = (uint64_t)handler;
    idt[vector] = (at & 0xffff) | CODE3_32 << 16 | 0xeeull << 40 | (at >> 16 & 0xffff) << 48;
}

/* Everything in ring 3, on a stack that is not aligned. */
static void alignment_checks(void)
{
    CHECK_EQUAL(create(SECONDARY_INSTRUCTION_TIMEOUT), true);
    for (unsigned i = 0; i < 16; i++)
        directory[i] = i << 22 | 0x87;
    gdt32[CODE3_32 >> 3] = 0x00cffb000000ffffull;
    gdt32[DATA3_32 >> 3] = 0x00cff3000000ffffull;
    for (unsigned i = 0; i < 32; i++)
        gate_32(i, in_alignment_handler);
    vmcs_guest_protected_mode((uint64_t)op_alignment, (uint64_t)stack + PAGE - 2, (uint64_t)directory);
    vmwrite(GUEST_CR0, vmread(GUEST_CR0) | CR0_AM);
    vmwrite(GUEST_RFLAGS, 2 | RFLAGS_AC);
    for (unsigned i = 0; i < 6; i++) {
        vmwrite(GUEST_ES_SELECTOR + 2 * i, i == 1 ? CODE3_32 : DATA3_32);
        vmwrite(GUEST_ES_ACCESS_RIGHTS + 2 * i, i == 1 ? 0xc0fb : 0xc0f3);
    }
    vmwrite(GUEST_GDTR_BASE, (uint64_t)gdt32);
    vmwrite(GUEST_IDTR_BASE, (uint64_t)idt);
    times_out("#AC", AC | ERROR_CODE_VALID);
    CHECK_EQUAL(vmread(IDT_VECTORING_ERROR_CODE), 1); /* EXT */
    CHECK_EQUAL(vmread(GUEST_RIP), op_alignment);
    /* With an aligned stack it is delivered. */
    vmwrite(GUEST_RSP, (uint64_t)stack + PAGE - 16);
    vmwrite(ENTRY_INTERRUPTION_INFORMATION, VALID | HARDWARE_EXCEPTION | 6);
    CHECK_EQUAL(vmx_run(&registers, true), true);
    CHECK_EQUAL(vmread(EXIT_REASON), EXIT_VMCALL);
    CHECK_EQUAL(vmread(GUEST_RIP), in_alignment_handler);
}

int main(void)
{
    if (!vmx_enable())
        leave(1);
    CHECK_EQUAL(vmx_secondary_allowed() & SECONDARY_INSTRUCTION_TIMEOUT, SECONDARY_INSTRUCTION_TIMEOUT);
    debug_exceptions();
    alignment_checks();
    check_end();
}
