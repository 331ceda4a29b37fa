/* Explaining why the weights of one file fit a model, or do not. See <keratin/inspect.h>.
 *
 * By path first, as a load would pair them; then by shape and order, which tells the cause. */
#include "saving/compare.h"
#include "saving/file_order.h"
#include "saving/findings.h"

typedef struct explaining {
    krt_ctx *k;
    krt_findings *out;
    krti_source *weights, *model;
    krt_model *m;
    krti_match match;
    krti_weight *of_model, *of_file;
    size_t num_model, num_file;
} explaining;

/* ------------------------------------------------------------------------------- the lists */

/* The model's weights in the order in which a load looks for them. */
static krt_status list_model(explaining *e)
{
    const krt_report *r = e->match.report;

    e->of_model = krti_array(e->k, krt_report_size(r), sizeof *e->of_model);
    if (e->of_model == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < krt_report_size(r); i++) {
        const krt_report_entry *entry = krt_report_at(r, i);

        if (entry->path != NULL)
            e->of_model[e->num_model++] = (krti_weight){entry->path, entry->expected};
    }
    return KRT_OK;
}

static krt_status add_file(explaining *e, size_t array, bool *taken)
{
    const krti_store *s = e->weights->store;
    const krti_store_array *a = &s->arrays[array];

    if (taken[array] || s->objects[a->object].role != KRTI_ROLE_WEIGHT)
        return KRT_OK;
    taken[array] = true;
    e->of_file[e->num_file++] = (krti_weight){a->entry, a->shape};
    return KRT_OK;
}

/* The file's weights: a legacy file lists them in the model's order; else those whose path the model
 * has come in its order, and the others behind them in the file's. */
static krt_status list_file(explaining *e)
{
    const krti_store *s = e->weights->store;
    const krt_report *r = e->match.report;
    size_t *order = krti_array(e->k, s->num_arrays, sizeof *order);
    bool *taken = krti_array(e->k, s->num_arrays, sizeof *taken);
    krt_status st = KRT_OK;

    e->of_file = krti_array(e->k, s->num_arrays, sizeof *e->of_file);
    if (order == NULL || taken == NULL || e->of_file == NULL)
        TRY(KRT_E_NOMEM);
    TRY(krti_file_order(s, e->weights->config, order));
    for (size_t i = 0; !s->is_legacy && e->weights->config == NULL && i < krt_report_size(r); i++) {
        const krt_report_entry *entry = krt_report_at(r, i);

        for (size_t j = 0; entry->path != NULL && entry->entry != NULL && j < s->num_arrays; j++)
            if (strcmp(s->arrays[j].entry, entry->entry) == 0)
                TRY(add_file(e, j, taken));
    }
    for (size_t i = 0; i < s->num_arrays; i++)
        TRY(add_file(e, order[i], taken));

done:
    krti_free(e->k, order);
    krti_free(e->k, taken);
    return st;
}

/* ------------------------------------------------------------------------------- telling */

static const char *print(const krti_weight *list, size_t n, size_t i, char *buffer, size_t size)
{
    char shape[160];

    if (i >= n)
        snprintf(buffer, size, "nothing");
    else
        snprintf(buffer, size, "%s %s", list[i].name,
                 krt_shape_print(list[i].shape, shape, sizeof shape));
    return buffer;
}

/* The first variable that a load leaves as it is. */
static size_t first_unloaded(const explaining *e)
{
    const krt_report *r = e->match.report;
    size_t n = 0;

    for (size_t i = 0; i < krt_report_size(r); i++) {
        const krt_report_entry *entry = krt_report_at(r, i);

        if (entry->path != NULL && entry->outcome != KRT_LOADED)
            return n;
        n += entry->path != NULL;
    }
    return n;
}

