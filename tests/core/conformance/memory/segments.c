/*
 * conformance: segment limits, types, expand-down and null segments, at loading and at each access
 * SDM: 3A, "Segment Limit Checking", "Type Checking", "Null Segment Selector Checking"
 * SDM: 3A, "Segment Descriptors" and "Code- and Data-Segment Descriptor Types"
 * SDM: 2B, "MOV—Move" (protected-mode exceptions)
 * conformance-bits: 32
 */
#include "lab.h"

enum {
    SELECTOR = LAB_FREE,
    BYTE_GRANULAR = 4, /* flags: B = 1, G = 0 */
    SMALL = 0,         /* B = 0, G = 0 */
    READ_ONLY = 0x91,
    EXPAND_DOWN = 0x97,
    EXPAND_DOWN_READ_ONLY = 0x95,
    EXECUTE_ONLY = 0x99,
    CODE = 0x9b,
    CONFORMING = 0x9f,
    DATA = 0x93,
    ABSENT_DATA = 0x13,
    SYSTEM_LDT = 0x82,
};

static uint8_t memory[0x11000] __attribute__((aligned(4096)));

struct access {
    const char *name;
    unsigned access, flags;
    uint32_t limit, offset;
    uint8_t size;
    bool write, faults;
};

static const struct access accesses[] = {
    {"the last byte", DATA, BYTE_GRANULAR, 0xfff, 0xfff, 1, false, false},
    {"a byte beyond", DATA, BYTE_GRANULAR, 0xfff, 0x1000, 1, false, true},
    {"the last word", DATA, BYTE_GRANULAR, 0xfff, 0xffe, 2, true, false},
    {"a word over the end", DATA, BYTE_GRANULAR, 0xfff, 0xfff, 2, true, true},
    {"the last doubleword", DATA, BYTE_GRANULAR, 0xfff, 0xffc, 4, true, false},
    {"a doubleword over the end", DATA, BYTE_GRANULAR, 0xfff, 0xffd, 4, false, true},
    {"limit 0: byte 0", DATA, BYTE_GRANULAR, 0, 0, 1, true, false},
    {"limit 0: byte 1", DATA, BYTE_GRANULAR, 0, 1, 1, false, true},
    {"limit 0 in pages: its last byte", DATA, LAB_FLAGS_32, 0, 0xfff, 1, true, false},
    {"limit 0 in pages: beyond", DATA, LAB_FLAGS_32, 0, 0x1000, 1, true, true},
    {"read-only: read", READ_ONLY, LAB_FLAGS_32, 0xfffff, 0, 4, false, false},
    {"read-only: write", READ_ONLY, LAB_FLAGS_32, 0xfffff, 0, 4, true, true},
    {"code: read", CODE, LAB_FLAGS_32, 0xfffff, 0, 4, false, false},
    {"code: write", CODE, LAB_FLAGS_32, 0xfffff, 0, 4, true, true},
    {"conforming code: write", CONFORMING, LAB_FLAGS_32, 0xfffff, 0, 1, true, true},
    {"expand-down: at the limit", EXPAND_DOWN, BYTE_GRANULAR, 0xfff, 0xfff, 1, false, true},
    {"expand-down: above it", EXPAND_DOWN, BYTE_GRANULAR, 0xfff, 0x1000, 1, true, false},
    {"expand-down: a word across it", EXPAND_DOWN, BYTE_GRANULAR, 0xfff, 0xfff, 2, true, true},
    {"expand-down, B = 1: above FFFFH", EXPAND_DOWN, BYTE_GRANULAR, 0xfff, 0x10000, 4, true, false},
    {"expand-down, B = 0: FFFFH", EXPAND_DOWN, SMALL, 0xfff, 0xffff, 1, true, false},
    {"expand-down, B = 0: a word at FFFFH", EXPAND_DOWN, SMALL, 0xfff, 0xffff, 2, true, true},
    {"expand-down, B = 0: 10000H", EXPAND_DOWN, SMALL, 0xfff, 0x10000, 1, false, true},
    {"expand-down, read-only: write", EXPAND_DOWN_READ_ONLY, BYTE_GRANULAR, 0xfff, 0x1000, 1, true, true},
    {"expand-down of limit FFFFFH in pages: nothing", EXPAND_DOWN, LAB_FLAGS_32, 0xfffff, 0x10000, 1, false,
     true},
};

static void load_fs(unsigned selector)
{
    LAB_TRY("mov %w0, %%fs", : : "r"(selector) : "memory");
}

static void define(unsigned access, unsigned flags, uint32_t limit)
{
    lab_gdt[SELECTOR / 8] = lab_descriptor((uint32_t)(uintptr_t)memory, limit, access, flags);
}

