/*
 * conformance: #AC: at CPL 3 with CR0.AM and RFLAGS.AC alone; by data sizes of 2, 4, 8 and 16 bytes; its order
 * SDM: 3A, "Interrupt 17—Alignment Check Exception (#AC)" with table "Alignment Requirements by Data Type"
 * SDM: 1, "Fundamental Data Types" (alignment), 2B, "MOVAPS—Move Aligned Packed Single Precision Floating-Point Values"
 */
#include "window.h"

#define FLAGS_AC 0x40000ul
#define CR0_AM 0x40000ul

LAB_CODE(load_1, "mov (%rbx), %al");
LAB_CODE(load_2, "mov (%rbx), %ax");
LAB_CODE(load_4, "mov (%rbx), %eax");
LAB_CODE(load_8, "mov (%rbx), %rax");
LAB_CODE(store_2, "mov %ax, (%rbx)");
LAB_CODE(store_4, "mov %eax, (%rbx)");
LAB_CODE(store_8, "mov %rax, (%rbx)");
LAB_CODE(add_4, "lock addl $1, (%rbx)");
LAB_CODE(movsd_8, "movsd (%rbx), %xmm0");
LAB_CODE(movss_4, "movss (%rbx), %xmm0");
LAB_CODE(movq_mm, "movq %mm0, (%rbx)");
LAB_CODE(fld_4, "flds (%rbx)");
LAB_CODE(fld_8, "fldl (%rbx)");
LAB_CODE(movaps_16, "movaps (%rbx), %xmm0");
LAB_CODE(movdqa_16, "movdqa %xmm0, (%rbx)");
LAB_CODE(pand_16, "pand (%rbx), %xmm0");
LAB_CODE(push_8, "mov %rbx, %rsp\n\tpush %rax");
LAB_CODE(movs_4, "mov %rbx, %rdi\n\tmovsl");
LAB_CODE(cmpxchg_16, "lock cmpxchg16b (%rbx)");

static const struct {
    const char *name;
    const uint8_t *code;
    unsigned size;
    unsigned skip; /* bytes before the instruction */
    unsigned vector;
} pieces[] = {
    {"a byte", load_1, 1, 0, LAB_AC},
    {"load of 2 bytes", load_2, 2, 0, LAB_AC},
    {"load of 4 bytes", load_4, 4, 0, LAB_AC},
    {"load of 8 bytes", load_8, 8, 0, LAB_AC},
    {"store of 2 bytes", store_2, 2, 0, LAB_AC},
    {"store of 4 bytes", store_4, 4, 0, LAB_AC},
    {"store of 8 bytes", store_8, 8, 0, LAB_AC},
    {"LOCK ADD of 4 bytes", add_4, 4, 0, LAB_AC},
    {"MOVSS", movss_4, 4, 0, LAB_AC},
    {"MOVSD", movsd_8, 8, 0, LAB_AC},
    {"MOVQ of MMX", movq_mm, 8, 0, LAB_AC},
    {"FLD m32", fld_4, 4, 0, LAB_AC},
    {"FLD m64", fld_8, 8, 0, LAB_AC},
    {"MOVAPS: #GP", movaps_16, 16, 0, LAB_GP},
    {"MOVDQA: #GP", movdqa_16, 16, 0, LAB_GP},
    {"PAND: #GP", pand_16, 16, 0, LAB_GP},
    {"PUSH", push_8, 8, 3, LAB_AC},
    {"MOVSL, its destination", movs_4, 4, 3, LAB_AC},
    {"CMPXCHG16B: #GP", cmpxchg_16, 16, 0, LAB_GP},
};

static uint8_t memory[256] __attribute__((aligned(64)));

static struct lab_state go(const uint8_t *code, unsigned displaced, unsigned ring, unsigned long flags)
{
    struct lab_state s = lab_start(code, ring);
    s.bx = (unsigned long)memory + 64 + displaced;
    s.si = (unsigned long)memory;
    s.flags |= flags;
    lab_go(&s);
    return s;
}

static void each_size(void)
{
    for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++)
        for (unsigned displaced = 0; displaced < pieces[i].size + 1; displaced++) {
            const struct lab_state s = go(pieces[i].code, displaced, 3, FLAGS_AC);
            if (displaced % pieces[i].size)
                LAB_EVENT(&s, pieces[i].vector, 0, pieces[i].code + pieces[i].skip, "%s, %u bytes off",
                          pieces[i].name, displaced);
            else
                LAB_EQUAL(s.vector, LAB_DONE, "%s, %u bytes off", pieces[i].name, displaced);
        }
}

static void not_checked(void)
{
    struct lab_state s = go(load_4, 1, 3, 0);
    LAB_EQUAL(s.vector, LAB_DONE, "RFLAGS.AC = 0: no #AC");
    s = go(load_4, 1, 0, FLAGS_AC);
    LAB_EQUAL(s.vector, LAB_DONE, "CPL 0: no #AC");
    s = go(movaps_16, 8, 0, 0);
    LAB_EVENT(&s, LAB_GP, 0, movaps_16, "MOVAPS is aligned at CPL 0 too");
    write_cr0(read_cr0() & ~CR0_AM);
    s = go(load_4, 1, 3, FLAGS_AC);
    LAB_EQUAL(s.vector, LAB_DONE, "CR0.AM = 0: no #AC");
    write_cr0(read_cr0() | CR0_AM);
}

LAB_CODE(set_ac, "pushfq\n\torl $0x40000, (%rsp)\n\tpopfq");
LAB_CODE(then_load, "mov (%rbx), %eax");
LAB_CODE(null_load, "mov %ax, %ds"); /* a supervisor's access to the GDT */

static void taking_effect(void)
{
    static uint8_t code[64];
    memcpy(code, set_ac, (size_t)(then_load - set_ac) - 2);
    memcpy(code + (then_load - set_ac) - 2, then_load, 16);
    struct lab_state s = go(code, 2, 3, 0);
    LAB_EVENT(&s, LAB_AC, 0, code + (then_load - set_ac) - 2, "POPF sets AC: the next access is checked");
    s = go(null_load, 0, 3, FLAGS_AC);
    LAB_EVENT(&s, LAB_DONE, 0, null_load + 4, "MOV DS of a null selector is no access of the program");
}

/* A page fault has priority over #AC only on the way of the address: #AC comes first. */
static void order(void)
{
    struct lab_state s = lab_start(load_4, 3);
    s.flags |= FLAGS_AC;
    s.bx = (unsigned long)window_map(1, 1, 0) + 1;
    lab_go(&s);
    LAB_EVENT(&s, LAB_AC, 0, load_4, "misaligned in a page that is not present");
    s.bx = 1ul << 63 | 1;
    s.ip = (unsigned long)load_4;
    s.cs = LAB_CODE3;
    lab_go(&s);
    LAB_EQUAL(s.vector, LAB_GP, "misaligned and not canonical: #GP");
}

int main(void)
{
    lab_init();
    lab_user_pages();
    window_open();
    write_cr0(read_cr0() | CR0_AM);
    each_size();
    not_checked();
    taking_effect();
    order();
    lab_end();
}
