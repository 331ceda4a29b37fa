/* EinsumDense: a product by an equation. Keras: layers/core/einsum_dense.py.
 *
 * The equation is in one of three forms: "X,Y->Z", "...X,Y->...Z" and "X...,Y->Z...", X the
 * letters of the input, Y of the kernel, Z of the output. Shapes of kernel and bias follow from
 * it, the input's shape and the part of the output's shape that was given. */
#include "layers/describe.h"
#include "layers/lora.h"
#include "layers/spatial.h"

#include <ctype.h>

typedef struct equation {
    char input[KRT_MAX_RANK + 1], kernel[KRT_MAX_RANK + 1], output[KRT_MAX_RANK + 1];
    bool left, right; /* where the ellipsis stands */
} equation;

/* ------------------------------------------------------------------------------- parsing */

/* Letters at *p, at most KRT_MAX_RANK of them, at least one. */
static bool take_letters(const char **p, char out[KRT_MAX_RANK + 1])
{
    size_t n = 0;

    for (; isalpha((unsigned char)**p); (*p)++) {
        if (n == KRT_MAX_RANK)
            return false;
        out[n++] = **p;
    }
    out[n] = '\0';
    return n > 0;
}

static bool take(const char **p, const char *text)
{
    const size_t n = strlen(text);

    if (strncmp(*p, text, n) != 0)
        return false;
    *p += n;
    return true;
}

static bool parse(const char *p, equation *e)
{
    e->left = take(&p, "...");
    if (!take_letters(&p, e->input))
        return false;
    e->right = !e->left && take(&p, "...");
    if (!take(&p, ",") || !take_letters(&p, e->kernel) || !take(&p, "->"))
        return false;
    if (e->left && !take(&p, "..."))
        return false;
    if (!take_letters(&p, e->output))
        return false;
    return (!e->right || take(&p, "...")) && *p == '\0';
}

static int position(const char *letters, char letter)
{
    const char *at = strchr(letters, letter);

    return at != NULL ? (int)(at - letters) : -1;
}

/* ------------------------------------------------------------------------------- shapes */

/* The output in full: the input's batch axis, the given axes, and what the ellipsis stands for. */
static krt_status full_output(const krt_layer *l, const equation *e, krt_shape in, krt_shape given,
                              int elided, krt_shape *out)
{
    const int extra = e->left ? (elided > 1 ? elided - 1 : 0) : elided;

    if (given.rank < 0 || 1 + extra + given.rank > KRT_MAX_RANK ||
        1 + extra + given.rank != (int)strlen(e->output) + elided)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "output_shape of %d axes does not fit the equation's output \"%s\" "
                               "and an input of %d axes",
                               given.rank, e->output, in.rank);
    *out = (krt_shape){.rank = 0};
    out->dim[out->rank++] = in.dim[0];
    for (int i = 1; e->left && i < elided; i++)
        out->dim[out->rank++] = in.dim[i];
    for (int i = 0; i < given.rank; i++)
        out->dim[out->rank++] = given.dim[i];
    for (int i = in.rank - elided; !e->left && i < in.rank; i++)
        out->dim[out->rank++] = in.dim[i];
    return KRT_OK;
}

static krt_status check_shared(const krt_layer *l, const equation *e, krt_shape in, krt_shape out,
                               int skip)
{
    for (int i = 0; e->input[i] != '\0'; i++) {
        const int at = position(e->output, e->input[i]);
        const int64_t found = in.dim[i + skip];

        if (at < 0 || out.dim[at + skip] == KRT_NONE || out.dim[at + skip] == found)
            continue;
        return krti_layer_fail(l, KRT_E_INVALID,
                               "Input shape and output shape do not match at shared dimension "
                               "'%c'. Input shape is %lld, and output shape is %lld",
                               e->input[i], (long long)found, (long long)out.dim[at + skip]);
    }
    for (int i = 0; e->output[i] != '\0'; i++)
        if (position(e->input, e->output[i]) < 0 && position(e->kernel, e->output[i]) < 0)
            return krti_layer_fail(l, KRT_E_INVALID,
                                   "Dimension '%c' was specified in the output '%s' but has no "
                                   "corresponding dim in the input spec '%s' or weight spec '%s'",
                                   e->output[i], e->output, e->input, e->kernel);
    return KRT_OK;
}

