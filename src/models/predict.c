/* Running models: compiled programs by input shapes, runs, and predict. Keras: trainers/trainer.py.
 *
 * The model keeps its plans, each for one set of input shapes (and one tapped layer), behind a
 * lock that is taken only to make or find one. A run keeps the memory for the plans it has used,
 * so a call on known shapes looks through a short list and goes. */
#include "models/model.h"
#include "ops/text.h"

#include <stdatomic.h>
#include <threads.h>

typedef struct cached_plan {
    struct cached_plan *next;
    const krt_layer *tap;
    int threads;
    krti_plan *plan;
    int64_t widths[KRTI_MAX_TEXTS]; /* of what is as wide as the texts; the others are 0 */
    krt_shape shapes[];             /* one an input */
} cached_plan;

struct krti_plans {
    krt_ctx *k; /* its own, so that compiling in a run's thread leaves the model's context alone */
    mtx_t lock;
    krti_packs *packs;
    cached_plan *first;
    atomic_int
        users; /* the model, while they are its current ones, and every run that has used them */
};

/* One user less; the last one frees. Runs come and go on the model's own thread. */
void krti_plans_free(struct krti_plans *plans)
{
    if (plans == NULL || atomic_fetch_sub(&plans->users, 1) > 1)
        return;
    krt_ctx *k = plans->k;

    while (plans->first != NULL) {
        cached_plan *next = plans->first->next;

        krti_plan_free(plans->first->plan);
        krti_free(k, plans->first);
        plans->first = next;
    }
    krti_packs_free(plans->packs);
    mtx_destroy(&plans->lock);
    krti_free(k, plans);
    krt_ctx_free(k);
}

static krt_status plans_new(krt_model *m)
{
    krt_ctx *parent = m->base.owned.k, *k = NULL;
    struct krti_plans *plans = NULL;
    krt_status st = krti_ctx_child(&k, parent);

    if (st != KRT_OK)
        return st;
    plans = krti_alloc(k, sizeof *plans);
    if (plans == NULL || krti_packs_new(k, &plans->packs) != KRT_OK ||
        mtx_init(&plans->lock, mtx_plain) != thrd_success) {
        krti_free(k, plans);
        krt_ctx_free(k);
        return krti_fail(parent, KRT_E_NOMEM, NULL, "out of memory");
    }
    plans->k = k;
    atomic_init(&plans->users, 1);
    m->plans = plans;
    return KRT_OK;
}

krt_status krti_model_weights_moved(krt_model *m)
{
    if (m->training != NULL)
        m->weights_moved(m->training);
    return krti_model_forget_plans(m);
}

krt_status krti_model_forget_plans(krt_model *m)
{
    struct krti_plans *old = m->plans;
    const krt_status st = old != NULL ? plans_new(m) : KRT_OK;

    if (st == KRT_OK)
        krti_plans_free(old);
    return st;
}

/* ------------------------------------------------------------------------------- compiling */

static krt_status add_outputs(krt_model *m, krti_graph *g, krt_value *const *in,
                              const krt_layer *layer)
{
    krti_tracing tracing = {.tap = layer};
    krt_value **out = krti_array(g->k, m->num_outputs + 1, sizeof *out);
    krt_value **out_mask = krti_array(g->k, m->num_outputs + 1, sizeof *out_mask);
    krt_status st = out != NULL && out_mask != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK)
        st = krti_model_trace(m, g, in, NULL, m->num_inputs, false, &tracing, out, out_mask);
    if (st == KRT_OK && layer != NULL && tracing.num_tapped == 0)
        st = krti_layer_fail(layer, KRT_E_NOT_FOUND, "the layer is not called in this model");
    if (layer == NULL)
        for (size_t i = 0; st == KRT_OK && i < m->num_outputs; i++)
            st = krti_graph_add_output(g, out[i]);
    else
        for (size_t i = 0; st == KRT_OK && i < tracing.num_tapped; i++)
            st = krti_graph_add_output(g, tracing.tapped[i]);
    krti_free(g->k, out);
    krti_free(g->k, out_mask);
    return st;
}

