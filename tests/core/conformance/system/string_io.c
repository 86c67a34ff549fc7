/*
 * conformance: INS and OUTS: order of permission, fault and access, REP counts, direction, sizes, segments, restart after a fault
 * SDM: 2A, "INS/INSB/INSW/INSD—Input from Port to String"; 2B, "OUTS/OUTSB/OUTSW/OUTSD—Output String to Port"
 * SDM: 2B, "REP/REPE/REPZ/REPNE/REPNZ—Repeat String Operation Prefix"
 */
#include "lab.h"

/* Port 71H reads the CMOS byte that 70H chose; written bytes of the scratch area read back. */
enum { CMOS_INDEX = 0x70, CMOS_DATA = 0x71, SCRATCH = 0x40, DF = 0x400, PAGE = 4096 };
#define UNMAPPED 0x8000000000ul

extern uint64_t boot_pml4[];
static uint64_t tables[3][512] __attribute__((aligned(PAGE)));
static uint8_t memory[PAGE] __attribute__((aligned(PAGE)));

static uint8_t cmos(unsigned index)
{
    out8(CMOS_INDEX, (uint8_t)index);
    return in8(CMOS_DATA);
}

static void set_cmos(unsigned index, uint8_t value)
{
    out8(CMOS_INDEX, (uint8_t)index);
    out8(CMOS_DATA, value);
}

/* One page of memory at UNMAPPED, none behind it. */
static void map_window(void)
{
    boot_pml4[1] = (uint64_t)tables[0] | 7;
    tables[0][0] = (uint64_t)tables[1] | 7;
    tables[1][0] = (uint64_t)tables[2] | 7;
    tables[2][0] = (uint64_t)memory | 7;
    write_cr3(read_cr3());
}

static struct lab_state run(const uint8_t *code, unsigned long count, unsigned long index,
                            unsigned long flags, unsigned ring)
{
    struct lab_state s = lab_start(code, ring);
    s.cx = count;
    s.di = s.si = index;
    s.dx = CMOS_DATA;
    s.flags |= flags;
    lab_go(&s);
    return s;
}

static const uint8_t insb[] = {0x6c, 0xcd, LAB_DONE}, rep_insb[] = {0xf3, 0x6c, 0xcd, LAB_DONE};
static const uint8_t outsb[] = {0x6e, 0xcd, LAB_DONE}, rep_outsb[] = {0xf3, 0x6e, 0xcd, LAB_DONE};
static const uint8_t rep_insb32[] = {0x67, 0xf3, 0x6c, 0xcd, LAB_DONE};

static void moves(void)
{
    set_cmos(SCRATCH, 0x5a);
    memset(memory, 0, PAGE);
    struct lab_state s = run(insb, 7, UNMAPPED + 8, 0, 0);
    LAB_EVENT(&s, LAB_DONE, 0, insb + 3, "INSB");
    LAB_EQUAL(memory[8], 0x5a, "INSB stores the port's byte");
    LAB_EQUAL(s.di, UNMAPPED + 9, "INSB: RDI up by one");
    LAB_EQUAL(s.cx, 7, "INSB: RCX stays without REP");
    s = run(insb, 7, UNMAPPED + 8, DF, 0);
    LAB_EQUAL(s.di, UNMAPPED + 7, "INSB with DF: RDI down by one");
    memset(memory, 0, PAGE);
    s = run(rep_insb, 5, UNMAPPED + 16, 0, 0);
    LAB_EVENT(&s, LAB_DONE, 0, rep_insb + 4, "REP INSB");
    LAB_EQUAL(s.cx, 0, "REP INSB: RCX");
    LAB_EQUAL(s.di, UNMAPPED + 21, "REP INSB: RDI");
    LAB_EQUAL(memory[20] | memory[21] << 8, 0x5a, "REP INSB: five bytes");
    s = run(rep_insb, 0, UNMAPPED + PAGE, 0, 0);
    LAB_EVENT(&s, LAB_DONE, 0, rep_insb + 4, "REP INSB with RCX = 0 looks at nothing");
    s = run(rep_insb, 0, UNMAPPED + PAGE, 0, 3);
    LAB_EVENT(&s, LAB_DONE, 0, rep_insb + 4, "nor at permission at CPL 3");
    memory[32] = 0x11;
    memory[33] = 0x22;
    s = run(rep_outsb, 2, UNMAPPED + 32, 0, 0);
    LAB_EVENT(&s, LAB_DONE, 0, rep_outsb + 4, "REP OUTSB");
    LAB_EQUAL(cmos(SCRATCH), 0x22, "REP OUTSB: the last byte wins");
    s = run(rep_insb32, 0x500000001, (unsigned long)memory | 1ul << 40, 0, 0);
    LAB_EVENT(&s, LAB_DONE, 0, rep_insb32 + 5, "REP INSB with 32-bit addresses");
    LAB_EQUAL(s.cx, 0, "counts ECX, and clears the upper half");
    LAB_EQUAL(s.di, (unsigned long)memory + 1, "and uses EDI");
}

