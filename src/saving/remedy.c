/* The command that puts weights into a model that they do not fit as they are. See compare.h.
 *
 * Every command that is named was tried: rules for names where the groups of the file have the shapes
 * of the model's, then the way by names of variables, then what leaves something out, of which the one
 * that fills most counts. */
#include "saving/compare.h"
#include "saving/file_order.h"
#include "saving/walk.h"

#include "models/rename.h"

enum { LONGEST = 900 }; /* rules in a command; a sentence must hold them */

/* The weights of one layer. */
typedef struct group {
    const char *path;
    const krt_shape *shapes;
    size_t n, partner;
} group;

typedef struct remedy {
    krt_ctx *k;
    krti_arena arena;
    krt_model *m;
    krti_source *weights;
    group *of_model, *of_file;
    size_t num_model, num_file, model_capacity, file_capacity;
    const char **rules;
    size_t num_rules, rules_capacity, length;
} remedy;

/* ------------------------------------------------------------------------------- groups */

static krt_status add_group(remedy *r, group **list, size_t *n, size_t *capacity, const char *path,
                            const krt_shape *shapes, size_t num)
{
    krt_shape *copy = krti_arena_array(&r->arena, num, sizeof *copy);
    const char *name = krti_arena_strdup(&r->arena, path);
    krt_status st = copy != NULL && name != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK)
        st = krti_grow(r->k, list, capacity, *n + 1, sizeof **list);
    if (st != KRT_OK)
        return st;
    memcpy(copy, shapes, num * sizeof *copy);
    (*list)[(*n)++] = (group){name, copy, num, 0};
    return KRT_OK;
}

static krt_status add_layer(void *user, const char *path, krt_layer *l, krt_variable *const *vars,
                            size_t n)
{
    remedy *r = user;
    krt_shape *shapes = krti_array(r->k, n, sizeof *shapes);
    char *own = shapes != NULL && n > 0 && r->weights->store->has_paths
                    ? krti_strdup(r->k, krt_variable_path(vars[0]))
                    : NULL;
    char *slash = own != NULL ? strrchr(own, '/') : NULL;
    krt_status st = shapes != NULL ? KRT_OK : KRT_E_NOMEM;

    (void)l;
    for (size_t i = 0; st == KRT_OK && i < n; i++)
        shapes[i] = vars[i]->tensor->shape;
    if (slash != NULL)
        *slash = '\0'; /* such files know layers by their names */
    if (st == KRT_OK && n > 0)
        st = add_group(r, &r->of_model, &r->num_model, &r->model_capacity, own != NULL ? own : path,
                       shapes, n);
    krti_free(r->k, own);
    krti_free(r->k, shapes);
    return st;
}

static krt_status add_objects(remedy *r, const size_t *order)
{
    const krti_store *s = r->weights->store;
    krt_shape *shapes = krti_array(r->k, s->num_arrays, sizeof *shapes);
    krt_status st = shapes != NULL ? KRT_OK : KRT_E_NOMEM;

    for (size_t i = 0; st == KRT_OK && i < s->num_arrays; i++) {
        const krti_store_object *o = &s->objects[s->arrays[order[i]].object];

        if (o->role != KRTI_ROLE_WEIGHT || order[i] != o->first)
            continue;
        for (size_t j = 0; j < o->num; j++)
            shapes[j] = s->arrays[o->first + j].shape;
        st = add_group(r, &r->of_file, &r->num_file, &r->file_capacity, o->path, shapes, o->num);
    }
    krti_free(r->k, shapes);
    return st;
}

static bool same_shapes(const group *a, const group *b)
{
    bool same = a->n == b->n;

    for (size_t i = 0; same && i < a->n; i++)
        same = krt_shape_equal(a->shapes[i], b->shapes[i]);
    return same;
}

/* Each group of the model with one of the file: by order where that fits throughout, else, in a file
 * that does not tell the order, by shapes that no other has. */
static bool pair_groups(remedy *r)
{
    bool in_order = r->num_model == r->num_file && r->num_model > 0, found;

    for (size_t i = 0; in_order && i < r->num_model; i++)
        in_order = same_shapes(&r->of_model[i], &r->of_file[r->of_model[i].partner = i]);
    found = in_order || (r->num_model == r->num_file && r->weights->config == NULL);
    for (size_t i = 0; found && !in_order && i < r->num_model; i++) {
        size_t like_it = 0, twins = 0;

        for (size_t j = 0; j < r->num_file; j++) {
            const bool same = same_shapes(&r->of_model[i], &r->of_file[j]);

            like_it += same;
            r->of_model[i].partner = same ? j : r->of_model[i].partner;
            twins += same_shapes(&r->of_model[i], &r->of_model[j]);
        }
        found = like_it == 1 && twins == 1;
    }
    return found;
}

