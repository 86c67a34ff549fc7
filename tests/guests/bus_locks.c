/*
 * bus_locks: locked instructions whose operand crosses a cache line, or is a device's: the VM exit after
 * them, the debug exception, and the alignment check that goes before them. SDM volume 3A "Bus Locking",
 * "Split-Lock Disable"; volume 3B "OS Bus-Lock Detection"; volume 3C "Other Causes of VM Exits".
 */
/* expect: status 0 */
/* expect: options --cpu sapphirerapids */
#include "trap.h"
#include "vmx.h"

enum {
    VMM_BUS_LOCK_DETECTION = 1 << 30,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    SAVE_DEBUG_CONTROLS = 1 << 2,
    LOAD_DEBUG_CONTROLS = 1 << 2,
    GUEST_IA32_DEBUGCTL = 0x2802,
    GUEST_PENDING_DEBUG_EXCEPTIONS = 0x6822,
    EXIT_INTERRUPTION_INFORMATION = 0x4404,
    EXIT_EXCEPTION = 0,
    EXIT_BUS_LOCK = 74 | 1 << 26,
    IA32_CORE_CAPABILITIES = 0xcf,
    TEST_CTRL = 0x33,
    SPLIT_LOCK_DISABLE = 1 << 29,
    BUS_LOCK_DETECT = 1 << 2,
    BLD = 1 << 11,
    ENABLED = 1 << 12,
    BS = 1 << 14,
    RFLAGS_TF = 1 << 8,
    DB = 1,
    AC = 17,
    LINE = 64,
    PAGE = 4096,
    ARITHMETIC_FLAGS = 0x8d5,
    USED = 0x60,
    USER = 4,
};
#define TASK_PRIORITY 0xfee00080ull

static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE))), stack[PAGE] __attribute__((aligned(PAGE))),
    operands[2 * PAGE] __attribute__((aligned(PAGE)));
static struct guest_registers registers;
static bool launched;

/* RDI: the operand; RSI, RAX, RDX, RCX, RBX: others. */
#define OPERATIONS(X)                                                                                        \
    X(add, "lock addl %esi, (%rdi)", 4)                                                                      \
    X(adc, "stc\n lock adcl %esi, (%rdi)", 4)                                                                \
    X(sub, "lock subw %si, (%rdi)", 2)                                                                       \
    X(sbb, "lock sbbq %rsi, (%rdi)", 8)                                                                      \
    X(and, "lock andl %esi, (%rdi)", 4)                                                                      \
    X(or, "lock orl $0x11223344, (%rdi)", 4)                                                                 \
    X(xor, "lock xorq %rsi, (%rdi)", 8)                                                                      \
    X(inc, "lock incl (%rdi)", 4)                                                                            \
    X(dec, "lock decw (%rdi)", 2)                                                                            \
    X(not, "lock notl (%rdi)", 4)                                                                            \
    X(neg, "lock negq (%rdi)", 8)                                                                            \
    X(bts, "lock btsl $5, (%rdi)", 4)                                                                        \
    X(btr, "lock btrl $6, (%rdi)", 4)                                                                        \
    X(btc, "lock btcq $7, (%rdi)", 8)                                                                        \
    X(xadd, "lock xaddl %esi, (%rdi)", 4)                                                                    \
    X(xchg, "xchgl %esi, (%rdi)", 4)                                                                         \
    X(cmpxchg, "lock cmpxchgl %esi, (%rdi)", 4)                                                              \
    X(cmpxchg8b, "lock cmpxchg8b (%rdi)", 8)
#define DEFINE(name, text, bytes) __asm__(".text\nop_" #name ": " text "\n vmcall\n");
#define DECLARE(name, text, bytes) extern const char op_##name[];
OPERATIONS(DEFINE)
OPERATIONS(DECLARE)
static const struct {
    const char *name, *code;
    unsigned bytes;
} operations[] = {
#define ROW(name, text, bytes) {#name, op_##name, bytes},
    OPERATIONS(ROW)};

