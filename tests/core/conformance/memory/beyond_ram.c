/*
 * conformance: accesses beyond RAM and across its ends give ones and change nothing
 * SDM: 3A, "4-Level Paging and 5-Level Paging"
 * SDM: 3A, "Reserved Bits"
 * expect: options --mem 4G --cpu skylake,-la57
 */
#include "lab.h"

/*
 * RAM of 4 GiB lies at [0, 3 GiB) and [4 GiB, 5 GiB). On the host both parts are one allocation: what is read
 * beyond the end of the first must not be the beginning of the second, and beyond the second's end there is
 * the host's own memory. Page tables may name any physical address below MAXPHYADDR (39 bits).
 */
#define LOW_END (3ull << 30)
#define HIGH_BEGIN (4ull << 30)
#define HIGH_END (5ull << 30)
#define WINDOW (1ull << 39) /* linear; PML4 entry 1: pages of 1 GiB */
#define P_W 3ull
#define LARGE 0x80ull
#define PATTERN 0x1122334455667788ull

struct __attribute__((packed)) table {
    uint16_t limit;
    uint64_t base;
};

extern uint64_t boot_pml4[512];
static uint64_t window[512] __attribute__((aligned(4096)));
static uint8_t buffer[1024] __attribute__((aligned(16)));

static uint64_t get(uint64_t at)
{
    uint64_t value;
    __asm__ volatile("mov (%1), %0" : "=r"(value) : "r"(at) : "memory");
    return value;
}
static void set(uint64_t at, uint64_t value)
{
    __asm__ volatile("mov %1, (%0)" ::"r"(at), "r"(value) : "memory");
}
static void flush(void)
{
    write_cr3(read_cr3());
}

static void copy(uint64_t to, uint64_t from, uint64_t bytes)
{
    uint64_t left = bytes;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(left)::"memory");
    LAB_EQUAL(left, 0, "REP MOVSB of %u bytes ends with RCX", (unsigned)bytes);
}

static void each_width(uint64_t end)
{
    uint8_t b;
    uint16_t w;
    uint32_t d;
    __asm__ volatile("movb (%3), %0\n\tmovw (%3), %1\n\tmovl (%3), %2"
                     : "=&q"(b), "=&r"(w), "=&r"(d)
                     : "r"(end));
    LAB_EQUAL(b, 0xff, "%lx: a byte beyond RAM", end);
    LAB_EQUAL(w, 0xffff, "%lx: a word", end);
    LAB_EQUAL(d, 0xffffffff, "%lx: a doubleword", end);
    LAB_EQUAL(get(end), UINT64_MAX, "%lx: a quadword", end);
    set(end, PATTERN);
    LAB_EQUAL(get(end), UINT64_MAX, "%lx: what is written there is gone", end);
}

/* The page boundary splits the access; each part is on its own. */
static void across(uint64_t end)
{
    for (unsigned inside = 1; inside < 8; inside++) {
        uint64_t ones = UINT64_MAX << (8 * inside);
        set(end - 8, 0);
        set(end - inside, PATTERN);
        LAB_EQUAL(get(end - inside), PATTERN | ones, "%lx: %u bytes of eight in RAM", end, inside);
        LAB_EQUAL(get(end - 8), PATTERN << (64 - 8 * inside), "%lx: and these were stored", end);
    }
}

static void strings(uint64_t end)
{
    uint64_t to = end - 16, left = 4096;
    set(end - 24, 0);
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(left) : "a"(0x5a) : "memory");
    LAB_EQUAL(left, 0, "%lx: REP STOSB over the end: RCX", end);
    LAB_EQUAL(to, end - 16 + 4096, "%lx: RDI", end);
    LAB_EQUAL(get(end - 24), 0, "%lx: before its beginning", end);
    LAB_EQUAL(get(end - 8), 0x5a5a5a5a5a5a5a5aull, "%lx: the last bytes", end);
    copy((uint64_t)(uintptr_t)buffer, end - 16, 64);
    LAB_EQUAL(get((uint64_t)(uintptr_t)buffer + 8), 0x5a5a5a5a5a5a5a5aull, "%lx: REP MOVSB up to the end",
              end);
    for (unsigned i = 16; i < 64; i += 8)
        LAB_EQUAL(get((uint64_t)(uintptr_t)buffer + i), UINT64_MAX, "%lx: and %u beyond", end, i - 16);
    copy(end - 8, (uint64_t)(uintptr_t)buffer + 12, 512);
    LAB_EQUAL(get(end - 8), 0xffffffff5a5a5a5aull, "%lx: REP MOVSB from RAM over the end", end);
    left = 256; /* backwards, from beyond into RAM */
    to = end + 255;
    __asm__ volatile("std\n\trep stosb\n\tcld" : "+D"(to), "+c"(left) : "a"(0x11) : "memory");
    LAB_EQUAL(get(end - 8), 0xffffffff5a5a5a5aull, "%lx: backwards down to the end", end);
}

