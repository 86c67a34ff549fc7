/*
 * platform.h: the PC around the processors. Enter the room here.
 *
 * A plain struct: everything that a snapshot needs is in the devices' structs; only `host` is wiring. Time is
 * simulated cycles, read through host.now; nothing reads the host's clock.
 *
 * Each processor has a local APIC and its own time. One of them runs at a time, is `current` and is the one that all
 * accesses come from. The other devices' time is the latest that any processor has shown them.
 */
#ifndef VTSIM_SIM_PLATFORM_PLATFORM_H
#define VTSIM_SIM_PLATFORM_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/platform/debug_exit.h"
#include "sim/platform/fw_cfg.h"
#include "sim/platform/hpet.h"
#include "sim/platform/ioapic.h"
#include "sim/platform/lapic.h"
#include "sim/platform/pic8259.h"
#include "sim/platform/pit8254.h"
#include "sim/platform/pm_timer.h"
#include "sim/platform/keyboard.h"
#include "sim/platform/power.h"
#include "sim/platform/rtc.h"
#include "sim/platform/uart.h"
#include "vtsim/phys_mem.h"

struct cpu_bus; /* sim/cpu/cpu.h */

#define PLATFORM_PROCESSORS 16 /* at most */

struct platform_config {
    uint8_t processors;            /* 1 to PLATFORM_PROCESSORS; APIC IDs from 0 on */
    uint64_t ram_low;              /* bytes from 0 */
    uint64_t ram_high;             /* bytes from 4 GiB */
    uint64_t cycles_per_second;    /* processor cycles; the PIT's 1.193182 MHz is derived from it */
    uint32_t cycles_per_bus_clock; /* processor cycles for one tick of the LAPIC timer at divide-by-1 */
    uint8_t physical_address_bits; /* MAXPHYADDR */
    bool x2apic;                   /* CPUID.01H:ECX[21] */
    bool tsc_deadline;             /* CPUID.01H:ECX[24] */
    uint16_t debug_exit_port;      /* isa-debug-exit: first port */
    uint16_t debug_exit_size;      /* and number of ports; 0: no such device */
    bool irq_lines;                /* a byte written to port 2000H + pin sets that pin: QEMU's pc-testdev */
};

/* Wiring to the rest of the machine; not part of a snapshot. now and tsc_offset must not be null. */
struct platform_host {
    const uint64_t *now;        /* simulated cycles of the current processor: cpu->account.now */
    const uint64_t *tsc_offset; /* of its TSC = *now + *tsc_offset: cpu->state.tsc_offset_root */
    void (*serial_out)(void *opaque, uint8_t byte); /* may be null: output is dropped */
    void *serial_opaque;
};

/* Why the platform wants the run to end. The first reason stays. */
enum platform_stop {
    PLATFORM_RUNS,
    PLATFORM_DEBUG_EXIT, /* stop_value: what was written to isa-debug-exit */
    PLATFORM_POWER_OFF,
    PLATFORM_RESET,       /* stop_text: through which port */
    PLATFORM_UNSUPPORTED, /* stop_text: what the guest asked for that is not modelled */
};

/* What a processor asks after every trap. It holds until an access, or until time reaches the deadline;
 * bus.c keeps it. No part of a snapshot: valid = false asks the devices anew. */
struct platform_answers {
    bool valid;
    bool interrupt_pending, nmi_pending;
    uint8_t signals; /* CPU_SIGNAL_* */
    uint64_t deadline;
    uint64_t tsc_offset; /* it moves the TSC-deadline timer */
};

struct platform {
    struct platform_host host;
    struct platform_answers answers[PLATFORM_PROCESSORS];
    unsigned current;     /* the processor that runs */
    bool others_signalled; /* it sent another one something; for the machine, which clears it */
    uint64_t latest;      /* cycles that devices other than local APICs have reached */
    struct platform_config config;
    enum platform_stop stop;
    uint32_t stop_value;
    const char *stop_text; /* static string or null */
    struct uart uart;
    struct lapic lapics[PLATFORM_PROCESSORS];
    struct ioapic ioapic;
    struct pic8259 pic;
    struct pit8254 pit;
    struct fw_cfg fw_cfg;
    struct keyboard keyboard;
    struct power power;
    struct hpet hpet;
    struct pm_timer pm_timer;
    struct rtc rtc;
};

/* One processor, isa-debug-exit at 0xf4 with 4 ports, x2APIC and TSC-deadline mode, 39 physical-address bits,
 * 3 GHz and a bus clock of 1 GHz (both assumed; the bus clock is the one that KVM gives its guests). RAM
 * sizes are 0: fill them in. */
struct platform_config platform_default_config(void);

/* The state in which a PC's firmware leaves the devices: the LAPIC enabled in virtual-wire mode (LINT0
 * ExtINT, LINT1 NMI), the 8259s at vectors 08H and 70H with every line masked, the PIT stopped. */
void platform_init(struct platform *p, const struct platform_config *config,
                   const struct platform_host *host);