static krt_status compile(krt_model *m, krti_plan **out, const krt_shape *shapes,
                          const int64_t *widths, const krt_layer *layer, int threads)
{
    krt_ctx *k = m->plans->k;
    krti_graph *g = NULL;
    krt_value **in = krti_array(k, m->num_inputs + 1, sizeof *in);
    krt_status st = in != NULL ? krti_graph_new(k, &g) : KRT_E_NOMEM;

    if (st != KRT_OK)
        goto done;
    g->text_widths = widths;
    for (size_t i = 0; i < m->num_inputs; i++)
        in[i] = krti_input(g, m->inputs[i].dtype, shapes[i]);
    TRY(g->status);
    TRY(add_outputs(m, g, in, layer));
    st = krti_compile(k, out, g, m->plans->packs, &(krti_compile_args){.threads = threads});
    g = NULL;

done:
    krti_graph_free(g);
    krti_free(k, in);
    return st;
}

static cached_plan *find_plan(const krt_model *m, const krt_shape *shapes, const int64_t *widths,
                              const krt_layer *layer, int threads)
{
    for (cached_plan *c = m->plans->first; c != NULL; c = c->next) {
        bool same = c->tap == layer && c->threads == threads &&
                    memcmp(c->widths, widths, sizeof c->widths) == 0;

        for (size_t i = 0; same && i < m->num_inputs; i++)
            same = krt_shape_equal(c->shapes[i], shapes[i]);
        if (same)
            return c;
    }
    return NULL;
}

