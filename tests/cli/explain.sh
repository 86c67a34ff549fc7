#!/usr/bin/env bash
# vtsim explain: by number, by name, by what is nearly a name; and a text for everything. Usage: explain.sh PATH-OF-VTSIM
. "$(dirname "$(readlink -f "$0")")/common.sh.inc"

expect 0 "Exit reason 48: EPT violation (KVM: EXIT_REASON_EPT_VIOLATION)" explain 48
for term in EPT_VIOLATION ept_violation "EPT violation" EXIT_REASON_EPT_VIOLATION "exit reason 48" 0x30; do
    expect 0 "Exit reason 48: EPT violation" explain "$term"
done
expect 0 "Exit reason 48: EPT violation" explain EPT violation
expect 0 "Exit reason 33: VM-entry failure due to invalid guest state" explain 0x80000021
expect 0 "VM-instruction error 7: VM entry with invalid control field(s)" explain error 7
expect 0 "VM-instruction error 7" explain 7
expect 0 "Exit reason 7: Interrupt window" explain 7
expect 0 "VMCS field 0x4002: Primary processor-based" explain 0x4002
expect 0 "VMCS field 0x6800: Guest CR0" explain GUEST_CR0
expect 0 "VMCS field 0x2000" explain field 0x2001
expect 0 "Rule guest_rflags_reserved" explain guest_rflags_reserved
expect 0 "VM-instruction error 8" explain host_cr0_fixed_bits
expect 0 "MSR 0x480: IA32_VMX_BASIC" explain ia32_vmx_basic
expect 0 "Of --cpu skylake: 0x" explain msr 0x480
expect 0 "MSR 0xc0000080: IA32_EFER" explain 0xc0000080

expect 2 "what is to be explained?" explain
expect 2 "did you mean 'EPT violation'" explain EPTVIOLATION
expect 2 "did you mean 'IA32_VMX_BASIC'" explain IA32_VMX_BASE
expect 2 "is no exit reason" explain 9999
expect 2 "is no exit reason" explain error 27
expect 2 "is no exit reason" explain ""x
expect 2 "the term is too long" explain "$(printf '%0200d' 0)"

# Nothing that is listed is without an explanation.
"$vtsim" list exits --json >exits.json
for number in $(sqlite3 :memory: "SELECT value->>'reason' FROM json_each(readfile('exits.json'))"); do
    expect 0 "Exit reason $number: " explain exit "$number"
    check "exit reason $number has a text" test "$("$vtsim" explain exit "$number" | grep -c '(null)')" = 0
done
for number in $(seq 1 13) $(seq 15 20) $(seq 22 26) 28; do
    expect 0 "VM-instruction error $number: " explain error "$number"
    check "error $number has a text" test "$("$vtsim" explain error "$number" | grep -c '(null)')" = 0
done
"$vtsim" list fields --json >fields.json
for encoding in $(sqlite3 :memory: "SELECT value->>'encoding' FROM json_each(readfile('fields.json'))"); do
    expect 0 "VMCS field $encoding: " explain field "$encoding"
done
finish
