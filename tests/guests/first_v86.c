/*
 * first_v86: a virtual-8086 guest of the first VT-x (no EPT, no unrestricted guest): INT n by each of the
 * ways of SDM volume 3, "Class 3--Software Interrupt Handling in Virtual-8086 Mode" with CR4.VME 0 and 1,
 * I/O, task gates, injection. SDM volume 3C "Information for VM Exits During Event Delivery", "Details of
 * Vectored-Event Injection", tables "Exit Qualification for I/O Instructions" and "... for Task Switches".
 */
/* expect: status 0 */
/* expect: options --cpu prescott --quiet */
#include "trap.h"
#include "vmx.h"

enum {
    PAGE = 4096,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    UNCONDITIONAL_IO_EXITING = 1 << 24,
    UD = 6,
    NP = 11,
    GP = 13,
    PF = 14,
    CODE = 0x2000, /* segments of the 8086 program */
    STACK = 0x3000,
    DATA = 0x4000,
    SP = 0x1000,
    HANDLER = 0x100, /* in CODE */
    VECTOR = 0x41,
    VME = 1,
    IF = 1 << 9,
    IOPL3 = 3 << 12,
    VM = 1 << 17,
    VIF = 1 << 19,
    VIP = 1 << 20,
    FIXED = 2,
    RF = 1 << 16,
    MONITOR_CODE = 0x08, /* selectors of the guest's GDT */
    MONITOR_DATA = 0x10,
    MAIN_TASK = 0x18,
    OTHER_TASK = 0x20,
    TASK_GATE_OF_TABLE = 0x28,
    GATE32 = 0x8e,
    TASK_GATE = 0x85,
    DPL3 = 0x60,
    TSS_MAP_BASE = 0x66,
    REDIRECTION = 0x68,
    IO_MAP = 0x88,
    TSS_BYTES = IO_MAP + 8192 + 1,
    PAGES_PER_TABLE = 1024,
    FRAME_BYTES = 36,
};
enum { EXTERNAL, NMI = 2, HARDWARE, SOFTWARE_INTERRUPT, PRIVILEGED, SOFTWARE };
enum { REASON_EXCEPTION = 0, REASON_TASK_SWITCH = 9, EXIT_VMREAD = 23 };
enum {
    ENTRY_ERROR_CODE = 0x4018,
    ENTRY_INSTRUCTION_LENGTH = 0x401a,
    EXIT_INTERRUPTION_INFORMATION = 0x4404,
    EXIT_ERROR_CODE = 0x4406,
    IDT_VECTORING = 0x4408,
    GUEST_LINEAR_ADDRESS = 0x640a,
    GUEST_PENDING_DEBUG = 0x6822,
};
#define VALID (1u << 31)
#define HAS_CODE (1u << 11)
#define INFORMATION(vector, type) (VALID | (unsigned)(type) << 8 | (vector))

static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE)));
static uint32_t directory[PAGES_PER_TABLE] __attribute__((aligned(PAGE)));
static uint32_t first_table[PAGES_PER_TABLE] __attribute__((aligned(PAGE))); /* of the first 4 MiB */
static uint8_t tss[TSS_BYTES] __attribute__((aligned(PAGE)));
static uint64_t gdt[6], idt[256];
static uint8_t stubs[256][4]; /* VMCALL, one for each vector */
static uint8_t monitor_stack[PAGE] __attribute__((aligned(16)));
static struct guest_registers registers;
static bool launched;

static uint32_t address(const volatile void *p)
{
    return (uint32_t)(uintptr_t)p;
}

static volatile void *at(uint32_t segment, uint32_t offset)
{
    uintptr_t linear = segment * 16ul + offset;
    __asm__("" : "+r"(linear)); /* the compiler takes low addresses for null pointers */
    return (volatile void *)linear;
}

static uint64_t descriptor(uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)access << 40 |
           (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)flags << 52 | (uint64_t)(base >> 24) << 56;
}