static krt_status make_plan(krt_model *m, cached_plan **out, const krt_shape *shapes,
                            const int64_t *widths, const krt_layer *layer, int threads)
{
    krt_ctx *k = m->plans->k;
    const size_t bytes = m->num_inputs * sizeof(krt_shape);
    cached_plan *c = krti_alloc(k, sizeof *c + bytes);
    krt_status st = KRT_OK;

    *out = NULL;
    if (c == NULL)
        return KRT_E_NOMEM;
    memcpy(c->widths, widths, sizeof c->widths);
    st = compile(m, &c->plan, shapes, c->widths, layer, threads);
    if (st != KRT_OK) {
        krti_free(k, c);
        return st;
    }
    c->tap = layer;
    c->threads = threads;
    memcpy(c->shapes, shapes, bytes);
    c->next = m->plans->first;
    m->plans->first = c;
    *out = c;
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- runs */

typedef struct prepared {
    struct prepared *next;
    krti_exec *exec;
    const cached_plan *plan;
} prepared;

/* The run's own state of a stateful layer, which the model has another of. */
typedef struct own_state {
    struct own_state *next;
    const krt_tensor *of;
    krt_tensor *tensor;
} own_state;

struct krt_run {
    krti_owned owned; /* of the model's context */
    krt_ctx *k;       /* its own */
    krt_model *m;
    struct krti_plans *plans; /* those its prepared memory belongs to */
    const krt_layer *layer;
    int threads;
    prepared *first;
    prepared *last_used;
    own_state *states;  /* of all its plans */
    bool shares_states; /* goes on from the model's and leaves them there */
};

/* Gives back what was prepared, and the plans it was prepared for. */
static void unprepare(krt_run *r)
{
    while (r->first != NULL) {
        prepared *next = r->first->next;

        krti_exec_free(r->first->exec);
        krti_free(r->k, r->first);
        r->first = next;
    }
    r->last_used = NULL;
    krti_plans_free(r->plans);
    r->plans = NULL;
}

/* The model's current plans: others than before when its weights have changed meanwhile. */
static void take_plans(krt_run *r)
{
    if (r->plans == r->m->plans)
        return;
    unprepare(r);
    r->plans = r->m->plans;
    atomic_fetch_add(&r->plans->users, 1);
}

static void run_destroy(void *self)
{
    krt_run *r = self;
    krt_ctx *k = r->k, *parent = r->owned.k;

    if (k != NULL)
        unprepare(r);
    while (r->states != NULL) {
        own_state *next = r->states->next;

        krt_tensor_free(r->states->tensor);
        krti_free(k, r->states);
        r->states = next;
    }
    krt_ctx_free(k);
    krti_free(parent, r);
}

void krt_run_free(krt_run *r)
{
    if (r == NULL)
        return;
    krti_disown(&r->owned);
    run_destroy(r);
}

/* A Sequential that was never told its input's shape takes the one it is called on, its batch size
 * aside, as in Keras. */
static krt_status build_for(krt_model *m, krt_shape shape)
{
    krt_status st = KRT_OK;

    if (m->inputs[0].shape.rank >= 0 || shape.rank < 1)
        return KRT_OK;
    m->inputs[0].shape = shape;
    m->inputs[0].shape.dim[0] = KRT_NONE;
    st = krti_model_build(m);
    return st == KRT_OK ? krti_layer_initialize(&m->base) : st;
}

static krt_status can_run(krt_model *m)
{
    krt_status st = m->failed;

    if (st == KRT_OK && m->num_inputs == 0 && m->num_layers > 0)
        st = krti_sequential_open_input(m);
    if (st != KRT_OK)
        return st;
    if (m->cannot_run != NULL)
        return krti_fail(m->base.owned.k, m->cannot_status, NULL, "%s", m->cannot_run);
    if (m->num_inputs == 0 || m->num_outputs == 0)
        return krti_layer_fail(&m->base, KRT_E_STATE, "the model has no input shape yet");
    return krti_layer_initialize(&m->base);
}

krt_status krti_model_ready(krt_model *m, krt_shape shape)
{
    krt_status st = can_run(m);

    if (st == KRT_OK && m->num_inputs > 0)
        st = build_for(m, shape);
    return st;
}

/* A layer by name, in the model or, by "model/layer", in a model inside it. */
static krt_status find_layer(krt_model *m, const char *name, const krt_layer **out)
{
    const char *slash = strchr(name, '/');
    char first[256];

    *out = krt_get_layer(m, name);
    if (*out != NULL)
        return KRT_OK;
    if (slash != NULL && (size_t)(slash - name) < sizeof first) {
        snprintf(first, sizeof first, "%.*s", (int)(slash - name), name);
        krt_model *inner = krti_model_of(krt_get_layer(m, first));
        if (inner != NULL)
            return find_layer(inner, slash + 1, out);
    }
    return krti_fail(m->base.owned.k, KRT_E_NOT_FOUND, name, "No such layer: %s", name);
}

krt_status krt_run_new(krt_model *m, krt_run **out, const krt_run_args *args)
{
    static const krt_run_args defaults = {.struct_size = sizeof defaults};
    krt_ctx *k = m->base.owned.k;
    krt_run_args a;
    krt_run *r = NULL;
    krt_status st = KRT_OK;

    *out = NULL;
    TRY(krti_args_import(k, &a, &defaults, sizeof a, args));
    TRY(can_run(m));
    if (m->plans == NULL)
        TRY(plans_new(m));
    r = krti_alloc(k, sizeof *r);
    if (r == NULL)
        TRY(KRT_E_NOMEM);
    r->m = m;
    krti_own(k, &r->owned, run_destroy);
    TRY(krti_ctx_child(&r->k, k));
    take_plans(r);
    if (a.layer != NULL)
        TRY(find_layer(m, a.layer, &r->layer));
    r->threads = a.threads > 0 ? a.threads : k->threads > 0 ? k->threads : krti_num_processors();
    *out = r;
    r = NULL;

done:
    krt_run_free(r);
    return st;
}

static bool matches(const prepared *p, const krt_shape *shapes, const int64_t *widths, size_t n)
{
    if (memcmp(p->plan->widths, widths, sizeof p->plan->widths) != 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!krt_shape_equal(p->plan->shapes[i], shapes[i]))
            return false;
    return true;
}

static krt_status check_shape(krt_run *r, size_t i, krt_shape shape)
{
    const krti_model_input *input = &r->m->inputs[i];
    char found[160], wanted[160];
    const bool is_known = krti_shape_known(shape);
    bool fits = shape.rank == input->shape.rank && is_known;

    for (int d = 0; fits && d < shape.rank; d++)
        fits = input->shape.dim[d] == KRT_NONE || d == 0 || input->shape.dim[d] == shape.dim[d];
    fits = fits || (input->shape.rank < 0 && is_known);
    if (fits && krt_shape_size(shape) > 0)
        return KRT_OK;
    if (fits)
        return krti_fail(r->k, KRT_E_INVALID, input->name,
                         "x has shape %s: there is nothing in it to compute with",
                         krt_shape_print(shape, found, sizeof found));
    return krti_fail(r->k, KRT_E_INVALID, input->name, "x has shape %s, the model wants %s",
                     krt_shape_print(shape, found, sizeof found),
                     krt_shape_print(input->shape, wanted, sizeof wanted));
}

/* Finds or makes the plan under the lock; the failure moves into the run. */
static krt_status locked_plan(krt_run *r, cached_plan **plan, const krt_shape *shapes,
                              const int64_t *widths)
{
    struct krti_plans *plans = r->m->plans;
    krt_status st = KRT_OK;

    mtx_lock(&plans->lock);
    *plan = find_plan(r->m, shapes, widths, r->layer, r->threads);
    if (*plan == NULL) {
        krt_ctx *parent = r->m->base.owned.k;

        st = build_for(r->m, shapes[0]);
        if (st == KRT_OK)
            st = make_plan(r->m, plan, shapes, widths, r->layer, r->threads);
        if (st != KRT_OK)
            krti_fail_copy(r->k, plans->k->error.status != KRT_OK ? plans->k : parent);
        plans->k->error.status = KRT_OK;
    }
    mtx_unlock(&plans->lock);
    return st;
}

/* Zeros at first. */
static const krt_tensor *state_of(void *user, const krt_tensor *variable)
{
    krt_run *const r = user;
    own_state *s = r->states;

    while (s != NULL && s->of != variable)
        s = s->next;
    if (s != NULL)
        return s->tensor;
    s = krti_alloc(r->k, sizeof *s);
    if (s == NULL || krt_tensor_new(r->k, &s->tensor, variable->dtype, variable->shape) != KRT_OK) {
        krti_free(r->k, s);
        return NULL;
    }
    s->of = variable;
    s->next = r->states;
    r->states = s;
    return s->tensor;
}

void krt_run_reset_states(krt_run *r)
{
    for (own_state *s = r->states; s != NULL; s = s->next)
        memset(s->tensor->data, 0, s->tensor->size_bytes);
}

/* The longest text of the batch decides how wide what is made of it is. */
static krt_status measure_texts(krt_run *r, const void *const *x, const krt_shape *shapes,
                                int64_t widths[KRTI_MAX_TEXTS])
{
    for (size_t i = 0; i < r->m->num_texts; i++) {
        const krti_text_use *const use = &r->m->texts[i];
        const krt_shape s = shapes[use->input];
        const int64_t k = s.rank == 2 ? s.dim[1] : 1, rows = s.rank > 0 ? s.dim[0] : 0;
        const krt_string *const texts = x != NULL ? x[use->input] : NULL;

        if (s.rank < 1 || s.rank > 2) /* which is refused later, in words */
            continue;
        if (texts == NULL)
            return krti_fail(
                r->k, KRT_E_UNSUPPORTED, r->m->inputs[use->input].name,
                "the model's shapes follow the longest text, so only a call with texts "
                "prepares it");
        for (int64_t row = 0; row < rows; row++) {
            const int64_t n = krti_vectorizer_count(use->how, texts + row * k, k);

            widths[i] = n > widths[i] ? n : widths[i];
        }
        if (widths[i] == 0)
            return krti_fail(r->k, KRT_E_INVALID, r->m->inputs[use->input].name,
                             "every text of the batch is empty, which leaves nothing to compute "
                             "with; give the layer an output_sequence_length");
    }
    return KRT_OK;
}

static krt_status prepare(krt_run *r, const krt_shape *shapes, const int64_t *widths, size_t num_x)
{
    cached_plan *plan = NULL;
    krt_status st = KRT_OK;

    if (num_x != r->m->num_inputs)
        return krti_fail(r->k, KRT_E_INVALID, NULL, "the model has %zu inputs, %zu were given",
                         r->m->num_inputs, num_x);
    take_plans(r);
    for (prepared *p = r->first; p != NULL; p = p->next) {
        if (matches(p, shapes, widths, num_x)) {
            r->last_used = p;
            return KRT_OK;
        }
    }
    for (size_t i = 0; i < num_x; i++)
        if ((st = check_shape(r, i, shapes[i])) != KRT_OK)
            return st;
    st = locked_plan(r, &plan, shapes, widths);
    if (st != KRT_OK)
        return st;
    prepared *p = krti_alloc(r->k, sizeof *p);
    if (p == NULL)
        return KRT_E_NOMEM;
    st = krti_exec_new(r->k, &p->exec, plan->plan);
    if (st == KRT_OK && !r->shares_states)
        st = krti_exec_own_states(p->exec, state_of, r);
    if (st != KRT_OK) {
        krti_exec_free(p->exec);
        krti_free(r->k, p);
        return st;
    }
    p->plan = plan;
    p->next = r->first;
    r->first = p;
    r->last_used = p;
    return KRT_OK;
}

krt_status krt_run_prepare(krt_run *r, const krt_shape *shapes, size_t num_x)
{
    int64_t widths[KRTI_MAX_TEXTS] = {0};
    const krt_status st =
        num_x == r->m->num_inputs ? measure_texts(r, NULL, shapes, widths) : KRT_OK;

    return st == KRT_OK ? prepare(r, shapes, widths, num_x) : st;
}

krt_status krt_run_call(krt_run *r, const void *const *x, const krt_shape *shapes, size_t num_x)
{
    int64_t widths[KRTI_MAX_TEXTS] = {0};
    krt_status st = num_x == r->m->num_inputs ? measure_texts(r, x, shapes, widths) : KRT_OK;

    if (st != KRT_OK)
        return st;
    if (r->last_used == NULL || r->plans != r->m->plans || num_x != r->m->num_inputs ||
        !matches(r->last_used, shapes, widths, num_x))
        st = prepare(r, shapes, widths, num_x);
    return st == KRT_OK ? krti_exec_run(r->last_used->exec, x) : st;
}

static const krt_value *output_value(const krt_run *r, size_t i)
{
    if (r->last_used == NULL || i >= r->last_used->plan->plan->graph->num_outputs)
        return NULL;
    return r->last_used->plan->plan->graph->outputs[i];
}

size_t krt_run_num_outputs(const krt_run *r)
{
    return r->last_used != NULL ? r->last_used->plan->plan->graph->num_outputs : r->m->num_outputs;
}

const void *krt_run_output(const krt_run *r, size_t i)
{
    return output_value(r, i) != NULL ? krti_exec_output(r->last_used->exec, i) : NULL;
}

krt_shape krt_run_output_shape(const krt_run *r, size_t i)
{
    const krt_value *v = output_value(r, i);

    return v != NULL ? v->shape : (krt_shape){.rank = -1};
}

krt_dtype krt_run_output_dtype(const krt_run *r, size_t i)
{
    const krt_value *v = output_value(r, i);

    return v != NULL ? v->dtype : KRT_DTYPE_NONE;
}

const krt_error *krt_run_error(const krt_run *r)
{
    return krt_ctx_error(r->k);
}

size_t krt_run_arena_bytes(const krt_run *r)
{
    return r->last_used != NULL ? r->last_used->plan->plan->arena_bytes : 0;
}

krt_status krti_run_profile(krt_run *r, const void *const *x, int repeats, krti_str *out)
{
    if (r->last_used == NULL)
        return krti_fail(r->k, KRT_E_STATE, NULL, "the run has not been prepared");
    return krti_exec_profile(r->last_used->exec, x, repeats, out);
}

/* ------------------------------------------------------------------------------- predict */

/* One input on its way through predict: cast whole, cut into batches. */
typedef struct feed {
    const krt_tensor *x; /* of the input's dtype and rank */
    krt_tensor *cast, *shaped;
    size_t bytes_a_row;
} feed;

static void feed_free(feed *f)
{
    krt_tensor_free(f->shaped);
    krt_tensor_free(f->cast);
}

/* Images often come without their single channel. */
static krt_status add_channel_axis(feed *f, const krti_model_input *input)
{
    krt_shape s = f->x->shape;
    const int wanted = input->shape.rank;

    if (wanted < 2 || s.rank != wanted - 1 || input->shape.dim[wanted - 1] != 1)
        return KRT_OK;
    s.dim[s.rank++] = 1;
    const krt_status st = krt_tensor_reshape(f->x, &f->shaped, s);
    if (st == KRT_OK)
        f->x = f->shaped;
    return st;
}

static krt_status feed_init(feed *f, const krti_model_input *input, const krt_tensor *x)
{
    krt_status st = KRT_OK;

    f->x = x;
    if (x->dtype != input->dtype) {
        TRY(krt_tensor_cast(x, &f->cast, input->dtype));
        f->x = f->cast;
    }
    TRY(add_channel_axis(f, input));
    if (f->x->shape.rank > 0 && f->x->shape.dim[0] > 0)
        f->bytes_a_row = f->x->size_bytes / (size_t)f->x->shape.dim[0];

done:
    return st;
}

typedef struct predicting {
    krt_ctx *k;
    krt_model *m;
    krt_run *run;
    feed *feeds;
    const void **data;
    krt_shape *shapes;
    int64_t rows;
    krt_tensor **out;
    size_t num_out;
} predicting;

static krt_status run_batch(predicting *p, int64_t start, int64_t n)
{
    for (size_t i = 0; i < p->m->num_inputs; i++) {
        const feed *f = &p->feeds[i];

        p->shapes[i] = f->x->shape;
        p->shapes[i].dim[0] = n;
        p->data[i] = (const char *)f->x->data + (size_t)start * f->bytes_a_row;
    }
    const krt_status st = krt_run_call(p->run, p->data, p->shapes, p->m->num_inputs);
    if (st != KRT_OK)
        krti_fail_copy(p->k, p->run->k);
    return st;
}

static krt_status make_outputs(predicting *p, int64_t n)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < p->num_out; i++) {
        krt_shape s = krt_run_output_shape(p->run, i);

        if (s.rank > 0 && s.dim[0] == n)
            s.dim[0] = p->rows;
        else if (n != p->rows)
            return krti_fail(p->k, KRT_E_INVALID, NULL,
                             "output %zu has no batch axis, so the batch cannot be cut; use a "
                             "batch_size of at least %lld",
                             i, (long long)p->rows);
        st = krt_tensor_new(p->k, &p->out[i], krt_run_output_dtype(p->run, i), s);
    }
    return st;
}

