/* steps.c: what happens next: an instruction, an event, a memory access, time, a change by somebody else. */
#include "tests/fuzz/vmx/lab.h"

/* VMXON if needed, VMPTRLD, and the entry that the launch state asks for. */
static bool enter_guest(struct lab *lab)
{
    struct choices *c = &lab->choices;
    struct vmx *vmx = &lab->cpu.vmx;
    static const uint8_t launch[] = {0x0f, 0x01, 0xc2}, resume[] = {0x0f, 0x01, 0xc3};
    const uint64_t pointers[2] = {GUEST_VMXON, LAB_VMCS + 0x1000 * choose(c, LAB_VMCSS)};
    memcpy(lab->ram + LAB_SCRATCH, pointers, sizeof pointers);
    if (!vmx->on)
        return lab_execute_memory(lab, "\xf3\x0f\xc7", 6, LAB_SCRATCH);
    if (vmx->current_vmcs == VMX_NO_VMCS || vmx->current_vmcs_is_shadow || one_in(c, 16))
        return lab_execute_memory(lab, "\x0f\xc7", 6, LAB_SCRATCH + 8);
    return lab_execute(lab, vmx->vmcs.launched ? resume : launch, sizeof launch);
}

/* As if the monitor had put its registers right, its page tables with them. */
static bool restore_host(struct lab *lab)
{
    struct cpu *cpu = &lab->cpu;
    const uint64_t offset = cpu->state.tsc_offset_root;
    const uint32_t blocking = cpu->state.interruptibility_state & BLOCKING_BY_NMI;
    const uint64_t cr3 = cpu->state.cr3;
    cpu->state = lab->host;
    cpu->state.tsc_offset_root = offset;
    cpu->state.interruptibility_state = blocking;
    mmu_flush_pcid(&cpu->mmu, -1, false, FLUSH_MOV_CR3);
    if (cr3 != cpu->state.cr3)
        mmu_flush_pcid(&cpu->mmu, -1, false, FLUSH_MOV_CR3);
    vmx_update_regime(&cpu->vmx);
    lab->status = CPU_RUN;
    return true;
}

/* As VMWRITEs of many fields would. */
static bool rewrite_vmcs(struct lab *lab)
{
    struct vmx *vmx = &lab->cpu.vmx;
    if (vmx->current_vmcs == VMX_NO_VMCS)
        return false;
    lab_fill_vmcs(lab, &vmx->vmcs);
    vmx->controls_changed = true;
    return true;
}

static bool root_step(struct lab *lab)
{
    switch (choose(&lab->choices, 16)) {
    case 0:
        lab->step = "restores the host";
        return restore_host(lab);
    case 1:
        lab->step = "rewrites the VMCS";
        return restore_host(lab) && rewrite_vmcs(lab);
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
        lab->step = "enters";
        return enter_guest(lab);
    default:
        lab->step = "instruction in root operation";
        return lab_instruction(lab);
    }
}

/* An exception of translated code, with what the core tells of it. */
static bool throw_exception(struct lab *lab)
{
    struct choices *c = &lab->choices;
    static const uint8_t vectors[] = {0, 1, 5, 6, 7, 12, 13, 14, 14, 16, 17, 19};
    static const uint32_t with_code = 1u << 12 | 1u << 13 | 1u << 14 | 1u << 17;
    struct cpu_event e = {.vector = vectors[choose(c, sizeof vectors)], .type = EVENT_HARDWARE_EXCEPTION};
    e.has_error_code = with_code >> e.vector & 1;
    if (e.vector == VECTOR_PF) {
        e.error_code = choose(c, 32) & ~PF_RSVD;
        e.cr2 = choose_address(c);
    } else if (e.has_error_code && e.vector != VECTOR_AC) {
        e.error_code = choose_selector(c);
    } else if (e.vector == VECTOR_DB) {
        if (lab->cpu.state.msr.debugctl & 2)
            return false;
        e.debug_conditions = 1u << choose(c, 4);
    }
    lab->step = "exception";
    lab->status = cpu_exception(&lab->cpu, &e);
    return true;
}

/* Where an access goes: often to a register on a page that may be the APIC-access page. */
static uint32_t data_address(struct choices *c)
{
    static const uint16_t registers[] = {0x20,  0x80,  0xb0,  0xd0,  0xe0,  0xf0,
                                         0x110, 0x280, 0x300, 0x310, 0x320, 0x380};
    if (!one_in(c, 3))
        return choose_address(c);
    return (one_in(c, 2) ? (uint32_t)GUEST_DATA : GUEST_LAPIC) +
           registers[choose(c, sizeof registers / sizeof registers[0])];
}

