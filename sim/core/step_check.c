/*
 * step_check.c: what the library leaves unchecked about one instruction: segments, alignment, breakpoints.
 *
 * Sources: SDM volume 3A, "Segment Limit Checking", "Type Checking", "Interrupt 17--Alignment Check Exception (#AC)"; volume 3B,
 * "Debug Registers", "Breakpoint Condition".
 */
#include "sim/core/step.h"

enum { BREAKPOINTS = 4, ON_EXECUTION = 0, ON_WRITE = 1, ON_ACCESS = 3 };

struct access {
    enum cpu_segment_index segment;
    uint64_t offset;
    unsigned size; /* bytes */
    bool read, write;
};

static unsigned gpr_of(x86_reg reg)
{
    switch (reg) {
#define GPR_CASES(number, r16, r32, r64)                                                                               \
    case X86_REG_##r16:                                                                                                \
    case X86_REG_##r32:                                                                                                \
    case X86_REG_##r64:                                                                                                \
        return number
        GPR_CASES(GPR_RAX, AX, EAX, RAX);
        GPR_CASES(GPR_RCX, CX, ECX, RCX);
        GPR_CASES(GPR_RDX, DX, EDX, RDX);
        GPR_CASES(GPR_RBX, BX, EBX, RBX);
        GPR_CASES(GPR_RSP, SP, ESP, RSP);
        GPR_CASES(GPR_RBP, BP, EBP, RBP);
        GPR_CASES(GPR_RSI, SI, ESI, RSI);
        GPR_CASES(GPR_RDI, DI, EDI, RDI);
        GPR_CASES(GPR_R8, R8W, R8D, R8);
        GPR_CASES(GPR_R9, R9W, R9D, R9);
        GPR_CASES(GPR_R10, R10W, R10D, R10);
        GPR_CASES(GPR_R11, R11W, R11D, R11);
        GPR_CASES(GPR_R12, R12W, R12D, R12);
        GPR_CASES(GPR_R13, R13W, R13D, R13);
        GPR_CASES(GPR_R14, R14W, R14D, R14);
        GPR_CASES(GPR_R15, R15W, R15D, R15);
#undef GPR_CASES
    default:
        return GPR_COUNT;
    }
}

static uint64_t register_value(const struct cpu_state *s, x86_reg reg, unsigned instruction_size)
{
    if (reg == X86_REG_RIP || reg == X86_REG_EIP)
        return s->rip + instruction_size;
    unsigned gpr = gpr_of(reg);
    return gpr < GPR_COUNT ? s->gpr[gpr] : 0;
}

static uint64_t low_bits(uint64_t value, unsigned bits) { return bits >= 64 ? value : value & ((1ull << bits) - 1); }

static bool is_stack_register(x86_reg reg)
{
    unsigned gpr = gpr_of(reg);
    return gpr == GPR_RSP || gpr == GPR_RBP;
}

static enum cpu_segment_index segment_of(const x86_op_mem *mem)
{
    switch (mem->segment) {
    case X86_REG_ES:
        return SEG_ES;
    case X86_REG_CS:
        return SEG_CS;
    case X86_REG_SS:
        return SEG_SS;
    case X86_REG_DS:
        return SEG_DS;
    case X86_REG_FS:
        return SEG_FS;
    case X86_REG_GS:
        return SEG_GS;
    default:
        break;
    }
    return is_stack_register(mem->base) ? SEG_SS : SEG_DS;
}

static struct access operand_access(const struct cpu_state *s, const cs_insn *insn, const cs_x86_op *op)
{
    const x86_op_mem *mem = &op->mem;
    uint64_t offset = register_value(s, mem->base, insn->size) + (uint64_t)mem->disp;
    offset += register_value(s, mem->index, insn->size) * (uint64_t)mem->scale;
    unsigned bits = insn->detail->x86.addr_size ? insn->detail->x86.addr_size * 8u : cpu_code_bits(s);
    return (struct access){.segment = segment_of(mem),
                           .offset = low_bits(offset, bits),
                           .size = op->size,
                           .read = (op->access & CS_AC_READ) != 0,
                           .write = (op->access & CS_AC_WRITE) != 0};
}

static unsigned stack_bits(const struct cpu_state *s)
{
    if (cpu_64bit_mode(s))
        return 64;
    return s->seg[SEG_SS].access_rights & AR_DB ? 32 : 16;
}

/* Near pushes and pops. The operand's size is the first operand's; of CALL and RET the code size's. */
static bool stack_access(const struct cpu_state *s, const cs_insn *insn, struct access *access)
{
    const cs_x86 *x86 = &insn->detail->x86;
    unsigned code_bytes = cpu_code_bits(s) / 8;
    unsigned size = x86->op_count && x86->operands[0].size > 1 ? x86->operands[0].size : code_bytes;
    bool pushes = insn->id == X86_INS_PUSH || insn->id == X86_INS_CALL;
    bool pops = insn->id == X86_INS_POP || insn->id == X86_INS_RET;
    if (insn->id == X86_INS_CALL || insn->id == X86_INS_RET)
        size = code_bytes;
    if (!pushes && !pops)
        return false;
    uint64_t top = s->gpr[GPR_RSP] - (pushes ? size : 0);
    *access = (struct access){.segment = SEG_SS, .offset = low_bits(top, stack_bits(s)), .size = size, .read = pops, .write = pushes};
    return true;
}