static void set_gate(unsigned vector, unsigned selector, unsigned access)
{
    uint32_t offset = address(stubs[vector]);
    idt[vector] = (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)access << 40 |
                  (uint64_t)(offset >> 16) << 48;
}

static void put16(uint8_t *to, uint16_t value)
{
    memcpy(to, &value, sizeof value);
}

static void put32(uint8_t *to, uint32_t value)
{
    memcpy(to, &value, sizeof value);
}

static void set_redirection(unsigned vector, bool protected_mode)
{
    uint8_t *byte = &tss[REDIRECTION + vector / 8];
    *byte = (uint8_t)((*byte & ~(1u << vector % 8)) | (unsigned)protected_mode << vector % 8);
}

static void set_ivt(unsigned vector, uint16_t segment, uint16_t offset)
{
    *(volatile uint32_t *)at(0, vector * 4) = (uint32_t)segment << 16 | offset;
}

static void build_tables(void)
{
    for (uint32_t i = 0; i < PAGES_PER_TABLE; i++) {
        directory[i] = i << 22 | 0x87; /* present, writable, user, 4 MiB */
        first_table[i] = i << 12 | 7;
    }
    directory[0] = address(first_table) | 7;
    for (unsigned v = 0; v < 256; v++) {
        static const uint8_t vmcall[] = {0x0f, 0x01, 0xc1, 0xf4};
        memcpy(stubs[v], vmcall, sizeof vmcall);
        set_gate(v, MONITOR_CODE, GATE32 | DPL3);
    }
    gdt[MONITOR_CODE / 8] = descriptor(0, 0xfffff, 0x9b, 0xc);
    gdt[MONITOR_DATA / 8] = descriptor(0, 0xfffff, 0x93, 0xc);
    gdt[MAIN_TASK / 8] = descriptor(address(tss), TSS_BYTES - 1, 0x8b, 0);
    gdt[OTHER_TASK / 8] = descriptor(address(tss), 0x67, 0x89, 0);
    put32(tss + 4, address(monitor_stack) + PAGE);
    put32(tss + 8, MONITOR_DATA);
    put16(tss + TSS_MAP_BASE, IO_MAP);
    memset(tss + REDIRECTION, 0, 32);
    memset(tss + IO_MAP, 0, 8192);
    tss[TSS_BYTES - 1] = 0xff;
}

static void write_segment(unsigned index, uint16_t selector)
{
    vmwrite(GUEST_ES_SELECTOR + 2 * index, selector);
    vmwrite(GUEST_ES_BASE + 2 * index, selector * 16ull);
    vmwrite(GUEST_ES_LIMIT + 2 * index, 0xffff);
    vmwrite(GUEST_ES_ACCESS_RIGHTS + 2 * index, 0xf3);
}

/* The program is code at CODE:0, with EFLAGS.VM and flags, and CR4.VME as asked. */
static void start(const void *code, unsigned bytes, uint64_t flags, unsigned vme)
{
    enum { ES, CS, SS, DS, FS, GS, LDTR, TR };
    memcpy((void *)at(CODE, 0), code, bytes);
    write_segment(ES, DATA + 1);
    write_segment(CS, CODE);
    write_segment(SS, STACK);
    write_segment(DS, DATA);
    write_segment(FS, DATA + 2);
    write_segment(GS, DATA + 3);
    vmwrite(GUEST_CS_ACCESS_RIGHTS + 2 * (TR - CS), 0x8b);
    vmwrite(GUEST_ES_SELECTOR + 2 * TR, MAIN_TASK);
    vmwrite(GUEST_ES_BASE + 2 * TR, address(tss));
    vmwrite(GUEST_ES_LIMIT + 2 * TR, TSS_BYTES - 1);
    vmwrite(GUEST_GDTR_BASE, address(gdt));
    vmwrite(GUEST_GDTR_LIMIT, sizeof gdt - 1);
    vmwrite(GUEST_GDTR_BASE + 2, address(idt));
    vmwrite(GUEST_IDTR_LIMIT, sizeof idt - 1);
    vmwrite(GUEST_RIP, 0);
    vmwrite(GUEST_RSP, SP);
    vmwrite(GUEST_RFLAGS, FIXED | VM | flags);
    vmwrite(GUEST_CR4, 0x2010 | vme);
    vmwrite(GUEST_INTERRUPTIBILITY_STATE, 0);
    vmwrite(GUEST_ACTIVITY_STATE, 0);
    vmwrite(GUEST_PENDING_DEBUG, 0);
}