/* Where the width of an output follows the texts, batches may differ. */
static krt_status check_batch(predicting *p, int64_t n)
{
    char first[160], found[160];

    for (size_t i = 0; p->m->num_texts > 0 && i < p->num_out; i++) {
        krt_shape s = krt_run_output_shape(p->run, i);

        if (s.rank > 0 && s.dim[0] == n)
            s.dim[0] = p->rows;
        if (!krt_shape_equal(s, p->out[i]->shape))
            return krti_fail(p->k, KRT_E_INVALID, NULL,
                             "output %zu is %s in the first batch and %s in a later one; use a "
                             "batch_size of at least %lld",
                             i, krt_shape_print(p->out[i]->shape, first, sizeof first),
                             krt_shape_print(s, found, sizeof found), (long long)p->rows);
    }
    return KRT_OK;
}

static void keep_batch(predicting *p, int64_t start, int64_t n)
{
    for (size_t i = 0; i < p->num_out; i++) {
        const size_t a_row = p->out[i]->size_bytes / (size_t)p->rows;
        /* All of it at once when one batch was all: an output need not have a batch axis then. */
        const size_t bytes = n == p->rows ? p->out[i]->size_bytes : a_row * (size_t)n;

        if (bytes > 0)
            memcpy((char *)p->out[i]->data + (size_t)start * a_row, krt_run_output(p->run, i),
                   bytes);
    }
}

