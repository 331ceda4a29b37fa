/* How each optimizer follows a gradient. Keras: optimizers/<name>.py update_step().
 *
 * Statement by statement as Keras has them: a slot that was set is read with its new value. Factors
 * such as 1 - beta_1 are Python floats there, doubles here, and become float32 where they meet a
 * tensor. */
#include "training/update.h"

/* ------------------------------------------------------------------------------- helpers */

static krt_value *slot_variable(const krti_updating *u, const char *slot)
{
    const krti_optimizer_variable *v = krti_optimizer_find(u->o, slot, u->v);

    return v != NULL ? krti_variable(u->g, v->tensor) : NULL;
}

static krt_value *get(const krti_updating *u, const char *slot)
{
    krt_value *v = slot_variable(u, slot);

    return v != NULL ? krti_current(u->g, v) : NULL;
}

static krt_value *set(const krti_updating *u, const char *slot, krt_value *value)
{
    krt_value *v = slot_variable(u, slot);

    if (v == NULL || value == NULL || krti_assign(u->g, v, value) != KRT_OK)
        return NULL;
    return value;
}

static krt_value *scale(krti_graph *g, krt_value *x, double a)
{
    return krti_affine(g, x, a, 0, 0);
}

static krt_value *shift(krti_graph *g, krt_value *x, double b)
{
    return krti_affine(g, x, 1, b, 0);
}

/* old + (goal - old) * part */
static krt_value *move(krti_graph *g, krt_value *old, krt_value *goal, double part)
{
    return krti_add(g, old, scale(g, krti_subtract(g, goal, old), part));
}

/* a * x + (1 - a) * y */
static krt_value *blend(krti_graph *g, double a, krt_value *x, krt_value *y)
{
    return krti_add(g, scale(g, x, a), scale(g, y, 1 - a));
}

static krt_value *sum_all(krti_graph *g, krt_value *x)
{
    return krti_reduce_sum(g, x, NULL, 0, false);
}

/* tf.keras adds the rows of an embedding up before the rule sees them, as JAX does. */
static bool is_by_row(const krti_updating *u)
{
    return u->follows_tensorflow && u->v->layer->trains_as >= 3;
}

static krt_value *squared(const krti_updating *u)
{
    return krti_rows_squared(u->g, is_by_row(u), u->gradient);
}

static krt_value *absolute(krti_graph *g, krt_value *x, const void *how)
{
    (void)how;
    return krti_absolute(g, x);
}

/* ------------------------------------------------------------------------------- the simple ones */

krt_value *krti_update_sgd(krti_updating *u)
{
    const krt_sgd_args *a = u->args;
    krti_graph *g = u->g;
    krt_value *step = krti_multiply(g, u->gradient, u->rate);

    if (a->momentum == 0)
        return krti_subtract(g, u->variable, step);
    krt_value *m =
        set(u, "momentum", krti_subtract(g, scale(g, get(u, "momentum"), a->momentum), step));
    if (a->nesterov)
        m = krti_subtract(g, scale(g, m, a->momentum), step);
    return krti_add(g, u->variable, m);
}

krt_value *krti_update_rmsprop(krti_updating *u)
{
    const krt_rmsprop_args *a = u->args;
    krti_graph *g = u->g;
    krt_value *v = set(u, "velocity", blend(g, a->rho, get(u, "velocity"), squared(u)));
    krt_value *denominator = v;

    if (a->centered) {
        krt_value *mean =
            set(u, "average_gradient", blend(g, a->rho, get(u, "average_gradient"), u->gradient));

        denominator = krti_subtract(g, v, krti_square(g, mean));
    }
    krt_value *step = krti_divide(g, krti_multiply(g, u->rate, u->gradient),
                                  krti_sqrt(g, shift(g, denominator, a->epsilon)));
    if (a->momentum > 0)
        step = set(u, "momentum", krti_add(g, scale(g, get(u, "momentum"), a->momentum), step));
    return krti_subtract(g, u->variable, step);
}

