/* machine.c: builds a machine from options, runs it, and says what became of it. */
#include "sim/machine_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sim/boot/acpi.h"
#include "sim/boot/bios.h"
#include "sim/boot/boot.h"
#include "sim/cpu/features.h"

enum { DEFAULT_DEBUG_EXIT_PORT = 0xf4, DEFAULT_DEBUG_EXIT_SIZE = 4 };

/* DESIGN.md, "Command line": even statuses are ours, odd ones the guest's. */
static const struct {
    const char *name;
    int status;
} outcomes[] = {
    [MACHINE_POWER_OFF] = {"power-off", 0},
    [MACHINE_DEBUG_EXIT] = {"debug-exit", 1}, /* (value << 1) | 1 */
    [MACHINE_RESET] = {"reset", 0},
    [MACHINE_TRIPLE_FAULT] = {"triple-fault", 6},
    [MACHINE_VMX_ABORT] = {"vmx-abort", 6},
    [MACHINE_UNSUPPORTED] = {"not-modelled", 8},
    [MACHINE_LIMIT] = {"limit", 124},
    [MACHINE_HALTED_FOREVER] = {"halted", 124},
    [MACHINE_BAD_IMAGE] = {"bad-image", 4},
    [MACHINE_USAGE] = {"usage", 2},
    [MACHINE_INTERNAL] = {"internal-error", 10},
};

const char *machine_outcome_name(enum machine_outcome outcome)
{
    return outcomes[outcome].name;
}

void machine_end(struct machine *m, enum machine_outcome outcome, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(m->result->message, sizeof m->result->message, format, arguments);
    va_end(arguments);
    m->ended = true;
    m->result->outcome = outcome;
    m->result->exit_status = outcomes[outcome].status;
    if (outcome == MACHINE_DEBUG_EXIT)
        m->result->exit_status = (int)((m->result->debug_exit_value << 1 | 1) & 0xff);
}

static void serial_out(void *opaque, uint8_t byte)
{
    struct machine *m = opaque;
    if (m->serial && !m->serial_failed)
        m->serial_failed = putc(byte, m->serial) == EOF;
}

static void explain(void *opaque, const char *line)
{
    const struct machine *m = opaque;
    if (m->options->messages && !m->options->quiet)
        fprintf(m->options->messages, "vtsim: %s\n", line);
}

static bool open_serial(struct machine *m)
{
    const struct machine_options *o = m->options;
    if (o->serial == SERIAL_STDIO)
        m->serial = stdout;
    if (o->serial == SERIAL_FILE)
        m->serial = fopen(o->serial_path, "wb");
    if (o->serial == SERIAL_STREAM)
        m->serial = o->serial_stream;
    else if (m->serial)
        setvbuf(m->serial, NULL, _IOLBF, BUFSIZ); /* a run that is killed loses no whole line */
    else if (o->serial == SERIAL_FILE)
        machine_end(m, MACHINE_USAGE, "--serial file:%s cannot be opened: %s", o->serial_path,
                    strerror(errno));
    return m->serial || o->serial == SERIAL_NULL;
}

static void close_serial(struct machine *m)
{
    if (!m->serial)
        return;
    bool failed = fflush(m->serial) != 0 && !m->serial_failed;
    if (m->options->serial == SERIAL_FILE)
        failed |= fclose(m->serial) != 0;
    if (failed && m->result->outcome != MACHINE_UNSUPPORTED)
        machine_end(m, MACHINE_INTERNAL, "the serial output could not be written to its end: %s",
                    strerror(errno));
    m->serial = NULL;
}