/* ------------------------------------------------------------------------------- rules */

/* What the rules make of a name is what the model calls it. */
static krt_status rules_lead(const remedy *r, size_t i, bool *lead)
{
    const krt_names rules = {r->num_rules, r->rules};
    krti_str name = KRTI_STR_INIT(r->k);
    const krt_status st = krti_rename(&name, &rules, r->of_file[r->of_model[i].partner].path);

    *lead = st == KRT_OK && strcmp(name.ptr, r->of_model[i].path) == 0;
    krti_str_free(&name);
    return st;
}

/* Whether a rule is right for every name that it changes. */
static krt_status is_right(const remedy *r, const char *rule, bool *right)
{
    krti_str name = KRTI_STR_INIT(r->k);
    krt_status st = KRT_OK;

    *right = true;
    for (size_t i = 0; st == KRT_OK && *right && i < r->num_model; i++) {
        const char *from = r->of_file[r->of_model[i].partner].path;

        st = krti_rename(&name, &(krt_names){1, &rule}, from);
        *right = st == KRT_OK &&
                 (strcmp(name.ptr, from) == 0 || strcmp(name.ptr, r->of_model[i].path) == 0);
    }
    krti_str_free(&name);
    return st;
}

/* A rule with a star for what two names end in, if it is right for all that it fits and no other rule
 * came before; else the two names. */
static krt_status add_rule(remedy *r, size_t i)
{
    const char *to = r->of_model[i].path, *from = r->of_file[r->of_model[i].partner].path;
    size_t n = strlen(from), m = strlen(to);
    krti_str text = KRTI_STR_INIT(r->k);
    krt_status st = krti_grow(r->k, &r->rules, &r->rules_capacity, r->num_rules + 1, sizeof to);

    while (n > 0 && m > 0 && from[n - 1] == to[m - 1])
        n--, m--;
    while (from[n] != '\0' && n > 0 && from[n - 1] != '/') /* names are not cut */
        n++, m++;
    bool has_star = from[n] != '\0' && n > 0 && m > 0 && to[m - 1] == '/';
    if (st == KRT_OK && has_star)
        st = krti_str_addf(&text, "%.*s*=%.*s*", (int)n, from, (int)m, to);
    if (st == KRT_OK && has_star)
        st = is_right(r, text.ptr, &has_star);
    if (!has_star)
        krti_str_clear(&text);
    if (st == KRT_OK && !has_star)
        st = krti_str_addf(&text, "%s=%s", from, to);
    if (st == KRT_OK && (r->rules[r->num_rules] = krti_arena_strdup(&r->arena, text.ptr)) == NULL)
        st = KRT_E_NOMEM;
    if (st == KRT_OK) {
        r->num_rules++;
        r->length += text.length + strlen(" --map ''");
    }
    krti_str_free(&text);
    return st;
}

static krt_status make_rules(remedy *r, bool *made)
{
    krt_status st = KRT_OK;

    *made = false;
    for (size_t i = 0; i < r->num_model; i++) {
        bool lead = false;

        TRY(rules_lead(r, i, &lead));
        if (!lead)
            TRY(add_rule(r, i));
        if (r->length > LONGEST)
            goto done;
    }
    *made = r->num_rules > 0;
    for (size_t i = 0; *made && i < r->num_model; i++)
        TRY(rules_lead(r, i, made));
    if (*made)
        TRY(krti_rename_check(r->k, &(krt_names){r->num_rules, r->rules}));

done:
    return st == KRT_E_INVALID ? KRT_OK : st;
}

/* Whether rules for names let the file fill the model; its list has those names then. */
static krt_status try_rules(remedy *r, bool *works)
{
    const krti_walk walk = {.each = add_layer, .user = r, .counts_visited = true};
    krti_store *s = r->weights->store;
    size_t *order = krti_array(r->k, s->num_arrays, sizeof *order);
    krti_match match = {.k = r->k};
    krt_status st = order != NULL ? krti_file_order(s, r->weights->config, order) : KRT_E_NOMEM;

    *works = false;
    if (st == KRT_OK)
        TRY(krti_walk_model(r->m, &walk));
    if (st == KRT_OK)
        TRY(add_objects(r, order));
    if (st == KRT_OK && pair_groups(r))
        TRY(make_rules(r, works));
    if (st == KRT_OK && *works)
        TRY(krti_store_rename(s, &(krt_names){r->num_rules, r->rules}));
    if (*works) {
        st = krti_load_match(&match, r->m, r->weights);
        *works = st == KRT_OK;
    }

done:
    krti_match_fini(&match);
    krti_free(r->k, order);
    return st == KRT_E_MISMATCH ? KRT_OK : st;
}

