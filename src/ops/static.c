/* Values known before the run: evaluated by the reference kernels, kept plain or packed.
 *
 * A static value is named by a fingerprint of the expression that makes it (operations, attributes,
 * the identity of variables, the bytes of constants), so two plans of one model, for two batch
 * sizes say, find each other's packed weights. An intermediate lives only while it is packed: at
 * any time there is one copy of the weights, plus the one array in hand. */
#include "ops/plan.h"

#include "base/fs.h"
#include "base/tasks.h"

#include <inttypes.h>

struct krti_packs {
    krt_ctx *k;
    krti_map *by_key; /* "fingerprint:form" -> block */
};

krt_status krti_packs_new(krt_ctx *k, krti_packs **out)
{
    krti_packs *p = krti_alloc(k, sizeof *p);

    *out = NULL;
    if (p == NULL)
        return KRT_E_NOMEM;
    p->k = k;
    p->by_key = krti_map_new(k);
    if (p->by_key == NULL) {
        krti_free(k, p);
        return KRT_E_NOMEM;
    }
    *out = p;
    return KRT_OK;
}

void krti_packs_free(krti_packs *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < krti_map_num(p->by_key); i++)
        krti_free(p->k, krti_map_value_at(p->by_key, i));
    krti_map_free(p->by_key);
    krti_free(p->k, p);
}

/* ------------------------------------------------------------------------------- fingerprint */

static uint64_t mix(uint64_t h, const void *data, size_t size)
{
    const unsigned char *p = data;

    for (size_t i = 0; i < size; i++)
        h = (h ^ p[i]) * 0x100000001B3u;
    return h ^ (h >> 29);
}

static uint64_t fingerprint(const krt_value *v)
{
    const krti_node *n = v->node;
    uint64_t h = mix(0xCBF29CE484222325u, &n->op, sizeof n->op);
    size_t bytes = 0;

    if (n->op == &krti_op_variable)
        return mix(h, &n->attrs.tensor, sizeof n->attrs.tensor);
    h = mix(h, &v->dtype, sizeof v->dtype);
    h = mix(h, v->shape.dim, (size_t)v->shape.rank * sizeof v->shape.dim[0]);
    if (n->op == &krti_op_constant && krti_shape_bytes(v->shape, v->dtype, &bytes))
        return mix(h, n->constant, bytes);
    h = mix(h, &n->attrs, sizeof n->attrs);
    h = mix(h, &v->index, sizeof v->index);
    for (int i = 0; i < n->num_in; i++) {
        const uint64_t input = n->in[i] != NULL ? fingerprint(n->in[i]) : 0;

        h = mix(h, &input, sizeof input);
    }
    return h;
}

/* ------------------------------------------------------------------------------- evaluation */

/* A buffer that may be the variable's own (borrowed) or computed (to free). */
typedef struct buffer {
    const void *data;
    void *computed;
} buffer;

/* anywhere: a variable's bytes need no alignment. */
static krt_status evaluate(krt_ctx *k, const krt_value *v, bool anywhere, buffer *out);

/* A kernel times a vector along its last axis: BatchNormalization folded into a convolution. Large,
 * so not left to the reference loops, and taken from where it lies in a file. */
static bool is_row_scaling(const krti_node *n)
{
    const krt_value *a = n->in[0], *b = n->in[1];

    return n->op == &krti_op_multiply && a->dtype == KRT_FLOAT32 && b->shape.rank == 1 &&
           a->shape.rank >= 1 && b->shape.dim[0] == a->shape.dim[a->shape.rank - 1];
}

typedef struct row_scaling {
    float *y;
    const unsigned char *x; /* floats at any address */
    const float *scale;
    size_t columns;
} row_scaling;

static void scale_row(void *arg, size_t row, size_t thread)
{
    const row_scaling *r = arg;
    const size_t at = row * r->columns;

    (void)thread;
    for (size_t j = 0; j < r->columns; j++) {
        float x;

        memcpy(&x, r->x + (at + j) * sizeof x, sizeof x);
        r->y[at + j] = x * r->scale[j];
    }
}

static void scale_rows(row_scaling r, size_t rows)
{
    krti_share_tasks(rows * r.columns > 65536 ? krti_num_processors() : 1, rows, scale_row, &r);
}

static void compute(const krti_node *n, const buffer *in, void *y)
{
    krti_view views[8], out[KRTI_MAX_OUT];

    if (is_row_scaling(n)) {
        const size_t columns = (size_t)n->in[1]->shape.dim[0];
        const size_t total = (size_t)krt_shape_size(n->in[0]->shape);

        scale_rows((row_scaling){y, in[0].data, in[1].data, columns},
                   columns > 0 ? total / columns : 0);
        return;
    }
    for (int i = 0; i < n->num_in; i++) {
        const krt_value *v = n->in[i];

        views[i] = v != NULL ? (krti_view){(void *)(uintptr_t)in[i].data, v->dtype, v->shape}
                             : (krti_view){.data = NULL};
    }
    out[0] = (krti_view){y, n->out[0].dtype, n->out[0].shape};
    krti_reference_run(n, views, out);
}

