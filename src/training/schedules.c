/* Learning rates by step. Keras: optimizers/schedules/learning_rate_schedule.py.
 *
 * Keras computes them with float32 scalars on the backend, one operation after the other; so does
 * this file, in the same order, which is why the arithmetic is spelled out. */
#include "training/object.h"
#include "training/update.h"

typedef struct schedule_class {
    krt_layer_class base;
    float (*at)(const void *args, float step);
    krt_status (*check)(krt_ctx *k, const void *args);
} schedule_class;

/* A schedule at work: class and arguments. */
typedef struct schedule {
    const schedule_class *cls;
    void *args;
} schedule;

static const float pi = 3.14159265358979323846f;

/* ------------------------------------------------------------------------------- rates */

static float exponential_at(const void *args, float step)
{
    const krt_exponential_decay_args *a = args;
    float p = step / (float)a->decay_steps;

    if (a->staircase)
        p = floorf(p);
    return (float)a->initial_learning_rate * powf((float)a->decay_rate, p);
}

static float inverse_time_at(const void *args, float step)
{
    const krt_inverse_time_decay_args *a = args;
    float p = step / (float)a->decay_steps;

    if (a->staircase)
        p = floorf(p);
    return (float)a->initial_learning_rate / (1 + (float)a->decay_rate * p);
}

static float polynomial_at(const void *args, float step)
{
    const krt_polynomial_decay_args *a = args;
    const float end = (float)a->end_learning_rate;
    float steps = (float)a->decay_steps;

    if (a->cycle)
        steps *= step == 0 ? 1 : ceilf(step / steps);
    else
        step = fminf(step, steps);
    return ((float)a->initial_learning_rate - end) * powf(1 - step / steps, (float)a->power) + end;
}

static float piecewise_at(const void *args, float step)
{
    const krt_piecewise_constant_decay_args *a = args;
    size_t i = 0;

    while (i < a->boundaries.n && step > (float)a->boundaries.items[i])
        i++;
    return (float)a->values.items[i];
}

static float cosine_of(float fraction)
{
    return 0.5f * (1 + cosf(pi * fraction));
}

static float cosine_at(const void *args, float step)
{
    const krt_cosine_decay_args *a = args;
    const float alpha = (float)a->alpha, steps = (float)a->decay_steps;
    const float initial = (float)a->initial_learning_rate;
    const float warmup = (float)a->warmup_steps, target = (float)a->warmup_target;

    if (isnan(a->warmup_target))
        return initial * ((1 - alpha) * cosine_of(fminf(step, steps) / steps) + alpha);
    step = fminf(step, steps + warmup);
    if (step < warmup)
        return (target - initial) * (step / warmup) + initial;
    return target * ((1 - alpha) * cosine_of((step - warmup) / steps) + alpha);
}

static float restarts_at(const void *args, float step)
{
    const krt_cosine_decay_restarts_args *a = args;
    const float t_mul = (float)a->t_mul, alpha = (float)a->alpha;
    float fraction = step / (float)a->first_decay_steps, restart = 0;

    if (t_mul == 1) {
        restart = floorf(fraction);
        fraction -= restart;
    } else {
        restart = floorf(logf(1 - fraction * (1 - t_mul)) / logf(t_mul));
        const float before = (1 - powf(t_mul, restart)) / (1 - t_mul);

        fraction = (fraction - before) / powf(t_mul, restart);
    }
    const float decayed = powf((float)a->m_mul, restart) * cosine_of(fraction);
    return (float)a->initial_learning_rate * ((1 - alpha) * decayed + alpha);
}

/* ------------------------------------------------------------------------------- bounds */

static krt_status check_steps(krt_ctx *k, const char *key, double steps)
{
    if (steps > 0)
        return KRT_OK;
    return krti_fail(k, KRT_E_INVALID, NULL, "Argument `%s` must be > 0. Received: %s=%g", key, key,
                     steps);
}

static krt_status check_exponential(krt_ctx *k, const void *args)
{
    return check_steps(k, "decay_steps", ((const krt_exponential_decay_args *)args)->decay_steps);
}

static krt_status check_inverse_time(krt_ctx *k, const void *args)
{
    return check_steps(k, "decay_steps", ((const krt_inverse_time_decay_args *)args)->decay_steps);
}

