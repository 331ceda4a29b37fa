/* SwapEMAWeights. Keras: callbacks/swap_ema_weights.py. The averages lie among the optimizer's
 * variables, in the slot "average". */
#include "callbacks/monitor.h"
#include "callbacks/stock.h"

#include "models/model.h"
#include "training/optimizer.h"

typedef struct swapping {
    const krt_swap_ema_args *a;
    bool is_swapped; /* the averages are in the model */
} swapping;

static krt_status init(void *state, krt_model *m, const void *args)
{
    (void)m;
    ((swapping *)state)->a = args;
    return KRT_OK;
}

static void exchange(char *a, char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char c = a[i];

        a[i] = b[i];
        b[i] = c;
    }
}

/* Calls for each weight and its average. */
static krt_status each(krt_model *m, bool copies_back)
{
    krti_optimizer *o = NULL;
    size_t found = 0;
    bool moves = false; /* from the file into memory */
    krt_status st = krti_model_optimizer(m, &o);

    TRY(st);
    o = o != NULL && o->inner != NULL ? o->inner : o;
    for (size_t i = 0; o != NULL && i < o->num_trainable; i++) {
        krt_tensor *weight = o->trainable[i]->tensor;
        krti_optimizer_variable *average = krti_optimizer_find(o, "average", o->trainable[i]);

        if (average == NULL)
            continue;
        found++;
        moves =
            moves || !krti_tensor_is_private(weight) || !krti_tensor_is_private(average->tensor);
        TRY(krti_tensor_own(weight));
        TRY(krti_tensor_own(average->tensor));
        if (copies_back)
            memcpy(average->tensor->data, weight->data, weight->size_bytes);
        else
            exchange(weight->data, average->tensor->data, weight->size_bytes);
    }
    if (found == 0)
        TRY(krti_fail(m->base.owned.k, KRT_E_INVALID, NULL,
                      "SwapEMAWeights must be used when `use_ema=True` is set on the optimizer. "
                      "Received: use_ema=False"));
    st = moves ? krti_model_weights_moved(m) : krti_model_forget_plans(m);

done:
    return st;
}

static krt_status swap(swapping *s, krt_model *m, bool to)
{
    if (s->is_swapped == to)
        return KRT_OK;
    s->is_swapped = to;
    return each(m, false);
}

static krt_status on_epoch_begin(void *state, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    swapping *s = state;

    (void)epoch;
    (void)logs;
    return s->a->swap_on_epoch ? swap(s, m, false) : KRT_OK;
}

/* Keras copies the swapped weights back in the last epoch, since fit() itself ends by putting the
 * averages into the model. */
static krt_status on_epoch_end(void *state, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    swapping *s = state;
    krt_status st = KRT_OK;

    (void)logs;
    if (!s->a->swap_on_epoch || s->is_swapped)
        return KRT_OK;
    st = swap(s, m, true);
    if (st == KRT_OK && epoch == krt_params(m)->epochs - 1)
        st = each(m, true);
    return st;
}

static krt_status on_test_begin(void *state, krt_model *m, const krt_logs *logs)
{
    (void)logs;
    return swap(state, m, true);
}

static krt_status on_test_end(void *state, krt_model *m, const krt_logs *logs)
{
    (void)logs;
    return swap(state, m, false);
}

static const krt_swap_ema_args swap_ema_defaults = {
    .spec = {sizeof swap_ema_defaults, "SwapEMAWeights"}, .swap_on_epoch = false};

static const krt_field swap_ema_fields[] = {
    KRT_FIELD(krt_swap_ema_args, BOOL, swap_on_epoch),
};

KRTI_STOCK(swap_ema, "SwapEMAWeights", krt_swap_ema_args, swap_ema_fields,
           .state_size = sizeof(swapping), .init = init,
           .hooks = {.on_epoch_begin = on_epoch_begin,
                     .on_epoch_end = on_epoch_end,
                     .on_test_begin = on_test_begin,
                     .on_test_end = on_test_end});
