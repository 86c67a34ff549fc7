/* guard.c: see guard.h. Addresses are replaced where the translator emits a memory access or a helper's call.
 */
#include "sim/core/guard.h"
#include "sim/core/x87_core.h"

/* Values of the intermediate code are offsets of a temporary from the context. */
typedef uintptr_t lib_value;

extern void *tcg_temp_new_internal_x86_64(void *context, int type, bool local);
extern void tcg_temp_free_internal_x86_64(void *context, void *temporary);
extern lib_value tcg_const_i64_x86_64(void *context, int64_t value);
extern lib_value tcg_const_i32_x86_64(void *context, int32_t value);
extern void tcg_gen_op3_x86_64(void *context, int opcode, uint64_t a, uint64_t b, uint64_t c);
extern void tcg_gen_andi_i64_x86_64(void *context, lib_value to, lib_value from, int64_t value);
extern void tcg_gen_addi_i64_x86_64(void *context, lib_value to, lib_value from, int64_t value);
extern void tcg_gen_ext32u_i64_x86_64(void *context, lib_value to, lib_value from);
extern void tcg_gen_movcond_i64_x86_64(void *context, int condition, lib_value to, lib_value a, lib_value b,
                                       lib_value if_true, lib_value if_false);
extern void tcg_gen_exit_tb_x86_64(void *context, const void *block, unsigned slot);

enum { TYPE_I64 = 1, EQUAL = 8, LOWER = 4, NOT_ABOVE = 12, SIZE_OF_ACCESS = 3, HOPS = 8 };

#define ACCESS(name)                                                                                         \
    void __real_tcg_gen_qemu_##name##_x86_64(void *context, lib_value value, lib_value address,              \
                                             uint64_t index, int operation);                                 \
    void __wrap_tcg_gen_qemu_##name##_x86_64(void *context, lib_value value, lib_value address,              \
                                             uint64_t index, int operation);
ACCESS(ld_i32)
ACCESS(ld_i64)
ACCESS(st_i32)
ACCESS(st_i64)
void __real_tcg_gen_callN_x86_64(void *context, void *function, void *result, int count, void **arguments);
void __wrap_tcg_gen_callN_x86_64(void *context, void *function, void *result, int count, void **arguments);
void __real_tcg_gen_goto_tb_x86_64(void *context, unsigned slot);
void __wrap_tcg_gen_goto_tb_x86_64(void *context, unsigned slot);
void __real_tcg_gen_exit_tb_x86_64(void *context, const void *block, unsigned slot);
void __wrap_tcg_gen_exit_tb_x86_64(void *context, const void *block, unsigned slot);
void __real_tcg_gen_lookup_and_goto_ptr_x86_64(void *context);
void __wrap_tcg_gen_lookup_and_goto_ptr_x86_64(void *context);

/* Helpers that access memory by themselves: which argument is the address, how many bytes, and do they change
 * something before the last byte is reached? Those that do not are looked at for segment limits only. */
#define HELPERS(X)                                                                                           \
    X(fxsave, 1, 512, true)                                                                                  \
    X(fxrstor, 1, 512, true)                                                                                 \
    X(fsave, 1, 108, true)                                                                                   \
    X(frstor, 1, 108, true)                                                                                  \
    X(fstenv, 1, 28, true)                                                                                   \
    X(fldenv, 1, 28, true)                                                                                   \
    X(fstt_ST0, 1, 10, true)                                                                                 \
    X(fbst_ST0, 1, 10, true)                                                                                 \
    X(fldt_ST0, 1, 10, false)                                                                                \
    X(fbld_ST0, 1, 10, false)                                                                                \
    X(maskmov_mmx, 3, 8, true)                                                                               \
    X(maskmov_xmm, 3, 16, true)                                                                              \
    X(boundw, 1, 4, false)                                                                                   \
    X(boundl, 1, 8, false)                                                                                   \
    X(cmpxchg8b, 1, 8, false)                                                                                \
    X(cmpxchg8b_unlocked, 1, 8, false)
#define DECLARE(name, argument, bytes, pieces) extern void helper_##name##_x86_64(void);
HELPERS(DECLARE)
/* Of an extension that the library's processor lacks: they stand for looks at MXCSR (simd.c). */
extern void helper_clgi_x86_64(void);
extern void helper_stgi_x86_64(void);

