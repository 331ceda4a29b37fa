/* A layer, written in C by a program, trained, saved and loaded like Keras's own; and a callback that
 * stops the training when a goal is reached.
 *
 *     custom DATA OUT
 *
 * The layer is "Scale": one weight a channel, which the inputs are multiplied by. It is described with
 * operations, so it is differentiated like any other. */
#include "common.h"

#include <keratin/sys/op.h>

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
    krt_status st = ex_read(k, data, &d);

    if (st != KRT_OK || (st = krt_register(k, &scale_class)) != KRT_OK)
        return st;
    krt_model *m = krt_sequential(k, NULL);
    krt_add_input(m, KRT_SHAPE(EX_SIDE, EX_SIDE, 1), NULL);
    krt_add(m, KRT_RESCALING(KRT_NUMBER(1.0 / 16)));
    krt_add(m, KRT_CONV2D(16, {3, 3}, .activation = "relu"));
    krt_add(m, SCALE());
    krt_add(m, KRT_FLATTEN());
    krt_add(m, KRT_DENSE(EX_CLASSES, .activation = "softmax"));
    st = krt_compile(m, KRT_COMPILE(.optimizer = KRT_ADAM(),
                                    .loss = KRT_ID("sparse_categorical_crossentropy"),
                                    .metrics = KRT_SPECS(KRT_ID("accuracy"))));
    if (st == KRT_OK)
        st = krt_fit(m, d.x, d.y,
                     KRT_FIT(.epochs = 30, .history = &history,
                             .callbacks = KRT_SPECS(
                                 KRT_CALLBACK(.on_epoch_end = stop_at_goal, .user = &goal))));
    if (st != KRT_OK)
        return st;
    (void)krt_history_get(history, "loss", &epochs);
    printf("stopped at the goal: %s\n", epochs < 30 ? "yes" : "no");
    snprintf(path, sizeof path, "%s/custom.keras", out);
    if ((st = krt_save(m, path, NULL)) != KRT_OK ||
        (st = krt_load(k, &again, path, NULL)) != KRT_OK)
        return st;
    printf("loaded again with its layer: %s\n",
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