/* Lets a processor be the current one, with its clock. */
void platform_select(struct platform *p, unsigned processor, const uint64_t *now, const uint64_t *tsc_offset);

/* To be called behind platform_init: what a BIOS has running when it hands over: the PIT's channel 0 at 18.2
 * Hz (mode 2, 65536 clocks), its line 0 and the cascade open at the 8259s. */
void platform_start_bios_timer(struct platform *p);

/* Fills the processor's view of the platform; it is the same for each, and asks for the current one. */
void platform_bus(struct platform *p, struct cpu_bus *bus);
/* Sets the callbacks for everything that is not RAM. */
void platform_attach_memory(struct platform *p, struct phys_mem *mem);

/* Callbacks of struct phys_mem; size is 1, 2, 4 or 8. Where no device answers (mmio.c) reads give all
 * ones. */
uint64_t platform_mmio_read(void *platform, uint64_t physical, unsigned size);
void platform_mmio_write(void *platform, uint64_t physical, uint64_t value, unsigned size);

/* Port space (ports.c); size is 1, 2 or 4. A port without a device reads all ones and drops writes. */
uint32_t platform_port_in(struct platform *p, uint16_t port, unsigned size);
void platform_port_out(struct platform *p, uint16_t port, uint32_t value, unsigned size);

/* Interrupts (interrupts.c): LAPIC and 8259 together, as the processor's INTR and NMI pins see them. */
bool platform_interrupt_pending(struct platform *p);
uint8_t platform_interrupt_acknowledge(struct platform *p);
/* A device's ISA interrupt line, 0 to 15: goes to the 8259s and to the I/O APIC (line 0 to pin 2). */
void platform_irq(struct platform *p, unsigned line, bool level);
/* Does neither of the two let the line through? */
bool platform_irq_masked(const struct platform *p, unsigned line);
/* A pin of the I/O APIC that is no ISA line. */
void platform_ioapic_pin(struct platform *p, unsigned pin, bool level);
/* Sends what level-triggered pins ask for: after a change of the I/O APIC's registers. */
void platform_ioapic_service(struct platform *p);
/* After an access to the local APIC: IPIs, EOI for the I/O APIC, what is not modelled. */
void platform_note_lapic(struct platform *p);
/* Delivers an interrupt message to the local APICs that it is for (ipi.c). False: nobody took it. */
bool platform_deliver(struct platform *p, struct lapic_message message);
/* Delivers what the current processor wrote to its ICR (ipi.c). */
void platform_send_ipi(struct platform *p, uint64_t icr);
/* The 8259's output may have changed: tell LINT0. */
void platform_update_lint0(struct platform *p);

/* Time (timers.c). Lets timers act up to a cycle; every access to a device first does it up to host.now. */
void platform_sync_to(struct platform *p, uint64_t cycles);
void platform_sync(struct platform *p);
/* Clocks of a frequency since power-on at a cycle; and the PIT's. */
uint64_t platform_tick(const struct platform *p, uint64_t cycles, uint32_t hz);
uint64_t platform_pit_tick(const struct platform *p, uint64_t cycles);
/* Of platform_sync_to, for accesses to a clock that it leaves alone because nobody waits for it. */
void platform_sync_hpet(struct platform *p, uint64_t cycles);
void platform_sync_rtc(struct platform *p, uint64_t cycles);
void platform_sync_pm_timer(struct platform *p, uint64_t cycles);
/* A write to the HPET's registers, and what it does to interrupt lines (hpet_lines.c). */
void platform_hpet_write(struct platform *p, unsigned offset, uint64_t value, unsigned size);
/* The next cycle at which a timer raises an interrupt; UINT64_MAX: never. */
uint64_t platform_next_deadline(const struct platform *p);

/* The current processor's local APIC. */
static inline struct lapic *platform_lapic(struct platform *p)
{
    return &p->lapics[p->current];
}
static inline const struct lapic *platform_lapic_view(const struct platform *p)
{
    return &p->lapics[p->current];
}

/* The devices' time: it never goes back when a processor runs that is behind another. */
static inline uint64_t platform_now(const struct platform *p)
{
    return *p->host.now > p->latest ? *p->host.now : p->latest;
}

/* Something changed that a processor asks for after its traps. */
static inline void platform_changed(struct platform *p)
{
    for (unsigned i = 0; i < p->config.processors; i++)
        p->answers[i].valid = false;
}

static inline struct lapic_clock platform_lapic_clock(const struct platform *p)
{
    return (struct lapic_clock){p->host.now, p->host.tsc_offset};
}

/* The LAPIC's MSRs (SDM "x2APIC Register Address Space"; IA32_APIC_BASE; IA32_TSC_DEADLINE). False: #GP. */
bool platform_apic_read_msr(struct platform *p, uint32_t index, uint64_t *value);
bool platform_apic_write_msr(struct platform *p, uint32_t index, uint64_t value);

/* Ends the run; the first call wins. text is static or null. */
void platform_request_stop(struct platform *p, enum platform_stop stop, uint32_t value, const char *text);

#endif
