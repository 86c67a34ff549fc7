/* core_private.h: what the files of this room share. */
#ifndef VTSIM_CORE_PRIVATE_H
#define VTSIM_CORE_PRIVATE_H

#include <capstone/capstone.h>
#include <unicorn/unicorn.h>

#include "sim/core/core.h"
#include "sim/core/unicorn_internal.h"
#include "sim/core/x87/x87.h"

enum {
    CORE_BLOCK_INSTRUCTIONS = 32,       /* a block is cut after this many */
    CORE_BLOCK_RECORDS = 1 << 17,       /* more than blocks fit in the code buffer at a time */
    CORE_BLOCK_MARGIN = 64,             /* of the records */
    CORE_NO_BLOCK = CORE_BLOCK_RECORDS, /* an empty record */
    CORE_CODE_BUFFER = 32 << 20,        /* bytes */
    CORE_CODE_MARGIN = 1 << 20,         /* of the code buffer: emptied when less than this is left */
    CORE_SLICE = 1 << 20,               /* cycles granted to translated code at most */
    CORE_FILLS_REMEMBERED = 48,
    CORE_PAGE_FILTER = 4096,
    CORE_OPS_REMEMBERED = 64,
    CORE_VECTORS_BYTES = 2048,
    LONGEST_INSTRUCTION = 15,
    CORE_WORLDS = 4, /* regimes of translation that are kept for their return; as many as LIB_HF_WORLD can tell apart */
    CORE_TRAP_MEMORY_FAULT =
        0x1f0, /* our own exception numbers, beside the library's 0x100 + intercept code */
    CORE_TRAP_X87_END = 0x1f1,      /* an unmasked exception of the x87 unit ended the instruction */
    CORE_TRAP_X87_EXTERNAL = 0x1f2, /* one is pending, and CR0.NE is 0 */
};

/* What is known of one translated block. */
struct core_block {
    uint64_t pc;   /* linear address */
    uint32_t cost; /* cycles when all of it runs */
    uint16_t size;
    uint8_t instructions;
    bool substituted; /* its one instruction is executed by the model: insn is valid */
    bool checked;     /* substituted by a trap that only checks: step.h */
    bool quick;       /* substituted by a call: quick.c */
    union {
        struct {
            uint8_t offset[CORE_BLOCK_INSTRUCTIONS];  /* of each instruction from pc */
            uint16_t before[CORE_BLOCK_INSTRUCTIONS]; /* cycles of the instructions before it */
        };
        struct insn insn;
    };
};

/* What the library's cache holds for one regime of translation: outer_cache.c. */
struct core_world {
    bool used;
    struct mmu_regime regime;
    uint64_t last_active; /* in world switches */
    struct lib_tlb_table table[LIB_MMU_MODES];
    void *io[LIB_MMU_MODES];
    unsigned modes; /* a bit for each mode that was filled since it was emptied */
    /* what was filled in since then; more than fit: all of it is emptied */
    struct core_filled {
        uint64_t page;
        uint8_t mode;
        bool fetch;
    } filled[CORE_FILLS_REMEMBERED];
    unsigned fills;
    uint64_t fetched_from[CORE_PAGE_FILTER / 64]; /* a bit for each page, by its low bits, that was filled for fetching */
};

enum { CORE_REPETITIONS = 1 }; /* see instruction_counter */

