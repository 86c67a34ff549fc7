/* stack.c: see stack.h. */
#include "sim/cpu/stack.h"
#include "sim/cpu/watch.h"

struct mmu_mode mode_at_cpl(const struct cpu_state *state, unsigned cpl)
{
    return (struct mmu_mode){.user = cpl == 3, .smap_ignored = cpl < 3 && (state->rflags & RFLAGS_AC)};
}

static uint64_t pointer_mask(uint32_t access_rights, bool flat)
{
    if (flat)
        return UINT64_MAX;
    return access_rights & AR_DB ? 0xffffffff : 0xffff;
}

struct stack stack_current(struct cpu *cpu, unsigned cpl, uint32_t error_code)
{
    const struct cpu_state *state = &cpu->state;
    struct stack stack = {.cpu = cpu,
                          .ss = state->seg[SEG_SS],
                          .flat = cpu_64bit_mode(state),
                          .mode = mode_at_cpl(state, cpl),
                          .error_code = error_code};
    stack.sp = state->gpr[GPR_RSP] & pointer_mask(stack.ss.access_rights, stack.flat);
    return stack;
}

bool segment_within_limit(const struct cpu_segment *segment, uint64_t offset, unsigned size)
{
    const uint32_t rights = segment->access_rights;
    const uint32_t down = AR_S | SEGMENT_TYPE_EXPAND_DOWN;
    if (rights & AR_UNUSABLE)
        return false;
    const uint64_t last = offset + size - 1;
    if ((rights & (down | SEGMENT_TYPE_CODE)) != down)
        return last <= segment->limit;
    /* SDM "Limit Checking": an expand-down segment ranges from limit + 1 to the top that the B flag gives. */
    return offset > segment->limit && last <= (rights & AR_DB ? 0xffffffffu : 0xffffu);
}

/* The linear address of an item at offset. False: it raises #SS. */
static bool item_address(const struct stack *stack, uint64_t offset, unsigned size, uint64_t *linear,
                         struct cpu_outcome *outcome)
{
    const struct cpu_state *state = &stack->cpu->state;
    const unsigned bits = cpu_linear_bits(state);
    const uint64_t first = cpu_data_address(state, offset), last = cpu_data_address(state, offset + size - 1);
    const bool fits = stack->flat ? cpu_canonical(first, bits) && cpu_canonical(last, bits)
                                  : segment_within_limit(&stack->ss, offset, size);
    if (!fits) {
        *outcome = outcome_fault_code(VECTOR_SS, stack->error_code);
        return false;
    }
    *linear = stack->flat ? first : (stack->ss.base + offset) & 0xffffffff;
    return true;
}

bool stack_has_room(const struct stack *stack, unsigned count, unsigned size, struct cpu_outcome *outcome)
{
    const uint64_t mask = pointer_mask(stack->ss.access_rights, stack->flat);
    uint64_t linear;
    for (unsigned i = 1; i <= count; i++)
        if (!item_address(stack, (stack->sp - (uint64_t)i * size) & mask, size, &linear, outcome))
            return false;
    return true;
}

/* SDM volume 2, "INT n", #AC(EXT), and "CALL", "RET", "IRET", #AC(0); volume 3A "Interrupt 17--Alignment
 * Check Exception (#AC)": of an access in ring 3. */
static bool misaligned(const struct stack *stack, uint64_t linear, unsigned size, struct cpu_outcome *outcome)
{
    const struct cpu_state *state = &stack->cpu->state;
    if (!stack->mode.user || !(state->rflags & RFLAGS_AC) || !(state->cr0 & CR0_AM) || !(linear % size))
        return false;
    *outcome = outcome_fault_code(VECTOR_AC, stack->error_code & ERROR_CODE_EXT);
    return true;
}

bool stack_push(struct stack *stack, uint64_t value, unsigned size, struct cpu_outcome *outcome)
{
    const uint64_t offset = (stack->sp - size) & pointer_mask(stack->ss.access_rights, stack->flat);
    struct mmu_fault fault = {0};
    uint64_t linear;
    if (!item_address(stack, offset, size, &linear, outcome) || misaligned(stack, linear, size, outcome))
        return false;
    enum mmu_status status = mmu_write(&stack->cpu->mmu, linear, &value, size, stack->mode, &fault);
    if (status != MMU_OK) {
        *outcome = mmu_fault_outcome(status, &fault);
        return false;
    }
    watch_write(stack->cpu, linear, size);
    stack->sp = offset;
    return true;
}

bool stack_pop(struct stack *stack, uint64_t *value, unsigned size, struct cpu_outcome *outcome)
{
    struct mmu_fault fault = {0};
    uint64_t linear;
    *value = 0;
    if (!item_address(stack, stack->sp, size, &linear, outcome) || misaligned(stack, linear, size, outcome))
        return false;
    enum mmu_status status = mmu_read(&stack->cpu->mmu, linear, value, size, stack->mode, &fault);
    if (status != MMU_OK) {
        *outcome = mmu_fault_outcome(status, &fault);
        return false;
    }
    watch_read(stack->cpu, linear, size);
    stack_release(stack, size);
    return true;
}