static bool alignment_checked(const struct cpu_state *s)
{
    return cpu_cpl(s) == 3 && (s->cr0 & CR0_AM) && (s->rflags & RFLAGS_AC);
}

/* L or G enables; the field of R/W and LEN for one register. */
static bool enabled(const struct cpu_state *s, unsigned n, unsigned *kind, uint64_t *length)
{
    static const uint8_t lengths[4] = {1, 2, 8, 4};
    *kind = s->dr7 >> (16 + 4 * n) & 3;
    *length = lengths[s->dr7 >> (18 + 4 * n) & 3];
    return s->dr7 >> (2 * n) & 3;
}

static uint64_t watches_hit(const struct cpu_state *s, uint64_t linear, const struct access *a)
{
    uint64_t hits = 0, length;
    unsigned kind;
    for (unsigned n = 0; n < BREAKPOINTS; n++) {
        if (!enabled(s, n, &kind, &length) || !(kind == ON_ACCESS || (kind == ON_WRITE && a->write)))
            continue;
        uint64_t first = s->dr[n] & ~(length - 1);
        if (linear < first + length && first < linear + a->size)
            hits |= 1ull << n;
    }
    return hits;
}

uint64_t step_code_breakpoints(const struct cpu_state *s)
{
    uint64_t hits = 0, length, linear = s->rip + s->seg[SEG_CS].base;
    unsigned kind;
    if (s->rflags & RFLAGS_RF || !(s->dr7 & 0xff))
        return 0;
    if (!cpu_64bit_mode(s))
        linear = (uint32_t)linear;
    for (unsigned n = 0; n < BREAKPOINTS; n++)
        if (enabled(s, n, &kind, &length) && kind == ON_EXECUTION && s->dr[n] == linear)
            hits |= 1ull << n;
    return hits;
}

static bool refuse(struct step_verdict *verdict, const struct cpu_outcome *outcome)
{
    verdict->refused = true;
    verdict->event = outcome->event;
    return false;
}

/* False: the verdict is a fault. */
static bool check_access(const struct cpu_state *s, const struct access *a, struct step_verdict *verdict)
{
    struct cpu_outcome outcome;
    uint64_t linear;
    enum mmu_access kind = a->write ? MMU_WRITE : MMU_READ;
    if (!a->size || (!a->read && !a->write))
        return true; /* an address that is only computed, or prefetched */
    if (!seg_linear_address(s, a->segment, a->offset, a->size, kind, &linear, &outcome))
        return refuse(verdict, &outcome);
    if (alignment_checked(s) && (a->size == 2 || a->size == 4 || a->size == 8) && linear % a->size) {
        outcome = outcome_fault_code(VECTOR_AC, 0);
        return refuse(verdict, &outcome);
    }
    verdict->watch_hits |= watches_hit(s, linear, a);
    return true;
}

static bool repeats_zero_times(const struct cpu_state *s, const cs_insn *insn)
{
    uint8_t prefix = insn->detail->x86.prefix[0];
    unsigned bits = insn->detail->x86.addr_size * 8u;
    return (prefix == X86_PREFIX_REP || prefix == X86_PREFIX_REPNE) && low_bits(s->gpr[GPR_RCX], bits) == 0;
}

struct step_verdict step_check(const struct cpu_state *s, const cs_insn *insn)
{
    struct step_verdict verdict = {0};
    struct cpu_outcome outcome = outcome_fault(VECTOR_DB);
    struct access access;
    uint64_t linear;
    const cs_x86 *x86 = &insn->detail->x86;
    outcome.event.debug_conditions = step_code_breakpoints(s);
    if (outcome.event.debug_conditions) {
        refuse(&verdict, &outcome);
        return verdict;
    }
    if (!seg_linear_address(s, SEG_CS, s->rip, insn->size, MMU_FETCH, &linear, &outcome)) {
        refuse(&verdict, &outcome);
        return verdict;
    }
    if (stack_access(s, insn, &access) && !check_access(s, &access, &verdict))
        return verdict;
    if (insn->id == X86_INS_LEA || insn->id == X86_INS_NOP || repeats_zero_times(s, insn))
        return verdict;
    for (int i = 0; i < x86->op_count; i++) {
        if (x86->operands[i].type != X86_OP_MEM)
            continue;
        access = operand_access(s, insn, &x86->operands[i]);
        if (!check_access(s, &access, &verdict))
            return verdict;
    }
    return verdict;
}
