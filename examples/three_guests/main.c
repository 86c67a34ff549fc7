/*
 * three_guests: a small hypervisor that runs three guests at once, in 16-bit real mode, 32-bit paged and 64-bit, each under its own EPT
 * and VPID, and switches between them by the VMX-preemption timer. It computes what each should answer and compares.
 */
#include "vmx.h"

enum {
    GUESTS = 3,
    GUEST_BYTES = 1 << 20,
    PAGE = 4096,
    CODE_AT = 0x1000,  /* guest-physical */
    TABLES_AT = 0x8000,
    DATA_AT = 0x40000,
    STACK_AT = 0x7000,
    TIME_SLICE = 2000, /* in units of the preemption timer */
    ACTIVATE_PREEMPTION_TIMER = 1 << 6,
    EPT_ALL = 7, EPT_WRITE_BACK = 6 << 3, EPT_WALK_4 = 3 << 3, EPT_POINTER_WRITE_BACK = 6,
    POWER_OFF_PORT = 0x604, POWER_OFF = 0x2000,
    LINE = 80,
};

struct guest {
    const char *name;
    const char *code, *code_end;
    uint64_t (*expected)(void);
    void (*prepare)(struct guest *);
    uint64_t exits, switches, result;
    struct guest_registers registers;
    char line[LINE];
    unsigned column;
    bool launched, done;
};

extern const char guest_real[], guest_real_end[], guest_protected[], guest_protected_end[], guest_long[], guest_long_end[];

static uint8_t memory[GUESTS][GUEST_BYTES] __attribute__((aligned(4096)));
static uint8_t vmcs[GUESTS][PAGE] __attribute__((aligned(4096)));
static uint64_t ept[GUESTS][4][PAGE / 8] __attribute__((aligned(4096)));

/* What the guests compute, computed here. */
static uint64_t expected_real(void)
{
    uint64_t count = 0;
    for (unsigned n = 2; n < 10000; n++) {
        unsigned divisor = 2;
        while (divisor * divisor <= n && n % divisor)
            divisor++;
        count += divisor * divisor > n;
    }
    return count;
}

static uint64_t expected_protected(void)
{
    uint32_t sum = 0;
    for (int round = 0; round < 8; round++) {
        uint32_t x = 12345;
        for (int i = 0; i < 16384; i++) {
            x = x * 1664525u + 1013904223u;
            sum = (sum << 1 | sum >> 31) + x;
        }
    }
    return sum;
}

static uint64_t expected_long(void)
{
    uint64_t sum = 0;
    for (int round = 0; round < 8; round++) {
        uint64_t x = 0x2545f4914f6cdd1d;
        for (int i = 0; i < 16384; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            sum = (sum << 1 | sum >> 63) + x;
        }
    }
    return sum;
}

static struct guest guests[GUESTS];
static uint8_t *memory_of(const struct guest *g) { return memory[g - guests]; }

static void prepare_real(struct guest *g)
{
    (void)g;
    vmcs_guest_real_mode(CODE_AT, STACK_AT);
}

/* Linear 0 to 3FFFFFH: itself, by one 4-MiB page. Linear 40000000H: 16 pages of data. */
static void prepare_protected(struct guest *g)
{
    uint32_t *directory = (uint32_t *)(memory_of(g) + TABLES_AT), *table = directory + PAGE / 4;
    directory[0] = 0x83;
    directory[0x40000000u >> 22] = (TABLES_AT + PAGE) | 3;
    for (unsigned i = 0; i < 16; i++)
        table[i] = (DATA_AT + i * PAGE) | 3;
    vmcs_guest_protected_mode(CODE_AT, STACK_AT, TABLES_AT);
}

/* Linear 0 to 1FFFFFH: itself, by one 2-MiB page. Linear 8000000000H: 32 pages of data. */
static void prepare_long(struct guest *g)
{
    uint64_t *tables = (uint64_t *)(memory_of(g) + TABLES_AT);
    enum { PML4 = 0, PDPT0 = 512, PD0 = 1024, PDPT1 = 1536, PD1 = 2048, PT1 = 2560 };
    tables[PML4] = (TABLES_AT + PAGE) | 3;
    tables[PDPT0] = (TABLES_AT + 2 * PAGE) | 3;
    tables[PD0] = 0x83;
    tables[PML4 + 1] = (TABLES_AT + 3 * PAGE) | 3;
    tables[PDPT1] = (TABLES_AT + 4 * PAGE) | 3;
    tables[PD1] = (TABLES_AT + 5 * PAGE) | 3;
    for (unsigned i = 0; i < 32; i++)
        tables[PT1 + i] = (DATA_AT + i * PAGE) | 3;
    vmcs_guest_long_mode(CODE_AT, STACK_AT, TABLES_AT);
}

