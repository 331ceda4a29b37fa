/* How a weight without data gets its first values. Keras: initializers/{random,constant}_
 * initializers.py.
 *
 * Each initializer is a class with a field table, like a layer, so that configs and C structs are
 * read by the same code; a second table says how to fill. With an integer seed the numbers are those
 * Keras draws on JAX, whose generator base/rng.h has; Orthogonal's are so to rounding. */
#include "base/rng.h"
#include "layers/layer.h"
#include "tensor/tensor.h"

typedef struct krt_plain_args {
    krt_spec spec;
} plain_args;

typedef krt_status (*fill_fn)(krt_variable *v, const void *args, const char *class_name, float *out,
                              size_t n);

/* ------------------------------------------------------------------------------- simple ones */

/* The key Keras makes of a seed, which JAX draws with. A seed of None is one of its own for every
 * weight. */
typedef struct draw_key {
    uint32_t word[2];
} draw_key;

static draw_key key_of(const krt_variable *v, int64_t seed)
{
    if (seed == KRT_NONE) {
        krti_rng r = krti_rng_next(v->layer->owned.k);

        seed = 1 + krti_rng_u32(&r) % 1000000000u;
    }
    return (draw_key){{(uint32_t)seed, 0}};
}

static void draw_uniform(float *out, size_t n, draw_key key, double low, double high)
{
#pragma omp parallel for schedule(static) if (n > 16384)
    for (size_t i = 0; i < n; i++)
        out[i] = krti_random_uniform(krti_random_bits(key.word, i), (float)low, (float)high);
}

static void draw_normal(float *out, size_t n, draw_key key, double mean, double stddev)
{
#pragma omp parallel for schedule(static) if (n > 16384)
    for (size_t i = 0; i < n; i++)
        out[i] = krti_random_normal(krti_random_bits(key.word, i)) * (float)stddev + (float)mean;
}

static void draw_truncated(float *out, size_t n, draw_key key, double mean, double stddev)
{
#pragma omp parallel for schedule(static) if (n > 16384)
    for (size_t i = 0; i < n; i++)
        out[i] = krti_random_truncated_normal(krti_random_bits(key.word, i)) * (float)stddev +
                 (float)mean;
}

static krt_status fill_constant(krt_variable *v, const void *args, const char *class_name,
                                float *out, size_t n)
{
    double value = strcmp(class_name, "Ones") == 0 ? 1 : 0;

    (void)v;
    if (strcmp(class_name, "Constant") == 0)
        value = ((const krt_constant_args *)args)->value;
    for (size_t i = 0; i < n; i++)
        out[i] = (float)value;
    return KRT_OK;
}

static krt_status fill_identity(krt_variable *v, const void *args, const char *class_name,
                                float *out, size_t n)
{
    const krt_identity_initializer_args *a = args;
    const krt_shape shape = v->tensor->shape;

    (void)class_name;
    if (shape.rank != 2)
        return krti_layer_fail(v->layer, KRT_E_INVALID,
                               "Identity matrix initializer can only be used for 2D matrices, "
                               "weight %s has rank %d",
                               v->name, shape.rank);
    memset(out, 0, n * sizeof *out);
    for (int64_t i = 0; i < shape.dim[0] && i < shape.dim[1]; i++)
        out[i * shape.dim[1] + i] = (float)a->gain;
    return KRT_OK;
}

static krt_status fill_normal(krt_variable *v, const void *args, const char *class_name, float *out,
                              size_t n)
{
    const krt_random_normal_args *a = args;

    (void)class_name;
    draw_normal(out, n, key_of(v, a->seed), a->mean, a->stddev);
    return KRT_OK;
}

static krt_status fill_truncated(krt_variable *v, const void *args, const char *class_name,
                                 float *out, size_t n)
{
    const krt_truncated_normal_args *a = args;

    (void)class_name;
    draw_truncated(out, n, key_of(v, a->seed), a->mean, a->stddev);
    return KRT_OK;
}