bool stack_push_all(struct stack *stack, const uint64_t *values, unsigned count, unsigned size,
                    struct cpu_outcome *outcome)
{
    if (!stack_has_room(stack, count, size, outcome))
        return false;
    for (unsigned i = 0; i < count; i++)
        if (!stack_push(stack, values[i], size, outcome))
            return false;
    return true;
}

void stack_release(struct stack *stack, uint64_t bytes)
{
    stack->sp = (stack->sp + bytes) & pointer_mask(stack->ss.access_rights, stack->flat);
}

void stack_set_pointer(struct cpu_state *state, uint64_t sp, uint32_t access_rights, bool flat)
{
    if (pointer_mask(access_rights, flat) == 0xffff)
        state->gpr[GPR_RSP] = (state->gpr[GPR_RSP] & ~0xffffull) | (sp & 0xffff);
    else
        state->gpr[GPR_RSP] = sp & pointer_mask(access_rights, flat);
}

void stack_commit(const struct stack *stack)
{
    stack_set_pointer(&stack->cpu->state, stack->sp, stack->ss.access_rights, stack->flat);
}

/* Reads size bytes at offset of the current TSS. Beyond its limit: #TS(TSS selector). */
static bool read_tss(struct cpu *cpu, uint32_t offset, void *to, unsigned size, uint32_t ext,
                     struct cpu_outcome *outcome)
{
    const struct cpu_segment *tr = &cpu->state.seg[SEG_TR];
    uint64_t linear = tr->base + offset;
    if ((tr->access_rights & AR_UNUSABLE) || offset + size - 1 > tr->limit) {
        *outcome = outcome_fault_code(VECTOR_TS, (tr->selector & 0xfffcu) | ext);
        return false;
    }
    if (!cpu_long_mode(&cpu->state))
        linear &= 0xffffffff;
    return system_read(cpu, linear, to, size, outcome);
}

/* SDM "Stack Switching in 64-Bit Mode" and "Interrupt Stack Table": RSPn at 4 + 8n, ISTn at 28 + 8n. */
static bool long_stack_from_tss(struct cpu *cpu, unsigned new_cpl, unsigned ist, uint32_t ext,
                                struct stack *stack, struct cpu_outcome *outcome)
{
    stack->flat = true;
    stack->error_code = ext;
    stack->ss = cpu->state.seg[SEG_SS];
    return read_tss(cpu, (ist ? 28 + 8 * ist : 4 + 8 * new_cpl), &stack->sp, 8, ext, outcome);
}

/* The checks of a stack segment out of the TSS: SDM "CALL" and "INT n", the stack switch of their operation.
 */
static bool load_tss_ss(struct cpu *cpu, uint16_t selector, unsigned new_cpl, uint32_t ext,
                        struct stack *stack, struct cpu_outcome *outcome)
{
    struct descriptor d;
    *outcome = outcome_fault_code(VECTOR_TS, (selector & 0xfffcu) | ext);
    if (selector_is_null(selector))
        return false;
    if (!descriptor_read(cpu, selector, VECTOR_TS, ext, &d, outcome))
        return false;
    *outcome = outcome_fault_code(VECTOR_TS, (selector & 0xfffcu) | ext);
    if (selector_rpl(selector) != new_cpl || descriptor_dpl(&d) != new_cpl ||
        !descriptor_is_writable_data(&d))
        return false;
    if (!descriptor_present(&d)) {
        *outcome = outcome_fault_code(VECTOR_SS, (selector & 0xfffcu) | ext);
        return false;
    }
    if (!descriptor_set_accessed(cpu, &d, outcome))
        return false;
    stack->ss = descriptor_segment(&d);
    return true;
}

static bool protected_stack_from_tss(struct cpu *cpu, unsigned new_cpl, uint32_t ext, struct stack *stack,
                                     struct cpu_outcome *outcome)
{
    const bool tss32 = (cpu->state.seg[SEG_TR].access_rights & AR_TYPE & ~2u) == DESCRIPTOR_TSS32;
    uint64_t pair = 0; /* stack pointer, then the selector */
    const uint32_t offset = tss32 ? 4 + 8 * new_cpl : 2 + 4 * new_cpl;
    if (!read_tss(cpu, offset, &pair, tss32 ? 6 : 4, ext, outcome))
        return false;
    const uint16_t selector = (uint16_t)(tss32 ? pair >> 32 : pair >> 16);
    if (!load_tss_ss(cpu, selector, new_cpl, ext, stack, outcome))
        return false;
    stack->error_code = (selector & 0xfffcu) | ext;
    stack->sp = pair & (tss32 ? 0xffffffff : 0xffff) & pointer_mask(stack->ss.access_rights, false);
    return true;
}

bool stack_from_tss(struct cpu *cpu, unsigned new_cpl, unsigned ist, uint32_t ext, struct stack *stack,
                    struct cpu_outcome *outcome)
{
    *stack = (struct stack){.cpu = cpu, .mode = mode_at_cpl(&cpu->state, new_cpl)};
    if (cpu_long_mode(&cpu->state))
        return long_stack_from_tss(cpu, new_cpl, ist, ext, stack, outcome);
    return protected_stack_from_tss(cpu, new_cpl, ext, stack, outcome);
}
