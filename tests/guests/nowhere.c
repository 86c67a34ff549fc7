/* nowhere: jumps to an address that is mapped but has no memory behind it: #UD, and there is no IDT for it.
 */
/* expect: status 6 */
/* expect: error triple fault */
#include "machine.h"

int main(void)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } none = {0, 0};
    __asm__ volatile("lidt %0; jmp *%1" ::"m"(none), "r"(0x80000000ull));
    return 1;
}