static const struct helper {
    void (*function)(void);
    uint8_t argument;
    uint16_t bytes;
    bool pieces;
} helpers[] = {
#define ROW(name, argument, bytes, pieces) {helper_##name##_x86_64, argument, bytes, pieces},
    HELPERS(ROW)};

/* One address, and what stands for it after the guards so far. */
struct guarded {
    void *context;
    lib_value address, result;
    void *temporary; /* of result; null while it is the address itself */
};

static lib_value value_of(const void *context, const void *temporary)
{
    return (lib_value)((const char *)temporary - (const char *)context);
}

static void *temporary_of(void *context, lib_value value)
{
    return (char *)context + value;
}

/* result = a CONDITION b ? result : GUARD_ADDRESS */
static void keep_if(struct guarded *g, int condition, lib_value a, lib_value b)
{
    lib_value refused = tcg_const_i64_x86_64(g->context, (int64_t)GUARD_ADDRESS);
    if (!g->temporary)
        g->temporary = tcg_temp_new_internal_x86_64(g->context, TYPE_I64, false);
    lib_value to = value_of(g->context, g->temporary);
    tcg_gen_movcond_i64_x86_64(g->context, condition, to, a, b, g->result, refused);
    g->result = to;
    tcg_temp_free_internal_x86_64(g->context, temporary_of(g->context, refused));
}

/* Keeps the address if ((looked_at + add) & mask) CONDITION value. */
static void keep_if_bits(struct guarded *g, lib_value looked_at, int64_t add, int64_t mask, int condition,
                         int64_t value)
{
    void *temporary = tcg_temp_new_internal_x86_64(g->context, TYPE_I64, false);
    lib_value t = value_of(g->context, temporary), constant = tcg_const_i64_x86_64(g->context, value);
    tcg_gen_addi_i64_x86_64(g->context, t, looked_at, add);
    tcg_gen_andi_i64_x86_64(g->context, t, t, mask);
    keep_if(g, condition, t, constant);
    tcg_temp_free_internal_x86_64(g->context, temporary);
    tcg_temp_free_internal_x86_64(g->context, temporary_of(g->context, constant));
}

/* The temporary is a segment's base as the library keeps it in a register of the intermediate code. */
static int segment_of_base(const struct core *core, const struct lib_temporary *t)
{
    if (!t->memory_base)
        return -1;
    for (int i = SEG_ES; i <= SEG_GS; i++)
        if (t->memory_offset == (intptr_t)((char *)&core->env->seg[i].base - (char *)core->env))
            return i;
    return -1;
}

/* Looks back over the operations that computed the address: linear = offset + base [+ constant], cut to 32
 * bits. */
static int segment_of_address(const struct core *core, const void *temporary)
{
    uint64_t wanted = (uint64_t)(uintptr_t)temporary;
    unsigned hops = 0;
    for (unsigned back = 1; back <= CORE_OPS_REMEMBERED && back <= core->ops_emitted && hops < HOPS; back++) {
        const struct lib_op *op = core->recent_op[(core->ops_emitted - back) % CORE_OPS_REMEMBERED];
        unsigned opcode = op->opcode_and_life & 0xff;
        if (op->args[0] != wanted)
            continue;
        if (opcode == LIB_OP_ADD_I64) {
            for (unsigned i = 1; i <= 2; i++) {
                int segment = segment_of_base(core, (const struct lib_temporary *)(uintptr_t)op->args[i]);
                if (segment >= 0)
                    return segment;
            }
        } else if (opcode != LIB_OP_EXT32U_I64 && opcode != LIB_OP_MOV_I64) {
            return -1;
        }
        wanted = op->args[1];
        hops++;
    }
    return -1;
}

/* offset + bytes - 1 may not lie above the limit. Where the segment is not found, a closer look every time.
 */