__asm__(".text\n"
        "op_unlocked: addl %esi, (%rdi)\n xaddl %esi, (%rdi)\n movq (%rdi), %rax\n vmcall\n"
        "op_device: movl (%rdi), %eax\n movl %eax, (%rdi)\n lock orl $0, (%rdi)\n"
        "after_device: vmcall\n"
        "op_trap: lock addl %esi, (%rdi)\n"
        "after_trap: vmcall\n");
extern const char op_unlocked[], op_device[], after_device[], op_trap[], after_trap[];

static void create(uint32_t secondary)
{
    const struct vmx_wanted_controls wanted = {.secondary = secondary,
                                               .exit = HOST_ADDRESS_SPACE_SIZE | SAVE_DEBUG_CONTROLS,
                                               .entry = LOAD_DEBUG_CONTROLS};
    CHECK_EQUAL(vmcs_create_with(vmcs, &wanted), true);
    vmcs_guest_long_mode((uint64_t)op_add, (uint64_t)stack + PAGE - 16, read_cr3());
    launched = false;
}

static uint64_t run(const char *code, void *operand)
{
    registers.rdi = (uint64_t)operand;
    vmwrite(GUEST_RIP, (uint64_t)code);
    vmwrite(GUEST_RFLAGS, 2);
    CHECK_EQUAL(vmx_run(&registers, launched), true);
    launched = true;
    return vmread(EXIT_REASON);
}

/* What an operation left: its operand, registers, flags. */
struct result {
    uint64_t value, rsi, rax, flags;
};

static struct result operate(unsigned i, unsigned offset, bool split)
{
    struct result result;
    const uint64_t value = 0x8877665544332211ull;
    uint8_t *operand = operands + offset;
    memcpy(operand, &value, sizeof value);
    registers.rax = 0x44332211;
    registers.rdx = 0x88776655;
    registers.rcx = registers.rbx = 0x5a5a5a5a;
    registers.rsi = 0x0123456789abcdefull;
    check_equal(operations[i].name, run(operations[i].code, operand), split ? EXIT_BUS_LOCK : EXIT_VMCALL,
                (int)offset);
    memcpy(&result.value, operand, sizeof result.value);
    result.rsi = registers.rsi;
    result.rax = registers.rax;
    result.flags = vmread(GUEST_RFLAGS) & ARITHMETIC_FLAGS;
    if (split)
        check_equal("the next instruction exits", vmx_run(&registers, true) ? vmread(EXIT_REASON) : 0,
                    EXIT_VMCALL, (int)offset);
    return result;
}

/* At each place around the end of a line, and of a page. */
static void all_operations(unsigned line)
{
    for (unsigned i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        const struct result plain = operate(i, 0, false);
        for (unsigned offset = line - 9; offset <= line; offset++) {
            const struct result here =
                operate(i, offset, offset < line && offset + operations[i].bytes > line);
            check_equal(operations[i].name, here.value, plain.value, (int)offset);
            check_equal(operations[i].name, here.rsi, plain.rsi, (int)offset);
            check_equal(operations[i].name, here.rax, plain.rax, (int)offset);
            check_equal(operations[i].name, here.flags, plain.flags, (int)offset);
        }
    }
}

static void vmm_detection(void)
{
    create(VMM_BUS_LOCK_DETECTION);
    all_operations(LINE);
    all_operations(PAGE);
    CHECK_EQUAL(run(op_unlocked, operands + LINE - 2), EXIT_VMCALL);
    CHECK_EQUAL(run(op_device, (void *)TASK_PRIORITY), EXIT_BUS_LOCK);
    CHECK_EQUAL(vmread(GUEST_RIP), after_device);
    create(0);
    CHECK_EQUAL(run(op_device, (void *)TASK_PRIORITY), EXIT_VMCALL);
    CHECK_EQUAL(run(op_add, operands + LINE - 2), EXIT_VMCALL);
    create(VMM_BUS_LOCK_DETECTION); /* translated code of before is not used for it, nor what it had of the
                                       device */
    CHECK_EQUAL(run(op_device, (void *)TASK_PRIORITY), EXIT_BUS_LOCK);
    CHECK_EQUAL(run(op_add, operands + LINE - 2), EXIT_BUS_LOCK);
}

