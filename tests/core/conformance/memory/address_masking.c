/*
 * conformance: linear-address masking: which pointers, which accesses, #GP and #SS behind the mask, CR2, INVLPG
 * SDM: 3A, "Linear-Address Masking (LAM)", "Canonicality Checking", "Control Registers" (CR3, CR4.LAM_SUP)
 * expect: options --cpu sapphirerapids
 */
#include "window.h"

#define LAM_SUP (1ul << 28)
#define LAM_U57 (1ul << 61)
#define LAM_U48 (1ul << 62)
#define UPPER (~0ul << 47) /* PML4 entry 256: the window once more */
#define TAG 0x1234ul       /* metadata in bits 62:48 */
#define TAGGED(tag, at) ((unsigned long)(tag) << 48 ^ (unsigned long)(at))
#define LINEAR(page) ((unsigned long)window_at(page))
enum { CR4_OSXSAVE = 1 << 18, FLAGS_AC = 1 << 18, CR0_AM = 1 << 18 };

LAB_CODE(load, "mov (%rbx), %rax");
LAB_CODE(store, "mov %rax, (%rbx)");
LAB_CODE(load_byte, "mov (%rbx), %al");
LAB_CODE(add_it, "add %rax, (%rbx)");
LAB_CODE(locked, "lock incq (%rbx)");
LAB_CODE(exchange_16, "lock cmpxchg16b (%rbx)");
LAB_CODE(movups_it, "movups (%rbx), %xmm0");
LAB_CODE(movaps_out, "movaps %xmm0, (%rbx)");
LAB_CODE(masked_move, "pcmpeqb %xmm0, %xmm0\n\tmaskmovdqu %xmm0, %xmm0");
LAB_CODE(fxsave_it, "fxsave (%rbx)");
LAB_CODE(fld_it, "fldt (%rbx)\n\tfstpt (%rbx)");
LAB_CODE(xlat_it, "mov $0, %al\n\txlat");
LAB_CODE(bit_test, "bt %rax, (%rbx)");
LAB_CODE(string, "mov $2, %ecx\n\trep movsq");
LAB_CODE(scan, "scasb");
LAB_CODE(push_memory, "push (%rbx)");
LAB_CODE(sidt_it, "sidt (%rbx)");
LAB_CODE(flush_it, "clflush (%rbx)");
LAB_CODE(prefetch_it, "prefetcht0 (%rbx)");
LAB_CODE(by_rbp, "mov (%rbp), %rax");
LAB_CODE(push_it, "push %rax");
LAB_CODE(pop_it, "pop %rax");
LAB_CODE(pushf_popf, "pushf\n\tpopf");
LAB_CODE(enter_leave, "enter $16, $1\n\tleave");
LAB_CODE(call_return, "call 1f\n\tint $0x20\n1:\tret");
LAB_CODE(jump, "jmp *%rbx");
LAB_CODE(jump_memory, "jmp *(%rbx)");
LAB_CODE(call, "call *%rbx");
LAB_CODE(ret_it, "ret");
LAB_CODE(by_fs, "mov %fs:(%rbx), %rax");

static const struct {
    const char *name;
    const uint8_t *code;
} data[] = {{"load", load},        {"store", store},           {"load of a byte", load_byte},
            {"ADD", add_it},       {"LOCK INC", locked},       {"CMPXCHG16B", exchange_16},
            {"MOVUPS", movups_it}, {"MOVAPS", movaps_out},     {"MASKMOVDQU", masked_move},
            {"FXSAVE", fxsave_it}, {"FLD and FSTP", fld_it},   {"XLAT", xlat_it},
            {"BT", bit_test},      {"REP MOVSQ", string},      {"SCASB", scan},
            {"PUSH", push_memory}, {"SIDT", sidt_it},          {"CLFLUSH", flush_it},
            {"[RBP]", by_rbp},     {"PREFETCHT0", prefetch_it}};

static unsigned long cr3, cr4;

static void masking(unsigned long in_cr3, unsigned long in_cr4)
{
    write_cr4(cr4 | in_cr4);
    write_cr3(cr3 | in_cr3);
}

static struct lab_state go(const uint8_t *code, unsigned long address, unsigned ring)
{
    struct lab_state s = lab_start(code, ring);
    s.bx = s.bp = s.si = s.di = address;
    lab_go(&s);
    return s;
}

