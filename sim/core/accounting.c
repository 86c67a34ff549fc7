/*
 * accounting.c: time of translated code, added up by the translated code itself.
 *
 * Every block begins with the library's look at a countdown, whose sign asks it to leave for the main loop.
 * We point that look at a budget of our own (the library's countdown is looked at again after each memory
 * access, where leaving would run a part of the block twice), and behind it insert three small operations
 * into the intermediate code: remember which block this is, take its cycles off the budget, add its
 * instructions to a counter. So a block that was left before it began is not charged, a time slice ends by
 * itself on a block boundary, and no callback runs. When a trap comes in the middle of a block, what did not
 * run is given back.
 */
#include "sim/core/x87_core.h"

void __real_gen_intermediate_code_x86_64(void *cpu, struct lib_block *block, int most);
void __wrap_gen_intermediate_code_x86_64(void *cpu, struct lib_block *block, int most);
void __real_tcg_func_start_x86_64(void *context);
void __wrap_tcg_func_start_x86_64(void *context);
struct lib_op *__real_tcg_emit_op_x86_64(void *context, int opcode);
struct lib_op *__wrap_tcg_emit_op_x86_64(void *context, int opcode);
void __real_cpu_loop_exit_noexc_x86_64(void *cpu);
void __wrap_cpu_loop_exit_noexc_x86_64(void *cpu);

void __wrap_tcg_func_start_x86_64(void *context)
{
    if (core_current)
        core_current->tcg_context = context;
    __real_tcg_func_start_x86_64(context);
}

/* The first operations of a block: load the countdown, the constant 0, branch if negative, start of an
 * instruction. */
struct lib_op *__wrap_tcg_emit_op_x86_64(void *context, int opcode)
{
    struct lib_op *op = __real_tcg_emit_op_x86_64(context, opcode);
    struct core *core = core_current;
    if (!core || !core->translating)
        return op;
    if (core->ops_seen < 4)
        core->op[core->ops_seen++] = op;
    core->recent_op[core->ops_emitted++ % CORE_OPS_REMEMBERED] = op;
    if (opcode == LIB_OP_INSN_START) {
        core->insns_begun++;
        core->accesses = 0;
        core->touched = core->repetition_noted = false;
        const uint16_t word = core->x87_words[(core->insns_begun - 1) % CORE_BLOCK_INSTRUCTIONS];
        if (word && !core->translating_substitute)
            x87_translate_begin(core, core->tcg_context, word);
    }
    return op;
}

/* The library leaves a block in its middle, after a write to the block's own code. */
void __wrap_cpu_loop_exit_noexc_x86_64(void *cpu)
{
    if (core_current && cpu == (void *)core_current->cpu)
        core_current->partial_block = true;
    __real_cpu_loop_exit_noexc_x86_64(cpu);
}

static int opcode_of(const struct lib_op *op)
{
    return (int)(op->opcode_and_life & 0xff);
}

static bool prologue_as_expected(const struct core *core)
{
    return core->ops_seen == 4 && opcode_of(core->op[0]) == LIB_OP_LD_I32 &&
           core->op[0]->args[2] == (uint64_t)(int64_t)core->countdown_offset &&
           opcode_of(core->op[1]) == LIB_OP_MOVI_I32 && opcode_of(core->op[2]) == LIB_OP_BRCOND_I32;
}

static void emit(struct core *core, int opcode, uint64_t a, uint64_t b, uint64_t c)
{
    struct lib_op *op = tcg_op_insert_before_x86_64(core->tcg_context, core->op[3], opcode);
    op->args[0] = a;
    op->args[1] = b;
    op->args[2] = c;
}

