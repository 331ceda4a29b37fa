/* Saving in the background: krt_save_async(), krt_save_weights_async(), krt_save_wait().
 *
 * The weights are copied, once, before the call returns; a thread writes the copy while training goes
 * on. It has a context of its own, so that its errors and its memory never meet the model's. There is
 * one such save at a time: the next save of the context waits for it and passes its failure on, so
 * none is lost. */
#include "saving/save_named.h"
#include "saving/save_plan.h"

#include <threads.h>

typedef struct background {
    krti_owned owned;
    krt_ctx *k; /* the thread's */
    krti_save_plan plan;
    void *copy; /* of all data */
    thrd_t thread;
    bool is_running;
    krt_status status;
} background;

static int run(void *user)
{
    background *b = user;

    b->status = krti_save_plan_write(&b->plan);
    return 0;
}

static void join(background *b)
{
    if (b->is_running)
        (void)thrd_join(b->thread, NULL);
    b->is_running = false;
}

/* Waits, so that a context that ends does not cut a save short. */
static void background_destroy(void *self)
{
    background *b = self;
    krt_ctx *k = b->owned.k;

    join(b);
    krti_save_plan_free(&b->plan);
    if (b->k != NULL)
        krti_free(b->k, b->copy);
    krt_ctx_free(b->k);
    krti_free(k, b);
}

static background *find(krt_ctx *k)
{
    for (krti_owned *o = k->owned; o != NULL; o = o->next)
        if (o->destroy == background_destroy)
            return (background *)o;
    return NULL;
}

krt_status krt_save_wait(krt_ctx *k)
{
    background *b = find(k);
    krt_status st = KRT_OK;

    if (b == NULL)
        return KRT_OK;
    join(b);
    st = b->status;
    if (st != KRT_OK)
        krti_fail_copy(k, b->k);
    krti_disown(&b->owned);
    background_destroy(b);
    return st;
}

/* ------------------------------------------------------------------------------- the copy */

static krt_status copy_data(background *b)
{
    enum { ALIGNMENT = 64 };
    krti_save_list *l = b->plan.list;
    size_t total = 0, at = 0;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < l->num_arrays; i++)
        total += (size_t)(l->arrays[i].size_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    b->copy = krti_alloc_raw(b->k, total);
    if (b->copy == NULL)
        return KRT_E_NOMEM;
    krti_advise_pages(b->copy, total, true);
    for (size_t i = 0; i < l->num_arrays; i++) {
        krti_save_array *a = &l->arrays[i];
        void *to = (char *)b->copy + at;

        TRY(krti_save_array_read(l, a, to));
        a->data = to;
        a->data_dtype = a->dtype;
        a->precise = NULL;
        a->source = NULL;
        at += (size_t)(a->size_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    l->store = NULL;

done:
    return st;
}

/* ------------------------------------------------------------------------------- starting */

static krt_status begin(krt_ctx *k, background **out)
{
    background *b = NULL;
    krt_status st = krt_save_wait(k);

    *out = NULL;
    if (st != KRT_OK)
        return st;
    b = krti_alloc(k, sizeof *b);
    if (b == NULL)
        return KRT_E_NOMEM;
    st = krti_ctx_child(&b->k, k);
    if (st != KRT_OK) {
        krti_free(k, b);
        return st;
    }
    b->k->log = NULL;  /* the host's log may not expect another thread */
    b->k->threads = 1; /* the others are for the training that goes on */
    krti_own(k, &b->owned, background_destroy);
    *out = b;
    return KRT_OK;
}

/* The plan stands, or has failed with `st`. Keras 2's HDF5 is written from the model itself: now. */
static krt_status start(krt_ctx *k, background *b, krt_status st)
{
    if (st == KRT_OK && b->plan.legacy != NULL) {
        b->plan.k = k;
        st = krti_save_plan_write(&b->plan);
        krti_disown(&b->owned);
        background_destroy(b);
        return st;
    }
    if (st == KRT_OK && b->plan.list != NULL)
        st = copy_data(b);
    if (st != KRT_OK || b->plan.list == NULL) {
        if (st != KRT_OK)
            krti_fail_copy(k, b->k);
        krti_disown(&b->owned);
        background_destroy(b);
        return st;
    }
    b->is_running = thrd_create(&b->thread, run, b) == thrd_success;
    if (!b->is_running) /* no thread to be had: then now */
        (void)run(b);
    return KRT_OK;
}

krt_status krt_save_async(krt_model *m, const char *filepath, const krt_save_args *args)
{
    krt_ctx *k = m->base.owned.k;
    background *b = NULL;
    const krt_status st = begin(k, &b);

    return b == NULL ? st : start(k, b, krti_save_plan_model(&b->plan, b->k, m, filepath, args));
}

krt_status krt_save_weights_async(krt_model *m, const char *filepath,
                                  const krt_save_weights_args *args)
{
    krt_ctx *k = m->base.owned.k;
    background *b = NULL;

    if (krti_save_is_exchange(filepath)) /* from the model itself: now */
        return krt_save_weights(m, filepath, args);
    const krt_status st = begin(k, &b);
    return b == NULL ? st : start(k, b, krti_save_plan_weights(&b->plan, b->k, m, filepath, args));
}