static void open_platform(struct machine *m)
{
    const struct machine_options *o = m->options;
    struct platform_config config = platform_default_config();
    config.ram_low = m->mem.low_size;
    config.ram_high = m->mem.high_size;
    config.physical_address_bits = m->selection.profile.physical_address_bits;
    config.x2apic = cpu_has_feature(&m->selection.profile, FEATURE_X2APIC);
    config.tsc_deadline = cpu_has_feature(&m->selection.profile, FEATURE_TSC_DEADLINE);
    config.debug_exit_port = o->debug_exit_port ? o->debug_exit_port : DEFAULT_DEBUG_EXIT_PORT;
    config.debug_exit_size = o->debug_exit_size ? o->debug_exit_size : DEFAULT_DEBUG_EXIT_SIZE;
    config.processors = (uint8_t)m->processor_count;
    const struct platform_host host = {.now = &m->processors[0].cpu.account.now,
                                       .tsc_offset = &m->processors[0].cpu.state.tsc_offset_root,
                                       .serial_out = serial_out,
                                       .serial_opaque = m};
    platform_init(&m->platform, &config, &host);
    platform_bus(&m->platform, &m->bus);
    platform_attach_memory(&m->platform, &m->mem);
    if (o->firmware == FIRMWARE_PC)
        platform_start_bios_timer(&m->platform);
}

static void emit_with_processor(void *observer, const struct trace_event *event)
{
    const struct machine_processor *p = observer;
    const struct trace *trace = p->machine->options->trace;
    struct trace_event stamped = *event;
    stamped.processor = p->cpu.processor;
    trace->emit(trace->observer, &stamped);
}

static bool open_processor(struct machine *m, unsigned i)
{
    struct machine_processor *p = &m->processors[i];
    const struct trace *trace = m->options->trace;
    p->machine = m;
    p->halted = i != 0;
    p->cpu.processor = (uint8_t)i;
    p->cpu.processors = (uint8_t)m->processor_count;
    if (trace && m->processor_count > 1) {
        p->trace = (struct trace){trace->wanted, emit_with_processor, p};
        trace = &p->trace;
    }
    if (!cpu_init(&p->cpu, &m->selection.profile, &m->mem, trace, &m->bus))
        return false;
    p->cpu.explain = explain;
    p->cpu.explain_opaque = m;
    return true;
}

static void close_processors(struct machine *m)
{
    for (unsigned i = 0; i < m->processor_count; i++)
        cpu_free(&m->processors[i].cpu);
    free(m->processors);
}

static bool open_processors(struct machine *m)
{
    const unsigned wanted = m->options->processors ? m->options->processors : 1;
    m->processors = calloc(wanted, sizeof *m->processors);
    m->processor_count = wanted;
    for (unsigned i = 0; m->processors && i < wanted; i++)
        if (!open_processor(m, i)) {
            m->processor_count = i;
            close_processors(m);
            return false;
        }
    return m->processors != NULL;
}

static bool open_sanitizer(struct machine *m)
{
    const struct machine_options *o = m->options;
    if (!o->sanitize)
        return true;
    const struct sanitizer_options wanted = {
        .groups = o->sanitize,
        .minimum = o->sanitize_minimum ? cpu_profile_find(o->sanitize_minimum) : NULL,
        .processors = m->processor_count,
    };
    m->sanitizer = sanitizer_new(&wanted, &m->mem);
    for (unsigned i = 0; m->sanitizer && i < m->processor_count; i++)
        sanitizer_attach(m->sanitizer, i, &m->processors[i].cpu.vmx);
    return m->sanitizer;
}

bool machine_open(struct machine *m, const struct machine_options *options, struct machine_result *result)
{
    const char *text = NULL;
    *m = (struct machine){.options = options, .result = result, .accounting = true};
    *result = (struct machine_result){0};
    char message[256];
    if (!cpu_profile_select(options->cpu, &m->selection, message, sizeof message)) {
        machine_end(m, MACHINE_USAGE, "%s", message);
        return false;
    }
    if (!boot_memory_init(&m->mem, options->memory_bytes, &text)) {
        machine_end(m, MACHINE_USAGE, "%s", text);
        return false;
    }
    if (!open_processors(m)) {
        machine_end(m, MACHINE_INTERNAL, "out of memory for the processors");
        boot_memory_free(&m->mem);
        return false;
    }
    if (!open_sanitizer(m)) {
        machine_end(m, MACHINE_INTERNAL, "out of memory for the sanitizer");
        close_processors(m);
        boot_memory_free(&m->mem);
        return false;
    }
    open_platform(m);
    return true;
}

