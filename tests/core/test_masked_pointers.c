/*
 * Linear-address masking in translated code: pointers with metadata reach the data without being checked one
 * by one, the library's cache forgets each of them when the page is invalidated, and fetches are never
 * masked. SDM volume 3A, "Linear-Address Masking (LAM)".
 */
#include "tests/core/wide.h"

#define DATA 0x3000ull
/* Metadata in bits 62:48; of the last two the guards' own address has as many bits as can be. */
static const uint64_t tags[] = {0x0001, 0x7fff, 0x1234, 0x5a5a, 0x5b5a};
enum { TAGS = sizeof tags / sizeof tags[0] };

static void set_masking(struct harness *h, uint64_t cr3, uint64_t cr4)
{
    struct cpu_state *s = &h->state;
    s->cr3 = LEVEL_4 | cr3;
    s->cr4 = (s->cr4 & ~CR4_LAM_SUP) | cr4;
    mmu_set_regime(&h->mmu,
                   &(struct mmu_regime){.cr0 = s->cr0, .cr3 = s->cr3, .cr4 = s->cr4, .efer = s->msr.efer});
}

static void masking(struct harness *h, uint64_t cr3, uint64_t cr4)
{
    wide(h);
    set_masking(h, cr3, cr4);
}

static void each_pointer_reaches_the_data(void **state)
{
    struct harness *h = *state;
    for (unsigned i = 0; i < TAGS; i++) {
        masking(h, CR3_LAM_U48, 0);
        phys_write64(&h->mem, DATA, 0x1000 + i);
        h->state.gpr[GPR_RBX] = tags[i] << 48 | DATA;
        RUN(h, 0x48, 0x8b, 0x0b, 0x48, 0xff, 0xc1, 0x48, 0x89,
            0x0b,                                         /* mov rcx,[rbx]; inc rcx; mov [rbx],rcx */
            0x48, 0x8b, 0x14, 0x25, 0, 0x30, 0, 0, 0xf4); /* mov rdx,[3000h] */
        assert_int_equal(h->exceptions + h->faults, 0);
        assert_int_equal(h->state.gpr[GPR_RDX], 0x1001 + i);
    }
    assert_int_equal(core_checked_steps(h->core), 0);
}

static void guards_know_a_pointer_from_their_own(void **state)
{
    struct harness *h = *state;
    for (unsigned i = 0; i < TAGS; i++) {
        masking(h, CR3_LAM_U48, 0);
        h->state.gpr[GPR_RBX] = tags[i] << 48 | 0x3010;
        RUN(h, 0x66, 0x0f, 0x6f, 0x03, 0x0f, 0x10, 0x43, 0x08, /* movdqa xmm0,[rbx]; movups xmm0,[rbx+8] */
            0x66, 0x0f, 0x7f, 0x43, 0x08, 0xf4);               /* movdqa [rbx+8],xmm0 */
        expect(h, VECTOR_GP, HARNESS_CODE + 8);
        masking(h, CR3_LAM_U48, 0); /* across a page, which is a checked step */
        memset(h->mem.ram + 0x3ff0, 0x40 + (int)i, 32);
        h->state.gpr[GPR_RBX] = tags[i] << 48 | 0x3ff9;
        RUN(h, 0x0f, 0x10, 0x03, 0x0f, 0x11, 0x04, 0x25, 0, 0x50, 0, 0,
            0xf4); /* movups xmm0,[rbx]; [5000h] */
        assert_int_equal(h->exceptions + h->faults, 0);
        assert_memory_equal(h->mem.ram + 0x5000, h->mem.ram + 0x3ff9, 16);
    }
}

/* In the library's cache, and among what fell out of it last. */
static void invalidation_finds_every_pointer(void **state)
{
    static const uint8_t load[] = {0x48, 0x8b, 0x0b, 0xf4}; /* mov rcx,[rbx] */
    struct harness *h = *state;
    masking(h, CR3_LAM_U48, 0);
    harness_load(h, HARNESS_CODE, load, sizeof load);
    phys_write64(&h->mem, 0x3000, 0x33);
    phys_write64(&h->mem, 0x4000, 0x44);
    for (unsigned i = 0; i < TAGS; i++) {
        h->state.rip = HARNESS_CODE;
        h->state.gpr[GPR_RBX] = tags[i] << 48 | DATA;
        harness_run(h);
        assert_int_equal(h->state.gpr[GPR_RCX], 0x33);
    }
    *page_entry(h, DATA) = 0x4003;
    mmu_invlpg(&h->mmu, DATA);
    for (unsigned i = 0; i < TAGS; i++) {
        h->state.rip = HARNESS_CODE;
        h->state.gpr[GPR_RBX] = tags[i] << 48 | DATA;
        harness_run(h);
        assert_int_equal(h->state.gpr[GPR_RCX], 0x44);
    }
    assert_int_equal(h->exceptions + h->faults, 0);
}

