/* layout.c: finds the library's state and proves every part of its layout that the seam touches. */
#include <malloc.h>

#include "sim/core/core_private.h"

#define MAGIC_RAX 0x1122334455667788ull
#define MAGIC_DR0 0xdeadbeef00112233ull
#define MAGIC_MTRR 0x5a5a12345678a000ull
#define MAGIC_EFER 0x501ull

enum { MSR_EFER = 0xc0000080, MSR_MTRR_BASE0 = 0x200, MSR_MTRR_MASK0 = 0x201, MSR_MTRR_BASE1 = 0x202 };

void *core_find(void *from, size_t bytes, const void *magic, size_t size)
{
    for (size_t at = 0; at + size <= bytes; at += size)
        if (memcmp((char *)from + at, magic, size) == 0)
            return (char *)from + at;
    return NULL;
}

static void *find(void *from, size_t bytes, uint64_t magic)
{
    return core_find(from, bytes, &magic, sizeof magic);
}

static void write_magic(uc_engine *uc)
{
    const uint64_t rax = MAGIC_RAX, dr0 = MAGIC_DR0;
    uc_x86_msr efer = {MSR_EFER, MAGIC_EFER}, base = {MSR_MTRR_BASE0, MAGIC_MTRR}, mask = {MSR_MTRR_MASK0, ~MAGIC_MTRR};
    uc_x86_msr base1 = {MSR_MTRR_BASE1, MAGIC_MTRR + 1};
    uc_reg_write(uc, UC_X86_REG_RAX, &rax);
    uc_reg_write(uc, UC_X86_REG_DR0, &dr0);
    uc_reg_write(uc, UC_X86_REG_MSR, &efer);
    uc_reg_write(uc, UC_X86_REG_MSR, &base);
    uc_reg_write(uc, UC_X86_REG_MSR, &mask);
    uc_reg_write(uc, UC_X86_REG_MSR, &base1);
}

static bool find_counters(struct core *core, size_t bytes)
{
    uint64_t *base = find(core->env, bytes, MAGIC_MTRR);
    if (!base || base[1] != ~MAGIC_MTRR || base[2] != MAGIC_MTRR + 1)
        return false;
    base[0] = base[1] = base[2] = 0;
    core->instruction_counter = (uint32_t *)&base[0];
    core->current_block = (uint32_t *)&base[1];
    core->budget = (int32_t *)&base[2];
    core->budget_offset = (int32_t)((char *)core->budget - (char *)core->env);
    core->instruction_counter_offset = (int32_t)((char *)core->instruction_counter - (char *)core->env);
    core->current_block_offset = (int32_t)((char *)core->current_block - (char *)core->env);
    core->countdown_offset = (int32_t)((char *)&core->before->countdown - (char *)core->env);
    return true;
}

static bool prove_registers(const struct core *core)
{
    uint64_t rsp = 0x7711, rip = 0x7722, cr3 = 0x7733000, gs = 0x7744, limit_value = 0x7755;
    uc_x86_mmr gdtr = {.base = 0x7766, .limit = (uint32_t)limit_value};
    uc_reg_write(core->uc, UC_X86_REG_RSP, &rsp);
    uc_reg_write(core->uc, UC_X86_REG_RIP, &rip);
    uc_reg_write(core->uc, UC_X86_REG_CR3, &cr3);
    uc_reg_write(core->uc, UC_X86_REG_GS_BASE, &gs);
    uc_reg_write(core->uc, UC_X86_REG_GDTR, &gdtr);
    const struct lib_state *env = core->env;
    return env->gpr[GPR_RSP] == rsp && env->rip == rip && env->cr[3] == cr3 && env->seg[SEG_GS].base == gs &&
           env->gdtr.base == gdtr.base && env->gdtr.limit == gdtr.limit;
}

static bool prove_translation_cache(const struct core *core)
{
    for (int i = 0; i < LIB_MMU_MODES; i++)
        if (core->before->table[i].mask != (LIB_TLB_ENTRIES - 1) << LIB_TLB_ENTRY_SHIFT ||
            core->before->mode[i].large_page_address != UINT64_MAX || core->before->mode[i].victim[0].read != UINT64_MAX)
            return false;
    return true;
}

bool core_prove_layout(struct core *core)
{
    _Static_assert(sizeof(struct lib_tlb_entry) == 1 << LIB_TLB_ENTRY_SHIFT, "entry of the library's cache");
    write_magic(core->uc);
    core->cpu = qemu_get_cpu_x86_64((struct uc_struct *)core->uc, -1);
    size_t bytes = malloc_usable_size(core->cpu);
    core->env = find(core->cpu, bytes, MAGIC_RAX);
    if (!core->env || (void *)core->cpu->state != (void *)core->env || core->cpu->engine != (void *)core->uc)
        return false;
    core->before = (struct lib_before_state *)((char *)core->env - sizeof(struct lib_before_state));
    if (core->cpu->countdown != (void *)&core->before->countdown)
        return false;
    size_t left = bytes - (size_t)((char *)core->env - (char *)core->cpu);
    char *dr0 = find(core->env, left, MAGIC_DR0);
    core->efer = find((char *)core->env + offsetof(struct lib_state, a20_mask), 1024, MAGIC_EFER);
    if (!dr0 || !core->efer)
        return false;
    core->traps = (struct lib_traps *)(dr0 - offsetof(struct lib_traps, dr));
    return find_counters(core, left) && prove_registers(core) && prove_translation_cache(core);
}