struct core {
    struct core *next; /* of the open ones */
    struct core_config config;
    uc_engine *uc;
    uc_hook trap_hook;
    struct lib_cpu *cpu;
    struct lib_state *env;
    struct lib_before_state *before;
    struct lib_traps *traps;
    uint64_t *efer;
    uint32_t *mxcsr;
    uint32_t mxcsr_known; /* whose flags the library's arithmetic has: simd.h */
    char *vectors_begin;  /* x87, MMX and XMM registers with their controls */
    size_t vectors_bytes;
    char vectors_before[CORE_VECTORS_BYTES]; /* the checked instruction */
    struct x87_registers *x87;               /* in the library's state */
    struct x87_operand x87_operand;          /* of the instruction under way: x87_helpers.c */
    bool x87_pushing, x87_move_fails;        /* likewise */
    bool x87_mmx_stays;                      /* it does not change to MMX state */
    bool x87_begun;                          /* since the last fault; what it found: */
    uint16_t x87_status_before, x87_opcode_before;
    bool x87_wide;                           /* likewise: FXSAVE64 or FXRSTOR64 */
    bool x87_kept;                           /* x87_kept_ip and x87_kept_cs stand for the pointers */
    uint16_t x87_kept_cs;
    uint64_t x87_kept_ip;
    uint64_t step_rflags;                    /* before the checked instruction */
    struct cpu_bounds bounds_before[BOUNDS_COUNT]; /* the near branch that initialized them */
    uint32_t bounds_cleared_by;                    /* its block; CORE_NO_BLOCK: it is over */
    bool step_simd;                          /* it is SSE arithmetic, and an exception is unmasked */
    uint32_t *instruction_counter; /* in an unused field of the state: translated code adds to it; behind it
                                    * (CORE_REPETITIONS) the count of iterations after which a repeated string
                                    * instruction goes on */
    uint32_t *current_block;       /* likewise: index of the block that was entered last */
    int32_t *budget;               /* likewise: cycles left of the slice; negative: leave at the next block */
    int32_t instruction_counter_offset, current_block_offset, budget_offset,
        countdown_offset; /* from the state */
    struct core_block *blocks;
    uint32_t next_block;
    uint32_t first_block; /* since the code buffer was emptied */
    uintptr_t code_start; /* of the first block in the code buffer */
    bool code_buffer_full;
    bool stepping;       /* one checked instruction is under way in the library */
    bool step_begun;     /* the library has been sent to it: it asks between blocks before it too */
    uint64_t step_rip;   /* its RIP */
    bool step_repeats;   /* it is a repeated string instruction: one iteration of it is run */
    uint8_t step_bytes, step_count_bits; /* its length; how wide its count is */
    bool step_goes_on;                   /* iterations of it are left */
    bool step_branches;  /* it is a near branch: */
    uint64_t step_gpr[GPR_COUNT]; /* what it finds in the registers */
    bool step_locks;     /* it will assert a bus lock */
    bool asks_for_devices; /* at each access: step_ask_for_devices */
    uint64_t watch_hits; /* data breakpoints that it hits */
    uint64_t steps;      /* checked so far */
    uint64_t blocks_translated;
    csh decoder[3]; /* 16, 32, 64 bits */
    cs_insn *decoded;
    int32_t granted;         /* value of the budget up to which time has been settled */
    bool stop;               /* a callback ended the run */
    bool poll_soon;          /* a device changed something in the middle of a block */
    bool partial_block;      /* the library left a block in its middle without a trap */
    bool window_wanted;      /* cached answer of wants_interrupt_window */
    uint8_t exported_shadow; /* BLOCKING_BY_* that the inhibit flag stands for, as exported */
    bool exported_rf;
    uint64_t exported_rip;
    uint64_t exported_instructions;
    enum core_fill_failure {
        FILL_FAULT, /* fault_status and fault */
        FILL_NOT_CANONICAL,
        FILL_STEP,    /* a write that the model has to follow up: its instruction is to run by itself */
        FILL_NO_CODE, /* a fetch from where no RAM is: all ones, which is no instruction */
        FILL_GUARDED, /* translated code asks for a closer look: guard.h */
    } fill_failure;
    enum mmu_status fault_status;
    struct mmu_fault fault;
    bool fault_of_read;
    /* below and above 4 GiB: fill_entry.c */
    struct core_ram_piece {
        bool known;
        uint64_t distance, attributes; /* of what the library keeps beside an entry, from the physical address */
    } ram_piece[2];
    struct core_world world[CORE_WORLDS];
    unsigned active_world;
    uint64_t world_switches;
    /* block accounting: state of the translation under way */
    void *tcg_context;
    struct lib_op *op[4];
    unsigned ops_seen;
    bool translating;
    /* guards: state of the translation under way */
    bool translating_substitute; /* what stands for an instruction of the model's */
    bool translating_bare; /* one instruction that was checked already */
    bool guarding_limits, guarding_wide; /* real-address or virtual-8086 mode; 64-bit mode */
    uint16_t guards[CORE_BLOCK_INSTRUCTIONS]; /* by the scan, of each instruction */
    uint16_t x87_words[CORE_BLOCK_INSTRUCTIONS]; /* likewise: x87_core.h */
    unsigned insns_begun, accesses, ops_emitted;
    bool touched,
        repetition_noted; /* the instruction begun last accesses memory; its jump back to itself is known */
    uintptr_t first_address;
    struct lib_op *recent_op[CORE_OPS_REMEMBERED];
    bool mapping_ram;    /* uc_mem_map_ptr is under way */
    bool region_misfit;  /* a mapped region does not look as it should */
    uint64_t device_base[2]; /* the library keeps the addresses of these */
    unsigned device_regions;
    uint8_t *code_pages; /* a bit for each page of RAM that this core translated from; config.mem has those of all cores */
    const char *error;
};

