/* halted: HLT with interrupts off and nothing that could wake the processor. */
/* expect: status 124 */
/* expect: error halted */
#include "machine.h"

int main(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}
