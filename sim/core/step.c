/* step.c: when instructions are checked one by one, and how: a trap, the checks, one instruction in the
 * library, and again. */
#include "sim/core/step.h"
#include "sim/core/guard.h"
#include "sim/core/simd.h"

#define SEGMENT_PRESENT (1u << 15) /* in the library's form */
#define SEGMENT_CODE (1u << 11)
#define SEGMENT_EXPAND_DOWN (1u << 10)
#define SEGMENT_WRITABLE (1u << 9)

enum { DR7_ENABLES = 0xff };
/* Bits of an EPT violation's exit qualification: not in a walk of the guest's tables; a data write. */
enum { EPT_OF_THE_ACCESS = 1 << 8, EPT_DATA_READ = 1 << 0, EPT_DATA_WRITE = 1 << 1, EPT_READABLE = 1 << 3 };

static bool flat_data(const struct lib_segment *s)
{
    return s->limit == UINT32_MAX &&
           (s->flags & (SEGMENT_PRESENT | SEGMENT_WRITABLE | SEGMENT_CODE | SEGMENT_EXPAND_DOWN)) ==
               (SEGMENT_PRESENT | SEGMENT_WRITABLE);
}

static bool segments_flat(const struct lib_state *env)
{
    return env->seg[SEG_CS].limit == UINT32_MAX && flat_data(&env->seg[SEG_SS]) &&
           flat_data(&env->seg[SEG_DS]) && flat_data(&env->seg[SEG_ES]);
}

/* For every instruction? */
static bool all_checked(const struct core *core, bool protected_mode)
{
    const struct lib_state *env = core->env;
    if ((core->config.state->dr7 & DR7_ENABLES) || step_each(core))
        return true;
    if (env->seg[SEG_CS].limit < 0xffff &&
        !(env->hflags & LIB_HF_CS64)) /* in any mode: guards see data only */
        return true;
    if ((env->rflags & RFLAGS_AC) && (env->hflags & LIB_HF_CPL) == 3 && (env->cr[0] & CR0_AM))
        return true;
    return protected_mode && !segments_flat(env);
}

static bool locks_of_monitor(const struct core *core)
{
    return core->config.bus_locks.wanted && *core->config.bus_locks.wanted;
}

bool step_locks_wanted(const struct core *core)
{
    const struct cpu_state *s = core->config.state;
    return locks_of_monitor(core) || (s->msr.test_ctrl & TEST_CTRL_SPLIT_LOCK) ||
           (s->msr.debugctl & DEBUGCTL_BUS_LOCK_DETECT && core->env->hflags & LIB_HF_CPL);
}

void step_ask_for_devices(struct core *core)
{
    if (core->asks_for_devices ||
        !(locks_of_monitor(core) || core->config.state->msr.debugctl & DEBUGCTL_BUS_LOCK_DETECT))
        return;
    core->asks_for_devices = true;
    mmu_drop_outer_all(core->config.mmu);
}

/* FS and GS are apart from the others: systems leave them null, or give them limits of their own. */
uint32_t step_flags(const struct core *core)
{
    const struct lib_state *env = core->env;
    const bool protected_mode =
        (env->cr[0] & CR0_PE) && !(env->rflags & RFLAGS_VM) && !(env->hflags & LIB_HF_CS64);
    uint32_t flags = simd_unmasked(core) ? LIB_HF_CHECK_SIMD : 0;
    if (step_locks_wanted(core))
        flags |= LIB_HF_CHECK_LOCKS;
    if (all_checked(core, protected_mode))
        return flags | LIB_HF_CHECKED;
    if (protected_mode && !(flat_data(&env->seg[SEG_FS]) && flat_data(&env->seg[SEG_GS])))
        flags |= LIB_HF_CHECK_FS_GS;
    return flags;
}

static bool raise(struct core *core, const struct cpu_event *event)
{
    return core->config.client->exception(core->config.client->opaque, event);
}

/* The library runs the one instruction next: outside of the checked mode, in a block of its own
 * (core_export). */