/* ------------------------------------------------------------------------------- names */

/* Whether the file's own model has the same variables by path: they go by name then. */
static krt_status has_same_names(remedy *r, bool *same)
{
    krt_model *own = NULL;
    krti_map *map = krti_map_new(r->k);
    const size_t n = krt_layer_num_weights(&r->m->base);

    if (map == NULL)
        return KRT_E_NOMEM;
    krt_status st = krti_load_build(r->k, &own, r->weights);
    *same = st == KRT_OK && n > 0 && krt_layer_num_weights(&own->base) == n;
    for (size_t i = 0; *same && st == KRT_OK && i < n; i++) {
        krt_variable *v = krt_layer_weight(&own->base, i);

        st = krti_map_set(map, krt_variable_path(v), v);
    }
    for (size_t i = 0; *same && st == KRT_OK && i < n; i++) {
        const krt_variable *v = krt_layer_weight(&r->m->base, i);
        const krt_variable *theirs = krti_map_get(map, krt_variable_path(v));

        *same = theirs != NULL && krt_shape_equal(theirs->tensor->shape, v->tensor->shape);
    }
    *same = *same && st == KRT_OK && krti_map_num(map) == n;
    krti_map_free(map);
    krt_model_free(own);
    return KRT_OK; /* a config may ask for more memory than there is */
}

/* ------------------------------------------------------------------------------- leaving out */

/* The options that let the file fill the most of the model; "" when none fills anything. */
static krt_status find_options(remedy *r, const char **options)
{
    static const struct {
        const char *words;
        krti_match_rules rules;
    } ways[] = {{" --by-name", {.by_name = true}},
                {" --skip-mismatch", {.skip_mismatch = true}},
                {" --by-name --skip-mismatch", {.by_name = true, .skip_mismatch = true}}};
    size_t most = 0;
    krt_status st = KRT_OK;

    *options = "";
    for (size_t i = 0; i < KRTI_COUNT(ways) && st != KRT_E_NOMEM; i++) {
        krti_match match = {.k = r->k};

        if (ways[i].rules.by_name && !r->weights->store->is_legacy)
            continue;
        st = krti_load_match_by(&match, r->m, r->weights, &ways[i].rules);
        if (st == KRT_OK && krt_report_count(match.report, KRT_LOADED) > most) {
            most = krt_report_count(match.report, KRT_LOADED);
            *options = ways[i].words;
        }
        krti_match_fini(&match);
    }
    return st == KRT_E_NOMEM ? st : KRT_OK;
}

/* ------------------------------------------------------------------------------- all */

static krt_status say(remedy *r, const char *model, krti_str *command)
{
    const char *file = r->weights->filepath, *options = "";
    const krti_store *s = r->weights->store;
    bool works = false, is_named = false;
    krt_status st = KRT_OK;

    TRY(find_options(r, &options));
    if (r->weights->config != NULL)
        TRY(has_same_names(r, &is_named));
    if (!s->is_legacy && (s->checkpoint == NULL || s->has_paths))
        TRY(try_rules(r, &works));
    if (!works && is_named)
        return krti_str_addf(command,
                             "keratin convert %s W.npz, then: keratin load-weights %s W.npz --save "
                             "OUT",
                             file, model);
    if (!works && options[0] == '\0')
        return krti_str_addf(command, "keratin weights %s", file);
    TRY(krti_str_addf(command, "keratin load-weights %s %s", model, file));
    for (size_t i = 0; works && i < r->num_rules; i++)
        TRY(krti_str_addf(command, " --map '%s'", r->rules[i]));
    TRY(krti_str_addf(command, "%s --save OUT", works ? "" : options));

done:
    return st;
}

krt_status krti_find_remedy(krt_model *m, krti_source *weights, const char *model_filepath,
                            krti_str *command)
{
    krt_ctx *k = m->base.owned.k;
    remedy r = {.k = k, .arena = KRTI_ARENA_INIT(k), .m = m, .weights = weights};
    void (*const log)(void *, int, const char *) = k->log;

    k->log = NULL; /* what is tried here warns of nothing */
    const krt_status st = say(&r, model_filepath, command);
    k->log = log;
    krti_free(k, r.of_model);
    krti_free(k, r.of_file);
    krti_free(k, r.rules);
    krti_arena_free(&r.arena);
    return st;
}