/* What the cache has of pointers does not outlive a change of CR3 or CR4. */
static void off_again(void **state)
{
    static const struct {
        uint64_t cr3, cr4, pointer;
    } rows[] = {{CR3_LAM_U48, 0, 0x1234000000003000},
                {CR3_LAM_U57, 0, 0x1200000000003000},
                {0, CR4_LAM_SUP, 0x8123ffffffe03000}};
    static const uint8_t load[] = {0x48, 0x8b, 0x0b, 0xf4};
    struct harness *h = *state;
    for (unsigned i = 0; i < 3; i++) {
        masking(h, rows[i].cr3, rows[i].cr4);
        *entry(h, LEVEL_4, 511) = LEVEL_3 | 7; /* the last 2 MiB, too */
        harness_load(h, HARNESS_CODE, load, sizeof load);
        h->state.gpr[GPR_RBX] = rows[i].pointer;
        harness_run(h);
        assert_int_equal(h->exceptions + h->faults, 0);
        set_masking(h, 0, 0);
        h->state.rip = HARNESS_CODE;
        harness_run(h);
        expect(h, VECTOR_GP, HARNESS_CODE);
    }
}

static void what_is_not_canonical_behind_the_mask(void **state)
{
    static const struct {
        uint64_t cr3, cr4, pointer;
        unsigned vector;
    } rows[] = {
        {CR3_LAM_U48, 0, 0x1234800000003000, VECTOR_GP}, {CR3_LAM_U57, 0, 0x0001000000003000, VECTOR_GP},
        {CR3_LAM_U57, 0, 0x0100000000003000, VECTOR_GP}, {0, CR4_LAM_SUP, 0xffff7fffffe03000, VECTOR_GP},
        {0, CR4_LAM_SUP, 0x1234000000003000, VECTOR_GP}, {CR3_LAM_U48, 0, 0x8123ffffffe03000, VECTOR_GP},
        {CR3_LAM_U48, 0, 0x5b5a800000000000, VECTOR_GP}, /* the guards' address */
    };
    struct harness *h = *state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        masking(h, rows[i].cr3, rows[i].cr4);
        h->state.gpr[GPR_RBX] = h->state.gpr[GPR_RBP] = rows[i].pointer;
        RUN(h, 0x90, 0x48, 0x8b, 0x0b, 0xf4); /* nop; mov rcx,[rbx] */
        expect(h, VECTOR_GP, HARNESS_CODE + 1);
        masking(h, rows[i].cr3, rows[i].cr4);
        h->state.gpr[GPR_RBP] = rows[i].pointer;
        RUN(h, 0x48, 0x8b, 0x4d, 0, 0xf4); /* mov rcx,[rbp] */
        expect(h, VECTOR_SS, HARNESS_CODE);
    }
}

static void fetches_are_not_masked(void **state)
{
    const uint64_t target = 0x1234000000000000 | HARNESS_CODE;
    struct harness *h = *state;
    masking(h, CR3_LAM_U48, CR4_LAM_SUP);
    h->state.gpr[GPR_RAX] = target;
    RUN(h, 0x8b, 0x08, 0xff, 0xe0, 0xf4); /* mov ecx,[rax]; jmp rax */
    expect(h, VECTOR_GP, HARNESS_CODE + 2);
    masking(h, CR3_LAM_U48, CR4_LAM_SUP);
    h->state.gpr[GPR_RAX] = target;
    RUN(h, 0x8b, 0x08, 0xff, 0xd0, 0xf4); /* mov ecx,[rax]; call rax */
    expect(h, VECTOR_GP, HARNESS_CODE + 2);
    assert_int_equal(h->state.gpr[GPR_RSP], HARNESS_STACK);
}

