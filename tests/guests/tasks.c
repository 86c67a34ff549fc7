/*
 * tasks: hardware task switches in 32-bit protected mode with PAE paging: CALL through a task gate and IRET,
 * a task for an interrupt (16-bit TSS) and one for #GP with its error code, JMP there and back. SDM volume 3A
 * "Task Management".
 */
/* expect: status 0 */
#include "trap.h"

enum {
    CODE64 = 0x08,
    DATA32 = 0x10,
    CODE32 = 0x18,
    MAIN_TASK = 0x20,
    NESTED_TASK = 0x28,
    SHORT_TASK = 0x30,
    NESTED_GATE = 0x38,
    JUMPED_TASK = 0x40,
    FAULT_TASK = 0x48,
    SHORT_CODE = 0x50,
    SHORT_DATA = 0x58,
    ENTRIES = 12,
    TYPE_TSS16 = 0x81,
    TYPE_TASK_GATE = 0x85,
    TYPE_TSS32 = 0x89,
    BUSY = 2,
    GP = 13,
    INTERRUPT = 0x30,
    STACK = 4096,
    EFLAGS_NT = 1 << 14,
    EFLAGS_RF = 1 << 16,
    CR0_TS = 1 << 3,
    MARKER = 0x600d7a5c,
};
#define ALIASED 0xc0000000u /* the fourth GiB: the first one's pages in the nested task */

struct tss32 { /* SDM figure "32-Bit Task-State Segment (TSS)" */
    uint32_t link, stacks[6], cr3, eip, eflags, gpr[8], es, cs, ss, ds, fs, gs, ldt, trap_and_map;
};
struct tss16 { /* SDM figure "16-Bit TSS Format" */
    uint16_t link, stacks[6], ip, flags, gpr[8], es, cs, ss, ds, ldt;
};
enum { ESP = 4 };

struct tss32 tasks_main_tss;
static struct tss32 nested_tss, jumped_tss, fault_tss;
static struct tss16 short_tss;
static uint64_t gdt[ENTRIES], idt[INTERRUPT + 1];
static uint8_t stacks[4][STACK];
struct {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed)) tasks_gdtr, tasks_idtr;
/* The PDPTE registers' tables: the main task's, and one whose last entry is its first. */
uint64_t tasks_pdpt[4] __attribute__((aligned(32)));
static uint64_t nested_pdpt[4] __attribute__((aligned(32)));

extern uint64_t boot_pml4[512];
extern const uint8_t nested_task[], fault_task[], jumped_task[], short_task[], faulting[], behind_fault[];
void tasks_run(void);

static uint32_t marker = MARKER;
uint32_t marker_alias, nested_entries, nested_eflags, nested_cr3, nested_marker;
uint32_t seen_ebx, seen_cr0, fault_code, fault_eip, fault_eflags, jumped_eflags, short_esi;
uint16_t seen_tr, short_sp;

static uint32_t address(const volatile void *p)
{
    return (uint32_t)(uintptr_t)p;
}

static uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t rights, uint32_t flags)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)rights << 40 |
           (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)flags << 52 | (uint64_t)(base >> 24) << 56;
}

static uint64_t task_gate(unsigned selector)
{
    return (uint64_t)selector << 16 | (uint64_t)TYPE_TASK_GATE << 40;
}

static unsigned rights_of(unsigned selector)
{
    return (unsigned)(gdt[selector / 8] >> 40) & 0xff;
}

static struct tss32 task32(const uint8_t *code, unsigned stack, const uint64_t *pdpt)
{
    struct tss32 tss = {.cr3 = address(pdpt), .eip = address(code), .eflags = 2, .es = DATA32, .cs = CODE32};
    tss.ss = tss.ds = tss.fs = tss.gs = DATA32;
    tss.gpr[ESP] = address(stacks[stack] + STACK);
    return tss;
}