#define CODE_OF(...)                                                                                         \
    ((const uint8_t[]){__VA_ARGS__}), sizeof(const uint8_t[])                                                \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }
#define RUN_TO(reason) run_to(reason, __LINE__)
static void run_to(uint64_t reason, int line)
{
    check_equal("entered", vmx_run(&registers, launched), true, line);
    launched = true;
    check_equal("exit reason", vmread(EXIT_REASON), reason, line);
}

/* The exit came by an exception of this kind, with no event under way. */
#define CHECK_EXCEPTION(information, ip) check_exception(information, ip, __LINE__)
static void check_exception(uint64_t information, uint64_t ip, int line)
{
    check_equal("interruption information", vmread(EXIT_INTERRUPTION_INFORMATION), information, line);
    check_equal("IDT-vectoring", vmread(IDT_VECTORING) & VALID, 0, line);
    check_equal("IP", vmread(GUEST_RIP), ip, line);
}

/* The guest came to the monitor's handler of vector; what was pushed. */
#define CHECK_MONITOR(vector, ip, flags) check_monitor(vector, ip, flags, __LINE__)
static void check_monitor(unsigned vector, uint32_t ip, uint32_t flags, int line)
{
    const uint32_t expected[9] = {ip, CODE, flags, SP, STACK, DATA + 1, DATA, DATA + 2, DATA + 3};
    uint32_t frame[9];
    memcpy(frame, monitor_stack + PAGE - FRAME_BYTES, FRAME_BYTES);
    for (unsigned i = 0; i < 9; i++)
        check_equal("frame", frame[i], expected[i], line * 10 + (int)i);
    check_equal("RIP", vmread(GUEST_RIP), address(stubs[vector]), line);
    check_equal("DS is null", vmread(GUEST_ES_ACCESS_RIGHTS + 6) >> 16 & 1, 1, line);
    check_equal("VM", vmread(GUEST_RFLAGS) & VM, 0, line);
    check_equal("ESP", vmread(GUEST_RSP), address(monitor_stack) + PAGE - FRAME_BYTES, line);
}

/* The 8086 program's own handler ran up to its OUT 42H, AL; what it found pushed. */
#define CHECK_HANDLER(ip, flags, left) check_handler(ip, flags, left, __LINE__)
static void check_handler(unsigned ip, unsigned flags, uint64_t left, int line)
{
    const volatile uint16_t *frame = at(STACK, SP - 6);
    check_equal("port", vmread(EXIT_QUALIFICATION), 0x42u << 16 | 1 << 6, line);
    check_equal("handler's IP", vmread(GUEST_RIP), HANDLER, line);
    check_equal("SP", vmread(GUEST_RSP), SP - 6, line);
    check_equal("pushed IP", frame[0], ip, line);
    check_equal("pushed CS", frame[1], CODE, line);
    check_equal("pushed FLAGS", frame[2], flags, line);
    check_equal("EFLAGS", vmread(GUEST_RFLAGS), FIXED | VM | left, line);
}

