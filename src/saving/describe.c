/* krt_describe(): what this build supports. Classes describe themselves on the layers floor; the
 * formats, which are known only here, are added to the list of everything. */
#include "formats/json.h"
#include "layers/manual.h"
#include <keratin/saving.h>

static const struct {
    const char *name, *text;
} formats[] = {
    {"keras", "archives and directories of Keras 3"},
    {"h5", "whole models in HDF5: Keras 2, tf.keras, Keras 3"},
    {"weights.h5", "weights of Keras 3, with --config or into a model"},
    {"legacy-weights.h5", "weights of Keras 2 in HDF5, likewise"},
    {"weights.json", "sharded weights of Keras 3, likewise"},
    {"json", "an architecture, with --weights"},
    {"npy, npz, idx, csv", "arrays"},
};

static krt_status add_formats(krti_arena *a, krti_conf *dict)
{
    krti_conf *list = krti_conf_list(a);
    krt_status st = KRT_OK;

    for (size_t i = 0; i < KRTI_COUNT(formats); i++)
        TRY(krti_conf_add(a, list, krti_conf_string(a, formats[i].name)));
    TRY(krti_conf_set(a, dict, "formats", list));

done:
    return st;
}

/* Names in lines of up to 96 columns under a heading. */
static void add_names(krti_str *s, const char *heading, const krti_conf *list)
{
    size_t column = 0;

    krti_str_addf(s, "%s (%zu)\n", heading, krti_conf_num(list));
    for (size_t i = 0; i < krti_conf_num(list); i++) {
        const char *name = krti_conf_text(krti_conf_at(list, i));
        const size_t width = strlen(name) + 2;

        if (column > 0 && column + width > 96) {
            krti_str_add(s, "\n");
            column = 0;
        }
        krti_str_addf(s, "%s%s%s", column == 0 ? "  " : " ", name,
                      i + 1 < krti_conf_num(list) ? "," : "");
        column += width;
    }
    krti_str_add(s, "\n\n");
}

static krt_status all_text(krti_str *s, const krti_conf *all)
{
    add_names(s, "layers", krti_conf_get(all, "layers"));
    add_names(s, "activations", krti_conf_get(all, "activations"));
    add_names(s, "initializers", krti_conf_get(all, "initializers"));
    add_names(s, "operations inside Functional models", krti_conf_get(all, "operations"));
    krti_str_addf(s, "formats read (%zu)\n", KRTI_COUNT(formats));
    for (size_t i = 0; i < KRTI_COUNT(formats); i++)
        krti_str_addf(s, "  %-20s %s\n", formats[i].name, formats[i].text);
    return s->status;
}

static krt_status describe(krti_arena *a, krti_str *s, const char *name, bool json)
{
    krti_conf *conf = NULL;
    krt_status st = KRT_OK;

    if (name != NULL && !json)
        return krti_describe_class_text(s, name);
    if (name != NULL) {
        TRY(krti_describe_class(a, name, &conf));
    } else {
        TRY(krti_describe_all(a, &conf));
        TRY(add_formats(a, conf));
        if (!json)
            return all_text(s, conf);
    }
    TRY(krti_json_write(s, conf, 2));
    TRY(krti_str_add(s, "\n"));

done:
    return st;
}

krt_status krt_describe(krt_ctx *k, char **out, const char *name, const krt_describe_args *args)
{
    static const krt_describe_args defaults = {.struct_size = sizeof defaults};
    krt_describe_args a;
    krti_arena arena = KRTI_ARENA_INIT(k);
    krti_str text = KRTI_STR_INIT(k);
    krt_status st = KRT_OK;

    *out = NULL;
    TRY(krti_args_import(k, &a, &defaults, sizeof a, args));
    TRY(describe(&arena, &text, name, a.json));
    *out = krti_str_take(&text);
    st = *out != NULL ? KRT_OK : KRT_E_NOMEM;

done:
    krti_str_free(&text);
    krti_arena_free(&arena);
    return st;
}
