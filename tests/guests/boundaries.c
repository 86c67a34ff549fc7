/*
 * boundaries: what VM exits save of shadows, traps and windows on the boundary between two instructions, and
 * that the processor can be entered again with it. SDM volume 3C "Saving Non-Register State", "Checks on
 * Guest Non-Register State", "Delivery of Pending Debug Exceptions after VM Entry", "Special Features of VM
 * Entry".
 */
/* expect: status 0 */
/* expect: options --quiet */
#include "trap.h"
#include "vmx.h"

enum {
    PAGE = 4096,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    IA32E_MODE_GUEST = 1 << 9,
    LOAD_DEBUG_CONTROLS = 1 << 2,
    NMI_EXITING = 1 << 3,
    VIRTUAL_NMIS = 1 << 5,
    PREEMPTION_TIMER = 1 << 6,
    HLT_EXITING = 1 << 7,
    MWAIT_EXITING = 1 << 10,
    INTERRUPT_WINDOW = 1 << 2,
    NMI_WINDOW = 1 << 22,
    MONITOR_TRAP = 1 << 27,
    REASON_EXCEPTION = 0,
    REASON_INTERRUPT_WINDOW = 7,
    REASON_NMI_WINDOW = 8,
    EXIT_MWAIT = 36,
    REASON_MONITOR_TRAP = 37,
    TF = 1 << 8,
    IF = 1 << 9,
    RF = 1 << 16,
    FIXED = 2,
    BY_STI = 1,
    BY_MOV_SS = 2,
    BY_NMI = 8,
    PENDING_B0 = 1,
    PENDING_ENABLED = 1 << 12,
    PENDING_BS = 1 << 14,
    DB = 1,
    VECTOR = 0x41,
    STACK_TOP = 0x2010000,
};
enum { EXTERNAL, NMI = 2, HARDWARE, SOFTWARE_INTERRUPT };
enum {
    ENTRY_INSTRUCTION_LENGTH = 0x401a,
    EXIT_INTERRUPTION_INFORMATION = 0x4404,
    IDT_VECTORING = 0x4408,
    GUEST_PENDING_DEBUG = 0x6822,
};
#define VALID (1u << 31)
#define INFORMATION(vector, type) (VALID | (unsigned)(type) << 8 | (vector))
#define CODE 0x2000000ull
#define WATCHED 0x2001000ull /* DR0: reads and writes of 2 bytes */
#define STUBS 0x2002000ull   /* VMCALL for each vector, 16 bytes apart */
#define IDT 0x2004000ull

extern char boot_gdt[], boot_tss[];
static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE)));
static struct guest_registers registers;
static bool launched;
static uint64_t pin_based, primary;

static void build(void)
{
    for (uint64_t v = 0; v < 256; v++) {
        uint8_t *stub = (uint8_t *)(STUBS + v * 16);
        uint64_t *gate = (uint64_t *)(IDT + v * 16), at = (uint64_t)stub;
        stub[0] = 0x0f, stub[1] = 0x01, stub[2] = 0xc1, stub[3] = 0xf4;
        gate[0] = (at & 0xffff) | 8ull << 16 | 0x8eull << 40 | (at >> 16 & 0xffff) << 48;
        gate[1] = at >> 32;
    }
    *(uint16_t *)WATCHED = 16;
}

static void start(const uint8_t *code, unsigned bytes, uint64_t rflags)
{
    memset((void *)CODE, 0x90, 64);
    memcpy((void *)CODE, code, bytes);
    vmwrite(PIN_BASED_CONTROLS, pin_based);
    vmwrite(PRIMARY_CONTROLS, primary);
    vmwrite(EXCEPTION_BITMAP, 0);
    vmwrite(GUEST_RIP, CODE);
    vmwrite(GUEST_RSP, STACK_TOP);
    vmwrite(GUEST_RFLAGS, FIXED | rflags);
    vmwrite(GUEST_DR7, 0x400);
    vmwrite(GUEST_INTERRUPTIBILITY_STATE, 0);
    vmwrite(GUEST_ACTIVITY_STATE, 0);
    vmwrite(GUEST_PENDING_DEBUG, 0);
    vmwrite(ENTRY_INTERRUPTION_INFORMATION, 0);
    registers = (struct guest_registers){.rax = 16, .rbx = WATCHED};
}
#define START(flags, ...) start((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), flags)

