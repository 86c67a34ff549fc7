/*
 * timing.c: cycles of a VM exit and the VM entry after it, of each of the two, of VMREAD and of VMWRITE, by RDTSC.
 *
 * The guest is code of our own (timing.S) in 64-bit mode, in our page tables: no EPT is needed, and RDTSC does not exit. The guest
 * reads the TSC, executes VMCALL and reads the TSC again. The handler is the least there can be: it counts and executes VMRESUME
 * without moving RIP, so that the same VMCALL exits again, and moves RIP behind it after the last. With VPID that is offered it is
 * timed twice, with and without.
 */
#include "probe.h"

enum {
    ENABLE_VPID = 1 << 5,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    ROUND_TRIPS = 1000,
    UNROLLED = 64, /* as in timing.S */
    REPEATS = 16,
};

/* Sums of what the two halves took, and how often. */
struct halves {
    uint64_t entry, exit;
};

/* timing.S. Each gives 0 if an entry failed. */
uint64_t time_round_trips(uint64_t count);
bool time_halves(uint64_t count, struct halves *halves);
/* UNROLLED instructions in a row; of the field in the current VMCS. */
uint64_t time_vmread(uint64_t field);
uint64_t time_vmwrite(uint64_t field, uint64_t value);
/* Two RDTSCs with nothing between them, as time_vmread has them. */
uint64_t time_nothing(void);
void timing_exit_round_trip(void);
void timing_exit_halves(void);
void timing_guest_round_trip(void);
void timing_guest_halves(void);

static uint8_t region[4096] __attribute__((aligned(4096)));

static bool prepare(bool vpid, void (*host)(void), void (*guest)(void))
{
    const struct vmx_wanted_controls wanted = {.secondary = vpid ? ENABLE_VPID : 0, .exit = HOST_ADDRESS_SPACE_SIZE};
    if (!vmcs_create_with(region, &wanted))
        return false;
    if (vpid)
        vmwrite(VIRTUAL_PROCESSOR_IDENTIFIER, 1);
    vmwrite(HOST_RIP, (uint64_t)host);
    vmcs_guest_long_mode((uint64_t)guest, 0, read_cr3()); /* it has no stack */
    return true;
}

static void print_time(const char *what, uint64_t cycles)
{
    put_text(what);
    put_text(": ");
    put_decimal(cycles);
    put_text("\n");
}

static bool failed(void)
{
    put_text("VM entry failed, error ");
    put_decimal(vmread(VM_INSTRUCTION_ERROR));
    put_text("\n");
    return false;
}

static bool print_round_trip(const char *what, bool vpid)
{
    if (!prepare(vpid, timing_exit_round_trip, timing_guest_round_trip))
        return failed();
    uint64_t cycles = time_round_trips(ROUND_TRIPS);
    if (!cycles)
        return failed();
    print_time(what, cycles / ROUND_TRIPS);
    return true;
}

static uint64_t without(uint64_t cycles, uint64_t overhead) { return cycles > overhead ? cycles - overhead : 0; }

static bool print_halves(bool vpid, uint64_t overhead)
{
    struct halves halves = {0};
    if (!prepare(vpid, timing_exit_halves, timing_guest_halves) || !time_halves(ROUND_TRIPS, &halves))
        return failed();
    print_time("VM entry", without(halves.entry / ROUND_TRIPS, overhead));
    print_time("VM exit", without(halves.exit / ROUND_TRIPS, overhead));
    return true;
}

/* The VMCS that the last measurement left is current. */
static void print_field_accesses(uint64_t overhead)
{
    uint64_t read = 0, written = 0;
    for (unsigned i = 0; i < REPEATS; i++) {
        read += without(time_vmread(GUEST_RIP), overhead);
        written += without(time_vmwrite(GUEST_RIP, 0), overhead);
    }
    print_time("VMREAD", read / (REPEATS * UNROLLED));
    print_time("VMWRITE", written / (REPEATS * UNROLLED));
}

bool print_times(void)
{
    const bool vpid = vmx_secondary_allowed() & ENABLE_VPID;
    uint64_t overhead = time_nothing();
    for (unsigned i = 1; i < REPEATS; i++) { /* the least of some: the first may walk page tables */
        uint64_t again = time_nothing();
        overhead = again < overhead ? again : overhead;
    }
    put_text("times in cycles, average of ");
    put_decimal(ROUND_TRIPS);
    put_text(vpid ? ", with a VPID:\n" : ", without VPID:\n");
    if (!print_round_trip("VMCALL round trip", vpid) || !print_halves(vpid, overhead))
        return false;
    print_field_accesses(overhead);
    return !vpid || print_round_trip("VMCALL round trip without VPID", false);
}
