/*
 * ports.c: which device answers at which port. Add a device's ports to the table.
 *
 * A device with `in8` and `out8` is a byte device: a wider access is split into byte accesses at successive
 * ports, as the bus of a PC does. One with `in` and `out` sees the access as it was made.
 *
 * Ports without a row read all ones: among them PCI configuration (CF8H, CFCH: there is no PCI bus, so no
 * device is found) and the POST code port 80H, whose writes are dropped.
 */
#include "sim/platform/platform.h"

#define IRQ_LINES_PORT 0x2000

struct port_range {
    uint16_t first, count;
    uint8_t (*in8)(struct platform *p, uint16_t port);
    void (*out8)(struct platform *p, uint16_t port, uint8_t value);
    uint32_t (*in)(struct platform *p, uint16_t port, unsigned size);
    void (*out)(struct platform *p, uint16_t port, uint32_t value, unsigned size);
};

static uint8_t uart_in(struct platform *p, uint16_t port)
{
    uint8_t value = uart_read(&p->uart, port - UART_COM1_PORT);
    platform_irq(p, UART_COM1_IRQ, uart_irq(&p->uart));
    return value;
}

static void uart_out(struct platform *p, uint16_t port, uint8_t value)
{
    uint8_t byte;
    if (uart_write(&p->uart, port - UART_COM1_PORT, value, &byte) && p->host.serial_out)
        p->host.serial_out(p->host.serial_opaque, byte);
    if (port == UART_COM1_PORT)
        platform_irq(p, UART_COM1_IRQ,
                     false); /* THRE falls and rises within one write: the 8259 must see the edge */
    platform_irq(p, UART_COM1_IRQ, uart_irq(&p->uart));
}

static uint8_t pic_in(struct platform *p, uint16_t port)
{
    uint8_t value = pic8259_read(&p->pic, port >= PIC_SLAVE_PORT, port & 1);
    platform_update_lint0(p); /* a poll acknowledges */
    return value;
}

static void pic_out(struct platform *p, uint16_t port, uint8_t value)
{
    const char *text;
    if (!pic8259_write(&p->pic, port >= PIC_SLAVE_PORT, port & 1, value, &text))
        platform_request_stop(p, PLATFORM_UNSUPPORTED, value, text);
    platform_update_lint0(p);
}

static uint8_t elcr_in(struct platform *p, uint16_t port)
{
    return pic8259_read_elcr(&p->pic, port - PIC_ELCR_PORT);
}

static void elcr_out(struct platform *p, uint16_t port, uint8_t value)
{
    pic8259_write_elcr(&p->pic, port - PIC_ELCR_PORT, value);
    platform_update_lint0(p);
}

static uint8_t pit_in(struct platform *p, uint16_t port)
{
    return pit8254_read(&p->pit, port - PIT_PORT, platform_pit_tick(p, platform_now(p)));
}

static void pit_out(struct platform *p, uint16_t port, uint8_t value)
{
    const char *text;
    if (!pit8254_write(&p->pit, port - PIT_PORT, value, platform_pit_tick(p, platform_now(p)), &text))
        platform_request_stop(p, PLATFORM_UNSUPPORTED, value, text);
}

static uint8_t system_control_b_in(struct platform *p, uint16_t port)
{
    (void)port;
    return pit8254_read_system_control(&p->pit, platform_pit_tick(p, platform_now(p)));
}

static void system_control_b_out(struct platform *p, uint16_t port, uint8_t value)
{
    (void)port;
    pit8254_write_system_control(&p->pit, value, platform_pit_tick(p, platform_now(p)));
}

/* The selector is 16 bits wide at its port and write-only; data bytes come one at a time whatever the
 * access's width. */
static uint32_t fw_cfg_in(struct platform *p, uint16_t port, unsigned size)
{
    uint32_t value = 0;
    if (port == FW_CFG_PORT)
        return UINT32_MAX;
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)fw_cfg_next(&p->fw_cfg) << (8 * i);
    return value;
}

static void fw_cfg_out(struct platform *p, uint16_t port, uint32_t value, unsigned size)
{
    (void)size;
    if (port == FW_CFG_PORT)
        fw_cfg_select(&p->fw_cfg, (uint16_t)value);
}

static uint8_t rtc_in(struct platform *p, uint16_t port)
{
    if (port == RTC_PORT)
        return 0xff; /* write-only */
    platform_sync_rtc(p, platform_now(p));
    uint8_t value = rtc_read(&p->rtc, p->rtc.index, platform_tick(p, platform_now(p), RTC_HZ));
    platform_sync_rtc(p, platform_now(p)); /* reading register C lowers the line */
    return value;
}

/* Bit 7 of the index port keeps NMIs of the chipset away; there are none. */
static void rtc_out(struct platform *p, uint16_t port, uint8_t value)
{
    if (port == RTC_PORT) {
        p->rtc.index = value & (RTC_CMOS_SIZE - 1);
        return;
    }
    platform_sync_rtc(p, platform_now(p));
    rtc_write(&p->rtc, p->rtc.index, value, platform_tick(p, platform_now(p), RTC_HZ));
    platform_sync_rtc(p, platform_now(p));
}

