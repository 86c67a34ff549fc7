/* keyboard.c: see keyboard.h. Other commands and data are dropped, as nobody is there to answer. */
#include "sim/platform/platform.h"

enum {
    READ_OUTPUT_PORT = 0xd0,
    WRITE_OUTPUT_PORT = 0xd1,
    A20_OFF = 0xdd,
    PULSE_RESET = 0xfe,
    STATUS_OUTPUT_FULL = 1,
    OUTPUT_NOT_RESET = 1,
    OUTPUT_A20 = 2,
    NO_DATA = 0xff,
};

static void refuse_a20_off(struct platform *p, uint32_t value)
{
    platform_request_stop(
        p, PLATFORM_UNSUPPORTED, value,
        "keyboard controller: address line 20 cannot be switched off; leave bit 1 of its output port set");
}

/* Both buffers are empty but for the output port that was asked for, so nobody waits for it. */
uint32_t keyboard_status_in(struct platform *p, uint16_t port, unsigned size)
{
    (void)port, (void)size;
    return p->keyboard.has_output_port ? STATUS_OUTPUT_FULL : 0;
}

uint32_t keyboard_data_in(struct platform *p, uint16_t port, unsigned size)
{
    (void)port, (void)size;
    if (!p->keyboard.has_output_port)
        return NO_DATA;
    p->keyboard.has_output_port = false;
    return OUTPUT_NOT_RESET | OUTPUT_A20;
}

void keyboard_data_out(struct platform *p, uint16_t port, uint32_t value, unsigned size)
{
    (void)port, (void)size;
    if (!p->keyboard.expects_output_port)
        return;
    p->keyboard.expects_output_port = false;
    if (!(value & OUTPUT_NOT_RESET))
        platform_request_stop(p, PLATFORM_RESET, 0, "keyboard controller: output port with bit 0 clear");
    else if (!(value & OUTPUT_A20))
        refuse_a20_off(p, value);
}

void keyboard_command_out(struct platform *p, uint16_t port, uint32_t value, unsigned size)
{
    (void)port, (void)size;
    p->keyboard.expects_output_port = value == WRITE_OUTPUT_PORT;
    if (value == READ_OUTPUT_PORT)
        p->keyboard.has_output_port = true;
    else if (value == A20_OFF)
        refuse_a20_off(p, value);
    else if (value == PULSE_RESET)
        platform_request_stop(p, PLATFORM_RESET, 0, "keyboard controller command FEH at port 64H");
}
