/* random.c: splitmix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
 */
#include "sim/cpu/random.h"

#define SPLITMIX_INCREMENT 0x9e3779b97f4a7c15ull

uint64_t random_seed(uint8_t processor)
{
    return 0x766d782073656564ull + processor * 0xd1342543de82ef95ull;
}

uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += SPLITMIX_INCREMENT;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}