static void guard_limit(struct core *core, struct guarded *g, unsigned bytes)
{
    void *offset = tcg_temp_new_internal_x86_64(g->context, TYPE_I64, false);
    void *other = tcg_temp_new_internal_x86_64(g->context, TYPE_I64, false);
    const uint64_t environment = core->op[0]->args[1];
    int segment = segment_of_address(core, temporary_of(g->context, g->address));
    if (segment < 0) {
        lib_value never = tcg_const_i64_x86_64(g->context, 1), zero = tcg_const_i64_x86_64(g->context, 0);
        keep_if(g, EQUAL, never, zero);
        tcg_temp_free_internal_x86_64(g->context, temporary_of(g->context, never));
        tcg_temp_free_internal_x86_64(g->context, temporary_of(g->context, zero));
    } else {
        const char *env = (const char *)core->env;
        const struct lib_segment *s = &core->env->seg[segment];
        uint64_t base_at = (uint64_t)((const char *)&s->base - env),
                 limit_at = (uint64_t)((const char *)&s->limit - env);
        lib_value t = value_of(g->context, offset);
        tcg_gen_op3_x86_64(g->context, LIB_OP_LD_I64, (uintptr_t)other, environment, base_at);
        tcg_gen_op3_x86_64(g->context, LIB_OP_SUB_I64, (uintptr_t)offset,
                           (uintptr_t)temporary_of(g->context, g->address), (uintptr_t)other);
        tcg_gen_ext32u_i64_x86_64(g->context, t, t);
        tcg_gen_addi_i64_x86_64(g->context, t, t, (int64_t)bytes - 1);
        tcg_gen_op3_x86_64(g->context, LIB_OP_LD32U_I64, (uintptr_t)other, environment, limit_at);
        keep_if(g, NOT_ABOVE, t, value_of(g->context, other));
    }
    tcg_temp_free_internal_x86_64(g->context, offset);
    tcg_temp_free_internal_x86_64(g->context, other);
}

static void guard_page(struct guarded *g, unsigned bytes)
{
    keep_if_bits(g, g->address, 0, 0xfff, NOT_ABOVE, 0x1000 - (int64_t)bytes);
}

/* The library allocates a block's first two temporaries one behind the other: the target of an indirect call,
 * and the return address that the call stores. A target that needs 57 bits is looked at closer. SDM volume 2,
 * "CALL--Call Procedure". */
static void guard_call_target(struct guarded *g, lib_value return_address)
{
    keep_if_bits(g, return_address - sizeof(struct lib_temporary), 1LL << 47, -(1LL << 48), EQUAL, 0);
}

/* In the translation of an instruction? */
static bool translating(const struct core *core)
{
    return core && core->translating && core->insns_begun;
}

static unsigned guards_now(const struct core *core)
{
    return core->guards[(core->insns_begun - 1) % CORE_BLOCK_INSTRUCTIONS];
}

/* A call of a helper whose only argument is the state. */
static void call_with_state(struct core *core, void *context, void (*helper)(void))
{
    void *arguments[1] = {(void *)(uintptr_t)core->op[0]->args[1]};
    __real_tcg_gen_callN_x86_64(context, (void *)(uintptr_t)helper, NULL, 1, arguments);
}

void core_call_helper(struct core *core, void *context, void (*helper)(void), int32_t constant)
{
    const lib_value value = tcg_const_i32_x86_64(context, constant);
    void *temporary = temporary_of(context, value);
    void *arguments[2] = {(void *)(uintptr_t)core->op[0]->args[1], temporary};
    __real_tcg_gen_callN_x86_64(context, (void *)(uintptr_t)helper, NULL, 2, arguments);
    tcg_temp_free_internal_x86_64(context, temporary);
}

/* STMXCSR: the library has read MXCSR already when it comes to the store. */
static void read_mxcsr_again(struct core *core, void *context, lib_value value)
{
    call_with_state(core, context, helper_clgi_x86_64);
    tcg_gen_op3_x86_64(context, LIB_OP_LD32U_I64, (uintptr_t)temporary_of(context, value),
                       core->op[0]->args[1], (uint64_t)((char *)core->mxcsr - (char *)core->env));
}

