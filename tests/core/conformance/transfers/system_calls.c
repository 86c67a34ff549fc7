/*
 * conformance: SYSCALL, SYSRET, SYSENTER and SYSEXIT in 64-bit and compatibility mode as on Intel's processors
 * SDM: 2B, "SYSCALL—Fast System Call", "SYSRET—Return From Fast System Call"
 * SDM: 2B, "SYSENTER—Fast System Call", "SYSEXIT—Fast Return from Fast System Call"
 */
#include "lab.h"

enum {
    EFER = 0xc0000080,
    STAR = 0xc0000081,
    LSTAR = 0xc0000082,
    FMASK = 0xc0000084,
    SYSENTER_CS = 0x174,
    SYSENTER_ESP = 0x175,
    SYSENTER_EIP = 0x176,
    EFER_SCE = 1,
    /* eight descriptors: code 0, data 0, code 3 (32), data 3, code 3 (64), data 3 */
    BASE = LAB_FREE,
};
#define NOT_CANONICAL 0x800000000000ul

static const uint8_t syscall_code[] = {0x0f, 0x05, 0x90}, done[] = {0xcd, LAB_DONE};
static const uint8_t sysret32[] = {0x0f, 0x07}, sysret64[] = {0x48, 0x0f, 0x07};
static const uint8_t sysenter[] = {0x0f, 0x34}, sysexit32[] = {0x0f, 0x35}, sysexit64[] = {0x48, 0x0f, 0x35};

static void build(void)
{
    lab_gdt[BASE / 8 + 0] = lab_descriptor(0, 0xfffff, LAB_ACCESS_CODE, LAB_FLAGS_64);
    lab_gdt[BASE / 8 + 1] = lab_descriptor(0, 0xfffff, LAB_ACCESS_DATA, LAB_FLAGS_32);
    lab_gdt[BASE / 8 + 2] = lab_descriptor(0, 0xfffff, LAB_ACCESS_CODE | LAB_ACCESS_DPL3, LAB_FLAGS_32);
    lab_gdt[BASE / 8 + 3] = lab_descriptor(0, 0xfffff, LAB_ACCESS_DATA | LAB_ACCESS_DPL3, LAB_FLAGS_32);
    lab_gdt[BASE / 8 + 4] = lab_descriptor(0, 0xfffff, LAB_ACCESS_CODE | LAB_ACCESS_DPL3, LAB_FLAGS_64);
    lab_gdt[BASE / 8 + 5] = lab_descriptor(0, 0xfffff, LAB_ACCESS_DATA | LAB_ACCESS_DPL3, LAB_FLAGS_32);
}

static void disabled(void)
{
    struct lab_state s = lab_start(syscall_code, 3);
    lab_go(&s);
    LAB_EVENT(&s, LAB_UD, 0, syscall_code, "SYSCALL with EFER.SCE = 0: #UD");
    s = lab_start(sysret64, 0);
    lab_go(&s);
    LAB_EVENT(&s, LAB_UD, 0, sysret64, "SYSRET with EFER.SCE = 0: #UD");
    s = lab_start(sysenter, 3);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, sysenter, "SYSENTER with IA32_SYSENTER_CS = 0: #GP(0)");
    s = lab_start(sysexit32, 0);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, sysexit32, "SYSEXIT with IA32_SYSENTER_CS = 0: #GP(0)");
}

static void call(void)
{
    wrmsr(EFER, rdmsr(EFER) | EFER_SCE);
    wrmsr(STAR, (uint64_t)((BASE + 8) | 3) << 48 | (uint64_t)BASE << 32); /* SYSRET: +8, +16 from BASE + 8 */
    wrmsr(LSTAR, (uint64_t)done);
    wrmsr(FMASK, 0x40600); /* IF, DF, AC */
    LAB_TRY("wrmsr", ::"a"(0), "d"(0x80000000), "c"(LSTAR));
    LAB_FAULT(LAB_GP, 0, "IA32_LSTAR not canonical: #GP(0)");
    struct lab_state s = lab_start(syscall_code, 3);
    unsigned long sp = s.sp;
    s.flags |= 0x40645; /* AC, DF, IF?, arithmetic flags */
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, done + 2, "SYSCALL goes to IA32_LSTAR");
    LAB_EQUAL(s.cs, BASE, "SYSCALL: CS");
    LAB_EQUAL(s.ss, BASE + 8, "SYSCALL: SS");
    LAB_EQUAL(s.cx, (unsigned long)syscall_code + 2, "SYSCALL: RCX is the next RIP");
    LAB_EQUAL(s.r11, 0x40647, "SYSCALL: R11 is RFLAGS");
    LAB_EQUAL(s.flags, 0x47, "SYSCALL: RFLAGS without IA32_FMASK's bits");
    LAB_EQUAL(s.sp, sp, "SYSCALL: RSP stays");
    s = lab_start(syscall_code, 3);
    s.cs = LAB_CODE32_3;
    lab_go(&s);
    LAB_EVENT(&s, LAB_UD, 0, syscall_code, "SYSCALL in compatibility mode: #UD");
}

