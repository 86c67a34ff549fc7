/*
 * bndcfgs: IA32_BNDCFGS across VM entries and VM exits: loaded, saved, cleared or left alone by the controls;
 * what the guest's MPX instructions and branches do with it; the bounds registers, which transitions do not
 * touch; #BR as an exit; entries that fail. SDM "Loading Guest Control Registers, Debug Registers, and MSRs",
 * "Saving Control Registers, Debug Registers, and MSRs", "Loading Host Control Registers, Debug Registers,
 * MSRs".
 */
/* expect: status 0 */
/* expect: options --cpu sapphirerapids --quiet */
#include "trap.h"
#include "vmx.h"

enum {
    PAGE = 4096,
    USE_MSR_BITMAPS = 1 << 28,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    SAVE_EFER = 1 << 20,
    LOAD_HOST_EFER = 1 << 21,
    CLEAR_BNDCFGS = 1 << 23,
    LOAD_GUEST_EFER = 1 << 15,
    LOAD_BNDCFGS = 1 << 16,
    GUEST_BNDCFGS = 0x2812,
    EXIT_INTERRUPTION_INFORMATION = 0x4404,
    EXIT_EXCEPTION = 0,
    EXIT_RDMSR = 31,
    EXIT_WRMSR = 32,
    INVALID_GUEST_STATE = 33,
    VECTOR_BR = 5,
    IA32_BNDCFGS = 0xd90,
    ENABLE = 1,
    PRESERVE = 2,
    CR4_OSXSAVE_AND_VMXE = 0x42020, /* and PAE */
    REGISTERS = 960 / 8,            /* in the XSAVE area, in quadwords */
    CONFIGURATION = 1024 / 8,
};
#define ENTRY_FAILED (1ull << 31)

static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE))), guest_stack[PAGE] __attribute__((aligned(16)));
static uint8_t msr_bitmap[PAGE] __attribute__((aligned(PAGE)));
static uint64_t area[PAGE / 8] __attribute__((aligned(64)));
static struct guest_registers registers;
static bool launched;

/* RAX: an address. The guest's IA32_BNDCFGS comes back in RDX:RAX, or it is written from there. */
__asm__(".text\n"
        "op_read: mov $0xd90, %ecx\n rdmsr\n vmcall\n"
        "op_write: mov $0xd90, %ecx\n wrmsr\n vmcall\n"
        "op_make: bndmk 0xfff(%rax), %bnd0\n bndmk (%rax), %bnd3\n vmcall\n"
        "op_check: bndcl %rax, %bnd0\n vmcall\n"
        "op_jump: jmp 1f\n .skip 200\n1: vmcall\n");
extern const char op_read[], op_write[], op_make[], op_check[], op_jump[];

static uint64_t run(const char *operation, uint64_t rax)
{
    registers.rax = (uint32_t)rax;
    registers.rdx = rax >> 32;
    if (operation != op_write)
        registers.rax = rax;
    vmwrite(GUEST_RIP, (uint64_t)operation);
    const bool entered = vmx_run(&registers, launched);
    if (!entered)
        return ~0ull;
    const uint64_t reason = vmread(EXIT_REASON);
    launched |= !(reason & ENTRY_FAILED);
    return reason;
}

static uint64_t read_by_guest(void)
{
    CHECK_EQUAL(run(op_read, 0), EXIT_VMCALL);
    return registers.rdx << 32 | (uint32_t)registers.rax;
}

static void control(uint64_t field, uint32_t bit, bool set)
{
    const uint64_t without = vmread(field) & ~(uint64_t)bit;
    vmwrite(field, set ? without | bit : without);
}

static uint64_t bounds(unsigned index)
{
    __asm__ volatile("xsave (%0)" ::"r"(area), "a"(0x18), "d"(0) : "memory");
    return area[index];
}

static void capabilities(void)
{
    CHECK_EQUAL(vmx_capability(IA32_VMX_ENTRY_CTLS) >> 32 & LOAD_BNDCFGS, LOAD_BNDCFGS);
    CHECK_EQUAL(vmx_capability(IA32_VMX_EXIT_CTLS) >> 32 & CLEAR_BNDCFGS, CLEAR_BNDCFGS);
    CHECK_EQUAL((uint32_t)vmx_capability(IA32_VMX_ENTRY_CTLS) & LOAD_BNDCFGS, 0);
    CHECK_EQUAL((uint32_t)vmx_capability(IA32_VMX_EXIT_CTLS) & CLEAR_BNDCFGS, 0);
}

/* Every pair of the two controls: what the guest finds, what is saved, what the host finds. */
static void controls(void)
{
    for (unsigned i = 0; i < 4; i++) {
        const bool load = i & 1, clear = i >> 1;
        control(ENTRY_CONTROLS, LOAD_BNDCFGS, load);
        control(EXIT_CONTROLS, CLEAR_BNDCFGS, clear);
        wrmsr(IA32_BNDCFGS, 0x11000 | ENABLE);
        vmwrite(GUEST_BNDCFGS, 0x22000 | PRESERVE);
        CHECK_EQUAL(read_by_guest(), load ? 0x22000 | PRESERVE : 0x11000 | ENABLE);
        CHECK_EQUAL(vmread(GUEST_BNDCFGS), load ? 0x22000 | PRESERVE : 0x11000 | ENABLE);
        CHECK_EQUAL(rdmsr(IA32_BNDCFGS), clear ? 0 : load ? 0x22000 | PRESERVE : 0x11000 | ENABLE);
        CHECK_EQUAL(run(op_write, 0x33000), EXIT_VMCALL);
        CHECK_EQUAL(vmread(GUEST_BNDCFGS), 0x33000);
        CHECK_EQUAL(rdmsr(IA32_BNDCFGS), clear ? 0 : 0x33000);
    }
}