static krt_status run_batches(predicting *p, int64_t batch_size)
{
    krt_status st = KRT_OK;

    for (int64_t start = 0; start < p->rows; start += batch_size) {
        const int64_t n = p->rows - start < batch_size ? p->rows - start : batch_size;

        TRY(run_batch(p, start, n));
        if (start == 0)
            TRY(make_outputs(p, n));
        TRY(check_batch(p, n));
        keep_batch(p, start, n);
    }

done:
    return st;
}

static krt_status check_arguments(predicting *p, size_t num_x, const krt_predict_args *a)
{
    if (a->batch_size <= 0)
        return krti_fail(p->k, KRT_E_INVALID, NULL, "batch_size is %lld, expected 1 or more",
                         (long long)a->batch_size);
    if (num_x != p->m->num_inputs)
        return krti_fail(p->k, KRT_E_INVALID, NULL, "the model has %zu inputs, %zu were given",
                         p->m->num_inputs, num_x);
    return KRT_OK;
}

static krt_status make_feeds(predicting *p, const krt_tensor *const *x)
{
    const size_t n = p->m->num_inputs;
    krt_status st = KRT_OK;

    p->feeds = krti_array(p->k, n + 1, sizeof *p->feeds);
    p->data = krti_array(p->k, n + 1, sizeof *p->data);
    p->shapes = krti_array(p->k, n + 1, sizeof *p->shapes);
    if (p->feeds == NULL || p->data == NULL || p->shapes == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        TRY(feed_init(&p->feeds[i], &p->m->inputs[i], x[i]));
        const krt_shape s = p->feeds[i].x->shape;
        const int64_t rows = s.rank > 0 ? s.dim[0] : 0;

        TRY(check_shape(p->run, i, s) == KRT_OK ? KRT_OK
                                                : (krti_fail_copy(p->k, p->run->k), KRT_E_INVALID));
        if (i > 0 && rows != p->rows)
            TRY(krti_fail(p->k, KRT_E_INVALID, p->m->inputs[i].name,
                          "x has %lld rows, the first input has %lld", (long long)rows,
                          (long long)p->rows));
        p->rows = rows;
    }

done:
    return st;
}

