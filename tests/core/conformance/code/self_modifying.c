/*
 * conformance: code that is changed: by itself, through an alias mapping, across pages, by each kind of store
 * SDM: 3A, "Handling Self- and Cross-Modifying Code", "Self-Modifying Code"
 * SDM: 1, "Serializing Instructions"
 */
#include "window.h"

enum { CODE = 2, ALIAS = 6, ALIAS_NEXT = 7 };

static uint8_t *code, *alias;

/* MOV EAX, imm32; INT 20H, at byte `at` of the page. */
static void put(uint8_t *to, uint32_t value)
{
    const uint8_t bytes[] = {
        0xb8, (uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24),
        0xcd, LAB_DONE};
    for (unsigned i = 0; i < sizeof bytes; i++)
        ((volatile uint8_t *)to)[i] = bytes[i];
}

static unsigned long run(const uint8_t *at)
{
    struct lab_state s = lab_start(at, 0);
    lab_go(&s);
    return s.vector == LAB_DONE ? s.ax : s.vector << 32;
}

/* Each offset near and over the page's end; by the mapping that runs and by another. */
static void aliases(void)
{
    for (unsigned offset = 0; offset < 2 * PAGE - 8;
         offset += offset < PAGE - 12 || offset > PAGE ? 511 : 1) {
        put(code + offset, 0x1000 + offset);
        bool good = run(code + offset) == 0x1000 + offset;
        put(code + offset, 0x2000 + offset);
        good = good && run(code + offset) == 0x2000 + offset;
        put(alias + offset, 0x3000 + offset);
        good = good && run(code + offset) == 0x3000 + offset;
        good = good && run(alias + offset) == 0x3000 + offset;
        put(code + offset, 0x4000 + offset);
        good = good && run(alias + offset) == 0x4000 + offset;
        LAB_CHECK(good, "offset %x: changed by its own mapping and by the other", offset);
    }
}

LAB_CODE(by_mov, "mov %eax, (%rbx)");
LAB_CODE(by_xchg, "xchg %eax, (%rbx)");
LAB_CODE(by_add, "lock add %ecx, (%rbx)");
LAB_CODE(by_cmpxchg, "mov $1, %eax\n\tmov $5, %ecx\n\tlock cmpxchg %ecx, (%rbx)");
LAB_CODE(by_sse, "movups (%rsi), %xmm0\n\tmovups %xmm0, -8(%rbx)");
LAB_CODE(by_movs, "mov %rbx, %rdi\n\tmovsl");
LAB_CODE(by_rep_stos, "mov %rbx, %rdi\n\tmov $4, %ecx\n\tmov $5, %eax\n\trep stosb");
LAB_CODE(by_push, "lea 8(%rbx), %rsp\n\tmov $0x20cd00000005, %rax\n\tpush %rax");
LAB_CODE(by_bts, "btsl $7, (%rbx)");
LAB_CODE(by_fist, "push $5\n\tfildl (%rsp)\n\tfistpl (%rbx)");

/* The immediate of MOV EAX is 1 and is changed once the code has run. */
static void each_store(void)
{
    static const struct {
        const char *name;
        const uint8_t *code;
        uint32_t expected;
    } stores[] = {
        {"MOV", by_mov, 5},
        {"XCHG", by_xchg, 5},
        {"LOCK ADD", by_add, 4 + 1},
        {"LOCK CMPXCHG", by_cmpxchg, 5},
        {"MOVUPS", by_sse, 0x0d0c0b0a},
        {"MOVSD", by_movs, 0x05040302},
        {"REP STOSB", by_rep_stos, 0x05050505},
        {"PUSH", by_push, 5},
        {"BTS", by_bts, 0x81},
        {"FISTP", by_fist, 5},
    };
    for (unsigned over = 0; over < 2; over++)
        for (unsigned i = 0; i < sizeof stores / sizeof *stores; i++) {
            uint8_t *at = code + (over ? PAGE - 3 : 0x100);
            put(at, 1);
            const unsigned long before = run(at);
            struct lab_state s = lab_start(stores[i].code, 0);
            s.bx = (unsigned long)at + 1;
            s.ax = 5;
            s.cx = 4;
            s.si = (unsigned long)window_memory[9];
            for (unsigned k = 0; k < 16; k++)
                window_memory[9][k] = (uint8_t)(k + 2);
            if (stores[i].code == by_sse) { /* its other bytes are the code's own */
                for (unsigned k = 0; k < 16; k++)
                    window_memory[9][k] = k >= 8 && k < 12 ? (uint8_t)(k + 2) : at[1 - 8 + (int)k];
            }
            lab_go(&s);
            LAB_EQUAL(s.vector, LAB_DONE, "%s is executed", stores[i].name);
            LAB_EQUAL(before, 1, "%s: before", stores[i].name);
            LAB_EQUAL(run(at), stores[i].expected, "%s%s: after", stores[i].name,
                      over ? ", across two pages" : "");
        }
}

LAB_LABEL(next_one);
LAB_LABEL(far_one);
LAB_LABEL(loop_body);
LAB_CODE(changes_next, "movb $0x77, next_one + 1\nnext_one: mov $0x11, %al");
LAB_CODE(changes_far, "movb $0x77, far_one + 1\n\tnop\n\tnop\n\tjmp 1f\n1:\tnop\nfar_one: mov $0x11, %al");
LAB_CODE(changes_loop, "xor %eax, %eax\n\tmov $5, %ecx\nloop_body: add $1, %eax\n\tincb loop_body + 2\n\tdec "
                       "%ecx\n\tjnz loop_body");

/* SDM: a processor of the P6 family and later sees a store to the very next instruction. */
static void by_itself(void)
{
    struct lab_state s = lab_start(changes_next, 0);
    lab_go(&s);
    LAB_EQUAL(s.ax, 0x77, "the very next instruction");
    s = lab_start(changes_far, 0);
    lab_go(&s);
    LAB_EQUAL(s.ax, 0x77, "one behind a jump");
    s = lab_start(changes_loop, 0);
    lab_go(&s);
    LAB_EQUAL(s.ax, 1 + 2 + 3 + 4 + 5, "an immediate of a loop, in each round");
}

/* The linear page gets other memory: with INVLPG the new code is run. */
static void remapped(void)
{
    put(window_memory[10], 0xaaaa);
    put(window_memory[11], 0xbbbb);
    const uint8_t *at = window_map(12, 10, PAGE_ALL);
    LAB_EQUAL(run(at), 0xaaaa, "the first memory");
    window_map(12, 11, PAGE_ALL);
    LAB_EQUAL(run(at), 0xbbbb, "the second, once the translation is gone");
    put(window_memory[10], 0xcccc);
    window_map(12, 10, PAGE_ALL);
    LAB_EQUAL(run(at), 0xcccc, "the first, changed meanwhile");
}

int main(void)
{
    lab_init();
    window_open();
    code = window_at(CODE);
    alias = window_map(ALIAS, CODE, PAGE_ALL);
    window_map(ALIAS_NEXT, CODE + 1, PAGE_ALL);
    by_itself();
    aliases();
    each_store();
    remapped();
    lab_end();
}