/* The kernel's shape, and which of its axes are inputs and outputs to an initializer. */
static krt_status kernel_shape(const krt_layer *l, const equation *e, krt_shape in, krt_shape out,
                               int skip, krt_shape *kernel, krt_axes *inputs, krt_axes *outputs)
{
    kernel->rank = 0;
    inputs->n = outputs->n = 0;
    for (int i = 0; e->kernel[i] != '\0'; i++) {
        const int at_output = position(e->output, e->kernel[i]);
        const int at_input = position(e->input, e->kernel[i]);

        if (at_output < 0 && at_input < 0)
            return krti_layer_fail(l, KRT_E_INVALID,
                                   "Weight dimension '%c' did not have a match in either the "
                                   "input spec '%s' or the output spec '%s'. For this layer, the "
                                   "weight must be fully specified",
                                   e->kernel[i], e->input, e->output);
        kernel->dim[kernel->rank++] =
            at_output >= 0 ? out.dim[at_output + skip] : in.dim[at_input + skip];
        if (at_output >= 0)
            outputs->axis[outputs->n++] = i;
        else
            inputs->axis[inputs->n++] = i;
    }
    return KRT_OK;
}

/* From the first biased axis on: the output's size where there is a bias, else 1. */
static krt_status bias_shape(const krt_layer *l, const equation *e, const char *axes, krt_shape out,
                             int elided, krt_shape *bias)
{
    const int skip = e->left ? elided : 0;
    int first = (int)strlen(e->output);

    for (const char *p = axes; *p != '\0'; p++) {
        const int at = position(e->output, *p);

        if (at < 0)
            return krti_layer_fail(l, KRT_E_INVALID,
                                   "Bias dimension '%c' was requested, but is not part of the "
                                   "output spec '%s'",
                                   *p, e->output);
        first = at < first ? at : first;
    }
    bias->rank = 0;
    for (int i = first; e->output[i] != '\0'; i++)
        bias->dim[bias->rank++] = strchr(axes, e->output[i]) != NULL ? out.dim[i + skip] : 1;
    for (int i = 0; !e->left && i < elided; i++)
        bias->dim[bias->rank++] = 1;
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- the layer */

static krt_status init(krt_layer *l, void *args)
{
    const krt_einsum_dense_args *a = args;
    equation e;

    if (a->equation != NULL && parse(a->equation, &e))
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "Invalid einsum equation '%s'. Equations must be in the form "
                           "[X],[Y]->[Z], ...[X],[Y]->...[Z], or [X]...,[Y]->[Z]...",
                           a->equation != NULL ? a->equation : "None");
}

static krt_status build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    const krt_einsum_dense_args *a = args;
    krt_shape out, kernel = {0}, bias = {0};
    krt_axes in_axes = {0}, out_axes = {0};
    const krt_spec *initializer = NULL;
    equation e;
    krt_status st = KRT_OK;

    if (n != 1 || !parse(a->equation, &e))
        return krti_fail_inputs(l, 1, n);
    const int elided = inputs[0].rank - (int)strlen(e.input);
    const int skip = e.left ? elided : 0;
    if (elided < 0 || (elided > 0 && !e.left && !e.right))
        return krti_layer_fail(l, KRT_E_INVALID,
                               "equation \"%s\" wants an input of %zu axes, found %d", a->equation,
                               strlen(e.input), inputs[0].rank);
    TRY(full_output(l, &e, inputs[0], a->output_shape, elided, &out));
    TRY(check_shared(l, &e, inputs[0], out, skip));
    TRY(kernel_shape(l, &e, inputs[0], out, skip, &kernel, &in_axes, &out_axes));
    TRY(krti_initializer_with_axes(l, a->kernel_initializer, &in_axes, &out_axes, &initializer));
    TRY(krt_layer_add_weight(l, "kernel", kernel, initializer, true));
    if (a->bias_axes != NULL) {
        TRY(bias_shape(l, &e, a->bias_axes, out, elided, &bias));
        TRY(krt_layer_add_weight(l, "bias", bias, a->bias_initializer, true));
    }
    TRY(krti_lora_build(l));

