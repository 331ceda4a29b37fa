/* Weights in the form the inner loops want: packed once where they are known before the run, by
 * every run into its scratch where training changes them. See native.h. */
#include "ops/native/native.h"

enum { ALIGN = 64, STRIP = 16, FEW = 65536 };

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

krt_status krti_native_pack(krti_build *b, krti_step *s, krti_packing *p, const char *key)
{
    const krt_value *v = s->node->in[p->input];

    p->packed = NULL;
    p->scratch_bytes = 0;
    if (!v->node->is_static || p->each_run) {
        p->scratch_bytes = round_up(p->size_bytes, ALIGN);
        s->scratch_bytes += p->scratch_bytes;
        return KRT_OK;
    }
    s->in[p->input] = KRTI_NO_SLOT;
    const krti_pack_form form = {key, p->size_bytes, p->fill, p->user};
    return krti_build_pack(b, v, &form, &p->packed);
}

const float *krti_native_packed(const krti_packing *p, const krti_step *s, void *const *ptr,
                                void *scratch)
{
    if (p->packed != NULL)
        return p->packed;
    p->fill(scratch, ptr[s->in[p->input]], p->user);
    return scratch;
}

/* ------------------------------------------------------------------------------- panels */

typedef struct filling {
    const krti_panels *f;
    const float *x;
    float *y;
} filling;

/* Rows [0, count) of one tap into a panel `wide` floats wide. Strips of rows, so that a transposed
 * source is read along its rows while what is written stays in the cache. */
static void fill_tap(const krti_panels *f, float *panel, const float *x, size_t columns,
                     size_t wide)
{
    for (size_t from = 0; from < f->inner; from += STRIP) {
        const size_t rows = krti_smaller_size(f->inner - from, STRIP);
        float *to = panel + from * wide;
        const float *source = x + from * f->row_step;

        for (size_t i = 0; i < rows && f->column_step == 1; i++)
            memcpy(to + i * wide, source + i * f->row_step, columns * sizeof *to);
        for (size_t j = 0; j < columns && f->column_step != 1; j++)
            for (size_t i = 0; i < rows; i++)
                to[i * wide + j] = source[j * f->column_step + i * f->row_step];
        for (size_t i = 0; i < rows && columns < wide; i++)
            memset(to + i * wide + columns, 0, (wide - columns) * sizeof *to);
    }
}

static size_t num_panels(const krti_panels *f)
{
    return (f->n + (size_t)f->panel - 1) / (size_t)f->panel;
}

static void fill_panel(void *arg, size_t task, size_t thread)
{
    const filling *a = arg;
    const krti_panels *f = a->f;
    const size_t panels = num_panels(f), group = task / panels;
    const size_t first = task % panels * (size_t)f->panel;
    const float *x = a->x + group * f->group_step + first * f->column_step;
    const size_t columns = krti_smaller_size(f->n - first, (size_t)f->panel);
    const size_t wide = round_up(columns, (size_t)f->vector);
    float *panel = a->y + group * krti_native_panels_size(f) + first * f->inner * f->num_taps;

    (void)thread;
    for (size_t t = 0; t < f->num_taps; t++, panel += f->inner * wide)
        fill_tap(f, panel, x + f->taps[t], columns, wide);
}

void krti_native_fill_panels(void *dst, const void *src, void *user)
{
    const krti_panels *f = user;
    filling a = {f, src, dst};
    const size_t size = f->num_groups * f->num_taps * f->inner * f->n;

    krti_share_tasks(size > FEW ? f->threads : 1, f->num_groups * num_panels(f), fill_panel, &a);
}

krti_panels krti_native_panels(size_t k, size_t n, const krti_isa *isa)
{
    static const size_t here = 0;

    return (krti_panels){.inner = k,
                         .n = n,
                         .row_step = n,
                         .column_step = 1,
                         .num_groups = 1,
                         .num_taps = 1,
                         .taps = &here,
                         .panel = isa->panel,
                         .vector = isa->vector};
}

size_t krti_native_panels_size(const krti_panels *f)
{
    return f->num_taps * f->inner * round_up(f->n, (size_t)f->vector);
}

krt_status krti_native_pack_panels(krti_build *b, krti_step *s, int input, krti_panels *panels,
                                   krti_packing *out)
{
    char key[128];

    panels->threads = b->threads;
    snprintf(key, sizeof key, "panels:%zu:%zu:%zu:%zu:%zu:%d:%d", panels->inner, panels->n,
             panels->row_step, panels->column_step, panels->num_groups, panels->panel,
             panels->vector);
    *out = (krti_packing){.input = input,
                          .size_bytes =
                              panels->num_groups * krti_native_panels_size(panels) * sizeof(float),
                          .fill = krti_native_fill_panels,
                          .user = panels};
    return krti_native_pack(b, s, out, key);
}
