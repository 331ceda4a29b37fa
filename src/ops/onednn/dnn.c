/* Memory descriptors, attributes and steps over both of oneDNN's APIs. See dnn.h. */
#include "ops/onednn/dnn.h"

#include <inttypes.h>

/* ------------------------------------------------------------------------------- descriptors */

bool dnn_md_make(dnn_md *out, int n, const dnnl_dim_t *dims, const dnnl_dim_t *strides)
{
    dnnl_dims_t d = {0}, st = {0};

    for (int i = 0; i < n; i++) {
        d[i] = dims[i];
        st[i] = strides != NULL ? strides[i] : 0;
    }
#if DNNL_VERSION_MAJOR >= 3
    out->md = NULL;
    if (strides != NULL)
        return dnnl_memory_desc_create_with_strides(&out->md, n, d, dnnl_f32, st) == dnnl_success;
    return dnnl_memory_desc_create_with_tag(&out->md, n, d, dnnl_f32, dnnl_format_tag_any) ==
           dnnl_success;
#else
    if (strides != NULL)
        return dnnl_memory_desc_init_by_strides(&out->md, n, d, dnnl_f32, st) == dnnl_success;
    return dnnl_memory_desc_init_by_tag(&out->md, n, d, dnnl_f32, dnnl_format_tag_any) ==
           dnnl_success;
#endif
}

void dnn_md_free(dnn_md *md)
{
#if DNNL_VERSION_MAJOR >= 3
    if (md->md != NULL)
        dnnl_memory_desc_destroy(md->md);
    md->md = NULL;
#else
    (void)md;
#endif
}

dnn_md_ref dnn_md_ref_of(const dnn_md *md)
{
#if DNNL_VERSION_MAJOR >= 3
    return md->md;
#else
    return &md->md;
#endif
}

static uint64_t mix(uint64_t h, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < size; i++)
        h = (h ^ p[i]) * 0x100000001B3u;
    return h;
}

/* A name for a layout, for the key of a packed form; 0 where a layout is its library's secret.
 * Version 3 hides the struct, and its serialized form came only with later releases, so what makes a blocked
 * layout is asked piece by piece. */
static uint64_t md_hash(dnn_md_ref md)
{
    uint64_t h = 0xCBF29CE484222325u;
#if DNNL_VERSION_MAJOR >= 3
    static const dnnl_query_t by_axis[] = {dnnl_query_dims, dnnl_query_padded_dims,
                                           dnnl_query_padded_offsets, dnnl_query_strides};
    static const dnnl_query_t by_block[] = {dnnl_query_inner_blks, dnnl_query_inner_idxs};
    dnnl_format_kind_t kind = dnnl_format_kind_undef;
    const dnnl_dims_t *v = NULL;
    int n = 0, blocks = 0;

    if (dnnl_memory_desc_query(md, dnnl_query_format_kind, &kind) != dnnl_success ||
        kind != dnnl_blocked ||
        dnnl_memory_desc_query(md, dnnl_query_ndims_s32, &n) != dnnl_success ||
        dnnl_memory_desc_query(md, dnnl_query_inner_nblks_s32, &blocks) != dnnl_success)
        return 0;
    for (size_t i = 0; i < KRTI_COUNT(by_axis); i++) {
        if (dnnl_memory_desc_query(md, by_axis[i], &v) != dnnl_success)
            return 0;
        h = mix(h, *v, (size_t)n * sizeof **v);
    }
    for (size_t i = 0; i < KRTI_COUNT(by_block); i++) {
        if (dnnl_memory_desc_query(md, by_block[i], &v) != dnnl_success)
            return 0;
        h = mix(h, *v, (size_t)blocks * sizeof **v);
    }
    return h;
#else
    return mix(h, md, sizeof *md);
#endif
}

void dnn_strides(dnnl_dim_t *strides, int n, const dnnl_dim_t *dims, const int *memory_order)
{
    dnnl_dim_t step = 1;

    for (int i = n; i-- > 0;) {
        strides[memory_order[i]] = step;
        step *= dims[memory_order[i]];
    }
}

