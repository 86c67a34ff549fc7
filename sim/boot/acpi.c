/*
 * acpi.c: the tables, put together byte by byte: a table is a list of fields in the order of the
 * specification, and its length and checksum are set at its end.
 */
#include "sim/boot/acpi.h"

#include "sim/boot/multiboot.h"

#define TABLE_ALIGN 64u /* the FACS needs it */
#define RSDP_SIZE 36u
#define RSDP_V1_SIZE 20u
#define HEADER_LENGTH_OFFSET 4u
#define HEADER_CHECKSUM_OFFSET 9u
#define OEM "VTSIM "
#define OEM_TABLE "VTSIM   "

/* The area under construction. */
struct area {
    uint8_t data[4096];
    uint32_t used;
};

static void put(struct area *a, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        a->data[a->used++] = (uint8_t)(value >> (8 * i));
}

static void put_zeros(struct area *a, unsigned bytes)
{
    a->used += bytes; /* the area starts as zeros */
}

static void put_text(struct area *a, const char *text)
{
    while (*text)
        a->data[a->used++] = (uint8_t)*text++;
}

static uint8_t checksum(const uint8_t *from, uint32_t size)
{
    uint8_t sum = 0;
    for (uint32_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + from[i]);
    return (uint8_t)-sum;
}

static uint32_t align(struct area *a)
{
    a->used = (a->used + TABLE_ALIGN - 1) & ~(TABLE_ALIGN - 1);
    return a->used;
}

/* "System Description Table Header". */
static uint32_t begin(struct area *a, const char *signature, uint8_t revision)
{
    uint32_t start = align(a);
    put_text(a, signature);
    put(a, 0, 4); /* length */
    put(a, revision, 1);
    put(a, 0, 1); /* checksum */
    put_text(a, OEM OEM_TABLE);
    put(a, 1, 4); /* OEM revision */
    put_text(a, "VTSM");
    put(a, 1, 4);
    return start;
}

/* Returns the table's guest address. */
static uint32_t end(struct area *a, uint32_t start)
{
    uint8_t *table = a->data + start;
    uint32_t size = a->used - start;
    memcpy(table + HEADER_LENGTH_OFFSET, &size, 4);
    table[HEADER_CHECKSUM_OFFSET] = checksum(table, size);
    return ACPI_AREA + start;
}

/* "Generic Address Structure". */
enum address_space { SPACE_MEMORY = 0, SPACE_IO = 1 };

static void put_address(struct area *a, enum address_space space, uint8_t bits, uint64_t address)
{
    put(a, space, 1);
    put(a, bits, 1);
    put(a, 0, 2); /* bit offset, access size */
    put(a, address, 8);
}

/* "Firmware ACPI Control Structure": no checksum, no header. */
static uint32_t put_facs(struct area *a)
{
    uint32_t start = align(a);
    put_text(a, "FACS");
    put(a, 64, 4);
    put_zeros(a, 24); /* hardware signature, waking vector, global lock, flags, 64-bit waking vector */
    put(a, 1, 1);     /* version */
    put_zeros(a, 31);
    return ACPI_AREA + start;
}