/* The host has MPX off, the guest on: its bounds come through, and its branches initialize them. */
static void in_the_guest(void)
{
    control(ENTRY_CONTROLS, LOAD_BNDCFGS, true);
    control(EXIT_CONTROLS, CLEAR_BNDCFGS, true);
    wrmsr(IA32_BNDCFGS, 0);
    vmwrite(GUEST_BNDCFGS, 0);
    CHECK_EQUAL(run(op_make, 0x5000), EXIT_VMCALL);
    CHECK_EQUAL(bounds(REGISTERS), 0); /* not enabled: hints */
    vmwrite(GUEST_BNDCFGS, ENABLE);
    CHECK_EQUAL(run(op_make, 0x5000), EXIT_VMCALL);
    CHECK_EQUAL(bounds(REGISTERS), 0x5000);
    CHECK_EQUAL(bounds(REGISTERS + 1), ~0x5fffull);
    CHECK_EQUAL(bounds(REGISTERS + 6), 0x5000);
    CHECK_EQUAL(run(op_check, 0x5000), EXIT_VMCALL);
    vmwrite(EXCEPTION_BITMAP, 1 << VECTOR_BR);
    CHECK_EQUAL(run(op_check, 0x4fff), EXIT_EXCEPTION);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION), 0x80000300 | VECTOR_BR);
    CHECK_EQUAL(vmread(GUEST_RIP), (uint64_t)op_check);
    CHECK_EQUAL(bounds(CONFIGURATION + 1), 1); /* BNDSTATUS */
    vmwrite(GUEST_BNDCFGS, ENABLE | PRESERVE);
    CHECK_EQUAL(run(op_jump, 0), EXIT_VMCALL);
    CHECK_EQUAL(bounds(REGISTERS), 0x5000);
    vmwrite(GUEST_BNDCFGS, 0);
    CHECK_EQUAL(run(op_jump, 0), EXIT_VMCALL);
    CHECK_EQUAL(bounds(REGISTERS), 0x5000);
    vmwrite(GUEST_BNDCFGS, ENABLE);
    CHECK_EQUAL(run(op_jump, 0), EXIT_VMCALL);
    CHECK_EQUAL(bounds(REGISTERS), 0);
}

/* Bits 11:2 are reserved, the base is canonical by the processor's 57 bits; only with the control. */
static void failures(void)
{
    static const struct {
        uint64_t value;
        bool valid;
    } rows[] = {{4, false},
                {0x801, false},
                {0x00fffffffffff003, true},
                {0x0100000000000001, false},
                {1ull << 63, false},
                {0xff00000000000001, true},
                {0, true}};
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        control(ENTRY_CONTROLS, LOAD_BNDCFGS, true);
        vmwrite(GUEST_BNDCFGS, rows[i].value);
        CHECK_EQUAL(run(op_read, 0),
                    rows[i].valid ? (uint64_t)EXIT_VMCALL : ENTRY_FAILED | INVALID_GUEST_STATE);
        control(ENTRY_CONTROLS, LOAD_BNDCFGS, false);
        vmwrite(GUEST_BNDCFGS, rows[i].value);
        CHECK_EQUAL(run(op_read, 0), EXIT_VMCALL);
    }
}

static void bitmaps(void)
{
    msr_bitmap[IA32_BNDCFGS / 8] |= 1 << IA32_BNDCFGS % 8;
    CHECK_EQUAL(run(op_read, 0), EXIT_RDMSR);
    msr_bitmap[2048 + IA32_BNDCFGS / 8] |= 1 << IA32_BNDCFGS % 8;
    CHECK_EQUAL(run(op_write, 0), EXIT_WRMSR);
}

int main(void)
{
    const struct vmx_wanted_controls wanted = {.primary = USE_MSR_BITMAPS,
                                               .exit = HOST_ADDRESS_SPACE_SIZE | SAVE_EFER | LOAD_HOST_EFER,
                                               .entry = LOAD_GUEST_EFER};
    trap_install();
    __asm__ volatile("mov %0, %%cr4" ::"r"(read_cr4() | 1ul << 18));
    __asm__ volatile("xsetbv" ::"a"(0x1b), "d"(0), "c"(0));
    if (!vmx_enable() || !vmcs_create_with(vmcs, &wanted))
        leave(1);
    vmcs_guest_long_mode((uint64_t)op_read, (uint64_t)guest_stack + PAGE, read_cr3());
    vmwrite(GUEST_CR4, CR4_OSXSAVE_AND_VMXE);
    vmwrite(MSR_BITMAP_ADDRESS, (uint64_t)msr_bitmap);
    capabilities();
    controls();
    in_the_guest();
    failures();
    bitmaps();
    check_end();
}
