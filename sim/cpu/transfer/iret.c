/* iret.c: IRET, IRETD, IRETQ. SDM "IRET/IRETD/IRETQ", Operation. */
#include "sim/cpu/task/task_switch.h"
#include "sim/cpu/transfer/transfer.h"
#include "sim/cpu/virtual_interrupts.h"

#define FLAGS_ANY_CPL                                                                                        \
    (RFLAGS_ARITHMETIC | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID)
#define FLAGS_DEFINED                                                                                        \
    (FLAGS_ANY_CPL | RFLAGS_IF | RFLAGS_IOPL | RFLAGS_VM | RFLAGS_VIF | RFLAGS_VIP | RFLAGS_FIXED1)

/* What IRET popped, in its order. */
struct return_frame {
    uint64_t rip, cs, rflags;
    uint64_t rsp, ss; /* only when with_stack */
    bool with_stack;
};

static void set_flags(struct cpu_state *state, uint64_t popped, uint64_t mask, unsigned operand_bits)
{
    if (operand_bits == 16)
        mask &= 0xffff;
    state->rflags = (state->rflags & ~mask) | (popped & mask) | RFLAGS_FIXED1;
}

/* SDM "NMI Blocking" of "Handling Multiple NMIs" (volume 3A) and volume 3C "Changes to Instruction Behavior
 * in VMX Non-Root Operation", IRET: done first, it holds even if IRET faults. */
static void unblock_nmis(struct cpu *cpu)
{
    const uint32_t pin = cpu->vmx.vmcs.pin_based_controls;
    if (!cpu->vmx.non_root || !(pin & PIN_NMI_EXITING))
        cpu->state.interruptibility_state &= ~BLOCKING_BY_NMI;
    else if (pin & PIN_VIRTUAL_NMIS)
        cpu->vmx.virtual_nmi_blocking = false;
}

/* With CR4.VME and IOPL below 3 a 16-bit IRET loads flags as POPF does. The SDM says so of the mechanism
 * ("Class 2--Maskable Hardware Interrupt Handling in Virtual-8086 Mode Using the Virtual Interrupt
 * Mechanism"), not on IRET's page; that TF gives #GP as well is what processors do. */
static struct cpu_outcome return_like_8086(struct cpu *cpu, const struct insn *insn, struct stack *stack,
                                           const struct return_frame *frame)
{
    struct cpu_state *state = &cpu->state;
    const bool v86 = cpu_v86_mode(state);
    const uint32_t limit = v86 ? 0xffff : state->seg[SEG_CS].limit;
    const struct far_target target = {(uint16_t)frame->cs, frame->rip};
    if (frame->rip > limit)
        return outcome_fault_code(VECTOR_GP, 0);
    if (v86_flags_protected(state)) {
        if (!virtual_flags_loadable(state, frame->rflags))
            return outcome_fault_code(VECTOR_GP, 0);
        stack_commit(stack);
        jump_like_8086(state, &target);
        load_virtual_flags(state, frame->rflags);
        return outcome_of(OUTCOME_JUMPED);
    }
    stack_commit(stack);
    jump_like_8086(state, &target);
    /* VM, VIF and VIP stay; IOPL too in virtual-8086 mode. */
    set_flags(state, frame->rflags, FLAGS_ANY_CPL | RFLAGS_IF | (v86 ? 0 : RFLAGS_IOPL), insn->operand_bits);
    return outcome_of(OUTCOME_JUMPED);
}

/* TASK-RETURN: the link is the first word of the TSS. */
static struct cpu_outcome return_to_task(struct cpu *cpu, const struct insn *insn)
{
    const struct cpu_segment *tr = &cpu->state.seg[SEG_TR];
    struct cpu_outcome outcome;
    uint16_t link = 0;
    if (cpu_long_mode(&cpu->state))
        return outcome_fault_code(VECTOR_GP, 0);
    /* SDM "Invalid TSS Exception (#TS)": the link lies beyond the limit. */
    if ((tr->access_rights & AR_UNUSABLE) || tr->limit < 1)
        return outcome_fault_code(VECTOR_TS, tr->selector & 0xfffcu);
    if (!system_read(cpu, tr->base & 0xffffffff, &link, 2, &outcome))
        return outcome;
    const struct task_switch to = {.selector = link,
                                   .source = TASK_SWITCH_IRET,
                                   .instruction_length = insn->length,
                                   .rip = cpu->state.rip + insn->length,
                                   .rflags = cpu->state.rflags & ~RFLAGS_RF};
    return task_switch(cpu, &to);
}

