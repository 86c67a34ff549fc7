#!/usr/bin/env bash
# A run that a limit ends tells where each processor was. Usage: limit.sh PATH-OF-VTSIM
. "$(dirname "$(readlink -f "$0")")/common.sh.inc"

image spins '\x90\xeb\xfe'                           # nop; 1: jmp 1b
expect 124 "limit of 1000000 cycles: processor 0 at RIP 0x100021" run --max-cycles 1000000 spins
expect 124 "limit of 1000 instructions: processor 0 at RIP 0x100021" run --max-instructions 1000 spins
expect 124 "limit of 1000000 cycles: processor 0 at RIP 0x100021, processor 1 halted at RIP 0x" \
    run --smp 2 --max-cycles 1000000 spins
# The message has room for some processors, and says when it leaves some away.
expect 124 ", processor 9 halted at RIP 0x" run --smp 16 --max-cycles 1000000 spins
expect 124 " ..." run --smp 16 --max-cycles 1000000 spins
finish
