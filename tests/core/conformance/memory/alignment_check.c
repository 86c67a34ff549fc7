/*
 * conformance: #AC: at CPL 3 with CR0.AM and RFLAGS.AC alone; by data types, far pointers and x87 states too; its order
 * SDM: 3A, "Interrupt 17—Alignment Check Exception (#AC)" with table "Alignment Requirements by Data Type"
 * SDM: 1, "Fundamental Data Types" (alignment), 2B, "MOVAPS—Move Aligned Packed Single Precision Floating-Point Values"
 */
#include "window.h"

#define FLAGS_AC 0x40000ul
#define FLAGS_IOPL 0x3000ul
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
LAB_CODE(fld_10, "fldt (%rbx)");
LAB_CODE(fstp_10, "fldz\n\tfstpt (%rbx)");
LAB_CODE(fbstp_10, "fldz\n\tfbstp (%rbx)");
LAB_CODE(fstenv_4, "fnstenv (%rbx)");
LAB_CODE(fstenv_2, ".byte 0x66\n\tfnstenv (%rbx)");
LAB_CODE(fsave_4, "fnsave (%rbx)");
LAB_CODE(frstor_2, ".byte 0x66\n\tfrstor (%rbx)");
LAB_CODE(fxsave_16, "fxsave (%rbx)");
LAB_CODE(lfs_2, "lfs (%rbx), %ax");
LAB_CODE(lfs_4, "lfs (%rbx), %eax");
LAB_CODE(lfs_8, ".byte 0x48, 0x0f, 0xb4, 0x03");
LAB_CODE(enter_8, "lea 64(%rbx), %rsp\n\tlea 64(%rbx), %rbp\n\tenter $0, $2");
LAB_CODE(sldt_2, "sldt (%rbx)");
LAB_CODE(str_2, "str (%rbx)");
LAB_CODE(smsw_2, "smsw (%rbx)");
LAB_CODE(pushf_8, "mov %rbx, %rsp\n\tpushf");
LAB_CODE(popf_8, "mov %rbx, %rsp\n\tpopf");
LAB_CODE(jump_2, ".byte 0x66, 0xff, 0x2b");
LAB_CODE(jump_4, ".byte 0xff, 0x2b");
LAB_CODE(jump_8, ".byte 0x48, 0xff, 0x2b");
LAB_CODE(sgdt_it, "sgdt (%rbx)");
LAB_CODE(outs_4, "mov %rbx, %rsi\n\tmov $0x80, %edx\n\toutsl");
LAB_CODE(ins_2, "mov %rbx, %rdi\n\tmov $0x80, %edx\n\tinsw");
LAB_CODE(bound_4, ".code32\n\tbound %eax, (%ebx)\n\t.code64");
LAB_CODE(bound_2, ".code32\n\tbound %ax, (%ebx)\n\t.code64");
LAB_CODE(pusha_4, ".code32\n\tlea 128(%ebx), %esp\n\tpusha\n\t.code64");
LAB_CODE(les_4, ".code32\n\tles (%ebx), %eax\n\t.code64");
LAB_CODE(les_2, ".code32\n\tles (%ebx), %ax\n\t.code64");
LAB_CODE(sgdt_32, ".code32\n\tsgdt (%ebx)\n\t.code64");
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
    {"FLD m80", fld_10, 8, 0, LAB_AC},
    {"FSTP m80", fstp_10, 8, 2, LAB_AC},
    {"FBSTP", fbstp_10, 8, 2, LAB_AC},
    {"FNSTENV", fstenv_4, 4, 0, LAB_AC},
    {"FNSTENV with an operand size of 16 bits", fstenv_2, 2, 0, LAB_AC},
    {"FNSAVE", fsave_4, 4, 0, LAB_AC},
    {"FRSTOR with an operand size of 16 bits", frstor_2, 2, 0, LAB_AC},
    {"FXSAVE: #GP", fxsave_16, 16, 0, LAB_GP},
    {"LFS m16:16", lfs_2, 2, 0, LAB_AC},
    {"LFS m16:32", lfs_4, 4, 0, LAB_AC},
    {"LFS m16:64", lfs_8, 8, 0, LAB_AC},
    {"ENTER", enter_8, 8, 8, LAB_AC},
    {"SLDT", sldt_2, 2, 0, LAB_AC},
    {"STR", str_2, 2, 0, LAB_AC},
    {"SMSW", smsw_2, 2, 0, LAB_AC},
    {"PUSHF", pushf_8, 8, 3, LAB_AC},
    {"POPF", popf_8, 8, 3, LAB_AC},
    {"PUSH", push_8, 8, 3, LAB_AC},
    {"MOVSL, its destination", movs_4, 4, 3, LAB_AC},
    {"CMPXCHG16B: #GP", cmpxchg_16, 16, 0, LAB_GP},
};