/* RETURN-TO-VIRTUAL-8086-MODE, from CPL 0 by IRETD: ESP, SS, ES, DS, FS, GS follow. */
static struct cpu_outcome return_to_v86(struct cpu *cpu, struct stack *stack,
                                        const struct return_frame *frame)
{
    static const uint8_t order[] = {SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    struct cpu_state *state = &cpu->state;
    struct cpu_outcome outcome;
    uint64_t sp, selectors[5];
    if (!stack_pop(stack, &sp, 4, &outcome))
        return outcome;
    for (unsigned i = 0; i < 5; i++)
        if (!stack_pop(stack, &selectors[i], 4, &outcome))
            return outcome;
    if (frame->rip > 0xffff)
        return outcome_fault_code(VECTOR_GP, 0);
    set_flags(state, frame->rflags, FLAGS_DEFINED, 32);
    segment_load_v86(&state->seg[SEG_CS], (uint16_t)frame->cs);
    for (unsigned i = 0; i < 5; i++)
        segment_load_v86(&state->seg[order[i]], (uint16_t)selectors[i]);
    state->gpr[GPR_RSP] = sp;
    state->rip = frame->rip;
    return outcome_of(OUTCOME_JUMPED);
}

/* IF follows IOPL, IOPL and the virtual-interrupt flags CPL 0, all of the CPL before the return. */
static void restore_flags(struct cpu_state *state, uint64_t popped, unsigned cpl, unsigned operand_bits)
{
    uint64_t mask = FLAGS_ANY_CPL;
    if (cpl <= (state->rflags & RFLAGS_IOPL) >> RFLAGS_IOPL_SHIFT)
        mask |= RFLAGS_IF;
    if (cpl == 0)
        mask |= RFLAGS_IOPL | RFLAGS_VIF | RFLAGS_VIP;
    set_flags(state, popped, mask, operand_bits);
}

/* PROTECTED-MODE-RETURN and IA-32e-MODE, to the same or an outer privilege level. */
static struct cpu_outcome return_protected(struct cpu *cpu, const struct insn *insn, struct stack *stack,
                                           struct return_frame *frame)
{
    struct cpu_state *state = &cpu->state;
    struct cpu_outcome outcome;
    struct descriptor code;
    const unsigned size = insn->operand_bits / 8u;
    const unsigned old_cpl = cpu_cpl(state);
    const unsigned cpl = selector_rpl((uint16_t)frame->cs);
    struct cpu_segment ss = state->seg[SEG_SS];
    if (!read_return_code_segment(cpu, (uint16_t)frame->cs, &code, &outcome))
        return outcome;
    const bool long_target = cpu_long_mode(state) && descriptor_long(&code);
    if (!frame->with_stack && cpl > old_cpl) {
        if (!stack_pop(stack, &frame->rsp, size, &outcome) || !stack_pop(stack, &frame->ss, size, &outcome))
            return outcome;
        frame->with_stack = true;
    }
    if (frame->with_stack &&
        !read_return_stack_segment(cpu, (uint16_t)frame->ss, cpl, long_target, &ss, &outcome))
        return outcome;
    if (!code_offset_valid(cpu, &code, frame->rip, &outcome) ||
        !descriptor_set_accessed(cpu, &code, &outcome))
        return outcome;
    load_code_segment(cpu, &code, cpl, frame->rip);
    restore_flags(state, frame->rflags, old_cpl, insn->operand_bits);
    if (frame->with_stack) {
        state->seg[SEG_SS] = ss;
        stack_set_pointer(state, frame->rsp, ss.access_rights, long_target);
        null_inaccessible_segments(state, cpl);
    } else {
        stack_commit(stack);
    }
    return outcome_of(OUTCOME_JUMPED);
}

static bool pop_frame(const struct cpu_state *state, const struct insn *insn, struct stack *stack,
                      struct return_frame *frame, struct cpu_outcome *outcome)
{
    const unsigned size = insn->operand_bits / 8u;
    if (!stack_pop(stack, &frame->rip, size, outcome) || !stack_pop(stack, &frame->cs, size, outcome) ||
        !stack_pop(stack, &frame->rflags, size, outcome))
        return false;
    /* In 64-bit mode SS:RSP is popped always. */
    frame->with_stack = cpu_64bit_mode(state);
    return !frame->with_stack ||
           (stack_pop(stack, &frame->rsp, size, outcome) && stack_pop(stack, &frame->ss, size, outcome));
}

/* What comes before any pop. False: *outcome is what IRET comes to. */
static bool may_start(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    const struct cpu_state *state = &cpu->state;
    if (cpu_real_mode(state))
        return true;
    if (!cpu_v86_mode(state)) {
        if (!(state->rflags & RFLAGS_NT))
            return true;
        *outcome = return_to_task(cpu, insn);
        return false;
    }
    *outcome = outcome_fault_code(VECTOR_GP, 0);
    if ((state->rflags & RFLAGS_IOPL) == RFLAGS_IOPL)
        return true;
    return (state->cr4 & CR4_VME) && insn->operand_bits == 16;
}

struct cpu_outcome interrupt_return(struct cpu *cpu, const struct insn *insn)
{
    const struct cpu_state *state = &cpu->state;
    struct cpu_outcome outcome;
    struct return_frame frame = {0};
    unblock_nmis(cpu);
    if (!may_start(cpu, insn, &outcome))
        return outcome;
    struct stack stack = stack_current(cpu, cpu_cpl(state), 0);
    if (!pop_frame(state, insn, &stack, &frame, &outcome))
        return outcome;
    if (loads_like_8086(state))
        return return_like_8086(cpu, insn, &stack, &frame);
    if ((frame.rflags & RFLAGS_VM) && insn->operand_bits == 32 && cpu_cpl(state) == 0 &&
        !cpu_long_mode(state))
        return return_to_v86(cpu, &stack, &frame);
    return return_protected(cpu, insn, &stack, &frame);
}
