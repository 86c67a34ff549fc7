/* lapic_msr.c: IA32_APIC_BASE with its mode transitions, IA32_TSC_DEADLINE, and the x2APIC face of the
 * registers. */
#include "sim/platform/lapic.h"

#define MSR_APIC_BASE 0x01bu
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC_FIRST 0x800u
#define MSR_X2APIC_LAST 0x8ffu

enum access { NONE, R = 1, W = 2, RW = 3 };

/* "x2APIC Register Address Space" and "Reserved Bit Checking": a rule for each MSR; those not listed are
 * reserved. Bits that only the processor sets (delivery status, remote IRR) may be written and are dropped.
 */
struct x2apic_rule {
    uint8_t first, last; /* register: MSR - 800H */
    uint8_t access;
    uint64_t writable; /* a write with any other bit set raises #GP */
};

#define LVT_COMMON (LVT_VECTOR | 1u << 12 | LVT_MASKED)

static const struct x2apic_rule rules[] = {
    {LAPIC_ID, LAPIC_VERSION, R, 0},
    {LAPIC_TPR, LAPIC_TPR, RW, 0xff},
    {LAPIC_PPR, LAPIC_PPR, R, 0},
    {LAPIC_EOI, LAPIC_EOI, W, 0},
    {LAPIC_LDR, LAPIC_LDR, R, 0},
    {LAPIC_SVR, LAPIC_SVR, RW, 0x1ff},
    {LAPIC_ISR, LAPIC_ESR - 1, R, 0},
    {LAPIC_ESR, LAPIC_ESR, RW, 0},
    /* Bit 12 was the xAPIC's delivery status: not checked by processors. */
    {LAPIC_ICR, LAPIC_ICR, RW, 0xffffffff000cdfffull},
    {LAPIC_LVT_TIMER, LAPIC_LVT_TIMER, RW, LVT_COMMON | LVT_TIMER_MODE},
    {LAPIC_LVT_THERMAL, LAPIC_LVT_PERFORMANCE, RW, LVT_COMMON | LVT_DELIVERY_MODE},
    {LAPIC_LVT_LINT0, LAPIC_LVT_LINT1, RW, LVT_COMMON | LVT_DELIVERY_MODE | 7u << 13},
    {LAPIC_LVT_ERROR, LAPIC_LVT_ERROR, RW, LVT_COMMON},
    {LAPIC_TIMER_INITIAL, LAPIC_TIMER_INITIAL, RW, 0xffffffffu},
    {LAPIC_TIMER_CURRENT, LAPIC_TIMER_CURRENT, R, 0},
    {LAPIC_TIMER_DIVIDE, LAPIC_TIMER_DIVIDE, RW, 0xb},
    {LAPIC_SELF_IPI, LAPIC_SELF_IPI, W, 0xff},
};

static const struct x2apic_rule *find_rule(uint32_t index)
{
    for (unsigned i = 0; i < sizeof rules / sizeof *rules; i++)
        if (index - MSR_X2APIC_FIRST >= rules[i].first && index - MSR_X2APIC_FIRST <= rules[i].last)
            return &rules[i];
    return 0;
}

static bool x2apic_read(struct lapic *a, struct lapic_clock clock, uint32_t index, uint64_t *value)
{
    const struct x2apic_rule *rule = find_rule(index);
    if (!lapic_x2apic(a) || !rule || !(rule->access & R))
        return false;
    unsigned reg = index - MSR_X2APIC_FIRST;
    *value = reg == LAPIC_ICR ? a->icr : lapic_read_register(a, clock, reg);
    return true;
}

/* "Self IPI Register": the ICR's fixed, edge-triggered self-IPI in one byte. It does not show in the ICR. */
static void self_ipi(struct lapic *a, uint64_t vector)
{
    if (vector < 16)
        lapic_error(a, ESR_SEND_ILLEGAL_VECTOR);
    else
        lapic_receive(a, (struct lapic_message){.mode = DELIVERY_FIXED, .vector = (uint8_t)vector});
}