krt_value *krti_update_adagrad(krti_updating *u)
{
    const double epsilon = ((const krt_adagrad_args *)u->args)->epsilon;
    krti_graph *g = u->g;
    krt_value *sum = set(u, "accumulator", krti_add(g, get(u, "accumulator"), squared(u)));

    return krti_subtract(g, u->variable,
                         krti_divide(g, krti_multiply(g, u->rate, u->gradient),
                                     krti_sqrt(g, shift(g, sum, epsilon))));
}

krt_value *krti_update_adadelta(krti_updating *u)
{
    const krt_adadelta_args *a = u->args;
    krti_graph *g = u->g;
    krt_value *square = squared(u), *before = get(u, "accumulated_delta_var");
    krt_value *grads =
        set(u, "accumulated_grad", blend(g, a->rho, get(u, "accumulated_grad"), square));
    krt_value *above = shift(g, before, a->epsilon), *below = shift(g, grads, a->epsilon);
    krt_value *step =
        krti_divide(g, krti_multiply(g, krti_sqrt(g, above), u->gradient), krti_sqrt(g, below));

    /* the step's square, of rows too */
    square = krti_divide(g, krti_multiply(g, above, square), below);
    set(u, "accumulated_delta_var", blend(g, a->rho, before, square));
    return krti_subtract(g, u->variable, krti_multiply(g, u->rate, step));
}

krt_value *krti_update_lion(krti_updating *u)
{
    const krt_lion_args *a = u->args;
    krti_graph *g = u->g;
    krt_value *m = get(u, "momentum");
    krt_value *direction = krti_sign(g, blend(g, a->beta_1, m, u->gradient));

    set(u, "momentum", blend(g, a->beta_2, m, u->gradient));
    return krti_subtract(g, u->variable, krti_multiply(g, u->rate, direction));
}

/* ------------------------------------------------------------------------------- Adam's kin */

/* Adam's and AdamW's structs are alike: scalars are alpha, the rate with both corrections. */
void krti_scalars_adam(const krti_optimizer *o, float step, float rate, float *out)
{
    const krt_adam_args *a = o->args;

    out[0] = rate * sqrtf(1 - powf((float)a->beta_2, step)) / (1 - powf((float)a->beta_1, step));
}

static krt_value *adam_step(krti_graph *g, krt_value *m, krt_value *alpha, krt_value *v,
                            double epsilon)
{
    return krti_divide(g, krti_multiply(g, m, alpha), shift(g, krti_sqrt(g, v), epsilon));
}

static void adam_moments(krti_updating *u, double beta_1, double beta_2, krt_value **m,
                         krt_value **v)
{
    krti_graph *g = u->g;

    *m = set(u, "momentum", move(g, get(u, "momentum"), u->gradient, 1 - beta_1));
    *v = set(u, "velocity", move(g, get(u, "velocity"), squared(u), 1 - beta_2));
}

krt_value *krti_update_adam(krti_updating *u)
{
    const krt_adam_args *a = u->args;
    krti_graph *g = u->g;
    krt_value *m = NULL, *v = NULL;

    adam_moments(u, a->beta_1, a->beta_2, &m, &v);
    if (a->amsgrad)
        v = set(u, "velocity_hat", krti_maximum(g, get(u, "velocity_hat"), v));
    return krti_subtract(g, u->variable, adam_step(g, m, u->scalars[0], v, a->epsilon));
}

void krti_scalars_adamax(const krti_optimizer *o, float step, float rate, float *out)
{
    (void)rate;
    out[0] = 1 - powf((float)((const krt_adamax_args *)o->args)->beta_1, step);
}

krt_value *krti_update_adamax(krti_updating *u)
{
    const krt_adamax_args *a = u->args;
    krti_graph *g = u->g;
    krt_value *m = set(u, "momentum", move(g, get(u, "momentum"), u->gradient, 1 - a->beta_1));
    krt_value *norm = set(u, "norm",
                          krti_maximum(g, scale(g, get(u, "norm"), a->beta_2),
                                       krti_of_rows(g, is_by_row(u), u->gradient, absolute, NULL)));

    return krti_subtract(g, u->variable,
                         krti_divide(g, krti_multiply(g, u->rate, m),
                                     krti_multiply(g, u->scalars[0], shift(g, norm, a->epsilon))));
}