static void one_access(const struct access *a)
{
    uint32_t value = 0;
    define(a->access, a->flags, a->limit);
    load_fs(SELECTOR);
    LAB_NO_EVENT("%s: FS is loaded", a->name);
    if (a->write && a->size == 1)
        LAB_TRY("movb %%al, %%fs:(%0)", : : "r"(a->offset), "a"(value) : "memory");
    else if (a->write && a->size == 2)
        LAB_TRY("movw %%ax, %%fs:(%0)", : : "r"(a->offset), "a"(value) : "memory");
    else if (a->write)
        LAB_TRY("movl %%eax, %%fs:(%0)", : : "r"(a->offset), "a"(value) : "memory");
    else if (a->size == 1)
        LAB_TRY("movb %%fs:(%1), %%al", : "+a"(value) : "r"(a->offset) : "memory");
    else if (a->size == 2)
        LAB_TRY("movw %%fs:(%1), %%ax", : "+a"(value) : "r"(a->offset) : "memory");
    else
        LAB_TRY("movl %%fs:(%1), %%eax", : "+a"(value) : "r"(a->offset) : "memory");
    if (a->faults)
        LAB_FAULT(LAB_GP, 0, "%s", a->name);
    else
        LAB_NO_EVENT("%s", a->name);
}

static void loads(void)
{
    static const struct {
        const char *name;
        unsigned access, selector, vector;
    } load[] = {
        {"execute-only code", EXECUTE_ONLY, SELECTOR, LAB_GP},
        {"an LDT's descriptor", SYSTEM_LDT, SELECTOR, LAB_GP},
        {"not present", ABSENT_DATA, SELECTOR, LAB_NP},
        {"DPL 0, RPL 3", DATA, SELECTOR | 3, LAB_GP},
        {"conforming code, RPL 3", CONFORMING, SELECTOR | 3, LAB_NOTHING},
        {"beyond the GDT", DATA, LAB_GDT_ENTRIES * 8, LAB_GP},
        {"in an LDT that is not there", DATA, SELECTOR | 4, LAB_GP},
    };
    for (unsigned i = 0; i < sizeof load / sizeof *load; i++) {
        define(load[i].access, LAB_FLAGS_32, 0xfffff);
        load_fs(load[i].selector);
        if (load[i].vector == LAB_NOTHING)
            LAB_NO_EVENT("FS: %s", load[i].name);
        else
            LAB_FAULT(load[i].vector, load[i].selector & ~3u, "FS: %s", load[i].name);
    }
}

static void load_ss(unsigned access, unsigned selector, unsigned vector, const char *name)
{
    define(access, LAB_FLAGS_32, 0xfffff);
    LAB_TRY("mov %w0, %%ss", : : "r"(selector) : "memory");
    LAB_FAULT(vector, selector & ~3u, "SS: %s", name);
}

static void null_segments(void)
{
    uint32_t value = 0;
    for (unsigned rpl = 0; rpl < 4; rpl++) {
        load_fs(rpl);
        LAB_NO_EVENT("a null selector of RPL %u is loaded", rpl);
        LAB_TRY("movl %%fs:(%1), %0", : "+r"(value) : "r"(memory) : "memory");
        LAB_FAULT(LAB_GP, 0, "and reading with it faults");
        LAB_TRY("movb $1, %%fs:(%0)", : : "r"(memory) : "memory");
        LAB_FAULT(LAB_GP, 0, "and writing too");
        LAB_TRY(".byte 0x64; leal (%1), %0", : "+r"(value) : "r"(memory) : "memory");
        LAB_NO_EVENT("but LEA accesses nothing");
    }
    LAB_TRY("mov %w0, %%ss", : : "r"(0) : "memory");
    LAB_FAULT(LAB_GP, 0, "SS: null");
}

LAB_CODE(push_it, "push %eax");
LAB_CODE(pop_it, "pop %ecx");
LAB_CODE(by_ebp, "mov (%ebp), %ecx");
LAB_CODE(by_ebp_ds, "mov %ds:(%ebp), %ecx");
LAB_CODE(call_it, "call 1f\n1:");
LAB_CODE(pusha_it, "pusha");
LAB_CODE(popa_it, "popa");
LAB_CODE(enter_it, "enter $0, $0");