static krt_status predict_with(krt_run *run, krt_tensor **out, size_t num_out,
                               const krt_tensor *const *x, size_t num_x,
                               const krt_predict_args *args)
{
    static const krt_predict_args defaults = {.struct_size = sizeof defaults, .batch_size = 32};
    predicting p = {
        .k = run->m->base.owned.k, .m = run->m, .run = run, .out = out, .num_out = num_out};
    krt_predict_args a;
    krt_status st = KRT_OK;

    TRY(krti_args_import(p.k, &a, &defaults, sizeof a, args));
    TRY(check_arguments(&p, num_x, &a));
    TRY(make_feeds(&p, x));
    TRY(run_batches(&p, a.batch_size));
    for (size_t i = 0; i < num_out; i++) /* strings lie in the model so far, or in x */
        TRY(krti_tensor_keep_texts(out[i]));

done:
    for (size_t i = 0; p.feeds != NULL && i < p.m->num_inputs; i++)
        feed_free(&p.feeds[i]);
    krti_free(p.k, p.feeds);
    krti_free(p.k, (void *)p.data);
    krti_free(p.k, p.shapes);
    for (size_t i = 0; st != KRT_OK && i < num_out; i++) {
        krt_tensor_free(out[i]);
        out[i] = NULL;
    }
    return st;
}

krt_status krt_run_predict(krt_run *run, krt_tensor **out, size_t num_out,
                           const krt_tensor *const *x, size_t num_x, const krt_predict_args *args)
{
    for (size_t i = 0; i < num_out; i++)
        out[i] = NULL;
    return predict_with(run, out, num_out, x, num_x, args);
}

krt_status krt_predict_n(krt_model *m, krt_tensor **out, size_t num_out, const krt_tensor *const *x,
                         size_t num_x, const krt_predict_args *args)
{
    krt_run *run = NULL;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < num_out; i++)
        out[i] = NULL;
    st = krt_run_new(m, &run, NULL);
    if (st == KRT_OK && num_out != m->num_outputs)
        st =
            krti_fail(m->base.owned.k, KRT_E_INVALID, NULL,
                      "the model has %zu outputs, room for %zu was given", m->num_outputs, num_out);
    if (st == KRT_OK) {
        run->shares_states = true;
        st = predict_with(run, out, num_out, x, num_x, args);
    }
    krt_run_free(run);
    return st;
}

krt_status krt_predict(krt_model *m, krt_tensor **out, const krt_tensor *x,
                       const krt_predict_args *args)
{
    return krt_predict_n(m, out, 1, &x, 1, args);
}