/* ------------------------------------------------------------------------------- steps */

krt_status dnn_check(krti_build *b, const krti_step *s, dnnl_status_t status, const char *what)
{
    if (status == dnnl_success)
        return KRT_OK;
    if (status == dnnl_out_of_memory)
        return krti_fail(b->k, KRT_E_NOMEM, s->node->scope, "out of memory in oneDNN (%s)", what);
    return krti_fail(b->k, KRT_E_UNSUPPORTED, s->node->scope, "oneDNN refused %s (status %d)", what,
                     (int)status);
}

krt_status dnn_step_new(krti_build *b, krti_step *s, dnn_step **out)
{
    dnn_step *d = krti_alloc(b->k, sizeof *d);

    *out = d;
    if (d == NULL)
        return KRT_E_NOMEM;
    s->state = d;
    d->sum_input = -1;
    return dnn_check(b, s, dnnl_engine_create(&d->engine, dnnl_cpu, 0), "an engine");
}

void dnn_step_add(dnn_step *d, int id, dnn_source source, int index, const void *packed,
                  dnn_md_ref md)
{
    KRTI_ASSERT(d->num_args < DNN_MAX_ARGS);
    d->args[d->num_args++] = (dnn_arg){id, source, index, packed, md};
}

krt_status dnn_step_finish(krti_build *b, krti_step *s, dnn_step *d)
{
    dnn_md_ref scratchpad = dnnl_primitive_desc_query_md(d->pd, dnnl_query_scratchpad_md, 0);

    if (scratchpad != NULL) {
        s->scratch_bytes = dnnl_memory_desc_get_size(scratchpad);
        dnn_step_add(d, DNNL_ARG_SCRATCHPAD, DNN_SCRATCHPAD, 0, NULL, scratchpad);
    }
    return dnn_check(b, s, dnnl_primitive_create(&d->primitive, d->pd), "a primitive");
}

void dnn_release(krt_ctx *k, krti_step *s)
{
    dnn_step *d = s->state;

    if (d == NULL)
        return;
    if (d->primitive != NULL)
        dnnl_primitive_destroy(d->primitive);
    if (d->pd != NULL)
        dnnl_primitive_desc_destroy(d->pd);
    if (d->engine != NULL)
        dnnl_engine_destroy(d->engine);
    krti_free(k, d);
    s->state = NULL;
}

/* ------------------------------------------------------------------------------- fused tails */

typedef struct eltwise {
    const krti_op *op;
    dnnl_alg_kind_t algorithm;
    float alpha, beta;
} eltwise;

static const eltwise eltwise_table[] = {
    {&krti_op_sigmoid, dnnl_eltwise_logistic, 0, 0},
    {&krti_op_tanh, dnnl_eltwise_tanh, 0, 0},
    {&krti_op_silu, dnnl_eltwise_swish, 1, 0},
    {&krti_op_gelu, dnnl_eltwise_gelu_erf, 0, 0},
    {&krti_op_gelu_tanh, dnnl_eltwise_gelu_tanh, 0, 0},
    {&krti_op_exp, dnnl_eltwise_exp, 0, 0},
    {&krti_op_absolute, dnnl_eltwise_abs, 0, 0},
    {&krti_op_square, dnnl_eltwise_square, 0, 0},
#if DNNL_VERSION_MAJOR >= 3
    {&krti_op_hard_silu, dnnl_eltwise_hardswish, 1.0f / 6, 0.5f},
#else
    {&krti_op_hard_silu, dnnl_eltwise_hardswish, 0, 0},
#endif
};