static bool x2apic_write(struct lapic *a, struct lapic_clock clock, uint32_t index, uint64_t value)
{
    const struct x2apic_rule *rule = find_rule(index);
    if (!lapic_x2apic(a) || !rule || !(rule->access & W) || (value & ~rule->writable))
        return false;
    unsigned reg = index - MSR_X2APIC_FIRST;
    if (reg == LAPIC_LVT_TIMER && !a->has_tsc_deadline && (value & LVT_TIMER_TSC_DEADLINE))
        return false; /* bit 18 is reserved then */
    lapic_timer_sync(a, clock);
    if (reg == LAPIC_ICR) {
        a->icr = value & ~(1ull << 12);
        lapic_send(a, a->icr);
    } else if (reg == LAPIC_SELF_IPI) {
        self_ipi(a, value);
    } else {
        lapic_write_register(a, clock, reg, (uint32_t)value);
    }
    return true;
}

/* "x2APIC State Transitions": of the four states one is invalid, and two ways are barred: from disabled to
 * x2APIC, and from x2APIC back to xAPIC. */
static bool transition_allowed(uint64_t from, uint64_t to)
{
    enum { DISABLED, INVALID, XAPIC, X2APIC }; /* EN, EXTD */
    static const bool allowed[4][4] = {
        [DISABLED] = {[DISABLED] = true, [XAPIC] = true},
        [XAPIC] = {[DISABLED] = true, [XAPIC] = true, [X2APIC] = true},
        [X2APIC] = {[DISABLED] = true, [X2APIC] = true},
    };
    return allowed[from >> 10 & 3][to >> 10 & 3];
}

static uint64_t base_reserved(const struct lapic *a)
{
    uint64_t beyond = ~((1ull << a->physical_address_bits) - 1);
    return beyond | 0x2ff | (a->has_x2apic ? 0 : APIC_BASE_EXTD);
}

static bool write_base(struct lapic *a, struct lapic_clock clock, uint64_t value)
{
    if ((value & base_reserved(a)) || !transition_allowed(a->base, value))
        return false;
    lapic_timer_sync(a, clock);
    bool was_enabled = lapic_enabled(a), was_x2apic = lapic_x2apic(a);
    a->base = value;
    if (was_enabled && !lapic_enabled(a)) { /* a disabled APIC loses its state and comes back as after power-up */
        lapic_reset_registers(a);
        a->xapic_id = (uint8_t)a->id;
    }
    if (!was_x2apic && lapic_x2apic(a))
        a->icr &= 0xffffffffu; /* "x2APIC After xAPIC": the high half of the ICR starts at zero */
    return true;
}

bool lapic_read_msr(struct lapic *a, struct lapic_clock clock, uint32_t index, uint64_t *value)
{
    if (index >= MSR_X2APIC_FIRST && index <= MSR_X2APIC_LAST)
        return x2apic_read(a, clock, index, value);
    if (index == MSR_APIC_BASE) {
        *value = a->base;
        return true;
    }
    if (index != MSR_TSC_DEADLINE || !a->has_tsc_deadline)
        return false;
    lapic_timer_sync(a, clock);
    *value = a->tsc_deadline; /* zero in other timer modes */
    return true;
}

bool lapic_write_msr(struct lapic *a, struct lapic_clock clock, uint32_t index, uint64_t value)
{
    if (index >= MSR_X2APIC_FIRST && index <= MSR_X2APIC_LAST)
        return x2apic_write(a, clock, index, value);
    if (index == MSR_APIC_BASE)
        return write_base(a, clock, value);
    if (index != MSR_TSC_DEADLINE || !a->has_tsc_deadline)
        return false;
    lapic_timer_sync(a, clock);
    lapic_timer_write_deadline(a, clock, value);
    return true;
}
