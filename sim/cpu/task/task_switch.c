/*
 * task_switch.c: see task_switch.h.
 *
 * Source: SDM volume 3A "Task Switching": its steps, its tables "Exception Conditions Checked During a Task
 * Switch" and "Effect of a Task Switch on Busy Flag, NT Flag, Previous Task Link Field, and TS Flag"; SDM
 * "CALL", "JMP", "IRET", "INT n", the parts about tasks.
 */
#include "sim/cpu/task/task_switch.h"

#include "sim/cpu/stack.h"
#include "sim/cpu/task/new_task.h"

#define TSS_BUSY 2u        /* in the type: 1 and 9 become 3 and 11 */
#define TYPE_BYTE 5u       /* of a descriptor */
#define DR7_LOCAL 0x55ull  /* L0 to L3 */
#define DEBUG_BT 0x8000ull /* of DR6 */
#define EFLAGS_DEFINED                                                                                       \
    (RFLAGS_ARITHMETIC | RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF |           \
     RFLAGS_VM | RFLAGS_AC | RFLAGS_VIF | RFLAGS_VIP | RFLAGS_ID)

/* A switch that passed the checks. */
struct switching {
    struct cpu *cpu;
    const struct task_switch *to;
    struct descriptor descriptor;
    struct cpu_segment tss; /* TR to be */
    struct task_image image;
    bool nested;     /* CALL and events: the new task links to the old one, which stays busy */
    uint64_t old_at; /* linear address of the old TSS's descriptor */
    bool new_cr3;
    uint64_t pdpte[4];
};

/* IRET goes back to a busy TSS, everything else to an available one. */
static bool type_fits(const struct descriptor *d, enum task_switch_source source)
{
    const unsigned type = descriptor_type(d);
    if (!descriptor_is_system(d))
        return false;
    if (source == TASK_SWITCH_IRET)
        return type == DESCRIPTOR_TSS16_BUSY || type == DESCRIPTOR_TSS32_BUSY;
    return type == DESCRIPTOR_TSS16 || type == DESCRIPTOR_TSS32;
}

static bool privilege_fits(const struct cpu *cpu, const struct descriptor *d)
{
    return descriptor_dpl(d) >= cpu_cpl(&cpu->state) && descriptor_dpl(d) >= selector_rpl(d->selector);
}

static bool checks_pass(struct cpu *cpu, const struct task_switch *to, struct descriptor *d,
                        struct cpu_outcome *outcome)
{
    /* #TS for the link of IRET, else #GP, names the TSS selector. */
    const uint8_t vector = to->source == TASK_SWITCH_IRET ? VECTOR_TS : VECTOR_GP;
    const uint32_t code = (to->selector & 0xfffcu) | to->ext;
    *outcome = outcome_fault_code(vector, code);
    if (selector_is_null(to->selector) || (to->selector & SELECTOR_TI))
        return false;
    if (!descriptor_read(cpu, to->selector, vector, to->ext, d, outcome))
        return false;
    *outcome = outcome_fault_code(vector, code);
    if (!type_fits(d, to->source) || (to->privilege_checked && !privilege_fits(cpu, d)))
        return false;
    if (!descriptor_present(d)) {
        *outcome = outcome_fault_code(VECTOR_NP, code);
        return false;
    }
    const struct cpu_segment tss = descriptor_segment(d);
    *outcome = outcome_fault_code(VECTOR_TS, code);
    return tss.limit >= tss_least_limit(tss_is_32_bit(&tss));
}

static bool may_write(struct cpu *cpu, uint64_t linear, size_t size, struct cpu_outcome *outcome)
{
    struct mmu_fault fault = {0};
    const enum mmu_status status =
        mmu_probe_write(&cpu->mmu, linear & 0xffffffff, size, (struct mmu_mode){0}, &fault);
    if (status != MMU_OK)
        *outcome = mmu_fault_outcome(status, &fault);
    return status == MMU_OK;
}

