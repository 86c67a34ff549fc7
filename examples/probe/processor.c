/* processor.c: what CPUID says: brand, features, address widths, TLBs. SDM volume 2, "CPUID". */
#include "probe.h"

struct registers {
    uint32_t eax, ebx, ecx, edx;
};

static struct registers cpuid(uint32_t leaf)
{
    struct registers r;
    __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(0));
    return r;
}

static const struct named_bit leaf_1_ecx[] = {
    {0, "SSE3"}, {1, "PCLMULQDQ"}, {3, "MONITOR"}, {5, "VMX"}, {9, "SSSE3"}, {13, "CX16"}, {17, "PCID"}, {19, "SSE4.1"},
    {20, "SSE4.2"}, {21, "x2APIC"}, {22, "MOVBE"}, {23, "POPCNT"}, {24, "TSC-deadline"}, {25, "AES"}, {30, "RDRAND"}, {0, 0}};
static const struct named_bit leaf_7_ebx[] = {
    {0, "FSGSBASE"}, {1, "TSC_ADJUST"}, {3, "BMI1"}, {7, "SMEP"}, {8, "BMI2"}, {9, "ERMS"}, {10, "INVPCID"}, {18, "RDSEED"},
    {19, "ADX"}, {20, "SMAP"}, {23, "CLFLUSHOPT"}, {0, 0}};
static const struct named_bit extended_edx[] = {
    {11, "SYSCALL"}, {20, "NX"}, {26, "1-GByte pages"}, {27, "RDTSCP"}, {29, "Intel 64"}, {0, 0}};

/* SDM volume 2, "CPUID", "Encoding of CPUID Leaf 2 Descriptors": those for TLBs that processors with VT-x report. */
static const struct {
    uint8_t descriptor;
    const char *text;
} tlbs[] = {
    {0x03, "data, 4K: 64 entries, 4 ways"},
    {0x05, "data, 4M: 32 entries, 4 ways"},
    {0x50, "code, 4K and 2M/4M: 64 entries"},
    {0x55, "code, 2M/4M: 7 entries"},
    {0x56, "data, first level, 4M: 16 entries, 4 ways"},
    {0x57, "data, first level, 4K: 16 entries, 4 ways"},
    {0x5a, "data, 2M/4M: 32 entries, 4 ways"},
    {0x5b, "data, 4K and 4M: 64 entries"},
    {0x63, "data, 2M/4M: 32 entries, 4 ways; 1G: 4 entries, 4 ways"},
    {0x76, "code, 2M/4M: 8 entries"},
    {0xb0, "code, 4K: 128 entries, 4 ways"},
    {0xb1, "code, 2M: 8 entries, 4 ways"},
    {0xb2, "code, 4K: 64 entries, 4 ways"},
    {0xb4, "data, second level, 4K: 256 entries, 4 ways"},
    {0xb5, "code, 4K: 64 entries, 8 ways"},
    {0xc1, "second level, 4K/2M: 1024 entries, 8 ways"},
    {0xc3, "second level, 4K/2M: 1536 entries, 6 ways; 1G: 16 entries, 4 ways"},
    {0xca, "second level, 4K: 512 entries, 4 ways"},
};

static void print_tlb(uint8_t descriptor)
{
    for (unsigned i = 0; i < sizeof tlbs / sizeof tlbs[0]; i++)
        if (tlbs[i].descriptor == descriptor) {
            put_text("    ");
            put_text(tlbs[i].text);
            put_text("\n");
        }
}

/* The lowest byte of EAX is a count; a register with bit 31 set has no descriptors. */
static void print_tlbs(void)
{
    struct registers r = cpuid(2);
    const uint32_t words[4] = {r.eax & ~0xffu, r.ebx, r.ecx, r.edx};
    put_text("TLBs (CPUID leaf 2):\n");
    for (unsigned i = 0; i < 4; i++)
        for (unsigned shift = 0; shift < 32 && !(words[i] >> 31); shift += 8)
            print_tlb((uint8_t)(words[i] >> shift));
}

static void print_brand(void)
{
    put_text("processor: ");
    for (uint32_t leaf = 0x80000002; leaf <= 0x80000004; leaf++) {
        struct registers r = cpuid(leaf);
        const uint32_t words[4] = {r.eax, r.ebx, r.ecx, r.edx};
        for (unsigned i = 0; i < 16; i++) {
            char c = (char)(words[i / 4] >> (8 * (i % 4)));
            if (c)
                put_char(c);
        }
    }
    put_text("\n");
}

static void print_signature(uint32_t signature)
{
    uint32_t family = signature >> 8 & 15, model = signature >> 4 & 15;
    if (family == 15 || family == 6)
        model |= (signature >> 16 & 15) << 4;
    if (family == 15)
        family += signature >> 20 & 0xff;
    put_text("family ");
    put_decimal(family);
    put_text(", model ");
    put_decimal(model);
    put_text(", stepping ");
    put_decimal(signature & 15);
    put_text("\n");
}

bool print_processor(void)
{
    struct registers leaf_1 = cpuid(1), extended = cpuid(0x80000001), widths = cpuid(0x80000008);
    print_brand();
    print_signature(leaf_1.eax);
    put_text("address bits: ");
    put_decimal(widths.eax & 0xff);
    put_text(" physical, ");
    put_decimal(widths.eax >> 8 & 0xff);
    put_text(" linear\n");
    print_bits("features", leaf_1.ecx, leaf_1_ecx);
    if (cpuid(0).eax >= 7) {
        print_bits("structured extended features", cpuid(7).ebx, leaf_7_ebx);
        put_text(cpuid(7).ecx >> 16 & 1 ? "5-level paging: yes\n" : "5-level paging: no\n");
    }
    print_bits("extended features", extended.edx, extended_edx);
    print_tlbs();
    return leaf_1.ecx >> 5 & 1;
}
