/* power.c: reset and power off. */
#include "sim/platform/platform.h"

#define SYSTEM_CONTROL_A_RESET 0x01
#define SYSTEM_CONTROL_A_A20 0x02
#define RESET_CONTROL_SYSTEM 0x02
#define RESET_CONTROL_CPU 0x04
#define PM1_SCI_EN 0x0001u
#define PM1_SLP_TYP 0x1c00u
#define PM1_SLP_EN 0x2000u

/* A20 is always on. */
uint32_t system_control_a_in(struct platform *p, uint16_t port, unsigned size)
{
    (void)p, (void)port, (void)size;
    return SYSTEM_CONTROL_A_A20;
}

void system_control_a_out(struct platform *p, uint16_t port, uint32_t value, unsigned size)
{
    (void)port, (void)size;
    if (value & SYSTEM_CONTROL_A_RESET)
        platform_request_stop(p, PLATFORM_RESET, 0, "system control port 92H, bit 0");
    else if (!(value & SYSTEM_CONTROL_A_A20))
        platform_request_stop(p, PLATFORM_UNSUPPORTED, value,
                              "port 92H: address line 20 cannot be switched off; leave bit 1 set");
}

uint32_t reset_control_in(struct platform *p, uint16_t port, unsigned size)
{
    (void)port, (void)size;
    return p->power.reset_control;
}

/* The reset comes when bit 2 goes from 0 to 1. */
void reset_control_out(struct platform *p, uint16_t port, uint32_t value, unsigned size)
{
    (void)port, (void)size;
    bool rises = (value & RESET_CONTROL_CPU) && !(p->power.reset_control & RESET_CONTROL_CPU);
    p->power.reset_control = (uint8_t)(value & (RESET_CONTROL_SYSTEM | RESET_CONTROL_CPU));
    if (rises)
        platform_request_stop(p, PLATFORM_RESET, 0, "reset control register at port CF9H");
}

uint32_t pm1_control_in(struct platform *p, uint16_t port, unsigned size)
{
    (void)port, (void)size;
    return p->power.pm1_control | PM1_SCI_EN;
}

void pm1_control_out(struct platform *p, uint16_t port, uint32_t value, unsigned size)
{
    (void)port, (void)size;
    p->power.pm1_control = (uint16_t)(value & 0xffff & ~PM1_SLP_EN); /* SLP_EN is write-only */
    if (!(value & PM1_SLP_EN))
        return;
    if (value & PM1_SLP_TYP)
        platform_request_stop(p, PLATFORM_UNSUPPORTED, value,
                              "port 604H: a sleep state other than S5 (SLP_TYP 0) is not modelled");
    else
        platform_request_stop(p, PLATFORM_POWER_OFF, 0, "ACPI PM1 control at port 604H");
}