static void control_registers(void)
{
    unsigned a = 7, b, c = 1, d;
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    LAB_EQUAL(a >> 26 & 1, 1, "CPUID.(7,1):EAX[26]");
    for (unsigned bit = 52; bit < 64; bit++) {
        LAB_TRY("mov %0, %%cr3", ::"r"(cr3 | 1ul << bit) : "memory");
        if (bit == 61 || bit == 62) {
            LAB_NO_EVENT("CR3 bit %u", bit);
            LAB_EQUAL(read_cr3(), cr3 | 1ul << bit, "CR3 bit %u is kept", bit);
        } else {
            LAB_FAULT(LAB_GP, 0, "CR3 bit %u", bit);
        }
    }
    write_cr3(cr3);
    LAB_TRY("mov %0, %%cr4", ::"r"(cr4 | LAM_SUP) : "memory");
    LAB_NO_EVENT("CR4.LAM_SUP");
    LAB_EQUAL(read_cr4(), cr4 | LAM_SUP, "CR4.LAM_SUP is kept");
    write_cr4(cr4);
}

/* In each ring, as bit 63 of the pointer alone decides. */
static void each_access(const char *name, unsigned long in_cr3, unsigned long in_cr4, unsigned long pointer)
{
    for (unsigned i = 0; i < sizeof data / sizeof *data; i++) {
        if (data[i].code == sidt_it && read_cr4() & 1 << 11)
            continue;
        for (unsigned ring = 0; ring <= 3; ring += 3) {
            masking(in_cr3, in_cr4);
            struct lab_state s = go(data[i].code, pointer, ring);
            LAB_EQUAL(s.vector, LAB_DONE, "%s: %s in ring %u", name, data[i].name, ring);
            masking(0, 0);
            s = go(data[i].code, pointer, ring);
            LAB_EQUAL(s.vector,
                      data[i].code == prefetch_it ? LAB_DONE
                      : data[i].code == by_rbp    ? LAB_SS
                                                  : LAB_GP,
                      "%s, off: %s in ring %u", name, data[i].name, ring);
        }
    }
}

static void accesses(void)
{
    each_access("LAM48, user pointer", LAM_U48, 0, TAGGED(TAG, LINEAR(1)));
    each_access("LAM57, user pointer", LAM_U57, 0, TAGGED(0x7e00, LINEAR(1)));
    each_access("supervisor pointer", 0, LAM_SUP, TAGGED(TAG, UPPER + PAGE));
}

static void the_same_data(void)
{
    static const struct {
        unsigned long in_cr3, in_cr4, mask, high;
    } rows[] = {{LAM_U48, 0, 0x7fff, WINDOW}, {LAM_U57, 0, 0x7e00, WINDOW}, {0, LAM_SUP, 0x7fff, UPPER}};
    for (unsigned i = 0; i < 3; i++) {
        masking(rows[i].in_cr3, rows[i].in_cr4);
        for (unsigned long tag = 1; tag < 0x8000; tag = tag * 3 + 1) {
            const unsigned long linear = rows[i].high + 2 * PAGE + 8 * (tag & 63);
            volatile uint64_t *tagged = (volatile uint64_t *)TAGGED(tag & rows[i].mask, linear);
            *tagged = tag;
            LAB_EQUAL(*(volatile uint64_t *)linear, tag, "tag %lx of %u is stored", tag, i);
            *(volatile uint64_t *)linear = ~tag;
            LAB_EQUAL(*tagged, ~tag, "tag %lx of %u is loaded", tag, i);
        }
    }
    masking(LAM_U48, 0);
    volatile uint64_t *crossing = (volatile uint64_t *)TAGGED(TAG, LINEAR(3) - 3);
    *crossing = 0x1122334455667788;
    LAB_EQUAL(*(volatile uint64_t *)(LINEAR(3) - 3), 0x1122334455667788, "across pages");
}