static void build(void)
{
    const uint64_t *pdpt = (const uint64_t *)(boot_pml4[0] & ~0xfffull);
    for (unsigned i = 0; i < 4; i++) {
        tasks_pdpt[i] = (pdpt[i] & ~0xfffull) | 1;
        nested_pdpt[i] = tasks_pdpt[i];
    }
    nested_pdpt[3] = tasks_pdpt[0];
    marker_alias = address(&marker) + ALIASED;
    tasks_main_tss.cr3 = address(tasks_pdpt);
    nested_tss = task32(nested_task, 0, nested_pdpt);
    jumped_tss = task32(jumped_task, 1, tasks_pdpt);
    fault_tss = task32(fault_task, 2, tasks_pdpt);
    short_tss = (struct tss16){.flags = 2,
                               .es = DATA32,
                               .cs = SHORT_CODE,
                               .ss = SHORT_DATA,
                               .ds = DATA32,
                               .gpr = {[ESP] = STACK, [6] = 0x5151}};
    gdt[CODE64 / 8] = descriptor(0, 0xfffff, 0x9b, 0xa);
    gdt[DATA32 / 8] = descriptor(0, 0xfffff, 0x93, 0xc);
    gdt[CODE32 / 8] = descriptor(0, 0xfffff, 0x9b, 0xc);
    gdt[MAIN_TASK / 8] = descriptor(address(&tasks_main_tss), 103, TYPE_TSS32, 0);
    gdt[NESTED_TASK / 8] = descriptor(address(&nested_tss), 103, TYPE_TSS32, 0);
    gdt[SHORT_TASK / 8] = descriptor(address(&short_tss), 43, TYPE_TSS16, 0);
    gdt[NESTED_GATE / 8] = task_gate(NESTED_TASK);
    gdt[JUMPED_TASK / 8] = descriptor(address(&jumped_tss), 103, TYPE_TSS32, 0);
    gdt[FAULT_TASK / 8] = descriptor(address(&fault_tss), 103, TYPE_TSS32, 0);
    gdt[SHORT_CODE / 8] = descriptor(address(short_task), 0xffff, 0x9b, 0);
    gdt[SHORT_DATA / 8] = descriptor(address(stacks[3]), 0xffff, 0x93, 0);
    idt[GP] = task_gate(FAULT_TASK);
    idt[INTERRUPT] = task_gate(SHORT_TASK);
    tasks_gdtr.limit = sizeof gdt - 1;
    tasks_gdtr.base = address(gdt);
    tasks_idtr.limit = sizeof idt - 1;
    tasks_idtr.base = address(idt);
}

int main(void)
{
    build();
    tasks_run();
    /* CALL and IRET, twice */
    CHECK_EQUAL(nested_entries, 2);
    CHECK_EQUAL(nested_eflags & EFLAGS_NT, EFLAGS_NT);
    CHECK_EQUAL(nested_cr3, address(nested_pdpt));
    CHECK_EQUAL(nested_marker, MARKER);
    CHECK_EQUAL(nested_tss.link, MAIN_TASK);
    CHECK_EQUAL(nested_tss.eflags & EFLAGS_NT, 0);
    CHECK_EQUAL(rights_of(NESTED_TASK), TYPE_TSS32);
    CHECK_EQUAL(seen_ebx, 0x1234);
    CHECK_EQUAL(seen_cr0 & CR0_TS, CR0_TS);
    /* INT n to a 16-bit task */
    CHECK_EQUAL(short_tss.link, MAIN_TASK);
    CHECK_EQUAL(short_esi & 0xffff, 0x5151);
    CHECK_EQUAL(short_sp, STACK);
    CHECK_EQUAL(rights_of(SHORT_TASK), TYPE_TSS16);
    /* #GP with the selector in its error code; the task that faulted has RF in its image */
    CHECK_EQUAL(fault_code, 0xfffc);
    CHECK_EQUAL(fault_eip, address(faulting));
    CHECK_EQUAL(fault_eflags & EFLAGS_RF, EFLAGS_RF);
    CHECK_EQUAL(fault_tss.gpr[ESP], address(stacks[2] + STACK));
    /* JMP there and back: no nesting */
    CHECK_EQUAL(jumped_eflags & EFLAGS_NT, 0);
    CHECK_EQUAL(jumped_tss.link, 0);
    CHECK_EQUAL(rights_of(JUMPED_TASK), TYPE_TSS32);
    CHECK_EQUAL(seen_tr, MAIN_TASK);
    CHECK_EQUAL(rights_of(MAIN_TASK), TYPE_TSS32 | BUSY);
    check_end();
}
