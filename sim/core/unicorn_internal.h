/*
 * unicorn_internal.h: what the seam knows of libunicorn 2.1.1's inside.
 *
 * Layouts of the parts that are touched, as facts about the binary, under names of our own; layout.c proves each at start
 * and refuses any other library. Functions are the library's global symbols. Nothing outside sim/core includes this.
 */
#ifndef VTSIM_CORE_UNICORN_INTERNAL_H
#define VTSIM_CORE_UNICORN_INTERNAL_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lib_segment {
    uint32_t selector;
    uint64_t base;
    uint32_t limit;
    uint32_t flags; /* bits 8 to 23 of the descriptor's high word, in place */
};

enum { LIB_XMM_BYTES = 64 }; /* of one register in the state */

enum { LIB_MMU_MODES = 3, LIB_TLB_ENTRIES = 256, LIB_TLB_ENTRY_SHIFT = 6, LIB_VICTIMS = 8, LIB_JUMP_CACHE = 4096 };

struct lib_tlb_entry {
    uint64_t read, write, code, physical;
    uint64_t addend;
    uint64_t padding[3];
};

struct lib_tlb_mode {
    uint64_t large_page_address, large_page_mask;
    int64_t window_begin;
    uint64_t window_max_entries;
    uint64_t used_entries;
    uint64_t victim_index;
    struct lib_tlb_entry victim[LIB_VICTIMS];
    uint64_t victim_io[LIB_VICTIMS][2];
    void *io;
};

struct lib_tlb_table {
    uint64_t mask;
    struct lib_tlb_entry *entries;
};

/* Lies directly before the register state. */
struct lib_before_state {
    uint16_t dirty;
    uint64_t flush_counts[3];
    struct lib_tlb_mode mode[LIB_MMU_MODES];
    struct lib_tlb_table table[LIB_MMU_MODES] __attribute__((aligned(16)));
    union {
        uint32_t whole; /* translated code leaves for the main loop when this is negative */
        struct {
            uint16_t low;
            uint16_t high;
        } half;
    } countdown;
};

struct lib_state {
    uint64_t gpr[16], rip, rflags, cc_destination, cc_source, cc_source2;
    uint32_t cc_operation;
    int32_t direction; /* 1 or -1 */
    uint32_t hflags, hflags2;
    struct lib_segment seg[6], ldtr, tr, gdtr, idtr;
    uint64_t cr[5];
    int32_t a20_mask;
};

/* From the exception state on; found by the value of DR0. */
struct lib_traps {
    int32_t error_code;
    int32_t is_software;
    uint64_t next_rip;
    uint64_t dr[8];
    void *breakpoint[4];
    int32_t old_exception;
    uint64_t control_block, tsc_offset, intercept;
    uint16_t cr_read, cr_write, dr_read, dr_write;
    uint32_t exceptions;
};

struct lib_cpu {
    int32_t cores, threads;
    void *thread;
    bool flags[7];
    uint32_t next_block_flags;
    uint32_t interrupt_request;
    int32_t single_step;
    int64_t countdown_budget, countdown_extra;
    uint64_t random_seed;
    sigjmp_buf jump;
    void *address_spaces;
    int32_t address_space_count;
    void *address_space, *memory;
    struct lib_state *state;
    void *countdown;
    void *jump_cache[LIB_JUMP_CACHE];
    void *lists[9];
    uint64_t trace_delayed, trace;
    int32_t index, cluster;
    uint32_t halted, may_do_io;
    int32_t exception_index;
    void *engine;
};

/* A mapped piece of physical memory. */
struct lib_region {
    bool ram, flags[3];
    void *pointers[4];
    __int128 size;
    uint64_t address;
    void *destructor;
    uint64_t alignment;
    bool terminates, enabled;
    int32_t priority;
    void *lists[4];
    void *engine;
    uint32_t permissions;
};

struct lib_block {
    uint64_t pc, cs_base;
    uint32_t flags;
    uint16_t size;
    uint16_t instructions;
    uint32_t compile_flags;
};

struct lib_op {
    uint32_t opcode_and_life; /* opcode in bits 0 to 7 */
    void *link[2];
    uint64_t args[10];
};

/* A temporary of the intermediate code; registers and fields of the state have a base and an offset from it. */
struct lib_temporary {
    uint32_t kinds, flags;
    uint64_t value;
    void *memory_base;
    intptr_t memory_offset;
    const char *name;
    uintptr_t pass;
    void *pass_data;
};