static void emit_add(struct core *core, int opcode, int32_t offset, uint32_t amount)
{
    uint64_t value = core->op[0]->args[0], constant = core->op[1]->args[0], state = core->op[0]->args[1];
    emit(core, LIB_OP_LD_I32, value, state, (uint64_t)(int64_t)offset);
    emit(core, LIB_OP_MOVI_I32, constant, amount, 0);
    emit(core, opcode, value, value, constant);
    emit(core, LIB_OP_ST_I32, value, state, (uint64_t)(int64_t)offset);
}

static void emit_accounting(struct core *core, uint32_t index)
{
    const struct core_block *block = &core->blocks[index];
    uint64_t constant = core->op[1]->args[0], state = core->op[0]->args[1];
    core->op[0]->args[2] = (uint64_t)(int64_t)core->budget_offset;
    emit(core, LIB_OP_MOVI_I32, constant, index, 0);
    emit(core, LIB_OP_ST_I32, constant, state, (uint64_t)(int64_t)core->current_block_offset);
    if (block->substituted || !core->config.accounting)
        return;
    emit_add(core, LIB_OP_SUB_I32, core->budget_offset, block->cost);
    emit_add(core, LIB_OP_ADD_I32, core->instruction_counter_offset, block->instructions);
}

/* Translates an instruction that always traps (or calls: quick.c) in place of the one that the model
 * executes. Guest RAM holds the replacement only while the library reads it. One byte is enough at a page's
 * end: HLT is intercepted at CPL 0 and faults elsewhere. */
static void translate_substitute(struct core *core, void *cpu, struct lib_block *block,
                                 const struct core_block *record)
{
    static const uint8_t trap[2] = {0x0f, 0x0b}, short_trap[1] = {0xf4};
    uint8_t *code = core_code_bytes(core, block->pc), saved[LONGEST_INSTRUCTION];
    size_t bytes = (block->pc & 0xfff) == 0xfff ? 1 : 2;
    if (!code) {
        __real_gen_intermediate_code_x86_64(cpu, block, 1);
        return;
    }
    if (record->quick)
        bytes = record->insn.length;
    memcpy(saved, code, bytes);
    if (record->quick)
        core_quick_bytes(code, bytes);
    else
        memcpy(code, bytes == 2 ? trap : short_trap, bytes);
    __real_gen_intermediate_code_x86_64(cpu, block, 1);
    memcpy(code, saved, bytes);
}

/* The library crashes when its code buffer fills up. Blocks are laid out in it one behind the other; what a
 * fetch fault ends while it is translated takes its room, and its record, too. */
static void watch_code_buffer(struct core *core, const struct lib_block *block)
{
    uintptr_t at = (uintptr_t)block;
    if (!core->code_start || at < core->code_start)
        core->code_start = at;
    core->code_buffer_full |= at - core->code_start > CORE_CODE_BUFFER - CORE_CODE_MARGIN ||
                              core->next_block - core->first_block >= CORE_BLOCK_RECORDS - CORE_BLOCK_MARGIN;
}

/* Between two blocks only, and no block may be linked to the one that ran last. */
void core_empty_code_buffer(struct core *core)
{
    tb_flush_x86_64(core->cpu);
    core_forget_code(core);
    core->code_buffer_full = false;
    core->first_block = core->next_block;
    *core->current_block = CORE_NO_BLOCK; /* its record may be another block's soon */
}