/* AML: Name(\_S5, Package(4) {0, 0, 0, 0}): SLP_TYP 0 turns the machine off. */
static uint32_t put_dsdt(struct area *a)
{
    static const uint8_t name_s5[] = {0x08, '\\', '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0, 0, 0, 0};
    uint32_t start = begin(a, "DSDT", 2);
    for (unsigned i = 0; i < sizeof name_s5; i++)
        put(a, name_s5[i], 1);
    return end(a, start);
}

#define FADT_DESKTOP 1u
#define FADT_LATENCY_NONE 0xffffu /* C2 and C3 are not supported */
#define FADT_LEGACY_DEVICES 0x1u
#define FADT_VGA_NOT_PRESENT 0x4u
/* WBINVD, PROC_C1, PWR_BUTTON and SLP_BUTTON (none fixed), FIX_RTC (none), RESET_REG_SUP, HEADLESS. */
#define FADT_FLAGS (1u << 0 | 1u << 2 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 10 | 1u << 12)

/* The part that ACPI 1.0 had: ports as numbers. SMI_CMD 0: the machine is always in ACPI mode. */
static void put_fadt_ports(struct area *a, const struct acpi_hardware *h)
{
    put_zeros(a, 4 + 4); /* SMI_CMD, ACPI_ENABLE to PSTATE_CNT */
    put(a, h->pm1_event, 4);
    put(a, 0, 4); /* PM1b_EVT_BLK */
    put(a, h->pm1_control, 4);
    put_zeros(a, 4 + 4); /* PM1b_CNT_BLK, PM2_CNT_BLK */
    put(a, h->pm_timer, 4);
    put_zeros(a, 4 + 4); /* GPE0_BLK, GPE1_BLK */
    put(a, 4, 1);        /* PM1_EVT_LEN */
    put(a, 2, 1);        /* PM1_CNT_LEN */
    put(a, 0, 1);        /* PM2_CNT_LEN */
    put(a, 4, 1);        /* PM_TMR_LEN */
    put(a, 0, 4);        /* GPE0_BLK_LEN, GPE1_BLK_LEN, GPE1_BASE, CST_CNT */
    put(a, FADT_LATENCY_NONE, 2);
    put(a, FADT_LATENCY_NONE, 2);
    put_zeros(a, 2 + 2 + 1 + 1 + 1 + 1); /* FLUSH_SIZE to MON_ALRM */
    put(a, h->rtc_century, 1);
    put(a, FADT_LEGACY_DEVICES | FADT_VGA_NOT_PRESENT, 2);
    put(a, 0, 1);
    put(a, FADT_FLAGS, 4);
}

/* "Fixed ACPI Description Table", revision 4. */
static uint32_t put_fadt(struct area *a, const struct acpi_hardware *h, uint32_t facs, uint32_t dsdt)
{
    uint32_t start = begin(a, "FACP", 4);
    put(a, facs, 4);
    put(a, dsdt, 4);
    put(a, 0, 1);
    put(a, FADT_DESKTOP, 1);
    put(a, h->sci_irq, 2);
    put_fadt_ports(a, h);
    put_address(a, SPACE_IO, 8, h->reset_port);
    put(a, h->reset_value, 1);
    put(a, 0, 3);
    put(a, facs, 8);
    put(a, dsdt, 8);
    put_address(a, SPACE_IO, 32, h->pm1_event);
    put_address(a, SPACE_MEMORY, 0, 0); /* X_PM1b_EVT_BLK */
    put_address(a, SPACE_IO, 16, h->pm1_control);
    put_address(a, SPACE_MEMORY, 0, 0); /* X_PM1b_CNT_BLK */
    put_address(a, SPACE_MEMORY, 0, 0); /* X_PM2_CNT_BLK */
    put_address(a, SPACE_IO, 32, h->pm_timer);
    put_address(a, SPACE_MEMORY, 0, 0); /* X_GPE0_BLK */
    put_address(a, SPACE_MEMORY, 0, 0); /* X_GPE1_BLK */
    return end(a, start);
}

#define MADT_PCAT_COMPAT 1u /* 8259s are there too */
#define MADT_ENABLED 1u
#define MPS_ACTIVE_HIGH_LEVEL 0x000du
enum { MADT_LOCAL_APIC = 0, MADT_IO_APIC = 1, MADT_OVERRIDE = 2, MADT_LOCAL_APIC_NMI = 4 };

/* "Interrupt Source Override Structure". */
static void put_override(struct area *a, uint8_t isa_line, uint8_t pin, uint16_t flags)
{
    put(a, MADT_OVERRIDE, 1);
    put(a, 10, 1);
    put(a, 0, 1); /* ISA */
    put(a, isa_line, 1);
    put(a, pin, 4);
    put(a, flags, 2);
}

/* "Multiple APIC Description Table". */
static uint32_t put_madt(struct area *a, const struct acpi_hardware *h, unsigned processors)
{
    uint32_t start = begin(a, "APIC", 3);
    put(a, h->local_apic, 4);
    put(a, MADT_PCAT_COMPAT, 4);
    for (unsigned i = 0; i < processors; i++) {
        put(a, MADT_LOCAL_APIC, 1);
        put(a, 8, 1);
        put(a, i, 1); /* processor UID */
        put(a, i, 1); /* APIC ID */
        put(a, MADT_ENABLED, 4);
    }
    put(a, MADT_IO_APIC, 1);
    put(a, 12, 1);
    put_zeros(a, 1 + 1); /* I/O APIC ID, reserved */
    put(a, h->io_apic, 4);
    put(a, 0, 4); /* its pins are the global interrupts from 0 on */
    put_override(a, 0, h->io_apic_pin_of_isa_0, 0);
    put_override(a, h->sci_irq, h->sci_irq, MPS_ACTIVE_HIGH_LEVEL);
    put(a, MADT_LOCAL_APIC_NMI, 1);
    put(a, 6, 1);
    put(a, 0xff, 1); /* every processor */
    put(a, 0, 2);
    put(a, 1, 1); /* LINT1 */
    return end(a, start);
}

static uint32_t put_hpet(struct area *a, const struct acpi_hardware *h)
{
    uint32_t start = begin(a, "HPET", 1);
    put(a, h->hpet_id, 4);
    put_address(a, SPACE_MEMORY, 64, h->hpet);
    put(a, 0, 1);   /* HPET number */
    put(a, 100, 2); /* smallest period that loses no interrupt, in its clocks */
    put(a, 0, 1);   /* no page protection */
    return end(a, start);
}

/* RSDT (4-byte entries) or XSDT (8). */
static uint32_t put_root(struct area *a, const char *signature, const uint32_t *tables, unsigned count,
                         unsigned entry)
{
    uint32_t start = begin(a, signature, 1);
    for (unsigned i = 0; i < count; i++)
        put(a, tables[i], entry);
    return end(a, start);
}

/* "Root System Description Pointer": at the start of the area, where a guest finds it on a 16-byte boundary.
 */
static void put_rsdp(struct area *a, uint32_t rsdt, uint32_t xsdt)
{
    uint32_t used = a->used;
    a->used = 0;
    put_text(a, "RSD PTR ");
    put(a, 0, 1); /* checksum of the first 20 bytes */
    put_text(a, OEM);
    put(a, 2, 1);
    put(a, rsdt, 4);
    put(a, RSDP_SIZE, 4);
    put(a, xsdt, 8);
    put(a, 0, 4); /* checksum of all, reserved */
    a->data[8] = checksum(a->data, RSDP_V1_SIZE);
    a->data[32] = checksum(a->data, RSDP_SIZE);
    a->used = used;
}

void acpi_write(const struct phys_mem *mem, const struct acpi_hardware *hardware, unsigned processors)
{
    struct area area = {.used = RSDP_SIZE};
    uint32_t facs = put_facs(&area), dsdt = put_dsdt(&area);
    uint32_t tables[3];
    tables[0] = put_fadt(&area, hardware, facs, dsdt);
    tables[1] = put_madt(&area, hardware, processors);
    tables[2] = put_hpet(&area, hardware);
    uint32_t rsdt = put_root(&area, "RSDT", tables, 3, 4), xsdt = put_root(&area, "XSDT", tables, 3, 8);
    put_rsdp(&area, rsdt, xsdt);
    boot_write(mem, ACPI_AREA, area.data, area.used);
}