static uint8_t pm1_event_in(struct platform *p, uint16_t port)
{
    platform_sync_pm_timer(p, platform_now(p));
    return pm_timer_read_event(&p->pm_timer, port - PM1_EVENT_PORT);
}

static void pm1_event_out(struct platform *p, uint16_t port, uint8_t value)
{
    platform_sync_pm_timer(p, platform_now(p));
    pm_timer_write_event(&p->pm_timer, port - PM1_EVENT_PORT, value);
    platform_sync_pm_timer(p, platform_now(p));
}

static uint8_t pm_timer_in(struct platform *p, uint16_t port)
{
    return (uint8_t)(pm_timer_value(platform_tick(p, platform_now(p), PM_TIMER_HZ)) >>
                     (8 * (port - PM_TIMER_PORT)));
}

static void read_only_out(struct platform *p, uint16_t port, uint8_t value)
{
    (void)p, (void)port, (void)value;
}

static void irq_line_out(struct platform *p, uint16_t port, uint8_t value)
{
    unsigned pin = port - IRQ_LINES_PORT;
    if (p->config.irq_lines && pin < 16)
        platform_irq(p, pin, value != 0);
    else if (p->config.irq_lines)
        platform_ioapic_pin(p, pin, value != 0);
}

static uint8_t irq_line_in(struct platform *p, uint16_t port)
{
    (void)p, (void)port;
    return 0xff; /* write-only */
}

static const struct port_range ranges[] = {
    {PIC_MASTER_PORT, PIC_PORT_COUNT, pic_in, pic_out, 0, 0},
    {PIT_PORT, PIT_PORT_COUNT, pit_in, pit_out, 0, 0},
    {PIT_SYSTEM_CONTROL_B, 1, system_control_b_in, system_control_b_out, 0, 0},
    {0x60, 1, 0, 0, keyboard_data_in, keyboard_data_out},
    {0x64, 1, 0, 0, keyboard_status_in, keyboard_command_out},
    {RTC_PORT, RTC_PORT_COUNT, rtc_in, rtc_out, 0, 0},
    {0x92, 1, 0, 0, system_control_a_in, system_control_a_out},
    {PIC_SLAVE_PORT, PIC_PORT_COUNT, pic_in, pic_out, 0, 0},
    {UART_COM1_PORT, UART_PORT_COUNT, uart_in, uart_out, 0, 0},
    {PIC_ELCR_PORT, 2, elcr_in, elcr_out, 0, 0},
    {FW_CFG_PORT, FW_CFG_PORT_COUNT, 0, 0, fw_cfg_in, fw_cfg_out},
    {PM1_EVENT_PORT, PM1_EVENT_PORT_COUNT, pm1_event_in, pm1_event_out, 0, 0},
    {PM_TIMER_PORT, PM_TIMER_PORT_COUNT, pm_timer_in, read_only_out, 0, 0},
    {PM1_CONTROL_PORT, 2, 0, 0, pm1_control_in, pm1_control_out},
    {RESET_CONTROL_PORT, 1, 0, 0, reset_control_in, reset_control_out},
    {IRQ_LINES_PORT, IOAPIC_PINS, irq_line_in, irq_line_out, 0, 0},
};
static const struct port_range debug_exit = {0, 0, 0, 0, debug_exit_in, debug_exit_out};

static const struct port_range *find(const struct platform *p, uint16_t port)
{
    if (port >= p->config.debug_exit_port && port - p->config.debug_exit_port < p->config.debug_exit_size)
        return &debug_exit; /* configured, so it has no row, and it comes before what it may cover */
    for (unsigned i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (port >= ranges[i].first && port - ranges[i].first < ranges[i].count)
            return &ranges[i];
    return 0;
}

static uint8_t byte_in(struct platform *p, uint16_t port)
{
    const struct port_range *r = find(p, port);
    if (!r)
        return 0xff;
    return r->in8 ? r->in8(p, port) : (uint8_t)r->in(p, port, 1);
}

static void byte_out(struct platform *p, uint16_t port, uint8_t value)
{
    const struct port_range *r = find(p, port);
    if (r && r->out8)
        r->out8(p, port, value);
    else if (r && r->out)
        r->out(p, port, value, 1);
}

static uint32_t width_mask(unsigned size)
{
    return size >= 4 ? UINT32_MAX : (1u << (8 * size)) - 1;
}

uint32_t platform_port_in(struct platform *p, uint16_t port, unsigned size)
{
    platform_sync(p);
    const struct port_range *r = find(p, port);
    if (!r)
        return width_mask(size);
    if (r->in)
        return r->in(p, port, size) & width_mask(size);
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)byte_in(p, (uint16_t)(port + i)) << (8 * i);
    return value;
}

void platform_port_out(struct platform *p, uint16_t port, uint32_t value, unsigned size)
{
    platform_sync(p);
    const struct port_range *r = find(p, port);
    if (!r)
        return;
    if (r->out) {
        r->out(p, port, value & width_mask(size), size);
        return;
    }
    for (unsigned i = 0; i < size; i++)
        byte_out(p, (uint16_t)(port + i), (uint8_t)(value >> (8 * i)));
}
