/*
 * probe: what does this processor offer, and what do its VM exits cost? Prints CPUID, the VMX capabilities and the TLB, and times
 * its own round trips by RDTSC. It needs VMX and 64-bit mode, nothing else: no EPT, VPID, unrestricted guest or TRUE MSRs.
 */
#include "probe.h"

enum { POWER_OFF_PORT = 0x604, POWER_OFF = 0x2000, LINE = 118 };

static unsigned length(const char *text)
{
    unsigned n = 0;
    while (text[n])
        n++;
    return n;
}

void print_bits(const char *title, uint64_t value, const struct named_bit *names)
{
    unsigned column = length(title) + 1;
    bool any = false;
    put_text(title);
    put_text(":");
    for (; names->name; names++) {
        if (!(value >> names->bit & 1))
            continue;
        put_text(any ? "," : "");
        column += length(names->name) + 2;
        if (column > LINE) {
            put_text("\n   ");
            column = length(names->name) + 4;
        }
        put_text(" ");
        put_text(names->name);
        any = true;
    }
    put_text(any ? "\n" : " none\n");
}

int main(void)
{
    if (!print_processor()) {
        put_text("this processor has no VMX\n");
        return 1;
    }
    print_capabilities();
    if (!vmx_enable()) {
        put_text("VMXON failed\n");
        return 1;
    }
    if (!print_times())
        return 1;
    __asm__ volatile("outw %0, %1" ::"a"((uint16_t)POWER_OFF), "Nd"((uint16_t)POWER_OFF_PORT));
    return 2;
}
