/* Batches from a source, fetched one ahead. See prefetch.h. Keras: data_adapters/
 * generator_data_adapter.py.
 *
 * Two slots: the thread fills one while the other is trained on. What a source hands out is copied and
 * converted at once, so that it may reuse its memory. The thread has a context of its own, for
 * memory and failures. */
#include "training/prefetch.h"

#include <threads.h>

enum { SLOTS = 2 };

typedef enum slot_state { FREE, FILLED, END, FAILED } slot_state;

/* One fetched batch. */
typedef struct slot {
    slot_state state;
    krt_status status;
    size_t capacity; /* entries of the lists below */
    void **data;
    size_t *bytes;
    krt_shape *shapes;
    size_t num_x, num_y, num_weights;
    const float **weights; /* one an output */
    krt_shape *weight_shapes;
    krti_step_data step;
} slot;

struct krti_prefetch {
    krt_source from;
    struct krti_training *t;
    krt_ctx *k; /* the thread's */
    slot slots[SLOTS];
    size_t next;     /* slot to hand out */
    bool is_taken;   /* the slot before `next` is in use */
    bool is_running; /* a pass is under way */
    bool is_stopping;
    mtx_t lock;
    cnd_t changed;
    thrd_t thread;
    bool has_thread;
};

/* ------------------------------------------------------------------------------- filling */

static krt_status room(krti_prefetch *s, slot *b, size_t n)
{
    const size_t outputs = s->t->m->num_outputs;

    if (b->weights == NULL) {
        b->weights = krti_array(s->k, outputs + 1, sizeof *b->weights);
        b->weight_shapes = krti_array(s->k, outputs + 1, sizeof *b->weight_shapes);
        if (b->weights == NULL || b->weight_shapes == NULL)
            return KRT_E_NOMEM;
    }
    if (n <= b->capacity)
        return KRT_OK;
    void **data = krti_resize(s->k, b->data, n * sizeof *data);
    if (data == NULL)
        return KRT_E_NOMEM;
    b->data = data;
    size_t *bytes = krti_resize(s->k, b->bytes, n * sizeof *bytes);
    if (bytes == NULL)
        return KRT_E_NOMEM;
    b->bytes = bytes;
    krt_shape *shapes = krti_resize(s->k, b->shapes, n * sizeof *shapes);
    if (shapes == NULL)
        return KRT_E_NOMEM;
    b->shapes = shapes;
    for (size_t i = b->capacity; i < n; i++) {
        b->data[i] = NULL;
        b->bytes[i] = 0;
    }
    b->capacity = n;
    return KRT_OK;
}

static krt_status copy_array(krti_prefetch *s, slot *b, size_t i, const krt_array *from,
                             krt_dtype dtype)
{
    const int64_t n = krt_shape_size(from->shape);
    size_t bytes = 0;

    if (from->data == NULL || from->shape.rank < 1 || n < 1 || krt_dtype_size(from->dtype) == 0 ||
        !krti_shape_bytes(from->shape, dtype, &bytes))
        return krti_fail(s->k, KRT_E_INVALID, NULL, "array %zu of a batch has no rows", i);
    if (bytes > b->bytes[i]) {
        krti_free(s->k, b->data[i]);
        b->bytes[i] = 0;
        b->data[i] = krti_alloc_raw(s->k, bytes);
        if (b->data[i] == NULL)
            return KRT_E_NOMEM;
        b->bytes[i] = bytes;
    }
    krti_convert(b->data[i], dtype, from->data, from->dtype, (size_t)n);
    b->shapes[i] = from->shape;
    return KRT_OK;
}

static krt_status check_batch(krti_prefetch *s, const krt_batch *batch)
{
    const krt_model *m = s->t->m;

    if (batch->num_x != m->num_inputs || batch->num_y == 0)
        return krti_fail(s->k, KRT_E_INVALID, NULL,
                         "a batch has %zu x and %zu y, the model has %zu inputs and %zu outputs",
                         batch->num_x, batch->num_y, m->num_inputs, m->num_outputs);
    if (batch->num_weights > 1 && batch->num_weights != m->num_outputs)
        return krti_fail(s->k, KRT_E_INVALID, NULL,
                         "a batch has %zu sample weights for %zu outputs", batch->num_weights,
                         m->num_outputs);
    return KRT_OK;
}

static void show(krti_prefetch *s, slot *b)
{
    const size_t weights = b->num_x + b->num_y;

    for (size_t i = 0; i < s->t->m->num_outputs && b->num_weights > 0; i++) {
        const size_t own = weights + (b->num_weights > 1 ? i : 0);

        b->weights[i] = b->data[own];
        b->weight_shapes[i] = b->shapes[own];
    }
    b->step = (krti_step_data){
        .x = (const void *const *)b->data,
        .x_shapes = b->shapes,
        .y = (const float *const *)(const void *)(b->data + b->num_x),
        .y_shapes = b->shapes + b->num_x,
        .num_y = b->num_y,
        .weights = b->num_weights > 0 ? b->weights : NULL,
        .weight_shapes = b->weight_shapes,
        .rows = b->shapes[0].dim[0],
    };
}