static void without_vme(void)
{
    vmwrite(EXCEPTION_BITMAP, 0);
    start(CODE_OF(0xcd, VECTOR), IOPL3 | IF, 0); /* IOPL 3: the IDT's gate */
    RUN_TO(EXIT_VMCALL);
    CHECK_MONITOR(VECTOR, 2, FIXED | VM | IOPL3 | IF);
    start(CODE_OF(0xcd, VECTOR), IF, 0); /* IOPL 0: #GP(0), of which the exit says nothing but that */
    vmwrite(EXCEPTION_BITMAP, 1 << GP);
    RUN_TO(REASON_EXCEPTION);
    CHECK_EXCEPTION(INFORMATION(GP, HARDWARE) | HAS_CODE, 0);
    CHECK_EQUAL(vmread(EXIT_ERROR_CODE), 0);
    CHECK_EQUAL(vmread(GUEST_RFLAGS), FIXED | VM | IF | RF);
    start(CODE_OF(0xf4), IOPL3, 0); /* HLT is privileged */
    RUN_TO(REASON_EXCEPTION);
    CHECK_EXCEPTION(INFORMATION(GP, HARDWARE) | HAS_CODE, 0);
    start(CODE_OF(0x0f, 0x78, 0xc0), IOPL3, 0); /* VMREAD is not recognised, VMCALL exits */
    vmwrite(EXCEPTION_BITMAP, 1 << UD);
    RUN_TO(REASON_EXCEPTION);
    CHECK_EXCEPTION(INFORMATION(UD, HARDWARE), 0);
    start(CODE_OF(0x0f, 0x01, 0xc1), 0, 0);
    RUN_TO(EXIT_VMCALL);
    CHECK_EQUAL(vmread(EXIT_INSTRUCTION_LENGTH), 3);
    start(CODE_OF(0x0f, 0xa2), 0, 0);
    RUN_TO(EXIT_CPUID);
}

static void software_exceptions(void)
{
    vmwrite(EXCEPTION_BITMAP, 1 << 1 | 1 << 3 | 1 << 4);
    start(CODE_OF(0xcc), 0, 0); /* INT3 heeds no IOPL */
    RUN_TO(REASON_EXCEPTION);
    CHECK_EXCEPTION(INFORMATION(3, SOFTWARE), 0);
    CHECK_EQUAL(vmread(EXIT_INSTRUCTION_LENGTH), 1);
    start(CODE_OF(0x66, 0xce), 1 << 11, 0); /* INTO, with a prefix */
    RUN_TO(REASON_EXCEPTION);
    CHECK_EXCEPTION(INFORMATION(4, SOFTWARE), 0);
    CHECK_EQUAL(vmread(EXIT_INSTRUCTION_LENGTH), 2);
    start(CODE_OF(0xf1), 0, 0);
    RUN_TO(REASON_EXCEPTION);
    CHECK_EXCEPTION(INFORMATION(1, PRIVILEGED), 0);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), 0);
    start(CODE_OF(0xcd, 3), IOPL3, 0); /* INT 3 of two bytes is a software interrupt */
    RUN_TO(EXIT_VMCALL);
    CHECK_MONITOR(3, 2, FIXED | VM | IOPL3);
}

/* Faults that the delivery of an INT n meets: the exit tells of both. */
static void delivery_that_faults(void)
{
    vmwrite(EXCEPTION_BITMAP, 1 << GP | 1 << PF | 1 << NP);
    set_gate(VECTOR, MONITOR_CODE, GATE32); /* DPL 0 */
    start(CODE_OF(0xcd, VECTOR), IOPL3, 0);
    RUN_TO(REASON_EXCEPTION);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION), INFORMATION(GP, HARDWARE) | HAS_CODE);
    CHECK_EQUAL(vmread(EXIT_ERROR_CODE), VECTOR * 8 + 2);
    CHECK_EQUAL(vmread(IDT_VECTORING), INFORMATION(VECTOR, SOFTWARE_INTERRUPT));
    CHECK_EQUAL(vmread(EXIT_INSTRUCTION_LENGTH), 2);
    CHECK_EQUAL(vmread(GUEST_RIP), 0);
    CHECK_EQUAL(vmread(GUEST_RFLAGS), FIXED | VM | IOPL3 | RF);
    set_gate(VECTOR, MONITOR_CODE, (GATE32 & 0x7f) | DPL3); /* not present */
    start(CODE_OF(0x2e, 0xcd, VECTOR), IOPL3, 0);
    RUN_TO(REASON_EXCEPTION);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION), INFORMATION(NP, HARDWARE) | HAS_CODE);
    CHECK_EQUAL(vmread(EXIT_ERROR_CODE), VECTOR * 8 + 2);
    CHECK_EQUAL(vmread(IDT_VECTORING), INFORMATION(VECTOR, SOFTWARE_INTERRUPT));
    CHECK_EQUAL(vmread(EXIT_INSTRUCTION_LENGTH), 3);
    set_gate(VECTOR, OTHER_TASK, TASK_GATE | DPL3);
    start(CODE_OF(0xcd, VECTOR), IOPL3, 0);
    RUN_TO(REASON_TASK_SWITCH);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), 3u << 30 | OTHER_TASK);
    CHECK_EQUAL(vmread(IDT_VECTORING), INFORMATION(VECTOR, SOFTWARE_INTERRUPT));
    CHECK_EQUAL(vmread(EXIT_INSTRUCTION_LENGTH), 2);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION) & VALID, 0);
    CHECK_EQUAL(vmread(GUEST_RIP), 0);
    CHECK_EQUAL(vmread(GUEST_RFLAGS), FIXED | VM | IOPL3);
    set_gate(VECTOR, MONITOR_CODE, GATE32 | DPL3);
}