#define RUN_TO(reason, rip) run_to(reason, rip, __LINE__)
static void run_to(uint64_t reason, uint64_t rip, int line)
{
    check_equal("entered", vmx_run(&registers, launched), true, line);
    launched = true;
    check_equal("exit reason", vmread(EXIT_REASON), reason, line);
    check_equal("RIP", vmread(GUEST_RIP), rip, line);
}

#define STATE(interruptibility, pending) state(interruptibility, pending, __LINE__)
static void state(uint64_t interruptibility, uint64_t pending, int line)
{
    check_equal("interruptibility", vmread(GUEST_INTERRUPTIBILITY_STATE), interruptibility, line);
    check_equal("pending debug exceptions", vmread(GUEST_PENDING_DEBUG), pending, line);
}

static uint64_t frame(unsigned item) /* of an exception without error code: RIP, CS, RFLAGS, RSP, SS */
{
    return ((volatile uint64_t *)(STACK_TOP - 40))[item];
}

static uint64_t stub_of(unsigned vector)
{
    return STUBS + vector * 16;
}

/* Exits in MOV SS's shadow: a single-step trap and a data breakpoint are held there, and come after the
 * re-entry. */
static void held_by_mov_ss(void)
{
    START(TF, 0x8e, 0xd0, 0x0f, 0xa2, 0x90); /* MOV SS, EAX; CPUID; NOP */
    RUN_TO(EXIT_CPUID, CODE + 2);
    STATE(BY_MOV_SS, PENDING_BS);
    vmwrite(GUEST_RIP, CODE + 4); /* as if emulated: the shadow is over, the trap comes */
    vmwrite(GUEST_INTERRUPTIBILITY_STATE, 0);
    RUN_TO(EXIT_VMCALL, stub_of(DB));
    CHECK_EQUAL(frame(0), CODE + 4);
    START(TF, 0x8e, 0xd0, 0x0f, 0xa2, 0x90);
    RUN_TO(EXIT_CPUID, CODE + 2);
    RUN_TO(EXIT_CPUID, CODE + 2); /* what was saved can be loaded */
    STATE(BY_MOV_SS, PENDING_BS);
    START(0, 0x8e, 0x13, 0x0f, 0xa2); /* MOV SS, [RBX]; CPUID */
    vmwrite(GUEST_DR7, 0x700403 | 1ull << 16 | 1ull << 17);
    RUN_TO(EXIT_CPUID, CODE + 2);
    STATE(BY_MOV_SS, PENDING_ENABLED | PENDING_B0);
    RUN_TO(EXIT_CPUID, CODE + 2);
    STATE(BY_MOV_SS, PENDING_ENABLED | PENDING_B0);
    vmwrite(GUEST_INTERRUPTIBILITY_STATE, 0);
    vmwrite(GUEST_RIP, CODE + 4);
    vmwrite(EXCEPTION_BITMAP, 1 << DB);
    RUN_TO(REASON_EXCEPTION, CODE + 4);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), PENDING_B0);
    STATE(0, 0);
}

/* MONITOR arms, the exit of MWAIT tells, and ends it. */
static void monitoring(void)
{
    START(0, 0x31, 0xc9, 0x31, 0xd2, 0x0f, 0x01, 0xc8, 0x0f, 0x01, 0xc9);
    vmwrite(PRIMARY_CONTROLS, primary | MWAIT_EXITING);
    registers.rax = WATCHED;
    RUN_TO(EXIT_MWAIT, CODE + 7);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), 1);
    RUN_TO(EXIT_MWAIT, CODE + 7);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), 0);
}

