/* hello: prints and powers off. */
/* expect: status 0 */
/* expect: output Hello from a guest. */
#include "trap.h"

int main(void)
{
    put_text("Hello from a guest.\n");
    power_off();
}
