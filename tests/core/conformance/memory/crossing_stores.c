/*
 * conformance: an instruction that faults on the second page has changed nothing of the first; error code and CR2
 * SDM: 3A, "Interrupt 14—Page-Fault Exception (#PF)" with "Program State Change"
 * SDM: 3A, "Exception Classifications" (faults: the state from before the instruction)
 * SDM: 2A, "FXSAVE—Save x87 FPU, MMX Technology, and SSE State", 2B, "PUSHA/PUSHAD", "XADD—Exchange and Add"
 */
#include "window.h"

enum { FIRST = 2, SECOND = 3, FILL = 0x44 };

LAB_CODE(mov_2, "mov %ax, (%rbx)");
LAB_CODE(mov_4, "mov %eax, (%rbx)");
LAB_CODE(mov_8, "mov %rax, (%rbx)");
LAB_CODE(movnti_8, "movnti %rax, (%rbx)");
LAB_CODE(movups_16, "movups %xmm0, (%rbx)");
LAB_CODE(movdqu_16, "movdqu %xmm0, (%rbx)");
LAB_CODE(movupd_16, "movupd %xmm0, (%rbx)");
LAB_CODE(maskmov_16, "mov %rbx, %rdi\n\tpcmpeqd %xmm1, %xmm1\n\tmaskmovdqu %xmm1, %xmm0");
LAB_CODE(movlps_8, "movlps %xmm0, (%rbx)");
LAB_CODE(fxsave_512, "fxsave (%rbx)");
LAB_CODE(fnsave_108, "fnsave (%rbx)");
LAB_CODE(fnstenv_28, "fnstenv (%rbx)");
LAB_CODE(fstp_10, "fldz\n\tfstpt (%rbx)");
LAB_CODE(fstp_8, "fldz\n\tfstpl (%rbx)");
LAB_CODE(fbstp_10, "fldz\n\tfbstp (%rbx)");
LAB_CODE(push_8, "mov %rbx, %rsp\n\tadd $8, %rsp\n\tpush %rax");
LAB_CODE(pushf_8, "lea 8(%rbx), %rsp\n\tpushfq");
LAB_CODE(call_8, "lea 8(%rbx), %rsp\n\tcall 1f\n1:");
LAB_CODE(enter_8, "lea 8(%rbx), %rsp\n\tenter $16, $0");
LAB_CODE(push_memory, "lea 8(%rbx), %rsp\n\tpushq (%rsi)");
LAB_CODE(add_8, "add %rax, (%rbx)");
LAB_CODE(lock_add_8, "lock add %rax, (%rbx)");
LAB_CODE(inc_4, "incl (%rbx)");
LAB_CODE(not_8, "notq (%rbx)");
LAB_CODE(shl_8, "shlq $1, (%rbx)");
LAB_CODE(bts_8, "btsq $3, (%rbx)");
LAB_CODE(xadd_8, "xadd %rax, (%rbx)");
LAB_CODE(xchg_8, "xchg %rax, (%rbx)");
LAB_CODE(cmpxchg_8, "cmpxchg %rcx, (%rbx)");
LAB_CODE(cmpxchg8b_8, "cmpxchg8b (%rbx)");
LAB_CODE(movs_8, "mov %rbx, %rdi\n\tmovsq");
LAB_CODE(stos_8, "mov %rbx, %rdi\n\tstosq");
LAB_CODE(pop_8, "mov %rsi, %rsp\n\tpopq (%rbx)");

static const struct piece {
    const char *name;
    const uint8_t *code;
    unsigned skip; /* bytes before the instruction */
    unsigned size, step;
} pieces[] = {
    {"MOV of 2 bytes", mov_2, 0, 2, 1},
    {"MOV of 4 bytes", mov_4, 0, 4, 1},
    {"MOV of 8 bytes", mov_8, 0, 8, 1},
    {"MOVNTI", movnti_8, 0, 8, 1},
    {"MOVUPS", movups_16, 0, 16, 1},
    {"MOVDQU", movdqu_16, 0, 16, 1},
    {"MOVUPD", movupd_16, 0, 16, 1},
    {"MASKMOVDQU", maskmov_16, 7, 16, 1},
    {"MOVLPS", movlps_8, 0, 8, 1},
    {"FXSAVE", fxsave_512, 0, 512, 16},
    {"FNSAVE", fnsave_108, 0, 108, 9},
    {"FNSTENV", fnstenv_28, 0, 28, 3},
    {"FSTP m80", fstp_10, 2, 10, 1},
    {"FSTP m64", fstp_8, 2, 8, 1},
    {"FBSTP", fbstp_10, 2, 10, 1},
    {"PUSH", push_8, 7, 8, 1},
    {"PUSHF", pushf_8, 4, 8, 1},
    {"CALL", call_8, 4, 8, 1},
    {"ENTER", enter_8, 4, 8, 1},
    {"PUSH of memory", push_memory, 4, 8, 1},
    {"ADD", add_8, 0, 8, 1},
    {"LOCK ADD", lock_add_8, 0, 8, 1},
    {"INC", inc_4, 0, 4, 1},
    {"NOT", not_8, 0, 8, 1},
    {"SHL", shl_8, 0, 8, 1},
    {"BTS", bts_8, 0, 8, 1},
    {"XADD", xadd_8, 0, 8, 1},
    {"XCHG", xchg_8, 0, 8, 1},
    {"CMPXCHG", cmpxchg_8, 0, 8, 1},
    {"CMPXCHG8B", cmpxchg8b_8, 0, 8, 1},
    {"MOVSQ", movs_8, 3, 8, 1},
    {"STOSQ", stos_8, 3, 8, 1},
    {"POP to memory", pop_8, 3, 8, 1},
};

