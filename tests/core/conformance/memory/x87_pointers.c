/*
 * conformance: the x87 unit's instruction and data pointers and its last opcode: which instructions set them, and the layouts in memory
 * SDM: 1, "x87 FPU Instruction and Data (Operand) Pointers"
 * SDM: 1, "Last Instruction Opcode"
 * SDM: 2A, "FSTENV/FNSTENV—Store x87 FPU Environment", "FLDENV—Load x87 FPU Environment", "FXSAVE—Save x87 FPU, MMX Technology, and SSE State"
 */
#include "lab.h"

enum { FOP = 6, FIP = 8, FCS = 12, FDP = 16, FDS = 20 };

static uint8_t area[512] __attribute__((aligned(16))), other[512] __attribute__((aligned(16)));
static uint32_t environment[28], again[28];
static uint16_t short_environment[7];
static double value = 1;

static uint64_t at(const uint8_t *bytes, unsigned offset, unsigned size)
{
    uint64_t word = 0;
    memcpy(&word, bytes + offset, size);
    return word;
}

LAB_LABEL(at_load);
LAB_CODE(loads, "fninit; at_load: fldl (%rbx)");
LAB_LABEL(at_add);
LAB_CODE(adds, "at_add: fadd %st(0)");
/* All that are no data instructions, and two that have no operand in memory. */
LAB_CODE(control,
         "fnstsw %ax; fnstsw short_environment; fnstcw short_environment; fldcw short_environment; fnclex; "
         "fwait; fnstenv again; fldenv again; fxsave64 other");

static void pointers(void)
{
    struct lab_state s = lab_start(loads, 0);
    s.bx = (unsigned long)&value;
    lab_go(&s);
    __asm__ volatile("fxsave64 %0" : "=m"(area));
    LAB_EQUAL(at(area, FOP, 2), 0x503, "FLD m64 (DD 03): the opcode");
    LAB_EQUAL(at(area, FIP, 8), (unsigned long)at_load, "FLD: the instruction pointer");
    LAB_EQUAL(at(area, FDP, 8), (unsigned long)&value, "FLD: the data pointer");
    __asm__ volatile("fxsave %0; fnstenv %1" : "=m"(area), "=m"(environment));
    LAB_EQUAL(at(area, FIP, 4), (uint32_t)(unsigned long)at_load, "FXSAVE: 32 bits of it");
    LAB_EQUAL(at(area, FCS, 2), LAB_CODE0, "and the selector");
    LAB_EQUAL(at(area, FDP, 4), (uint32_t)(unsigned long)&value, "32 bits of the data pointer");
    LAB_EQUAL(at(area, FDS, 2), LAB_DATA0, "and its selector");
    LAB_EQUAL(environment[3], (uint32_t)(unsigned long)at_load, "FNSTENV: the instruction pointer");
    LAB_EQUAL(environment[4], 0x503u << 16 | LAB_CODE0, "FNSTENV: opcode and selector");
    LAB_EQUAL(environment[5], (uint32_t)(unsigned long)&value, "FNSTENV: the data pointer");
    LAB_EQUAL(environment[6] & 0xffff, LAB_DATA0, "FNSTENV: its selector");
    s = lab_start(adds, 0);
    lab_go(&s);
    __asm__ volatile("fxsave64 %0" : "=m"(area));
    LAB_EQUAL(at(area, FOP, 2), 0x0c0, "FADD ST, ST (D8 C0): the opcode");
    LAB_EQUAL(at(area, FIP, 8), (unsigned long)at_add, "FADD: the instruction pointer");
    LAB_EQUAL(at(area, FDP, 8), (unsigned long)&value, "without an operand in memory the data pointer stays");
    s = lab_start(control, 0);
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, s.ip, "control instructions");
    __asm__ volatile("fxsave64 %0" : "=m"(other));
    LAB_EQUAL(at(other, FOP, 2) == at(area, FOP, 2) && at(other, FIP, 8) == at(area, FIP, 8) &&
                  at(other, FDP, 8) == at(area, FDP, 8),
              1, "do not touch them");
    __asm__ volatile("fninit; fxsave64 %0" : "=m"(other));
    LAB_EQUAL(at(other, FOP, 2) | at(other, FIP, 8) | at(other, FDP, 8), 0, "FNINIT clears them");
}

