/* Optimizer state of whole .h5 files: a list of arrays whose order changed with every generation.
 *
 * Keras 3 never restores it, not even its own. The first name tells who wrote the list. Keras 3: the
 * order of optimizer.variables. tf.keras since 2.11 ("iteration:0") and before ("Adam/iter:0") say
 * the slot in each name, and inside a slot follow the trainable variables. Keras 1 and 2 say
 * nothing: a counter, then slot after slot. Every shape must agree, or no slot is restored at all:
 * half a state is worse than none. Page: docs/formats/legacy_h5.md, "Optimizer". */
#include "saving/legacy_optimizer.h"

#include "saving/optimizer_state.h"

typedef struct restoring {
    krt_ctx *k;
    krti_optimizer *o;
    const krti_optimizer *outer; /* a LossScaleOptimizer around it; NULL: none */
    krti_store *s;
    const krti_store_object *list;
    krti_optimizer_variable **of; /* by array of the list; NULL: none */
} restoring;

static const krti_store_array *array_at(const restoring *r, size_t i)
{
    return &r->s->arrays[r->list->first + i];
}

/* The n-th variable of a slot, as Keras 2 counts them. */
static krti_optimizer_variable *nth_of_slot(const restoring *r, const char *slot, size_t n)
{
    for (size_t i = 0; i < r->o->num_variables; i++)
        if (strcmp(r->o->variables[i].slot, slot) == 0 &&
            !krti_is_placeholder(&r->o->variables[i]) && n-- == 0)
            return &r->o->variables[i];
    return NULL;
}

/* ------------------------------------------------------------------------------- by name */

/* Whether a path has this component: the first or, behind the optimizer's name, the second; or for
 * the older optimizers the last, without the counter of names that occur twice. */
static bool has_word(const char *key, const char *word, bool is_last)
{
    const size_t n = strlen(word);
    const char *slash = is_last ? strrchr(key, '/') : strchr(key, '/');
    const char *at = is_last && slash != NULL ? slash + 1 : key;

    if (is_last)
        return strncmp(at, word, n) == 0 && (at[n] == ':' || at[n] == '_' || at[n] == '\0');
    if (strncmp(key, word, n) == 0 && (key[n] == '/' || key[n] == ':'))
        return true;
    return slash != NULL && strncmp(slash + 1, word, n) == 0 &&
           (slash[1 + n] == '/' || slash[1 + n] == ':');
}

/* The slot whose word the key has; NULL: none of them. */
static const char *slot_in(const restoring *r, const char *key, bool is_legacy)
{
    const char *last = NULL;

    for (size_t i = 0; i < r->o->num_variables; i++) {
        const char *slot = r->o->variables[i].slot;
        const char *word = krti_optimizer_tf_slot(r->o, slot, is_legacy);

        if (last != NULL && strcmp(last, slot) == 0)
            continue;
        last = slot;
        if (r->o->variables[i].of != NULL && word != NULL && has_word(key, word, is_legacy))
            return slot;
    }
    return NULL;
}

static void pair_by_name(restoring *r, bool is_legacy)
{
    for (size_t i = 0; i < r->list->num; i++) {
        const char *slot = slot_in(r, array_at(r, i)->key, is_legacy);
        size_t before = 0;

        if (slot == NULL)
            continue;
        for (size_t j = 0; j < i; j++)
            before += r->of[j] != NULL && strcmp(r->of[j]->slot, slot) == 0;
        r->of[i] = nth_of_slot(r, slot, before);
    }
}

/* Legacy Nadam keeps one more number behind the counter, which Keras 3 calls u_product. */
static void pair_momentum_cache(restoring *r)
{
    for (size_t i = 0; i < r->list->num; i++)
        if (strstr(array_at(r, i)->key, "momentum_cache") != NULL)
            r->of[i] = krti_optimizer_find(r->o, "u_product", NULL);
}

/* ------------------------------------------------------------------------------- by place */

static void pair_in_order(restoring *r)
{
    const size_t outer = r->outer != NULL ? r->outer->num_variables : 0;

    for (size_t i = 0; i < r->list->num && i < outer; i++)
        r->of[i] = &r->outer->variables[i];
    for (size_t i = outer; i < r->list->num && i < outer + r->o->num_variables; i++)
        r->of[i] = &r->o->variables[i - outer];
}

/* Keras 1 and 2: slot after slot, behind the numbers. */
static void pair_slot_by_slot(restoring *r, size_t at)
{
    const char *last = "";

    for (size_t i = r->o->first_slot; i < r->o->num_variables; i++) {
        const char *slot = r->o->variables[i].slot;
        krti_optimizer_variable *v = NULL;

        if (strcmp(last, slot) == 0 || r->o->variables[i].of == NULL)
            continue;
        for (size_t j = 0; j < i; j++) /* slots may alternate: each is listed once */
            if (strcmp(r->o->variables[j].slot, slot) == 0)
                goto next;
        for (size_t n = 0; at < r->list->num && (v = nth_of_slot(r, slot, n)) != NULL; n++)
            r->of[at++] = v;
    next:
        last = slot;
    }
}

static size_t num_scalars(const restoring *r)
{
    size_t n = 0;

    while (n < r->list->num && array_at(r, n)->shape.rank == 0)
        n++;
    return n;
}

/* ------------------------------------------------------------------------------- who wrote it */

static bool ends_in(const char *key, const char *word)
{
    const char *slash = strrchr(key, '/');

    return strcmp(slash != NULL ? slash + 1 : key, word) == 0;
}

