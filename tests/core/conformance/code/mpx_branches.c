/*
 * conformance: the BND prefix: which branches initialize the bounds registers of Intel MPX, and which do not
 * SDM: 1, "CALL, RET, JMP and All Jcc" (table "Bounds Register INIT Behavior Due to BND Prefix with Branch Instructions")
 * expect: options --cpu skylake
 */
#include "bounds.h"

LAB_CODE(call_near, "call 1f\n1:");
LAB_CODE(call_register, "lea 1f(%rip), %rax\n\tcall *%rax\n1:");
LAB_CODE(call_memory, "lea 1f(%rip), %rax\n\tpush %rax\n\tcall *(%rsp)\n1:");
LAB_CODE(jump_near, ".byte 0xe9, 0, 0, 0, 0");
LAB_CODE(jump_register, "lea 1f(%rip), %rax\n\tjmp *%rax\n1:");
LAB_CODE(jump_memory, "lea 1f(%rip), %rax\n\tpush %rax\n\tjmp *(%rsp)\n1:");
LAB_CODE(return_near, "lea 1f(%rip), %rax\n\tpush %rax\n\tret\n1:");
LAB_CODE(return_n, "lea 1f(%rip), %rax\n\tpush %rax\n\tret $8\n1:");
LAB_CODE(jcc_short, ".byte 0x74, 0");
LAB_CODE(jcc_near, ".byte 0x0f, 0x84, 0, 0, 0, 0");
LAB_CODE(jump_short, ".byte 0xeb, 0");
LAB_CODE(loop_it, ".byte 0xe2, 0");
LAB_CODE(jrcxz_it, ".byte 0xe3, 0");
LAB_CODE(far_return, "mov %cs, %eax\n\tpush %rax\n\tlea 1f(%rip), %rax\n\tpush %rax\n\tlretq\n1:");
LAB_CODE(
    iret_it,
    "mov %rsp, %rdx\n\tmov %ss, %eax\n\tpush %rax\n\tpush %rdx\n\tpushf\n\tmov %cs, %eax\n\tpush %rax\n\t"
    "lea 1f(%rip), %rax\n\tpush %rax\n\tiretq\n1:");
/* the same with the prefix */
LAB_CODE(bnd_call, ".byte 0xf2\n\tcall 1f\n1:");
LAB_CODE(bnd_call_register, "lea 1f(%rip), %rax\n\t.byte 0xf2\n\tcall *%rax\n1:");
LAB_CODE(bnd_jump, ".byte 0xf2, 0xe9, 0, 0, 0, 0");
LAB_CODE(bnd_jump_register, "lea 1f(%rip), %rax\n\t.byte 0xf2\n\tjmp *%rax\n1:");
LAB_CODE(bnd_return, "lea 1f(%rip), %rax\n\tpush %rax\n\t.byte 0xf2\n\tret\n1:");
LAB_CODE(bnd_return_n, "lea 1f(%rip), %rax\n\tpush %rax\n\t.byte 0xf2\n\tret $8\n1:");
LAB_CODE(bnd_jcc_short, ".byte 0xf2, 0x74, 0");
LAB_CODE(bnd_jcc_near, ".byte 0xf2, 0x0f, 0x84, 0, 0, 0, 0");
/* several in a row; a loop whose last branch is the first without the prefix */
LAB_CODE(bnd_then_not, ".byte 0xf2\n\tcall 1f\n1:\tcall 2f\n2:");
LAB_CODE(loops, "mov $100, %ecx\n1:\tdec %ecx\n\t.byte 0xf2\n\tjnz 1b\n\tnop");
LAB_CODE(made_in_a_loop,
         "mov $100, %ecx\n1:\tbndmk (%rcx), %bnd0\n\tbndmk (%rcx), %bnd3\n\tdec %ecx\n\tjnz 1b\n\tnop");
LAB_CODE(bad_jump, "jmp *%rbx");
LAB_CODE(bad_call, "call *%rbx");
LAB_CODE(bnd_bad_jump, ".byte 0xf2\n\tjmp *%rbx");
LAB_CODE(bnd_bad_call, ".byte 0xf2\n\tcall *%rbx");
LAB_CODE(bnd_bad_return, "push %rbx\n\t.byte 0xf2\n\tret");
LAB_CODE(bad_return, "push %rbx\n\tret");
LAB_CODE(good_then_bad_jump, "call 1f\n1:\tjmp *%rbx");
LAB_CODE(faulting_return, "mov %rbx, %rsp\n\tret");

/* DR7 with a data breakpoint, which nothing hits (DR0 is 0): each instruction is checked by itself. */
#define CHECKED 0xd0401ul