static void locked(uint64_t end)
{
    uint64_t value = 5;
    __asm__ volatile("lock xaddq %0, (%1)" : "+r"(value) : "r"(end) : "memory");
    LAB_EQUAL(value, UINT64_MAX, "%lx: LOCK XADD beyond RAM reads", end);
    __asm__ volatile("xchgq %0, (%1)" : "+r"(value) : "r"(end) : "memory");
    LAB_EQUAL(value, UINT64_MAX, "%lx: XCHG", end);
    uint64_t low = UINT64_MAX, high = UINT64_MAX;
    bool equal;
    __asm__ volatile("lock cmpxchg16b (%3)\n\tsete %2"
                     : "+a"(low), "+d"(high), "=q"(equal)
                     : "r"(end), "b"(1ull), "c"(2ull)
                     : "memory");
    LAB_EQUAL(equal, 1, "%lx: LOCK CMPXCHG16B finds ones", end);
    LAB_EQUAL(get(end), UINT64_MAX, "%lx: and stores nothing", end);
    set(end - 8, 7);
    __asm__ volatile("lock addq $1, -4(%0)" ::"r"(end) : "memory"); /* split lock */
    LAB_EQUAL(get(end - 8), 0x100000007, "%lx: LOCK ADD across the end", end);
}

/* FXSAVE 256 bytes before the end: XMM6 is the first register beyond it. */
static void wide(uint64_t end)
{
    uint64_t low, high;
    set(end - 16, 0);
    __asm__ volatile("pcmpeqd %%xmm3, %%xmm3\n\tpsrlq $8, %%xmm3\n\tmovdqu %%xmm3, -8(%2)\n\t"
                     "movdqu -8(%2), %%xmm3\n\tmovq %%xmm3, %0\n\tpsrldq $8, %%xmm3\n\tmovq %%xmm3, %1"
                     : "=&r"(low), "=&r"(high)
                     : "r"(end)
                     : "memory");
    LAB_EQUAL(low, UINT64_MAX >> 8, "%lx: MOVDQU across the end, the half in RAM", end);
    LAB_EQUAL(high, UINT64_MAX, "%lx: and the half beyond", end);
    __asm__ volatile(
        "pxor %%xmm5, %%xmm5\n\tpxor %%xmm6, %%xmm6\n\tfxsave64 -256(%2)\n\tpcmpeqd %%xmm5, %%xmm5\n\t"
        "fxrstor64 -256(%2)\n\tmovq %%xmm5, %0\n\tmovq %%xmm6, %1"
        : "=&r"(low), "=&r"(high)
        : "r"(end)
        : "memory");
    LAB_EQUAL(low, 0, "%lx: FXSAVE and FXRSTOR across the end: XMM5 was kept", end);
    LAB_EQUAL(high, UINT64_MAX, "%lx: XMM6 comes back as ones", end);
    __asm__ volatile(
        "fninit\n\tfnsave -64(%0)\n\tfninit\n\tclflush (%0)\n\tprefetcht0 (%0)\n\tpxor %%xmm6, %%xmm6" ::"r"(
            end)
        : "memory");
}

static void stack(uint64_t end)
{
    uint64_t first, second;
    set(end - 8, PATTERN);
    __asm__ volatile(
        "mov %%rsp, %%r8\n\tlea 8(%2), %%rsp\n\tpush $1\n\tpush $2\n\tpop %0\n\tpop %1\n\tmov %%r8, %%rsp"
        : "=&r"(first), "=&r"(second)
        : "r"(end)
        : "r8", "memory");
    LAB_EQUAL(first, 2, "%lx: PUSH into the last word of RAM", end);
    LAB_EQUAL(second, UINT64_MAX, "%lx: PUSH beyond it", end);
}

/* INS and OUTS (nobody is at port 80H: ones), SGDT, a far pointer: memory operands that no translated code touches. */
static void system_operands(uint64_t end)
{
    const uint16_t port = 0x80;
    uint64_t at = end - 4, left = 4096;
    set(end - 8, 0);
    __asm__ volatile("rep insb" : "+D"(at), "+c"(left) : "d"(port) : "memory");
    LAB_EQUAL(left, 0, "%lx: REP INSB over the end: RCX", end);
    LAB_EQUAL(get(end - 8), 0xffffffff00000000, "%lx: what it stored in RAM", end);
    at = end - 6;
    set(end - 8, 0);
    __asm__ volatile("insl" : "+D"(at) : "d"(port) : "memory");
    LAB_EQUAL(get(end - 8), 0x0000ffffffff0000, "%lx: INSD up to the end", end);
    at = end - 1;
    __asm__ volatile("insl" : "+D"(at) : "d"(port) : "memory");
    LAB_EQUAL(get(end - 8), 0xff00ffffffff0000, "%lx: INSD across it", end);
    at = end - 7;
    left = 1024;
    __asm__ volatile("rep outsl" : "+S"(at), "+c"(left) : "d"(port) : "memory");
    LAB_EQUAL(left, 0, "%lx: REP OUTSD over the end: RCX", end);
    struct table here;
    set(end - 8, 0);
    __asm__ volatile("sgdt %0\n\tsgdt -4(%1)" : "=m"(here) : "r"(end) : "memory");
    LAB_EQUAL(get(end - 8) >> 32 & 0xffff, here.limit, "%lx: SGDT across the end: limit", end);
    LAB_EQUAL(get(end - 8) >> 48, here.base & 0xffff, "%lx: and the two bytes of the base in RAM", end);
    set(end - 8, 0);
    LAB_TRY("ljmp *-4(%0)", ::"r"(end) : "memory"); /* selector FFFFH */
    LAB_FAULT(LAB_GP, 0xfffc, "far jump by a pointer across the end");
}

