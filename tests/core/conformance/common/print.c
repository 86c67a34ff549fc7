/* print.c: the lines that a conformance guest prints, and its end. */
#include "lab.h"

#include <stdarg.h>

enum { MOST_FAILURES = 100 };

static unsigned checks, failures;

static void put_unsigned(unsigned value)
{
    if (value >= 10)
        put_unsigned(value / 10);
    put_char((char)('0' + value % 10));
}

static void put_hexadecimal(unsigned long value)
{
    if (value >= 16)
        put_hexadecimal(value / 16);
    put_char("0123456789abcdef"[value % 16]);
}

static void put_signed(int value)
{
    if (value < 0)
        put_char('-');
    put_unsigned(value < 0 ? 0u - (unsigned)value : (unsigned)value);
}

static void print(const char *format, va_list list)
{
    for (; *format; format++) {
        bool is_long = format[0] == '%' && format[1] == 'l';
        if (*format != '%') {
            put_char(*format);
            continue;
        }
        format += 1 + is_long;
        if (*format == 's')
            put_text(va_arg(list, const char *));
        else if (*format == 'x')
            put_hexadecimal(is_long ? va_arg(list, unsigned long) : va_arg(list, unsigned));
        else if (*format == 'd')
            put_signed(va_arg(list, int));
        else
            put_unsigned(va_arg(list, unsigned));
    }
}

void lab_print(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    print(format, list);
    va_end(list);
}

static void begin_line(bool holds, const char *format, va_list list)
{
    lab_print("%s %u ", holds ? "ok" : "not ok", ++checks);
    print(format, list);
    failures += !holds;
}

bool lab_check(bool holds, int line, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    begin_line(holds, format, list);
    va_end(list);
    if (!holds)
        lab_print(" (line %d)", line);
    put_char('\n');
    return holds;
}

bool lab_equal(unsigned long value, unsigned long expected, int line, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    begin_line(value == expected, format, list);
    va_end(list);
    if (value != expected)
        lab_print(": %lx, not %lx (line %d)", value, expected, line);
    put_char('\n');
    return value == expected;
}

bool lab_event(const struct lab_state *s, unsigned vector, unsigned long error_code, unsigned long ip,
               int line, const char *format, ...)
{
    bool holds = s->vector == vector && s->error_code == error_code && s->ip == ip;
    va_list list;
    va_start(list, format);
    begin_line(holds, format, list);
    va_end(list);
    if (!holds)
        lab_print(": vector %lx code %lx at %lx:%lx, not vector %x code %lx at %lx (line %d)", s->vector,
                  s->error_code, s->cs, s->ip, vector, error_code, ip, line);
    put_char('\n');
    return holds;
}

bool lab_tried_event(unsigned long vector, unsigned long error_code, bool fault, int line, const char *format,
                     ...)
{
    bool holds =
        lab_tried.vector == vector && lab_tried.error_code == error_code && lab_tried.at_instruction == fault;
    va_list list;
    va_start(list, format);
    begin_line(holds, format, list);
    va_end(list);
    if (!holds)
        lab_print(": vector %lx code %lx%s, not vector %lx code %lx%s (line %d)", lab_tried.vector,
                  lab_tried.error_code, lab_tried.at_instruction ? " at it" : "", vector, error_code,
                  fault ? " at it" : "", line);
    put_char('\n');
    return holds;
}

void lab_end(void)
{
    leave(failures > MOST_FAILURES ? MOST_FAILURES : failures);
}
