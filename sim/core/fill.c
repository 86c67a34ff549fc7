/*
 * fill.c: the MMU behind the library's TLB fill, its cache kept a subset of the modelled TLB, and physical
 * memory.
 *
 * Guest-physical layout is the library's physical layout: RAM where it is, and one region of devices over
 * each hole, so that no access ends the run.
 */
#include "sim/core/core_private.h"
#include "sim/core/foreign.h"
#include "sim/core/guard.h"

bool (*core_foreign_fill)(void *cpu, uint64_t va, int mmu_index);

bool __wrap_unicorn_fill_tlb_x86_64(void *cs, uint64_t va, int size, int access, int mmu_index, bool probe,
                                    uintptr_t host_pc);
struct lib_region *__real_memory_map_ptr_x86_64(struct uc_struct *uc, uint64_t begin, size_t size,
                                                uint32_t permissions, void *host);
struct lib_region *__wrap_memory_map_ptr_x86_64(struct uc_struct *uc, uint64_t begin, size_t size,
                                                uint32_t permissions, void *host);
bool __real_unicorn_fill_tlb_x86_64(void *cs, uint64_t va, int size, int access, int mmu_index, bool probe,
                                    uintptr_t host_pc);

/* Leaves translated code with the state of the instruction that host_pc is in. */
static _Noreturn void leave_with_fault(struct core *core, uintptr_t host_pc)
{
    core->cpu->exception_index = CORE_TRAP_MEMORY_FAULT;
    cpu_loop_exit_restore_x86_64(core->cpu, host_pc);
}

/* The library's cache holds the right to fetch only where a fetch was translated, so that every page that
 * blocks run from is in fetched_from. A fill for data keeps the right that the page has already. */
static int library_rights(const struct core *core, uint8_t rights, uint64_t page, unsigned mode, bool fetch)
{
    bool may_fetch = fetch || core_cache_slot(core, mode, page)->code == page;
    return (rights & MMU_RIGHT_READ ? 1 : 0) | (rights & MMU_RIGHT_WRITE ? 2 : 0) |
           (rights & MMU_RIGHT_EXECUTE && may_fetch ? 4 : 0);
}

/* SDM volume 3C, "Virtualizing Memory-Mapped APIC Accesses". A write is followed up after its instruction,
 * which therefore has to run by itself. */
static bool apic_access_made(struct core *core, uint64_t linear, int size, enum mmu_access kind,
                             struct mmu_translation *out, bool *virtualized)
{
    struct mmu *mmu = core->config.mmu;
    size_t bytes = size > 0 ? (size_t)size : 1;
    core->fault_status =
        mmu_check_apic_access(mmu, linear, bytes, kind, &out->physical, virtualized, &core->fault);
    if (core->fault_status != MMU_OK)
        return false;
    if (!*virtualized || kind != MMU_WRITE)
        return true;
    core->fill_failure = FILL_STEP;
    if (!core->stepping)
        return false;
    mmu->apic.written(mmu->apic.opaque, out->physical & 0xfff, (unsigned)bytes);
    core->poll_soon = true;
    return true;
}

/* A locked access to what is not RAM asserts a bus lock: its instruction has to run by itself, and be looked
 * at. */
static bool device_access_made(struct core *core, enum mmu_access kind, const struct mmu_translation *out,
                               bool *ask_again)
{
    if (kind == MMU_FETCH || phys_ram(core->config.mem, out->physical, 1))
        return true;
    *ask_again = true;
    core->fill_failure = FILL_STEP;
    return core->stepping || !(core->env->hflags & LIB_HF_CHECK_LOCKS);
}