/* JMP and IRET leave the old task available. */
static bool find_old_descriptor(struct switching *s, struct cpu_outcome *outcome)
{
    struct cpu *cpu = s->cpu;
    const uint32_t entry = cpu->state.seg[SEG_TR].selector & 0xfff8u;
    /* SDM "Invalid TSS Exception (#TS)": the old TSS's descriptor cannot be written for a JMP or IRET. */
    *outcome = outcome_fault_code(VECTOR_TS, (cpu->state.seg[SEG_TR].selector & 0xfffcu) | s->to->ext);
    if (entry + 7 > cpu->state.gdtr.limit)
        return false;
    s->old_at = cpu->state.gdtr.base + entry;
    return may_write(cpu, s->old_at + TYPE_BYTE, 1, outcome);
}

/* SDM volume 3A "PDPTE Registers": a switch that changes CR3 under PAE paging loads them. A reserved bit is
 * #GP(0), as for MOV to CR3; the old task meets it. */
static bool prepare_cr3(struct switching *s, struct cpu_outcome *outcome)
{
    const struct cpu_state *state = &s->cpu->state;
    struct mmu_fault fault = {0};
    bool invalid = false;
    s->new_cr3 = (state->cr0 & CR0_PG) && tss_is_32_bit(&s->tss) && s->image.cr3 != state->cr3;
    if (!s->new_cr3 || !(state->cr4 & CR4_PAE))
        return true;
    const enum mmu_status status = mmu_load_pdptes(&s->cpu->mmu, s->image.cr3, s->pdpte, &invalid, &fault);
    *outcome = status == MMU_OK ? outcome_fault_code(VECTOR_GP, 0) : mmu_fault_outcome(status, &fault);
    return status == MMU_OK && !invalid;
}

/* Step "checks that the current (old) TSS, new TSS, and all segment descriptors used in the task switch are
 * paged into system memory": what faults here leaves all as it was. */
static bool prepare(struct switching *s, struct cpu_outcome *outcome)
{
    struct cpu *cpu = s->cpu;
    if (!tss_may_save(cpu, s->to->ext, outcome) || !tss_load(cpu, &s->tss, &s->image, outcome))
        return false;
    if (s->nested ? !may_write(cpu, s->tss.base, 2, outcome) : !find_old_descriptor(s, outcome))
        return false;
    if (s->to->source != TASK_SWITCH_IRET && !may_write(cpu, s->descriptor.address + TYPE_BYTE, 1, outcome))
        return false;
    return prepare_cr3(s, outcome);
}

static bool change_busy(struct cpu *cpu, uint64_t descriptor_at, bool busy, struct cpu_outcome *outcome)
{
    const uint64_t at = (descriptor_at + TYPE_BYTE) & 0xffffffff;
    uint8_t type;
    if (!system_read(cpu, at, &type, 1, outcome))
        return false;
    type = (uint8_t)(busy ? type | TSS_BUSY : type & ~TSS_BUSY);
    return system_write(cpu, at, &type, 1, outcome);
}

/* The stores of a switch. prepare has seen that none of them faults. */
static bool store(struct switching *s, struct cpu_outcome *outcome)
{
    struct cpu *cpu = s->cpu;
    const uint16_t link = cpu->state.seg[SEG_TR].selector;
    uint64_t rflags = s->to->rflags;
    if (s->to->source == TASK_SWITCH_IRET)
        rflags &= ~RFLAGS_NT;
    if (!s->nested && !change_busy(cpu, s->old_at, false, outcome))
        return false;
    if (!tss_save(cpu, s->to->rip, rflags, outcome))
        return false;
    if (s->nested && !system_write(cpu, s->tss.base, &link, 2, outcome))
        return false;
    if (s->to->source != TASK_SWITCH_IRET && !change_busy(cpu, s->descriptor.address, true, outcome))
        return false;
    /* Once more: two descriptors may name one TSS, which then holds what was just saved. */
    return tss_load(cpu, &s->tss, &s->image, outcome);
}

