/* vmx.c: VMX operation's own state, and the results of VMX instructions: SDM "Conventions". */
#include "vmx_model/vmx.h"

#include <string.h>

static bool virtualizes_apic_access(void *opaque, unsigned offset, unsigned size, enum mmu_access access)
{
    return vmx_virtualizes_apic_access(opaque, offset, size, access);
}

static void apic_page_written(void *opaque, unsigned offset, unsigned size)
{
    vmx_note_virtualized_write(opaque, offset, size);
}

void vmx_init(struct vmx *vmx, struct cpu_state *state, struct mmu *mmu, const struct phys_mem *mem,
              const struct cpu_profile *profile, const struct trace *trace, struct cycle_account *account,
              const struct vmx_ops *ops, void *opaque)
{
    memset(vmx, 0, sizeof(*vmx)); /* padding too: it goes to VMCS regions in memory */
    vmx->state = state;
    vmx->mmu = mmu;
    mmu->apic = (struct mmu_apic){
        .virtualizes = virtualizes_apic_access, .written = apic_page_written, .opaque = vmx};
    vmx->mem = mem;
    vmx->profile = profile;
    vmx->trace = trace;
    vmx->account = account;
    vmx->ops = ops;
    vmx->opaque = opaque;
    vmx->vmxon_pointer = VMX_NO_VMCS;
    vmx->current_vmcs = VMX_NO_VMCS;
}

static void set_flags(struct vmx *vmx, uint64_t flag)
{
    vmx->state->rflags = (vmx->state->rflags & ~RFLAGS_ARITHMETIC) | flag;
}

void vmx_succeed(struct vmx *vmx)
{
    set_flags(vmx, 0);
}

void vmx_fail_invalid(struct vmx *vmx)
{
    set_flags(vmx, RFLAGS_CF);
}

void vmx_fail_valid(struct vmx *vmx, uint32_t error)
{
    set_flags(vmx, RFLAGS_ZF);
    vmx->vmcs.vm_instruction_error = error;
}

void vmx_fail(struct vmx *vmx, uint32_t error)
{
    if (vmx->current_vmcs == VMX_NO_VMCS)
        vmx_fail_invalid(vmx);
    else
        vmx_fail_valid(vmx, error);
}