/* Bit 63 and the highest bit that is not masked must be the same, and what lies between that and bit 47. */
static void behind_the_mask(void)
{
    extern uint64_t boot_pml4[];
    static uint64_t pdpt[512] __attribute__((aligned(4096)));
    pdpt[511] = (unsigned long)window_tables[1] | PAGE_ALL;
    window_tables[1][511] = (unsigned long)window_tables[2] | PAGE_ALL;
    ((volatile uint64_t *)window_tables[2])[511] = (unsigned long)window_memory[1] | PAGE_ALL;
    boot_pml4[255] = (unsigned long)pdpt | PAGE_ALL; /* the last page of the lower half */

    static const struct {
        unsigned long in_cr3, in_cr4, pointer;
        const char *name;
    } rows[] = {
        {LAM_U48, 0, TAGGED(TAG, 1ul << 47), "LAM48: bit 47 of a user pointer"},
        {LAM_U57, 0, 1ul << 47, "LAM57: bit 47 of a user pointer"},
        {LAM_U57, 0, 1ul << 48, "LAM57: bit 48"},
        {LAM_U57 | LAM_U48, 0, 1ul << 48, "LAM57 goes before LAM48"},
        {LAM_U57, 0, 1ul << 56, "LAM57: bit 56"},
        {0, LAM_SUP, TAGGED(TAG, UPPER ^ 1ul << 47), "bit 47 of a supervisor pointer"},
        {LAM_U48, 0, TAGGED(TAG, UPPER), "a supervisor pointer without LAM_SUP"},
        {0, LAM_SUP, TAGGED(TAG, WINDOW), "a user pointer with LAM_SUP alone"},
        {LAM_U48, 0, TAGGED(TAG, (1ul << 47) - 4), "the last bytes of the lower half and more"},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        masking(rows[i].in_cr3, rows[i].in_cr4);
        struct lab_state s = go(load, rows[i].pointer, 3);
        LAB_EVENT(&s, LAB_GP, 0, load, "%s", rows[i].name);
        s = go(by_rbp, rows[i].pointer, 3);
        LAB_EVENT(&s, LAB_SS, 0, by_rbp, "%s, on the stack", rows[i].name);
    }
}

static void stacks(void)
{
    static const struct {
        const char *name;
        const uint8_t *code;
        int moved;
    } uses[] = {{"PUSH", push_it, -8},
                {"POP", pop_it, 8},
                {"PUSHF and POPF", pushf_popf, 0},
                {"ENTER and LEAVE", enter_leave, 0},
                {"CALL and RET", call_return, 0}};
    masking(LAM_U48, 0);
    for (unsigned ring = 0; ring <= 3; ring += 3)
        for (unsigned i = 0; i < sizeof uses / sizeof *uses; i++) {
            struct lab_state s = lab_start(uses[i].code, ring);
            const unsigned long sp = TAGGED(TAG, s.sp);
            s.sp = s.bp = sp;
            lab_go(&s);
            LAB_EQUAL(s.vector, LAB_DONE, "%s in ring %u", uses[i].name, ring);
            LAB_EQUAL(s.sp - (unsigned long)(long)uses[i].moved, sp, "%s: RSP keeps its metadata",
                      uses[i].name);
        }
    /* An event's frame goes where RSP0 points to, which keeps its metadata too. */
    unsigned long rsp0;
    memcpy(&rsp0, lab_tss + 4, sizeof rsp0);
    const unsigned long tagged = TAGGED(TAG, rsp0);
    memcpy(lab_tss + 4, &tagged, sizeof tagged);
    struct lab_state s = lab_start(push_it, 3);
    lab_go(&s);
    LAB_EQUAL(s.vector, LAB_DONE, "an event through RSP0 with metadata");
    LAB_EQUAL(s.frame >> 48, TAG, "its frame");
    memcpy(lab_tss + 4, &rsp0, sizeof rsp0);
}

static void fetches(void)
{
    masking(LAM_U48 | LAM_U57, LAM_SUP);
    masking(LAM_U48, LAM_SUP);
    struct lab_state s = go(jump, TAGGED(TAG, load), 3);
    LAB_EVENT(&s, LAB_GP, 0, jump, "JMP");
    *(volatile uint64_t *)LINEAR(1) = TAGGED(TAG, load);
    s = go(jump_memory, TAGGED(TAG, LINEAR(1)), 3);
    LAB_EVENT(&s, LAB_GP, 0, jump_memory, "JMP through memory");
    s = lab_start(call, 3);
    const unsigned long sp = s.sp;
    s.bx = TAGGED(TAG, load);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, call, "CALL");
    LAB_EQUAL(s.sp, sp, "CALL pushes nothing");
    s = lab_start(ret_it, 3);
    *(volatile uint64_t *)s.sp = TAGGED(TAG, load);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, ret_it, "RET");
    s = lab_start((const void *)TAGGED(TAG, load), 3);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, lab_iret, "IRET");
}