static struct guarded guard_access(void *context, lib_value value, lib_value address, int operation,
                                   bool store)
{
    struct core *core = core_current;
    struct guarded g = {.context = context, .address = address, .result = address};
    if (!translating(core))
        return g;
    core->touched = true;
    unsigned bytes = 1u << (operation & SIZE_OF_ACCESS), span = bytes, guards = guards_now(core);
    if (store && guards & GUARD_STATUS_OUT)
        read_mxcsr_again(core, context, value);
    if (core->translating_bare)
        return g;
    bool first = core->accesses++ == 0;
    if (first)
        core->first_address = address;
    else if (guards & GUARD_HALF && bytes == 8)
        g.address = g.result = core->first_address;
    if (first && guards & GUARD_EIGHT)
        span = 8 * bytes;
    if (first && guards & (GUARD_ALIGNED | GUARD_WHOLE))
        span = 16;
    if (core->guarding_limits)
        guard_limit(core, &g, span);
    if (first && guards & GUARD_ALIGNED)
        keep_if_bits(&g, address, 0, 15, EQUAL, 0);
    /* Of the two accesses of 8 bytes the first one sees the second page by itself, unless it ends before. */
    if (first && guards & GUARD_WHOLE)
        keep_if_bits(&g, address, -0xff9, 0xfff, LOWER, 0xff8);
    if (first && guards & GUARD_EIGHT)
        guard_page(&g, span);
    if (store && guards & GUARD_CALL && core->guarding_wide)
        guard_call_target(&g, value);
    return g;
}

/* SDM volume 3A, "Automatic Locking": an operand that crosses a cache line, of 64 bytes in every profile. */
static void guard_line(struct guarded *g, unsigned bytes)
{
    keep_if_bits(g, g->address, 0, 63, NOT_ABOVE, 64 - (int64_t)bytes);
}

static struct guarded guard_atomic(void *context, lib_value address, int operation)
{
    struct core *core = core_current;
    struct guarded g = {.context = context, .address = address, .result = address};
    if (translating(core) && !core->translating_bare && guards_now(core) & GUARD_LINE)
        guard_line(&g, 1u << (operation & SIZE_OF_ACCESS));
    return g;
}

static void guard_done(struct guarded *g)
{
    if (g->temporary)
        tcg_temp_free_internal_x86_64(g->context, g->temporary);
}

#define GUARDED_ACCESS(name, store)                                                                          \
    void __wrap_tcg_gen_qemu_##name##_x86_64(void *context, lib_value value, lib_value address,              \
                                             uint64_t index, int operation)                                  \
    {                                                                                                        \
        struct guarded g = guard_access(context, value, address, operation, store);                          \
        __real_tcg_gen_qemu_##name##_x86_64(context, value, g.result, index, operation);                     \
        guard_done(&g);                                                                                      \
    }
GUARDED_ACCESS(ld_i32, false)
GUARDED_ACCESS(ld_i64, false)
GUARDED_ACCESS(st_i32, true)
GUARDED_ACCESS(st_i64, true)

/* What the library makes of locked instructions, but for CMPXCHG8B. */
#define GUARDED_ATOMIC(name)                                                                                 \
    void __real_tcg_gen_atomic_##name##_i64_x86_64(void *context, lib_value result, lib_value address,       \
                                                   lib_value value, uint64_t index, int operation);          \
    void __wrap_tcg_gen_atomic_##name##_i64_x86_64(void *context, lib_value result, lib_value address,       \
                                                   lib_value value, uint64_t index, int operation);          \
    void __wrap_tcg_gen_atomic_##name##_i64_x86_64(void *context, lib_value result, lib_value address,       \
                                                   lib_value value, uint64_t index, int operation)           \
    {                                                                                                        \
        struct guarded g = guard_atomic(context, address, operation);                                        \
        __real_tcg_gen_atomic_##name##_i64_x86_64(context, result, g.result, value, index, operation);       \
        guard_done(&g);                                                                                      \
    }
GUARDED_ATOMIC(xchg)
GUARDED_ATOMIC(fetch_add)
GUARDED_ATOMIC(fetch_and)
GUARDED_ATOMIC(fetch_or)
GUARDED_ATOMIC(fetch_xor)
GUARDED_ATOMIC(add_fetch)
GUARDED_ATOMIC(and_fetch)
GUARDED_ATOMIC(or_fetch)
GUARDED_ATOMIC(xor_fetch)

void __real_tcg_gen_atomic_cmpxchg_i64_x86_64(void *context, lib_value result, lib_value address,
                                              lib_value compared, lib_value value, uint64_t index,
                                              int operation);