/* The single-step trap of STI: its shadow is on. */
static void trap_after_sti(void)
{
    START(TF, 0xfb, 0x90);
    vmwrite(EXCEPTION_BITMAP, 1 << DB);
    RUN_TO(REASON_EXCEPTION, CODE + 1);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), PENDING_BS);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION), INFORMATION(DB, HARDWARE));
    STATE(BY_STI, 0);
    CHECK_EQUAL(vmread(GUEST_RFLAGS), FIXED | IF | TF);
    START(0, 0xfb, 0x0f, 0xa2);
    RUN_TO(EXIT_CPUID, CODE + 1);
    STATE(BY_STI, 0);
    START(IF, 0xfb, 0x0f, 0xa2); /* IF was 1: no shadow */
    RUN_TO(EXIT_CPUID, CODE + 1);
    STATE(0, 0);
    START(0, 0x8e, 0xd0, 0xfb, 0x0f, 0xa2); /* MOV SS, then STI: that of STI alone */
    RUN_TO(EXIT_CPUID, CODE + 3);
    STATE(BY_STI, 0);
}

static void windows(void)
{
    START(0, 0xfb, 0x90, 0x90); /* STI; NOP: the window opens behind the NOP */
    vmwrite(PRIMARY_CONTROLS, primary | INTERRUPT_WINDOW);
    RUN_TO(REASON_INTERRUPT_WINDOW, CODE + 2);
    STATE(0, 0);
    START(0, 0xfb, 0xf4, 0x90); /* STI; HLT: in the HLT state */
    vmwrite(PRIMARY_CONTROLS, (primary & ~(uint64_t)HLT_EXITING) | INTERRUPT_WINDOW);
    RUN_TO(REASON_INTERRUPT_WINDOW, CODE + 2);
    CHECK_EQUAL(vmread(GUEST_ACTIVITY_STATE), 1);
    RUN_TO(REASON_INTERRUPT_WINDOW, CODE + 2); /* and after an entry to it */
    CHECK_EQUAL(vmread(GUEST_ACTIVITY_STATE), 1);
    START(0, 0x9d, 0x90); /* POPFQ sets IF: no shadow */
    *(uint64_t *)STACK_TOP = FIXED | IF;
    vmwrite(PRIMARY_CONTROLS, primary | INTERRUPT_WINDOW);
    RUN_TO(REASON_INTERRUPT_WINDOW, CODE + 1);
    START(IF, 0x90, 0x90); /* at once; with STI's shadow one instruction later; MOV SS's the same */
    vmwrite(PRIMARY_CONTROLS, primary | INTERRUPT_WINDOW);
    RUN_TO(REASON_INTERRUPT_WINDOW, CODE);
    vmwrite(GUEST_INTERRUPTIBILITY_STATE, BY_STI);
    RUN_TO(REASON_INTERRUPT_WINDOW, CODE + 1);
    vmwrite(GUEST_INTERRUPTIBILITY_STATE, BY_MOV_SS);
    RUN_TO(REASON_INTERRUPT_WINDOW, CODE + 2);
    START(IF, 0x90); /* the handler of an injected interrupt has IF = 0: an interrupt gate */
    vmwrite(PRIMARY_CONTROLS, primary | INTERRUPT_WINDOW);
    vmwrite(ENTRY_INTERRUPTION_INFORMATION, INFORMATION(VECTOR, EXTERNAL));
    RUN_TO(EXIT_VMCALL, stub_of(VECTOR));
    /* NMI window: virtual-NMI blocking ends with IRETQ */
    START(0, 0x48, 0xcf);
    const uint64_t frame_of_iret[] = {CODE + 8, 8, FIXED, STACK_TOP, 16};
    memcpy((void *)(STACK_TOP - 64), frame_of_iret, sizeof frame_of_iret);
    vmwrite(GUEST_RSP, STACK_TOP - 64);
    vmwrite(PIN_BASED_CONTROLS, pin_based | NMI_EXITING | VIRTUAL_NMIS);
    vmwrite(PRIMARY_CONTROLS, primary | NMI_WINDOW);
    vmwrite(GUEST_INTERRUPTIBILITY_STATE, BY_NMI);
    RUN_TO(REASON_NMI_WINDOW, CODE + 8);
    STATE(0, 0);
    START(IF, 0x90); /* NMI window goes before interrupt window; the timer before both; a pending trap before
                        that */
    vmwrite(PIN_BASED_CONTROLS, pin_based | NMI_EXITING | VIRTUAL_NMIS);
    vmwrite(PRIMARY_CONTROLS, primary | NMI_WINDOW | INTERRUPT_WINDOW);
    RUN_TO(REASON_NMI_WINDOW, CODE);
    vmwrite(PIN_BASED_CONTROLS, pin_based | NMI_EXITING | VIRTUAL_NMIS | PREEMPTION_TIMER);
    vmwrite(PREEMPTION_TIMER_VALUE, 0);
    RUN_TO(EXIT_PREEMPTION_TIMER, CODE);
    vmwrite(GUEST_PENDING_DEBUG, PENDING_BS);
    vmwrite(PREEMPTION_TIMER_VALUE, 0);
    RUN_TO(EXIT_PREEMPTION_TIMER, stub_of(DB)); /* after the delivery */
    CHECK_EQUAL(frame(0), CODE);
    START(IF | TF, 0x90); /* and after that of an injected event */
    vmwrite(PIN_BASED_CONTROLS, pin_based | PREEMPTION_TIMER);
    vmwrite(PREEMPTION_TIMER_VALUE, 0);
    vmwrite(ENTRY_INTERRUPTION_INFORMATION, INFORMATION(VECTOR, SOFTWARE_INTERRUPT));
    vmwrite(ENTRY_INSTRUCTION_LENGTH, 3);
    RUN_TO(EXIT_PREEMPTION_TIMER, stub_of(VECTOR));
    CHECK_EQUAL(frame(0), CODE + 3);
    CHECK_EQUAL(frame(2), FIXED | IF | TF);
}