static bool untouched(unsigned memory)
{
    for (unsigned i = 0; i < PAGE; i++)
        if (window_memory[memory][i] != FILL)
            return false;
    return true;
}

/* rights of the two pages; which of them faults, with which code. */
static void one(const struct piece *p, unsigned inside, unsigned long first, unsigned long second,
                unsigned error_code)
{
    uint8_t *const at = window_map(FIRST, FIRST, first) + PAGE - inside;
    uint8_t *const end = window_map(SECOND, SECOND, second);
    struct lab_state s = lab_start(p->code, 3);
    memset(window_memory[FIRST], FILL, PAGE);
    memset(window_memory[SECOND], FILL, PAGE);
    s.bx = (unsigned long)at;
    s.si = (unsigned long)window_memory[8] + 64;
    s.ax = 0x0102030405060708ul;
    lab_go(&s);
    const bool good = s.vector == LAB_PF && s.error_code == error_code &&
                      s.ip == (unsigned long)p->code + p->skip &&
                      s.cr2 == (unsigned long)(first == PAGE_ALL ? end : at);
    if (!good || !untouched(FIRST) || !untouched(SECOND) || s.ax != 0x0102030405060708ul)
        LAB_CHECK(false, "%s, %u bytes in the first page, %x %x: vector %x, code %x, CR2 %lx, RIP %lx",
                  p->name, inside, (unsigned)first, (unsigned)second, (unsigned)s.vector,
                  (unsigned)s.error_code, s.cr2, s.ip - (unsigned long)p->code);
}

static void each_split(const struct piece *p)
{
    for (unsigned inside = p->step; inside < p->size; inside += p->step) {
        one(p, inside, PAGE_ALL, 0, PF_W | PF_U);
        one(p, inside, PAGE_ALL, PAGE_P | PAGE_U, PF_P | PF_W | PF_U);
        one(p, inside, PAGE_ALL, PAGE_P | PAGE_W, PF_P | PF_W | PF_U);
        one(p, inside, 0, PAGE_ALL, PF_W | PF_U);
        one(p, inside, PAGE_P | PAGE_U, PAGE_ALL, PF_P | PF_W | PF_U);
    }
    LAB_CHECK(true, "%s: nothing is stored when one of two pages faults", p->name);
    uint8_t *const at = window_map(FIRST, FIRST, PAGE_ALL) + PAGE - p->step;
    window_map(SECOND, SECOND, PAGE_ALL);
    struct lab_state s = lab_start(p->code, 3);
    s.bx = (unsigned long)at;
    s.si = (unsigned long)window_memory[8] + 64;
    s.ax = 5;
    lab_go(&s);
    LAB_EQUAL(s.vector, LAB_DONE, "%s: across two pages that are there", p->name);
}

/* The two linear pages may be any two of memory. */
static void apart(void)
{
    uint8_t *const at = window_map(FIRST, 9, PAGE_ALL) + PAGE - 3;
    window_map(SECOND, 5, PAGE_ALL);
    *(volatile uint64_t *)at = 0x0807060504030201ul;
    LAB_EQUAL(window_memory[9][PAGE - 1], 3, "the third byte is the first page's last");
    LAB_EQUAL(*(volatile uint32_t *)window_memory[5], 0x07060504, "the others are in the second");
    LAB_EQUAL(*(volatile uint64_t *)at, 0x0807060504030201ul, "and are read so");
}

/* Compatibility mode, where PUSHA exists; the stack is below 4 GiB, in a page table put in place of a large page. */
LAB_CODE(pusha_32, ".byte 0x60");
LAB_CODE(popa_32, ".byte 0x61");

static void pusha(void)
{
    enum { LARGE = 0xc0000000u >> 21 };
    extern uint64_t boot_pml4[];
    uint64_t *pdpt = (uint64_t *)(boot_pml4[0] & ~0xffful);
    uint64_t *directory = (uint64_t *)(pdpt[3] & ~0xffful);
    static uint64_t table[512] __attribute__((aligned(4096)));
    directory[LARGE & 511] = (unsigned long)table | PAGE_ALL;
    table[1] = (unsigned long)window_memory[SECOND] | PAGE_ALL;
    write_cr3(read_cr3());
    memset(window_memory[FIRST], FILL, PAGE);
    memset(window_memory[SECOND], FILL, PAGE);
    struct lab_state s = lab_start(pusha_32, 3);
    s.cs = LAB_CODE32_3;
    s.sp = 0xc0001000u + 20;
    lab_go(&s);
    LAB_EVENT(&s, LAB_PF, PF_W | PF_U, pusha_32, "PUSHAD into a page that is not there");
    LAB_EQUAL(s.sp, 0xc0001014u, "ESP is as before");
    LAB_CHECK(s.cr2 >= 0xc0000ff4u && s.cr2 < 0xc0001000u, "CR2 is in the missing page: %lx", s.cr2);
    LAB_CHECK(untouched(SECOND), "nothing is pushed");
    s = lab_start(popa_32, 3);
    s.cs = LAB_CODE32_3;
    s.sp = 0xc0000ff4u + PAGE;
    s.bx = 0x77;
    lab_go(&s);
    LAB_EVENT(&s, LAB_PF, PF_U, popa_32, "POPAD over into a page that is not there");
    LAB_CHECK(s.cr2 >= 0xc0002000u && s.cr2 < 0xc0002014u, "CR2 is in the missing page: %lx", s.cr2);
    LAB_EQUAL(s.sp, 0xc0001ff4u, "ESP");
}

int main(void)
{
    lab_init();
    lab_user_pages();
    window_open();
    for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++)
        each_split(&pieces[i]);
    apart();
    pusha();
    lab_end();
}
