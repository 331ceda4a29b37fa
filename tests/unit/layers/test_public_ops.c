/* Tests of src/layers/public_ops.c: layers of a host program, described with sys/op.h. */
#include "tracing.h"

#include <keratin/sys/op.h>

typedef struct host_args {
    krt_spec spec;
    const char *name;
    bool trainable;
} host_args;

static const krt_field host_fields[] = {KRT_BASE_FIELDS(host_args)};
static const host_args host_defaults = {.spec = {sizeof(host_args), "Host"}, .trainable = true};

/* A layer whose call is this function. */
static krt_layer *host_layer(krt_ctx *k, krt_layer_class *cls,
                             krt_status (*call)(const krt_layer *, const void *, krt_call *))
{
    *cls = (krt_layer_class){.struct_size = sizeof *cls,
                             .name = "Host",
                             .defaults = &host_defaults.spec,
                             .fields = host_fields,
                             .num_fields = KRTI_COUNT(host_fields),
                             .call = call};
    assert_int_equal(krt_register(k, cls), KRT_OK);
    return layer_from(k, &host_defaults.spec);
}

static krt_status swish(const krt_layer *l, const void *args, krt_call *c)
{
    krt_value *x = krt_call_input(c, 0);

    (void)l;
    (void)args;
    return krt_call_output(c, 0, krt_op_multiply(c, x, krt_op_sigmoid(c, x)));
}

TEST(a_layer_is_composed_of_operations)
{
    krt_layer_class cls;
    krt_layer *l = host_layer(t->k, &cls, swish);
    const float x[2] = {0, 2};
    float y[2];

    expect_shape(l, SHAPE(NONE, 3), "(None, 3)");
    run_layer(l, SHAPE(1, 2), x, y, 2);
    ASSERT_NEAR(((const float[2]){0, 1.76159416f}), y, 2, 1e-6, 0);
}

/* One of every kind; the results are added into one scalar a sample. */
static krt_status everything(const krt_layer *l, const void *args, krt_call *c)
{
    krt_value *x = krt_call_input(c, 0); /* (b, 4, 6) */
    krt_value *w = krt_op_constant(c, KRT_FLOAT32, SHAPE(6, 2), (const float[12]){1});
    krt_value *kernel = krt_op_constant(c, KRT_FLOAT32, SHAPE(2, 6, 3), (const float[36]){1});
    const int64_t two[1] = {2}, none[3] = {0, 0, 0}, one[3] = {0, 1, 0}, twice[3] = {1, 1, 2};
    krt_value *parts[] = {
        krt_op_dense(c, x, w, NULL),
        krt_op_matmul(c, x, w),
        krt_op_einsum(c, "abc,cd->abd", (krt_value *const[]){x, w}, 2),
        krt_op_conv(c, x, kernel, NULL, NULL),
        krt_op_max_pool(c, x, two, KRT_OP_WINDOW(.strides = {2})),
        krt_op_average_pool(c, x, two, KRT_OP_WINDOW(.padding = "same")),
        krt_op_pad(c, x, none, one),
        krt_op_tile(c, x, twice),
        krt_op_repeat(c, x, 3, 1),
        krt_op_transpose(c, x, (const int[]){0, 2, 1}),
        krt_op_concatenate(c, (krt_value *const[]){x, x}, 2, -1),
        krt_op_softmax(c, x, -1),
        krt_op_layer_norm(c, x, NULL, NULL, 1e-3),
        krt_op_where(c, krt_op_greater(c, x, krt_op_scalar(c, 0)), x, krt_op_negative(c, x)),
        krt_op_clip(c, krt_op_affine(c, x, 2, 1), 0, 1),
        krt_op_activation(c, x, "gelu"),
        krt_op_relu(c, x, 0.1, 0, 6),
        krt_op_cumsum(c, x, 1),
        krt_op_sort(c, x, 1),
        krt_op_one_hot(c, krt_op_argmax(c, x, -1, false), 6, -1),
        krt_op_take(c, x, krt_op_cast(c, krt_op_argmin(c, x, -1, true), KRT_INT32), 0),
    };
    krt_value *total = krt_op_scalar(c, 0);

    (void)l;
    (void)args;
    for (size_t i = 0; i < KRTI_COUNT(parts) - 1; i++) {
        if (parts[i] == NULL)
            fail_msg("part %zu failed: %s", i, krt_ctx_error(c->g->k)->message);
        total = krt_op_add(c, total, krt_op_mean(c, parts[i], (krt_axes){2, {1, 2}}, false));
    }
    assert_non_null(parts[KRTI_COUNT(parts) - 1]);
    total = krt_op_squeeze(c, krt_op_expand_dims(c, total, 0), (krt_axes){1, {0}});
    return krt_call_output(c, 0, krt_op_reshape(c, total, SHAPE(-1, 1)));
}