/* False where oneDNN has no such function, or not with these parameters. */
static bool find_eltwise(krti_activation f, eltwise *out)
{
    if (f.op == &krti_op_relu && f.b == 0 && isinf(f.c)) {
        *out = (eltwise){f.op, dnnl_eltwise_relu, (float)f.a, 0};
        return true;
    }
    if (f.op == &krti_op_relu && f.b == 0 && f.a == 0) {
        *out = (eltwise){f.op, dnnl_eltwise_clip, 0, (float)f.c};
        return true;
    }
    if (f.op == &krti_op_clip) {
        *out = (eltwise){f.op, dnnl_eltwise_clip, (float)f.a, (float)f.b};
        return true;
    }
    if (f.op == &krti_op_elu) {
        *out = (eltwise){f.op, dnnl_eltwise_elu, (float)f.a, 0};
        return true;
    }
    for (size_t i = 0; i < KRTI_COUNT(eltwise_table); i++) {
        if (eltwise_table[i].op == f.op) {
            *out = eltwise_table[i];
            return true;
        }
    }
    return false;
}

static dnnl_status_t append_eltwise(dnnl_post_ops_t ops, const eltwise *e)
{
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_post_ops_append_eltwise(ops, e->algorithm, e->alpha, e->beta);
#else
    return dnnl_post_ops_append_eltwise(ops, 1.0f, e->algorithm, e->alpha, e->beta);
#endif
}

static dnnl_status_t append_sum(dnnl_post_ops_t ops)
{
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef);
#else
    return dnnl_post_ops_append_sum(ops, 1.0f);
#endif
}

static void plan_tail(const krti_step *s, dnn_step *d, dnnl_post_ops_t ops, dnnl_status_t *status)
{
    const krti_node *n = s->node;
    eltwise e;

    if (n->num_in > 3 && n->in[3] != NULL) {
        *status = append_sum(ops);
        d->sum_input = 3;
        d->sum_bytes = (size_t)krt_shape_size(n->out[0].shape) * sizeof(float);
    }
    if (n->activation.op == NULL)
        return;
    if (*status == dnnl_success && find_eltwise(n->activation, &e)) {
        *status = append_eltwise(ops, &e);
        return;
    }
    d->after = n->activation;
    d->after_count = (size_t)krt_shape_size(n->out[0].shape);
}

krt_status dnn_attr_make(krti_build *b, const krti_step *s, dnn_step *d, dnnl_primitive_attr_t *out)
{
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(out);

    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_post_ops_create(&ops);
    if (status == dnnl_success)
        plan_tail(s, d, ops, &status);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(*out, ops);
    if (ops != NULL)
        dnnl_post_ops_destroy(ops);
    return dnn_check(b, s, status, "attributes");
}

/* ------------------------------------------------------------------------------- packing */

typedef struct reorder {
    dnnl_engine_t engine;
    dnn_md_ref from, to;
} reorder;

static bool try_reorder(const reorder *r, void *dst, const void *src)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_memory_t from = NULL, to = NULL;
    bool done =
        dnnl_reorder_primitive_desc_create(&pd, r->from, r->engine, r->to, r->engine, NULL) ==
            dnnl_success &&
        dnnl_primitive_create(&primitive, pd) == dnnl_success &&
        dnnl_stream_create(&stream, r->engine, dnnl_stream_default_flags) == dnnl_success &&
        dnnl_memory_create(&from, r->from, r->engine, (void *)(uintptr_t)src) == dnnl_success &&
        dnnl_memory_create(&to, r->to, r->engine, dst) == dnnl_success;

    if (done) {
        const dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};

        done = dnnl_primitive_execute(primitive, stream, 2, args) == dnnl_success &&
               dnnl_stream_wait(stream) == dnnl_success;
    }
    dnnl_memory_destroy(to);
    dnnl_memory_destroy(from);
    if (stream != NULL)
        dnnl_stream_destroy(stream);
    if (primitive != NULL)
        dnnl_primitive_destroy(primitive);
    if (pd != NULL)
        dnnl_primitive_desc_destroy(pd);
    return done;
}

/* A reorder that oneDNN offered the layouts of cannot fail but for want of memory; what is packed
 * would then be garbage, so it is made recognisable. */
static void fill_reordered(void *dst, const void *src, void *user)
{
    const reorder *r = user;

    if (!try_reorder(r, dst, src))
        memset(dst, 0xFF, dnnl_memory_desc_get_size(r->to)); /* NaN everywhere */
}

