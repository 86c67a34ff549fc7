/*
 * conformance: addresses that are not canonical: data, stack, branches, IRET, across the edge
 * SDM: 1, "Canonical Addressing"
 * SDM: 3A, "Interrupt 13—General Protection Exception (#GP)", "Interrupt 12—Stack Fault Exception (#SS)"
 * SDM: 2A, "CALL—Call Procedure", "JMP—Jump", 2B, "RET—Return From Procedure" (64-bit mode exceptions)
 */
#include "window.h"

#define LOW_END 0x0000800000000000ul /* the first that is not canonical */
#define HIGH_BEGIN 0xffff800000000000ul
#define MIDDLE 0x1234567800000000ul

LAB_CODE(load, "mov (%rbx), %rax");
LAB_CODE(store, "mov %rax, (%rbx)");
LAB_CODE(load_byte, "mov (%rbx), %al");
LAB_CODE(by_rbp, "mov (%rbp), %rax");
LAB_CODE(by_rbp_ds, "mov %ds:(%rbp), %rax");
LAB_CODE(by_fs_rbp, "mov %fs:(%rbp), %rax");
LAB_CODE(by_rsp, "mov 8(%rsp), %rax");
LAB_CODE(push_it, "push %rax");
LAB_CODE(pop_it, "pop %rax");
LAB_CODE(leave_it, "leave");
LAB_CODE(call_here, "call 1f\n1:");
LAB_CODE(movups_it, "movups (%rbx), %xmm0");
LAB_CODE(fxsave_it, "fxsave (%rbx)");
LAB_CODE(locked, "lock incq (%rbx)");
LAB_CODE(sidt_it, "sidt (%rbx)");
LAB_CODE(clflush_it, "clflush (%rbx)");
LAB_CODE(invlpg_it, "invlpg (%rbx)");
LAB_CODE(prefetch_it, "prefetcht0 (%rbx)");
LAB_CODE(lea_it, "lea (%rbx), %rax");
LAB_CODE(string, "movsb");
LAB_CODE(jump, "jmp *%rbx");
LAB_CODE(jump_memory, "jmp *(%rdi)");
LAB_CODE(call, "call *%rbx");
LAB_CODE(ret_it, "ret");
LAB_CODE(ret_n, "ret $16");

static const struct {
    const char *name;
    const uint8_t *code;
    unsigned vector;
    unsigned bytes;
} data[] = {
    {"load", load, LAB_GP, 8},
    {"store", store, LAB_GP, 8},
    {"load of a byte", load_byte, LAB_GP, 1},
    {"MOVUPS", movups_it, LAB_GP, 16},
    {"FXSAVE", fxsave_it, LAB_GP, 512},
    {"LOCK INC", locked, LAB_GP, 8},
    {"SIDT", sidt_it, LAB_GP, 10},
    {"CLFLUSH", clflush_it, LAB_GP, 1},
    {"INVLPG: no fault", invlpg_it, LAB_DONE, 1},
    {"PREFETCH: no fault", prefetch_it, LAB_DONE, 1},
    {"LEA: no fault", lea_it, LAB_DONE, 1},
    {"MOVSB from", string, LAB_GP, 1},
};

static uint8_t *edge; /* linear: the last page below LOW_END */

/* The last page of the lower half and the first of the upper one are RAM. */
static void map_the_edges(void)
{
    extern uint64_t boot_pml4[];
    static uint64_t pdpt[512] __attribute__((aligned(4096)));
    for (unsigned i = 0; i < 512; i++)
        pdpt[i] = 0;
    pdpt[511] = (unsigned long)window_tables[1] | PAGE_ALL;
    pdpt[0] = (unsigned long)window_tables[1] | PAGE_ALL;
    window_tables[1][511] = (unsigned long)window_tables[2] | PAGE_ALL;
    ((volatile uint64_t *)window_tables[2])[511] = (unsigned long)window_memory[1] | PAGE_ALL;
    boot_pml4[255] = boot_pml4[256] = (unsigned long)pdpt | PAGE_ALL;
    write_cr3(read_cr3());
    edge = (uint8_t *)(LOW_END - PAGE);
}

static struct lab_state go(const uint8_t *code, unsigned long address)
{
    struct lab_state s = lab_start(code, 3);
    s.bx = s.bp = s.si = address;
    s.di = (unsigned long)window_memory[3];
    lab_go(&s);
    return s;
}