static krt_status evaluate_node(krt_ctx *k, const krt_value *v, buffer *out)
{
    const krti_node *n = v->node;
    buffer in[8] = {{0}};
    size_t bytes = 0;
    krt_status st = KRT_OK;

    if (n->num_in > 8 || n->num_out != 1)
        return krti_fail(k, KRT_E_UNSUPPORTED, n->scope, "%s of constants is too large to fold",
                         n->op->name);
    if (!krti_shape_bytes(v->shape, v->dtype, &bytes))
        return krti_fail(k, KRT_E_INVALID, n->scope, "%s has an unknown shape", n->op->name);
    for (int i = 0; i < n->num_in; i++)
        if (n->in[i] != NULL)
            TRY(evaluate(k, n->in[i], i == 0 && is_row_scaling(n), &in[i]));
    out->computed = krti_alloc_raw(k, bytes);
    if (out->computed == NULL)
        TRY(KRT_E_NOMEM);
    out->data = out->computed;
    compute(n, in, out->computed);

done:
    for (int i = 0; i < n->num_in && i < 8; i++)
        krti_free(k, in[i].computed);
    return st;
}

static krt_status evaluate(krt_ctx *k, const krt_value *v, bool anywhere, buffer *out)
{
    const krti_node *n = v->node;

    *out = (buffer){NULL, NULL};
    if (n->op == &krti_op_constant) {
        out->data = n->constant;
        return KRT_OK;
    }
    if (n->op != &krti_op_variable)
        return evaluate_node(k, v, out);
    const krt_tensor *t = n->attrs.tensor;
    out->data = t->data;
    if (t->data == NULL && t->size_bytes > 0)
        return krti_fail(k, KRT_E_STATE, n->scope, "the model has no weights yet");
    if (anywhere || krti_tensor_is_aligned(t))
        return KRT_OK;
    out->computed = krti_alloc_raw(k, t->size_bytes);
    if (out->computed == NULL)
        return KRT_E_NOMEM;
    memcpy(out->computed, t->data, t->size_bytes);
    out->data = out->computed;
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- packing */

/* Pages of a mapped file that were copied into a packed form need not stay in memory. */
static void forget_sources(const krt_value *v)
{
    const krti_node *n = v->node;

    if (n->op == &krti_op_variable) {
        const krt_tensor *t = n->attrs.tensor;

        if (t->source != NULL)
            krti_bytes_forget(t->source, t->data, t->size_bytes);
        return;
    }
    for (int i = 0; i < n->num_in; i++)
        if (n->in[i] != NULL)
            forget_sources(n->in[i]);
}

static krt_status keep(krti_packs *p, const char *key, void *block)
{
    const krt_status st = krti_map_set(p->by_key, key, block);

    if (st != KRT_OK)
        krti_free(p->k, block);
    return st;
}

krt_status krti_build_pack(krti_build *b, const krt_value *v, const krti_pack_form *form,
                           const void **out)
{
    char key[512];
    buffer plain = {NULL, NULL};
    krt_status st = KRT_OK;

    /* With the size: what two constants that hash alike get wrong stays within its block. */
    snprintf(key, sizeof key, "%016" PRIx64 ":%zu:%s", fingerprint(v), form->size_bytes, form->key);
    *out = krti_map_get(b->packs->by_key, key);
    if (*out != NULL)
        return KRT_OK;
    void *block = krti_alloc_raw(b->packs->k, form->size_bytes);
    if (block == NULL)
        return KRT_E_NOMEM;
    st = evaluate(b->k, v, false, &plain);
    if (st != KRT_OK) {
        krti_free(b->packs->k, block);
        return st;
    }
    form->fill(block, plain.data, form->user);
    krti_free(b->k, plain.computed);
    forget_sources(v);
    *out = block;
    return keep(b->packs, key, block);
}

/* A small array of a mapped file is worth a copy: left in place, each would keep the pages around
 * it in memory. One at an odd address has to be copied. */
static bool wants_copy(const krt_value *v)
{
    const krt_tensor *t = v->node->op == &krti_op_variable ? v->node->attrs.tensor : NULL;

    return t != NULL && t->source != NULL && t->data != NULL &&
           (t->size_bytes <= 1u << 20 || !krti_tensor_is_aligned(t));
}

const void *krti_build_static(krti_build *b, const krt_value *v)
{
    char key[64];
    buffer plain = {NULL, NULL};
    size_t bytes = 0;

    if (v->node->op == &krti_op_constant || (v->node->op == &krti_op_variable && !wants_copy(v)))
        return evaluate(b->k, v, false, &plain) == KRT_OK ? plain.data : NULL;
    if (!krti_shape_bytes(v->shape, v->dtype, &bytes))
        return NULL;
    snprintf(key, sizeof key, "%016" PRIx64 ":%zu:plain", fingerprint(v), bytes);
    const void *known = krti_map_get(b->packs->by_key, key);
    if (known != NULL)
        return known;
    if (evaluate(b->k, v, false, &plain) != KRT_OK)
        return NULL;
    if (plain.computed == NULL) {
        plain.computed = krti_alloc_raw(b->packs->k, bytes);
        if (plain.computed == NULL)
            return NULL;
        memcpy(plain.computed, plain.data, bytes);
    }
    forget_sources(v);
    return keep(b->packs, key, plain.computed) == KRT_OK ? plain.computed : NULL;
}