krt_status dnn_pack(krti_build *b, krti_step *s, dnn_step *d, int input, dnn_md_ref from,
                    dnn_md_ref to, const void **out)
{
    const uint64_t plain_name = md_hash(from), packed_name = md_hash(to);
    reorder r = {d->engine, from, to};
    char key[64];

    s->in[input] = KRTI_NO_SLOT;
    if (dnnl_memory_desc_equal(from, to)) {
        *out = krti_build_static(b, s->node->in[input]);
        return *out != NULL ? KRT_OK : krt_ctx_error(b->k)->status;
    }
    if (plain_name == 0 || packed_name == 0)
        return dnn_check(b, s, dnnl_unimplemented, "to tell its layout");
    snprintf(key, sizeof key, "onednn:%016" PRIx64 ":%016" PRIx64, plain_name, packed_name);
    const krti_pack_form form = {key, dnnl_memory_desc_get_size(to), fill_reordered, &r};
    return krti_build_pack(b, s->node->in[input], &form, out);
}

/* ------------------------------------------------------------------------------- running */

typedef struct dnn_run_state {
    const dnn_step *d;
    dnnl_stream_t stream;
    dnnl_exec_arg_t args[DNN_MAX_ARGS];
} dnn_run_state;

static void *arg_pointer(const krti_step *s, const dnn_arg *a, void *const *ptr, void *scratch)
{
    switch (a->source) {
    case DNN_INPUT:
        return ptr[s->in[a->index]];
    case DNN_OUTPUT:
        return ptr[s->out[0]];
    case DNN_SCRATCHPAD:
        return scratch;
    case DNN_PACKED:
        return (void *)(uintptr_t)a->packed;
    }
    return NULL;
}

krt_status dnn_run_begin(krt_ctx *k, const krti_step *s, void *const *ptr, void *scratch,
                         void **run_state)
{
    const dnn_step *d = s->state;
    dnn_run_state *r = krti_alloc(k, sizeof *r);
    dnnl_status_t status = dnnl_success;

    if (r == NULL)
        return KRT_E_NOMEM;
    r->d = d;
    status = dnnl_stream_create(&r->stream, d->engine, dnnl_stream_default_flags);
    for (int i = 0; i < d->num_args && status == dnnl_success; i++) {
        r->args[i].arg = d->args[i].id;
        status = dnnl_memory_create(&r->args[i].memory, d->args[i].md, d->engine,
                                    arg_pointer(s, &d->args[i], ptr, scratch));
    }
    *run_state = r;
    if (status == dnnl_success)
        return KRT_OK;
    dnn_run_end(k, r);
    *run_state = NULL;
    return krti_fail(k, KRT_E_NOMEM, s->node->scope, "out of memory in oneDNN");
}

void dnn_run_end(krt_ctx *k, void *run_state)
{
    dnn_run_state *r = run_state;

    for (int i = 0; i < r->d->num_args; i++)
        if (r->args[i].memory != NULL)
            dnnl_memory_destroy(r->args[i].memory);
    if (r->stream != NULL)
        dnnl_stream_destroy(r->stream);
    krti_free(k, r);
}

void dnn_run(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const dnn_step *d = s->state;
    const dnn_run_state *r = run_state;
    float *y = ptr[s->out[0]];

    for (int i = 0; i < d->num_args; i++)
        if (d->args[i].source == DNN_INPUT) /* the caller's buffers move between calls */
            dnnl_memory_set_data_handle(r->args[i].memory, ptr[s->in[d->args[i].index]]);
    if (d->sum_input >= 0 && ptr[s->in[d->sum_input]] != y)
        memcpy(y, ptr[s->in[d->sum_input]], d->sum_bytes);
    (void)scratch;
    dnnl_primitive_execute(d->primitive, r->stream, d->num_args, r->args);
    for (size_t i = 0; i < d->after_count; i++)
        y[i] = krti_activation_apply(d->after, y[i]);
}