static void pair(restoring *r)
{
    const char *first = array_at(r, 0)->key;

    if (ends_in(first, "iteration") || ends_in(first, "learning_rate")) {
        pair_in_order(r);
        return;
    }
    if (ends_in(first, "iteration:0")) {
        pair_by_name(r, false);
        r->of[0] = krti_optimizer_find(r->o, "iteration", NULL);
    } else if (ends_in(first, "iter:0")) {
        pair_by_name(r, true);
        pair_momentum_cache(r);
        r->of[0] = krti_optimizer_find(r->o, "iteration", NULL);
    } else {
        const size_t scalars = num_scalars(r);

        pair_slot_by_slot(r, scalars);
        if (scalars > 0)
            r->of[0] = krti_optimizer_find(r->o, "iteration", NULL);
        if (scalars > 1) /* Nadam's m_schedule */
            r->of[1] = krti_optimizer_find(r->o, "u_product", NULL);
    }
}

/* ------------------------------------------------------------------------------- restoring */

static bool fits(const restoring *r, size_t i)
{
    return krt_shape_equal(r->of[i]->tensor->shape, array_at(r, i)->shape) &&
           array_at(r, i)->dtype != KRT_DTYPE_NONE;
}

/* Lets all slots go when one of them does not fit: then the variables are others. */
static void drop_misfits(restoring *r)
{
    bool all_fit = true;

    for (size_t i = 0; i < r->list->num; i++) {
        if (r->of[i] != NULL && r->of[i]->of == NULL && !fits(r, i))
            r->of[i] = NULL;
        all_fit = all_fit && (r->of[i] == NULL || fits(r, i));
    }
    for (size_t i = 0; !all_fit && i < r->list->num; i++)
        if (r->of[i] != NULL && r->of[i]->of != NULL)
            r->of[i] = NULL;
}

static krt_status restore(restoring *r)
{
    const krti_optimizer_variable *product = krti_optimizer_find(r->o, "u_product", NULL);
    bool has_product = false;
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < r->list->num; i++) {
        has_product = has_product || r->of[i] == product;
        if (r->of[i] != NULL)
            st = krti_optimizer_variable_read(r->s, r->list->first + i, r->of[i]);
    }
    if (st == KRT_OK && !has_product)
        krti_optimizer_infer_product(r->o);
    return st;
}

/* Says in the report what was restored, and in a warning what was not. */
static krt_status tell(restoring *r, krt_report *report)
{
    size_t slots = 0, restored = 0;
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < r->list->num; i++) {
        if (r->of[i] == NULL)
            continue;
        restored += r->of[i]->of != NULL && !krti_is_placeholder(r->of[i]);
        st = krti_report_restored(report, array_at(r, i)->entry, r->of[i]->path,
                                  r->of[i]->tensor->shape);
    }
    for (size_t i = 0; i < r->o->num_variables; i++)
        slots += r->o->variables[i].of != NULL && !krti_is_placeholder(&r->o->variables[i]);
    /* Before the first step there are no slots, and nothing is lost. */
    if (st == KRT_OK && restored < slots && (restored > 0 || krti_optimizer_iterations(r->o) > 0))
        krti_warn(r->k,
                  "optimizer %s: %zu of %zu slots restored, %zu are as in a new one; training will "
                  "not continue exactly",
                  r->o->name, restored, slots, slots - restored);
    return st;
}

static const krti_store_object *find_list(const krti_store *s)
{
    for (size_t i = 0; i < s->num_objects; i++)
        if (s->objects[i].role == KRTI_ROLE_OPTIMIZER && s->objects[i].num > 0)
            return &s->objects[i];
    return NULL;
}

/* What our own files keep beside the list: see krti_optimizer.seed. */
static krt_status read_seed(const restoring *r, uint64_t *seed)
{
    krti_h5 *h5 = r->s->files[array_at(r, 0)->file].h5;
    krti_h5_object group;
    int64_t value = 0;
    bool found = false;
    krt_status st = krti_h5_find(h5, krti_h5_root(h5), r->list->path, &group, &found);

    if (st == KRT_OK && found)
        st = krti_h5_attribute_int(h5, group, KRTI_SEED_ATTRIBUTE, &value, &found);
    if (st == KRT_OK && found)
        *seed = (uint64_t)value;
    return st;
}

krt_status krti_legacy_optimizer_fill(krt_model *m, krti_store *s, krt_report *report)
{
    restoring r = {.k = s->k, .s = s, .list = find_list(s)};
    krt_status st = KRT_OK;

    if (r.list == NULL || m->cannot_run != NULL)
        return KRT_OK;
    st = krti_model_optimizer(m, &r.o);
    if (st != KRT_OK && st != KRT_E_NOMEM) {
        krti_warn(r.k, "the optimizer's state stays in the file: %s", r.k->error.message);
        return KRT_OK;
    }
    if (st != KRT_OK || r.o == NULL)
        return st;
    TRY(krti_optimizer_build(r.o, m));
    TRY(read_seed(&r, &r.o->seed));
    if (r.o->inner != NULL) {
        r.outer = r.o;
        r.o = r.o->inner;
    }
    r.of = krti_array(r.k, r.list->num, sizeof(krti_optimizer_variable *));
    if (r.of == NULL)
        TRY(KRT_E_NOMEM);
    pair(&r);
    drop_misfits(&r);
    TRY(restore(&r));
    TRY(tell(&r, report));

done:
    krti_free(r.k, r.of);
    return st;
}
