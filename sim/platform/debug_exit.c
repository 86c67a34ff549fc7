/* debug_exit.c: isa-debug-exit. QEMU's device reads as zero and takes a write of any size at any of its
 * ports. */
#include "sim/platform/platform.h"

uint32_t debug_exit_in(struct platform *p, uint16_t port, unsigned size)
{
    (void)p, (void)port, (void)size;
    return 0;
}

void debug_exit_out(struct platform *p, uint16_t port, uint32_t value, unsigned size)
{
    (void)port, (void)size;
    platform_request_stop(p, PLATFORM_DEBUG_EXIT, value, "isa-debug-exit");
}
