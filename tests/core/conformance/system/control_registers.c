/*
 * conformance: MOV to CR0, CR3, CR4 and CR8, LMSW, CLTS and IA32_EFER in 64-bit mode: legal and illegal values
 * SDM: 2B, "MOV—Move to/from Control Registers"
 * SDM: 3A, "Control Registers", "Extended Feature Enable Register", "Initializing IA-32e Mode"
 */
#include "lab.h"

#define CR0_MP 2ul
#define CR0_EM 4ul
#define CR0_TS 8ul
#define CR0_ET 16ul
#define CR0_NE 32ul
#define CR0_WP (1ul << 16)
#define CR0_AM (1ul << 18)
#define CR0_NW (1ul << 29)
#define CR0_CD (1ul << 30)
#define CR0_PG (1ul << 31)
#define CR4_PAE (1ul << 5)
#define CR4_LA57 (1ul << 12)
#define CR4_PCIDE (1ul << 17)
enum { EFER = 0xc0000080 };
#define EFER_SCE 1ul
#define EFER_LME (1ul << 8)
#define EFER_LMA (1ul << 10)
#define EFER_NXE (1ul << 11)

struct row {
    const char *name;
    unsigned long set, clear;
    bool legal;
    unsigned long reads_as_set, reads_as_clear; /* differ from what was written */
};

static const struct row cr0_rows[] = {
    {"CR0 as it is", 0, 0, true, 0, 0},
    {"CR0.PG 1 to 0 in 64-bit mode", 0, CR0_PG, false, 0, 0},
    {"CR0.PG and PE to 0", 0, CR0_PG | 1, false, 0, 0},
    {"CR0.PE to 0 with PG", 0, 1, false, 0, 0},
    {"CR0.NW without CD", CR0_NW, CR0_CD, false, 0, 0},
    {"CR0.CD and NW", CR0_CD | CR0_NW, 0, true, 0, 0},
    {"CR0.CD", CR0_CD, CR0_NW, true, 0, 0},
    {"CR0 bit 32", 1ul << 32, 0, false, 0, 0},
    {"CR0 bit 63", 1ul << 63, 0, false, 0, 0},
    {"CR0 reserved bits of the low half are ignored", 0x1ff0ul << 6, 0, true, 0,
     0x1ff0ul << 6 & ~(CR0_WP | CR0_AM)},
    {"CR0.ET stays 1", 0, CR0_ET, true, CR0_ET, 0},
    {"CR0.WP", CR0_WP, 0, true, 0, 0},
    {"CR0.AM", CR0_AM, 0, true, 0, 0},
    {"CR0.TS and EM", CR0_TS | CR0_EM, 0, true, 0, 0},
    {"CR0.NE to 0", 0, CR0_NE, true, 0, 0},
    {"CR0.MP to 0", 0, CR0_MP, true, 0, 0},
};
static const struct row cr4_rows[] = {
    {"CR4 as it is", 0, 0, true, 0, 0},
    {"CR4.VME, PVI, TSD, DE", 15, 0, true, 0, 0},
    {"CR4.PSE, MCE, PGE, PCE", 0x1d0, 0, true, 0, 0},
    {"CR4.PAE to 0 in IA-32e mode", 0, CR4_PAE, false, 0, 0},
    {"CR4.LA57 in IA-32e mode", CR4_LA57, 0, false, 0, 0},
    {"CR4.PCIDE", CR4_PCIDE, 0, true, 0, 0},
    {"CR4.SMXE (not there)", 1ul << 14, 0, false, 0, 0},
    {"CR4 bit 15", 1ul << 15, 0, false, 0, 0},
    {"CR4 bit 19", 1ul << 19, 0, false, 0, 0},
    {"CR4.CET (not there)", 1ul << 23, 0, false, 0, 0},
    {"CR4 bit 31", 1ul << 31, 0, false, 0, 0},
    {"CR4 bit 32", 1ul << 32, 0, false, 0, 0},
    {"CR4 bit 63", 1ul << 63, 0, false, 0, 0},
    {"CR4.SMEP and SMAP", 3ul << 20, 0, true, 0, 0},
    {"CR4.OSFXSR to 0", 0, 1ul << 9, true, 0, 0},
};
static const struct row efer_rows[] = {
    {"EFER as it is", 0, 0, true, 0, 0},
    {"EFER.SCE", EFER_SCE, 0, true, 0, 0},
    {"EFER.NXE", EFER_NXE, 0, true, 0, 0},
    {"EFER.LME to 0 with paging", 0, EFER_LME, false, 0, 0},
    {"EFER.LMA to 0 is ignored", 0, EFER_LMA, true, EFER_LMA, 0},
    {"EFER bit 1", 2, 0, false, 0, 0},
    {"EFER bit 9", 1ul << 9, 0, false, 0, 0},
    {"EFER bit 12 (SVME is not Intel's)", 1ul << 12, 0, false, 0, 0},
    {"EFER bit 63", 1ul << 63, 0, false, 0, 0},
};

