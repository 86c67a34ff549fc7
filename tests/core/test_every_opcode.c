/*
 * Every opcode of the four maps, with prefixes, in each code size, once with memory and once with a register,
 * in one core: whatever libunicorn's translator makes of it, it comes back. Nothing else is asked of the
 * instruction.
 */
#include <stdio.h>

#include "tests/core/harness.h"

enum { LIMIT = 300 };

static bool stop_at_deadline(struct harness *h)
{
    return h->account.now < h->deadline;
}

/* Four-level paging with pages of 1 GiB, 1:1. */
static void long_mode(struct harness *h)
{
    struct cpu_state *s = &h->state;
    uint64_t *pml4 = (uint64_t *)(void *)(h->mem.ram + HARNESS_TABLES), *pdpt = pml4 + 512;
    pml4[0] = (HARNESS_TABLES + 0x1000) | 3;
    for (uint64_t i = 0; i < 4; i++)
        pdpt[i] = i << 30 | 0x83;
    s->cr0 |= CR0_PG;
    s->cr3 = HARNESS_TABLES;
    s->cr4 |= CR4_PAE;
    s->msr.efer = EFER_LME | EFER_LMA;
    s->seg[SEG_CS].access_rights = 0xa09b;
    mmu_set_regime(&h->mmu,
                   &(struct mmu_regime){.cr0 = s->cr0, .cr3 = s->cr3, .cr4 = s->cr4, .efer = s->msr.efer});
}

static void one_instruction(struct harness *h, unsigned bits, const uint8_t *code, size_t bytes)
{
    static const uint8_t halt[16] = {0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4};
    harness_flat_32(h);
    h->state.cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
    if (bits == 64)
        long_mode(h);
    if (bits == 16)
        h->state.seg[SEG_CS].access_rights = 0x809b;
    for (int i = 0; i < GPR_COUNT; i++)
        h->state.gpr[i] = i == GPR_RSP ? HARNESS_STACK : i == GPR_RCX ? 2 : 0x4000;
    harness_load(h, HARNESS_CODE, code, bytes);
    harness_load(h, HARNESS_CODE + bytes, halt, sizeof halt);
    h->traps = 0;
    h->stop_after_traps = 1;
    h->deadline = h->account.now + LIMIT;
    h->on_poll = stop_at_deadline;
    harness_run(h);
}

static void every_modrm(struct harness *h, unsigned bits, uint8_t *code, size_t bytes)
{
    for (unsigned reg = 0; reg < 8; reg++)
        for (unsigned form = 0; form < 2; form++) {
            code[bytes] =
                (uint8_t)(reg << 3 | (form ? 0xc1 : 0x06)); /* ECX; [ESI] or, of 16 bits, a displacement */
            memset(code + bytes + 1, 0x11, 5);
            one_instruction(h, bits, code, bytes + 6);
        }
}

static void every_opcode(struct harness *h, unsigned bits, const char *prefix)
{
    static const char *const maps[] = {"", "\x0f", "\x0f\x38", "\x0f\x3a"};
    for (unsigned map = 0; map < 4; map++)
        for (unsigned opcode = 0; opcode < 256; opcode++) {
            uint8_t code[16];
            size_t bytes = (size_t)snprintf((char *)code, sizeof code, "%s%s", prefix, maps[map]);
            code[bytes++] = (uint8_t)opcode;
            every_modrm(h, bits, code, bytes);
        }
}

static const char *const prefixes[] = {"", "\xf0", "\x66", "\xf3", "\xf2", "\x67"};

static void every_opcode_of(void **state, unsigned bits)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        every_opcode(*state, bits, prefixes[i]);
}

static void every_opcode_of_16_bits(void **state)
{
    every_opcode_of(state, 16);
}
static void every_opcode_of_32_bits(void **state)
{
    every_opcode_of(state, 32);
}

static void every_opcode_of_64_bits(void **state)
{
    every_opcode_of(state, 64);
    every_opcode(*state, 64, "\x48");
    every_opcode(*state, 64, "\xf0\x4c");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, harness_open, harness_close)
    const struct CMUnitTest tests[] = {T(every_opcode_of_16_bits), T(every_opcode_of_32_bits),
                                       T(every_opcode_of_64_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
