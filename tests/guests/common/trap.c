/* trap.c: see trap.h. */
#include "trap.h"

enum { VECTORS = 256, STUB_BYTES = 16, EXCEPTIONS = 32, INTERRUPT_GATE = 0x8e, UNEXPECTED = 127 };

struct gate { /* SDM "64-Bit Mode IDT" */
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};

extern const char trap_stubs[];

struct trap_record trap_record;
uint64_t trap_tried, trap_resumes;
static struct gate idt[VECTORS] __attribute__((aligned(16)));
static void (*interrupt_function[VECTORS])(struct trap_frame *);
static uint32_t failures;

void trap_install(void)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } idtr = {sizeof idt - 1, (uint64_t)idt};
    for (unsigned i = 0; i < VECTORS; i++) {
        uint64_t stub = (uint64_t)trap_stubs + i * STUB_BYTES;
        idt[i] = (struct gate){(uint16_t)stub,         TRAP_CODE_SELECTOR,     0, INTERRUPT_GATE,
                               (uint16_t)(stub >> 16), (uint32_t)(stub >> 32), 0};
    }
    __asm__ volatile("lidt %0" ::"m"(idtr));
}

uint8_t *trap_gate(unsigned vector)
{
    return (uint8_t *)&idt[vector];
}

void trap_on_interrupt(unsigned vector, void (*function)(struct trap_frame *frame))
{
    interrupt_function[vector] = function;
}

static void put_named(const char *name, uint64_t value)
{
    put_text(name);
    put_hex(value);
}

static _Noreturn void unexpected(const struct trap_frame *frame)
{
    put_named("unexpected event: vector ", frame->vector);
    put_named(", error code ", frame->error_code);
    put_named(", RIP ", frame->rip);
    put_text("\n");
    leave(UNEXPECTED);
}

/* From trap.S. */
void trap_handle(struct trap_frame *frame)
{
    uint64_t cr2;
    if (interrupt_function[frame->vector]) {
        interrupt_function[frame->vector](frame);
        return;
    }
    if (frame->vector >= EXCEPTIONS || !trap_resumes)
        unexpected(frame);
    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    trap_record = (struct trap_record){true, frame->vector, frame->error_code, frame->rip, cr2, trap_resumes};
    frame->rip = trap_resumes;
}

static void put_failure(const char *what, uint64_t value, uint64_t expected, int line)
{
    put_text("line ");
    put_decimal((uint64_t)line);
    put_text(": ");
    put_text(what);
    put_named(" is ", value);
    put_named(", not ", expected);
    put_text("\n");
    failures++;
}

void check_equal(const char *what, uint64_t value, uint64_t expected, int line)
{
    if (value != expected)
        put_failure(what, value, expected, line);
}

void check_trap(uint64_t vector, uint64_t error_code, bool fault, int line)
{
    check_equal("exception taken", trap_record.taken, true, line);
    check_equal("vector", trap_record.vector, vector, line);
    check_equal("error code", trap_record.error_code, error_code, line);
    check_equal("RIP of the exception", trap_record.rip, fault ? trap_tried : trap_record.went_on_at, line);
}

uint32_t check_failures(void)
{
    return failures;
}

void power_off(void)
{
    __asm__ volatile("outw %0, %1" ::"a"((uint16_t)0x2000), "Nd"((uint16_t)0x604)); /* PM1a control: SLP_EN */
    leave(UNEXPECTED);
}

void check_end(void)
{
    if (failures)
        leave(failures);
    put_text("all right\n");
    power_off();
}