static unsigned long read_which(unsigned which)
{
    return which == 0 ? read_cr0() : which == 4 ? read_cr4() : rdmsr(EFER);
}

static void try_write(unsigned which, unsigned long value)
{
    if (which == 0)
        LAB_TRY("mov %0, %%cr0", ::"r"(value) : "memory");
    else if (which == 4)
        LAB_TRY("mov %0, %%cr4", ::"r"(value) : "memory");
    else
        LAB_TRY("wrmsr", ::"a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(EFER));
}

static void rows(const struct row *row, unsigned count, unsigned which)
{
    for (; count--; row++) {
        unsigned long old = read_which(which), value = (old | row->set) & ~row->clear;
        try_write(which, value);
        unsigned long now = read_which(which);
        struct lab_tried tried = lab_tried;
        try_write(which, old);
        lab_tried = tried;
        if (row->legal) {
            LAB_NO_EVENT("%s: done", row->name);
            LAB_EQUAL(now, (value | row->reads_as_set) & ~row->reads_as_clear, "%s: what is read", row->name);
        } else {
            LAB_FAULT(LAB_GP, 0, "%s: #GP(0)", row->name);
            LAB_EQUAL(now, old, "%s: nothing changed", row->name);
        }
    }
}

static void cr3(void)
{
    unsigned long old = read_cr3(), value;
    LAB_TRY("mov %0, %%cr3", ::"r"(old | 1ul << 52) : "memory");
    LAB_FAULT(LAB_GP, 0, "CR3 bit 52, beyond the physical-address width: #GP(0)");
    LAB_TRY("mov %0, %%cr3", ::"r"(old | 1ul << 63) : "memory");
    LAB_FAULT(LAB_GP, 0, "CR3 bit 63 with CR4.PCIDE = 0: #GP(0)");
    LAB_TRY("mov %0, %%cr3", ::"r"(old | 0xfe7) : "memory");
    LAB_NO_EVENT("CR3 bits 2:0 and 11:5 are ignored");
    LAB_TRY("mov %0, %%cr4", ::"r"(read_cr4() | CR4_PCIDE) : "memory");
    LAB_FAULT(LAB_GP, 0, "CR4.PCIDE with CR3[11:0] not 0: #GP(0)");
    write_cr3(old);
    write_cr4(read_cr4() | CR4_PCIDE);
    LAB_TRY("mov %0, %%cr3", ::"r"(old | 1ul << 63 | 5) : "memory");
    LAB_NO_EVENT("CR3 bit 63 with CR4.PCIDE = 1: allowed");
    LAB_EQUAL(read_cr3(), old | 5, "and is not stored");
    LAB_TRY("mov %0, %%cr0", ::"r"(read_cr0() & ~CR0_PG) : "memory");
    LAB_FAULT(LAB_GP, 0, "CR0.PG to 0 with CR4.PCIDE = 1: #GP(0)");
    write_cr3(old);
    write_cr4(read_cr4() & ~CR4_PCIDE);
    value = 0xfeedul << 40 | 0x123;
    __asm__ volatile("mov %1, %%cr2; mov %%cr2, %0" : "=r"(old) : "r"(value));
    LAB_EQUAL(old, value, "CR2 takes any value");
}

static void cr8(void)
{
    unsigned long value;
    for (unsigned long i = 0; i <= 16; i += 5) {
        LAB_TRY("mov %0, %%cr8", ::"r"(i));
        __asm__ volatile("mov %%cr8, %0" : "=r"(value));
        LAB_NO_EVENT("CR8 = %lx", i);
        LAB_EQUAL(value, i, "CR8 reads back");
    }
    LAB_TRY("mov %0, %%cr8", ::"r"(0ul));
    LAB_TRY("mov %0, %%cr8", ::"r"(16ul));
    LAB_FAULT(LAB_GP, 0, "CR8 = 16: #GP(0)");
    LAB_TRY("mov %0, %%cr8", ::"r"(1ul << 63));
    LAB_FAULT(LAB_GP, 0, "CR8 bit 63: #GP(0)");
}

static void machine_status_word(void)
{
    unsigned long old = read_cr0();
    LAB_TRY("lmsw %w0", ::"r"(0xf));
    LAB_EQUAL(read_cr0(), old | 0xf, "LMSW sets MP, EM, TS");
    LAB_TRY("lmsw %w0", ::"r"(0xfff0));
    LAB_EQUAL(read_cr0(), (old & ~0xeul), "LMSW clears them, not PE, nor touches bits 15:4");
    LAB_TRY("lmsw %w0", ::"r"(8));
    LAB_TRY("clts", );
    LAB_EQUAL(read_cr0() & CR0_TS, 0, "CLTS");
    write_cr0(old);
}

/* All of them at CPL 3. */
static void privilege(void)
{
    static const struct {
        const char *name;
        uint8_t code[4];
    } pieces[] = {
        {"MOV CR0, RAX", {0x0f, 0x22, 0xc0}},
        {"MOV RAX, CR0", {0x0f, 0x20, 0xc0}},
        {"MOV RAX, CR2", {0x0f, 0x20, 0xd0}},
        {"MOV CR3, RAX", {0x0f, 0x22, 0xd8}},
        {"MOV CR4, RAX", {0x0f, 0x22, 0xe0}},
        {"CLTS", {0x0f, 0x06}},
        {"MOV CR8, RAX", {0x44, 0x0f, 0x22, 0xc0}},
        {"LMSW AX", {0x0f, 0x01, 0xf0}},
        {"WRMSR", {0x0f, 0x30}},
        {"RDMSR", {0x0f, 0x32}},
        {"HLT", {0xf4}},
        {"INVLPG", {0x0f, 0x01, 0x38}},
        {"WBINVD", {0x0f, 0x09}},
        {"LGDT", {0x0f, 0x01, 0x10}},
        {"LIDT", {0x0f, 0x01, 0x18}},
        {"LLDT AX", {0x0f, 0x00, 0xd0}},
        {"LTR AX", {0x0f, 0x00, 0xd8}},
        {"MOV DR7, RAX", {0x0f, 0x23, 0xf8}},
        {"SWAPGS", {0x0f, 0x01, 0xf8}},
    };
    for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct lab_state s = lab_start(pieces[i].code, 3);
        s.ax = (unsigned long)lab_stack3;
        lab_go(&s);
        LAB_EVENT(&s, LAB_GP, 0, pieces[i].code, "%s at CPL 3: #GP(0)", pieces[i].name);
    }
}

int main(void)
{
    lab_init();
    rows(cr0_rows, sizeof cr0_rows / sizeof *cr0_rows, 0);
    rows(cr4_rows, sizeof cr4_rows / sizeof *cr4_rows, 4);
    rows(efer_rows, sizeof efer_rows / sizeof *efer_rows, EFER);
    cr3();
    cr8();
    machine_status_word();
    lab_user_pages();
    privilege();
    lab_end();
}