static const struct {
    const char *name;
    const uint8_t *code;
    unsigned long zero; /* RFLAGS.ZF */
    bool keeps;
} rows[] = {
    {"CALL rel32", call_near, 0, false},
    {"CALL r64", call_register, 0, false},
    {"CALL m64", call_memory, 0, false},
    {"JMP rel32", jump_near, 0, false},
    {"JMP r64", jump_register, 0, false},
    {"JMP m64", jump_memory, 0, false},
    {"RET", return_near, 0, false},
    {"RET imm16", return_n, 0, false},
    {"JZ rel8, taken", jcc_short, 0x40, false},
    {"JZ rel8, not taken", jcc_short, 0, false},
    {"JZ rel32, taken", jcc_near, 0x40, false},
    {"JZ rel32, not taken", jcc_near, 0, false},
    {"JMP rel8", jump_short, 0, true},
    {"LOOP", loop_it, 0, true},
    {"JRCXZ", jrcxz_it, 0, true},
    {"far RET", far_return, 0, true},
    {"IRET", iret_it, 0, true},
    {"BND CALL rel32", bnd_call, 0, true},
    {"BND CALL r64", bnd_call_register, 0, true},
    {"BND JMP rel32", bnd_jump, 0, true},
    {"BND JMP r64", bnd_jump_register, 0, true},
    {"BND RET", bnd_return, 0, true},
    {"BND RET imm16", bnd_return_n, 0, true},
    {"BND JZ rel8", bnd_jcc_short, 0x40, true},
    {"BND JZ rel32", bnd_jcc_near, 0x40, true},
    {"a loop by BND JNZ", loops, 0, true},
    {"BND CALL, then CALL", bnd_then_not, 0, false},
};

static void each(unsigned long dr7, const char *mode)
{
    const uint64_t without = BOUNDS_ENABLE, with = BOUNDS_ENABLE | BOUNDS_PRESERVE;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (unsigned preserve = 0; preserve < 2; preserve++) {
            struct lab_state s = lab_start(rows[i].code, 3);
            s.flags |= rows[i].zero;
            __asm__ volatile("mov %0, %%dr7" ::"r"(dr7));
            bounds_configure(preserve ? with : without, with);
            bounds_fill();
            lab_go(&s);
            LAB_EQUAL(s.vector, LAB_DONE, "%s%s", rows[i].name, mode);
            bounds_all(rows[i].keeps || preserve, rows[i].name);
        }
        /* not enabled */
        struct lab_state s = lab_start(rows[i].code, 3);
        s.flags |= rows[i].zero;
        bounds_configure(0, with);
        bounds_fill();
        lab_go(&s);
        bounds_all(true, rows[i].name);
    }
}

/* A branch that faults has done nothing; one before it has. */
static void faults(void)
{
    static const struct {
        const char *name;
        const uint8_t *code;
        unsigned vector;
        bool initialized;
        unsigned pushed; /* bytes, before the branch that faults */
    } bad[] = {{"JMP", bad_jump, LAB_GP, false, 0},
               {"CALL", bad_call, LAB_GP, false, 0},
               {"RET", bad_return, LAB_GP, false, 8},
               {"BND JMP", bnd_bad_jump, LAB_GP, false, 0},
               {"BND CALL", bnd_bad_call, LAB_GP, false, 0},
               {"BND RET", bnd_bad_return, LAB_GP, false, 8},
               {"CALL, then JMP", good_then_bad_jump, LAB_GP, true, 8},
               {"RET from an address that is not canonical", faulting_return, LAB_SS, false, 0}};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (unsigned checked = 0; checked < 2; checked++) {
            struct lab_state s = lab_start(bad[i].code, 3);
            const unsigned long sp = s.sp;
            s.bx = MIDDLE_OF_NOWHERE;
            __asm__ volatile("mov %0, %%dr7" ::"r"(checked ? CHECKED : 0x400ul));
            bounds_configure(BOUNDS_ENABLE, BOUNDS_ENABLE | BOUNDS_PRESERVE);
            bounds_fill();
            lab_go(&s);
            LAB_EQUAL(s.vector, bad[i].vector, "%s to an address that is not canonical%s", bad[i].name,
                      checked ? ", breakpoints on" : "");
            bounds_all(!bad[i].initialized, bad[i].name);
            if (bad[i].vector == LAB_GP)
                LAB_EQUAL(s.sp, sp - bad[i].pushed, "%s: RSP", bad[i].name);
        }
    }
    __asm__ volatile("mov %0, %%dr7" ::"r"(0x400ul));
}

static void loops_that_make(void)
{
    struct lab_state s = lab_start(made_in_a_loop, 3);
    bounds_configure(BOUNDS_ENABLE, BOUNDS_ENABLE | BOUNDS_PRESERVE);
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, s.ip, "a loop that makes bounds");
    bounds_all(false, "its last JNZ");
    s = lab_start(made_in_a_loop, 3);
    bounds_configure(BOUNDS_ENABLE | BOUNDS_PRESERVE, BOUNDS_ENABLE | BOUNDS_PRESERVE);
    lab_go(&s);
    bounds_are(0, 1, ~1ul, "the same with BNDPRESERVE");
    s = lab_start(made_in_a_loop, 3); /* the same code again, as it was translated */
    bounds_configure(BOUNDS_ENABLE, BOUNDS_ENABLE | BOUNDS_PRESERVE);
    lab_go(&s);
    bounds_all(false, "and without again");
}

int main(void)
{
    lab_init();
    lab_user_pages();
    bounds_switch_on();
    each(0x400, "");
    each(CHECKED, ", breakpoints on");
    faults();
    loops_that_make();
    lab_end();
}