static krt_status fill_uniform(krt_variable *v, const void *args, const char *class_name,
                               float *out, size_t n)
{
    const krt_random_uniform_args *a = args;

    (void)class_name;
    draw_uniform(out, n, key_of(v, a->seed), a->minval, a->maxval);
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- scaled by fan */

static krt_status product_over(const krt_variable *v, const krt_axes *axes, double *product)
{
    const krt_shape shape = v->tensor->shape;

    *product = 1;
    for (int i = 0; i < axes->n; i++) {
        const int64_t axis = axes->axis[i] < 0 ? axes->axis[i] + shape.rank : axes->axis[i];

        if (axis < 0 || axis >= shape.rank)
            return krti_layer_fail(v->layer, KRT_E_INVALID,
                                   "an initializer's axis %lld is outside rank %d of weight %s",
                                   (long long)axes->axis[i], shape.rank, v->name);
        *product *= (double)shape.dim[axis];
    }
    return KRT_OK;
}

/* compute_fans(): (receptive field..., in, out). */
static krt_status compute_fans(const krt_variable *v, const krt_variance_scaling_args *a,
                               double *fan_in, double *fan_out)
{
    const krt_shape shape = v->tensor->shape;
    double field = 1;

    if (a->input_axes.n > 0 && a->output_axes.n > 0) {
        const krt_status st = product_over(v, &a->input_axes, fan_in);

        return st == KRT_OK ? product_over(v, &a->output_axes, fan_out) : st;
    }
    if (shape.rank < 2) {
        *fan_in = *fan_out = shape.rank == 1 ? (double)shape.dim[0] : 1;
        return KRT_OK;
    }
    for (int i = 0; i < shape.rank - 2; i++)
        field *= (double)shape.dim[i];
    *fan_in = field * (double)shape.dim[shape.rank - 2];
    *fan_out = field * (double)shape.dim[shape.rank - 1];
    return KRT_OK;
}

static bool is(const char *given, const char *name)
{
    return given != NULL && strcmp(given, name) == 0;
}

static krt_status fill_scaled(krt_variable *v, const void *args, const char *class_name, float *out,
                              size_t n)
{
    const krt_variance_scaling_args *a = args;
    double fan_in = 1, fan_out = 1, fan = 0;
    const krt_status st = compute_fans(v, a, &fan_in, &fan_out);

    if (st != KRT_OK)
        return st;
    if (is(a->mode, "fan_in"))
        fan = fan_in;
    else if (is(a->mode, "fan_out"))
        fan = fan_out;
    else if (is(a->mode, "fan_avg"))
        fan = (fan_in + fan_out) / 2;
    else
        return krti_layer_fail(v->layer, KRT_E_INVALID, "%s has the mode \"%s\"", class_name,
                               a->mode != NULL ? a->mode : "None");
    const double variance = a->scale / fmax(1, fan);
    if (is(a->distribution, "uniform")) {
        const double limit = sqrt(3 * variance);

        draw_uniform(out, n, key_of(v, a->seed), -limit, limit);
    } else if (is(a->distribution, "untruncated_normal")) {
        draw_normal(out, n, key_of(v, a->seed), 0, sqrt(variance));
    } else if (is(a->distribution, "truncated_normal") || is(a->distribution, "normal")) {
        /* What is left of a standard normal cut at two has this standard deviation. */
        draw_truncated(out, n, key_of(v, a->seed), 0, sqrt(variance) / 0.87962566103423978);
    } else {
        return krti_layer_fail(v->layer, KRT_E_INVALID, "%s has the distribution \"%s\"",
                               class_name, a->distribution != NULL ? a->distribution : "None");
    }
    return KRT_OK;
}

static const struct {
    const char *class_name;
    double scale;
    const char *mode, *distribution;
} scaled_kinds[] = {
    {"GlorotUniform", 1, "fan_avg", "uniform"}, {"GlorotNormal", 1, "fan_avg", "truncated_normal"},
    {"HeUniform", 2, "fan_in", "uniform"},      {"HeNormal", 2, "fan_in", "truncated_normal"},
    {"LecunUniform", 1, "fan_in", "uniform"},   {"LecunNormal", 1, "fan_in", "truncated_normal"},
};

static krt_status fill_named(krt_variable *v, const void *args, const char *class_name, float *out,
                             size_t n)
{
    const krt_scaled_args *a = args;
    krt_variance_scaling_args full = {
        .seed = a->seed, .input_axes = a->input_axes, .output_axes = a->output_axes};

    for (size_t i = 0; i < KRTI_COUNT(scaled_kinds); i++) {
        if (strcmp(scaled_kinds[i].class_name, class_name) != 0)
            continue;
        full.scale = scaled_kinds[i].scale;
        full.mode = scaled_kinds[i].mode;
        full.distribution = scaled_kinds[i].distribution;
    }
    return fill_scaled(v, &full, class_name, out, n);
}

/* ------------------------------------------------------------------------------- orthogonal */

/* Modified Gram-Schmidt on the columns of a (rows >= cols), each pass done twice: as orthogonal as
 * Householder's QR to rounding, and R's diagonal is positive, which is what Keras makes Q unique
 * with. A column that vanishes (never, with normal draws) gets numbers from the end of the key's. */
static void orthonormalize(double *a, size_t rows, size_t cols, draw_key key)
{
    uint64_t last = UINT64_MAX;

    for (size_t j = 0; j < cols; j++) {
        double *column = a + j * rows;
        double norm = 0;

        for (;;) {
            for (size_t pass = 0; pass < 2; pass++) {
                for (size_t i = 0; i < j; i++) {
                    const double *other = a + i * rows;
                    double dot = 0;

                    for (size_t row = 0; row < rows; row++)
                        dot += other[row] * column[row];
                    for (size_t row = 0; row < rows; row++)
                        column[row] -= dot * other[row];
                }
            }
            norm = 0;
            for (size_t row = 0; row < rows; row++)
                norm += column[row] * column[row];
            if (norm > 1e-20)
                break;
            for (size_t row = 0; row < rows; row++)
                column[row] = (double)krti_random_normal(krti_random_bits(key.word, last--));
        }
        for (size_t row = 0; row < rows; row++)
            column[row] /= sqrt(norm);
    }
}

static krt_status fill_orthogonal(krt_variable *v, const void *args, const char *class_name,
                                  float *out, size_t n)
{
    const krt_orthogonal_args *a = args;
    const krt_shape shape = v->tensor->shape;
    const draw_key key = key_of(v, a->seed);
    double *q = NULL;

    if (shape.rank < 2)
        return krti_layer_fail(v->layer, KRT_E_INVALID,
                               "%s: the tensor to initialize must be at least two-dimensional, "
                               "weight %s has rank %d",
                               class_name, v->name, shape.rank);
    const size_t num_cols = (size_t)shape.dim[shape.rank - 1];
    const size_t num_rows = num_cols > 0 ? n / num_cols : 0;
    const size_t rows = num_rows > num_cols ? num_rows : num_cols;
    const size_t cols = num_rows > num_cols ? num_cols : num_rows;
    q = krti_array(v->layer->owned.k, n > 0 ? n : 1, sizeof *q);
    if (q == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < n; i++) /* drawn row by row, kept column by column */
        q[i % cols * rows + i / cols] = (double)krti_random_normal(krti_random_bits(key.word, i));
    orthonormalize(q, rows, cols, key);
    /* q holds `cols` vectors of length `rows`; wide weights have them as rows. */
    for (size_t i = 0; i < num_rows; i++)
        for (size_t j = 0; j < num_cols; j++)
            out[i * num_cols + j] =
                (float)(a->gain * (num_rows < num_cols ? q[i * rows + j] : q[j * rows + i]));
    krti_free(v->layer->owned.k, q);
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- the tables */

static const krt_field constant_fields[] = {KRT_FIELD(krt_constant_args, FLOAT, value)};
static const krt_field identity_fields[] = {KRT_FIELD(krt_identity_initializer_args, FLOAT, gain)};
static const krt_field normal_fields[] = {
    KRT_FIELD(krt_random_normal_args, INT, seed),
    KRT_FIELD(krt_random_normal_args, FLOAT, mean),
    KRT_FIELD(krt_random_normal_args, FLOAT, stddev),
};
static const krt_field truncated_fields[] = {
    KRT_FIELD(krt_truncated_normal_args, INT, seed),
    KRT_FIELD(krt_truncated_normal_args, FLOAT, mean),
    KRT_FIELD(krt_truncated_normal_args, FLOAT, stddev),
};
static const krt_field uniform_fields[] = {
    KRT_FIELD(krt_random_uniform_args, INT, seed),
    KRT_FIELD(krt_random_uniform_args, FLOAT, minval),
    KRT_FIELD(krt_random_uniform_args, FLOAT, maxval),
};
static const krt_field orthogonal_fields[] = {
    KRT_FIELD(krt_orthogonal_args, INT, seed),
    KRT_FIELD(krt_orthogonal_args, FLOAT, gain),
};
static const krt_field scaling_fields[] = {
    KRT_FIELD(krt_variance_scaling_args, INT, seed),
    KRT_FIELD(krt_variance_scaling_args, FLOAT, scale),
    KRT_FIELD(krt_variance_scaling_args, STRING, mode),
    KRT_FIELD(krt_variance_scaling_args, STRING, distribution),
    KRT_FIELD(krt_variance_scaling_args, AXES, input_axes),
    KRT_FIELD(krt_variance_scaling_args, AXES, output_axes),
};
static const krt_field scaled_fields[] = {
    KRT_FIELD(krt_scaled_args, INT, seed),
    KRT_FIELD(krt_scaled_args, AXES, input_axes),
    KRT_FIELD(krt_scaled_args, AXES, output_axes),
};

#define CLASS(title, fallback, field_list)                                           \
    {                                                                                \
        .struct_size = sizeof(krt_layer_class), .name = title, .defaults = fallback, \
        .fields = field_list, .num_fields = KRTI_COUNT(field_list)                   \
    }

static const plain_args zeros = {{sizeof(plain_args), "Zeros"}};
static const plain_args ones = {{sizeof(plain_args), "Ones"}};

static const struct initializer {
    const char *alias, *second_alias; /* Keras's other spellings */
    fill_fn fill;
    krt_layer_class cls;
} initializers[] = {
    {"zeros", "zero", fill_constant, {.name = "Zeros", .defaults = &zeros.spec}},
    {"ones", "one", fill_constant, {.name = "Ones", .defaults = &ones.spec}},
    {"constant", NULL, fill_constant, CLASS("Constant", KRT_CONSTANT(0), constant_fields)},
    {"identity", "IdentityInitializer", fill_identity,
     CLASS("Identity", KRT_IDENTITY_INITIALIZER(.gain = 1), identity_fields)},
    {"random_normal", "normal", fill_normal,
     CLASS("RandomNormal", KRT_RANDOM_NORMAL(.mean = 0), normal_fields)},
    {"truncated_normal", NULL, fill_truncated,
     CLASS("TruncatedNormal", KRT_TRUNCATED_NORMAL(.mean = 0), truncated_fields)},
    {"random_uniform", "uniform", fill_uniform,
     CLASS("RandomUniform", KRT_RANDOM_UNIFORM(.seed = KRT_NONE), uniform_fields)},
    {"orthogonal", "OrthogonalInitializer", fill_orthogonal,
     CLASS("Orthogonal", KRT_ORTHOGONAL(.seed = KRT_NONE), orthogonal_fields)},
    {"variance_scaling", NULL, fill_scaled,
     CLASS("VarianceScaling", KRT_VARIANCE_SCALING(.seed = KRT_NONE), scaling_fields)},
    {"glorot_uniform", NULL, fill_named,
     CLASS("GlorotUniform", KRT_GLOROT_UNIFORM(.seed = KRT_NONE), scaled_fields)},
    {"glorot_normal", NULL, fill_named,
     CLASS("GlorotNormal", KRT_GLOROT_NORMAL(.seed = KRT_NONE), scaled_fields)},
    {"he_uniform", NULL, fill_named,
     CLASS("HeUniform", KRT_HE_UNIFORM(.seed = KRT_NONE), scaled_fields)},
    {"he_normal", NULL, fill_named,
     CLASS("HeNormal", KRT_HE_NORMAL(.seed = KRT_NONE), scaled_fields)},
    {"lecun_uniform", NULL, fill_named,
     CLASS("LecunUniform", KRT_LECUN_UNIFORM(.seed = KRT_NONE), scaled_fields)},
    {"lecun_normal", NULL, fill_named,
     CLASS("LecunNormal", KRT_LECUN_NORMAL(.seed = KRT_NONE), scaled_fields)},
};

static const struct initializer *find(const char *name)
{
    for (size_t i = 0; i < KRTI_COUNT(initializers); i++) {
        const struct initializer *e = &initializers[i];

        if (strcmp(name, e->cls.name) == 0 || strcmp(name, e->alias) == 0 ||
            (e->second_alias != NULL && strcmp(name, e->second_alias) == 0))
            return e;
    }
    return NULL;
}

const krt_layer_class *krti_initializer_find(const char *name)
{
    const struct initializer *e = name != NULL ? find(name) : NULL;

    return e != NULL ? &e->cls : NULL;
}

const krt_layer_class *krti_initializer_at(size_t i)
{
    return i < KRTI_COUNT(initializers) ? &initializers[i].cls : NULL;
}

krt_status krti_initializer_with_axes(krt_layer *owner, const krt_spec *spec,
                                      const krt_axes *inputs, const krt_axes *outputs,
                                      const krt_spec **out)
{
    const struct initializer *e = spec != NULL ? find(spec->class_name) : find("GlorotUniform");
    void *args = NULL;
    krt_axes *own_inputs = NULL, *own_outputs = NULL;
    krt_status st = KRT_OK;

    *out = spec;
    if (e == NULL || (e->fill != fill_scaled && e->fill != fill_named))
        return KRT_OK;
    TRY(krti_object_args(owner, &e->cls, spec != NULL ? spec : e->cls.defaults, &args));
    if (e->fill == fill_scaled) {
        own_inputs = &((krt_variance_scaling_args *)args)->input_axes;
        own_outputs = &((krt_variance_scaling_args *)args)->output_axes;
    } else {
        own_inputs = &((krt_scaled_args *)args)->input_axes;
        own_outputs = &((krt_scaled_args *)args)->output_axes;
    }
    if (own_inputs->n > 0 && own_outputs->n > 0)
        goto done;
    *own_inputs = *inputs;
    *own_outputs = *outputs;
    *out = args;

done:
    return st;
}

krt_status krti_initialize(krt_variable *v)
{
    krt_ctx *k = v->layer->owned.k;
    const krt_spec *spec = v->initializer != NULL ? v->initializer : KRT_ID("GlorotUniform");
    const struct initializer *e = find(spec->class_name);
    krt_tensor *t = NULL;
    void *args = NULL;
    krt_status st = KRT_OK;

    if (e == NULL)
        return krti_layer_fail(v->layer, KRT_E_UNKNOWN_CLASS,
                               "unknown initializer \"%s\" of weight %s", spec->class_name,
                               v->name);
    TRY(krti_object_args(v->layer, &e->cls, spec, &args));
    TRY(krt_tensor_new(k, &t, KRT_FLOAT32, v->tensor->shape));
    TRY(e->fill(v, args, e->cls.name, t->data, t->size_bytes / sizeof(float)));
    for (int64_t i = 0; i < v->num_ones; i++)
        ((float *)t->data)[v->ones_from + i] = 1;
    v->tensor->data = t->data; /* the tensor itself stays: graphs know it by its address */
    v->tensor->size_bytes = t->size_bytes;
    v->tensor->ours = v->tensor->writable = true;
    t->data = NULL;
    t->ours = false;

done:
    krt_tensor_free(t);
    return st;
}
