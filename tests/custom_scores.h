/* Losses and metrics of one's own, as tools/make_training_fixtures.py has them in Python. */
#ifndef KERATIN_TESTS_CUSTOM_SCORES_H
#define KERATIN_TESTS_CUSTOM_SCORES_H

#include <keratin/keratin.h>
#include <keratin/sys/score_class.h>

#include <math.h>

typedef struct quartic_args {
    KRT_LOSS_MEMBERS;
    double power;
} quartic_args;
#define QUARTIC(...)                                                                        \
    KRT_SPEC(quartic_args, "tests>Quartic", .reduction = "sum_over_batch_size", .power = 4, \
             __VA_ARGS__)

static inline krt_value *error_of(krt_call *c)
{
    return krt_op_subtract(c, krt_call_input(c, 0), krt_call_input(c, 1));
}

static inline krt_status call_quartic(const krt_layer *l, const void *args, krt_call *c)
{
    const quartic_args *a = args;
    krt_value *const power =
        krt_op_power(c, krt_op_absolute(c, error_of(c)), krt_op_scalar(c, a->power));

    (void)l;
    return krt_call_output(c, 0, krt_op_mean(c, power, (krt_axes){1, {-1}}, false));
}

static inline krt_status call_tilted(const krt_layer *l, const void *args, krt_call *c)
{
    krt_value *const up = krt_op_affine(c, error_of(c), 0.7, 0);
    krt_value *const down = krt_op_affine(c, error_of(c), -0.3, 0);

    (void)l;
    (void)args;
    return krt_call_output(c, 0,
                           krt_op_mean(c, krt_op_maximum(c, up, down), (krt_axes){1, {-1}}, false));
}

static inline krt_status call_share_within(const krt_layer *l, const void *args, krt_call *c)
{
    krt_value *const is = krt_op_less(c, krt_op_absolute(c, error_of(c)), krt_op_scalar(c, 0.5));

    (void)l;
    (void)args;
    return krt_call_output(c, 0, krt_op_cast(c, is, KRT_FLOAT32));
}

static inline void update_largest(const void *args, float *states, const krt_metric_batch *b)
{
    int64_t n = 1;

    (void)args;
    for (int i = 0; i < b->true_shape.rank; i++)
        n *= b->true_shape.dim[i];
    for (int64_t i = 0; i < n; i++)
        states[0] = fmaxf(states[0], fabsf(b->y_true[i] - b->y_pred[i]));
}

static inline double largest_result(const void *args, const float *states)
{
    (void)args;
    return (double)states[0];
}

static const quartic_args quartic_defaults = {.spec = {sizeof quartic_defaults, "tests>Quartic"},
                                              .reduction = "sum_over_batch_size",
                                              .power = 4};
static const krt_field quartic_fields[] = {KRT_FIELD(quartic_args, FLOAT, power),
                                           KRT_LOSS_FIELDS(quartic_args)};
static const krt_layer_class quartic = {.struct_size = sizeof quartic,
                                        .package = "tests",
                                        .name = "Quartic",
                                        .defaults = &quartic_defaults.spec,
                                        .fields = quartic_fields,
                                        .num_fields = 4,
                                        .call = call_quartic};

static const krt_loss_args tilted_defaults = {.spec = {sizeof tilted_defaults, "tests>tilted"},
                                              .reduction = "sum_over_batch_size"};
static const krt_field tilted_fields[] = {KRT_LOSS_FIELDS(krt_loss_args)};
static const krt_layer_class tilted = {.struct_size = sizeof tilted,
                                       .package = "tests",
                                       .name = "tilted",
                                       .defaults = &tilted_defaults.spec,
                                       .fields = tilted_fields,
                                       .num_fields = 3,
                                       .call = call_tilted};

static const krt_metric_args score_defaults = {.spec = {sizeof score_defaults, NULL}};
static const krt_field score_fields[] = {KRT_METRIC_FIELDS(krt_metric_args)};
static const krt_metric_class largest = {.base = {.struct_size = sizeof largest,
                                                  .package = "tests",
                                                  .name = "Largest",
                                                  .defaults = &score_defaults.spec,
                                                  .fields = score_fields,
                                                  .num_fields = 2},
                                         .direction = "down",
                                         .num_states = 1,
                                         .update = update_largest,
                                         .result = largest_result};
static const krt_metric_class share_within = {.base = {.struct_size = sizeof share_within,
                                                       .package = "tests",
                                                       .name = "share_within",
                                                       .defaults = &score_defaults.spec,
                                                       .fields = score_fields,
                                                       .num_fields = 2,
                                                       .call = call_share_within}};

/* The first failure, or success. */
static inline krt_status register_scores(krt_ctx *k)
{
    krt_status st = krt_register_loss(k, &quartic);

    if (st == KRT_OK)
        st = krt_register_loss(k, &tilted);
    if (st == KRT_OK)
        st = krt_register_metric(k, &largest);
    return st == KRT_OK ? krt_register_metric(k, &share_within) : st;
}

#endif
