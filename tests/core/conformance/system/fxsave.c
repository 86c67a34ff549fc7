/*
 * conformance: FXSAVE and FXRSTOR: layout, both widths, alignment, #NM, reserved bits of MXCSR
 * SDM: 2A, "FXSAVE—Save x87 FPU, MMX Technology, and SSE State", "FXRSTOR—Restore x87 FPU, MMX, XMM, and MXCSR State"
 */
#include "lab.h"

enum {
    AREA = 512,
    FCW = 0,
    FSW = 2,
    FTW = 4,
    MXCSR = 24,
    MXCSR_MASK = 28,
    ST0 = 32,
    XMM0 = 160,
    UNUSED = 464
};
#define CR0_EM 4ul
#define CR0_TS 8ul

static uint8_t area[AREA + 16] __attribute__((aligned(16))), other[AREA] __attribute__((aligned(16)));

static uint16_t word(unsigned at)
{
    return (uint16_t)(area[at] | area[at + 1] << 8);
}
static uint32_t dword(unsigned at)
{
    return word(at) | (uint32_t)word(at + 2) << 16;
}

/* x87: control word 37FH, one value (1.0) on the stack; XMM3 and XMM12 with patterns; MXCSR 1F81H. */
static void fill(void)
{
    static const uint64_t pattern[2] = {0x0123456789abcdef, 0xfedcba9876543210};
    static const uint32_t mxcsr = 0x1f81;
    __asm__ volatile("fninit; fld1; movdqu %0, %%xmm3; movdqu %0, %%xmm12; ldmxcsr %1" ::"m"(pattern),
                     "m"(mxcsr));
}

static void layout(void)
{
    memset(area, 0xee, sizeof area);
    fill();
    __asm__ volatile("fxsave64 %0" : "+m"(area));
    LAB_EQUAL(word(FCW), 0x37f, "FCW");
    LAB_EQUAL(word(FSW), 0x3800, "FSW: TOP = 7");
    LAB_EQUAL(area[FTW], 0x80, "abridged FTW: register 7 is in use");
    LAB_EQUAL(dword(MXCSR), 0x1f81, "MXCSR");
    LAB_EQUAL(dword(MXCSR_MASK) & 0xffbf, 0xffbf, "MXCSR_MASK");
    LAB_EQUAL(word(ST0 + 8), 0x3fff, "ST0: exponent of 1.0");
    LAB_EQUAL(dword(ST0 + 4), 0x80000000, "ST0: significand of 1.0");
    LAB_EQUAL(dword(XMM0 + 3 * 16), 0x89abcdef, "XMM3");
    LAB_EQUAL(dword(XMM0 + 12 * 16 + 12), 0xfedcba98, "XMM12");
    LAB_EQUAL(area[UNUSED], 0xee, "bytes 464 to 511 are not written");
    LAB_EQUAL(area[AREA], 0xee, "nor those behind");
    uint16_t top;
    __asm__ volatile("fnstsw %0" : "=a"(top));
    LAB_EQUAL(top, 0x3800, "the x87 state stays");
    memcpy(other, area, AREA);
    __asm__ volatile("fninit; pxor %%xmm3, %%xmm3; pxor %%xmm12, %%xmm12; fxrstor64 %1; fxsave64 %0"
                     : "=m"(area)
                     : "m"(other));
    unsigned equal = 0;
    for (unsigned i = 0; i < UNUSED; i++)
        equal += area[i] == other[i];
    LAB_EQUAL(equal, UNUSED, "FXRSTOR restores all of it");
}

/* In compatibility mode XMM8 to XMM15 are neither stored nor loaded. */
static void eight_registers(void)
{
    static const uint8_t save[] = {0x0f, 0xae, 0x03, 0xcd, LAB_DONE}; /* FXSAVE [EBX] */
    memset(area, 0xee, sizeof area);
    fill();
    struct lab_state s = lab_start(save, 0);
    s.cs = LAB_CODE32;
    s.bx = (unsigned long)area;
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, save + 5, "FXSAVE in compatibility mode");
    LAB_EQUAL(dword(XMM0 + 3 * 16), 0x89abcdef, "XMM3 is stored");
    LAB_EQUAL(dword(XMM0 + 12 * 16), 0xeeeeeeee, "XMM12 is not");
}

static void faults(void)
{
    LAB_TRY("fxsave (%0)", ::"r"(area + 8) : "memory");
    LAB_FAULT(LAB_GP, 0, "FXSAVE not aligned to 16 bytes: #GP(0)");
    LAB_TRY("fxrstor (%0)", ::"r"(area + 1) : "memory");
    LAB_FAULT(LAB_GP, 0, "FXRSTOR not aligned to 16 bytes: #GP(0)");
    LAB_TRY("fxsave (%0)", ::"r"(0x8000000000ul) : "memory");
    LAB_FAULT(LAB_PF, 2, "FXSAVE to a page that is not there");
    LAB_TRY("fxrstor (%0)", ::"r"(0x8000000000ul) : "memory");
    LAB_FAULT(LAB_PF, 0, "FXRSTOR from a page that is not there");
    for (unsigned i = 0; i < 2; i++) {
        unsigned long cr0 = read_cr0();
        write_cr0(cr0 | (i ? CR0_EM : CR0_TS));
        LAB_TRY("fxsave (%0)", ::"r"(area) : "memory");
        LAB_FAULT(LAB_NM, 0, "FXSAVE with CR0.%s: #NM", i ? "EM" : "TS");
        LAB_TRY("fxrstor (%0)", ::"r"(area) : "memory");
        LAB_FAULT(LAB_NM, 0, "FXRSTOR with CR0.%s: #NM", i ? "EM" : "TS");
        write_cr0(cr0);
    }
    __asm__ volatile("fxsave64 %0" : "+m"(area));
    uint32_t mask = dword(MXCSR_MASK);
    area[MXCSR + 2] = 1; /* bit 16 */
    LAB_TRY("fxrstor (%0)", ::"r"(area) : "memory");
    LAB_FAULT(LAB_GP, 0, "FXRSTOR with a reserved bit of MXCSR: #GP(0)");
    area[MXCSR + 2] = 0;
    LAB_TRY("ldmxcsr (%0)", ::"r"(&mask) : "memory");
    LAB_NO_EVENT("LDMXCSR of all bits of the mask");
    static const uint32_t reserved = 0x10000;
    LAB_TRY("ldmxcsr %0", ::"m"(reserved));
    LAB_FAULT(LAB_GP, 0, "LDMXCSR with a reserved bit: #GP(0)");
    static const uint32_t usual = 0x1f80;
    __asm__ volatile("ldmxcsr %0" ::"m"(usual));
    LAB_TRY(".byte 0xf0; fxsave (%0)", ::"r"(area) : "memory");
    LAB_FAULT(LAB_UD, 0, "LOCK FXSAVE: #UD");
}

int main(void)
{
    lab_init();
    layout();
    eight_registers();
    faults();
    lab_end();
}