/* Page faults come before the port is read or written; what was done before stays done. */
static void faults(void)
{
    set_cmos(SCRATCH, 0x77);
    memset(memory, 0, PAGE);
    struct lab_state s = run(rep_insb, 8, UNMAPPED + PAGE - 3, 0, 0);
    LAB_EVENT(&s, LAB_PF, 2, rep_insb, "REP INSB into a page that is not there");
    LAB_EQUAL(s.cr2, UNMAPPED + PAGE, "CR2");
    LAB_EQUAL(s.cx, 5, "RCX counts what is left");
    LAB_EQUAL(s.di, UNMAPPED + PAGE, "RDI is at the page");
    LAB_EQUAL(memory[PAGE - 1], 0x77, "the last byte was stored");
    set_cmos(SCRATCH, 0x33);
    memory[PAGE - 1] = 0x44;
    s = run(rep_outsb, 8, UNMAPPED + PAGE - 1, 0, 0);
    LAB_EVENT(&s, LAB_PF, 0, rep_outsb, "REP OUTSB from a page that is not there");
    LAB_EQUAL(s.cx, 7, "one was done");
    LAB_EQUAL(cmos(SCRATCH), 0x44, "one byte was written to the port, and no other");
    s = run(outsb, 1, UNMAPPED + PAGE, 0, 0);
    LAB_EVENT(&s, LAB_PF, 0, outsb, "OUTSB from a page that is not there");
    LAB_EQUAL(cmos(SCRATCH), 0x44, "nothing was written to the port");
    s = run(insb, 1, 0x800000000000, 0, 0);
    LAB_EVENT(&s, LAB_GP, 0, insb, "INSB to an address that is not canonical: #GP(0)");
    tables[2][0] &= ~2ul;
    write_cr0(read_cr0() | 1ul << 16);
    write_cr3(read_cr3());
    s = run(insb, 1, UNMAPPED, 0, 0);
    LAB_EVENT(&s, LAB_PF, 3, insb, "INSB into a read-only page");
    s = run(outsb, 1, UNMAPPED, 0, 0);
    LAB_EVENT(&s, LAB_DONE, 0, outsb + 3, "OUTSB from a read-only page");
    tables[2][0] |= 2;
    write_cr3(read_cr3());
}

/* #GP for the port comes before #PF for the memory. */
static void permission_first(void)
{
    struct lab_state s = run(insb, 1, UNMAPPED + PAGE, 0, 3);
    LAB_EVENT(&s, LAB_GP, 0, insb, "INSB at CPL 3, no permission, no page: #GP(0)");
    s = run(outsb, 1, UNMAPPED + PAGE, 0, 3);
    LAB_EVENT(&s, LAB_GP, 0, outsb, "OUTSB at CPL 3, no permission, no page: #GP(0)");
    s = run(insb, 1, UNMAPPED + PAGE, 0x3000, 3);
    LAB_EVENT(&s, LAB_PF, 6, insb, "with permission: #PF of a user's write");
    s = run(insb, 1, UNMAPPED, 0x3000, 3);
    LAB_EVENT(&s, LAB_DONE, 0, insb + 3, "with permission and a page: done");
}

int main(void)
{
    lab_init();
    lab_user_pages();
    map_window();
    moves();
    faults();
    permission_first();
    lab_end();
}
