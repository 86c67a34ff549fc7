#!/usr/bin/env bash
# vtsim explain: by number, by name, by what is nearly a name; and a text for everything. Usage: explain.sh PATH-OF-VTSIM
. "$(dirname "$(readlink -f "$0")")/common.sh.inc"

expect 0 "Exit reason 48: EPT violation (KVM: EXIT_REASON_EPT_VIOLATION)" explain 48
for term in EPT_VIOLATION ept_violation "EPT violation" EXIT_REASON_EPT_VIOLATION "exit reason 48" 0x30; do
    expect 0 "Exit reason 48: EPT violation" explain "$term"
done
expect 0 "Exit reason 48: EPT violation" explain EPT violation
expect 0 "Exit reason 33: VM-entry failure due to invalid guest state" explain 0x80000021
expect 0 "Exit reason 48: EPT violation" explain 0x04000030 # bit 26: a bus lock came before
expect 2 "is no exit reason" explain 0x00010030 # bit 16 is never set
expect 0 "VM-instruction error 7: VM entry with invalid control field(s)" explain error 7
expect 0 "VM-instruction error 7" explain 7
expect 0 "Exit reason 7: Interrupt window" explain 7
expect 0 "VMCS field 0x4002: Primary processor-based" explain 0x4002
expect 0 "VMCS field 0x6800: Guest CR0" explain GUEST_CR0
expect 0 "VMCS field 0x2000" explain field 0x2001
expect 0 "Rule guest_rflags_reserved" explain guest_rflags_reserved
expect 0 "VM-instruction error 8" explain host_cr0_fixed_bits
expect 0 "IA32_VMX_TRUE_PINBASED_CTLS" explain pin_based_controls_allowed
expect 0 "IA32_VMX_TRUE_PROCBASED_CTLS" explain primary_controls_allowed
expect 0 "IA32_VMX_PROCBASED_CTLS2" explain secondary_controls_allowed
expect 0 "IA32_VMX_TRUE_EXIT_CTLS" explain exit_controls_allowed
expect 0 "IA32_VMX_TRUE_ENTRY_CTLS" explain entry_controls_allowed
expect 0 "MSR 0x480: IA32_VMX_BASIC" explain ia32_vmx_basic
expect 0 "Of --cpu skylake: 0x" explain msr 0x480
expect 0 "MSR 0xc0000080: IA32_EFER" explain 0xc0000080

# What `vtsim list controls`, `findings` and `features` name, and what standard error names.
for term in enable_ept "enable EPT" vmx-enable-ept "control enable_ept"; do
    expect 0 "Control enable_ept: Enable EPT" explain "$term"
done
expect 0 "Bit 1 of field 0x401e, Secondary processor-based VM-execution controls." explain enable_ept
expect 0 "It may be 1 on: nehalem westmere" explain enable_ept
expect 0 "It must be 1 on: prescott merom penryn." explain cr3_load_exiting
expect 0 "It may be 1 on: no profile." explain pasid_translation
expect 0 "Bit 19 of field 0x400c" explain load_ia32_pat
expect 0 "Bit 14 of field 0x4012" explain load_ia32_pat
expect 0 "Control instruction_timeout: Instruction timeout" explain instruction-timeout
expect 0 "Exit reason 75: Instruction timeout" explain instruction-timeout
expect 0 "Feature lam: CPUID.(EAX=07H,ECX=1):EAX[26]" explain LAM
expect 0 "Offered by: sapphirerapids. Taken away by: --cpu PROFILE,-lam" explain lam
expect 0 "Control enable_ept: Enable EPT" explain ept
expect 0 "Finding stale_ept (--sanitize tlb): a translation was used" explain stale_ept
expect 0 "Way out: read fields with VMREAD" explain finding vmcs_read

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
for id in $("$vtsim" list findings --json | grep -o '"id": "[^"]*"' | cut -d '"' -f 4); do
    expect 0 "Finding $id " explain finding "$id"
done
for name in $("$vtsim" list features --json | grep -o '"name": "[^"]*"' | cut -d '"' -f 4); do
    expect 0 "" explain "$name"
done
finish
