/* Pairs recorded, the verdict, and arrays read into variables. See match.h. */
#include "saving/match.h"

#include "layers/lora.h"
#include "saving/legacy_gates.h"

krt_status krti_match_init(krti_match *m, krt_model *model, krti_store *store)
{
    krt_ctx *k = store->k;

    *m = (krti_match){.k = k,
                      .model = model,
                      .store = store,
                      .is_partial = model->cannot_run != NULL,
                      .sentence = KRTI_STR_INIT(k),
                      .object = KRTI_STR_INIT(k),
                      .last = KRTI_STR_INIT(k)};
    m->taken = krti_array(k, store->num_arrays, sizeof *m->taken);
    if (m->taken == NULL)
        return KRT_E_NOMEM;
    return krti_report_new(k, &m->report);
}

void krti_match_fini(krti_match *m)
{
    krt_report_free(m->report);
    krti_free(m->k, m->pairs);
    krti_free(m->k, m->taken);
    krti_str_free(&m->sentence);
    krti_str_free(&m->object);
    krti_str_free(&m->last);
}

/* ------------------------------------------------------------------------------- recording */

/* Whether the layer is `outer` or lies in it. */
static bool lies_in(const krt_layer *outer, const krt_layer *l)
{
    bool found = outer == l;

    for (size_t i = 0; !found && i < outer->num_inner; i++)
        found = lies_in(outer->inner[i].layer, l);
    return found;
}

static bool is_named(const krt_names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->items[i], name) == 0)
            return true;
    return false;
}

static bool is_skipped_below(const krti_match *m, const krt_layer *at, const krt_layer *l)
{
    if (is_named(&m->rules.skipped, at->name))
        return lies_in(at, l);
    for (size_t i = 0; i < at->num_inner; i++)
        if (is_skipped_below(m, at->inner[i].layer, l))
            return true;
    return false;
}

bool krti_match_is_skipped(const krti_match *m, const krt_layer *l)
{
    return m->rules.skipped.n > 0 && is_skipped_below(m, &m->model->base, l);
}

krt_status krti_match_misfit(krti_match *m, const char *object, const char *format, ...)
{
    char text[KRTI_MESSAGE_MAX];
    va_list args;

    object = object != NULL ? object : "";
    if (m->num_misfits + m->num_warned > 0 && strcmp(krti_str_text(&m->last), object) == 0)
        return KRT_OK;
    krti_str_clear(&m->last);
    if (krti_str_add(&m->last, object) != KRT_OK)
        return m->last.status;
    if (m->num_misfits++ > 0)
        return KRT_OK;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (m->rules.skip_mismatch && !m->says_all) {
        m->num_misfits--;
        m->num_warned++;
        krti_warn(m->k, "%s%s%s", krti_starts_with(text, "Skipping") ? "" : object,
                  krti_starts_with(text, "Skipping") || object[0] == '\0' ? "" : ": ", text);
        return KRT_OK;
    }
    krti_str_add(&m->object, object);
    return krti_str_add(&m->sentence, text);
}

static krt_status misfit_shape(krti_match *m, const krt_variable *v, const krti_store_array *a,
                               const char *object)
{
    char found[160], expected[160];

    if (a->shape.rank < 0)
        return krti_match_misfit(m, object, "%s has no shape of at most %d axes in the file",
                                 v->name, KRT_MAX_RANK);
    return krti_match_misfit(m, object, "%s has shape %s in the file, %s in the model", v->name,
                             krt_shape_print(a->shape, found, sizeof found),
                             krt_shape_print(v->tensor->shape, expected, sizeof expected));
}

krt_status krti_match_pair(krti_match *m, krt_variable *v, size_t array, const char *object)
{
    const krti_turn none = {0};

    return krti_match_pair_turned(m, v, array, &none,
                                  krt_shape_equal(v->tensor->shape, m->store->arrays[array].shape),
                                  object);
}

