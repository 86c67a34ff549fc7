/*
 * conformance: Intel MPX in virtual-8086 mode and in 32-bit protected mode with segments
 * SDM: 1, "Intel MPX and Operating Modes"
 * SDM: 2A, "BNDMOV—Move Bounds" (exceptions), "BNDLDX—Load Extended Bounds Using Address Translation"
 * conformance-bits: 32
 * expect: options --cpu skylake
 */
#include "bounds.h"
#include "v86.h"

static const uint8_t make[] = {0x67, 0xf3, 0x0f, 0x1b, 0x43, 0x08}; /* bndmk bnd0, [ebx + 8] */
static const uint8_t make_16[] = {0xf3, 0x0f, 0x1b, 0x07};          /* bndmk bnd0, [bx] */
static const uint8_t check[] = {0xf3, 0x0f, 0x1a, 0xcb};            /* bndcl bnd1, ebx */
static const uint8_t store[] = {0x67, 0x66, 0x0f, 0x1b, 0x0b};      /* bndmov [ebx], bnd1 */
static const uint8_t load_entry[] = {0x67, 0x0f, 0x1a, 0x04, 0x0b}; /* bndldx bnd0, [ebx + ecx] */
static const uint8_t jump[] = {0xe9, 0, 0}, bnd_jump[] = {0xf2, 0xe9, 0, 0};
LAB_CODE(store_32, "bndmov %bnd1, (%ebx)");
LAB_CODE(load_32, "bndmov (%ebx), %bnd0");
LAB_CODE(load_entry_es, "bndldx %es:(%ebx,%ecx), %bnd0");

static uint32_t directory[1024] __attribute__((aligned(4096)));
static uint32_t memory[8] __attribute__((aligned(16)));

static struct lab_state go(const void *code, unsigned bytes, unsigned long bx)
{
    struct lab_state s = v86_start(code, bytes, 0);
    s.bx = bx;
    s.cx = 0x77;
    lab_go(&s);
    return s;
}
#define ENDED(s, bytes) LAB_EVENT(s, LAB_GP, 0, bytes, "ended by its HLT")

static void virtual_8086(void)
{
    struct lab_state s;
    uint16_t *stored = v86_stack(0x200);
    bounds_configure((uintptr_t)directory | BOUNDS_ENABLE | BOUNDS_PRESERVE, 0);
    bounds_fill();
    s = go(make, sizeof make, 0x12345678);
    ENDED(&s, sizeof make);
    bounds_are(0, 0x12345678, ~0x12345680u, "BNDMK in 32 bits");
    s = go(make_16, sizeof make_16, 0);
    LAB_EVENT(&s, LAB_UD, 0, 0, "16-bit addressing");
    s = go(check, sizeof check, 0x12000);
    ENDED(&s, sizeof check);
    s = go(check, sizeof check, 0x1fff);
    LAB_EVENT(&s, LAB_BR, 0, 0, "BNDCL below");
    LAB_EQUAL(bounds_status(), 1, "BNDSTATUS");
    s = go(store, sizeof store, 0x200);
    ENDED(&s, sizeof store);
    LAB_CHECK(stored[0] == 0x2000 && stored[1] == 0 && stored[2] == 0xd000 && stored[3] == 0xffff,
              "BNDMOV to DS:200H");
    s = go(store, sizeof store, 0xfff9);
    LAB_EVENT(&s, LAB_GP, 0, 0, "BNDMOV beyond the limit");
    /* DS's base is 30000H: the pointer's address is 30000H + 123H */
    directory[0x30] = 0x8000 | 1;
    *(volatile uint32_t *)(0x8000 + (0x120 << 2)) = 0x1111;
    *(volatile uint32_t *)(0x8004 + (0x120 << 2)) = 0x2222;
    *(volatile uint32_t *)(0x8008 + (0x120 << 2)) = 0x77;
    s = go(load_entry, sizeof load_entry, 0x123);
    ENDED(&s, sizeof load_entry);
    bounds_are(0, 0x1111, 0x2222, "BNDLDX");
    s = go(load_entry, sizeof load_entry, 0x1123);
    LAB_EVENT(&s, LAB_BR, 0, 0, "BNDLDX without a table");
    LAB_EQUAL(bounds_status(), (uintptr_t)&directory[0x31] | 2, "BNDSTATUS");
    directory[0x30] = 0xfc00 | 1;
    s = go(load_entry, sizeof load_entry, 0x123);
    LAB_EVENT(&s, LAB_GP, 0, 0, "a table beyond the limit of DS");
    bounds_configure(BOUNDS_ENABLE, 0);
    bounds_fill();
    s = go(bnd_jump, sizeof bnd_jump, 0);
    ENDED(&s, sizeof bnd_jump);
    bounds_all(true, "BND JMP");
    s = go(jump, sizeof jump, 0);
    ENDED(&s, sizeof jump);
    bounds_all(false, "JMP");
    bounds_configure(0, 0);
    s = go(make_16, sizeof make_16, 0);
    ENDED(&s, sizeof make_16); /* not enabled: a hint */
}

static void segments(void)
{
    bounds_configure((uintptr_t)directory | BOUNDS_ENABLE | BOUNDS_PRESERVE, 0);
    bounds_fill();
    lab_gdt[LAB_FREE / 8] =
        lab_descriptor((uint32_t)(uintptr_t)memory, 15, LAB_ACCESS_DATA | LAB_ACCESS_DPL3, 4);
    struct lab_state s = lab_start(store_32, 3);
    s.ds = LAB_FREE | 3;
    s.bx = 8;
    lab_go(&s);
    LAB_EQUAL(s.vector, LAB_DONE, "BNDMOV within the limit");
    LAB_CHECK(memory[2] == 0x2000 && memory[3] == 0xffffd000u && !memory[4], "8 bytes");
    s = lab_start(store_32, 3);
    s.ds = LAB_FREE | 3;
    s.bx = 9;
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, store_32, "BNDMOV beyond the limit");
    s = lab_start(load_32, 3);
    s.ds = 0;
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, load_32, "BNDMOV by a null selector");
    lab_gdt[LAB_FREE / 8] = lab_descriptor(0x5000, 0xfffff, LAB_ACCESS_DATA | LAB_ACCESS_DPL3, 0xc);
    directory[5] = (uintptr_t)memory | 1;
    memory[0] = 0x3333;
    memory[1] = 0x4444;
    memory[2] = 0;
    s = lab_start(load_entry_es, 3);
    s.es = LAB_FREE | 3;
    lab_go(&s);
    LAB_EQUAL(s.vector, LAB_DONE, "BNDLDX by ES");
    bounds_are(0, 0x3333, 0x4444, "ES's base counts for the pointer's address, DS for the table");
}

/* SDM volume 2, "BNDMOV": #AC; each bound is a doubleword. */
static void alignment(void)
{
    struct lab_state s = lab_start(load_32, 3);
    write_cr0(read_cr0() | 1 << 18);
    s.flags |= 1 << 18;
    s.bx = (uintptr_t)memory + 4;
    lab_go(&s);
    LAB_EQUAL(s.vector, LAB_DONE, "aligned to 4 bytes");
    s = lab_start(load_32, 3);
    s.flags |= 1 << 18;
    s.bx = (uintptr_t)memory + 2;
    lab_go(&s);
    LAB_EVENT(&s, LAB_AC, 0, load_32, "not aligned");
}

int main(void)
{
    lab_init();
    lab_user_pages();
    bounds_switch_on();
    virtual_8086();
    segments();
    alignment();
    lab_end();
}
