/*
 * conformance: address line 20 is on, by port 92H and the keyboard controller; switching it off is refused
 * SDM: 3A, "8086 Emulation" ("Real-Address Mode", note on address wrap)
 * SDM: 3C, "Restrictions on VMX Operation" (VMX needs it on)
 * expect: status 8
 * expect: error keyboard controller: address line 20 cannot be switched off
 */
#include "lab.h"

enum { COMMAND = 0x64, DATA = 0x60, SYSTEM_CONTROL_A = 0x92 };

int main(void)
{
    static volatile uint8_t *const low = (volatile uint8_t *)0x8000, *const high =
                                                                         (volatile uint8_t *)0x208000;
    lab_init();
    LAB_EQUAL(in8(SYSTEM_CONTROL_A) & 2, 2, "port 92H: bit 1 is 1");
    out8(SYSTEM_CONTROL_A, 2);
    LAB_EQUAL(in8(SYSTEM_CONTROL_A) & 2, 2, "port 92H: it can be written as 1");
    out8(COMMAND, 0xd0);
    LAB_EQUAL(in8(COMMAND) & 1, 1, "keyboard controller: command D0H fills the output buffer");
    LAB_EQUAL(in8(DATA) & 3, 3, "keyboard controller: line 20 is on in the output port");
    out8(COMMAND, 0xd1);
    out8(DATA, 0xdf);
    out8(COMMAND, 0xdf);
    *low = 0x11;
    *high = 0x22;
    LAB_EQUAL(*low, 0x11, "addresses do not wrap");
    out8(COMMAND, 0xd1);
    out8(DATA, 0xdd);
    LAB_CHECK(false, "switching line 20 off stops the run");
    lab_end();
}
