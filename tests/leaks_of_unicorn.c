/*
 * leaks_of_unicorn.c: linked into each program with the core that is built with AddressSanitizer. What
 * libunicorn 2.1.1 does not free in uc_close: an array that each uc_open makes, whatever is done between
 * (uc->unmapped_regions), and the bitmap of a page of code that was often written to. What is ours is still
 * looked for.
 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:^g_array_new$\n"
           "leak:^tb_invalidate_phys_page_fast_x86_64$\n";
}

const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}
