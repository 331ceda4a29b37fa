/* See cut.h. A download or a save that stopped leaves the beginning of a file. HDF5 writes names
 * and data in turns, so the names that are left tell how many arrays there were, or at least how
 * many there must have been. */
#include "saving/cut.h"

#include "formats/json.h"
#include "models/model.h"

typedef struct counts {
    krti_h5 *h5;
    size_t num_arrays, num_whole, num_unknown;
    size_t num_whole_weights; /* without the optimizer's */
} counts;

/* Whether what cannot be read must be an array: nothing else stands in Keras 3's `vars`. */
static bool is_variable(const char *path)
{
    const char *name = strrchr(path, '/');

    return name != NULL && name - path >= 4 && strncmp(name - 4, "vars", 4) == 0;
}

static krt_status count(void *user, const krti_h5_item *item)
{
    counts *c = user;
    krti_h5_dataset d;

    if (item->kind == KRTI_H5_DATASET) {
        const bool is_whole = krti_h5_dataset_open(c->h5, item->object, &d) == KRT_OK;

        c->num_arrays++;
        c->num_whole += is_whole;
        c->num_whole_weights += is_whole && !krti_starts_with(item->path, "optimizer");
    } else if (item->kind == KRTI_H5_OTHER) {
        c->num_arrays += is_variable(item->path);
        c->num_unknown += !is_variable(item->path);
    }
    return KRT_OK;
}

/* The variables of the architecture in a whole `.h5`, which stands at its beginning; 0 when there
 * is none or it cannot be built. */
static size_t num_expected(krt_ctx *k, krti_h5 *h5)
{
    krti_arena arena = KRTI_ARENA_INIT(k);
    const krti_conf *config = NULL;
    krt_model *m = NULL;
    char *text = NULL;
    size_t length = 0, n = 0;
    bool found = false;

    if (krti_h5_attribute_text(h5, krti_h5_root(h5), "model_config", &text, &length, &found) ==
            KRT_OK &&
        found && krti_json_parse(&arena, &config, text, length) == KRT_OK &&
        krti_models_register(k) == KRT_OK && krti_model_from_conf(k, &m, config) == KRT_OK)
        n = m->cannot_run == NULL ? krt_layer_num_weights(&m->base) : 0;
    krt_model_free(m);
    krti_free(k, text);
    krti_arena_free(&arena);
    return n;
}

static krt_status fail_counted(krt_ctx *k, counts *c, uint64_t size, uint64_t whole, bool is_all)
{
    const size_t expected = is_all ? 0 : num_expected(k, c->h5);
    const size_t num = expected > 0 ? c->num_whole_weights : c->num_whole;
    const unsigned long long there = size, all = whole;

    if (is_all || expected > num)
        return krti_fail(k, KRT_E_CORRUPT, NULL,
                         "file is cut short: %llu of %llu bytes; %zu of %zu arrays are whole",
                         there, all, num, is_all ? c->num_arrays : expected);
    return krti_fail(
        k, KRT_E_CORRUPT, NULL,
        "file is cut short: %llu of %llu bytes; %zu arrays are whole, the names of the "
        "others lie behind the cut",
        there, all, num);
}

/* Replaces the sentence of a failed opening when the file was cut short. */
static krt_status tell_cut(krt_ctx *k, krti_bytes *bytes, krt_status st)
{
    counts c = {.h5 = NULL};
    uint64_t whole = 0;
    size_t num_lost = 0;

    if (krti_h5_open_cut(k, &c.h5, bytes, &whole) != KRT_OK || whole <= bytes->size)
        goto done;
    if (krti_h5_survey(c.h5, count, &c, &num_lost) == KRT_E_NOMEM)
        st = KRT_E_NOMEM;
    else
        st = fail_counted(k, &c, bytes->size, whole, num_lost + c.num_unknown == 0);

done:
    krti_h5_close(c.h5);
    return st;
}

krt_status krti_h5_open_counted(krt_ctx *k, krti_h5 **out, krti_bytes *bytes)
{
    const krt_status st = krti_h5_open(k, out, bytes);

    return st == KRT_E_CORRUPT ? krti_fail_in_file(k, tell_cut(k, bytes, st), bytes->filepath) : st;
}