/* An access of translated code. */
static bool access_memory(struct lab *lab)
{
    struct choices *c = &lab->choices;
    struct cpu *cpu = &lab->cpu;
    const struct mmu_mode mode = {.user = cpu_cpl(&cpu->state) == 3,
                                  .smap_ignored = (cpu->state.rflags & RFLAGS_AC) != 0};
    struct mmu_fault fault = {0};
    uint8_t bytes[8] = {0};
    const uint32_t at = data_address(c);
    const size_t size = one_in(c, 3) ? 1u << choose(c, 4) : 4;
    enum mmu_status status;
    lab->step = "memory access";
    switch (choose(c, 4)) {
    case 0:
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)choose_bits(c, 8);
        if (at < GUEST_CODE) /* descriptors and page tables stay as they are, most often */
            return false;
        status = mmu_write(&cpu->mmu, at, bytes, size, mode, &fault);
        break;
    case 1: {
        size_t got;
        status = mmu_fetch(&cpu->mmu, at, bytes, size, mode, &got, &fault);
        break;
    }
    default:
        status = mmu_read(&cpu->mmu, at, bytes, size, mode, &fault);
    }
    if (status != MMU_OK)
        lab->status = cpu_memory_fault(cpu, status, &fault);
    return true;
}

static bool time_passes(struct lab *lab)
{
    struct choices *c = &lab->choices;
    lab->step = "time";
    cycles_charge(&lab->cpu.account, CYCLES_HALTED, one_in(c, 2) ? choose(c, 64) : choose(c, 50000));
    if (one_in(c, 4))
        lab->deadline = lab->cpu.account.now + choose(c, 1000);
    return true;
}

static bool platform_acts(struct lab *lab)
{
    struct choices *c = &lab->choices;
    lab->step = "platform";
    switch (choose(c, 6)) {
    case 0:
        lab->nmi = true;
        break;
    case 1:
        if (lab->cpu.vmx.on) /* out of VMX operation INIT would end the run */
            lab->signals |= CPU_SIGNAL_INIT;
        break;
    case 2:
        lab->signals |= CPU_SIGNAL_SIPI;
        lab->sipi_vector = (uint8_t)choose_bits(c, 8);
        break;
    default:
        lab->interrupt = true;
        lab->interrupt_vector = (uint8_t)(16 + choose(c, 240));
    }
    return true;
}

/* Another processor or a device writes to memory that the VMCS points at. */
static bool memory_changes(struct lab *lab)
{
    struct choices *c = &lab->choices;
    static const uint32_t places[] = {GUEST_EPT + 0x6000, LAB_EPT + 0x6000, GUEST_EPT + 0x2000, LAB_EPT};
    lab->step = "memory changes";
    if (one_in(c, 2)) {
        lab->ram[LAB_PAGES + choose(c, 0x1000 * LAB_PAGE_COUNT)] = (uint8_t)choose_bits(c, 8);
        return true;
    }
    const unsigned place = choose(c, 4), index = place == 3 ? 0 : choose(c, 64);
    lab->ram[places[place] + 8 * index + choose(c, 7)] ^= (uint8_t)(1u << choose(c, 8));
    return true;
}

static bool any_step(struct lab *lab)
{
    const bool awake = lab->status == CPU_RUN;
    switch (choose(&lab->choices, 16)) {
    case 0:
        return time_passes(lab);
    case 1:
        return one_in(&lab->choices, 2) ? platform_acts(lab) : memory_changes(lab);
    case 2:
        return awake && throw_exception(lab);
    case 3:
    case 4:
        return awake && access_memory(lab);
    default:
        if (!awake)
            return platform_acts(lab) && time_passes(lab);
        if (!lab->cpu.vmx.non_root)
            return root_step(lab);
        lab->step = "instruction in non-root operation";
        return lab_instruction(lab);
    }
}

/* The machine polls when something is due, and may do so at any time. */
static bool wants_poll(struct lab *lab)
{
    if (lab->status != CPU_RUN && lab->status != CPU_HALTED)
        return false;
    return cpu_next_deadline(&lab->cpu) <= lab->cpu.account.now || one_in(&lab->choices, 4);
}

static void check(struct lab *lab)
{
    lab_require_sane(lab);
    lab->activity_before = lab->cpu.state.activity_state;
    lab->now_before = lab->cpu.account.now;
    lab->exited = lab->entry_failed_late = false;
}

void lab_step(struct lab *lab)
{
    if (!any_step(lab))
        return;
    check(lab);
    if (wants_poll(lab)) {
        lab->step = "poll";
        lab->status = cpu_poll(&lab->cpu);
        check(lab);
    }
}
