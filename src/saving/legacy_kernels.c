/* Kernels as older Keras laid them out, turned into today's (rows, columns, in, out).
 *
 * Keras 1 kept kernels of channels_first as Theano does, (out, in, rows, columns), those of a
 * transposed convolution with in and out exchanged, and Conv1D's with an axis of 1 more. Theano's
 * convolution turns the kernel round, which Keras 2 noted as the file's backend. Keras:
 * preprocess_weights_for_loading() of Keras 2. Page: docs/formats/legacy_h5.md, "Keras 1". */
#include "saving/legacy_kernels.h"

static const struct rule {
    const char *class_name;
    int rank;               /* of the array in the file */
    const char *format;     /* the layer's data_format; NULL: any */
    int axes[KRT_MAX_RANK]; /* axis i of the kernel is axis axes[i] of the file */
} rules[] = {
    {"Conv2D", 4, "channels_first", {2, 3, 1, 0}},
    {"Conv2DTranspose", 4, "channels_last", {0, 1, 3, 2}},
    {"Conv2DTranspose", 4, "channels_first", {2, 3, 0, 1}},
    {"Conv3D", 5, "channels_first", {2, 3, 4, 1, 0}},
};

static void set_axes(krti_turn *turn, const int *axes, int rank)
{
    turn->rank = rank;
    memcpy(turn->axes, axes, (size_t)rank * sizeof *axes);
}

/* (length, 1, in, out), or Theano's (out, in, length, 1). */
static void turn_conv1d(krti_turn *turn, krt_shape found, krt_shape wanted)
{
    static const int plain[] = {0, 1, 2, 3}, theano[] = {2, 3, 1, 0};
    const bool is_plain =
        found.dim[0] == wanted.dim[0] && found.dim[1] == 1 && found.dim[3] == wanted.dim[2];

    set_axes(turn, is_plain ? plain : theano, 4);
}

krti_turn krti_legacy_turn(const krt_variable *v, krt_shape found, int generation, bool is_theano)
{
    static const char *const turned[] = {"Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose",
                                         "ConvLSTM2D"};
    static const int from_cntk[] = {3, 2, 0, 1};
    const krt_shape wanted = v->tensor->shape;
    const char *const *const given = krti_layer_arg(v->layer, "data_format", KRT_FIELD_STRING);
    const char *const format = given != NULL ? *given : NULL;
    krti_turn turn = {0};

    if (!krti_is_one_of(v->layer->class_name, turned, KRTI_COUNT(turned)) ||
        strstr(v->name, "kernel") == NULL)
        return turn;
    turn.flips = is_theano;
    if (generation < 2 && strcmp(v->layer->class_name, "Conv1D") == 0 && found.rank == 4)
        turn_conv1d(&turn, found, wanted);
    for (size_t i = 0; generation < 2 && i < KRTI_COUNT(rules); i++)
        if (strcmp(rules[i].class_name, v->layer->class_name) == 0 && found.rank == rules[i].rank &&
            (format == NULL || strcmp(rules[i].format, format) == 0))
            set_axes(&turn, rules[i].axes, rules[i].rank);
    /* Keras 2 tries this one on any kernel of another shape. */
    if (turn.rank == 0 && found.rank == 4 && wanted.rank == 4 && !krt_shape_equal(found, wanted))
        set_axes(&turn, from_cntk, 4);
    if (turn.rank > 0 && !krt_shape_equal(krti_turned_shape(&turn, found, v), wanted))
        turn.rank = 0; /* as it lies, or not at all */
    return turn;
}

krt_shape krti_turned_shape(const krti_turn *turn, krt_shape found, const krt_variable *v)
{
    krt_shape shape = {.rank = turn->rank};
    krt_shape squeezed = {0};

    if (turn->rank == 0 || found.rank != turn->rank)
        return found;
    for (int i = 0; i < turn->rank; i++)
        shape.dim[i] = found.dim[turn->axes[i]];
    if (v->tensor->shape.rank != 3 || shape.rank != 4 || shape.dim[1] != 1)
        return krt_shape_equal(shape, v->tensor->shape) ? shape : found;
    squeezed = (krt_shape){3, {shape.dim[0], shape.dim[2], shape.dim[3]}};
    return krt_shape_equal(squeezed, v->tensor->shape) ? squeezed : found;
}
