#!/usr/bin/env bash
# The ways in which a guest resets the machine or turns it off, and what ends a run otherwise.
. "$(dirname "$0")/common.sh.inc"

# ends NAME STATUS TEXT CODE: an image with this code; each ends in CLI, HLT, should it come so far.
ends() {
    image "$1" "$4"'\xfa\xf4'
    expect "$2" "$3" run --max-cycles 1000000 "$1"
}

ends keyboard 0 "asked for a reset (keyboard controller command FEH at port 64H)" '\xb0\xfe\xe6\x64'
ends fast 0 "asked for a reset (system control port 92H, bit 0)" '\xb0\x03\xe6\x92'
# CF9H: the reset comes when bit 2 rises, whatever bit 1 (mov dx,0cf9h; al = 2, then 6)
ends control 0 "asked for a reset (reset control register at port CF9H)" '\x66\xba\xf9\x0c\xb0\x02\xee\xb0\x06\xee'
ends control_cpu 0 "asked for a reset (reset control register at port CF9H)" '\x66\xba\xf9\x0c\xb0\x04\xee'
ends prepared 124 "the processor is halted" '\x66\xba\xf9\x0c\xb0\x02\xee'
# 604H: SLP_EN with SLP_TYP 0; another state; SLP_TYP alone (mov dx,604h; mov ax,...; out dx,ax)
ends off 0 "" '\x66\xba\x04\x06\x66\xb8\x00\x20\x66\xef'
ends sleep 8 "a sleep state other than S5" '\x66\xba\x04\x06\x66\xb8\x00\x34\x66\xef'
ends chosen 124 "the processor is halted" '\x66\xba\x04\x06\x66\xb8\x00\x00\x66\xef'
ends a20 8 "address line 20 cannot be switched off" '\xb0\x00\xe6\x92'
ends other 124 "the processor is halted" '\xb0\xd1\xe6\x64'

# A halt in real mode with interrupts on (mov eax,cr0; and al,0feh; mov cr0,eax; sti; hlt): the tick of a BIOS is missing.
image real '\x0f\x20\xc0\x24\xfe\x0f\x22\xc0\xfb\xf4'
expect 124 "--firmware pc has a BIOS's timer tick" run --max-cycles 1000000 real
check "the hint is for real mode with interrupts on" [ "$("$vtsim" run --max-cycles 1000000 prepared 2>&1 | grep -c firmware)" = 0 ]
finish
