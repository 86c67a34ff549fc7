/*
 * conformance: a fault in the delivery of #DF is a triple fault: shutdown, which ends the run
 * SDM: 3A, "Interrupt 8—Double Fault Exception (#DF)"
 * expect: status 6
 * expect: error triple fault at CS:RIP 0x8:
 * expect: error while the double-fault handler was called; it began with exception 6 (RIP
 */
#include "lab.h"

int main(void)
{
    lab_init();
    lab_idt[LAB_UD * 16 + 5] &= 0x7f; /* P = 0 */
    LAB_TRY("ud2");
    LAB_FAULT(LAB_NP, LAB_UD * 8 + 3, "#UD whose gate is not present: #NP");
    lab_idt[LAB_NP * 16 + 5] &= 0x7f;
    LAB_TRY("ud2");
    LAB_FAULT(LAB_DF, 0, "and #NP whose gate is not present: #DF");
    lab_idt[LAB_DF * 16 + 5] &= 0x7f;
    __asm__ volatile("ud2");
    LAB_CHECK(false, "#DF whose gate is not present: shutdown");
    lab_end();
}
