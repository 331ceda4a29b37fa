/* A layer, a loss and a metric, written in C by a program, trained, saved and loaded like Keras's own; and
 * a callback that stops the training when a goal is reached.
 *
 *     custom DATA OUT
 *
 * The layer is "Scale": one weight a channel, which the inputs are multiplied by. The loss is "Poly1", the
 * crossentropy plus a share of what the right class lacks; the metric is "doubt", the mean of that. All
 * are described with operations, so they are differentiated like any other. */
#include "common.h"

#include <keratin/sys/score_class.h>

typedef struct scale_args {
    krt_spec spec;
    const char *name;
    bool trainable;
} scale_args;
static const scale_args scale_defaults = {.spec = {sizeof scale_defaults, "examples>Scale"},
                                          .trainable = true};
#define SCALE(...) KRT_SPEC(scale_args, "examples>Scale", .trainable = true, __VA_ARGS__)

static krt_status build_scale(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    (void)args;
    (void)n;
    return krt_layer_add_weight(l, "scale", KRT_SHAPE(inputs[0].dim[inputs[0].rank - 1]),
                                KRT_ID("ones"), true);
}

static krt_status call_scale(const krt_layer *l, const void *args, krt_call *c)
{
    (void)l;
    (void)args;
    return krt_call_output(c, 0,
                           krt_op_multiply(c, krt_call_input(c, 0), krt_call_weight(c, "scale")));
}

static const krt_field scale_fields[] = {KRT_BASE_FIELDS(scale_args)};
static const krt_layer_class scale_class = {.struct_size = sizeof scale_class,
                                            .package = "examples",
                                            .name = "Scale",
                                            .defaults = &scale_defaults.spec,
                                            .fields = scale_fields,
                                            .num_fields =
                                                sizeof scale_fields / sizeof scale_fields[0],
                                            .build = build_scale,
                                            .call = call_scale};

/* The probability of the label, one a sample. */
static krt_value *probability(krt_call *c)
{
    krt_value *labels = krt_op_cast(c, krt_call_input(c, 0), KRT_INT32);
    krt_value *chosen = krt_op_one_hot(c, labels, EX_CLASSES, -1);
    krt_value *all = krt_op_multiply(c, chosen, krt_call_input(c, 1));

    return krt_op_sum(c, all, (krt_axes){1, {-1}}, false);
}

typedef struct poly1_args {
    KRT_LOSS_MEMBERS;
    double epsilon;
} poly1_args;
static const poly1_args poly1_defaults = {.spec = {sizeof poly1_defaults, "examples>Poly1"},
                                          .reduction = "sum_over_batch_size",
                                          .epsilon = 1};
#define POLY1(...)                                                                           \
    KRT_SPEC(poly1_args, "examples>Poly1", .reduction = "sum_over_batch_size", .epsilon = 1, \
             __VA_ARGS__)

static krt_status call_poly1(const krt_layer *l, const void *args, krt_call *c)
{
    const poly1_args *a = args;
    krt_value *p = probability(c);
    krt_value *crossentropy = krt_op_negative(c, krt_op_log(c, krt_op_clip(c, p, 1e-7, 1)));

    (void)l;
    return krt_call_output(
        c, 0, krt_op_add(c, crossentropy, krt_op_affine(c, p, -a->epsilon, a->epsilon)));
}

static const krt_field poly1_fields[] = {KRT_FIELD(poly1_args, FLOAT, epsilon),
                                         KRT_LOSS_FIELDS(poly1_args)};
static const krt_layer_class poly1_class = {.struct_size = sizeof poly1_class,
                                            .package = "examples",
                                            .name = "Poly1",
                                            .defaults = &poly1_defaults.spec,
                                            .fields = poly1_fields,
                                            .num_fields =
                                                sizeof poly1_fields / sizeof poly1_fields[0],
                                            .call = call_poly1};