krt_status krti_match_pair_turned(krti_match *m, krt_variable *v, size_t array,
                                  const krti_turn *turn, bool fits, const char *object)
{
    const krti_store_array *a = &m->store->arrays[array];
    const krt_shape expected = v->tensor->shape;
    krt_status st = KRT_OK;

    m->taken[array] = true;
    for (int i = 0; i < turn->num_parts; i++)
        m->taken[array + turn->parts[i]] = true;
    if (krti_match_is_skipped(m, v->layer))
        return krti_report_add(m->report, KRT_SKIPPED_ASKED, krt_variable_path(v), a->entry,
                               expected, a->shape);
    TRY(krti_report_add(m->report, fits ? KRT_LOADED : KRT_SKIPPED_SHAPE, krt_variable_path(v),
                        a->entry, expected, a->shape));
    if (!fits)
        return misfit_shape(m, v, a, object);
    TRY(krti_grow(m->k, &m->pairs, &m->pairs_capacity, m->num_pairs + 1, sizeof *m->pairs));
    m->pairs[m->num_pairs++] = (krti_pair){v, array, *turn};

done:
    return st;
}

krt_status krti_match_skip_variable(krti_match *m, krt_outcome outcome, krt_variable *v)
{
    return krti_report_add(m->report, outcome, krt_variable_path(v), NULL, v->tensor->shape,
                           (krt_shape){.rank = -1});
}

krt_status krti_match_skip_array(krti_match *m, krt_outcome outcome, size_t array)
{
    const krti_store_array *a = &m->store->arrays[array];

    m->taken[array] = true;
    return krti_report_add(m->report, outcome, NULL, a->entry, (krt_shape){.rank = -1}, a->shape);
}

/* ------------------------------------------------------------------------------- verdict */

/* What the file holds and nobody asked for. */
static krt_status record_leftovers(krti_match *m)
{
    const krti_store *s = m->store;
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < s->num_arrays; i++) {
        const krti_role role = s->objects[s->arrays[i].object].role;

        if (m->taken[i] || role == KRTI_ROLE_OTHER)
            continue;
        if (role == KRTI_ROLE_WEIGHT && m->num_left++ == 0)
            m->first_left = i;
        st = krti_match_skip_array(m, role == KRTI_ROLE_OPTIMIZER ? KRT_OPTIMIZER : KRT_UNEXPECTED,
                                   i);
    }
    return st;
}

void krti_match_count_unknown(krti_match *m, krt_layer *l, const char *path)
{
    const krti_store *s = m->store;
    const size_t n = strlen(path);

    l->num_stored = 0;
    for (size_t i = 0; l->cls == NULL && i < s->num_objects; i++) {
        const krti_store_object *o = &s->objects[i];

        if (o->role == KRTI_ROLE_WEIGHT && strncmp(o->path, path, n) == 0 &&
            (o->path[n] == '\0' || o->path[n] == '/'))
            l->num_stored += o->num;
    }
    m->has_counted |= l->num_stored > 0;
}

/* Of files that go by the names of layers. */
static void count_named(krti_match *m, krt_layer *l)
{
    krti_match_count_unknown(m, l, l->name);
    for (size_t i = 0; i < l->num_inner; i++)
        count_named(m, l->inner[i].layer);
}

static krt_status fail_misfit(krti_match *m)
{
    const char *object = krti_str_text(&m->object);
    const char *s = m->num_misfits > 2 ? "s do" : " does";

    if (m->num_misfits == 1 || m->says_all)
        return krti_fail(m->k, KRT_E_MISMATCH, object[0] != '\0' ? object : NULL, "%s",
                         krti_str_text(&m->sentence));
    return krti_fail(m->k, KRT_E_MISMATCH, object[0] != '\0' ? object : NULL,
                     "%s; %zu more layer%s not fit, %zu fit", krti_str_text(&m->sentence),
                     m->num_misfits - 1, s, m->num_fits);
}

static krt_status fail_leftovers(krti_match *m)
{
    const krti_store_array *a = &m->store->arrays[m->first_left];
    char shape[160];

    if (m->num_left == 1)
        return krti_fail(m->k, KRT_E_MISMATCH, NULL,
                         "the file holds an array that the model has no variable for: %s %s",
                         a->entry, krt_shape_print(a->shape, shape, sizeof shape));
    return krti_fail(m->k, KRT_E_MISMATCH, NULL,
                     "the file holds %zu arrays that the model has no variables for, the first is "
                     "%s %s",
                     m->num_left, a->entry, krt_shape_print(a->shape, shape, sizeof shape));
}