static krt_status copy_batch(krti_prefetch *s, slot *b, const krt_batch *batch)
{
    size_t n = 0;
    krt_status st = check_batch(s, batch);

    if (st == KRT_OK)
        st = room(s, b, batch->num_x + batch->num_y + batch->num_weights);
    if (st != KRT_OK)
        return st;
    b->num_x = batch->num_x;
    b->num_y = batch->num_y;
    b->num_weights = batch->num_weights;
    for (size_t i = 0; i < batch->num_x; i++)
        TRY(copy_array(s, b, n++, &batch->x[i], s->t->m->inputs[i].dtype));
    for (size_t i = 0; i < batch->num_y; i++)
        TRY(copy_array(s, b, n++, &batch->y[i], KRT_FLOAT32));
    for (size_t i = 0; i < batch->num_weights; i++)
        TRY(copy_array(s, b, n++, &batch->sample_weight[i], KRT_FLOAT32));
    for (size_t i = 1; i < n; i++)
        if (b->shapes[i].dim[0] != b->shapes[0].dim[0])
            TRY(krti_fail(s->k, KRT_E_INVALID, NULL,
                          "array %zu of a batch has %lld rows, the first has %lld", i,
                          (long long)b->shapes[i].dim[0], (long long)b->shapes[0].dim[0]));
    show(s, b);

done:
    return st;
}

/* ------------------------------------------------------------------------------- the thread */

static void fetch(krti_prefetch *s, slot *b)
{
    krt_batch batch = {.num_x = 0};
    bool is_end = false;

    b->status = s->from.next(s->from.user, &batch, &is_end);
    if (b->status != KRT_OK)
        (void)krti_fail(s->k, b->status, NULL, "the source of batches failed (%s)",
                        krt_status_name(b->status));
    else if (!is_end)
        b->status = copy_batch(s, b, &batch);
    b->state = b->status != KRT_OK ? FAILED : is_end ? END : FILLED;
}

static int run_thread(void *user)
{
    krti_prefetch *s = user;
    size_t at = 0;

    mtx_lock(&s->lock);
    while (!s->is_stopping) {
        slot *b = &s->slots[at];

        if (b->state != FREE || !s->is_running) {
            cnd_wait(&s->changed, &s->lock);
            continue;
        }
        mtx_unlock(&s->lock);
        fetch(s, b);
        mtx_lock(&s->lock);
        if (b->state != FILLED)
            s->is_running = false; /* the next pass begins when it is asked for */
        at = (at + 1) % SLOTS;
        cnd_broadcast(&s->changed);
    }
    mtx_unlock(&s->lock);
    return 0;
}

/* ------------------------------------------------------------------------------- handing out */

krt_status krti_prefetch_new(struct krti_training *t, krti_prefetch **out, const krt_source *source)
{
    krti_prefetch *s = krti_alloc(t->k, sizeof *s);
    krt_status st = KRT_OK;

    *out = s;
    if (s == NULL)
        return KRT_E_NOMEM;
    s->t = t;
    s->from = (krt_source){.struct_size = sizeof s->from, .steps = KRT_NONE};
    st = krti_args_import(t->k, &s->from,
                          &(krt_source){.struct_size = sizeof s->from, .steps = KRT_NONE},
                          sizeof s->from, source);
    if (st == KRT_OK && s->from.next == NULL)
        st = krti_fail(t->k, KRT_E_INVALID, NULL, "the source of batches has no next()");
    if (st == KRT_OK)
        st = krti_ctx_child(&s->k, t->k);
    if (st != KRT_OK)
        return st;
    if (mtx_init(&s->lock, mtx_plain) != thrd_success || cnd_init(&s->changed) != thrd_success ||
        thrd_create(&s->thread, run_thread, s) != thrd_success)
        return krti_fail(t->k, KRT_E_NOMEM, NULL, "no thread for the source of batches");
    s->has_thread = true;
    return KRT_OK;
}

static void slot_free(krt_ctx *k, slot *b)
{
    for (size_t i = 0; i < b->capacity; i++)
        krti_free(k, b->data[i]);
    krti_free(k, b->data);
    krti_free(k, b->bytes);
    krti_free(k, b->shapes);
    krti_free(k, (void *)b->weights);
    krti_free(k, b->weight_shapes);
}

void krti_prefetch_free(krti_prefetch *s)
{
    if (s == NULL)
        return;
    if (s->has_thread) {
        mtx_lock(&s->lock);
        s->is_stopping = true;
        cnd_broadcast(&s->changed);
        mtx_unlock(&s->lock);
        thrd_join(s->thread, NULL);
        cnd_destroy(&s->changed);
        mtx_destroy(&s->lock);
    }
    for (size_t i = 0; s->k != NULL && i < SLOTS; i++)
        slot_free(s->k, &s->slots[i]);
    krt_ctx_free(s->k);
    krti_free(s->t->k, s);
}

int64_t krti_prefetch_steps(const krti_prefetch *s)
{
    return s->from.steps;
}

krt_status krti_prefetch_begin(krti_prefetch *s)
{
    mtx_lock(&s->lock);
    s->is_running = true;
    cnd_broadcast(&s->changed);
    mtx_unlock(&s->lock);
    return KRT_OK;
}

krt_status krti_prefetch_next(krti_prefetch *s, const krti_step_data **out)
{
    slot *b = &s->slots[s->next];
    krt_status st = KRT_OK;

    *out = NULL;
    mtx_lock(&s->lock);
    if (s->is_taken)
        s->slots[(s->next + SLOTS - 1) % SLOTS].state = FREE;
    s->is_taken = false;
    cnd_broadcast(&s->changed);
    while (b->state == FREE)
        cnd_wait(&s->changed, &s->lock);
    s->next = (s->next + 1) % SLOTS;
    if (b->state == FILLED) {
        s->is_taken = true;
        *out = &b->step;
    } else {
        st = b->status;
        b->state = FREE;
        if (st != KRT_OK)
            krti_fail_copy(s->t->k, s->k);
    }
    mtx_unlock(&s->lock);
    return st;
}