void __wrap_tcg_gen_atomic_cmpxchg_i64_x86_64(void *context, lib_value result, lib_value address,
                                              lib_value compared, lib_value value, uint64_t index,
                                              int operation);
void __wrap_tcg_gen_atomic_cmpxchg_i64_x86_64(void *context, lib_value result, lib_value address,
                                              lib_value compared, lib_value value, uint64_t index,
                                              int operation)
{
    struct guarded g = guard_atomic(context, address, operation);
    __real_tcg_gen_atomic_cmpxchg_i64_x86_64(context, result, g.result, compared, value, index, operation);
    guard_done(&g);
}

static const struct helper *helper_of(const void *function)
{
    for (size_t i = 0; i < sizeof helpers / sizeof helpers[0]; i++)
        if ((void *)(uintptr_t)helpers[i].function == function)
            return &helpers[i];
    return NULL;
}

/* The argument is a temporary of the context. */
static struct guarded guard_argument(struct core *core, void *context, const struct helper *h,
                                     const void *argument)
{
    lib_value address = value_of(context, argument);
    struct guarded g = {.context = context, .address = address, .result = address};
    if (core->translating_bare)
        return g;
    if (core->guarding_limits)
        guard_limit(core, &g, h->bytes);
    if (h->pieces)
        guard_page(&g, h->bytes);
    if (guards_now(core) & GUARD_LINE)
        guard_line(&g, h->bytes);
    return g;
}

void __wrap_tcg_gen_callN_x86_64(void *context, void *function, void *result, int count, void **arguments)
{
    struct core *core = core_current;
    const struct helper *h = translating(core) ? helper_of(function) : NULL;
    if (!h) {
        __real_tcg_gen_callN_x86_64(context, function, result, count, arguments);
        return;
    }
    if (guards_now(core) & GUARD_STATUS_OUT)
        call_with_state(core, context, helper_clgi_x86_64);
    struct guarded g = guard_argument(core, context, h, arguments[h->argument]);
    arguments[h->argument] = temporary_of(context, g.result);
    __real_tcg_gen_callN_x86_64(context, function, result, count, arguments);
    guard_done(&g);
    if (guards_now(core) & GUARD_STATUS_IN)
        call_with_state(core, context, helper_stgi_x86_64);
}

/* After an instruction that runs by itself the next block is looked for between blocks only. */
/* A repeated string instruction leaves its block in two places: before it accesses memory, when it is over,
 * and behind that for one more iteration, which is counted here. SDM volume 3B, "Performance Monitoring":
 * what counts as retired is the whole instruction. */
static void note_repetition(void *context)
{
    struct core *core = core_current;
    if (!translating(core) || !core->config.accounting || !(guards_now(core) & GUARD_REPEATS) ||
        !core->touched || core->repetition_noted)
        return;
    core->repetition_noted = true;
    void *temporary = tcg_temp_new_internal_x86_64(context, TYPE_I64, false);
    const lib_value both = value_of(context, temporary);
    const uint64_t environment = core->op[0]->args[1],
                   at = (uint64_t)(int64_t)core->instruction_counter_offset;
    tcg_gen_op3_x86_64(context, LIB_OP_LD_I64, (uintptr_t)temporary, environment, at);
    tcg_gen_addi_i64_x86_64(context, both, both, 1LL << 32 * CORE_REPETITIONS);
    tcg_gen_op3_x86_64(context, LIB_OP_ST_I64, (uintptr_t)temporary, environment, at);
    tcg_temp_free_internal_x86_64(context, temporary);
}

void __wrap_tcg_gen_goto_tb_x86_64(void *context, unsigned slot)
{
    note_repetition(context);
    __real_tcg_gen_goto_tb_x86_64(context, slot);
}

void __wrap_tcg_gen_exit_tb_x86_64(void *context, const void *block, unsigned slot)
{
    note_repetition(context);
    __real_tcg_gen_exit_tb_x86_64(context, block, slot);
}

void __wrap_tcg_gen_lookup_and_goto_ptr_x86_64(void *context)
{
    note_repetition(context);
    if (core_current && core_current->translating && core_current->translating_bare)
        tcg_gen_exit_tb_x86_64(context, NULL, 0);
    else
        __real_tcg_gen_lookup_and_goto_ptr_x86_64(context);
}
