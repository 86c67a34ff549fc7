/*
 * conformance: XSAVE, XSAVEC and XRSTOR of x87, SSE and PKRU state that translated code made
 * SDM: 1, "Operation of XSAVE"
 * SDM: 1, "Operation of XRSTOR"
 * expect: options --cpu sapphirerapids
 */
#include "lab.h"

static unsigned char area[4096] __attribute__((aligned(64)));
static unsigned long seen[4];

static unsigned long word(unsigned at)
{
    return *(unsigned long *)(area + at);
}

int main(void)
{
    unsigned long cr4;

    lab_init();
    asm volatile("mov %%cr4, %0" : "=r"(cr4));
    asm volatile("mov %0, %%cr4" ::"r"(cr4 | 1ul << 18 | 1ul << 22 | 3ul << 9));
    asm volatile("xsetbv" ::"a"(0x203), "d"(0), "c"(0));
    asm volatile("fninit; fld1; fldpi; mov $0x1122334455667788, %%rax; movq %%rax, %%xmm7; movq %%rax, %%xmm15" ::: "rax");
    asm volatile("wrpkru" ::"a"(0x30), "d"(0), "c"(0));
    asm volatile("xsave (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
    LAB_EQUAL(word(512), 0x203, "XSTATE_BV");
    LAB_EQUAL(word(0) & 0xffffffffff, 0xc03000037f, "control, status with TOP 6, two registers valid");
    LAB_EQUAL(word(32), 0xc90fdaa22168c235, "ST(0) is pi");
    LAB_EQUAL(word(48), 0x8000000000000000, "ST(1) is 1");
    LAB_EQUAL(word(160 + 7 * 16), 0x1122334455667788, "XMM7");
    LAB_EQUAL(word(160 + 15 * 16), 0x1122334455667788, "XMM15");
    LAB_EQUAL(word(2688), 0x30, "PKRU");
    asm volatile("fninit; pxor %%xmm7, %%xmm7; pxor %%xmm15, %%xmm15" ::: "memory");
    asm volatile("wrpkru" ::"a"(0), "d"(0), "c"(0));
    asm volatile("xrstor (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
    asm volatile("movq %%xmm7, %0; movq %%xmm15, %1" : "=r"(seen[0]), "=r"(seen[1]));
    asm volatile("rdpkru" : "=a"(seen[2]) : "c"(0) : "rdx");
    asm volatile("fstp %%st(0); fistpq %0" : "=m"(seen[3]));
    LAB_EQUAL(seen[0], 0x1122334455667788, "XMM7 restored");
    LAB_EQUAL(seen[1], 0x1122334455667788, "XMM15 restored");
    LAB_EQUAL(seen[2], 0x30, "PKRU restored");
    LAB_EQUAL(seen[3], 1, "the x87 stack restored");
    lab_end();
}