/* The guest's pages for user mode, and it in ring 3. */
static void enter_ring_3(void)
{
    uint64_t *table = (uint64_t *)(read_cr3() & ~0xfffull);
    for (unsigned level = 0; level < 3; level++) {
        for (unsigned i = 0; i < 512; i++)
            if (table[i] & 1)
                table[i] |= USER;
        table = (uint64_t *)(table[0] & ~0xfffull);
    }
    for (unsigned i = 0; i < 6; i++) {
        vmwrite(GUEST_ES_SELECTOR + 2 * i, 3);
        vmwrite(GUEST_ES_ACCESS_RIGHTS + 2 * i, i == 1 ? 0xa0fb : 0xc0f3);
    }
}

static void os_detection(void)
{
    create(0);
    vmwrite(EXCEPTION_BITMAP, 1 << DB);
    vmwrite(GUEST_IA32_DEBUGCTL, BUS_LOCK_DETECT);
    CHECK_EQUAL(run(op_trap, operands + LINE - 2), EXIT_VMCALL); /* not in ring 0 */
    enter_ring_3();
    CHECK_EQUAL(run(op_trap, operands + LINE - 4), EXIT_VMCALL);
    CHECK_EQUAL(run(op_trap, operands + LINE - 2), EXIT_EXCEPTION);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION), 0x80000301);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), BLD);
    CHECK_EQUAL(vmread(GUEST_RIP), after_trap);
    /* With the trap flag one exception for both. */
    registers.rdi = (uint64_t)operands + LINE - 2;
    vmwrite(GUEST_RIP, (uint64_t)op_trap);
    vmwrite(GUEST_RFLAGS, 2 | RFLAGS_TF);
    CHECK_EQUAL(vmx_run(&registers, true), true);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), BLD | BS);
    CHECK_EQUAL(vmread(GUEST_RIP), after_trap);
}

static void both_detections(void)
{
    create(VMM_BUS_LOCK_DETECTION);
    vmwrite(EXCEPTION_BITMAP, 1 << DB);
    vmwrite(GUEST_IA32_DEBUGCTL, BUS_LOCK_DETECT);
    enter_ring_3();
    CHECK_EQUAL(run(op_trap, operands + LINE - 2), EXIT_BUS_LOCK);
    CHECK_EQUAL(vmread(GUEST_PENDING_DEBUG_EXCEPTIONS), BLD | ENABLED);
    CHECK_EQUAL(vmread(GUEST_RIP), after_trap);
    CHECK_EQUAL(vmx_run(&registers, true), true); /* now comes what is pending */
    CHECK_EQUAL(vmread(EXIT_REASON), EXIT_EXCEPTION);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), BLD);
    CHECK_EQUAL(vmread(GUEST_RIP), after_trap);
}

static void split_lock_disable(void)
{
    uint32_t *split = (uint32_t *)(operands + LINE - 2);
    CHECK_EQUAL(rdmsr(IA32_CORE_CAPABILITIES), 1 << 5);
    wrmsr(TEST_CTRL, SPLIT_LOCK_DISABLE);
    memset(operands, 0, 2 * LINE);
    TRAP_TRY("lock incl (%0)", ::"r"(split) : "memory", "cc");
    CHECK_FAULT(AC, 0);
    CHECK_EQUAL(operands[LINE - 2], 0);
    TRAP_TRY("lock incl (%0)", ::"r"(operands + LINE - 4) : "memory", "cc");
    CHECK_NO_TRAP();
    TRAP_TRY("incl (%0)", ::"r"(split) : "memory", "cc");
    CHECK_NO_TRAP();
    TRAP_TRY("lock cmpxchg8b (%0)", ::"r"(split), "a"(0), "b"(0), "c"(0), "d"(0) : "memory", "cc");
    CHECK_FAULT(AC, 0);
    wrmsr(TEST_CTRL, 0);
    TRAP_TRY("lock incl (%0)", ::"r"(split) : "memory", "cc");
    CHECK_NO_TRAP();
}

int main(void)
{
    if (!vmx_enable())
        leave(1);
    vmm_detection();
    os_detection();
    both_detections();
    trap_install(); /* a VM exit has left our IDT */
    split_lock_disable();
    check_end();
}