static void with_vme(void)
{
    static const uint8_t handler[] = {0xe6, 0x42};
    memcpy((void *)at(CODE, HANDLER), handler, sizeof handler);
    set_ivt(VECTOR, CODE, HANDLER);
    vmwrite(EXCEPTION_BITMAP, 1 << GP | 1 << PF);
    set_redirection(VECTOR, false);
    start(CODE_OF(0xcd, VECTOR), VIF | IF, VME); /* IOPL 0: IF of the image is VIF */
    RUN_TO(EXIT_IO);
    CHECK_HANDLER(2, FIXED | IOPL3 | IF, IF);
    start(CODE_OF(0xcd, VECTOR), IF, VME);
    RUN_TO(EXIT_IO);
    CHECK_HANDLER(2, FIXED | IOPL3, IF);
    start(CODE_OF(0xcd, VECTOR), IOPL3 | VIF | IF, VME);
    RUN_TO(EXIT_IO);
    CHECK_HANDLER(2, FIXED | IOPL3 | IF, IOPL3 | VIF);

    set_redirection(VECTOR, true);
    start(CODE_OF(0xcd, VECTOR), IF, VME);
    RUN_TO(REASON_EXCEPTION);
    CHECK_EXCEPTION(INFORMATION(GP, HARDWARE) | HAS_CODE, 0);
    CHECK_EQUAL(vmread(EXIT_ERROR_CODE), 0);
    start(CODE_OF(0xcd, VECTOR), IOPL3, VME);
    RUN_TO(EXIT_VMCALL);
    CHECK_MONITOR(VECTOR, 2, FIXED | VM | IOPL3);
    set_redirection(VECTOR, false);

    /* The table at 0 is not there: the exit comes during the delivery of the software interrupt. */
    first_table[0] = 0;
    start(CODE_OF(0xcd, VECTOR), 0, VME);
    RUN_TO(REASON_EXCEPTION);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION), INFORMATION(PF, HARDWARE) | HAS_CODE);
    CHECK_EQUAL(vmread(EXIT_ERROR_CODE), 0); /* the processor's own read, as a supervisor */
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), VECTOR * 4);
    CHECK_EQUAL(vmread(IDT_VECTORING), INFORMATION(VECTOR, SOFTWARE_INTERRUPT));
    CHECK_EQUAL(vmread(EXIT_INSTRUCTION_LENGTH), 2);
    first_table[0] = 7;

    /* CLI and STI act on VIF; STI with VIP, and both flags at an instruction's start, are #GP(0). */
    start(CODE_OF(0xfa, 0xe6, 0x42), VIF | IF, VME);
    RUN_TO(EXIT_IO);
    CHECK_EQUAL(vmread(GUEST_RFLAGS), FIXED | VM | IF);
    start(CODE_OF(0xfb, 0xe6, 0x42), 0, VME);
    RUN_TO(EXIT_IO);
    CHECK_EQUAL(vmread(GUEST_RFLAGS), FIXED | VM | VIF);
    CHECK_EQUAL(vmread(GUEST_INTERRUPTIBILITY_STATE), 0);
    start(CODE_OF(0xfb), VIP, VME);
    RUN_TO(REASON_EXCEPTION);
    CHECK_EXCEPTION(INFORMATION(GP, HARDWARE) | HAS_CODE, 0);
    start(CODE_OF(0x90), VIP | VIF, VME);
    RUN_TO(REASON_EXCEPTION);
    CHECK_EXCEPTION(INFORMATION(GP, HARDWARE) | HAS_CODE, 0);
}