krt_status krti_match_verdict(krti_match *m)
{
    if (m->sentence.status != KRT_OK)
        return m->sentence.status;
    if (m->num_misfits > 0)
        return fail_misfit(m);
    if (m->is_partial || m->rules.skip_mismatch || m->rules.by_name)
        return KRT_OK;
    return m->num_left > 0 ? fail_leftovers(m) : KRT_OK;
}

krt_status krti_match_finish(krti_match *m)
{
    const krt_status st = record_leftovers(m);

    if (m->is_partial && (m->store->is_legacy || m->store->has_paths))
        count_named(m, &m->model->base);
    return st == KRT_OK ? krti_match_verdict(m) : st;
}

/* ------------------------------------------------------------------------------- commit */

/* Turns a kernel round in every axis but the last two: in memory that is the reverse order of its
 * (in, out) matrices. */
static krt_status flip_kernel(krt_tensor **t)
{
    krt_tensor *flipped = NULL;
    const krt_shape shape = (*t)->shape;
    size_t blocks = 1;

    for (int i = 0; i < shape.rank - 2; i++)
        blocks *= (size_t)shape.dim[i];
    const krt_status st = krt_tensor_from((*t)->owned.k, &flipped, (*t)->dtype, shape, (*t)->data);
    if (st != KRT_OK)
        return st;
    const size_t block = blocks > 0 ? flipped->size_bytes / blocks : 0;
    for (size_t i = 0; i < blocks; i++)
        memcpy((char *)flipped->data + i * block,
               (const char *)(*t)->data + (blocks - 1 - i) * block, block);
    krt_tensor_free(*t);
    *t = flipped;
    return KRT_OK;
}

/* Puts the axes where they belong: the elements in the order of the result. */
static krt_status permute(krt_tensor **t, const krti_turn *turn, krt_shape wanted)
{
    const krt_shape shape = (*t)->shape;
    const size_t size = krt_dtype_size((*t)->dtype);
    int64_t stride[KRT_MAX_RANK], index[KRT_MAX_RANK] = {0};
    krt_tensor *turned = NULL;
    const krt_status st = krt_tensor_from((*t)->owned.k, &turned, (*t)->dtype, wanted, (*t)->data);

    if (st != KRT_OK)
        return st;
    for (int i = shape.rank - 1; i >= 0; i--)
        stride[i] = i == shape.rank - 1 ? 1 : stride[i + 1] * shape.dim[i + 1];
    for (size_t n = 0; n * size < turned->size_bytes; n++) {
        int64_t at = 0;

        for (int i = 0; i < turn->rank; i++)
            at += index[i] * stride[turn->axes[i]];
        memcpy((char *)turned->data + n * size, (const char *)(*t)->data + (size_t)at * size, size);
        for (int i = turn->rank - 1; i >= 0 && ++index[i] == shape.dim[turn->axes[i]]; i--)
            index[i] = 0;
    }
    krt_tensor_free(*t);
    *t = turned;
    return KRT_OK;
}

static krt_status turn_tensor(krt_tensor **t, const krti_pair *p)
{
    krt_status st = KRT_OK;

    if (p->turn.is_cudnn)
        st = krti_legacy_from_cudnn(p->variable, t);
    if (st == KRT_OK && p->turn.rank > 0)
        st = permute(t, &p->turn, p->variable->tensor->shape);
    return st == KRT_OK && p->turn.flips ? flip_kernel(t) : st;
}

static bool is_turned(const krti_pair *p)
{
    return p->turn.flips || p->turn.rank > 0 || p->turn.num_parts > 0 || p->turn.is_cudnn;
}

/* One tensor of the arrays of its gates. */
static krt_status join_parts(krti_match *m, const krti_pair *p, krt_tensor **t)
{
    const krt_shape shape = p->variable->tensor->shape;
    const size_t width = (size_t)shape.dim[shape.rank - 1], n = (size_t)p->turn.num_parts;
    krti_want wants[4];
    krt_tensor *parts[4] = {NULL}, *whole = NULL;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < n; i++)
        wants[i] = (krti_want){p->array + p->turn.parts[i], KRT_FLOAT32, false};
    TRY(krti_store_tensors(m->store, wants, n, parts));
    TRY(krt_tensor_new(m->k, &whole, KRT_FLOAT32, shape));
    for (size_t i = 0; i < n; i++)
        for (size_t row = 0; row < whole->size_bytes / sizeof(float) / width; row++)
            memcpy((float *)whole->data + row * width + i * (width / n),
                   (const float *)parts[i]->data + row * (width / n), width / n * sizeof(float));
    krt_tensor_free(*t);
    *t = whole;
    whole = NULL;

