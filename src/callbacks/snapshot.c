/* Weights copied out and back. See snapshot.h. */
#include "callbacks/snapshot.h"

typedef struct walk {
    char *at; /* in the block; NULL: only counted */
    size_t size;
    bool restores;
} walk;

static krt_status visit(void *user, krt_variable *v)
{
    walk *w = user;
    const size_t n = v->tensor->size_bytes;

    if (w->at != NULL && w->restores) {
        if (krti_tensor_is_private(v->tensor)) /* else it is what its file says, as it was */
            memcpy(v->tensor->data, w->at + w->size, n);
    } else if (w->at != NULL) {
        memcpy(w->at + w->size, v->tensor->data, n);
    }
    w->size += n;
    return KRT_OK;
}

krt_status krti_snapshot_take(krti_snapshot *s, krt_model *m)
{
    walk w = {.at = NULL};
    krt_status st = krti_layer_each_variable(&m->base, visit, &w);

    if (st != KRT_OK)
        return st;
    if (s->bytes == NULL || s->size != w.size) {
        krti_free(m->base.owned.k, s->bytes);
        s->bytes = krti_alloc_raw(m->base.owned.k, w.size);
        s->size = w.size;
    }
    if (s->bytes == NULL)
        return KRT_E_NOMEM;
    s->is_taken = true;
    return krti_layer_each_variable(&m->base, visit, &(walk){.at = s->bytes});
}

krt_status krti_snapshot_restore(const krti_snapshot *s, krt_model *m)
{
    walk w = {.at = s->bytes, .restores = true};
    krt_status st = krti_layer_each_variable(&m->base, visit, &w);

    return st == KRT_OK ? krti_model_forget_plans(m) : st;
}

void krti_snapshot_free(krti_snapshot *s, krt_ctx *k)
{
    krti_free(k, s->bytes);
    *s = (krti_snapshot){.bytes = NULL};
}
