/*
 * scan.c: reads a block's instructions before the library translates it.
 *
 * Three things follow from the reading: what the block costs; where it must be cut, so that an instruction
 * that only the model may execute leads a block of its own, as does one that reaches into the next page (the
 * library reports a fetch fault there at the block's start); and the decoded form of such an instruction, so
 * that its trap needs no decoding.
 */
#include "sim/core/guard.h"
#include "sim/core/insn_decode.h"
#include "sim/core/insn_lock.h"
#include "sim/core/x87_core.h"

enum { PAGE_BYTES = 4096 };

/* Decoded by insn_decode, yet right in translated code. */
static const bool native[INSN_COUNT] = {
    [INSN_UNKNOWN] = true, [INSN_PUSHF] = true, [INSN_POPF] = true, [INSN_UD] = true,
    [INSN_CLAC] = true,    [INSN_STAC] = true,  [INSN_CLI] = true,
};

bool core_open_decoders(struct core *core)
{
    static const cs_mode modes[3] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};
    for (int i = 0; i < 3; i++) {
        if (cs_open(CS_ARCH_X86, modes[i], &core->decoder[i]) != CS_ERR_OK)
            return false;
        cs_option(core->decoder[i], CS_OPT_DETAIL, CS_OPT_ON);
    }
    core->decoded = cs_malloc(core->decoder[2]);
    return core->decoded != NULL;
}

void core_close_decoders(struct core *core)
{
    if (core->decoded)
        cs_free(core->decoded, 1);
    for (int i = 0; i < 3; i++)
        if (core->decoder[i])
            cs_close(&core->decoder[i]);
}

static unsigned mode_index(uint32_t hflags)
{
    if (hflags & LIB_HF_CS64)
        return 2;
    return hflags & 1u << 4 ? 1 : 0;
}

static uint32_t cost_of(const struct core *core, const cs_insn *insn)
{
    const struct cpu_costs *cost = &core->config.profile->cost;
    uint32_t cycles = cost->instruction.cycles;
    const cs_detail *detail = insn->detail;
    for (int i = 0; i < detail->groups_count; i++)
        if (detail->groups[i] == CS_GRP_JUMP || detail->groups[i] == CS_GRP_CALL ||
            detail->groups[i] == CS_GRP_RET) {
            cycles += cost->branch.cycles;
            break;
        }
    for (int i = 0; i < detail->x86.op_count; i++)
        if (detail->x86.operands[i].type == X86_OP_MEM && insn->id != X86_INS_LEA && insn->id != X86_INS_NOP)
            cycles += cost->memory_access.cycles;
    return cycles;
}

/* The leading instruction with bytes of the next page, through the MMU; a fault there is left to the library
 * to meet. */
static size_t bytes_across_pages(struct core *core, uint64_t pc, uint8_t *to)
{
    const struct mmu_mode mode = {.user = (core->env->hflags & LIB_HF_CPL) == 3,
                                  .narrow = !(core->env->hflags & LIB_HF_CS64)};
    struct mmu_fault fault;
    size_t got = 0;
    if (mmu_fetch(core->config.mmu, pc, to, LONGEST_INSTRUCTION, mode, &got, &fault) != MMU_OK)
        return 0;
    return got;
}

/* Where CLI, PUSHF and POPF are refused or act on RFLAGS.VIF (CR4.VME, CR4.PVI), which the library does not
 * know. What this looks at is in the key of a block. */
static bool flags_are_the_models(const struct lib_state *env, uint16_t id)
{
    const unsigned cpl = env->hflags & LIB_HF_CPL,
                   iopl = (unsigned)((env->rflags & RFLAGS_IOPL) >> RFLAGS_IOPL_SHIFT);
    if (id == INSN_PUSHF) /* the library's PUSHFD has VM in its image */
        return (env->rflags & RFLAGS_VM) != 0;
    if (id == INSN_POPF)
        return (env->rflags & RFLAGS_VM) && iopl != 3;
    return id == INSN_CLI && cpl > iopl;
}

