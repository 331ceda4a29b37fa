/* Chooses the instruction set once. See isa.h. */
#include "ops/native/isa.h"

#include <stdlib.h>
#include <string.h>

/* KERATIN_ISA=base or avx2 asks for less than the processor has: for tests and comparisons. */
static bool is_allowed(const char *name)
{
    const char *most = getenv("KERATIN_ISA");

    if (most == NULL || strcmp(most, name) == 0)
        return true;
    return strcmp(most, "avx512") == 0 || (strcmp(most, "avx2") == 0 && strcmp(name, "base") == 0);
}

static const krti_isa *choose(void)
{
#if defined(KERATIN_HAVE_X86_ISAS)
    if (is_allowed("avx512") && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return &krti_isa_avx512;
    if (is_allowed("avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &krti_isa_avx2;
#else
    (void)is_allowed;
#endif
    return &krti_isa_base;
}

const krti_isa *krti_isa_get(void)
{
    return choose();
}