static float nadam_u(const krti_optimizer *o, float step)
{
    const krt_nadam_args *a = o->args;

    return (float)a->beta_1 * (1 - 0.5f * powf(0.96f, step));
}

/* u_t+1 / (1 - product t+1), (1 - u_t) / (1 - product t), 1 - beta_2^t, and the product. */
void krti_scalars_nadam(const krti_optimizer *o, float step, float rate, float *out)
{
    const krt_nadam_args *a = o->args;
    const krti_optimizer_variable *product = krti_optimizer_find(o, "u_product", NULL);
    const float u = nadam_u(o, step), next = nadam_u(o, step + 1);

    (void)rate;
    out[3] = *(const float *)product->tensor->data * u;
    out[0] = next / (1 - out[3] * next);
    out[1] = (1 - u) / (1 - out[3]);
    out[2] = 1 - powf((float)a->beta_2, step);
}

void krti_commit_nadam(krti_optimizer *o, const float *scalars)
{
    *(float *)krti_optimizer_find(o, "u_product", NULL)->tensor->data = scalars[3];
}

void krti_optimizer_infer_product(krti_optimizer *o)
{
    enum { COMES_TO_REST = 1000 };
    const krti_optimizer_variable *v = krti_optimizer_find(o, "u_product", NULL);
    float product = 1;

    if (v == NULL)
        return;
    for (int64_t i = 1; i <= *(const int64_t *)o->iteration->data && i <= COMES_TO_REST; i++)
        product *= nadam_u(o, (float)i);
    *(float *)v->tensor->data = product;
}

krt_value *krti_update_nadam(krti_updating *u)
{
    const krt_nadam_args *a = u->args;
    krti_graph *g = u->g;
    krt_value *m = NULL, *v = NULL;

    adam_moments(u, a->beta_1, a->beta_2, &m, &v);
    krt_value *m_hat = krti_add(g, krti_multiply(g, u->scalars[0], m),
                                krti_multiply(g, u->scalars[1], u->gradient));
    krt_value *v_hat = krti_divide(g, v, u->scalars[2]);
    return krti_subtract(g, u->variable, adam_step(g, m_hat, u->rate, v_hat, a->epsilon));
}

void krti_scalars_lamb(const krti_optimizer *o, float step, float rate, float *out)
{
    const krt_lamb_args *a = o->args;

    (void)rate;
    out[0] = 1 - powf((float)a->beta_1, step);
    out[1] = 1 - powf((float)a->beta_2, step);
}

krt_value *krti_update_lamb(krti_updating *u)
{
    const krt_lamb_args *a = u->args;
    krti_graph *g = u->g;
    krt_value *zero = krti_scalar(g, 0), *one = krti_scalar(g, 1), *m = NULL, *v = NULL;

    adam_moments(u, a->beta_1, a->beta_2, &m, &v);
    krt_value *root = shift(g, krti_sqrt(g, krti_divide(g, v, u->scalars[1])), a->epsilon);
    krt_value *step = krti_divide(g, krti_divide(g, m, u->scalars[0]), root);
    krt_value *weight = krti_sqrt(g, sum_all(g, krti_square(g, u->variable)));
    krt_value *size = krti_sqrt(g, sum_all(g, krti_square(g, step)));
    krt_value *moves = krti_greater(g, size, zero);
    krt_value *ratio = krti_divide(g, weight, krti_where(g, moves, size, one));

    ratio = krti_where(g, krti_logical_and(g, krti_greater(g, weight, zero), moves), ratio, one);
    return krti_subtract(g, u->variable, krti_multiply(g, krti_multiply(g, ratio, u->rate), step));
}

/* The warmed-up rate, 1 - beta_2^t, and the weight 1 / t of what is new. */
void krti_scalars_schedule_free(const krti_optimizer *o, float step, float rate, float *out)
{
    const krt_schedule_free_adamw_args *a = o->args;

    out[0] = a->warmup_steps > 0 ? rate * fminf(step / (float)a->warmup_steps, 1) : rate;
    out[1] = 1 - powf((float)a->beta_2, step);
    out[2] = 1 / step;
    out[3] = 1 - 1 / step;
}

