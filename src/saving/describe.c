/* krt_describe(): what this build supports. Classes describe themselves on the layers floor; the
 * formats, which are known only here, are added to the list of everything. */
#include "formats/json.h"
#include "layers/manual.h"
#include "training/callback.h"
#include "training/metric.h"
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

/* What training adds; a name may stand in two of them ("Huber" is a loss and a metric). */
static const struct {
    const char *heading;
    const krti_family *family;
} families[] = {{"optimizers", &krti_optimizers},
                {"learning rate schedules", &krti_schedules},
                {"losses", &krti_losses},
                {"metrics", &krti_metrics},
                {"callbacks", &krti_callback_family}};

static krt_status add_families(krti_arena *a, krti_conf *dict)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; i < KRTI_COUNT(families); i++) {
        krti_conf *list = krti_conf_list(a);
        const krt_layer_class *cls = NULL;

        for (size_t j = 0; (cls = families[i].family->at(j)) != NULL; j++)
            TRY(krti_conf_add(a, list, krti_conf_string(a, cls->name)));
        TRY(krti_conf_set(a, dict, families[i].heading, list));
    }

done:
    return st;
}

static krt_status all_text(krti_str *s, const krti_conf *all)
{
    static const char *const headings[] = {"layers", "activations", "initializers",
                                           "regularizers and constraints"};

    for (size_t i = 0; i < KRTI_COUNT(headings); i++)
        add_names(s, headings[i], krti_conf_get(all, headings[i]));
    add_names(s, "operations inside Functional models", krti_conf_get(all, "operations"));
    for (size_t i = 0; i < KRTI_COUNT(families); i++)
        add_names(s, families[i].heading, krti_conf_get(all, families[i].heading));
    krti_str_addf(s, "formats read (%zu)\n", KRTI_COUNT(formats));
    for (size_t i = 0; i < KRTI_COUNT(formats); i++)
        krti_str_addf(s, "  %-20s %s\n", formats[i].name, formats[i].text);
    return s->status;
}

/* Layers and what belongs to them first. Of a name with several meanings each is described. */
static krt_status describe_name(krti_arena *a, const char *name, krti_conf *found)
{
    krti_conf *conf = NULL;
    krt_status st = krti_describe_class(a, name, &conf);

    if (st == KRT_OK)
        return krti_conf_add(a, found, conf);
    for (size_t i = 0; st == KRT_E_UNKNOWN_CLASS && i < KRTI_COUNT(families); i++) {
        const krti_family *family = families[i].family;
        const krt_layer_class *cls = family->find(name);

        if (cls == NULL)
            continue;
        TRY(krti_describe_known(a, cls, family->what, &conf));
        TRY(krti_conf_add(a, found, conf));
        st = KRT_E_UNKNOWN_CLASS;
    }
    if (krti_conf_num(found) > 0)
        st = KRT_OK;

done:
    return st;
}

static krt_status describe(krti_arena *a, krti_str *s, const char *name, bool json)
{
    krti_conf *found = krti_conf_list(a), *all = NULL;
    krt_status st = KRT_OK;

    if (name != NULL) {
        TRY(describe_name(a, name, found));
        for (size_t i = 0; i < krti_conf_num(found) && !json; i++)
            TRY(krti_describe_text(s, krti_conf_at(found, i)));
    } else {
        TRY(krti_describe_all(a, &all));
        TRY(add_families(a, all));
        TRY(add_formats(a, all));
        if (!json)
            return all_text(s, all);
    }
    if (json) {
        TRY(krti_json_write(s,
                            name == NULL                ? all
                            : krti_conf_num(found) == 1 ? krti_conf_at(found, 0)
                                                        : found,
                            2));
        TRY(krti_str_add(s, "\n"));
    }

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