void __wrap_gen_intermediate_code_x86_64(void *cpu, struct lib_block *block, int most)
{
    struct core *core = core_current;
    if (!core || cpu != (void *)core->cpu) {
        __real_gen_intermediate_code_x86_64(cpu, block, most);
        return;
    }
    uint32_t index = core->next_block++ % CORE_BLOCK_RECORDS;
    watch_code_buffer(core, block);
    struct core_scan scan = {
        .block = &core->blocks[index], .guards = core->guards, .x87_words = core->x87_words};
    core_scan_block(core, block, (unsigned)most, &scan);
    core->ops_seen = core->ops_emitted = core->insns_begun = 0;
    core->translating_bare = most == 1;
    core->guarding_limits = !(block->flags & LIB_HF_PROTECTED) || block->flags & LIB_HF_VIRTUAL_8086;
    core->guarding_wide = (block->flags & LIB_HF_CS64) != 0;
    core->translating_substitute = scan.substitute;
    core->translating = true;
    if (scan.substitute)
        translate_substitute(core, cpu, block, &core->blocks[index]);
    else
        __real_gen_intermediate_code_x86_64(cpu, block, (int)scan.instructions);
    core->translating = false;
    core->blocks_translated++;
    struct core_block *record = &core->blocks[index];
    if (scan.substitute) {
        block->size = record->size; /* a write to any byte of the real instruction retires the block */
    } else {
        record->size = block->size;
        if (block->instructions < record->instructions) { /* the library ended it earlier */
            record->cost = record->before[block->instructions];
            record->instructions = (uint8_t)block->instructions;
        }
    }
    core_note_code(core, block);
    if (!prologue_as_expected(core)) {
        core->error = "libunicorn's block prologue is not that of version 2.1.1; install libunicorn 2.1.1";
        return;
    }
    emit_accounting(core, index);
}

/* What a block that was left at rip had been charged for and did not run. */
static void refund(struct core *core, uint32_t *unrun_instructions, uint32_t *unrun_cycles)
{
    const struct core_block *block = &core->blocks[*core->current_block];
    uint64_t at = core->env->rip + core->env->seg[SEG_CS].base - block->pc;
    if (block->substituted || at >= block->size)
        return;
    for (unsigned i = 0; i < block->instructions; i++)
        if (block->offset[i] == at) {
            *unrun_instructions = block->instructions - i;
            *unrun_cycles = block->cost - block->before[i];
            return;
        }
}

static void settle(struct core *core, uint32_t unrun_instructions, uint32_t unrun_cycles)
{
    int32_t left = *core->budget;
    const uint64_t cycles = (uint64_t)(core->granted - left) - unrun_cycles;
    const uint64_t instructions = *core->instruction_counter - (uint64_t)unrun_instructions;
    const uint64_t base = instructions * core->config.profile->cost.instruction.cycles;
    cycles_charge(core->config.account, CYCLES_INSTRUCTIONS, base);
    cycles_charge(core->config.account, CYCLES_OPERANDS, cycles - base);
    *core->config.instructions += instructions;
    if (core->config.repetitions)
        *core->config.repetitions += core->instruction_counter[CORE_REPETITIONS];
    core->instruction_counter[CORE_REPETITIONS] = 0;
    *core->instruction_counter = 0;
    core->granted = left;
}

void core_last_iteration(struct core *core)
{
    if (!core->config.repetitions || !core->config.accounting)
        return;
    if (core->instruction_counter[CORE_REPETITIONS])
        core->instruction_counter[CORE_REPETITIONS]--;
    else
        --*core->config.repetitions;
}

/* Brings time up to date after a trap: rip is that of the instruction that did not complete. */
void core_charge(struct core *core)
{
    uint32_t instructions = 0, cycles = 0;
    if (core->config.accounting)
        refund(core, &instructions, &cycles);
    settle(core, instructions, cycles);
    core->partial_block = false;
}

/* The same between blocks: everything that was begun was run. */
void core_sync_time(struct core *core)
{
    if (core->partial_block)
        core_charge(core);
    else
        settle(core, 0, 0);
}

/* Begins a slice that ends at the deadline or sooner. */
void core_grant(struct core *core, uint64_t deadline)
{
    uint64_t now = core->config.account->now;
    uint64_t room = deadline > now ? deadline - now : 0;
    core->granted = room < CORE_SLICE ? (int32_t)room : CORE_SLICE;
    *core->budget = core->granted;
}

uint64_t core_blocks_translated(const struct core *core)
{
    return core->blocks_translated;
}
uint64_t core_checked_steps(const struct core *core)
{
    return core->steps;
}