static krt_status call_doubt(const krt_layer *l, const void *args, krt_call *c)
{
    (void)l;
    (void)args;
    return krt_call_output(c, 0, krt_op_affine(c, probability(c), -1, 1));
}

static const krt_metric_args doubt_defaults = {.spec = {sizeof doubt_defaults, "examples>doubt"}};
static const krt_field doubt_fields[] = {KRT_METRIC_FIELDS(krt_metric_args)};
static const krt_metric_class doubt_class = {
    .base = {.struct_size = sizeof doubt_class,
             .package = "examples",
             .name = "doubt",
             .defaults = &doubt_defaults.spec,
             .fields = doubt_fields,
             .num_fields = sizeof doubt_fields / sizeof doubt_fields[0],
             .call = call_doubt},
    .direction = "down"};

static krt_status stop_at_goal(void *user, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    const double *goal = user;
    double accuracy = 0;

    (void)epoch;
    if (krt_logs_get(logs, "accuracy", &accuracy) && accuracy >= *goal)
        krt_stop_training(m);
    return KRT_OK;
}

static krt_status run(krt_ctx *k, const char *data, const char *out)
{
    ex_digits d = {0};
    char path[4096];
    double goal = 0.9;
    krt_history *history = NULL;
    krt_model *again = NULL;
    size_t epochs = 0;
    const double *doubts = NULL;
    krt_status st = ex_read(k, data, &d);

    if (st != KRT_OK || (st = krt_register(k, &scale_class)) != KRT_OK ||
        (st = krt_register_loss(k, &poly1_class)) != KRT_OK ||
        (st = krt_register_metric(k, &doubt_class)) != KRT_OK)
        return st;
    krt_model *m = krt_sequential(k, NULL);
    krt_add_input(m, KRT_SHAPE(EX_SIDE, EX_SIDE, 1), NULL);
    krt_add(m, KRT_RESCALING(KRT_NUMBER(1.0 / 16)));
    krt_add(m, KRT_CONV2D(16, {3, 3}, .activation = "relu"));
    krt_add(m, SCALE());
    krt_add(m, KRT_FLATTEN());
    krt_add(m, KRT_DENSE(EX_CLASSES, .activation = "softmax"));
    st = krt_compile(
        m, KRT_COMPILE(.optimizer = KRT_ADAM(), .loss = POLY1(.epsilon = 0.5),
                       .metrics = KRT_SPECS(KRT_ID("accuracy"), KRT_ID("examples>doubt"))));
    if (st == KRT_OK)
        st = krt_fit(m, d.x, d.y,
                     KRT_FIT(.epochs = 30, .history = &history,
                             .callbacks = KRT_SPECS(
                                 KRT_CALLBACK(.on_epoch_end = stop_at_goal, .user = &goal))));
    if (st != KRT_OK)
        return st;
    doubts = krt_history_get(history, "doubt", &epochs);
    printf("stopped at the goal: %s\n", epochs < 30 ? "yes" : "no");
    printf("doubts less than before: %s\n",
           epochs > 1 && doubts[epochs - 1] < doubts[0] ? "yes" : "no");
    snprintf(path, sizeof path, "%s/custom.keras", out);
    if ((st = krt_save(m, path, NULL)) != KRT_OK ||
        (st = krt_load(k, &again, path, NULL)) != KRT_OK)
        return st;
    printf("loaded again with its layer and loss: %s\n",
           ex_accuracy(again, &d) == ex_accuracy(m, &d) ? "as accurate" : "differs");
    return KRT_OK;
}

int main(int argc, char **argv)
{
    krt_ctx *k = NULL;

    if (argc != 3) {
        fprintf(stderr, "usage: custom DATA OUT\n");
        return 2;
    }
    if (krt_ctx_new(&k, KRT_CTX(.seed = 1)) != KRT_OK)
        return 1;
    return ex_end(k, run(k, argv[1], argv[2]));
}
