/* Weights of one model into another, by the paths of their variables. Where the other layer has no LoRA, a
 * kernel goes over with its product added, as into files. */
#include "layers/lora.h"
#include "models/model.h"
#include "models/rename.h"
#include "saving/report.h"

typedef struct place {
    const char *path; /* "backbone/conv1/kernel": the names of the layers, outermost first */
    krt_variable *variable;
    bool is_used;
} place;

typedef struct places {
    krt_ctx *k;
    krti_arena *arena;
    place *items;
    size_t n, capacity;
} places;

static krt_status add_place(places *p, const char *path, krt_variable *v)
{
    const krt_status st = krti_grow(p->k, &p->items, &p->capacity, p->n + 1, sizeof *p->items);

    if (st != KRT_OK)
        return st;
    p->items[p->n] = (place){krti_arena_strdup(p->arena, path), v, false};
    return p->items[p->n++].path != NULL ? KRT_OK : KRT_E_NOMEM;
}

/* Depth is that of the file or of the C code that made the layers. */
static krt_status add_layer(places *p, const char *under, const krt_layer *l)
{
    krti_str path = KRTI_STR_INIT(p->k);
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < l->num_variables; i++) {
        krti_str_clear(&path);
        st = krti_str_addf(&path, "%s%s%s", under, under[0] != '\0' ? "/" : "",
                           l->variables[i]->name);
        if (st == KRT_OK && l->variables[i]->layer == l)
            st = add_place(p, path.ptr, l->variables[i]);
    }
    for (size_t i = 0; st == KRT_OK && i < l->num_inner; i++) {
        krti_str_clear(&path);
        st = krti_str_addf(&path, "%s%s%s", under, under[0] != '\0' ? "/" : "",
                           l->inner[i].layer->name);
        if (st == KRT_OK)
            st = add_layer(p, path.ptr, l->inner[i].layer);
    }
    krti_str_free(&path);
    return st;
}

static place *find(const places *p, const char *path)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->items[i].path, path) == 0)
            return &p->items[i];
    return NULL;
}

/* ------------------------------------------------------------------------------- pairing */

typedef struct transfer {
    krt_ctx *k;
    places from, to;
    krt_report *report;
    bool skip_mismatch;
    size_t num_loaded;
    place **source; /* by place of `to`; NULL: none */
} transfer;

static krt_status misfit(transfer *t, const place *to, const place *from)
{
    char expected[160], found[160];

    krt_shape_print(to->variable->tensor->shape, expected, sizeof expected);
    krt_shape_print(from->variable->tensor->shape, found, sizeof found);
    if (!t->skip_mismatch)
        return krti_fail(t->k, KRT_E_MISMATCH, to->path,
                         "Weight expects shape %s. Received weight %s with shape %s", expected,
                         from->path, found);
    krti_warn(t->k,
              "Skipping weight %s due to mismatch in shape. Weight expects shape %s. Received "
              "weight %s with shape %s",
              to->path, expected, from->path, found);
    return KRT_OK;
}

/* Puts one source where its name, or its new name, leads. */
static krt_status pair_one(transfer *t, place *from, const krt_names *rules, krti_str *name)
{
    krt_status st = krti_rename(name, rules, from->path);
    place *to = st == KRT_OK ? find(&t->to, name->ptr) : NULL;

    if (st != KRT_OK || to == NULL)
        return st;
    const krt_shape expected = to->variable->tensor->shape, found = from->variable->tensor->shape;
    const bool fits = krt_shape_equal(expected, found);
    from->is_used = true;
    to->is_used = true;
    if (fits) {
        t->source[to - t->to.items] = from;
        t->num_loaded++;
    }
    st = krti_report_add(t->report, fits ? KRT_LOADED : KRT_SKIPPED_SHAPE, to->path, from->path,
                         expected, found);
    return st == KRT_OK && !fits ? misfit(t, to, from) : st;
}

/* Whether a kernel with LoRA goes to a layer that has none. */
static bool is_merged(const krt_variable *from, const krt_variable *to)
{
    return krti_is_lora_kernel(from) && !krti_is_lora_kernel(to);
}

/* Factors whose product went over with their kernel. */
static bool is_in_a_sum(const transfer *t, const krt_variable *factor)
{
    if (!krti_is_lora_factor(factor))
        return false;
    for (size_t i = 0; i < t->to.n; i++)
        if (t->source[i] != NULL && t->source[i]->variable == krti_lora_kernel(factor->layer))
            return is_merged(t->source[i]->variable, t->to.items[i].variable);
    return false;
}

