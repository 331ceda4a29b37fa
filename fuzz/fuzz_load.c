/* Fuzzes loading: any bytes as a file, and an architecture with weights.
 *
 * An input that is JSON up to a NUL is an architecture, what follows it a weights file; every other
 * input is one file. Whatever loads is looked through, its weights are read. Memory is counted: a
 * small input must not make the library take a hundred megabytes. */
#include "fuzz.h"

#include "saving/legacy_h5_format.h"
#include "saving/saving_lib.h"
#include "saving/source.h"

enum { LIMIT = 256 << 20 };

static unsigned sum; /* keeps the reads */

static void look_through(krt_model *m)
{
    const krt_layer *l = &m->base;

    for (size_t i = 0; i < krt_layer_num_weights(l) && i < 200; i++) {
        const krt_variable *v = krt_layer_weight(l, i);
        const unsigned char *data = krt_variable_data(v);
        const size_t size = v->tensor->size_bytes;

        sum += (unsigned)strlen(krt_variable_path(v));
        if (data != NULL && size > 0)
            sum += data[0] + data[size - 1];
    }
}

static krt_status pair(krti_match *m, const krti_source *f)
{
    krt_status st = f->store->is_legacy ? krti_legacy_h5_match(m, f->generation, false, true)
                                        : krti_saving_lib_match(m, f->generation >= 3);

    if (st == KRT_OK)
        st = krti_match_finish(m);
    return st == KRT_OK ? krti_match_commit(m) : st;
}

static void load_weights(krt_ctx *k, krt_model *model, const void *data, size_t size)
{
    krti_source *f = NULL;
    krti_match m = {.k = k};

    if (krti_source_wrap(k, &f, data, size) != KRT_OK)
        return;
    if (f->has_weights && krti_source_list(f, true) == KRT_OK) {
        if (krti_match_init(&m, model, f->store) == KRT_OK)
            (void)pair(&m, f);
        krti_match_fini(&m);
    }
    krti_source_close(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size > 0 && data[0] == '{' ? memchr(data, 0, size) : NULL;
    fuzz_memory memory;
    krt_ctx *k = fuzz_ctx(&memory, LIMIT);
    krt_model *m = NULL;

    if (nul == NULL) {
        (void)krt_load_memory(k, &m, data, size, NULL);
    } else if (krt_from_json(k, &m, (const char *)data, NULL) == KRT_OK) {
        load_weights(k, m, nul + 1, size - (size_t)(nul + 1 - data));
    }
    if (m != NULL)
        look_through(m);
    krt_model_free(m);
    fuzz_done(k, &memory);
    return 0;
}
