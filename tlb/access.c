/* access.c: the model's own accesses to linear memory. */
#include "tlb/room.h"

#define PAGE_BYTES 4096u

/* The largest piece that lies naturally aligned at the address, as a bus would split the access. */
static unsigned device_piece(uint64_t physical, size_t left)
{
    unsigned piece = 8;
    while (piece > left || (physical & (piece - 1)))
        piece >>= 1;
    return piece;
}

static void read_physical(const struct phys_mem *mem, uint64_t physical, uint8_t *to, size_t size)
{
    const uint8_t *ram = phys_ram(mem, physical, size);
    if (ram) {
        memcpy(to, ram, size);
        return;
    }
    for (unsigned piece; size; physical += piece, to += piece, size -= piece) {
        piece = device_piece(physical, size);
        uint64_t value = phys_read(mem, physical, piece);
        memcpy(to, &value, piece);
    }
}

static void write_physical(const struct phys_mem *mem, uint64_t physical, const uint8_t *from, size_t size)
{
    uint8_t *ram = phys_ram(mem, physical, size);
    if (ram) {
        memcpy(ram, from, size);
        phys_note_write(mem, physical, (unsigned)size);
        return;
    }
    for (unsigned piece; size; physical += piece, from += piece, size -= piece) {
        uint64_t value = 0;
        piece = device_piece(physical, size);
        memcpy(&value, from, piece);
        phys_write(mem, physical, value, piece);
    }
}

/* SDM volume 3A, "Linear Address Space": 32 bits wide outside of 64-bit mode. */
static uint64_t wrap(const struct mmu *mmu, struct mmu_mode mode, uint64_t linear)
{
    return mmu->regime.efer & EFER_LMA && !mode.narrow ? linear : (uint32_t)linear;
}

/* An access split at the page boundary. */
struct pieces {
    uint64_t physical[2];
    size_t size[2];
    unsigned count;
    bool virtualized[2]; /* on the virtual-APIC page instead of the APIC-access page */
};

static enum mmu_status translate_pieces(struct mmu *mmu, uint64_t linear, size_t size, enum mmu_access access,
                                        struct mmu_mode mode, struct pieces *pieces, struct mmu_fault *fault)
{
    size_t room = PAGE_BYTES - (size_t)(linear & (PAGE_BYTES - 1));
    pieces->size[0] = size < room ? size : room;
    pieces->size[1] = size - pieces->size[0];
    pieces->count = pieces->size[1] ? 2 : 1;
    for (unsigned i = 0; i < pieces->count; i++) {
        struct mmu_translation translation;
        uint64_t address = wrap(mmu, mode, i ? linear + pieces->size[0] : linear);
        mode.size = (uint8_t)pieces->size[i];
        enum mmu_status status = mmu_translate(mmu, address, access, mode, &translation, fault);
        if (status != MMU_OK)
            return status;
        pieces->physical[i] = translation.physical;
        status = mmu_check_apic_access(mmu, address, pieces->size[i], access, &pieces->physical[i],
                                       &pieces->virtualized[i], fault);
        if (status != MMU_OK)
            return status;
    }
    return MMU_OK;
}

static void write_piece(struct mmu *mmu, const struct pieces *pieces, unsigned i, const uint8_t *from)
{
    if (mmu->watch)
        mmu_tell_access(mmu, pieces->physical[i], pieces->size[i], MMU_WRITE);
    write_physical(mmu->mem, pieces->physical[i], from, pieces->size[i]);
    if (pieces->virtualized[i])
        mmu->apic.written(mmu->apic.opaque, pieces->physical[i] & (PAGE_BYTES - 1),
                          (unsigned)pieces->size[i]);
}

enum mmu_status mmu_read(struct mmu *mmu, uint64_t linear, void *to, size_t size, struct mmu_mode mode,
                         struct mmu_fault *fault)
{
    struct pieces pieces;
    if (!size)
        return MMU_OK;
    enum mmu_status status = translate_pieces(mmu, linear, size, MMU_READ, mode, &pieces, fault);
    if (status != MMU_OK)
        return status;
    for (unsigned i = 0; i < pieces.count; i++) {
        if (mmu->watch)
            mmu_tell_access(mmu, pieces.physical[i], pieces.size[i], MMU_READ);
        read_physical(mmu->mem, pieces.physical[i], (uint8_t *)to + (i ? pieces.size[0] : 0), pieces.size[i]);
    }
    return MMU_OK;
}

enum mmu_status mmu_write(struct mmu *mmu, uint64_t linear, const void *from, size_t size,
                          struct mmu_mode mode, struct mmu_fault *fault)
{
    struct pieces pieces;
    if (!size)
        return MMU_OK;
    enum mmu_status status = translate_pieces(mmu, linear, size, MMU_WRITE, mode, &pieces, fault);
    if (status != MMU_OK)
        return status;
    for (unsigned i = 0; i < pieces.count; i++)
        write_piece(mmu, &pieces, i, (const uint8_t *)from + (i ? pieces.size[0] : 0));
    return MMU_OK;
}

enum mmu_status mmu_probe_write(struct mmu *mmu, uint64_t linear, size_t size, struct mmu_mode mode,
                                struct mmu_fault *fault)
{
    struct pieces pieces;
    return size ? translate_pieces(mmu, linear, size, MMU_WRITE, mode, &pieces, fault) : MMU_OK;
}

enum mmu_status mmu_fetch(struct mmu *mmu, uint64_t linear, void *to, size_t size, struct mmu_mode mode,
                          size_t *got, struct mmu_fault *fault)
{
    uint8_t *bytes = to;
    *got = 0;
    while (*got < size) {
        struct mmu_translation translation;
        uint64_t address = wrap(mmu, mode, linear + *got);
        size_t room = PAGE_BYTES - (size_t)(address & (PAGE_BYTES - 1));
        size_t piece = size - *got < room ? size - *got : room;
        enum mmu_status status = mmu_translate(mmu, address, MMU_FETCH, mode, &translation, fault);
        bool virtualized;
        if (status == MMU_OK)
            status = mmu_check_apic_access(mmu, address, piece, MMU_FETCH, &translation.physical,
                                           &virtualized, fault);
        if (status != MMU_OK)
            return *got ? MMU_OK : status;
        read_physical(mmu->mem, translation.physical, bytes + *got, piece);
        *got += piece;
    }
    return MMU_OK;
}
