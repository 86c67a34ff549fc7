/* flags.c: SWAPGS, CLAC, STAC, PUSHF, POPF, CLI, STI. Source: SDM volume 2, the pages of that name. */
#include "sim/cpu/execute/execute.h"
#include "sim/cpu/virtual_interrupts.h"
#include "sim/cpu/watch.h"

/* What POPF may change at any privilege. RF is cleared; VM, VIF and VIP stay. */
#define POPF_ALWAYS (RFLAGS_ARITHMETIC | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC | RFLAGS_ID)

bool check_64_bit(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    (void)cpu;
    *outcome = undefined_opcode();
    return insn->mode_bits == 64;
}

struct cpu_outcome execute_swapgs(struct cpu *cpu, const struct insn *insn)
{
    uint64_t base = cpu->state.seg[SEG_GS].base;

    (void)insn;
    cpu->state.seg[SEG_GS].base = cpu->state.msr.kernel_gs_base;
    cpu->state.msr.kernel_gs_base = base;
    return done();
}

/* #UD, not #GP, above CPL 0. */
bool check_clac_stac(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    (void)insn;
    *outcome = undefined_opcode();
    return cpu_cpl(&cpu->state) == 0;
}

struct cpu_outcome execute_clac_stac(struct cpu *cpu, const struct insn *insn)
{
    if (insn->id == INSN_STAC)
        cpu->state.rflags |= RFLAGS_AC;
    else
        cpu->state.rflags &= ~RFLAGS_AC;
    return done();
}

static unsigned stack_bits(const struct cpu_state *state)
{
    if (cpu_64bit_mode(state))
        return 64;
    return state->seg[SEG_SS].access_rights & AR_DB ? 32 : 16;
}

static struct mmu_mode stack_mode(const struct cpu_state *state)
{
    return (struct mmu_mode){.user = cpu_cpl(state) == 3,
                             .narrow = !cpu_64bit_mode(state),
                             .smap_ignored = (state->rflags & RFLAGS_AC) != 0};
}

struct cpu_outcome execute_pushf(struct cpu *cpu, const struct insn *insn)
{
    struct cpu_state *state = &cpu->state;
    unsigned size = insn->operand_bits / 8u;
    unsigned bits = stack_bits(state);
    uint64_t image = state->rflags & ~(RFLAGS_VM | RFLAGS_RF);
    struct cpu_outcome outcome;
    struct mmu_fault fault;
    uint64_t linear;

    if (v86_flags_protected(state)) {
        if (!(state->cr4 & CR4_VME) || size != 2)
            return general_protection();
        image = virtual_flags_image(image);
    }
    uint64_t top = state->gpr[GPR_RSP] - size;
    if (bits < 64)
        top &= (1ull << bits) - 1;
    if (!seg_linear_address(state, SEG_SS, top, size, MMU_WRITE, &linear, &outcome))
        return outcome;
    if (cpu_misaligned(state, linear, size))
        return outcome_fault_code(VECTOR_AC, 0);
    enum mmu_status status = mmu_write(&cpu->mmu, linear, &image, size, stack_mode(state), &fault);
    if (status != MMU_OK)
        return mmu_fault_outcome(status, &fault);
    watch_write(cpu, linear, size);
    operand_set_gpr(cpu, GPR_RSP, bits, top);
    return done();
}

struct cpu_outcome execute_popf(struct cpu *cpu, const struct insn *insn)
{
    struct cpu_state *state = &cpu->state;
    unsigned size = insn->operand_bits / 8u;
    unsigned bits = stack_bits(state);
    uint64_t changeable = POPF_ALWAYS;
    uint64_t image = 0;
    struct cpu_outcome outcome;
    struct mmu_fault fault;
    uint64_t linear;

    const bool virtualised = v86_flags_protected(state);
    if (virtualised && (!(state->cr4 & CR4_VME) || size != 2))
        return general_protection();
    if (!seg_linear_address(state, SEG_SS, operand_gpr(cpu, GPR_RSP, bits), size, MMU_READ, &linear,
                            &outcome))
        return outcome;
    if (cpu_misaligned(state, linear, size))
        return outcome_fault_code(VECTOR_AC, 0);
    enum mmu_status status = mmu_read(&cpu->mmu, linear, &image, size, stack_mode(state), &fault);
    if (status != MMU_OK)
        return mmu_fault_outcome(status, &fault);
    watch_read(cpu, linear, size);
    if (virtualised && !virtual_flags_loadable(state, image))
        return general_protection();
    if (virtualised) {
        load_virtual_flags(state, image);
        operand_set_gpr(cpu, GPR_RSP, bits, state->gpr[GPR_RSP] + size);
        return done();
    }
    if (cpu_cpl(state) == 0)
        changeable |= RFLAGS_IOPL;
    if (cpu_cpl(state) <= io_privilege_level(state))
        changeable |= RFLAGS_IF;
    if (size == 2)
        changeable &= 0xffff;
    state->rflags = (state->rflags & ~(changeable | RFLAGS_RF)) | (image & changeable);
    operand_set_gpr(cpu, GPR_RSP, bits, state->gpr[GPR_RSP] + size);
    return done();
}

/* Real mode has CPL 0, virtual-8086 mode CPL 3. */
static bool may_change_if(const struct cpu_state *state)
{
    return cpu_cpl(state) <= io_privilege_level(state);
}

struct cpu_outcome execute_cli(struct cpu *cpu, const struct insn *insn)
{
    struct cpu_state *state = &cpu->state;

    (void)insn;
    if (may_change_if(state))
        state->rflags &= ~RFLAGS_IF;
    else if (virtual_interrupt_flag_in_use(state))
        state->rflags &= ~RFLAGS_VIF;
    else
        return general_protection();
    return done();
}

/* Interrupts stay blocked for one instruction, but only if RFLAGS.IF was 0. The library has one shadow for
 * STI and MOV SS and sets it always, so STI is executed here. RIP is advanced here, for the shadow must
 * outlast the instruction's own end. VIF has no shadow. */
struct cpu_outcome execute_sti(struct cpu *cpu, const struct insn *insn)
{
    struct cpu_state *state = &cpu->state;
    uint64_t mask = cpu_64bit_mode(state) ? UINT64_MAX : cpu_code_bits(state) == 32 ? UINT32_MAX : UINT16_MAX;
    const bool virtual_flag = !may_change_if(state);

    if (virtual_flag && (!virtual_interrupt_flag_in_use(state) || state->rflags & RFLAGS_VIP))
        return general_protection();
    state->interruptibility_state &= ~(BLOCKING_BY_STI | BLOCKING_BY_MOV_SS);
    if (!virtual_flag && !(state->rflags & RFLAGS_IF))
        state->interruptibility_state |= BLOCKING_BY_STI;
    state->rflags = (state->rflags | (virtual_flag ? RFLAGS_VIF : RFLAGS_IF)) & ~RFLAGS_RF;
    state->rip = (state->rip + insn->length) & mask;
    return outcome_of(OUTCOME_JUMPED);
}