static krt_status tell_divergence(explaining *e, const krti_parting *p)
{
    char model[KRTI_OBJECT_MAX], file[KRTI_OBJECT_MAX];

    size_t i = p->model, j = p->file;

    if (i >= e->num_model && j >= e->num_file)
        i = j = first_unloaded(e); /* the shapes agree, the names do not */
    return krti_findings_add(e->out, "divergence", NULL, NULL, "%s in the model, %s in the file",
                             print(e->of_model, e->num_model, i, model, sizeof model),
                             print(e->of_file, e->num_file, j, file, sizeof file));
}

/* What a load says first, where names and not shapes are the trouble. */
static krt_status tell_load(explaining *e)
{
    return krti_findings_add(
        e->out, "load", NULL,
        krti_str_text(&e->match.object)[0] != '\0' ? krti_str_text(&e->match.object) : NULL, "%s",
        e->k->error.message);
}

static krt_status tell_command(explaining *e)
{
    krti_str command = KRTI_STR_INIT(e->k);
    krt_status st = krti_find_remedy(e->m, e->weights, e->model->filepath, &command);

    if (st == KRT_OK)
        st = krti_findings_remark(e->out, "command", NULL, NULL, "%s", command.ptr);
    krti_str_free(&command);
    return st;
}

static krt_status tell_misfit(explaining *e)
{
    krti_str cause = KRTI_STR_INIT(e->k);
    krti_parting parting;
    krt_status st = tell_load(e);

    if (st == KRT_OK)
        TRY(list_model(e));
    if (st == KRT_OK)
        TRY(list_file(e));
    TRY(krti_find_cause(e->k, e->of_model, e->num_model, e->of_file, e->num_file, &cause,
                        &parting));
    TRY(tell_divergence(e, &parting));
    TRY(krti_findings_add(e->out, "cause", NULL, NULL, "%s", cause.ptr));
    TRY(krti_str_addf(&e->out->summary,
                      "%zu weights in the model, %zu in the file; %zu agree by path and shape, %zu "
                      "by shape in order",
                      e->num_model, e->num_file, krt_report_count(e->match.report, KRT_LOADED),
                      parting.num_common));
    TRY(tell_command(e)); /* last: trying changes the list of the file */

done:
    krti_str_free(&cause);
    return st;
}

static krt_status explain_opened(explaining *e)
{
    krt_status st = KRT_OK;

    TRY(krti_fail_in_file(e->k, krti_source_check_weights(e->weights), e->weights->filepath));
    if (e->model->config == NULL)
        return krti_fail_in_file(
            e->k,
            krti_fail(e->k, KRT_E_FORMAT, NULL,
                      "No model config found in the file at %s. Give a model or an architecture",
                      e->model->filepath),
            e->model->filepath);
    TRY(krti_source_list(e->weights, false));
    TRY(krti_load_build(e->k, &e->m, e->model));
    if (e->m->cannot_run != NULL)
        TRY(krti_findings_remark(e->out, "custom", NULL, NULL, "%s", e->m->cannot_run));
    st = krti_load_match(&e->match, e->m, e->weights);
    if (st == KRT_E_MISMATCH)
        return tell_misfit(e);
    if (st == KRT_OK)
        st = krti_str_addf(&e->out->summary, "%zu weights of the model are all in the file",
                           krt_report_count(e->match.report, KRT_LOADED));

done:
    return st;
}

krt_status krt_explain(krt_ctx *k, krt_findings **out, const char *weights_filepath,
                       const char *model_filepath)
{
    explaining e = {.k = k, .match = {.k = k}};
    krt_status st = krti_findings_new(k, &e.out);

    *out = NULL;
    if (st == KRT_OK)
        TRY(krti_source_open(k, &e.weights, weights_filepath));
    if (st == KRT_OK)
        TRY(krti_source_open(k, &e.model, model_filepath));
    if (st == KRT_OK)
        TRY(explain_opened(&e));
    *out = e.out;
    e.out = NULL;

done:
    krti_match_fini(&e.match);
    krt_model_free(e.m);
    krti_source_close(e.weights);
    krti_source_close(e.model);
    krti_free(k, e.of_model);
    krti_free(k, e.of_file);
    krt_findings_free(e.out);
    return st;
}
