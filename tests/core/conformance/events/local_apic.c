/*
 * conformance: local APIC: priorities by TPR, PPR, IRR and ISR, CR8, self-IPIs, the ESR, LVT masks
 * SDM: 3A, "Interrupt, Task, and Processor Priority"
 * SDM: 3A, "Interrupt Acceptance for Fixed Interrupts"
 * SDM: 3A, "Error Handling"
 */
#include "apic.h"

enum { LOW = 0x41, HIGH = 0x61, ERROR_VECTOR = 0x71 };

static unsigned bit(unsigned bank, unsigned vector)
{
    return apic_read(bank + vector / 32 * 16) >> vector % 32 & 1;
}

/* Nothing comes while IF = 0; then the higher class first; the other waits for the EOI. */
static void two_classes(void)
{
    apic_send(APIC_SELF | LOW);
    apic_send(APIC_SELF | HIGH);
    LAB_EQUAL(bit(APIC_IRR, LOW), 1, "IRR: the low request");
    LAB_EQUAL(bit(APIC_IRR, HIGH), 1, "IRR: the high request");
    LAB_EQUAL(apic_wait(), HIGH, "the higher class is delivered first");
    LAB_EQUAL(bit(APIC_ISR, HIGH), 1, "ISR: in service");
    LAB_EQUAL(bit(APIC_IRR, HIGH), 0, "IRR: no request any more");
    LAB_EQUAL(apic_read(APIC_PPR), HIGH & 0xf0, "PPR: the class in service");
    LAB_EQUAL(apic_poll(), 0, "the lower class waits, though IF = 1");
    apic_write(APIC_EOI, 0);
    LAB_EQUAL(apic_poll(), LOW, "and comes after the EOI");
    apic_write(APIC_EOI, 0);
    LAB_EQUAL(apic_read(APIC_PPR), 0, "PPR: nothing in service");
}

/* "Interaction of Task Priorities between CR8 and APIC": CR8 is bits 7:4 of the TPR. */
static void task_priority(void)
{
    for (unsigned class = 0; class < 16; class ++) {
        __asm__ volatile("mov %0, %%cr8" ::"r"((uint64_t) class));
        LAB_EQUAL(apic_read(APIC_TPR), class << 4, "TPR after MOV to CR8 of %u", class);
        apic_send(APIC_SELF | HIGH);
        bool through = class < HIGH >> 4;
        LAB_EQUAL(apic_poll(), through ? HIGH : 0, "a request of class 6 with CR8 = %u", class);
        if (through) {
            apic_write(APIC_EOI, 0);
            continue;
        }
        apic_write(APIC_TPR, 0x0f); /* the sub-class holds nothing up */
        LAB_EQUAL(apic_poll(), HIGH, "TPR 0FH lets it through");
        uint64_t cr8;
        __asm__ volatile("mov %%cr8, %0" : "=r"(cr8));
        LAB_EQUAL(cr8, 0, "CR8 with TPR 0FH");
        apic_write(APIC_EOI, 0);
    }
    apic_write(APIC_TPR, 0);
    LAB_TRY("mov %0, %%cr8", ::"r"(0x10ull));
    LAB_FAULT(LAB_GP, 0, "MOV to CR8 of 10H");
}

/* A vector below 16 is an error of the sender; the LVT's error entry fires once until the ESR is written. */
static void errors(void)
{
    apic_write(APIC_LVT_ERROR, ERROR_VECTOR);
    apic_write(APIC_ESR, 0);
    apic_send(APIC_SELF | 15);
    LAB_EQUAL(apic_poll(), ERROR_VECTOR, "a self-IPI with vector 15: error interrupt");
    apic_write(APIC_EOI, 0);
    apic_send(APIC_SELF | 0);
    LAB_EQUAL(apic_poll(), 0, "a second error before the ESR is written: no interrupt");
    LAB_EQUAL(apic_read(APIC_ESR), 0, "ESR before it is written");
    apic_write(APIC_ESR, 0);
    LAB_EQUAL(apic_read(APIC_ESR), 1 << 5, "ESR: send illegal vector");
    apic_write(APIC_ESR, 0);
    LAB_EQUAL(apic_read(APIC_ESR), 0, "ESR after a second write");
    apic_read(0x40); /* reserved */
    LAB_EQUAL(apic_poll(), ERROR_VECTOR, "reading a reserved register: error interrupt");
    apic_write(APIC_EOI, 0);
    apic_write(APIC_ESR, 0);
    LAB_EQUAL(apic_read(APIC_ESR), 1 << 7, "ESR: illegal register address");
    apic_write(APIC_LVT_ERROR, ERROR_VECTOR | APIC_MASKED);
    apic_read(0x40);
    LAB_EQUAL(apic_poll(), 0, "LVT error entry masked: no interrupt");
    apic_write(APIC_ESR, 0);
    LAB_EQUAL(apic_read(APIC_ESR), 1 << 7, "and the ESR has it all the same");
    apic_write(APIC_ESR, 0);
}

/* "Local APIC State After It Has Been Software Disabled". */
static void software_disabled(void)
{
    apic_send(APIC_SELF | LOW);
    apic_write(APIC_SVR, 0xff);
    apic_send(APIC_SELF | HIGH);
    LAB_EQUAL(bit(APIC_IRR, HIGH), 0, "disabled: a new request is not accepted");
    LAB_EQUAL(bit(APIC_IRR, LOW), 1, "disabled: an old one is held");
    apic_write(APIC_LVT_ERROR, ERROR_VECTOR);
    LAB_EQUAL(apic_read(APIC_LVT_ERROR), ERROR_VECTOR | APIC_MASKED, "disabled: LVT masks cannot be cleared");
    LAB_EQUAL(apic_poll(), LOW, "disabled: the old request is delivered");
    apic_write(APIC_EOI, 0);
    apic_write(APIC_SVR, 0x1ff);
    LAB_EQUAL(apic_read(APIC_LVT_ERROR), ERROR_VECTOR | APIC_MASKED, "enabled again: the masks stay");
}

int main(void)
{
    lab_init();
    apic_begin();
    two_classes();
    task_priority();
    errors();
    software_disabled();
    lab_end();
}