extern struct core *core_current; /* the one that runs; null before the first is opened */
extern struct core *core_opened;  /* all of them, by next */

/* layout.c */
/* The first place, in steps of its size, where the value lies; null if nowhere. */
void *core_find(void *from, size_t bytes, const void *magic, size_t size);
bool core_prove_layout(struct core *core);
/* state.c */
void core_import(struct core *core);
void core_export(struct core *core);
void core_export_for_start(struct core *core);
/* bounds.c */
/* The library's flags for the state's bounds registers. */
uint32_t bounds_flags(const struct cpu_state *state);
/* The near branch that the block that ran last ended with faults: undoes what it did to the bounds registers. */
void bounds_take_back(struct core *core);
/* quick.c */
/* May the client execute insn, at linear address pc, from inside its block? */
bool core_quick(const struct insn *insn, uint64_t pc);
/* What stands in for it while its block is translated. */
void core_quick_bytes(uint8_t *code, size_t length);
/* accounting.c */
void core_charge(struct core *core);
/* The iteration counted last ended its instruction, which is not entered again: it is no repetition. */
void core_last_iteration(struct core *core);
void core_grant(struct core *core, uint64_t deadline);
void core_empty_code_buffer(struct core *core);
bool core_prove_accounting(struct core *core);
/* fill.c */
bool core_map_memory(struct core *core);
uint8_t *core_code_bytes(struct core *core, uint64_t linear);
/* outer_cache.c */
bool core_attach_cache(struct core *core);
void core_detach_cache(struct core *core);
/* fill_entry.c: puts a translation into the library's cache. page, physical: of their first bytes; rights:
 * LIB_PAGE_READ and its like; not the whole page: the library asks again at each access. */
void core_fill_entry(struct core *core, uint64_t page, uint64_t physical, int rights, unsigned mode,
                     bool whole_page);
struct lib_tlb_entry *core_cache_slot(const struct core *core, unsigned mode, uint64_t page);
void core_note_fill(struct core *core, uint64_t page, unsigned mode, bool fetch);
/* code_pages.c */
bool core_attach_memory(struct core *core);
void core_detach_memory(struct core *core);
bool core_holds_code(const struct core *core, uint64_t physical);
void core_note_code(struct core *core, const struct lib_block *block);
void core_forget_code(struct core *core);
/* scan.c */
bool core_open_decoders(struct core *core);
/* Decodes an instruction that the model executes; mode 0, 1, 2: 16, 32, 64 bits. */
bool core_model_executes(const struct core *core, const uint8_t *bytes, size_t got, unsigned mode,
                         struct insn *insn);
void core_close_decoders(struct core *core);
struct core_scan {
    unsigned instructions; /* how many to translate */
    bool substitute;       /* the first is executed by the model */
    struct core_block *block;
    uint16_t *guards;       /* of each instruction, to be filled: guard.h */
    uint16_t *x87_words;   /* likewise: x87_core.h */
};
/* most: how many instructions at most; 1: one that was checked already. */
void core_scan_block(struct core *core, const struct lib_block *lib, unsigned most, struct core_scan *scan);
/* trap.c */
void core_on_trap(uc_engine *uc, uint32_t number, void *opaque);
bool core_between_blocks(struct core *core);

#endif
