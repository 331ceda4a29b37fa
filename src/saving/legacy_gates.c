/* Weights of LSTM and GRU as Keras 1 and the CuDNN layers of Keras 2 stored them.
 *
 * Keras 1 had an array for each gate. cuDNN wants each gate's matrix transposed: its recurrent kernel is, and
 * of the kernel the memory is, under the shape of today; LSTM has a second bias, which is added, and
 * GRU's two are the two rows of today's. Keras: preprocess_weights_for_loading() and
 * _convert_rnn_weights() of Keras 2. Page: docs/formats/legacy_h5.md, "Keras 1". */
#include "saving/legacy_gates.h"

#include "layers/rnn.h"

int krti_legacy_gates(const krt_layer *l)
{
    if (l->cls == &krti_class_lstm_cell.base)
        return 4;
    return l->cls == &krti_class_gru_cell.base ? 3 : 0;
}

void krti_legacy_split_gates(const krt_variable *v, size_t i, krti_turn *turn)
{
    static const size_t lstm[] = {0, 2, 1, 3}, gru[] = {0, 1, 2};
    const int gates = krti_legacy_gates(v->layer);
    const size_t cell = i / 3 * 3 * (size_t)gates;

    turn->num_parts = gates;
    for (int g = 0; g < gates; g++)
        turn->parts[g] = cell + (gates == 4 ? lstm[g] : gru[g]) * 3 + i % 3;
}

/* ------------------------------------------------------------------------------- cuDNN */

bool krti_legacy_is_cudnn(const krt_layer *cell, krt_shape bias)
{
    const int64_t units = krti_legacy_gates(cell) > 0 ? krti_cell_units(cell) : 0;

    return units > 0 && bias.rank == 1 && bias.dim[0] == 2 * krti_legacy_gates(cell) * units;
}

krt_shape krti_legacy_cudnn_shape(const krt_variable *v, krt_shape found)
{
    const krt_shape wanted = v->tensor->shape;

    if (strcmp(v->name, "bias") != 0 || found.rank != 1)
        return found;
    if (krti_legacy_gates(v->layer) == 4 ? found.dim[0] == 2 * wanted.dim[0]
                                         : wanted.rank == 2 && found.dim[0] == 2 * wanted.dim[1])
        return wanted;
    return found;
}

/* Element (i, j) of a gate: the kernel's lies at i + j * rows of the gate in row-major order. */
static void turn_gate(float *to, const float *from, size_t rows, size_t units, size_t width,
                      bool is_kernel)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < units; j++) {
            const size_t flat = is_kernel ? i + j * rows : j * units + i;

            to[i * width + j] = from[flat / units * width + flat % units];
        }
}

krt_status krti_legacy_from_cudnn(const krt_variable *v, krt_tensor **t)
{
    const krt_shape wanted = v->tensor->shape;
    const size_t units = (size_t)krti_cell_units(v->layer);
    const size_t width = units * (size_t)krti_legacy_gates(v->layer);
    const float *const from = (*t)->data;
    const bool is_bias = strcmp(v->name, "bias") == 0;
    krt_tensor *made = NULL;
    const krt_status st = krt_tensor_from((*t)->owned.k, &made, KRT_FLOAT32, wanted, from);

    if (st != KRT_OK)
        return st;
    float *const to = made->data;
    for (size_t i = 0; is_bias && wanted.rank == 1 && i < width; i++)
        to[i] = from[i] + from[width + i];
    for (size_t at = 0; !is_bias && at < width; at += units)
        turn_gate(to + at, from + at, (size_t)wanted.dim[0], units, width,
                  strcmp(v->name, "kernel") == 0);
    krt_tensor_free(*t);
    *t = made;
    return KRT_OK;
}