static uint8_t memory[1024] __attribute__((aligned(64)));

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
            memset(memory, 0, sizeof memory);
            const struct lab_state s = go(pieces[i].code, displaced, 3, FLAGS_AC);
            if (displaced % pieces[i].size)
                LAB_EVENT(&s, pieces[i].vector, 0, pieces[i].code + pieces[i].skip, "%s, %u bytes off",
                          pieces[i].name, displaced);
            else
                LAB_EQUAL(s.vector, LAB_DONE, "%s, %u bytes off", pieces[i].name, displaced);
        }
}

/* With IOPL 3; and in compatibility mode what 64-bit mode lacks. */
static void others(void)
{
    static const struct {
        const char *name;
        const uint8_t *code;
        unsigned size, skip, cs, at; /* aligned where displaced + at is a multiple of the size */
    } rows[] = {
        {"OUTSL", outs_4, 4, 8, LAB_CODE3, 0},
        {"INSW", ins_2, 2, 8, LAB_CODE3, 0},
        {"BOUND of 32 bits", bound_4, 4, 0, LAB_CODE32_3, 0},
        {"BOUND of 16 bits", bound_2, 2, 0, LAB_CODE32_3, 0},
        {"PUSHA", pusha_4, 4, 6, LAB_CODE32_3, 0},
        {"LES m16:32", les_4, 4, 0, LAB_CODE32_3, 0},
        {"LES m16:16", les_2, 2, 0, LAB_CODE32_3, 0},
        {"SGDT: limit and base", sgdt_it, 8, 0, LAB_CODE3, 2},
        {"SGDT of 32 bits", sgdt_32, 4, 0, LAB_CODE32_3, 2},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        for (unsigned displaced = 0; displaced < rows[i].size + 1; displaced++) {
            struct lab_state s = lab_start(rows[i].code, 3);
            memset(memory, 0, sizeof memory);
            s.cs = rows[i].cs;
            s.bx = (unsigned long)memory + 64 + displaced;
            s.flags |= FLAGS_AC | FLAGS_IOPL;
            lab_go(&s);
            if ((displaced + rows[i].at) % rows[i].size)
                LAB_EVENT(&s, LAB_AC, 0, rows[i].code + rows[i].skip, "%s, %u bytes off", rows[i].name,
                          displaced);
            else
                LAB_EQUAL(s.vector, LAB_DONE, "%s, %u bytes off", rows[i].name, displaced);
        }
}

/* To the INT 20H of another piece of code. */
static void far_pointers(void)
{
    static const struct {
        const char *name;
        const uint8_t *code;
        unsigned size;
    } rows[] = {{"JMP m16:16", jump_2, 2}, {"JMP m16:32", jump_4, 4}, {"JMP m16:64", jump_8, 8}};
    static const uint8_t done[] = {0xcd, LAB_DONE};
    uint8_t *low = (uint8_t *)0x8000; /* an offset of 16 bits */
    __asm__("" : "+r"(low));
    memcpy(low, done, sizeof done);
    for (unsigned i = 0; i < 3; i++)
        for (unsigned displaced = 0; displaced < rows[i].size + 1; displaced++) {
            uint64_t pointer[2] = {(unsigned long)low, 0};
            const uint16_t selector = LAB_CODE3;
            memcpy((uint8_t *)pointer + rows[i].size, &selector, sizeof selector);
            memcpy(memory + 64 + displaced, pointer, 10);
            const struct lab_state s = go(rows[i].code, displaced, 3, FLAGS_AC);
            if (displaced % rows[i].size)
                LAB_EVENT(&s, LAB_AC, 0, rows[i].code, "%s, %u bytes off", rows[i].name, displaced);
            else
                LAB_EVENT(&s, LAB_DONE, 0, low + 2, "%s, %u bytes off", rows[i].name, displaced);
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
    others();
    far_pointers();
    not_checked();
    taking_effect();
    order();
    lab_end();
}