static void check_io(uint64_t qualification, uint64_t length, uint64_t linear, int line)
{
    check_equal("qualification", vmread(EXIT_QUALIFICATION), qualification, line);
    check_equal("length", vmread(EXIT_INSTRUCTION_LENGTH), length, line);
    if (linear)
        check_equal("guest-linear address", vmread(GUEST_LINEAR_ADDRESS), linear, line);
    check_equal("IP", vmread(GUEST_RIP), 0, line);
}

static void port_access(void)
{
    static const struct {
        uint8_t code[5];
        uint8_t bytes;
        uint64_t qualification, linear;
    } cases[] = {
        {{0xe4, 0x60}, 2, 0x60u << 16 | 1 << 6 | 1 << 3, 0},
        {{0xef}, 1, 0x1234u << 16 | 1, 0},           /* OUT DX, AX */
        {{0x66, 0xed}, 2, 0x1234u << 16 | 3 | 8, 0}, /* IN EAX, DX */
        {{0xf3, 0x6c}, 2, 0x1234u << 16 | 1 << 5 | 1 << 4 | 8, (DATA + 1) * 16 + 0xfffe},
        {{0x6f}, 1, 0x1234u << 16 | 1 << 4 | 1, DATA * 16 + 0xfff0},
        {{0x64, 0xf2, 0x6e}, 3, 0x1234u << 16 | 1 << 5 | 1 << 4, (DATA + 2) * 16 + 0xfff0}, /* FS */
        {{0x26, 0x67, 0x6e},
         3,
         0x1234u << 16 | 1 << 4,
         (DATA + 1) * 16 + 0x1fff0}, /* ES, ESI: not judged yet */
    };
    vmwrite(EXCEPTION_BITMAP, 1 << GP);
    registers.rdx = 0xabcd1234;
    registers.rcx = 0x10002;
    registers.rsi = 0x1fff0;
    registers.rdi = 0x1fffe;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        start(cases[i].code, cases[i].bytes, 0, 0);
        RUN_TO(EXIT_IO);
        check_io(cases[i].qualification, cases[i].bytes, cases[i].linear, (int)i);
        /* The permission map goes before, at any IOPL. */
        tss[IO_MAP + 0x1234 / 8] = 0x20; /* port 1235H */
        tss[IO_MAP + 0x60 / 8] = 1;
        start(cases[i].code, cases[i].bytes, IOPL3, 0);
        if ((cases[i].qualification & 7) || i == 0) {
            RUN_TO(REASON_EXCEPTION);
            CHECK_EXCEPTION(INFORMATION(GP, HARDWARE) | HAS_CODE, 0);
        } else {
            RUN_TO(EXIT_IO);
        }
        tss[IO_MAP + 0x1234 / 8] = tss[IO_MAP + 0x60 / 8] = 0;
    }
}

static void inject(unsigned vector, unsigned type, unsigned length)
{
    vmwrite(ENTRY_INTERRUPTION_INFORMATION, INFORMATION(vector, type));
    vmwrite(ENTRY_INSTRUCTION_LENGTH, length);
}