/* Code that is changed through a pointer with metadata. */
static void changed_code(void **state)
{
    struct harness *h = *state;
    masking(h, CR3_LAM_U48, 0);
    h->state.gpr[GPR_RBX] = 0x1234000000000000 | (HARNESS_CODE + 8);
    h->state.gpr[GPR_RCX] = 2;
    RUN(h, 0xeb, 0x06, 0xc6, 0x03, 0xb2, 0xeb, 0x01, 0x90, /* jmp 8; 2: mov byte [rbx],0b2h; jmp 8; nop */
        0xb0, 0x55, 0xff, 0xc9, 0x75, 0xf4, 0xf4);         /* 8: mov al,55h; dec ecx; jnz 2 */
    assert_int_equal(h->exceptions + h->faults, 0);
    assert_int_equal(h->state.gpr[GPR_RDX], 0x55);
}

static void faults_name_the_linear_address(void **state)
{
    struct harness *h = *state;
    masking(h, CR3_LAM_U48, 0);
    *page_entry(h, 0x5000) = 0;
    h->state.gpr[GPR_RBX] = 0x1234000000005008;
    RUN(h, 0x01, 0x03, 0xf4); /* add [rbx],eax: a write, though it reads first */
    assert_int_equal(h->faults, 1);
    assert_int_equal(h->fault.linear, 0x5008);
    assert_int_equal(h->fault.error_code, PF_W);
    masking(h, CR3_LAM_U48, 0);
    *page_entry(h, 0x5000) = 0;
    mmu_invlpg(&h->mmu, 0x5000);
    h->faults = 0;
    h->state.gpr[GPR_RBX] = 0x1234000000004ffc;
    RUN(h, 0x48, 0x8b, 0x0b, 0xf4); /* mov rcx,[rbx]: the second page */
    assert_int_equal(h->faults, 1);
    assert_int_equal(h->fault.linear, 0x5000);
}

/* 5-level paging: LAM57 leaves bits 56:48 to the tables, LAM48 for user pointers does not. */
static void five_levels(void **state)
{
    enum { LEVEL_5 = LEVEL_1 + 0x1000 };
    static const struct {
        uint64_t cr3, pointer, value; /* 0: #GP */
    } rows[] = {
        {CR3_LAM_U57, 0x7e01000000003000, 0x33}, /* entry 1 of the first table: as entry 0 */
        {CR3_LAM_U57, 0x7e00000000003000, 0x33}, {CR3_LAM_U57, 0x0100000000003000, 0},
        {CR3_LAM_U48, 0x7e01000000003000, 0x33}, /* bits 62:48 are masked: entry 0 */
        {CR3_LAM_U48, 0x7e02000000003000, 0x33}, {CR3_LAM_U48, 0x7e02800000003000, 0},
    };
    struct harness *h = *state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        masking(h, 0, 0);
        *entry(h, LEVEL_5, 0) = *entry(h, LEVEL_5, 1) = LEVEL_4 | 7;
        h->state.cr4 |= CR4_LA57;
        set_masking(h, rows[i].cr3, 0);
        h->state.cr3 = LEVEL_5 | rows[i].cr3;
        mmu_set_regime(&h->mmu, &(struct mmu_regime){.cr0 = h->state.cr0,
                                                     .cr3 = h->state.cr3,
                                                     .cr4 = h->state.cr4,
                                                     .efer = h->state.msr.efer});
        phys_write64(&h->mem, DATA, 0x33);
        h->state.gpr[GPR_RBX] = rows[i].pointer;
        RUN(h, 0x48, 0x8b, 0x0b, 0xf4);
        if (rows[i].value)
            assert_int_equal(h->state.gpr[GPR_RCX], rows[i].value);
        else
            expect(h, VECTOR_GP, HARNESS_CODE);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, harness_open, harness_close)
    const struct CMUnitTest tests[] = {
        T(each_pointer_reaches_the_data),
        T(guards_know_a_pointer_from_their_own),
        T(invalidation_finds_every_pointer),
        T(off_again),
        T(what_is_not_canonical_behind_the_mask),
        T(fetches_are_not_masked),
        T(changed_code),
        T(faults_name_the_linear_address),
        T(five_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