bool core_model_executes(const struct core *core, const uint8_t *bytes, size_t got, unsigned mode,
                         struct insn *insn)
{
    static const uint8_t bits[3] = {16, 32, 64};
    if (!insn_decode(bytes, got, bits[mode], insn))
        return false;
    /* The library's translator aborts on some that may not be locked. */
    if (insn->lock && !insn_lock_allowed(insn)) {
        insn->id = INSN_UD;
        return true;
    }
    /* The library's processor may have SMAP where the profile was told to be without: the model raises the
     * #UD. */
    if ((insn->id == INSN_CLAC || insn->id == INSN_STAC) && !core->config.profile->has_smap)
        return true;
    if (flags_are_the_models(core->env, insn->id))
        return true;
    if (insn->id >= INSN_BNDMK && insn->id <= INSN_BNDSTX) /* else hints, which the library skips */
        return (core->env->hflags & LIB_HF_MPX_ENABLED) != 0;
    return !native[insn->id];
}

/* What the scan of one block keeps at hand. */
struct scanning {
    struct core *core;
    struct core_scan *scan;
    const uint8_t *code; /* null: not plainly to be read */
    size_t room;         /* bytes to the page's end */
    uint64_t offset;     /* of the block in its code segment */
    unsigned mode;       /* 0, 1, 2: 16, 32, 64 bits */
    uint32_t flags;      /* the library's */
    bool bare;           /* one instruction that was checked already */
    unsigned asked;      /* GUARD_LIMITS and its like */
};

struct plain {
    unsigned size; /* 0: not to be read from these bytes */
    uint32_t cost;
    uint16_t guards;
    uint16_t x87_word;
    bool checked; /* it must be checked by itself */
    bool last;    /* the block ends with it */
};

/* One instruction, not the model's, at this distance from the block's beginning. */
static struct plain plain_instruction(const struct scanning *s, unsigned at, const uint8_t *bytes, size_t got)
{
    const uint8_t *code = bytes;
    size_t left = got;
    uint64_t address = 0;
    cs_insn *insn = s->core->decoded;
    if (!cs_disasm_iter(s->core->decoder[s->mode], &code, &left, &address, insn))
        return (struct plain){0};
    return (struct plain){
        .size = insn->size,
        .cost = cost_of(s->core, insn),
        .guards = (uint16_t)(guard_of(insn) | (s->asked & GUARD_LOCKS && guard_locks(insn) ? GUARD_LINE : 0)),
        .x87_word = x87_word(insn, bytes, s->flags),
        .checked = !s->bare && guard_cannot(insn, s->offset + at, s->asked),
        .last = guard_changes(insn)};
}

static void lead_alone(struct core *core, struct core_scan *scan, uint32_t cost)
{
    scan->instructions = 1;
    scan->block->instructions = 1;
    scan->block->offset[0] = 0;
    scan->block->before[0] = 0;
    scan->block->cost = cost ? cost : core->config.profile->cost.instruction.cycles;
}

/* Under checked stepping every instruction traps first; insn.length is what the block covers. */
static void check_first(struct core_scan *scan, unsigned length)
{
    scan->instructions = 1;
    scan->substitute = true;
    scan->block->substituted = scan->block->checked = true;
    scan->block->size = (uint16_t)(length ? length : 1);
    scan->block->instructions = 0;
    scan->block->cost = 0;
}

static void substitute(const struct core *core, struct core_scan *scan, const struct insn *insn)
{
    scan->instructions = 1;
    scan->substitute = true;
    scan->block->substituted = true;
    scan->block->insn = *insn;
    /* A guest's may exit: no use in asking first. */
    scan->block->quick = !core->config.mmu->regime.non_root && core_quick(insn, scan->block->pc);
    scan->block->size = insn->length;
    scan->block->instructions = 0;
    scan->block->cost = 0;
}