static struct guest guests[GUESTS] = {
    {.name = "16-bit", .code = guest_real, .code_end = guest_real_end, .expected = expected_real, .prepare = prepare_real},
    {.name = "32-bit", .code = guest_protected, .code_end = guest_protected_end, .expected = expected_protected,
     .prepare = prepare_protected},
    {.name = "64-bit", .code = guest_long, .code_end = guest_long_end, .expected = expected_long, .prepare = prepare_long},
};

/* Guest-physical 0 to FFFFFH on the guest's own MiB. */
static void build_ept(unsigned i)
{
    for (unsigned level = 0; level < 3; level++)
        ept[i][level][0] = (uint64_t)ept[i][level + 1] | EPT_ALL;
    for (unsigned page = 0; page < GUEST_BYTES / PAGE; page++)
        ept[i][3][page] = ((uint64_t)memory[i] + page * PAGE) | EPT_ALL | EPT_WRITE_BACK;
    vmwrite(EPT_POINTER, (uint64_t)ept[i] | EPT_WALK_4 | EPT_POINTER_WRITE_BACK);
}

static bool create(unsigned i)
{
    struct guest *g = &guests[i];
    if (!vmcs_create(vmcs[i], ACTIVATE_PREEMPTION_TIMER, 0))
        return false;
    vmwrite(VIRTUAL_PROCESSOR_IDENTIFIER, i + 1);
    build_ept(i);
    memcpy(memory[i] + CODE_AT, g->code, (size_t)(g->code_end - g->code));
    g->prepare(g);
    return true;
}

static void finish_line(struct guest *g)
{
    g->line[g->column] = 0;
    put_text("[");
    put_text(g->name);
    put_text("] ");
    put_text(g->line);
    put_text("\n");
    g->column = 0;
}

static void print_for(struct guest *g, char c)
{
    if (c == '\n' || g->column == LINE - 1)
        finish_line(g);
    else
        g->line[g->column++] = c;
}

static void skip_instruction(void) { vmwrite(GUEST_RIP, vmread(GUEST_RIP) + vmread(EXIT_INSTRUCTION_LENGTH)); }

/* False: an exit that was not expected. */
static bool handle_exit(struct guest *g)
{
    switch (vmread(EXIT_REASON)) {
    case EXIT_PREEMPTION_TIMER:
        g->switches++;
        return true;
    case EXIT_IO:
        print_for(g, (char)g->registers.rax);
        skip_instruction();
        return true;
    case EXIT_VMCALL:
        g->result = g->registers.rax;
        skip_instruction();
        return true;
    case EXIT_HLT:
        g->done = true;
        return true;
    default:
        put_text("unexpected exit, reason ");
        put_decimal(vmread(EXIT_REASON));
        put_text(", qualification ");
        put_hex(vmread(EXIT_QUALIFICATION));
        put_text("\n");
        return false;
    }
}

/* One time slice: until the timer, or the guest halts. */
static bool run_slice(unsigned i)
{
    struct guest *g = &guests[i];
    vmptrld((uint64_t)vmcs[i]);
    vmwrite(PREEMPTION_TIMER_VALUE, TIME_SLICE);
    for (;;) {
        if (!vmx_run(&g->registers, g->launched)) {
            put_text("VM entry failed, error ");
            put_decimal(vmread(VM_INSTRUCTION_ERROR));
            put_text("\n");
            return false;
        }
        g->launched = true;
        g->exits++;
        uint64_t reason = vmread(EXIT_REASON);
        if (!handle_exit(g))
            return false;
        if (g->done || reason == EXIT_PREEMPTION_TIMER)
            return true;
    }
}

static bool report(const struct guest *g)
{
    bool right = g->result == g->expected();
    put_text("[host]   ");
    put_text(g->name);
    put_text(" guest: result ");
    put_hex(g->result);
    put_text(right ? " (right), " : " (WRONG), ");
    put_decimal(g->exits);
    put_text(" exits, of them ");
    put_decimal(g->switches);
    put_text(" by the preemption timer\n");
    return right;
}

int main(void)
{
    unsigned running = GUESTS;
    bool right = true;
    if (!vmx_enable()) {
        put_text("VMXON failed\n");
        return 1;
    }
    for (unsigned i = 0; i < GUESTS; i++)
        if (!create(i))
            return 1;
    while (running)
        for (unsigned i = 0; i < GUESTS; i++) {
            if (guests[i].done)
                continue;
            if (!run_slice(i))
                return 1;
            running -= guests[i].done;
        }
    for (unsigned i = 0; i < GUESTS; i++)
        right &= report(&guests[i]) && guests[i].switches > 0;
    if (!right)
        return 1;
    __asm__ volatile("outw %0, %1" ::"a"((uint16_t)POWER_OFF), "Nd"((uint16_t)POWER_OFF_PORT));
    return 2;
}
