/* Keras's callbacks, by class name; training finds them here. Keras: callbacks/__init__.py. */
#include "callbacks/stock.h"

const krti_callback_class *const krti_callback_classes[] = {
    &krti_callback_backup,       &krti_callback_csv_logger,       &krti_callback_early_stopping,
    &krti_callback_lr_scheduler, &krti_callback_model_checkpoint, &krti_callback_progbar,
    &krti_callback_reduce_lr,    &krti_callback_remote_monitor,   &krti_callback_swap_ema,
    &krti_callback_tensorboard,  &krti_callback_terminate_on_nan, NULL};

enum { HEAD = 64 }; /* bytes, so that the state is aligned as any block */
_Static_assert(sizeof(krti_stock_head) <= HEAD, "the head of a state has no room");

static void free_state(void *state)
{
    const krti_stock_head *head = krti_stock(state);

    if (head->fini != NULL)
        head->fini(state);
    krti_free(head->k, (char *)state - HEAD);
}

krt_status krti_stock_make(const krti_stock_class *cls, krt_model *m, const void *args,
                           bool will_validate, krti_callback *out)
{
    krt_ctx *k = m->base.owned.k;
    char *block = krti_alloc(k, HEAD + cls->state_size);
    krt_status st = KRT_OK;

    if (block == NULL)
        return KRT_E_NOMEM;
    *(krti_stock_head *)(void *)block = (krti_stock_head){k, m, will_validate, cls->fini};
    st = cls->init != NULL ? cls->init(block + HEAD, m, args) : KRT_OK;
    if (st != KRT_OK) {
        free_state(block + HEAD);
        return st;
    }
    out->hooks = cls->hooks;
    out->hooks.spec = *(const krt_spec *)args;
    out->hooks.user = block + HEAD;
    out->free = free_state;
    return KRT_OK;
}