void machine_close(struct machine *m)
{
    m->result->cycles = machine_cycles(m);
    m->result->instructions = machine_instructions(m);
    machine_sum_accounts(m);
    if (m->sanitizer && m->options->messages)
        sanitizer_report(m->sanitizer, m->options->messages);
    close_processors(m);
    sanitizer_free(m->sanitizer);
    boot_memory_free(&m->mem);
}

/* "file,command line" */
static bool split_modules(const struct machine_options *o, struct boot_module **modules, char **copies)
{
    size_t bytes = 1;
    for (size_t i = 0; i < o->module_count; i++)
        bytes += strlen(o->modules[i]) + 1;
    *modules = calloc(o->module_count + 1, sizeof **modules);
    *copies = malloc(bytes);
    if (!*modules || !*copies)
        return false;
    char *at = *copies;
    for (size_t i = 0; i < o->module_count; i++) {
        size_t length = strlen(o->modules[i]) + 1;
        memcpy(at, o->modules[i], length);
        char *comma = strchr(at, ',');
        if (comma)
            *comma = 0;
        (*modules)[i] = (struct boot_module){.path = at, .command_line = comma ? comma + 1 : NULL};
        at += length;
    }
    return true;
}

/* What firmware would tell of the platform. */
static void write_firmware_tables(struct machine *m)
{
    static const struct acpi_hardware hardware = {
        .local_apic = LAPIC_DEFAULT_BASE,
        .io_apic = IOAPIC_BASE,
        .hpet = HPET_BASE,
        .hpet_id = HPET_ID,
        .io_apic_pin_of_isa_0 = IOAPIC_PIN_ISA_0,
        .sci_irq = PM_SCI_IRQ,
        .pm1_event = PM1_EVENT_PORT,
        .pm1_control = PM1_CONTROL_PORT,
        .pm_timer = PM_TIMER_PORT,
        .reset_port = RESET_CONTROL_PORT,
        .reset_value = RESET_CONTROL_RESET,
        .rtc_century = RTC_CENTURY,
    };
    acpi_write(&m->mem, &hardware, m->processor_count);
}

static bool load(struct machine *m)
{
    const struct machine_options *o = m->options;
    struct boot_module *modules = NULL;
    struct boot_result boot;
    char *copies = NULL;
    bool loaded = split_modules(o, &modules, &copies);
    if (o->firmware == FIRMWARE_PC)
        bios_write(&m->mem);
    if (loaded) {
        const struct boot_options options = {
            .image_path = o->image, .append = o->append, .modules = modules, .module_count = o->module_count};
        loaded = boot_load(&m->mem, &options, &boot) == BOOT_OK;
        m->result->image_digest = boot.image_digest;
        if (!loaded)
            machine_end(m, MACHINE_BAD_IMAGE, "%s", boot.text);
        else if (boot.note[0] && o->messages && !o->quiet)
            fprintf(o->messages, "vtsim: %s\n", boot.note);
    } else {
        machine_end(m, MACHINE_INTERNAL, "out of memory");
    }
    free(modules);
    free(copies);
    if (loaded) {
        write_firmware_tables(m);
        boot_set_cpu_state(&boot, &m->processors[0].cpu.state);
        vmx_update_regime(&m->processors[0].cpu.vmx);
    }
    return loaded;
}

int machine_run(const struct machine_options *options, struct machine_result *result)
{
    struct machine *m = calloc(1, sizeof *m); /* its tables are too large for a stack */
    if (!m) {
        *result = (struct machine_result){.outcome = MACHINE_INTERNAL, .message = "out of memory"};
        return result->exit_status = outcomes[MACHINE_INTERNAL].status;
    }
    if (machine_open(m, options, result)) {
        if (load(m) && open_serial(m)) {
            machine_go(m);
            close_serial(m);
        }
        machine_close(m);
    }
    free(m);
    return result->exit_status;
}