/* Opcodes of the intermediate code that are read and emitted. */
enum {
    LIB_OP_MOVI_I32 = 6,
    LIB_OP_LD_I32 = 13,
    LIB_OP_ST_I32 = 16,
    LIB_OP_ADD_I32 = 17,
    LIB_OP_SUB_I32 = 18,
    LIB_OP_BRCOND_I32 = 38,
    LIB_OP_MOV_I64 = 63,
    LIB_OP_LD32U_I64 = 71,
    LIB_OP_LD_I64 = 73,
    LIB_OP_ST_I64 = 77,
    LIB_OP_ADD_I64 = 78,
    LIB_OP_SUB_I64 = 79,
    LIB_OP_EXT32U_I64 = 109,
    LIB_OP_INSN_START = 129,
};

enum {
    LIB_HF_CPL = 3,
    LIB_HF_INHIBIT_INTERRUPTS = 1 << 3,
    LIB_HF_PROTECTED = 1 << 7,
    LIB_HF_CS64 = 1 << 15,
    LIB_HF_VIRTUAL_8086 = 1 << 17,
    LIB_HF_INTERCEPTS = 1 << 21,
    LIB_HF_SMAP = 1 << 23,
    LIB_HF_CHECK_LOCKS = 1 << 24, /* ours, see step.h; the library's I/O instructions look at it, which the model executes */
    LIB_HF_MPX_ENABLED = 1 << 25,
    LIB_HF_BOUNDS_IN_USE = 1 << 26, /* near branches call the library's helper: bounds.c */
    /* unused by the library: ours, see step.h */
    LIB_HF_CHECKED = 1 << 27,
    LIB_HF_CHECK_FS_GS = 1 << 28,
    LIB_HF_CHECK_SIMD = 1 << 29,
    LIB_HF_OURS = LIB_HF_CHECKED | LIB_HF_CHECK_FS_GS | LIB_HF_CHECK_SIMD | LIB_HF_CHECK_LOCKS,
    LIB_HF_WORLD_SHIFT = 30, /* likewise, two bits: outer_cache.c */
    LIB_HF2_GIF = 1,
    LIB_CC_EFLAGS = 1,
    LIB_INTERRUPT_HARD = 2,
    LIB_BLOCK_ONE_INSTRUCTION = 1,
};

#define LIB_HF_WORLD (3u << LIB_HF_WORLD_SHIFT)

/* In the write word of a cache entry: stores take the slow path, which looks for translated code. */
#define LIB_PAGE_READ 1
#define LIB_PAGE_WRITE 2
#define LIB_PAGE_EXECUTE 4
#define LIB_PAGE_WRITE_INVALID 0x40 /* PAGE_WRITE_INV: a write is allowed once */
#define LIB_TLB_WATCHED (1ull << 10)

/* MMU indices of fills. */
enum { LIB_MMU_SUPERVISOR_SMAP = 0, LIB_MMU_USER = 1, LIB_MMU_SUPERVISOR = 2 };

struct uc_struct;
extern void *qemu_get_cpu_x86_64(struct uc_struct *, int index);
extern void tlb_flush_x86_64(void *cpu); /* the benchmark's yardstick uses it */
extern void tlb_set_page_x86_64(void *cpu, uint64_t va, uint64_t pa, int prot, int mmu_index, uint64_t size);
extern void tb_flush_x86_64(void *cpu);
extern void tb_flush_jmp_cache_x86_64(void *cpu, uint64_t va);
extern void tb_invalidate_phys_range_x86_64(struct uc_struct *, uint64_t start, uint64_t end);
extern void x86_update_hflags_x86_64(void *state);
extern uint64_t helper_read_eflags_x86_64(void *state);
extern bool cpu_restore_state_x86_64(void *cpu, uintptr_t host_pc, bool will_exit);
extern void cpu_loop_exit_restore_x86_64(void *cpu, uintptr_t host_pc) __attribute__((noreturn));
extern uint32_t cpu_ldl_data_ra_x86_64(void *state, uint64_t address, uintptr_t host_pc);
extern void raise_exception_ra_x86_64(void *state, int vector, uintptr_t host_pc) __attribute__((noreturn));
extern struct lib_op *tcg_op_insert_before_x86_64(void *context, struct lib_op *old, int opcode);

#endif
