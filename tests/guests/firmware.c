/*
 * firmware: in real mode behind --firmware pc: the timer's ticks, its hook at vector 1CH, midnight, services
 * that say that they are not there, and lines of the slave 8259 that are acknowledged. The checks are in
 * firmware.S; the debug-exit value is the number of the one that failed.
 */
/* expect: status 1 */
/* expect: options --firmware pc --max-cycles 3000000000 */
#include "machine.h"

enum { REAL_MODE_AT = 0x8000 };

extern const uint8_t real_mode_begin[], real_mode_end[];
_Noreturn void enter_real_mode(void);

int main(void)
{
    memcpy((void *)(uintptr_t)REAL_MODE_AT, real_mode_begin, (size_t)(real_mode_end - real_mode_begin));
    enter_real_mode();
}