static void accesses(void)
{
    static const unsigned long bad[] = {LOW_END, MIDDLE, HIGH_BEGIN - 512, 1ul << 63};
    struct lab_state s;
    for (unsigned i = 0; i < sizeof data / sizeof *data; i++) {
        for (unsigned k = 0; k < sizeof bad / sizeof *bad; k++) {
            if (data[i].code == invlpg_it) {
                LAB_TRY("invlpg (%0)", : : "r"(bad[k]) : "memory");
                LAB_NO_EVENT("INVLPG at %lx", bad[k]);
                continue;
            }
            s = go(data[i].code, bad[k]);
            LAB_EQUAL(s.vector, data[i].vector, "%s at %lx", data[i].name, bad[k]);
            LAB_EQUAL(s.error_code, 0, "%s: error code", data[i].name);
            if (data[i].vector == LAB_GP)
                LAB_EQUAL(s.ip, data[i].code, "%s: RIP", data[i].name);
        }
    }
    s = go(load, LOW_END - 8);
    LAB_EQUAL(s.vector, LAB_DONE, "the last quadword of the lower half");
    s = go(load, HIGH_BEGIN);
    LAB_EQUAL(s.vector, LAB_DONE, "the first quadword of the upper half");
}

static void across_the_edge(void)
{
    struct lab_state s;
    memset(edge + PAGE - 16, 0x33, 16);
    for (unsigned inside = 1; inside < 8; inside++) {
        s = go(load, LOW_END - inside);
        LAB_EVENT(&s, LAB_GP, 0, load, "a load with %u bytes below the edge", inside);
        s = go(store, LOW_END - inside);
        LAB_EVENT(&s, LAB_GP, 0, store, "a store with %u bytes below the edge", inside);
        s = go(load, HIGH_BEGIN - inside);
        LAB_EVENT(&s, LAB_GP, 0, load, "a load with %u bytes below the upper half", inside);
    }
    s = go(movups_it, LOW_END - 8);
    LAB_EVENT(&s, LAB_GP, 0, movups_it, "MOVUPS across the edge");
    s = go(locked, LOW_END - 4);
    LAB_EVENT(&s, LAB_GP, 0, locked, "LOCK INC across the edge");
    for (unsigned i = PAGE - 16; i < PAGE; i++)
        if (edge[i] != 0x33)
            LAB_CHECK(false, "byte %x has changed", i);
}

static void stack(void)
{
    static const struct {
        const char *name;
        const uint8_t *code;
    } uses[] = {{"[RBP]", by_rbp},   {"[RSP + 8]", by_rsp}, {"PUSH", push_it}, {"POP", pop_it},
                {"CALL", call_here}, {"LEAVE", leave_it},   {"RET", ret_it}};
    for (unsigned i = 0; i < sizeof uses / sizeof *uses; i++) {
        struct lab_state s = lab_start(uses[i].code, 3);
        s.sp = s.bp = MIDDLE;
        lab_go(&s);
        LAB_EVENT(&s, LAB_SS, 0, uses[i].code, "%s", uses[i].name);
        LAB_EQUAL(s.sp, MIDDLE, "%s: RSP", uses[i].name);
    }
    struct lab_state s = go(by_rbp_ds, MIDDLE);
    LAB_EVENT(&s, LAB_SS, 0, by_rbp_ds, "DS:[RBP]: the prefix means nothing in 64-bit mode");
    s = go(by_fs_rbp, MIDDLE);
    LAB_EVENT(&s, LAB_GP, 0, by_fs_rbp, "FS:[RBP] is not the stack");
}

static void branches(void)
{
    struct lab_state s = go(jump, MIDDLE);
    LAB_EVENT(&s, LAB_GP, 0, jump, "JMP: RIP is its own");
    *(volatile uint64_t *)window_memory[3] = LOW_END;
    s = go(jump_memory, 0);
    LAB_EVENT(&s, LAB_GP, 0, jump_memory, "JMP through memory");
    s = lab_start(call, 3);
    const unsigned long sp = s.sp;
    s.bx = LOW_END;
    ((volatile uint64_t *)sp)[-1] = 0x5555;
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, call, "CALL");
    LAB_EQUAL(s.sp, sp, "CALL: RSP");
    LAB_EQUAL(((volatile uint64_t *)sp)[-1], 0x5555, "CALL: nothing is pushed");
    s = lab_start(ret_it, 3);
    *(volatile uint64_t *)s.sp = MIDDLE;
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, ret_it, "RET");
    LAB_EQUAL(s.sp, sp, "RET: RSP");
    s = lab_start(ret_n, 3);
    *(volatile uint64_t *)s.sp = MIDDLE;
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, ret_n, "RET 16");
    LAB_EQUAL(s.sp, sp, "RET 16: RSP");
    s = lab_start((const void *)MIDDLE, 3);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, lab_iret, "IRET to where no code can be");
}

/* An instruction that ends the lower half runs on to an address that is not canonical. */
static void running_on(void)
{
    memset(edge + PAGE - 4, 0x90, 4);
    struct lab_state s = lab_start(edge + PAGE - 2, 3);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, LOW_END, "execution runs on over the edge");
    edge[PAGE - 1] = 0xb0; /* MOV AL, imm8 */
    s = lab_start(edge + PAGE - 2, 3);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, edge + PAGE - 1, "an instruction across the edge");
}

int main(void)
{
    lab_init();
    lab_user_pages();
    window_open();
    map_the_edges();
    accesses();
    across_the_edge();
    stack();
    branches();
    running_on();
    lab_end();
}