static void page_faults(void)
{
    masking(LAM_U48, LAM_SUP);
    window_map(4, 4, 0);
    struct lab_state s = go(load, TAGGED(TAG, LINEAR(4) + 8), 3);
    LAB_EVENT(&s, LAB_PF, PF_U, load, "#PF of a load");
    LAB_EQUAL(s.cr2, LINEAR(4) + 8, "CR2 has no metadata");
    s = go(add_it, TAGGED(TAG, UPPER + 4 * PAGE), 3);
    LAB_EVENT(&s, LAB_PF, PF_U | PF_W, add_it, "#PF of ADD");
    LAB_EQUAL(s.cr2, UPPER + 4 * PAGE, "CR2 has no metadata");
    s = go(load, TAGGED(TAG, LINEAR(4) - 4), 3);
    LAB_EVENT(&s, LAB_PF, PF_U, load, "#PF of the second page");
    LAB_EQUAL(s.cr2, LINEAR(4), "CR2");
    struct lab_state t = lab_start(push_it, 3);
    t.sp = TAGGED(TAG, LINEAR(5));
    lab_go(&t);
    LAB_EVENT(&t, LAB_PF, PF_U | PF_W, push_it, "#PF of PUSH");
    LAB_EQUAL(t.cr2, LINEAR(5) - 8, "CR2");
    LAB_EQUAL(t.sp, TAGGED(TAG, LINEAR(5)), "RSP");
    window_map(4, 4, PAGE_ALL);
}

static void invalidation(void)
{
    masking(LAM_U48, 0);
    volatile uint64_t *tagged = (volatile uint64_t *)TAGGED(TAG, LINEAR(6));
    volatile uint64_t *other = (volatile uint64_t *)TAGGED(0x7001, LINEAR(6));
    *(volatile uint64_t *)window_memory[6] = 0x66;
    *(volatile uint64_t *)window_memory[7] = 0x77;
    LAB_EQUAL(*tagged + *other, 0xcc, "before");
    ((volatile uint64_t *)window_tables[2])[6] = (unsigned long)window_memory[7] | PAGE_ALL;
    LAB_TRY("invlpg (%0)", ::"r"(tagged) : "memory");
    LAB_NO_EVENT("INVLPG of an address that is not canonical");
    LAB_EQUAL(*tagged + *other, 0xcc, "it invalidates nothing");
    __asm__ volatile("invlpg (%0)" ::"r"(LINEAR(6)) : "memory");
    LAB_EQUAL(*tagged, 0x77, "INVLPG of the linear address");
    LAB_EQUAL(*other, 0x77, "for each pointer");
    window_map(6, 6, PAGE_ALL);
    LAB_EQUAL(*tagged, 0x66, "and back");
    /* INVPCID: the pointer to its descriptor is masked, the address in it is not. */
    static uint64_t descriptor[2] __attribute__((aligned(16)));
    const unsigned long at = TAGGED(TAG, descriptor);
    descriptor[1] = LINEAR(6);
    LAB_TRY("invpcid (%0), %1", ::"r"(at), "r"(0ul) : "memory");
    LAB_NO_EVENT("INVPCID through a pointer with metadata");
    descriptor[1] = TAGGED(TAG, LINEAR(6));
    LAB_TRY("invpcid (%0), %1", ::"r"(at), "r"(0ul) : "memory");
    LAB_FAULT(LAB_GP, 0, "INVPCID of an address with metadata");
    descriptor[1] = LINEAR(6);
    masking(0, 0);
    LAB_TRY("invpcid (%0), %1", ::"r"(at), "r"(0ul) : "memory");
    LAB_FAULT(LAB_GP, 0, "INVPCID, off");
}

