/*
 * conformance: outside 64-bit mode linear addresses wrap at 4 GiB: data, strings, code; addresses of 32 bits in 64-bit mode
 * SDM: 3A, "Logical and Linear Addresses" (the linear address space of 32-bit modes)
 * SDM: 1, "Address Calculations in 64-Bit Mode"
 * SDM: 3A, "Compatibility Mode"
 */
#include "window.h"

enum { TOP = 2, SELECTOR = LAB_FREE };

static uint64_t top_table[512] __attribute__((aligned(4096)));
static uint64_t bottom_table[512] __attribute__((aligned(4096)));

/* The last page below 4 GiB is memory 2, the first one memory 0. */
static void map_both_ends(void)
{
    extern uint64_t boot_pml4[];
    uint64_t *pdpt = (uint64_t *)(boot_pml4[0] & ~0xffful);
    uint64_t *last = (uint64_t *)(pdpt[3] & ~0xffful), *first = (uint64_t *)(pdpt[0] & ~0xffful);
    for (unsigned i = 0; i < 512; i++)
        bottom_table[i] = (unsigned long)i * PAGE | PAGE_ALL;
    bottom_table[0] = (unsigned long)window_memory[0] | PAGE_ALL;
    top_table[511] = (unsigned long)window_memory[TOP] | PAGE_ALL;
    last[511] = (unsigned long)top_table | PAGE_ALL;
    first[0] = (unsigned long)bottom_table | PAGE_ALL;
    write_cr3(read_cr3());
}

static struct lab_state go(const void *code, unsigned selector, unsigned long address)
{
    struct lab_state s = lab_start(code, 0);
    s.cs = selector;
    s.bx = address;
    s.fs = SELECTOR;
    lab_go(&s);
    return s;
}

/* In 32-bit code: MOV EAX, FS:[EBX]; MOV EAX, [EBX + 30H]; MOV FS:[EBX], EAX. */
LAB_CODE(load_fs, ".byte 0x64, 0x8b, 0x03");
LAB_CODE(load_displaced, ".byte 0x8b, 0x43, 0x30");
LAB_CODE(store_fs, ".byte 0x64, 0x89, 0x03");
LAB_CODE(strings, ".byte 0xf3, 0xa4"); /* REP MOVSB */
LAB_CODE(load_address_32, ".byte 0x67, 0x8b, 0x43, 0x30");
LAB_CODE(load_64, "mov 0x30(%rbx), %eax");

static void data(void)
{
    *(volatile uint32_t *)(window_memory[0] + 0x10) = 0x11112222;
    *(volatile uint32_t *)(window_memory[TOP] + PAGE - 16) = 0x33334444;
    lab_gdt[SELECTOR / 8] = lab_descriptor(0xf0000000u, 0xfffff, LAB_ACCESS_DATA, LAB_FLAGS_32);
    struct lab_state s = go(load_fs, LAB_CODE32, 0x10000010);
    LAB_EVENT(&s, LAB_DONE, 0, load_fs + 5, "base F0000000H, offset 10000010H");
    LAB_EQUAL(s.ax, 0x11112222, "is linear 10H");
    s = go(load_fs, LAB_CODE32, 0x0ffffff0);
    LAB_EQUAL(s.ax, 0x33334444, "offset 0FFFFFF0H is linear FFFFFFF0H");
    s = go(load_displaced, LAB_CODE32, 0xffffffe0);
    LAB_EQUAL(s.ax, 0x11112222, "offset FFFFFFE0H + 30H");
    s = go(load_address_32, LAB_CODE0, 0xffffffe0);
    LAB_EQUAL(s.ax, 0x11112222, "64-bit mode with addresses of 32 bits: the same");
    s = go(load_address_32, LAB_CODE0, 0x5ffffffe0);
    LAB_EQUAL(s.ax, 0x11112222, "the register's upper half does not count");
    s = go(load_64, LAB_CODE0, 0xffffffe0);
    LAB_EVENT(&s, LAB_PF, 0, load_64, "64-bit mode with addresses of 64 bits: beyond 4 GiB");
    LAB_EQUAL(s.cr2, 0x100000010, "CR2");
}