static krt_status report_rest(transfer *t)
{
    const krt_shape none = {.rank = -1};
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < t->to.n; i++)
        if (!t->to.items[i].is_used)
            st = krti_report_add(t->report, KRT_MISSING, t->to.items[i].path, NULL,
                                 t->to.items[i].variable->tensor->shape, none);
    for (size_t i = 0; st == KRT_OK && i < t->from.n; i++)
        if (!t->from.items[i].is_used && !is_in_a_sum(t, t->from.items[i].variable))
            st = krti_report_add(t->report, KRT_UNEXPECTED, NULL, t->from.items[i].path, none,
                                 t->from.items[i].variable->tensor->shape);
    return st;
}

static krt_status copy_values(transfer *t, size_t i, krt_tensor **out)
{
    const krt_variable *v = t->source[i]->variable;
    krti_arena sum = KRTI_ARENA_INIT(t->k);
    const void *values = krt_variable_data(v);
    krt_status st = KRT_OK;

    if (values == NULL)
        return krti_fail(t->k, KRT_E_STATE, t->source[i]->path, "it has no values yet");
    if (is_merged(v, t->to.items[i].variable))
        values = krti_lora_merged(&sum, v);
    st = values != NULL ? krt_tensor_from(t->k, out, v->tensor->dtype, v->tensor->shape, values)
                        : KRT_E_NOMEM;
    krti_arena_free(&sum);
    return st;
}

/* Copies first and puts in place afterwards: all or nothing. */
static krt_status commit(transfer *t)
{
    krt_tensor **copies = krti_array(t->k, t->to.n + 1, sizeof *copies);
    krt_status st = copies != NULL ? KRT_OK : KRT_E_NOMEM;

    for (size_t i = 0; st == KRT_OK && i < t->to.n; i++)
        if (t->source[i] != NULL)
            st = copy_values(t, i, &copies[i]);
    if (st == KRT_OK)
        st = krti_models_forget_plans(t->k);
    for (size_t i = 0; copies != NULL && i < t->to.n; i++) {
        if (st == KRT_OK && copies[i] != NULL)
            krti_variable_take(t->to.items[i].variable, copies[i]);
        krt_tensor_free(copies[i]);
    }
    krti_free(t->k, copies);
    return st;
}

static krt_status run(transfer *t, const krt_model *from, krt_model *to, const krt_names *rules)
{
    krti_str name = KRTI_STR_INIT(t->k);
    krt_status st = KRT_OK;

    TRY(krti_layer_initialize((krt_layer *)(uintptr_t)&from->base));
    TRY(add_layer(&t->from, "", &from->base));
    TRY(add_layer(&t->to, "", &to->base));
    t->source = krti_array(t->k, t->to.n + 1, sizeof(place *));
    if (t->source == NULL)
        TRY(KRT_E_NOMEM);
    for (size_t i = 0; i < t->from.n; i++)
        TRY(pair_one(t, &t->from.items[i], rules, &name));
    TRY(report_rest(t));
    if (t->num_loaded == 0)
        TRY(krti_fail(t->k, KRT_E_MISMATCH, NULL,
                      "no weight of \"%s\" has the name of one of \"%s\"; name them by a rule such "
                      "as \"old/*=new/*\"",
                      from->base.name, to->base.name));
    TRY(commit(t));

done:
    krti_str_free(&name);
    return st;
}

krt_status krt_transfer_weights(krt_model *to, const krt_model *from, const krt_transfer_args *args)
{
    krt_ctx *k = to->base.owned.k;
    krti_arena arena = KRTI_ARENA_INIT(k);
    transfer t = {.k = k, .from = {.k = k, .arena = &arena}, .to = {.k = k, .arena = &arena}};
    krt_transfer_args a;
    krt_status st = KRT_OK;

    TRY(krti_args_import(k, &a, KRT_TRANSFER(), sizeof a, args));
    if (a.report != NULL)
        *a.report = NULL;
    if (to->failed != KRT_OK || from->failed != KRT_OK)
        TRY(to->failed != KRT_OK ? to->failed : from->failed);
    TRY(krti_rename_check(k, &a.rename));
    TRY(krti_report_new(k, &t.report));
    t.skip_mismatch = a.skip_mismatch;
    st = run(&t, from, to, &a.rename);
    if (a.report != NULL && (st == KRT_OK || st == KRT_E_MISMATCH)) {
        *a.report = t.report;
        t.report = NULL;
    }

done:
    krt_report_free(t.report);
    krti_free(k, t.from.items);
    krti_free(k, t.to.items);
    krti_free(k, t.source);
    krti_arena_free(&arena);
    return st;
}