TEST(every_kind_of_operation_can_be_described)
{
    krt_layer_class cls;

    expect_shape(host_layer(t->k, &cls, everything), SHAPE(2, 4, 6), "(2, 1)");
}

/* ------------------------------------------------------------------------------- slices */

static int64_t slice_start, slice_stop, slice_step;

static krt_status slice(const krt_layer *l, const void *args, krt_call *c)
{
    (void)l;
    (void)args;
    return krt_call_output(
        c, 0, krt_op_slice(c, krt_call_input(c, 0), 1, slice_start, slice_stop, slice_step));
}

TEST(slices_are_python_s)
{
    static const struct {
        int64_t start, stop, step;
        size_t n;
        float out[5];
    } rows[] = {
        {KRT_NONE, KRT_NONE, KRT_NONE, 5, {0, 1, 2, 3, 4}},
        {1, 3, 1, 2, {1, 2}},
        {-2, KRT_NONE, 1, 2, {3, 4}},
        {KRT_NONE, -1, 2, 2, {0, 2}},
        {KRT_NONE, KRT_NONE, -1, 5, {4, 3, 2, 1, 0}},
        {3, 0, -2, 2, {3, 1}},
        {-1, KRT_NONE, -2, 3, {4, 2, 0}},
        {1, 99, 1, 4, {1, 2, 3, 4}},
        {-99, 2, 1, 2, {0, 1}},
        {3, -99, -1, 4, {3, 2, 1, 0}},
    };
    const float x[5] = {0, 1, 2, 3, 4};
    krt_layer_class cls;
    krt_layer *l = host_layer(t->k, &cls, slice);
    float y[5];

    for (size_t i = 0; i < KRTI_COUNT(rows); i++) {
        slice_start = rows[i].start;
        slice_stop = rows[i].stop;
        slice_step = rows[i].step;
        run_layer(l, SHAPE(1, 5), x, y, rows[i].n);
        assert_memory_equal(y, rows[i].out, rows[i].n * sizeof(float));
        expect_shape(l, SHAPE(2, NONE), "(2, None)");
    }
}

/* ------------------------------------------------------------------------------- failures */

static krt_status wrong(const krt_layer *l, const void *args, krt_call *c)
{
    krt_value *x = krt_call_input(c, 0);
    krt_value *y = krt_op_reshape(c, x, SHAPE(-1, -1)); /* fails, and NULL flows on */

    (void)l;
    (void)args;
    assert_null(y);
    assert_null(krt_op_exp(c, y));
    assert_null(krt_op_add(c, x, y));
    assert_null(krt_op_conv(c, x, y, NULL, NULL));
    return krt_call_output(c, 0, krt_op_sum(c, y, (krt_axes){.n = 0}, false));
}

static krt_status no_space(const krt_layer *l, const void *args, krt_call *c)
{
    (void)l;
    (void)args;
    return krt_call_output(c, 0,
                           krt_op_max_pool(c, krt_call_input(c, 0), (const int64_t[]){2}, NULL));
}

TEST(the_first_failure_is_reported_once)
{
    krt_layer_class cls;

    expect_failure(host_layer(t->k, &cls, wrong), SHAPE(2, 3), "reshape takes one -1");
    ASSERT_STR_EQ("host", krt_ctx_error(t->k)->object);
}

TEST(a_window_needs_spatial_axes)
{
    krt_layer_class cls;

    expect_failure(host_layer(t->k, &cls, no_space), SHAPE(2, 3),
                   "a window wants an input with spatial axes, found 2 axes in all");
}

int main(void)
{
    return RUN(UNIT(a_layer_is_composed_of_operations),
               UNIT(every_kind_of_operation_can_be_described), UNIT(slices_are_python_s),
               UNIT(the_first_failure_is_reported_once), UNIT(a_window_needs_spatial_axes));
}