static void run_one(struct core *core, const cs_insn *insn, uint64_t watch_hits)
{
    core->step_simd = insn && simd_unmasked(core) && simd_arithmetic(insn);
    if (core->step_simd)
        simd_begin(core);
    core->step_locks = false;
    core->step_rflags = core->config.state->rflags;
    core->step_branches = insn && guard_branches(insn);
    core->step_repeats = insn && step_repeats(insn);
    core->step_bytes = insn ? (uint8_t)insn->size : 0;
    core->step_count_bits = insn ? (uint8_t)(insn->detail->x86.addr_size * 8) : 0;
    memcpy(core->step_gpr, core->config.state->gpr, sizeof core->step_gpr);
    core->stepping = true;
    core->step_begun = false;
    core->step_rip = core->config.state->rip;
    core->watch_hits = watch_hits;
    core->steps++;
}

/* An operand that is read and written, in a page that may not even be read: the EPT violation is of both. */
static void note_read(const struct step_piece *piece, enum mmu_status status, struct mmu_fault *fault)
{
    if (status == MMU_EPT_VIOLATION && piece->reads && fault->qualification & EPT_OF_THE_ACCESS &&
        !(fault->qualification & EPT_READABLE))
        fault->qualification |= EPT_DATA_READ;
}

/* Pages of one piece: the library changes memory and registers as it goes, so both must be there before it
 * begins. */
static enum mmu_status translate_piece(struct core *core, struct step_piece *piece, struct mmu_fault *fault)
{
    const struct cpu_state *s = core->config.state;
    const struct mmu_mode mode = {
        .user = cpu_cpl(s) == 3, .narrow = !cpu_64bit_mode(s), .smap_ignored = (s->rflags & RFLAGS_AC) != 0};
    uint64_t last = piece->linear + piece->size - 1;
    struct mmu_translation translation;
    enum mmu_status status =
        mmu_translate(core->config.mmu, piece->linear, piece->kind, mode, &translation, fault);
    piece->beyond_ram = status == MMU_OK && !phys_ram(core->config.mem, translation.physical, 1);
    if (status != MMU_OK || !((last ^ piece->linear) >> 12))
        return status;
    last &= ~0xfffull; /* the first byte of the second page: what CR2 will hold */
    return mmu_translate(core->config.mmu, cpu_64bit_mode(s) ? last : (uint32_t)last, piece->kind, mode,
                         &translation, fault);
}

static cs_insn *decode(struct core *core, const uint8_t *bytes, size_t got)
{
    const struct cpu_state *s = core->config.state;
    const uint8_t *code = bytes;
    const unsigned bits = cpu_code_bits(s);
    uint64_t address = s->rip;
    return cs_disasm_iter(core->decoder[bits == 64   ? 2
                                        : bits == 32 ? 1
                                                     : 0],
                          &code, &got, &address, core->decoded)
               ? core->decoded
               : NULL;
}

/* Reads and decodes the instruction at RIP. Null in *insn: Capstone does not know it. */
static enum mmu_status decode_at_rip(struct core *core, cs_insn **insn, struct mmu_fault *fault)
{
    const struct cpu_state *s = core->config.state;
    const struct mmu_mode mode = {.user = cpu_cpl(s) == 3, .narrow = !cpu_64bit_mode(s)};
    uint8_t bytes[15];
    size_t got = 0;
    uint64_t linear = cpu_64bit_mode(s) ? s->rip : (uint32_t)(s->rip + s->seg[SEG_CS].base);
    enum mmu_status status = mmu_fetch(core->config.mmu, linear, bytes, sizeof bytes, mode, &got, fault);
    *insn = status == MMU_OK ? decode(core, bytes, got) : NULL;
    return status;
}

static bool raise_general_protection(struct core *core)
{
    const struct cpu_outcome fault = outcome_fault_code(VECTOR_GP, 0);
    return raise(core, &fault.event);
}

static bool splits_line(const struct step_verdict *verdict)
{
    for (unsigned i = 0; i < verdict->pieces; i++)
        if ((verdict->piece[i].linear ^ (verdict->piece[i].linear + verdict->piece[i].size - 1)) >> 6)
            return true;
    return false;
}