done:
    for (size_t i = 0; i < n; i++)
        krt_tensor_free(parts[i]);
    krt_tensor_free(whole);
    return st;
}

static krt_status read_pairs(krti_match *m, krt_tensor **read)
{
    krti_want *wants = krti_array(m->k, m->num_pairs, sizeof *wants);
    krt_status st = wants != NULL ? KRT_OK : KRT_E_NOMEM;

    for (size_t i = 0; st == KRT_OK && i < m->num_pairs; i++)
        wants[i] = (krti_want){m->pairs[i].array, m->pairs[i].variable->tensor->dtype,
                               !is_turned(&m->pairs[i])};
    if (st == KRT_OK)
        st = krti_store_tensors(m->store, wants, m->num_pairs, read);
    for (size_t i = 0; st == KRT_OK && i < m->num_pairs; i++)
        if (m->pairs[i].turn.num_parts > 0)
            st = join_parts(m, &m->pairs[i], &read[i]);
    for (size_t i = 0; st == KRT_OK && i < m->num_pairs; i++)
        st = turn_tensor(&read[i], &m->pairs[i]);
    krti_free(m->k, wants);
    return st;
}

/* Models compute in float32. What a float64 file says more precisely is kept where it lies, for a
 * save; those of its values that have not changed by then go on as they are. */
static krt_status keep_precise(krti_match *m, const krti_pair *p)
{
    const krti_want want = {p->array, KRT_FLOAT64, true};
    krt_variable *v = p->variable;

    krt_tensor_free(v->precise);
    v->precise = NULL;
    if (m->store->arrays[p->array].dtype != KRT_FLOAT64 || is_turned(p) ||
        v->tensor->dtype != KRT_FLOAT32 || strcmp(v->layer->dtype_policy, "float64") != 0)
        return KRT_OK;
    return krti_store_tensors(m->store, &want, 1, &v->precise);
}

static bool is_paired(const krti_match *m, const krt_variable *v)
{
    for (size_t i = 0; i < m->num_pairs; i++)
        if (m->pairs[i].variable == v)
            return true;
    return false;
}

/* Factors of LoRA that the file does not have lie in its kernel: once, with `only_room`, they get memory
 * of their own, then zeros, which cannot fail any more. */
static krt_status clear_factors(const krti_match *m, bool only_room)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < 2 * m->num_pairs; i++) {
        const krt_variable *kernel = m->pairs[i / 2].variable;
        krt_variable *factor = NULL;

        if (krti_is_lora_kernel(kernel))
            factor = krti_lora_factor(kernel->layer, (int)(i % 2));
        if (factor != NULL && !is_paired(m, factor))
            st = krti_lora_clear(factor, only_room);
    }
    return st;
}

krt_status krti_match_commit(krti_match *m)
{
    krt_tensor **read = krti_array(m->k, m->num_pairs, sizeof *read);
    krt_status st = read != NULL ? read_pairs(m, read) : KRT_E_NOMEM;

    if (st == KRT_OK)
        st = clear_factors(m, true);
    if (st == KRT_OK) /* compiled programs hold the old weights in their own layouts */
        st = krti_model_weights_moved(m->model);
    for (size_t i = 0; st == KRT_OK && i < m->num_pairs; i++)
        st = keep_precise(m, &m->pairs[i]);
    for (size_t i = 0; st == KRT_OK && i < m->num_pairs; i++)
        krti_variable_take(m->pairs[i].variable, read[i]);
    if (st == KRT_OK)
        st = clear_factors(m, false);
    if (st == KRT_OK && m->has_counted)
        st = krti_model_say_why(m->model);
    for (size_t i = 0; read != NULL && i < m->num_pairs; i++)
        krt_tensor_free(read[i]);
    krti_free(m->k, read);
    return st;
}
