/*
 * x87_exits: an x87 exception in VMX non-root operation: the instruction that waits has it, and bit 16 of the
 * exception bitmap decides who gets it; the same of SSE and bit 19. SDM volume 3C, "Exception Bitmap",
 * "Information for VM Exits Due to Vectored Events"; volume 3A, "Interrupt 16--x87 FPU Floating-Point Error
 * (#MF)".
 */
/* expect: status 0 */
#include "trap.h"
#include "vmx.h"

enum {
    MF = 16,
    XM = 19,
    PAGE = 4096,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    VALID_HARDWARE_EXCEPTION = 3 << 8,
    ZE_AND_ES = 0x84,
    CR4_OSFXSR_AND_OSXMMEXCPT = 3 << 9,
    EXIT_INTERRUPTION_INFORMATION = 0x4404,
    IDT_VECTORING_INFORMATION = 0x4408,
    EXIT_EXCEPTION_NMI = 0,
};
#define VALID (1u << 31)

static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE)));
static struct guest_registers registers;
static const uint16_t unmasked_zero_divide = 0x37b;
static const uint32_t unmasked_denormal = 0x1e80, all_masked = 0x1f80;
static const uint32_t denormal[4] __attribute__((aligned(16))) = {1, 0, 0, 0};
extern const uint8_t guest_waits[], guest_adds[];

static void guest(void)
{
    __asm__ volatile("fninit; fldcw %0; fldz; fld1; fdiv %%st(1)\n"
                     "guest_waits: fwait\n\t"
                     "vmcall\n\t"
                     "ldmxcsr %1; movaps %2, %%xmm0\n"
                     "guest_adds: addps %%xmm0, %%xmm0\n\t"
                     "vmcall" ::"m"(unmasked_zero_divide),
                     "m"(unmasked_denormal), "m"(denormal));
    for (;;)
        __asm__ volatile("ud2");
}

static void exits_with(bool resume, unsigned vector, const uint8_t *at)
{
    CHECK_EQUAL(vmx_run(&registers, resume), true);
    CHECK_EQUAL(vmread(EXIT_REASON), EXIT_EXCEPTION_NMI);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION), VALID | VALID_HARDWARE_EXCEPTION | vector);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), 0);
    CHECK_EQUAL(vmread(IDT_VECTORING_INFORMATION) & VALID, 0);
    CHECK_EQUAL(vmread(GUEST_RIP), (uint64_t)at);
}

static void goes_on_to_vmcall(void)
{
    CHECK_EQUAL(vmx_run(&registers, true), true);
    CHECK_EQUAL(vmread(EXIT_REASON), EXIT_VMCALL);
    vmwrite(GUEST_RIP, vmread(GUEST_RIP) + vmread(EXIT_INSTRUCTION_LENGTH));
}

int main(void)
{
    const struct vmx_wanted_controls wanted = {.exit = HOST_ADDRESS_SPACE_SIZE};
    uint16_t status;
    uint32_t mxcsr;
    trap_install();
    write_cr4(read_cr4() | CR4_OSFXSR_AND_OSXMMEXCPT);
    if (!vmx_enable() || !vmcs_create_with(vmcs, &wanted))
        leave(1);
    vmcs_guest_long_mode((uint64_t)guest, 0, read_cr3());
    vmwrite(GUEST_CR4, read_cr4());
    vmwrite(EXCEPTION_BITMAP, 1 << MF | 1 << XM);
    exits_with(false, MF, guest_waits);
    __asm__ volatile("fnstsw %0"
                     : "=m"(status)); /* the x87 state is not the VMCS's: it is the guest's still */
    CHECK_EQUAL(status & 0xff, ZE_AND_ES);
    exits_with(true, MF, guest_waits); /* it is still pending */
    __asm__ volatile("fnclex");
    goes_on_to_vmcall();
    exits_with(true, XM, guest_adds);
    __asm__ volatile("stmxcsr %0; ldmxcsr %1" : "=m"(mxcsr) : "m"(all_masked));
    CHECK_EQUAL(mxcsr, unmasked_denormal | 2);
    goes_on_to_vmcall();
    check_end();
}