done:
    return st;
}

static krt_status call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_einsum_dense_args *a = args;
    krt_value *const operands[2] = {krti_float_input(c, 0), krt_call_weight(c, "kernel")};

    if (operands[0] == NULL || operands[1] == NULL)
        return c->g->status;
    const krt_status st = krti_check_ndim(l, operands[0]->shape, l->build_shapes[0].rank);
    if (st != KRT_OK)
        return st;
    krt_value *y = krti_einsum(c->g, a->equation, operands, 2);
    if (a->bias_axes != NULL)
        y = krti_add(c->g, y, krt_call_weight(c, "bias"));
    return krt_call_output(c, 0, krti_activate(c, y, a->activation));
}

static void insert(krt_shape *s, int at, int64_t dim)
{
    for (int i = s->rank++; i > at; i--)
        s->dim[i] = s->dim[i - 1];
    s->dim[at] = dim;
}

/* The output_shape as given, behind the batch axis, and the axes of the ellipsis, inserted one by one:
 * an ellipsis in front turns them round. */
static krt_shape claim(const krt_layer *l, krt_shape in, krt_shape out)
{
    const krt_einsum_dense_args *const a = l->args;
    const bool left = krti_starts_with(a->equation, "...");
    const int elided = in.rank - (int)strcspn(a->equation + (left ? 3 : 0), ".,");
    krt_shape s = a->output_shape;

    if (s.rank < 0 || s.rank >= out.rank)
        return out;
    insert(&s, 0, in.dim[0]);
    for (int i = 1; left && i < elided && s.rank < out.rank; i++)
        insert(&s, 1, in.dim[i]);
    for (int i = in.rank - elided; !left && i < in.rank && s.rank < out.rank; i++)
        insert(&s, s.rank, in.dim[i]);
    return s.rank == out.rank ? s : out;
}

static const krt_field fields[] = {
    KRT_FIELD(krt_einsum_dense_args, STRING, equation),
    KRT_FIELD(krt_einsum_dense_args, SHAPE, output_shape),
    KRT_FIELD(krt_einsum_dense_args, ACTIVATION, activation),
    KRT_FIELD(krt_einsum_dense_args, STRING, bias_axes),
    KRT_FIELD(krt_einsum_dense_args, OBJECT, kernel_initializer),
    KRT_FIELD(krt_einsum_dense_args, OBJECT, bias_initializer),
    KRT_FIELD(krt_einsum_dense_args, OBJECT, kernel_regularizer),
    KRT_FIELD(krt_einsum_dense_args, OBJECT, bias_regularizer),
    KRT_FIELD(krt_einsum_dense_args, OBJECT, activity_regularizer),
    KRT_FIELD(krt_einsum_dense_args, OBJECT, kernel_constraint),
    KRT_FIELD(krt_einsum_dense_args, OBJECT, bias_constraint),
    KRT_FIELD(krt_einsum_dense_args, INT, lora_rank),
    KRT_FIELD(krt_einsum_dense_args, FLOAT, lora_alpha),
    KRT_BASE_FIELDS(krt_einsum_dense_args),
};

const krti_class krti_class_einsum_dense = {
    .base = {.struct_size = sizeof(krt_layer_class),
             .name = "EinsumDense",
             .defaults = KRT_EINSUM_DENSE(NULL, {.rank = -1}),
             .fields = fields,
             .num_fields = KRTI_COUNT(fields),
             .build = build,
             .call = call,
             .init = init,
             .flags = KRTI_LAYER_HOOKS},
    .config = krti_config_quantizes,
    .claim = claim,
};