static void at_the_end(uint64_t end)
{
    system_operands(end);
    each_width(end);
    across(end);
    strings(end);
    locked(end);
    wide(end);
    stack(end);
}

/* Any physical address that the processor has. */
static void far_away(void)
{
    static const uint64_t places[] = {6ull << 30, 64ull << 30, 256ull << 30, 511ull << 30};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        window[100] = places[i] | P_W | LARGE;
        flush();
        uint64_t at = WINDOW + (100ull << 30);
        LAB_EQUAL(get(at), UINT64_MAX, "physical %lx", places[i]);
        LAB_EQUAL(get(at + (1ull << 30) - 8), UINT64_MAX, "the end of its page");
        set(at + 0x12340, PATTERN);
        LAB_EQUAL(get(at + 0x12340), UINT64_MAX, "physical %lx written", places[i]);
    }
}

/* Address bits from MAXPHYADDR on are reserved in every entry; up to bit 51, which is 4 PB. */
static void reserved_addresses(void)
{
    uint64_t at = WINDOW + (101ull << 30);
    for (unsigned bit = 39; bit < 52; bit++) {
        window[101] = 1ull << bit | P_W | LARGE;
        flush();
        LAB_TRY("mov (%0), %%rax", ::"r"(at) : "rax", "memory");
        LAB_FAULT(LAB_PF, 9, "a page with address bit %u", bit);
        window[101] = 1ull << bit | P_W;
        LAB_TRY("movq $1, (%0)", ::"r"(at) : "memory");
        LAB_FAULT(LAB_PF, 0xb, "a table with address bit %u", bit);
    }
    window[101] = 0;
}

/* Tables where there is no RAM: their entries read as ones, which have reserved bits set. */
static void tables_beyond(void)
{
    static const uint64_t places[] = {LOW_END, 0xe0000000, HIGH_END, 511ull << 30};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        boot_pml4[2] = places[i] | P_W;
        flush();
        LAB_TRY("mov (%0), %%rax", ::"r"(2ull << 39) : "rax", "memory");
        LAB_FAULT(LAB_PF, 9, "page-directory-pointer table at %lx", places[i]);
        window[102] = places[i] | P_W;
        flush();
        LAB_TRY("mov (%0), %%rax", ::"r"(WINDOW + (102ull << 30)) : "rax", "memory");
        LAB_FAULT(LAB_PF, 9, "page directory at %lx", places[i]);
    }
    boot_pml4[2] = 0;
}

/* A descriptor of ones is a present conforming code segment. */
static void descriptors_beyond(uint64_t end)
{
    struct table kept, beyond = {0xffff, end};
    bool valid;
    __asm__ volatile("sgdt %0" : "=m"(kept));
    __asm__ volatile("lgdt %1\n\tmov $0x40, %%eax\n\tlar %%eax, %%eax\n\tsetz %0\n\tlgdt %2"
                     : "=q"(valid)
                     : "m"(beyond), "m"(kept)
                     : "eax");
    LAB_EQUAL(valid, 1, "%lx: LAR with the GDT beyond RAM", end);
}

int main(void)
{
    lab_init();
    boot_pml4[1] = (uint64_t)(uintptr_t)window | P_W;
    for (unsigned i = 0; i < 8; i++)
        window[i] = (uint64_t)i << 30 | P_W | LARGE;
    flush();
    const uint64_t high = WINDOW + HIGH_BEGIN, high_end = WINDOW + HIGH_END;
    for (unsigned i = 0; i < 4096; i += 8)
        set(high + i, PATTERN + i);
    at_the_end(LOW_END);
    at_the_end(WINDOW + LOW_END);
    at_the_end(high_end);
    unsigned changed = 0;
    for (unsigned i = 0; i < 4096; i += 8)
        changed += get(high + i) != PATTERN + i;
    LAB_EQUAL(changed, 0, "the RAM at 4 GiB, which follows the low part on the host, is untouched");
    far_away();
    reserved_addresses();
    tables_beyond();
    descriptors_beyond(LOW_END);
    descriptors_beyond(high_end);
    lab_end();
}