/* SDM volume 3A, "Bus Locking": of uncacheable memory what is not RAM. */
static bool asserts_bus_lock(const struct step_verdict *verdict)
{
    for (unsigned i = 0; i < verdict->pieces; i++)
        if (verdict->piece[i].beyond_ram)
            return true;
    return splits_line(verdict);
}

bool step_on_trap(struct core *core)
{
    const struct cpu_state *s = core->config.state;
    const struct core_client *client = core->config.client;
    struct mmu_fault fault;
    cs_insn *insn;
    uint64_t target;
    enum mmu_status status = decode_at_rip(core, &insn, &fault);
    if (status != MMU_OK)
        return client->memory_fault(client->opaque, status, &fault);
    if (!insn) {
        run_one(core, NULL, 0); /* the library's word on what it is */
        return true;
    }
    struct step_verdict verdict = step_check(s, insn);
    if (verdict.refused)
        return raise(core, &verdict.event);
    if (step_moved(core, insn, &verdict, &status, &fault))
        return status == MMU_OK ? true : client->memory_fault(client->opaque, status, &fault);
    const bool locks = step_locks_wanted(core) && guard_locks(insn);
    if (locks && s->msr.test_ctrl & TEST_CTRL_SPLIT_LOCK && splits_line(&verdict)) {
        const struct cpu_outcome alignment = outcome_fault_code(VECTOR_AC, 0);
        return raise(core, &alignment.event);
    }
    for (unsigned i = 0; i < verdict.pieces; i++) {
        status = translate_piece(core, &verdict.piece[i], &fault);
        note_read(&verdict.piece[i], status, &fault);
        if (status != MMU_OK)
            return client->memory_fault(client->opaque, status, &fault);
    }
    /* SDM volume 2, "CALL": before anything is pushed. */
    if (insn->id == X86_INS_CALL && step_call_target(core, insn, &target) && !step_may_branch_to(s, target))
        return raise_general_protection(core);
    run_one(core, insn, verdict.watch_hits);
    core->step_locks = locks && asserts_bus_lock(&verdict);
    return true;
}

uint64_t step_bus_lock(struct core *core)
{
    const struct core_bus_locks *client = &core->config.bus_locks;
    const bool asserted = core->step_locks && client->asserted;
    core->step_locks = false;
    core->poll_soon |= asserted;
    return asserted ? client->asserted(client->opaque) : 0;
}

static bool branch_failed(const struct core *core)
{
    const struct lib_state *env = core->env;
    if (!core->step_branches)
        return false;
    if (env->hflags & LIB_HF_CS64)
        return !cpu_canonical(env->rip, cpu_linear_bits(core->config.state));
    return env->rip > env->seg[SEG_CS].limit;
}

bool step_failed(struct core *core)
{
    core->step_simd = core->step_simd && simd_failed(core);
    return core->step_simd || branch_failed(core);
}

bool step_undo(struct core *core)
{
    struct cpu_state *s = core->config.state;
    memcpy(s->gpr, core->step_gpr, sizeof s->gpr);
    s->rip = core->step_rip;
    s->rflags = core->step_rflags;
    bounds_take_back(core);
    if (!core->step_simd)
        return raise_general_protection(core);
    /* SDM volume 3A, "Interrupt 19--SIMD Floating-Point Exception (#XM)" */
    const struct cpu_outcome fault = outcome_fault(s->cr4 & CR4_OSXMMEXCPT ? VECTOR_XM : VECTOR_UD);
    return raise(core, &fault.event);
}

/* What an indirect jump or a return did to the stack pointer before the fetch at its target failed. */
static void take_back(struct cpu_state *s, const cs_insn *insn)
{
    const cs_x86 *x86 = &insn->detail->x86;
    if (insn->id == X86_INS_RET)
        s->gpr[GPR_RSP] -= 8 + (x86->op_count ? (uint64_t)x86->operands[0].imm : 0);
    if (insn->id == X86_INS_CALL)
        s->gpr[GPR_RSP] += 8;
}

/* RIP is not canonical. If the block that ran last ended with a near branch, the fault is the branch's own:
 * SDM volume 2, "JMP", "RET", "CALL". Otherwise execution ran on to there, and the fault is that of the next
 * instruction. */