static krt_status check_polynomial(krt_ctx *k, const void *args)
{
    return check_steps(k, "decay_steps", ((const krt_polynomial_decay_args *)args)->decay_steps);
}

static krt_status check_cosine(krt_ctx *k, const void *args)
{
    const krt_cosine_decay_args *a = args;
    const krt_status st = check_steps(k, "decay_steps", a->decay_steps);

    if (st != KRT_OK || isnan(a->warmup_target) || a->warmup_steps >= 0)
        return st;
    return krti_fail(k, KRT_E_INVALID, NULL,
                     "Argument `warmup_steps` must be >= 0. Received: "
                     "warmup_steps=%g",
                     a->warmup_steps);
}

static krt_status check_restarts(krt_ctx *k, const void *args)
{
    return check_steps(k, "first_decay_steps",
                       ((const krt_cosine_decay_restarts_args *)args)->first_decay_steps);
}

static krt_status check_piecewise(krt_ctx *k, const void *args)
{
    const krt_piecewise_constant_decay_args *a = args;

    if (a->values.n == 0 || a->boundaries.n != a->values.n - 1)
        return krti_fail(k, KRT_E_INVALID, NULL,
                         "The length of boundaries should be 1 less than the length of values. "
                         "Received: boundaries of length %zu, and values of length %zu",
                         a->boundaries.n, a->values.n);
    for (size_t i = 1; i < a->boundaries.n; i++)
        if (!(a->boundaries.items[i] > a->boundaries.items[i - 1]))
            return krti_fail(k, KRT_E_INVALID, NULL,
                             "boundaries must increase: boundaries[%zu] is %g after %g", i,
                             a->boundaries.items[i], a->boundaries.items[i - 1]);
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- the table */

#define FIELDS(name)   .fields = name##_fields, .num_fields = KRTI_COUNT(name##_fields)
#define DEFAULTS(name) .defaults = &name##_defaults.spec

static const krt_field exponential_fields[] = {
    KRT_FIELD(krt_exponential_decay_args, FLOAT, initial_learning_rate),
    KRT_FIELD(krt_exponential_decay_args, FLOAT, decay_steps),
    KRT_FIELD(krt_exponential_decay_args, FLOAT, decay_rate),
    KRT_FIELD(krt_exponential_decay_args, BOOL, staircase),
    KRT_FIELD(krt_exponential_decay_args, STRING, name),
};
static const krt_exponential_decay_args exponential_defaults = {
    .spec = {sizeof exponential_defaults, "ExponentialDecay"}, .name = "ExponentialDecay"};

static const krt_field inverse_time_fields[] = {
    KRT_FIELD(krt_inverse_time_decay_args, FLOAT, initial_learning_rate),
    KRT_FIELD(krt_inverse_time_decay_args, FLOAT, decay_steps),
    KRT_FIELD(krt_inverse_time_decay_args, FLOAT, decay_rate),
    KRT_FIELD(krt_inverse_time_decay_args, BOOL, staircase),
    KRT_FIELD(krt_inverse_time_decay_args, STRING, name),
};
static const krt_inverse_time_decay_args inverse_time_defaults = {
    .spec = {sizeof inverse_time_defaults, "InverseTimeDecay"}, .name = "InverseTimeDecay"};

static const krt_field polynomial_fields[] = {
    KRT_FIELD(krt_polynomial_decay_args, FLOAT, initial_learning_rate),
    KRT_FIELD(krt_polynomial_decay_args, FLOAT, decay_steps),
    KRT_FIELD(krt_polynomial_decay_args, FLOAT, end_learning_rate),
    KRT_FIELD(krt_polynomial_decay_args, FLOAT, power),
    KRT_FIELD(krt_polynomial_decay_args, BOOL, cycle),
    KRT_FIELD(krt_polynomial_decay_args, STRING, name),
};
static const krt_polynomial_decay_args polynomial_defaults = {
    .spec = {sizeof polynomial_defaults, "PolynomialDecay"},
    .end_learning_rate = 0.0001,
    .power = 1,
    .name = "PolynomialDecay"};

static const krt_field piecewise_fields[] = {
    KRT_FIELD(krt_piecewise_constant_decay_args, NUMBERS, boundaries),
    KRT_FIELD(krt_piecewise_constant_decay_args, NUMBERS, values),
    KRT_FIELD(krt_piecewise_constant_decay_args, STRING, name),
};
static const krt_piecewise_constant_decay_args piecewise_defaults = {
    .spec = {sizeof piecewise_defaults, "PiecewiseConstantDecay"}, .name = "PiecewiseConstant"};

static const krt_field cosine_fields[] = {
    KRT_FIELD(krt_cosine_decay_args, FLOAT, initial_learning_rate),
    KRT_FIELD(krt_cosine_decay_args, FLOAT, decay_steps),
    KRT_FIELD(krt_cosine_decay_args, FLOAT, alpha),
    KRT_FIELD(krt_cosine_decay_args, STRING, name),
    KRT_FIELD(krt_cosine_decay_args, FLOAT, warmup_target),
    KRT_FIELD(krt_cosine_decay_args, FLOAT, warmup_steps),
};
static const krt_cosine_decay_args cosine_defaults = {
    .spec = {sizeof cosine_defaults, "CosineDecay"}, .warmup_target = NAN, .name = "CosineDecay"};

static const krt_field restarts_fields[] = {
    KRT_FIELD(krt_cosine_decay_restarts_args, FLOAT, initial_learning_rate),
    KRT_FIELD(krt_cosine_decay_restarts_args, FLOAT, first_decay_steps),
    KRT_FIELD(krt_cosine_decay_restarts_args, FLOAT, t_mul),
    KRT_FIELD(krt_cosine_decay_restarts_args, FLOAT, m_mul),
    KRT_FIELD(krt_cosine_decay_restarts_args, FLOAT, alpha),
    KRT_FIELD(krt_cosine_decay_restarts_args, STRING, name),
};
static const krt_cosine_decay_restarts_args restarts_defaults = {
    .spec = {sizeof restarts_defaults, "CosineDecayRestarts"},
    .t_mul = 2,
    .m_mul = 1,
    .name = "SGDRDecay"};

static const schedule_class classes[] = {
    {{.name = "ExponentialDecay", DEFAULTS(exponential), FIELDS(exponential)},
     exponential_at,
     check_exponential},
    {{.name = "InverseTimeDecay", DEFAULTS(inverse_time), FIELDS(inverse_time)},
     inverse_time_at,
     check_inverse_time},
    {{.name = "PolynomialDecay", DEFAULTS(polynomial), FIELDS(polynomial)},
     polynomial_at,
     check_polynomial},
    {{.name = "PiecewiseConstantDecay", DEFAULTS(piecewise), FIELDS(piecewise)},
     piecewise_at,
     check_piecewise},
    {{.name = "CosineDecay", DEFAULTS(cosine), FIELDS(cosine)}, cosine_at, check_cosine},
    {{.name = "CosineDecayRestarts", DEFAULTS(restarts), FIELDS(restarts)},
     restarts_at,
     check_restarts},
};

static const krt_layer_class *at(size_t i)
{
    return i < KRTI_COUNT(classes) ? &classes[i].base : NULL;
}

static const krt_layer_class *find(const char *name)
{
    for (size_t i = 0; i < KRTI_COUNT(classes); i++)
        if (strcmp(classes[i].base.name, name) == 0)
            return &classes[i].base;
    return NULL;
}

const krti_family krti_schedules = {"learning rate schedule", "keras.optimizers.schedules", find,
                                    at, NULL};

krt_status krti_schedule_read(krt_model *m, krti_arena *a, const krti_conf *object, void **out)
{
    krt_ctx *k = m->base.owned.k;
    const krt_layer_class *cls = NULL;
    const krti_conf *config = NULL;
    schedule *s = krti_arena_alloc(a, sizeof *s);
    krt_status st = s != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK)
        st = krti_object_find(k, &krti_schedules, object, &cls, &config);
    if (st == KRT_OK)
        st = krti_object_read(&m->base, a, cls, config, &s->args);
    if (st != KRT_OK)
        return st;
    s->cls = (const schedule_class *)(const void *)cls;
    *out = s;
    return krti_fail_in_object(k, s->cls->check(k, s->args), cls->name);
}

float krti_schedule_at(const void *p, int64_t step)
{
    const schedule *s = p;

    return s->cls->at(s->args, (float)step);
}