/* TF, breakpoints and the monitor trap flag over instructions that exit, fault, or are held. */
static void traps(void)
{
    START(TF, 0x90, 0x90);
    vmwrite(PRIMARY_CONTROLS, primary | MONITOR_TRAP);
    RUN_TO(REASON_MONITOR_TRAP, CODE + 1);
    STATE(0, PENDING_BS);
    RUN_TO(REASON_MONITOR_TRAP, stub_of(DB)); /* the trap's delivery is the next operation */
    CHECK_EQUAL(frame(0), CODE + 1);
    START(0, 0x0f, 0x0b); /* UD2: the boundary is behind the delivery */
    vmwrite(PRIMARY_CONTROLS, primary | MONITOR_TRAP);
    RUN_TO(REASON_MONITOR_TRAP, stub_of(6));
    CHECK_EQUAL(frame(0), CODE);
    CHECK_EQUAL(frame(2), FIXED | RF);
    START(TF, 0x0f, 0xa2); /* an instruction that exits has not been stepped */
    RUN_TO(EXIT_CPUID, CODE);
    STATE(0, 0);
    START(0, 0x66, 0x8b, 0x03, 0x90); /* MOV AX, [RBX] */
    vmwrite(GUEST_DR7, 0x700403 | 1ull << 16 | 1ull << 17);
    vmwrite(EXCEPTION_BITMAP, 1 << DB);
    RUN_TO(REASON_EXCEPTION, CODE + 3);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), PENDING_B0);
    START(TF, 0x66, 0x8b, 0x03, 0x90);
    vmwrite(GUEST_DR7, 0x700403 | 1ull << 16 | 1ull << 17);
    vmwrite(PRIMARY_CONTROLS, primary | MONITOR_TRAP);
    RUN_TO(REASON_MONITOR_TRAP, CODE + 3);
    STATE(0, PENDING_BS | PENDING_ENABLED | PENDING_B0);
    START(0, 0x0f, 0x21, 0xf8, 0x90); /* MOV RAX, DR7 with GD: a fault, before the access */
    vmwrite(GUEST_DR7, 0x2400);
    vmwrite(EXCEPTION_BITMAP, 1 << DB);
    RUN_TO(REASON_EXCEPTION, CODE);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), 1 << 13);
    CHECK_EQUAL(vmread(GUEST_DR7), 0x2400);
    CHECK_EQUAL(vmread(GUEST_RFLAGS), FIXED | RF);
    START(RF, 0x90, 0x90); /* an instruction breakpoint; RF suppresses it once */
    vmwrite(GUEST_DR7, 0x402);
    __asm__ volatile("mov %0, %%dr0" ::"r"(CODE));
    vmwrite(EXCEPTION_BITMAP, 1 << DB);
    START(0, 0x90, 0x90);
    vmwrite(GUEST_DR7, 0x402);
    vmwrite(EXCEPTION_BITMAP, 1 << DB);
    RUN_TO(REASON_EXCEPTION, CODE);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), PENDING_B0);
    CHECK_EQUAL(vmread(GUEST_RFLAGS), FIXED);
    vmwrite(GUEST_RFLAGS, FIXED | RF | TF);
    RUN_TO(REASON_EXCEPTION, CODE + 1);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), PENDING_BS);
    __asm__ volatile("mov %0, %%dr0" ::"r"(WATCHED));
}

