/*
 * conformance: address line 20 off by port 92H is refused
 * SDM: 3A, "8086 Emulation" ("Real-Address Mode", note on address wrap)
 * expect: status 8
 * expect: error port 92H: address line 20 cannot be switched off
 */
#include "lab.h"

int main(void)
{
    lab_init();
    LAB_EQUAL(in8(0x92) & 2, 2, "port 92H: bit 1 is 1");
    out8(0x92, 0);
    LAB_CHECK(false, "switching line 20 off stops the run");
    lab_end();
}
