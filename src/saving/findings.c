/* The list, filled and read. See findings.h. */
#include "saving/findings.h"

#include "base/fs.h"

static void findings_destroy(void *self)
{
    krt_findings *f = self;
    krt_ctx *k = f->owned.k;

    krti_free(k, f->items);
    krti_str_free(&f->summary);
    krti_arena_free(&f->arena);
    krti_free(k, f);
}

krt_status krti_findings_new(krt_ctx *k, krt_findings **out)
{
    krt_findings *f = krti_alloc(k, sizeof *f);

    *out = f;
    if (f == NULL)
        return KRT_E_NOMEM;
    f->arena = (krti_arena)KRTI_ARENA_INIT(k);
    f->summary = (krti_str)KRTI_STR_INIT(k);
    krti_own(k, &f->owned, findings_destroy);
    return KRT_OK;
}

static krt_status add(krt_findings *f, krt_finding item)
{
    const char **const texts[] = {&item.file, &item.object, &item.text};
    krt_status st = KRT_OK;

    if (item.object != NULL && item.object[0] == '\0')
        item.object = NULL; /* the root of a file has no name */
    item.struct_size = sizeof item;
    item.max_abs = item.max_rel = NAN;
    TRY(krti_grow(f->owned.k, &f->items, &f->capacity, f->n + 1, sizeof *f->items));
    for (size_t i = 0; i < KRTI_COUNT(texts); i++)
        if (*texts[i] != NULL && (*texts[i] = krti_arena_strdup(&f->arena, *texts[i])) == NULL)
            TRY(KRT_E_NOMEM);
    f->items[f->n++] = item;
    f->num_problems += item.is_problem;

done:
    return st;
}

static krt_status add_formatted(krt_findings *f, krt_finding item, const char *format, va_list args)
{
    char text[KRTI_MESSAGE_MAX];

    vsnprintf(text, sizeof text, format, args);
    item.text = text;
    return add(f, item);
}

krt_status krti_findings_add(krt_findings *f, const char *code, const char *file,
                             const char *object, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    const krt_status st = add_formatted(
        f, (krt_finding){.code = code, .is_problem = true, .file = file, .object = object}, format,
        args);
    va_end(args);
    return st;
}

krt_status krti_findings_remark(krt_findings *f, const char *code, const char *file,
                                const char *object, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    const krt_status st =
        add_formatted(f, (krt_finding){.code = code, .file = file, .object = object}, format, args);
    va_end(args);
    return st;
}

const char *krti_failed_file(const krt_ctx *k, const char *filepath)
{
    const char *failed = k->error.filepath;

    return failed != NULL && filepath != NULL && strcmp(failed, filepath) != 0
               ? krti_path_name(failed)
               : NULL;
}

krt_status krti_findings_add_failure(krt_findings *f, krt_status st, const char *file)
{
    static const struct {
        krt_status status;
        const char *code;
    } codes[] = {
        {KRT_E_FORMAT, "format"},           {KRT_E_CORRUPT, "damaged"},
        {KRT_E_UNSAFE, "unsafe"},           {KRT_E_MISMATCH, "mismatch"},
        {KRT_E_UNSUPPORTED, "unsupported"}, {KRT_E_INVALID, "format"},
        {KRT_E_UNKNOWN_CLASS, "custom"},
    };
    const krt_error *e = &f->owned.k->error;

    for (size_t i = 0; i < KRTI_COUNT(codes); i++)
        if (codes[i].status == st)
            return krti_findings_add(f, codes[i].code, file, e->object, "%s", e->message);
    return st;
}

/* ------------------------------------------------------------------------------- public */

size_t krt_findings_size(const krt_findings *f)
{
    return f->n;
}

size_t krt_findings_num_problems(const krt_findings *f)
{
    return f->num_problems;
}

const krt_finding *krt_findings_at(const krt_findings *f, size_t i)
{
    return i < f->n ? &f->items[i] : NULL;
}

const char *krt_findings_summary(const krt_findings *f)
{
    return krti_str_text(&f->summary);
}

void krt_findings_free(krt_findings *f)
{
    if (f == NULL)
        return;
    krti_disown(&f->owned);
    findings_destroy(f);
}