krt_value *krti_update_schedule_free(krti_updating *u)
{
    const krt_schedule_free_adamw_args *a = u->args;
    krti_graph *g = u->g;
    krt_value *before = get(u, "momentum");
    krt_value *v =
        set(u, "velocity", move(g, get(u, "velocity"), squared(u), 1 - (double)(float)a->beta_2));
    krt_value *root = shift(g, krti_sqrt(g, krti_divide(g, v, u->scalars[1])), a->epsilon);
    krt_value *m =
        set(u, "momentum",
            krti_subtract(g, before,
                          krti_divide(g, krti_multiply(g, u->scalars[0], u->gradient), root)));
    krt_value *old = u->follows_tensorflow ? m : before;
    krt_value *x =
        scale(g, krti_subtract(g, u->variable, scale(g, old, 1 - a->beta_1)), 1 / a->beta_1);

    x = krti_add(g, krti_multiply(g, u->scalars[3], x), krti_multiply(g, u->scalars[2], m));
    return krti_add(g, scale(g, m, 1 - a->beta_1), scale(g, x, a->beta_1));
}

/* ------------------------------------------------------------------------------- Adafactor */

/* rho_t, beta_2_t and what is left to 1. */
void krti_scalars_adafactor(const krti_optimizer *o, float step, float rate, float *out)
{
    const krt_adafactor_args *a = o->args;

    if (o->schedule == NULL && a->relative_step)
        rate = fminf(rate, 1 / sqrtf(step));
    out[0] = fminf(rate, 1 / sqrtf(step));
    out[1] = 1 - powf(step, (float)a->beta_2_decay);
    out[2] = 1 - out[1];
}

static krt_value *root_of_mean(krti_graph *g, krt_value *square)
{
    return krti_sqrt(g, krti_reduce_mean(g, square, NULL, 0, false));
}

static krt_value *decayed(krti_updating *u, const char *slot, krt_value *fresh)
{
    krti_graph *g = u->g;

    return set(u, slot,
               krti_add(g, krti_multiply(g, u->scalars[1], get(u, slot)),
                        krti_multiply(g, u->scalars[2], fresh)));
}

krt_value *krti_update_adafactor(krti_updating *u)
{
    const krt_adafactor_args *a = u->args;
    krti_graph *g = u->g;
    krt_value *alpha = krti_multiply(
        g,
        krti_maximum(g, krti_scalar(g, a->epsilon_2), root_of_mean(g, krti_square(g, u->variable))),
        u->scalars[0]);
    krt_value *own = squared(u), *square = shift(g, own, a->epsilon_1), *v = NULL;

    if (u->v->tensor->shape.rank >= 2) {
        krt_value *r = decayed(u, "r", krti_reduce_mean(g, square, (const int[]){-1}, 1, false));
        krt_value *c = decayed(u, "c", krti_reduce_mean(g, square, (const int[]){-2}, 1, false));
        krt_value *mean = krti_reduce_mean(g, r, (const int[]){-1}, 1, true);

        v = set(u, "velocity",
                krti_multiply(g, krti_expand_dims(g, krti_divide(g, r, mean), -1),
                              krti_expand_dims(g, c, -2)));
    } else {
        v = decayed(u, "velocity", square);
    }
    krt_value *step = krti_divide(g, u->gradient, krti_sqrt(g, v));
    krt_value *size = scale(g, root_of_mean(g, krti_divide(g, own, v)), 1 / a->clip_threshold);
    step = krti_divide(g, step, krti_maximum(g, krti_scalar(g, 1), size));
    return krti_subtract(g, u->variable, krti_multiply(g, alpha, step));
}

/* ------------------------------------------------------------------------------- Ftrl */