static void sysret(void)
{
    struct lab_state s = lab_start(sysret64, 0);
    s.cx = (unsigned long)done;
    s.r11 = ~0ul & ~0x101300ul & ~0x80000ul; /* no TF, IOPL, VIP, VIF */
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, done + 2, "SYSRET to 64-bit mode goes to RCX");
    LAB_EQUAL(s.cs, BASE + 8 + 16 + 3, "SYSRET to 64-bit mode: CS");
    LAB_EQUAL(s.ss, BASE + 8 + 8 + 3, "SYSRET to 64-bit mode: SS");
    LAB_EQUAL(s.flags, 0x246cd7, "SYSRET: RFLAGS from R11, RF, VM and reserved bits 0");
    s = lab_start(sysret32, 0);
    s.cx = (unsigned long)done | 0x7ul << 40;
    s.r11 = 2;
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, done + 2, "SYSRET to compatibility mode goes to ECX");
    LAB_EQUAL(s.cs, BASE + 8 + 3, "SYSRET to compatibility mode: CS");
    s = lab_start(sysret64, 3);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, sysret64, "SYSRET at CPL 3: #GP(0)");
    s = lab_start(sysret64, 0);
    s.cx = NOT_CANONICAL;
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, sysret64, "SYSRET with RCX not canonical: #GP(0), at CPL 0");
    LAB_EQUAL(s.cs & 3, 0, "at CPL 0");
    s = lab_start(sysret32, 0);
    s.cs = LAB_CODE32;
    lab_go(&s);
    LAB_EVENT(&s, LAB_UD, 0, sysret32, "SYSRET in compatibility mode: #UD");
}

static void enter(void)
{
    wrmsr(SYSENTER_CS, BASE + 3);
    wrmsr(SYSENTER_EIP, (uint64_t)done);
    wrmsr(SYSENTER_ESP, (uint64_t)lab_stack0 + 4096);
    static const unsigned long from[] = {LAB_CODE3, LAB_CODE32_3, LAB_CODE0};
    for (unsigned i = 0; i < 3; i++) {
        struct lab_state s = lab_start(sysenter, i < 2 ? 3 : 0);
        s.cs = from[i];
        s.flags |= 0x200;
        lab_go(&s);
        LAB_EVENT(&s, LAB_DONE, 0, done + 2, "SYSENTER from CS %lx goes to IA32_SYSENTER_EIP", from[i]);
        LAB_EQUAL(s.cs, BASE, "SYSENTER: CS, RPL 0");
        LAB_EQUAL(s.ss, BASE + 8, "SYSENTER: SS");
        LAB_EQUAL(s.sp, (unsigned long)lab_stack0 + 4096, "SYSENTER: RSP");
        LAB_EQUAL(s.flags, 2, "SYSENTER: IF = 0");
    }
}

static void leave_again(void)
{
    struct lab_state s = lab_start(sysexit64, 0);
    s.dx = (unsigned long)done;
    s.cx = (unsigned long)lab_stack3 + 512;
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, done + 2, "SYSEXIT to 64-bit mode goes to RDX");
    LAB_EQUAL(s.cs, BASE + 32 + 3, "SYSEXIT to 64-bit mode: CS");
    LAB_EQUAL(s.ss, BASE + 40 + 3, "SYSEXIT to 64-bit mode: SS");
    LAB_EQUAL(s.sp, (unsigned long)lab_stack3 + 512, "SYSEXIT: RSP is RCX");
    s = lab_start(sysexit32, 0);
    s.dx = (unsigned long)done | 1ul << 40;
    s.cx = ((unsigned long)lab_stack3 + 512) | 1ul << 40;
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, done + 2, "SYSEXIT to compatibility mode goes to EDX");
    LAB_EQUAL(s.cs, BASE + 16 + 3, "SYSEXIT to compatibility mode: CS");
    LAB_EQUAL(s.ss, BASE + 24 + 3, "SYSEXIT to compatibility mode: SS");
    LAB_EQUAL(s.sp, (unsigned long)lab_stack3 + 512, "SYSEXIT: ESP is ECX");
    s = lab_start(sysexit64, 0);
    s.dx = NOT_CANONICAL;
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, sysexit64, "SYSEXIT with RDX not canonical: #GP(0)");
    s = lab_start(sysexit64, 0);
    s.cx = NOT_CANONICAL;
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, sysexit64, "SYSEXIT with RCX not canonical: #GP(0)");
    s = lab_start(sysexit64, 3);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, sysexit64, "SYSEXIT at CPL 3: #GP(0)");
}

int main(void)
{
    lab_init();
    lab_user_pages();
    build();
    disabled();
    call();
    sysret();
    enter();
    leave_again();
    lab_end();
}