static void back_to_branch(struct core *core)
{
    struct cpu_state *s = core->config.state;
    const struct core_block *block = &core->blocks[*core->current_block];
    const uint64_t beyond = s->rip;
    struct mmu_fault fault;
    cs_insn *insn;
    if (block->substituted || !block->instructions)
        return;
    s->rip = block->pc + block->offset[block->instructions - 1];
    if (cpu_canonical(s->rip, cpu_linear_bits(s)) && decode_at_rip(core, &insn, &fault) == MMU_OK && insn &&
        guard_branches(insn)) {
        take_back(s, insn);
        bounds_take_back(core);
    } else {
        s->rip = beyond;
    }
}

bool step_on_non_canonical(struct core *core)
{
    struct cpu_state *s = core->config.state;
    struct mmu_fault fault;
    cs_insn *insn;
    if (!cpu_canonical(s->rip, cpu_linear_bits(s))) {
        back_to_branch(core);
        return raise_general_protection(core);
    }
    if (decode_at_rip(core, &insn, &fault) == MMU_OK && insn) {
        struct step_verdict verdict = step_check(s, insn);
        if (verdict.refused)
            return raise(core, &verdict.event);
    }
    return raise_general_protection(core);
}

cs_insn *step_look_again(struct core *core)
{
    const struct cpu_state *s = core->config.state;
    uint8_t bytes[15];
    size_t got = 0;
    for (; got < sizeof bytes; got++) {
        uint64_t linear = s->rip + got, physical;
        if (!cpu_64bit_mode(s))
            linear = (uint32_t)(linear + s->seg[SEG_CS].base);
        if (mmu_peek(core->config.mmu, linear, &physical) != MMU_OK ||
            !phys_ram(core->config.mem, physical, 1))
            break;
        bytes[got] = *phys_ram(core->config.mem, physical, 1);
    }
    return got ? decode(core, bytes, got) : NULL;
}

void step_note_repetition(struct core *core)
{
    struct cpu_state *s = core->config.state;
    const struct core_block *block = &core->blocks[*core->current_block];
    uint64_t linear = s->rip + s->seg[SEG_CS].base;
    if (!cpu_64bit_mode(s))
        linear = (uint32_t)linear;
    if (block->substituted || !block->instructions ||
        block->pc + block->offset[block->instructions - 1] != linear)
        return;
    const cs_insn *insn = step_look_again(core);
    if (!insn || !step_repeats(insn))
        return;
    if (step_iterations_left(insn, s->gpr[GPR_RCX])) {
        s->rflags |= RFLAGS_RF;
    } else {
        s->rip += insn->size;
        core_last_iteration(core);
    }
}

/* The library reads before it writes; a processor asks for the right to write at once: SDM volume 3A,
 * "Interrupt 14--Page-Fault Exception (#PF)", W/R; volume 3C, table "Exit Qualification for EPT Violations",
 * bits 0 and 1. */
void step_fault_of_read(struct core *core)
{
    const struct cpu_state *s = core->config.state;
    struct step_access accesses[STEP_ACCESSES];
    const cs_insn *insn = cpu_canonical(s->rip, cpu_linear_bits(s)) ? step_look_again(core) : NULL;
    if (!insn)
        return;
    unsigned count = step_accesses(s, insn, accesses);
    for (unsigned i = 0; i < count; i++) {
        struct cpu_outcome outcome;
        uint64_t linear;
        if (!accesses[i].read || !accesses[i].write ||
            !seg_linear_address(s, accesses[i].segment, accesses[i].offset, accesses[i].size, MMU_WRITE,
                                &linear, &outcome) ||
            core->fault.linear - linear >= accesses[i].size)
            continue;
        if (core->fault_status == MMU_PAGE_FAULT)
            core->fault.error_code |= PF_W;
        else if (core->fault_status == MMU_EPT_VIOLATION && core->fault.qualification & EPT_OF_THE_ACCESS)
            core->fault.qualification |= EPT_DATA_WRITE;
    }
}
