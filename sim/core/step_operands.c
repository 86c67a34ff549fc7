/*
 * step_operands.c: which memory an instruction accesses besides its own bytes.
 *
 * Source: SDM volume 2, each instruction's operation. Where Capstone 4 and 5 give sizes otherwise, they are
 * set right here; whether an operand is read or written says step_direction.c.
 */
#include "sim/core/guard.h"
#include "sim/core/step.h"

enum { REX_W = 8 };

static unsigned gpr_of(x86_reg reg)
{
    switch (reg) {
#define GPR_CASES(number, r16, r32, r64)                                                                     \
    case X86_REG_##r16:                                                                                      \
    case X86_REG_##r32:                                                                                      \
    case X86_REG_##r64:                                                                                      \
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

static uint64_t low_bits(uint64_t value, unsigned bits)
{
    return bits >= 64 ? value : value & ((1ull << bits) - 1);
}

static bool is_stack_register(x86_reg reg)
{
    unsigned gpr = gpr_of(reg);
    return gpr == GPR_RSP || gpr == GPR_RBP;
}

/* SDM volume 2A, "Instruction Prefixes": in 64-bit mode overrides with CS, DS, ES and SS are ignored. */
static enum cpu_segment_index segment_of(const struct cpu_state *s, const x86_op_mem *mem)
{
    const bool ignored = cpu_64bit_mode(s) && mem->segment != X86_REG_FS && mem->segment != X86_REG_GS;
    switch (ignored ? X86_REG_INVALID : mem->segment) {
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

static unsigned stack_bits(const struct cpu_state *s)
{
    if (cpu_64bit_mode(s))
        return 64;
    return s->seg[SEG_SS].access_rights & AR_DB ? 32 : 16;
}

/* Bytes of a state in memory or of a far pointer, by the operand size: SDM volume 1, "x87 FPU State Image".
 */
static unsigned state_bytes(const struct cpu_state *s, const cs_insn *insn)
{
    bool wide = (cpu_code_bits(s) != 16) != (insn->detail->x86.prefix[2] == X86_PREFIX_OPSIZE);
    switch (insn->id) {
    case X86_INS_FXSAVE:
    case X86_INS_FXSAVE64:
    case X86_INS_FXRSTOR:
    case X86_INS_FXRSTOR64:
        return 512;
    case X86_INS_FNSAVE:
    case X86_INS_FRSTOR:
        return wide ? 108 : 94;
    case X86_INS_FNSTENV:
    case X86_INS_FLDENV:
        return wide ? 28 : 14;
    case X86_INS_FNSTSW:
        return 2;
    case X86_INS_BOUND:
        return wide ? 8 : 4;
    case X86_INS_LDS:
    case X86_INS_LES:
    case X86_INS_LSS:
    case X86_INS_LFS:
    case X86_INS_LGS:
        return insn->detail->x86.rex & REX_W ? 10 : wide ? 6 : 4;
    default:
        return 0;
    }
}

static x86_reg override_of(const cs_insn *insn)
{
    switch (insn->detail->x86.prefix[1]) {
    case 0x26:
        return X86_REG_ES;
    case 0x2e:
        return X86_REG_CS;
    case 0x36:
        return X86_REG_SS;
    case 0x64:
        return X86_REG_FS;
    case 0x65:
        return X86_REG_GS;
    default:
        return X86_REG_DS;
    }
}

/* BT and its like with a bit number in a register reach beyond the operand: SDM volume 1, "Bit Addressing";
 * volume 2, "BT--Bit Test". */
static uint64_t bit_displacement(const struct cpu_state *s, const cs_insn *insn)
{
    const cs_x86_op *bit = &insn->detail->x86.operands[1];
    const unsigned id = insn->id;
    if ((id != X86_INS_BT && id != X86_INS_BTS && id != X86_INS_BTR && id != X86_INS_BTC) ||
        bit->type != X86_OP_REG)
        return 0;
    const unsigned bits = bit->size * 8u;
    const int64_t number = (int64_t)(register_value(s, bit->reg, 0) << (64 - bits)) >> (64 - bits);
    return (uint64_t)((number >> (bits == 64 ? 6 : bits == 32 ? 5 : 4)) * bit->size);
}

/* SDM volume 3A, table "Alignment Requirements by Data Type". Of what it does not list, a bound is a word or
 * a doubleword, a far pointer of 80 bits begins with a quadword, and packed BCD is taken as other 80-bit
 * types are. FXSAVE and FXRSTOR may raise #GP in place of #AC, and do. */
static uint8_t alignment_of(const cs_insn *insn, unsigned size)
{
    switch (insn->id) {
    case X86_INS_BOUND:
        return (uint8_t)(size / 2);
    case X86_INS_LDS:
    case X86_INS_LES:
    case X86_INS_LSS:
    case X86_INS_LFS:
    case X86_INS_LGS:
        return (uint8_t)(size - 2); /* that of the offset */
    case X86_INS_FNSAVE:
    case X86_INS_FRSTOR:
    case X86_INS_FNSTENV:
    case X86_INS_FLDENV:
        return size == 108 || size == 28 ? 4 : 2; /* by the operand size */
    default:
        return size == 2 || size == 4 || size == 8 ? (uint8_t)size : size == 10 ? 8 : 0;
    }
}

static struct step_access operand_access(const struct cpu_state *s, const cs_insn *insn, int operand)
{
    const cs_x86 *x86 = &insn->detail->x86;
    const x86_op_mem *mem = &x86->operands[operand].mem;
    const uint8_t direction = step_direction(insn, operand);
    uint64_t offset = register_value(s, mem->base, insn->size) + (uint64_t)mem->disp;
    offset += register_value(s, mem->index, insn->size) * (uint64_t)mem->scale;
    offset += bit_displacement(s, insn);
    unsigned bits = x86->addr_size ? x86->addr_size * 8u : cpu_code_bits(s);
    unsigned size = state_bytes(s, insn);
    struct step_access access = {.segment = segment_of(s, mem),
                                 .offset = low_bits(offset, bits),
                                 .size = size ? size : x86->operands[operand].size,
                                 .read = (direction & CS_AC_READ) != 0,
                                 .write = (direction & CS_AC_WRITE) != 0};
    access.aligned = guard_of(insn) & GUARD_ALIGNED || size == 512;
    access.alignment = alignment_of(insn, access.size);
    return access;
}

/* Operands that no ModRM byte names and Capstone does not list. */
static bool implied_access(const struct cpu_state *s, const cs_insn *insn, struct step_access *access)
{
    const cs_x86 *x86 = &insn->detail->x86;
    const bool xlat = insn->id == X86_INS_XLATB;
    const bool masked = insn->id == X86_INS_MASKMOVQ || insn->id == X86_INS_MASKMOVDQU;
    if (!xlat && !masked)
        return false;
    uint64_t offset = xlat ? s->gpr[GPR_RBX] + (uint8_t)s->gpr[GPR_RAX] : s->gpr[GPR_RDI];
    const x86_op_mem mem = {.segment = override_of(insn)};
    *access = (struct step_access){.segment = segment_of(s, &mem),
                                   .offset = low_bits(offset, x86->addr_size * 8u),
                                   .size = xlat                           ? 1
                                           : insn->id == X86_INS_MASKMOVQ ? 8
                                                                          : 16,
                                   .read = xlat,
                                   .write = masked};
    access->alignment = alignment_of(insn, access->size);
    return true;
}

enum stack_use { USES_NOTHING, PUSHES, POPS, PUSHES_ALL, POPS_ALL, LEAVES, ENTERS };

static enum stack_use stack_use(const cs_insn *insn)
{
    switch (insn->id) {
    case X86_INS_PUSH:
    case X86_INS_CALL:
    case X86_INS_PUSHF:
    case X86_INS_PUSHFD:
    case X86_INS_PUSHFQ:
        return PUSHES;
    case X86_INS_POP:
    case X86_INS_RET:
    case X86_INS_POPF:
    case X86_INS_POPFD:
    case X86_INS_POPFQ:
        return POPS;
    case X86_INS_PUSHAW:
    case X86_INS_PUSHAL:
        return PUSHES_ALL;
    case X86_INS_POPAW:
    case X86_INS_POPAL:
        return POPS_ALL;
    case X86_INS_LEAVE:
        return LEAVES;
    case X86_INS_ENTER:
        return ENTERS;
    default:
        return USES_NOTHING;
    }
}

/* Bytes of one push or pop: the operand size of the code segment and the prefix; in 64-bit mode 8 unless 2;
 * near CALL and RET there always 8: SDM volume 2, "PUSH", "CALL", "RET". */
static unsigned pushed_bytes(const struct cpu_state *s, const cs_insn *insn)
{
    bool prefixed = insn->detail->x86.prefix[2] == X86_PREFIX_OPSIZE;
    switch (cpu_code_bits(s)) {
    case 64:
        return prefixed && insn->id != X86_INS_CALL && insn->id != X86_INS_RET ? 2 : 8;
    case 32:
        return prefixed ? 2 : 4;
    default:
        return prefixed ? 4 : 2;
    }
}

/* ENTER pushes one frame pointer, or as many as its nesting level and one, below each other. */
static unsigned entered(const cs_insn *insn)
{
    unsigned level = insn->detail->x86.op_count == 2 ? insn->detail->x86.operands[1].imm & 31 : 0;
    return level ? level + 1 : 1;
}

static bool stack_access(const struct cpu_state *s, const cs_insn *insn, struct step_access *access)
{
    const enum stack_use use = stack_use(insn);
    const unsigned size = pushed_bytes(s, insn);
    uint64_t at = s->gpr[use == LEAVES ? GPR_RBP : GPR_RSP];
    *access = (struct step_access){.segment = SEG_SS, .size = size, .alignment = (uint8_t)size};
    switch (use) {
    case USES_NOTHING:
        return false;
    case PUSHES:
        break;
    case POPS:
    case LEAVES:
        access->read = true;
        break;
    case PUSHES_ALL:
        access->size = 8 * size;
        break;
    case POPS_ALL:
        access->size = 8 * size;
        access->read = true;
        break;
    case ENTERS:
        access->size = entered(insn) * size;
        break;
    }
    access->write = !access->read;
    access->offset = low_bits(access->write ? at - access->size : at, stack_bits(s));
    return true;
}

static bool string_instruction(const cs_insn *insn)
{
    const uint8_t opcode = insn->detail->x86.opcode[0];
    return (opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf);
}

bool step_repeats(const cs_insn *insn)
{
    const uint8_t prefix = insn->detail->x86.prefix[0];
    return string_instruction(insn) && (prefix == X86_PREFIX_REP || prefix == X86_PREFIX_REPNE);
}

bool step_iterations_left(const cs_insn *insn, uint64_t rcx)
{
    return low_bits(rcx, insn->detail->x86.addr_size * 8u) != 0;
}

static bool repeats_zero_times(const struct cpu_state *s, const cs_insn *insn)
{
    return step_repeats(insn) && !step_iterations_left(insn, s->gpr[GPR_RCX]);
}

static bool real(const struct step_access *a)
{
    return a->size && (a->read || a->write);
}

unsigned step_accesses(const struct cpu_state *s, const cs_insn *insn,
                       struct step_access accesses[STEP_ACCESSES])
{
    const cs_x86 *x86 = &insn->detail->x86;
    struct step_access all[STEP_ACCESSES];
    unsigned count = 0, found = 0;
    if (stack_access(s, insn, &all[found]))
        found++;
    if (implied_access(s, insn, &all[found]))
        found++;
    if (!repeats_zero_times(s, insn))
        for (int i = 0; i < x86->op_count && found < STEP_ACCESSES; i++)
            if (x86->operands[i].type == X86_OP_MEM)
                all[found++] = operand_access(s, insn, i);
    for (unsigned pass = 0; pass < 2; pass++) /* what is read comes first */
        for (unsigned i = 0; i < found; i++)
            if (real(&all[i]) && all[i].write == (pass == 1))
                accesses[count++] = all[i];
    return count;
}

bool step_may_branch_to(const struct cpu_state *s, uint64_t offset)
{
    return cpu_64bit_mode(s) ? cpu_canonical(offset, cpu_linear_bits(s)) : offset <= s->seg[SEG_CS].limit;
}

bool step_call_target(const struct core *core, const cs_insn *insn, uint64_t *target)
{
    const struct cpu_state *s = core->config.state;
    const cs_x86_op *op = &insn->detail->x86.operands[0];
    const unsigned bytes = pushed_bytes(s, insn);
    const struct mmu_mode mode = {
        .user = cpu_cpl(s) == 3, .narrow = !cpu_64bit_mode(s), .smap_ignored = (s->rflags & RFLAGS_AC) != 0};
    struct cpu_outcome outcome;
    struct mmu_fault fault;
    int32_t distance = 0;
    uint64_t linear;
    *target = 0;
    switch (op->type) {
    case X86_OP_REG:
        *target = register_value(s, op->reg, 0);
        break;
    case X86_OP_MEM:
        if (!seg_linear_address(s, segment_of(s, &op->mem), operand_access(s, insn, 0).offset, bytes,
                                MMU_READ, &linear, &outcome) ||
            mmu_read(core->config.mmu, linear, target, bytes, mode, &fault) != MMU_OK)
            return false;
        break;
    default: /* a distance in the last bytes */
        memcpy(&distance, insn->bytes + insn->size - (bytes == 2 ? 2 : 4), bytes == 2 ? 2 : 4);
        *target = s->rip + insn->size + (uint64_t)(bytes == 2 ? (int16_t)distance : distance);
        break;
    }
    *target = low_bits(*target, bytes * 8);
    return true;
}
