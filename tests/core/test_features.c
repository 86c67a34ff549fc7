/*
 * What a profile's CPUID offers the core must run, and what it does not offer must raise #UD where the library knows the difference: one
 * instruction of each feature.
 */
#include "tests/core/harness.h"

#include "sim/cpu/features.h"

struct row {
    const char *name;
    uint32_t leaf;
    uint8_t reg, bit;
    uint8_t size;
    uint8_t bytes[10];
    bool only_64;
};

#define SSE_ON (CR4_OSFXSR | CR4_OSXMMEXCPT)

static const struct row rows[] = {
    {"CMPXCHG8B", 1, CPUID_EDX, 8, 3, {0x0f, 0xc7, 0x0b}, false},
    {"CMOV", 1, CPUID_EDX, 15, 3, {0x0f, 0x44, 0xc1}, false},
    {"CLFLUSH", 1, CPUID_EDX, 19, 3, {0x0f, 0xae, 0x3b}, false},
    {"MMX", 1, CPUID_EDX, 23, 3, {0x0f, 0xef, 0xc0}, false},
    {"FXSR", 1, CPUID_EDX, 24, 3, {0x0f, 0xae, 0x03}, false},
    {"SSE", 1, CPUID_EDX, 25, 3, {0x0f, 0x58, 0xc1}, false},
    {"SSE2", 1, CPUID_EDX, 26, 4, {0x66, 0x0f, 0x58, 0xc1}, false},
    {"SSE3", 1, CPUID_ECX, 0, 4, {0xf2, 0x0f, 0x7c, 0xc1}, false},
    {"PCLMULQDQ", 1, CPUID_ECX, 1, 6, {0x66, 0x0f, 0x3a, 0x44, 0xc1, 0x00}, false},
    {"SSSE3", 1, CPUID_ECX, 9, 5, {0x66, 0x0f, 0x38, 0x00, 0xc1}, false},
    {"CMPXCHG16B", 1, CPUID_ECX, 13, 4, {0x48, 0x0f, 0xc7, 0x0b}, true},
    {"SSE4.1", 1, CPUID_ECX, 19, 5, {0x66, 0x0f, 0x38, 0x40, 0xc1}, false},
    {"SSE4.2", 1, CPUID_ECX, 20, 5, {0x66, 0x0f, 0x38, 0x37, 0xc1}, false},
    {"MOVBE", 1, CPUID_ECX, 22, 4, {0x0f, 0x38, 0xf0, 0x03}, false},
    {"POPCNT", 1, CPUID_ECX, 23, 4, {0xf3, 0x0f, 0xb8, 0xc1}, false},
    {"AES", 1, CPUID_ECX, 25, 5, {0x66, 0x0f, 0x38, 0xdc, 0xc1}, false},
    {"FSGSBASE", 7, CPUID_EBX, 0, 4, {0xf3, 0x0f, 0xae, 0xc0}, true},
    {"BMI1", 7, CPUID_EBX, 3, 5, {0xc4, 0xe2, 0x78, 0xf2, 0xc1}, false},
    {"BMI2", 7, CPUID_EBX, 8, 5, {0xc4, 0xe2, 0x7b, 0xf5, 0xc1}, false},
    {"ADX", 7, CPUID_EBX, 19, 5, {0x66, 0x0f, 0x38, 0xf6, 0xc1}, false},
    {"CLFLUSHOPT", 7, CPUID_EBX, 23, 4, {0x66, 0x0f, 0xae, 0x3b}, false},
    {"LAHF in 64-bit mode", 0x80000001, CPUID_ECX, 0, 1, {0x9f}, true},
};

/* Flat 64-bit mode over 1:1 4-level paging by one 1-GiB page... of 2-MiB pages, which every profile has. */
static void long_mode(struct harness *h)
{
    uint64_t *tables = (uint64_t *)(void *)(h->mem.ram + HARNESS_TABLES);
    harness_flat_32(h);
    memset(tables, 0, 3 * 4096);
    tables[0] = (HARNESS_TABLES + 0x1000) | 3;
    tables[512] = (HARNESS_TABLES + 0x2000) | 3;
    for (uint64_t i = 0; i < HARNESS_RAM >> 21; i++)
        tables[1024 + i] = i << 21 | 0x83;
    h->state.cr0 |= CR0_PG;
    h->state.cr3 = HARNESS_TABLES;
    h->state.cr4 = CR4_PAE;
    h->state.msr.efer = EFER_LME | EFER_LMA;
    h->state.seg[SEG_CS].access_rights = 0xa09b;
    mmu_set_regime(&h->mmu, &(struct mmu_regime){.cr0 = h->state.cr0, .cr3 = h->state.cr3, .cr4 = CR4_PAE, .efer = EFER_LMA});
}

static void every_offered_feature_runs(void **state)
{
    struct harness *h = *state;
    const struct cpu_profile *profile = cpu_profile_find("skylake");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct cpuid_leaf *leaf = cpuid_find(profile, rows[i].leaf, 0);
        const uint32_t words[4] = {leaf->eax, leaf->ebx, leaf->ecx, leaf->edx};
        bool offered = words[rows[i].reg] >> rows[i].bit & 1;
        uint8_t code[12];
        memcpy(code, rows[i].bytes, rows[i].size);
        code[rows[i].size] = 0xf4;
        if (rows[i].only_64)
            long_mode(h);
        else
            harness_flat_32(h);
        h->state.cr4 |= SSE_ON | CR4_FSGSBASE;
        h->state.gpr[GPR_RBX] = 0x3000;
        h->exceptions = h->faults = 0;
        harness_load(h, HARNESS_CODE, code, rows[i].size + 1u);
        harness_run(h);
        if (offered && (h->exceptions || h->faults))
            fail_msg("%s is offered by CPUID and raises exception %u", rows[i].name, h->event.vector);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_offered_feature_runs, harness_open, harness_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
