/* debug_exit: leaves through isa-debug-exit; the status is (21 << 1) | 1. */
/* expect: status 43 */
#include "machine.h"

int main(void)
{
    return 21;
}
