/* endless: a loop of one instruction, which no trap ever leaves, ends at the limit. */
/* expect: status 124 */
/* expect: error limit of 3000000 cycles */
/* expect: options --max-cycles 3000000 */
/* expect: pause */
#include "machine.h"

int main(void)
{
    __asm__ volatile("1: jmp 1b");
    return 1;
}
