/*
 * conformance: unaligned moves of 16 bytes across two pages, each register, each split; RF, TF and faults
 * SDM: 2B, "MOVUPS—Move Unaligned Packed Single Precision Floating-Point Values", "MOVDQU", 2A, "LDDQU—Load Unaligned Integer 128 Bits"
 * SDM: 3A, "Exception Classifications" (faults: the state from before the instruction)
 */
#include "window.h"

enum { FIRST = 2, SECOND = 3 };

/* The linear pages FIRST and SECOND are two pages of memory that lie apart. */
static uint8_t *across(unsigned inside)
{
    window_map(SECOND, 5, PAGE_ALL);
    return window_map(FIRST, 9, PAGE_ALL) + PAGE - inside;
}

static uint8_t byte_in_memory(unsigned inside, unsigned i)
{
    return i < inside ? window_memory[9][PAGE - inside + i] : window_memory[5][i - inside];
}

static void fill(uint8_t bytes[16], unsigned seed)
{
    for (unsigned i = 0; i < 16; i++)
        bytes[i] = (uint8_t)(seed * 17 + i * 3 + 1);
}

#define STORE(op, reg, at, from)                                                                             \
    __asm__ volatile("movups (%1), %%" reg "\n\t" op " %%" reg ", (%0)" ::"r"(at), "r"(from) : "memory")
#define LOAD(op, reg, at, to)                                                                                \
    __asm__ volatile(op " (%0), %%" reg "\n\tmovups %%" reg ", (%1)" ::"r"(at), "r"(to) : "memory")

static void each_split(void)
{
    uint8_t from[16] __attribute__((aligned(16))), to[16] __attribute__((aligned(16)));
    unsigned stored = 0, loaded = 0;
    for (unsigned inside = 1; inside < 16; inside++) {
        uint8_t *at = across(inside);
        for (unsigned kind = 0; kind < 4; kind++) {
            fill(from, inside * 4 + kind);
            switch (kind) {
            case 0:
                STORE("movups", "xmm0", at, from);
                LOAD("movups", "xmm15", at, to);
                break;
            case 1:
                STORE("movupd", "xmm7", at, from);
                LOAD("movupd", "xmm8", at, to);
                break;
            case 2:
                STORE("movdqu", "xmm15", at, from);
                LOAD("movdqu", "xmm1", at, to);
                break;
            default:
                STORE("movups", "xmm3", at, from);
                LOAD("lddqu", "xmm12", at, to);
            }
            for (unsigned i = 0; i < 16; i++) {
                stored += byte_in_memory(inside, i) == from[i];
                loaded += to[i] == from[i];
            }
        }
    }
    LAB_EQUAL(stored, 15 * 4 * 16, "bytes stored where they belong");
    LAB_EQUAL(loaded, 15 * 4 * 16, "and loaded from there");
}

LAB_CODE(load, "movups (%rbx), %xmm5\n\tnop");
LAB_CODE(store, "movups %xmm5, (%rbx)\n\tnop");

/* A load that faults on either page leaves the register as it was. */
static void faults(void)
{
    static const uint8_t before[16] = {9, 8, 7, 6, 5, 4, 3, 2, 1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t after[16];
    for (unsigned page = 0; page < 2; page++)
        for (unsigned inside = 8; inside < 16; inside += 7) {
            uint8_t *at = across(inside);
            uint8_t *missing = window_map(page ? SECOND : FIRST, page ? 5 : 9, 0);
            struct lab_state s = lab_start(load, 3);
            __asm__ volatile("movups %0, %%xmm5" ::"m"(before));
            s.bx = (unsigned long)at;
            lab_go(&s);
            __asm__ volatile("movups %%xmm5, %0" : "=m"(after));
            LAB_EVENT(&s, LAB_PF, PF_U, load, "a load with page %u missing, %u bytes in the first", page,
                      inside);
            LAB_EQUAL(s.cr2, (unsigned long)(page ? missing : at), "CR2");
            bool same = true;
            for (unsigned i = 0; i < 16; i++)
                same &= before[i] == after[i];
            LAB_CHECK(same, "the register is as before");
        }
}

/* RFLAGS.TF: the trap comes after the move, once. */
static void single_step(const uint8_t *code, unsigned length)
{
    struct lab_state s = lab_start(code, 3);
    s.bx = (unsigned long)across(8);
    s.flags |= 0x100;
    lab_go(&s);
    LAB_EQUAL(s.vector, LAB_DB, "single step over the move");
    LAB_EQUAL(s.ip, (unsigned long)code + length, "RIP is behind it");
}

int main(void)
{
    lab_init();
    lab_user_pages();
    window_open();
    each_split();
    faults();
    single_step(load, 3);
    single_step(store, 3);
    lab_end();
}