static bool translate(struct core *core, uint64_t va, int size, int access, int mmu_index,
                      struct mmu_translation *out, bool *virtualized)
{
    const struct mmu_mode mode = {.user = mmu_index == LIB_MMU_USER,
                                  .smap_ignored = mmu_index == LIB_MMU_SUPERVISOR,
                                  .size = (uint8_t)size};
    enum mmu_access kind = access == 2 ? MMU_FETCH : access == 1 ? MMU_WRITE : MMU_READ;
    bool bits64 = (core->env->hflags & LIB_HF_CS64) != 0;
    core->fill_failure = FILL_GUARDED;
    if ((va & GUARD_ADDRESS_MASK) == GUARD_ADDRESS && kind != MMU_FETCH)
        return false;
    /* The library's cache has the page under its pointer as it is, masked bits and all. */
    uint64_t linear = !bits64             ? (uint32_t)va
                      : kind == MMU_FETCH ? va
                                          : cpu_data_address(core->config.state, va);
    core->fill_failure = FILL_NOT_CANONICAL; /* no page fault: a general-protection or stack fault */
    if (bits64 && !cpu_canonical(linear, cpu_linear_bits(core->config.state)))
        return false;
    core->fill_failure = FILL_FAULT;
    core->fault_of_read = kind == MMU_READ;
    core->fault_status = mmu_translate(core->config.mmu, linear, kind, mode, out, &core->fault);
    if (core->fault_status != MMU_OK || !apic_access_made(core, linear, size, kind, out, virtualized))
        return false;
    if (__builtin_expect(core->asks_for_devices, 0) && !device_access_made(core, kind, out, virtualized))
        return false;
    core->fill_failure = FILL_NO_CODE;
    return kind != MMU_FETCH || phys_ram(core->config.mem, out->physical & ~0xfffull, 4096);
}

/* For a watch: where translated code is, and when. In a block of one instruction that is known, and the
 * library would throw such a block away. */
static void tell_place(struct core *core, uintptr_t host_pc)
{
    struct mmu_watch *watch = core->config.mmu->watch;
    if (host_pc && !core->stepping)
        cpu_restore_state_x86_64(core->cpu, host_pc,
                                 false); /* sets RIP, and how flags are computed: both as they are here */
    watch->in_translated_code = true;
    watch->rip = core->stepping ? core->step_rip : core->env->rip;
    watch->cycles = core->config.account->now + (uint64_t)(core->granted - *core->budget);
    watch->ask_again = false;
}

/* The access is about to be made. True: the next one to that page is to be asked for too. */
static bool tell_access(const struct core *core, uint64_t physical, int size, int access)
{
    const struct mmu *mmu = core->config.mmu;
    const uint8_t *ram = phys_ram(mmu->mem, physical, 1);
    const uint64_t page = ram ? (uint64_t)(ram - mmu->mem->ram) >> 12 : 0;
    mmu_tell_access(mmu, physical, size > 0 ? (size_t)size : 1,
                    access == 2   ? MMU_FETCH
                    : access == 1 ? MMU_WRITE
                                  : MMU_READ);
    return mmu->watch->ask_again || (ram && (mmu->watch->pages[page >> 3] & (1u << (page & 7))));
}

/* What translate does, with a watch told where. */
static bool translate_watched(struct core *core, uint64_t va, int size, int access, int mmu_index,
                              uintptr_t host_pc, struct mmu_translation *out, bool *ask_again)
{
    struct mmu_watch *watch = core->config.mmu->watch;
    if (__builtin_expect(!watch, 1))
        return translate(core, va, size, access, mmu_index, out, ask_again);
    tell_place(core, host_pc);
    const bool found = translate(core, va, size, access, mmu_index, out, ask_again);
    if (found)
        *ask_again |= tell_access(core, out->physical, size, access);
    watch->in_translated_code = false;
    return found;
}

bool __wrap_unicorn_fill_tlb_x86_64(void *cs, uint64_t va, int size, int access, int mmu_index, bool probe,
                                    uintptr_t host_pc)
{
    struct core *core = core_current;
    struct mmu_translation found;
    bool ask_again; /* at each access to the page */
    if (!core && core_foreign_fill)
        return core_foreign_fill(cs, va, mmu_index);
    if (!core || cs != (void *)core->cpu)
        return __real_unicorn_fill_tlb_x86_64(cs, va, size, access, mmu_index, probe, host_pc);
    if (!translate_watched(core, va, size, access, mmu_index, host_pc, &found, &ask_again)) {
        if (probe)
            return false;
        leave_with_fault(core, host_pc);
    }
    uint64_t page = va & ~0xfffull;
    bool fetch = access == 2;
    int rights = library_rights(core, found.rights, page, (unsigned)mmu_index, fetch);
    /* Allowed for this write alone (sub-page write permissions): the library asks again for the next. */
    if (access == 1 && !(found.rights & MMU_RIGHT_WRITE))
        rights |= LIB_PAGE_WRITE | LIB_PAGE_WRITE_INVALID;
    /* With less than a page the library asks at each access. */
    core_fill_entry(core, page, found.physical & ~0xfffull, rights, (unsigned)mmu_index, !ask_again);
    core_note_fill(core, page, (unsigned)mmu_index, fetch);
    if (found.rights & MMU_RIGHT_WRITE && !core_holds_code(core, found.physical))
        core_cache_slot(core, (unsigned)mmu_index, page)->write &= ~LIB_TLB_WATCHED;
    return true;
}

