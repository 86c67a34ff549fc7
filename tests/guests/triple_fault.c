/* triple_fault: an exception with no IDT to deliver it by, nor the double fault that follows. */
/* expect: status 6 */
/* expect: output before */
/* expect: error triple fault */
#include "machine.h"

int main(void)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } none = {0, 0};
    put_text("before\n");
    __asm__ volatile("lidt %0; ud2" ::"m"(none));
    put_text("after\n");
    return 1;
}
