/*
 * conformance: NMI blocking from delivery to IRET; one NMI is kept; an IRET that faults unblocks as well
 * SDM: 3A, "Nonmaskable Interrupt (NMI)", "Handling Multiple NMIs"
 */
#include "lab.h"

enum { X2APIC_ICR = 0x830, APIC_BASE = 0x1b, ICR_NMI = 0x400 };

/* WRMSR of the ICR, twice, and NOPs: the NMI comes behind one of them. */
static const uint8_t send[] = {0x0f, 0x30, 0x90, 0x90, 0xcd, LAB_DONE};
static const uint8_t send_twice[] = {0x0f, 0x30, 0x0f, 0x30, 0x90, 0xcd, LAB_DONE};
static const uint8_t nothing[] = {0x90, 0x90, 0xcd, LAB_DONE};
/* the stack holds a frame */
static const uint8_t iretq[] = {0x48, 0xcf};

static struct lab_state sending(const void *code)
{
    struct lab_state s = lab_start(code, 0);
    s.ax = ICR_NMI;
    s.cx = X2APIC_ICR;
    return s;
}

/* lab_go starts by IRET, so it unblocks; WRMSR here runs with NMIs blocked. */
static void send_while_blocked(unsigned times)
{
    while (times--)
        wrmsr(X2APIC_ICR, ICR_NMI);
}

int main(void)
{
    lab_init();
    wrmsr(APIC_BASE, rdmsr(APIC_BASE) | 0xc00);
    struct lab_state s = sending(send);
    lab_go(&s);
    LAB_EVENT(&s, LAB_NMI, 0, send + 2, "an NMI comes at once, with IF = 0");
    LAB_EQUAL(s.flags & 0x10000, 0, "RF is 0 in its frame");

    send_while_blocked(1);
    LAB_CHECK(true, "a second one waits until the IRET");
    s = lab_start(nothing, 0);
    lab_go(&s);
    LAB_EVENT(&s, LAB_NMI, 0, nothing, "and comes before the instruction behind it");

    send_while_blocked(3);
    s = lab_start(nothing, 0);
    lab_go(&s);
    LAB_EVENT(&s, LAB_NMI, 0, nothing, "of three that came while blocked one is kept");
    s = lab_start(nothing, 0);
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, nothing + 4, "and no other comes");

    s = sending(send_twice);
    lab_go(&s);
    LAB_EVENT(&s, LAB_NMI, 0, send_twice + 2, "blocking begins with delivery");

    /* An exception's IRET unblocks too: whose handler it is does not matter. */
    LAB_TRY("int3");
    LAB_TRAP(LAB_BP, "INT3 within the NMI handler; its IRET unblocks");
    s = lab_start(nothing, 0);
    wrmsr(X2APIC_ICR, 0); /* nothing is sent: vector 0 is illegal and only notes an error */
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, nothing + 4, "nothing is left");

    /* IRET to a null CS: #GP(0), and NMIs are not blocked any more. */
    s = sending(send);
    lab_go(&s);
    LAB_EVENT(&s, LAB_NMI, 0, send + 2, "blocked again");
    unsigned long *frame = (unsigned long *)lab_start(iretq, 0).sp - 8;
    memset(frame, 0, 40);
    send_while_blocked(1);
    struct lab_state faulting = lab_start(iretq, 0);
    faulting.sp = (unsigned long)frame;
    lab_go(&faulting);
    LAB_EVENT(&faulting, LAB_NMI, 0, iretq, "lab_go's IRET unblocks: NMI before the faulting IRET");
    memset(frame, 0, 40);
    faulting = lab_start(iretq, 0);
    faulting.sp = (unsigned long)frame;
    lab_go(&faulting);
    LAB_EVENT(&faulting, LAB_GP, 0, iretq, "IRET to a null CS: #GP(0)");
    s = sending(send);
    lab_go(&s);
    LAB_EVENT(&s, LAB_NMI, 0, send + 2, "NMIs are open");
    lab_end();
}