static void there_and_back(void)
{
    memset(environment, 0, sizeof environment);
    environment[0] = 0x37f;
    environment[2] = 0xffff;
    environment[3] = 0x11223344;
    environment[4] = 0x5a5u << 16 | 0x1234;
    environment[5] = 0x55667788;
    environment[6] = 0x4321;
    __asm__ volatile("fldenv %1; fnstenv %0" : "=m"(again) : "m"(environment));
    for (unsigned i = 3; i < 6; i++)
        LAB_EQUAL(again[i], environment[i], "FLDENV and FNSTENV: word %u", i);
    LAB_EQUAL(again[6] & 0xffff, 0x4321, "the data selector");
    __asm__ volatile("frstor %1; fnsave %0" : "=m"(again) : "m"(environment));
    for (unsigned i = 3; i < 6; i++)
        LAB_EQUAL(again[i], environment[i], "FRSTOR and FNSAVE: word %u", i);
    __asm__ volatile("fldenv %1; data16 fnstenv %0" : "=m"(short_environment) : "m"(environment));
    LAB_EQUAL(short_environment[3], 0x3344, "16 bits: the instruction pointer");
    LAB_EQUAL(short_environment[4], 0x1234, "its selector");
    LAB_EQUAL(short_environment[5], 0x7788, "the data pointer");
    LAB_EQUAL(short_environment[6], 0x4321, "its selector");
    __asm__ volatile("fninit; fxsave64 %0" : "=m"(other));
    const uint64_t ip = 0x123456789abcdef0, dp = 0x0fedcba987654321;
    const uint16_t opcode = 0x2a5;
    memcpy(other + FOP, &opcode, sizeof opcode);
    memcpy(other + FIP, &ip, sizeof ip);
    memcpy(other + FDP, &dp, sizeof dp);
    __asm__ volatile("fxrstor64 %1; fninit; fxrstor64 %1; fxsave64 %0" : "=m"(area) : "m"(other));
    for (unsigned i = 0; i < 24; i += 8)
        LAB_EQUAL(at(area, i, 8), at(other, i, 8), "FXRSTOR64 and FXSAVE64: byte %u", i);
    __asm__ volatile("fxrstor %1; fxsave %0" : "=m"(area) : "m"(other));
    LAB_EQUAL(at(area, FIP, 4), (uint32_t)ip, "FXRSTOR and FXSAVE: the instruction pointer");
    LAB_EQUAL(at(area, FCS, 2), ip >> 32 & 0xffff, "its selector");
    LAB_EQUAL(at(area, FDS, 2), dp >> 32 & 0xffff, "the data pointer's selector");
}

/* The tag word that FNSTENV stores: SDM volume 1, "x87 FPU Tag Word". */
static void tags(void)
{
    __asm__ volatile("fninit; fld1; fldz; fld1; fldz; fdivrp; fnclex; fnstenv %0" : "=m"(environment));
    /* R7 = 1: valid; R6 = 0: zero; R5 = infinity: special; the others empty */
    LAB_EQUAL(environment[2] & 0xffff, 0x1bff, "valid, zero, special, empty");
    __asm__ volatile("ffree %%st(1); fnstenv %0; fninit" : "=m"(environment));
    LAB_EQUAL(environment[2] & 0xffff, 0x3bff, "FFREE ST(1)");
}

/* An instruction that an unmasked exception ended has set them: the handler looks at them. */
LAB_LABEL(at_fault);
LAB_LABEL(at_next);
LAB_CODE(fails, "fninit; fldcw (%rbx); fld1; at_fault: fdivl 8(%rbx); at_next: fwait");

static void of_an_exception(void)
{
    static const struct {
        uint64_t control, zero;
    } operands = {0x37b, 0};
    struct lab_state s = lab_start(fails, 0);
    s.bx = (unsigned long)&operands;
    lab_go(&s);
    LAB_EVENT(&s, LAB_MF, 0, at_next, "an unmasked division by zero");
    __asm__ volatile("fxsave64 %0; fnclex; fninit" : "=m"(area));
    LAB_EQUAL(at(area, FOP, 2), 0x473, "FDIV m64 (DC 73 08): the opcode");
    LAB_EQUAL(at(area, FIP, 8), (unsigned long)at_fault, "the instruction that failed");
    LAB_EQUAL(at(area, FDP, 8), (unsigned long)&operands.zero, "and its operand");
}

int main(void)
{
    lab_init();
    pointers();
    there_and_back();
    tags();
    of_an_exception();
    lab_end();
}