/* An operand in both ends: base 80000000H, so that no limit is in the way. */
static void across(void)
{
    lab_gdt[SELECTOR / 8] = lab_descriptor(0x80000000u, 0xfffff, LAB_ACCESS_DATA, LAB_FLAGS_32);
    for (unsigned inside = 1; inside < 4; inside++) {
        memset(window_memory[0], 0, 16);
        memset(window_memory[TOP] + PAGE - 16, 0, 16);
        struct lab_state s = lab_start(store_fs, 0);
        s.cs = LAB_CODE32;
        s.fs = SELECTOR;
        s.bx = 0x80000000u - inside;
        s.ax = 0x44332211;
        lab_go(&s);
        LAB_EQUAL(s.vector, LAB_DONE, "a store with %u bytes below 4 GiB", inside);
        LAB_EQUAL(*(volatile uint32_t *)window_memory[0], 0x44332211u >> 8 * inside, "the rest is at 0");
        LAB_EQUAL(*(volatile uint32_t *)(window_memory[TOP] + PAGE - 4), 0x44332211u << (32 - 8 * inside),
                  "its begin below");
        s = go(load_fs, LAB_CODE32, 0x80000000u - inside);
        LAB_EQUAL(s.ax, 0x44332211, "and is read so");
    }
    bottom_table[0] = 0;
    write_cr3(read_cr3());
    memset(window_memory[TOP] + PAGE - 16, 0x55, 16);
    struct lab_state s = go(store_fs, LAB_CODE32, 0x80000000u - 2);
    LAB_EVENT(&s, LAB_PF, PF_W, store_fs, "without a page 0");
    LAB_EQUAL(s.cr2, 0, "CR2 is 0");
    LAB_EQUAL(window_memory[TOP][PAGE - 2], 0x55, "nothing is stored");
    bottom_table[0] = (unsigned long)window_memory[0] | PAGE_ALL;
    write_cr3(read_cr3());
}

static void rep_movs(void)
{
    for (unsigned i = 0; i < 16; i++)
        window_memory[i < 8 ? TOP : 0][i < 8 ? PAGE - 8 + i : i - 8] = (uint8_t)(i + 1);
    struct lab_state s = lab_start(strings, 0);
    s.cs = LAB_CODE32;
    s.si = 0xfffffff8u;
    s.di = (unsigned long)window_memory[4];
    s.cx = 16;
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, strings + 4, "REP MOVSB over 4 GiB");
    LAB_EQUAL(s.si, 8, "ESI wraps");
    for (unsigned i = 0; i < 16; i++)
        if (window_memory[4][i] != i + 1)
            LAB_CHECK(false, "byte %u", i);
}

/* CS with base 80000000H: offsets 7FFFFFFxH are the top, 8000000xH the bottom. The MOV has bytes in both. */
static void code(void)
{
    static const uint8_t bytes[] = {0x40, 0xb8, 1, 2, 3, 4, 0x40, 0xcd, LAB_DONE};
    lab_gdt[SELECTOR / 8] = lab_descriptor(0x80000000u, 0xfffff, LAB_ACCESS_CODE, LAB_FLAGS_32);
    for (unsigned inside = 1; inside < sizeof bytes; inside++) {
        for (unsigned i = 0; i < sizeof bytes; i++)
            *(volatile uint8_t *)(i < inside ? window_memory[TOP] + PAGE - inside + i
                                             : window_memory[0] + i - inside) = bytes[i];
        struct lab_state s = lab_start((const void *)(0x80000000ul - inside), 0);
        s.cs = SELECTOR;
        lab_go(&s);
        LAB_EVENT(&s, LAB_DONE, 0, 0x80000000ul - inside + sizeof bytes, "code with %u bytes below 4 GiB",
                  inside);
        LAB_EQUAL(s.ax, 0x04030202, "what it computed");
    }
    bottom_table[0] = 0;
    write_cr3(read_cr3());
    for (unsigned i = 0; i < 4; i++)
        window_memory[TOP][PAGE - 4 + i] = bytes[i];
    struct lab_state s = lab_start((const void *)(0x80000000ul - 4), 0);
    s.cs = SELECTOR;
    lab_go(&s);
    LAB_EVENT(&s, LAB_PF, PF_I, 0x80000000ul - 3, "without a page 0");
    LAB_EQUAL(s.cr2, 0, "CR2 is 0");
    bottom_table[0] = (unsigned long)window_memory[0] | PAGE_ALL;
    write_cr3(read_cr3());
}

int main(void)
{
    lab_init();
    window_open();
    map_both_ends();
    data();
    across();
    rep_movs();
    code();
    lab_end();
}