/* Bases are canonical by the processor's 57 bits, or are not loaded; they are masked when they are used. */
static void bases(void)
{
    enum { FS_BASE = 0xc0000100 };
    const unsigned long base = TAGGED(0x0034, LINEAR(1));
    LAB_TRY("wrmsr", ::"c"(FS_BASE), "a"((uint32_t)base), "d"((uint32_t)(TAGGED(TAG, base) >> 32))
            : "memory");
    LAB_FAULT(LAB_GP, 0, "a base that is not canonical by 57 bits");
    masking(LAM_U48, 0);
    struct lab_state s = lab_start(by_fs, 3);
    *(volatile uint64_t *)LINEAR(1) = 0x1111;
    wrmsr(FS_BASE, base);
    uint64_t got = 0;
    LAB_TRY("mov %%fs:0, %0", : "+r"(got) : : "memory");
    LAB_NO_EVENT("FS.base that is not canonical by 48 bits");
    LAB_EQUAL(got, 0x1111, "what it points to");
    masking(0, 0);
    LAB_TRY("mov %%fs:0, %0", : "+r"(got) : : "memory");
    LAB_FAULT(LAB_GP, 0, "off");
    wrmsr(FS_BASE, 0);
    (void)s;
    /* GDTR and IDTR */
    struct __attribute__((packed)) {
        uint16_t limit;
        unsigned long base;
    } was[2], table[2];
    masking(LAM_U48, 0);
    __asm__ volatile("sgdt %0; sidt %1" : "=m"(was[0]), "=m"(was[1]));
    for (unsigned i = 0; i < 2; i++) {
        table[i] = was[i];
        table[i].base = TAGGED(0x0034, was[i].base);
    }
    __asm__ volatile("lgdt %0; lidt %1" ::"m"(table[0]), "m"(table[1]));
    s = go(load, LINEAR(1), 3);
    LAB_EQUAL(s.vector, LAB_DONE, "GDT and IDT through bases with metadata");
    __asm__ volatile("sgdt %0; sidt %1" : "=m"(table[0]), "=m"(table[1]));
    LAB_EQUAL(table[0].base >> 48, 0x34, "SGDT gives them back");
    LAB_EQUAL(table[1].base >> 48, 0x34, "so does SIDT");
    __asm__ volatile("lgdt %0; lidt %1" ::"m"(was[0]), "m"(was[1]));
}

/* Data breakpoints and alignment are those of the linear address. */
static void checked_steps(void)
{
    masking(LAM_U48, 0);
    const unsigned long at = LINEAR(1) + 8, dr7 = 0x000d0003; /* DR0: 8 bytes? no: 4, on data writes */
    __asm__ volatile("mov %0, %%dr0; mov %1, %%dr7" ::"r"(at), "r"(dr7));
    struct lab_state s = go(store, TAGGED(TAG, at), 3);
    LAB_EQUAL(s.vector, LAB_DB, "a data breakpoint is hit through a pointer with metadata");
    s = go(load, TAGGED(TAG, at) + 16, 3);
    LAB_EQUAL(s.vector, LAB_DONE, "a load elsewhere");
    __asm__ volatile("mov %0, %%dr0" ::"r"(TAGGED(TAG, at)));
    s = go(store, TAGGED(TAG, at), 3);
    LAB_EQUAL(s.vector, LAB_DONE, "DR0 with metadata is met by nothing");
    s = go(load, TAGGED(TAG, 1ul << 47), 3);
    LAB_EVENT(&s, LAB_GP, 0, load, "#GP while breakpoints are on");
    __asm__ volatile("mov %0, %%dr7" ::"r"(0x400ul));
    write_cr0(read_cr0() | CR0_AM);
    s = lab_start(load, 3);
    s.bx = TAGGED(TAG, at + 1);
    s.flags |= FLAGS_AC;
    lab_go(&s);
    LAB_EVENT(&s, LAB_AC, 0, load, "#AC through a pointer with metadata");
}

/* Compatibility mode has 32-bit linear addresses: nothing to mask, nothing changes. */
static void compatibility_mode(void)
{
    masking(LAM_U48, LAM_SUP);
    struct lab_state s = lab_start(load_byte, 3);
    s.cs = LAB_CODE32_3;
    s.bx = (unsigned long)window_memory[1];
    lab_go(&s);
    LAB_EQUAL(s.vector, LAB_DONE, "compatibility mode");
}

int main(void)
{
    extern uint64_t boot_pml4[];
    lab_init();
    lab_user_pages();
    window_open();
    boot_pml4[256] = boot_pml4[1];
    cr3 = read_cr3();
    cr4 = read_cr4();
    control_registers();
    accesses();
    the_same_data();
    behind_the_mask();
    stacks();
    fetches();
    page_faults();
    invalidation();
    bases();
    checked_steps();
    compatibility_mode();
    masking(0, 0);
    lab_end();
}
