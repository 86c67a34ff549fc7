/* msr_bitmap.c: RDMSR and WRMSR. SDM "MSR-Bitmap Address" and "Instructions That Cause VM Exits
 * Conditionally". */
#include "vmx_model/exit_conditions/exit_conditions.h"

/* Offsets of the four bitmaps in the page. */
enum { READ_LOW = 0, READ_HIGH = 1024, WRITE_LOW = 2048, WRITE_HIGH = 3072 };

#define HIGH_MSRS 0xc0000000u
#define MSRS_IN_BITMAP 0x2000u

static bool intercepted(const struct vmx *vmx, uint32_t index, unsigned low_bitmap, unsigned high_bitmap)
{
    const struct vmcs *v = &vmx->vmcs;
    if (!(v->primary_proc_based_controls & PRIMARY_USE_MSR_BITMAPS))
        return true;
    const bool high = index >= HIGH_MSRS;
    const uint32_t bit = high ? index - HIGH_MSRS : index;
    if (bit >= MSRS_IN_BITMAP)
        return true;
    const uint64_t address = v->msr_bitmap_address + (high ? high_bitmap : low_bitmap) + (bit >> 3);
    return phys_read(vmx->mem, address, 1) >> (bit & 7) & 1;
}

bool vmx_exit_rdmsr(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit)
{
    (void)insn;
    (void)exit;
    return intercepted(vmx, (uint32_t)vmx->state->gpr[GPR_RCX], READ_LOW, READ_HIGH);
}

bool vmx_exit_wrmsr(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit)
{
    (void)insn;
    (void)exit;
    return intercepted(vmx, (uint32_t)vmx->state->gpr[GPR_RCX], WRITE_LOW, WRITE_HIGH);
}
