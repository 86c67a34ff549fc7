/*
 * no_svm: a processor with VT-x has nothing of AMD-V: CPUID says so, EFER.SVME and SVM's MSRs are not there,
 * and each SVM instruction raises #UD: before VMXON, in VMX root operation, and in a guest, where it is an
 * exception like any other. SDM volume 4 has no such MSR, volume 2 no such instruction; 3A, "Extended Feature
 * Enable Register": bit 12 is reserved.
 */
/* expect: status 0 */
/* expect: options --quiet */
#include "trap.h"
#include "vmx.h"

enum {
    UD = 6,
    GP = 13,
    PAGE = 4096,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    SAVE_EFER = 1 << 20,
    LOAD_HOST_EFER = 1 << 21,
    LOAD_GUEST_EFER = 1 << 15,
    EFER_SVME = 1 << 12,
    EXIT_EXCEPTION = 0,
    EXIT_INTERRUPTION_INFORMATION = 0x4404,
    AMD_VM_CR = 0xc0010114,
    AMD_VM_HSAVE_PA = 0xc0010117,
};
#define UD_INFORMATION 0x80000306u /* valid, hardware exception, vector 6 */
#define INVALID_GUEST_STATE (1u << 31 | EXIT_INVALID_GUEST_STATE)

/* AMD64 Architecture Programmer's Manual, volume 3. */
#define SVM_INSTRUCTIONS(X)                                                                                  \
    X(vmrun, "0xd8")                                                                                         \
    X(vmmcall, "0xd9")                                                                                       \
    X(vmload, "0xda") X(vmsave, "0xdb") X(stgi, "0xdc") X(clgi, "0xdd") X(skinit, "0xde") X(invlpga, "0xdf")

static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE)));
static struct guest_registers registers;
static bool launched;

#define DECLARE(name, byte) void guest_##name(void);
#define DEFINE(name, byte) "guest_" #name ": .byte 0x0f, 0x01, " byte "\n\tvmcall\n"
SVM_INSTRUCTIONS(DECLARE)
__asm__(SVM_INSTRUCTIONS(DEFINE));

static const struct {
    const char *name;
    void (*code)(void);
} instructions[] = {
#define ROW(name, byte) {#name, guest_##name},
    SVM_INSTRUCTIONS(ROW)
#undef ROW
};

static void in_root(void)
{
#define TRY(name, byte)                                                                                      \
    TRAP_TRY(".byte 0x0f, 0x01, " byte, ::"a"(0ull), "c"(0ull) : "memory");                                  \
    CHECK_FAULT(UD, 0);
    SVM_INSTRUCTIONS(TRY)
#undef TRY
}

static void in_guest(void)
{
    vmwrite(EXCEPTION_BITMAP, 1u << UD);
    for (unsigned i = 0; i < sizeof instructions / sizeof *instructions; i++) {
        vmwrite(GUEST_RIP, (uint64_t)instructions[i].code);
        check_equal(instructions[i].name, vmx_run(&registers, launched), true, __LINE__);
        launched = true;
        check_equal(instructions[i].name, vmread(EXIT_REASON), EXIT_EXCEPTION, __LINE__);
        check_equal(instructions[i].name, vmread(EXIT_INTERRUPTION_INFORMATION), UD_INFORMATION, __LINE__);
        check_equal(instructions[i].name, vmread(GUEST_RIP), (uint64_t)instructions[i].code, __LINE__);
    }
}

static void no_enable_bit(void)
{
    const uint64_t efer = rdmsr(IA32_EFER);
    CHECK_EQUAL(efer & EFER_SVME, 0);
    TRAP_TRY("wrmsr", ::"c"(IA32_EFER), "a"((uint32_t)efer | EFER_SVME), "d"((uint32_t)(efer >> 32)));
    CHECK_FAULT(GP, 0);
    CHECK_EQUAL(rdmsr(IA32_EFER), efer);
    TRAP_TRY("rdmsr", ::"c"(AMD_VM_CR) : "eax", "edx");
    CHECK_FAULT(GP, 0);
    TRAP_TRY("rdmsr", ::"c"(AMD_VM_HSAVE_PA) : "eax", "edx");
    CHECK_FAULT(GP, 0);
}

/* Nor can a VM entry set it: SDM "Checks on Guest Control Registers, Debug Registers, and MSRs". */
static void not_by_vm_entry(void)
{
    const uint64_t efer = vmread(GUEST_IA32_EFER);
    vmwrite(GUEST_IA32_EFER, efer | EFER_SVME);
    CHECK_EQUAL(vmx_run(&registers, launched), true);
    CHECK_EQUAL(vmread(EXIT_REASON), INVALID_GUEST_STATE);
    vmwrite(GUEST_IA32_EFER, efer);
}

int main(void)
{
    const struct vmx_wanted_controls wanted = {.exit = HOST_ADDRESS_SPACE_SIZE | SAVE_EFER | LOAD_HOST_EFER,
                                               .entry = LOAD_GUEST_EFER};
    uint32_t leaf = 0x80000001, features, rest;
    trap_install();
    __asm__ volatile("cpuid" : "+a"(leaf), "=c"(features), "=b"(rest), "=d"(rest) : "1"(0));
    CHECK_EQUAL(features & 1 << 2, 0); /* SVM in AMD's processors */
    no_enable_bit();
    in_root();
    if (!vmx_enable() || !vmcs_create_with(vmcs, &wanted))
        leave(1);
    no_enable_bit();
    in_root();
    vmcs_guest_long_mode((uint64_t)guest_vmrun, 0, read_cr3());
    in_guest();
    if (vmx_capability(IA32_VMX_ENTRY_CTLS) >> 32 & LOAD_GUEST_EFER)
        not_by_vm_entry();
    check_end();
}