/* An injected event after MOV SS: of its pending traps those come after it that come after INT n. */
static void injected_after_mov_ss(void)
{
    START(TF, 0x90);
    vmwrite(GUEST_INTERRUPTIBILITY_STATE, BY_MOV_SS);
    vmwrite(GUEST_PENDING_DEBUG, PENDING_BS);
    vmwrite(ENTRY_INTERRUPTION_INFORMATION, INFORMATION(6, HARDWARE));
    RUN_TO(EXIT_VMCALL, stub_of(6)); /* nothing is pending after it */
    STATE(0, 0);
    CHECK_EQUAL(frame(2), FIXED | TF);
    START(TF, 0x90, 0x90);
    vmwrite(GUEST_INTERRUPTIBILITY_STATE, BY_MOV_SS);
    vmwrite(GUEST_PENDING_DEBUG, PENDING_BS);
    vmwrite(ENTRY_INTERRUPTION_INFORMATION, INFORMATION(VECTOR, SOFTWARE_INTERRUPT));
    vmwrite(ENTRY_INSTRUCTION_LENGTH, 1);
    vmwrite(EXCEPTION_BITMAP, 1 << DB);
    RUN_TO(REASON_EXCEPTION, stub_of(VECTOR)); /* the trap that MOV SS held, before the handler */
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), PENDING_BS);
    CHECK_EQUAL(vmread(IDT_VECTORING) & VALID, 0);
    CHECK_EQUAL(frame(0), CODE + 1);
}

int main(void)
{
    const struct vmx_wanted_controls wanted = {.primary = HLT_EXITING,
                                               .exit = HOST_ADDRESS_SPACE_SIZE | LOAD_DEBUG_CONTROLS,
                                               .entry = IA32E_MODE_GUEST | LOAD_DEBUG_CONTROLS};
    trap_install();
    if (!vmx_enable() || !vmcs_create_with(vmcs, &wanted))
        leave(1);
    build();
    vmcs_guest_long_mode(CODE, STACK_TOP, read_cr3());
    vmwrite(GUEST_CS_SELECTOR, 8);
    vmwrite(GUEST_SS_SELECTOR, 16);
    vmwrite(GUEST_GDTR_BASE, (uint64_t)boot_gdt);
    vmwrite(GUEST_GDTR_BASE + 2, IDT);
    pin_based = vmread(PIN_BASED_CONTROLS);
    primary = vmread(PRIMARY_CONTROLS);
    __asm__ volatile("mov %0, %%dr0" ::"r"(WATCHED));
    held_by_mov_ss();
    monitoring();
    trap_after_sti();
    windows();
    traps();
    injected_after_mov_ss();
    check_end();
}