/* At CPL 3, so that the event has another stack. */
static void stack_segment(void)
{
    static const struct {
        const char *name;
        const uint8_t *code;
        uint32_t sp, bp;
        bool faults;
    } stack[] = {
        {"PUSH with the first byte beyond", push_it, 0x1004, 0, true},
        {"PUSH with the last byte beyond", push_it, 0x1001, 0, true},
        {"PUSH", push_it, 0x1000, 0, false},
        {"POP over the end", pop_it, 0xffd, 0, true},
        {"POP", pop_it, 0xffc, 0, false},
        {"[EBP] beyond", by_ebp, 0x800, 0x1000, true},
        {"DS:[EBP] beyond SS's limit", by_ebp_ds, 0x800, 0x1000, false},
        {"CALL", call_it, 0x1004, 0, true},
        {"PUSHA over the end", pusha_it, 0x1004, 0, true},
        {"PUSHA", pusha_it, 0x1000, 0, false},
        {"POPA over the end", popa_it, 0xfe4, 0, true},
        {"POPA", popa_it, 0xfe0, 0, false},
        {"ENTER", enter_it, 0x1004, 0, true},
    };
    define(DATA | LAB_ACCESS_DPL3, BYTE_GRANULAR, 0xfff);
    for (unsigned i = 0; i < sizeof stack / sizeof *stack; i++) {
        struct lab_state s = lab_start(stack[i].code, 3);
        s.ss = SELECTOR | 3;
        s.sp = stack[i].sp;
        s.bp = stack[i].bp;
        memset(memory + 0xf00, 0x11, 0x200);
        lab_go(&s);
        if (!stack[i].faults) {
            LAB_EQUAL(s.vector, LAB_DONE, "%s: inside the limit", stack[i].name);
            continue;
        }
        LAB_EVENT(&s, LAB_SS, 0, stack[i].code, "%s", stack[i].name);
        LAB_EQUAL(s.sp, stack[i].sp, "%s: ESP is as before", stack[i].name);
        for (unsigned k = 0xf00; k < 0x1100; k++)
            if (memory[k] != 0x11)
                LAB_CHECK(false, "%s: byte %x has changed", stack[i].name, k);
    }
}

/* inc eax; jmp +offset; ... in a code segment of a few bytes. */
static void code_segment(void)
{
    static const uint8_t code[] = {0x40, 0x40, 0xb8, 1, 0, 0, 0, 0xcd, LAB_DONE};
    static const uint8_t jump[] = {0x40, 0xeb, 0x10, 0xcd, LAB_DONE};
    static const uint8_t touch[] = {0x2e, 0xa0, 0, 0, 0, 0, 0x2e, 0xa2, 0, 0, 0, 0};
    struct lab_state s = lab_start(0, 0);
    s.cs = SELECTOR;
    define(CODE, BYTE_GRANULAR, 5); /* the last byte of MOV EAX is beyond */
    memcpy(memory, code, sizeof code);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, 2, "an instruction over CS's limit");
    LAB_EQUAL(s.ax, 2, "those before it have been executed");
    s = lab_start(0, 0);
    s.cs = SELECTOR;
    define(CODE, BYTE_GRANULAR, sizeof code - 1);
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, sizeof code, "the same up to CS's limit");
    s = lab_start(0, 0);
    s.cs = SELECTOR;
    define(CODE, BYTE_GRANULAR, 0x12);
    memcpy(memory, jump, sizeof jump);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, 1, "a jump beyond CS's limit is at fault itself");
    define(EXECUTE_ONLY, BYTE_GRANULAR, 0xff);
    memcpy(memory, touch, sizeof touch);
    s = lab_start(0, 0);
    s.cs = SELECTOR;
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, 0, "reading execute-only code");
    define(CODE, BYTE_GRANULAR, 0xff);
    s = lab_start(0, 0);
    s.cs = SELECTOR;
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, 6, "writing code by CS, behind a read of it");
}

LAB_CODE(copy, "rep movsb");

static void strings(void)
{
    struct lab_state s = lab_start(copy, 0);
    define(DATA, BYTE_GRANULAR, 0xfff);
    s.es = SELECTOR;
    s.di = 0xff8;
    s.si = (unsigned long)memory + 0x2000;
    s.cx = 20;
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, copy, "REP MOVSB over ES's limit");
    LAB_EQUAL(s.cx, 12, "eight bytes are done");
    LAB_EQUAL(s.di, 0x1000, "EDI");
    LAB_EQUAL(s.si, (unsigned long)memory + 0x2008, "ESI");
}

int main(void)
{
    lab_init();
    for (unsigned i = 0; i < sizeof accesses / sizeof *accesses; i++)
        one_access(&accesses[i]);
    loads();
    load_ss(READ_ONLY, SELECTOR, LAB_GP, "read-only");
    load_ss(CODE, SELECTOR, LAB_GP, "code");
    load_ss(ABSENT_DATA, SELECTOR, LAB_SS, "not present");
    load_ss(DATA | LAB_ACCESS_DPL3, SELECTOR, LAB_GP, "DPL 3 at CPL 0");
    load_ss(DATA, SELECTOR | 3, LAB_GP, "RPL 3 at CPL 0");
    null_segments();
    load_fs(LAB_DATA0);
    stack_segment();
    code_segment();
    strings();
    lab_end();
}
