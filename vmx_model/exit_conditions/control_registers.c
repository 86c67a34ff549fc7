/*
 * control_registers.c: MOV CR, CLTS and LMSW, and the guest/host masks and read shadows.
 *
 * Source: SDM "Instructions That Cause VM Exits Conditionally", "Changes to Instruction Behavior in VMX
 * Non-Root Operation" and table "Exit Qualification for Control-Register Accesses".
 */
#include "vmx_model/exit_conditions/exit_conditions.h"

enum access_type { ACCESS_MOV_TO_CR, ACCESS_MOV_FROM_CR, ACCESS_CLTS, ACCESS_LMSW };

#define ACCESS_TYPE_SHIFT 4
#define LMSW_MEMORY (1u << 6)
#define REGISTER_SHIFT 8
#define LMSW_SOURCE_SHIFT 16
#define LMSW_BITS 0xfu

static uint64_t mov_qualification(const struct insn *insn, enum access_type type)
{
    return (insn->reg & 15u) | (uint32_t)type << ACCESS_TYPE_SHIFT | (insn->rm & 15u) << REGISTER_SHIFT;
}

/* MOV CR moves 64 bits in 64-bit mode and 32 bits elsewhere, whatever the operand size. */
static uint64_t source(const struct vmx *vmx, const struct insn *insn)
{
    const uint64_t value = vmx->state->gpr[insn->rm & 15];
    return insn->mode_bits == 64 ? value : (uint32_t)value;
}

static bool is_cr3_target(const struct vmcs *v, uint64_t value)
{
    const uint64_t targets[4] = {v->cr3_target_value_0, v->cr3_target_value_1, v->cr3_target_value_2,
                                 v->cr3_target_value_3};
    for (uint32_t i = 0; i < v->cr3_target_count && i < 4; i++)
        if (targets[i] == value)
            return true;
    return false;
}

bool vmx_exit_mov_to_cr(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit)
{
    const struct vmcs *v = &vmx->vmcs;
    const uint32_t controls = v->primary_proc_based_controls;
    exit->qualification = mov_qualification(insn, ACCESS_MOV_TO_CR);
    switch (insn->reg) {
    case 0:
        return ((source(vmx, insn) ^ v->cr0_read_shadow) & v->cr0_guest_host_mask) != 0;
    case 3:
        return (controls & PRIMARY_CR3_LOAD_EXITING) && !is_cr3_target(v, source(vmx, insn));
    case 4:
        return ((source(vmx, insn) ^ v->cr4_read_shadow) & v->cr4_guest_host_mask) != 0;
    case 8:
        return (controls & PRIMARY_CR8_LOAD_EXITING) != 0;
    default:
        return false;
    }
}

bool vmx_exit_mov_from_cr(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit)
{
    const uint32_t controls = vmx->vmcs.primary_proc_based_controls;
    exit->qualification = mov_qualification(insn, ACCESS_MOV_FROM_CR);
    switch (insn->reg) {
    case 3:
        return (controls & PRIMARY_CR3_STORE_EXITING) != 0;
    case 8:
        return (controls & PRIMARY_CR8_STORE_EXITING) != 0;
    default:
        return false;
    }
}

bool vmx_exit_clts(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit)
{
    (void)insn;
    exit->qualification = (uint64_t)ACCESS_CLTS << ACCESS_TYPE_SHIFT;
    return (vmx->vmcs.cr0_guest_host_mask & vmx->vmcs.cr0_read_shadow & CR0_TS) != 0;
}

/* A memory operand is read before the condition can be judged; a fault in that goes first (SDM "Relative
 * Priority of Faults and VM Exits"). Here it only means "no exit": the caller meets the same fault when it
 * reads the operand. */
bool vmx_exit_lmsw(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit)
{
    const uint64_t mask = vmx->vmcs.cr0_guest_host_mask & LMSW_BITS;
    if (!mask)
        return false;
    uint16_t operand = (uint16_t)vmx->state->gpr[insn->rm & 15];
    if (insn->is_memory) {
        struct cpu_outcome fault;
        if (!mmu_read_operand(vmx->mmu, vmx->state, insn, &operand, sizeof operand, &fault))
            return false;
        exit->guest_linear_address =
            cpu_data_address(vmx->state, vmx_exit_linear_address(vmx->state, insn->segment,
                                                                 seg_effective_address(vmx->state, insn)));
    }
    exit->qualification = (uint64_t)ACCESS_LMSW << ACCESS_TYPE_SHIFT | (insn->is_memory ? LMSW_MEMORY : 0) |
                          (uint64_t)operand << LMSW_SOURCE_SHIFT;
    /* LMSW never clears PE: of that bit only setting it counts. */
    const uint64_t differs = (operand ^ vmx->vmcs.cr0_read_shadow) & mask;
    return (differs & ~CR0_PE) || (differs & operand & CR0_PE);
}

uint64_t vmx_read_cr_shadowed(const struct vmx *vmx, unsigned cr, uint64_t value)
{
    if (!vmx->non_root || (cr != 0 && cr != 4))
        return value;
    const struct vmcs *v = &vmx->vmcs;
    const uint64_t mask = cr ? v->cr4_guest_host_mask : v->cr0_guest_host_mask;
    const uint64_t shadow = cr ? v->cr4_read_shadow : v->cr0_read_shadow;
    return (value & ~mask) | (shadow & mask);
}

uint64_t vmx_write_cr_masked(const struct vmx *vmx, unsigned cr, uint64_t wanted)
{
    if (!vmx->non_root || (cr != 0 && cr != 4))
        return wanted;
    const uint64_t mask = cr ? vmx->vmcs.cr4_guest_host_mask : vmx->vmcs.cr0_guest_host_mask;
    const uint64_t current = cr ? vmx->state->cr4 : vmx->state->cr0;
    return (wanted & ~mask) | (current & mask);
}