/* 1 / rate, and twice the strength of l2. */
void krti_scalars_ftrl(const krti_optimizer *o, float step, float rate, float *out)
{
    const krt_ftrl_args *a = o->args;

    (void)step;
    out[0] = 2 * ((float)a->l2_regularization_strength + (float)a->beta / (2 * rate));
}

krt_value *krti_update_ftrl(krti_updating *u)
{
    const krt_ftrl_args *a = u->args;
    krti_graph *g = u->g;
    krt_value *old = get(u, "accumulator"), *linear = get(u, "linear");
    krt_value *sum = krti_add(g, old, squared(u));
    krt_value *root = krti_power_scalar(g, sum, -a->learning_rate_power, 0, 0);
    krt_value *gradient = krti_add(
        g, u->gradient, scale(g, u->variable, 2 * a->l2_shrinkage_regularization_strength));
    krt_value *grown = krti_divide(
        g, krti_subtract(g, root, krti_power_scalar(g, old, -a->learning_rate_power, 0, 0)),
        u->rate);

    linear = krti_add(g, linear, krti_subtract(g, gradient, krti_multiply(g, grown, u->variable)));
    set(u, "linear", linear);
    krt_value *quadratic = krti_add(g, krti_divide(g, root, u->rate), u->scalars[0]);
    krt_value *clipped =
        krti_clip(g, linear, -a->l1_regularization_strength, a->l1_regularization_strength, 0);
    set(u, "accumulator", sum);
    return krti_divide(g, krti_subtract(g, clipped, linear), quadratic);
}

/* ------------------------------------------------------------------------------- Muon */

void krti_scalars_muon(const krti_optimizer *o, float step, float rate, float *out)
{
    const krt_muon_args *a = o->args;
    const float own = rate * (float)a->adam_lr_ratio;

    out[0] = own * sqrtf(1 - powf((float)a->adam_beta_2, step)) /
             (1 - powf((float)a->adam_beta_1, step));
}

/* Newton and Schulz's iteration towards the orthogonal matrix nearest to x. */
static krt_value *orthogonal(krti_graph *g, krt_value *x, const krt_muon_args *a)
{
    static const int turned[] = {1, 0};
    const bool is_tall = x != NULL && x->shape.dim[0] > x->shape.dim[1];

    if (is_tall)
        x = krti_transpose(g, x, turned);
    x = krti_divide(g, x, shift(g, krti_sqrt(g, sum_all(g, krti_square(g, x))), 1e-7));
    for (int64_t i = 0; i < a->ns_steps; i++) {
        krt_value *gram = krti_matmul(g, x, x, false, true, NULL);
        krt_value *poly =
            krti_add(g, scale(g, gram, a->muon_b),
                     krti_matmul(g, scale(g, gram, a->muon_c), gram, false, false, NULL));

        x = krti_add(g, scale(g, x, a->muon_a), krti_matmul(g, poly, x, false, false, NULL));
    }
    return is_tall ? krti_transpose(g, x, turned) : x;
}

krt_value *krti_update_muon(krti_updating *u)
{
    const krt_muon_args *a = u->args;
    krti_graph *g = u->g;
    const krt_shape shape = u->v->tensor->shape;
    krt_value *m = NULL, *v = NULL;

    if (krti_optimizer_find(u->o, "velocity", u->v) != NULL) {
        adam_moments(u, a->adam_beta_1, a->adam_beta_2, &m, &v);
        return krti_subtract(g, u->variable, adam_step(g, m, u->scalars[0], v, a->epsilon));
    }
    m = get(u, "momentum");
    m = set(u, "momentum", krti_add(g, m, krti_add(g, u->gradient, scale(g, m, a->momentum - 1))));
    if (a->nesterov)
        m = krti_add(g, u->gradient, scale(g, m, a->momentum));
    krt_value *step = krti_multiply(g, u->rate, orthogonal(g, m, a));
    if (!isnan(a->rms_rate)) {
        const int64_t side = shape.dim[0] > shape.dim[1] ? shape.dim[0] : shape.dim[1];

        step = scale(g, step, sqrt((double)side) * a->rms_rate);
    }
    return krti_subtract(g, u->variable, step);
}