/* The first instruction lies near the page's end or is not to be read plainly. Its size, if it is plain. */
static struct plain scan_leader_across(const struct scanning *s, uint64_t pc)
{
    uint8_t bytes[LONGEST_INSTRUCTION];
    struct insn insn;
    struct plain plain = {0};
    size_t got = bytes_across_pages(s->core, pc, bytes);
    if (got && core_model_executes(s->core, bytes, got, s->mode, &insn)) {
        substitute(s->core, s->scan, &insn);
        return plain;
    }
    if (got)
        plain = plain_instruction(s, 0, bytes, got);
    s->scan->guards[0] = plain.guards;
    s->scan->x87_words[0] = plain.x87_word;
    lead_alone(s->core, s->scan, plain.cost);
    return plain;
}

/* Fills the block's record with the plain instructions that it begins with, at most so many. True: the first
 * one must be checked by itself; *size: bytes of the block. */
static bool scan_plain(const struct scanning *s, unsigned most, unsigned *size)
{
    struct core_block *block = s->scan->block;
    unsigned count = 0, offset = 0;
    uint32_t total = 0;
    struct insn insn;
    bool checked = false;
    while (s->code && count < most && offset < s->room && offset <= UINT8_MAX - LONGEST_INSTRUCTION) {
        if (core_model_executes(s->core, s->code + offset, s->room - offset, s->mode, &insn)) {
            if (count == 0)
                substitute(s->core, s->scan, &insn);
            break;
        }
        struct plain plain = plain_instruction(s, offset, s->code + offset, s->room - offset);
        if (!plain.size || (plain.checked && count))
            break;
        checked = plain.checked;
        s->scan->guards[count] = plain.guards;
        s->scan->x87_words[count] = plain.x87_word;
        block->offset[count] = (uint8_t)offset;
        block->before[count] = (uint16_t)total;
        total += plain.cost;
        offset += plain.size;
        count++;
        if (checked || plain.last)
            break;
    }
    s->scan->instructions = count;
    block->instructions = (uint8_t)count;
    block->cost = total;
    *size = offset;
    return checked;
}

static unsigned asked_by(uint32_t flags)
{
    unsigned asked = flags & LIB_HF_CHECK_FS_GS ? GUARD_FS_GS : 0;
    if (flags & LIB_HF_CHECK_SIMD)
        asked |= GUARD_SIMD;
    if (flags & LIB_HF_CHECK_LOCKS)
        asked |= GUARD_LOCKS;
    if (!(flags & LIB_HF_PROTECTED) || flags & LIB_HF_VIRTUAL_8086)
        asked |= GUARD_LIMITS;
    return asked;
}

void core_scan_block(struct core *core, const struct lib_block *lib, unsigned most, struct core_scan *scan)
{
    const bool stepped = lib->flags & LIB_HF_CHECKED;
    const struct scanning s = {.core = core,
                               .scan = scan,
                               .code = core_code_bytes(core, lib->pc),
                               .room = PAGE_BYTES - (lib->pc & (PAGE_BYTES - 1)),
                               .offset = lib->pc - lib->cs_base,
                               .mode = mode_index(lib->flags),
                               .flags = lib->flags,
                               .bare = most == 1 && !stepped,
                               .asked = asked_by(lib->flags)};
    unsigned size = 0;
    scan->block->pc = lib->pc;
    scan->block->substituted = scan->block->checked = scan->block->quick = false;
    scan->substitute = false;
    if (most > CORE_BLOCK_INSTRUCTIONS)
        most = CORE_BLOCK_INSTRUCTIONS;
    bool checked = scan_plain(&s, stepped ? 1 : most, &size) || stepped;
    if (scan->substitute)
        return;
    if (scan->instructions == 0) {
        const struct plain plain = scan_leader_across(&s, lib->pc);
        checked |= plain.checked;
        size = plain.size;
    }
    if (checked && !scan->substitute)
        check_first(scan, size);
}