/* No look at IOPL, but one at the redirection map. */
static void injection(void)
{
    vmwrite(EXCEPTION_BITMAP, 1 << GP | 1 << PF);
    start(CODE_OF(0xf4), IF, 0);
    inject(VECTOR, SOFTWARE_INTERRUPT, 2);
    RUN_TO(EXIT_VMCALL);
    CHECK_MONITOR(VECTOR, 2, FIXED | VM | IF);
    CHECK_EQUAL(vmread(ENTRY_INTERRUPTION_INFORMATION) & VALID, 0);
    set_redirection(VECTOR, true);
    start(CODE_OF(0xf4), VIF, VME);
    inject(VECTOR, SOFTWARE_INTERRUPT, 5);
    RUN_TO(EXIT_VMCALL);
    CHECK_MONITOR(VECTOR, 5, FIXED | VM | VIF);
    set_redirection(VECTOR, false);
    start(CODE_OF(0xf4), VIF | RF, VME);
    inject(VECTOR, SOFTWARE_INTERRUPT, 2);
    RUN_TO(EXIT_IO);
    CHECK_HANDLER(2, FIXED | IOPL3 | IF, 0);
    start(CODE_OF(0xf4), IF, VME); /* other types are never redirected */
    inject(VECTOR, EXTERNAL, 0);
    RUN_TO(EXIT_VMCALL);
    CHECK_MONITOR(VECTOR, 0, FIXED | VM | IF);
    set_gate(3, MONITOR_CODE, GATE32); /* DPL 0 is looked at for INT3, not for INT1 */
    start(CODE_OF(0xf4), 0, VME);
    inject(3, SOFTWARE, 1);
    RUN_TO(REASON_EXCEPTION);
    CHECK_EQUAL(vmread(EXIT_ERROR_CODE), 3 * 8 + 2);
    CHECK_EQUAL(vmread(IDT_VECTORING), INFORMATION(3, SOFTWARE));
    CHECK_EQUAL(vmread(EXIT_INSTRUCTION_LENGTH), 1);
    CHECK_EQUAL(vmread(GUEST_RIP), 0);
    set_gate(1, MONITOR_CODE, GATE32);
    start(CODE_OF(0xf4), RF, 0);
    inject(1, PRIVILEGED, 1);
    RUN_TO(EXIT_VMCALL);
    CHECK_MONITOR(1, 1, FIXED | VM | RF);
    start(CODE_OF(0xf4), 0, 0); /* an injected #GP has its code on the stack and no RF of its own */
    vmwrite(ENTRY_INTERRUPTION_INFORMATION, INFORMATION(GP, HARDWARE) | HAS_CODE);
    vmwrite(ENTRY_ERROR_CODE, 0x1234);
    RUN_TO(EXIT_VMCALL);
    CHECK_EQUAL(*(volatile uint32_t *)(monitor_stack + PAGE - FRAME_BYTES - 4), 0x1234);
    CHECK_EQUAL(*(volatile uint32_t *)(monitor_stack + PAGE - FRAME_BYTES + 8), FIXED | VM);
    set_gate(2, OTHER_TASK, TASK_GATE);
    start(CODE_OF(0xf4), 0, 0);
    inject(2, NMI, 0);
    RUN_TO(REASON_TASK_SWITCH);
    CHECK_EQUAL(vmread(IDT_VECTORING), INFORMATION(2, NMI));
    CHECK_EQUAL(vmread(GUEST_INTERRUPTIBILITY_STATE), 8); /* NMIs are blocked as by any delivery */
}

int main(void)
{
    const struct vmx_wanted_controls wanted = {.primary = UNCONDITIONAL_IO_EXITING,
                                               .exit = HOST_ADDRESS_SPACE_SIZE};
    trap_install();
    if (!vmx_enable() || !vmcs_create_with(vmcs, &wanted))
        leave(1);
    build_tables();
    vmcs_guest_protected_mode(0, SP, address(directory));
    without_vme();
    software_exceptions();
    delivery_that_faults();
    with_vme();
    port_access();
    injection();
    check_end();
}