/* Host address of the code at linear in the current mode, if the library's cache holds it for fetching. */
uint8_t *core_code_bytes(struct core *core, uint64_t linear)
{
    bool user = (core->env->hflags & LIB_HF_CPL) == 3;
    bool smap = (core->env->hflags & LIB_HF_SMAP) && !(core->env->rflags & RFLAGS_AC);
    int mode = user ? LIB_MMU_USER : smap ? LIB_MMU_SUPERVISOR_SMAP : LIB_MMU_SUPERVISOR;
    const struct lib_tlb_entry *e = &core->before->table[mode].entries[linear >> 12 & (LIB_TLB_ENTRIES - 1)];
    if (e->code != (linear & ~0xfffull)) /* other page, or not plain RAM */
        return NULL;
    return (uint8_t *)(uintptr_t)(linear + e->addend);
}

static uint64_t read_device(uc_engine *uc, uint64_t offset, unsigned size, void *opaque)
{
    struct core *core = core_current;
    (void)uc;
    core_sync_time(core);
    return core->config.mem->mmio_read(core->config.mem->mmio_opaque, *(uint64_t *)opaque + offset, size);
}

static void write_device(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value, void *opaque)
{
    struct core *core = core_current;
    (void)uc;
    core_sync_time(core);
    core->config.mem->mmio_write(core->config.mem->mmio_opaque, *(uint64_t *)opaque + offset, value, size);
    core->poll_soon = true;
    core->granted -= *core->budget + 1; /* keeps what is left to be settled as it is */
    *core->budget = -1;
}

static bool map_devices(struct core *core, uint64_t base, uint64_t size)
{
    uint64_t *kept = &core->device_base[core->device_regions++];
    *kept = base;
    return uc_mmio_map(core->uc, base, size, read_device, kept, write_device, kept) == UC_ERR_OK;
}

struct lib_region *__wrap_memory_map_ptr_x86_64(struct uc_struct *uc, uint64_t begin, size_t size,
                                                uint32_t permissions, void *host)
{
    struct lib_region *region = __real_memory_map_ptr_x86_64(uc, begin, size, permissions, host);
    struct core *core = core_current;
    if (!core || !core->mapping_ram || !region)
        return region;
    core->region_misfit |= !region->ram || region->size != (__int128)size || region->address != begin ||
                           region->engine != (void *)uc || region->permissions != permissions ||
                           region->priority != 0;
    if (!core->region_misfit)
        region->priority = 1;
    return region;
}

static bool map_ram(struct core *core, uint64_t base, uint64_t size, uint8_t *host)
{
    core->mapping_ram = true;
    uc_err result = uc_mem_map_ptr(core->uc, base, size, UC_PROT_ALL, host);
    core->mapping_ram = false;
    return result == UC_ERR_OK && !core->region_misfit;
}

bool core_map_memory(struct core *core)
{
    const struct phys_mem *mem = core->config.mem;
    const uint64_t top = 1ull << core->config.profile->physical_address_bits;
    uint64_t high_end = PHYS_HIGH_BASE + mem->high_size;
    if (!map_ram(core, 0, mem->low_size, mem->ram))
        return false;
    if (mem->high_size && !map_ram(core, PHYS_HIGH_BASE, mem->high_size, mem->ram + mem->low_size))
        return false;
    if (!mem->high_size)
        return map_devices(core, mem->low_size, top - mem->low_size);
    return map_devices(core, mem->low_size, PHYS_HIGH_BASE - mem->low_size) &&
           (high_end >= top || map_devices(core, high_end, top - high_end));
}