static void load_cr3(struct switching *s)
{
    struct cpu_state *state = &s->cpu->state;
    if (!s->new_cr3)
        return;
    state->cr3 = s->image.cr3;
    if (state->cr4 & CR4_PAE)
        for (unsigned i = 0; i < 4; i++)
            state->pdpte[i] = s->pdpte[i];
    /* SDM "Operations that Invalidate TLBs and Paging-Structure Caches": PCID 0, all but global pages. */
    mmu_flush_pcid(&s->cpu->mmu, 0, true, FLUSH_TASK_SWITCH);
    vmx_update_regime(&s->cpu->vmx);
}

/* The commit. Segment registers get their selectors; what they hide is not usable before it is loaded. CPL is
 * the RPL of CS from here on. */
static void load_registers(struct switching *s)
{
    struct cpu_state *state = &s->cpu->state;
    const struct task_image *image = &s->image;
    const unsigned cpl = selector_rpl(image->segment[SEG_CS]);
    s->tss.access_rights |= TSS_BUSY;
    state->seg[SEG_TR] = s->tss;
    load_cr3(s);
    for (unsigned i = 0; i < TSS_GPRS; i++)
        state->gpr[i] = image->gpr[i];
    state->rip = image->eip;
    state->rflags = (image->eflags & EFLAGS_DEFINED) | RFLAGS_FIXED1 | (s->nested ? RFLAGS_NT : 0);
    for (unsigned i = 0; i < TSS_SEGMENTS; i++) {
        state->seg[i] = (struct cpu_segment){0};
        segment_load_null(&state->seg[i], image->segment[i], i == SEG_SS ? cpl : 0);
    }
    state->seg[SEG_LDTR] = (struct cpu_segment){0};
    segment_load_null(&state->seg[SEG_LDTR], image->ldt, 0);
    state->cr0 |= CR0_TS;
    state->dr7 &= ~DR7_LOCAL; /* SDM "Debug Control Register (DR7)", L0 to L3 */
}

/* SDM "INT n", TASK-GATE: an item of the new TSS's width. */
static bool push_error_code(struct switching *s, struct cpu_outcome *outcome)
{
    const struct cpu_event *event = s->to->event;
    if (!event || !event->has_error_code)
        return true;
    const uint64_t code = event->error_code;
    struct stack stack = stack_current(s->cpu, cpu_cpl(&s->cpu->state), s->to->ext);
    if (!stack_push_all(&stack, &code, 1, tss_is_32_bit(&s->tss) ? 4 : 2, outcome))
        return false;
    stack_commit(&stack);
    return true;
}

/* What may fault in the context of the new task. */
static struct cpu_outcome start(struct switching *s)
{
    const struct cpu_state *state = &s->cpu->state;
    struct cpu_outcome outcome;
    if (!new_task_load_segments(s->cpu, &s->image, s->to->ext, &outcome) || !push_error_code(s, &outcome))
        return outcome;
    if (state->rip > state->seg[SEG_CS].limit)
        return outcome_fault_code(VECTOR_GP, s->to->ext);
    outcome = outcome_of(OUTCOME_TASK_SWITCHED);
    /* SDM "Task-Switch Exception Condition" */
    outcome.event.debug_conditions = s->image.debug_trap ? DEBUG_BT : 0;
    return outcome;
}

struct cpu_outcome task_switch(struct cpu *cpu, const struct task_switch *to)
{
    struct switching s = {.cpu = cpu,
                          .to = to,
                          .nested = to->source == TASK_SWITCH_CALL || to->source == TASK_SWITCH_GATE_IN_IDT};
    struct cpu_outcome outcome;
    if (!checks_pass(cpu, to, &s.descriptor, &outcome))
        return outcome;
    if (cpu->vmx.non_root)
        return outcome_vm_exit(&(struct vm_exit){.reason = EXIT_REASON_TASK_SWITCH,
                                                 .qualification = to->selector | (uint64_t)to->source << 30,
                                                 .instruction_length = to->instruction_length});
    s.tss = descriptor_segment(&s.descriptor);
    if (!prepare(&s, &outcome) || !store(&s, &outcome))
        return outcome;
    cycles_charge(&cpu->account, CYCLES_TASK_SWITCH, cpu->profile->cost.task_switch.cycles);
    load_registers(&s);
    return start(&s);
}
