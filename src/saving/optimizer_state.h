/* An optimizer's variables between a file and a model.
 *
 * A load does not read them: who only predicts would pay for two arrays a weight. The model keeps the
 * file's list instead, and they are read when an optimizer is made of the model's settings. A save
 * before that passes them on as they lie, so a model whose optimizer this build does not know loses
 * nothing. */
#ifndef KRTI_SAVING_OPTIMIZER_STATE_H
#define KRTI_SAVING_OPTIMIZER_STATE_H

#include "saving/save_list.h"
#include "saving/source.h"
#include "training/optimizer.h"

/* After the weights of `f` were loaded: the optimizer that is there is filled; else the model keeps
 * the store when it has something for one. Fails: E_CORRUPT, E_NOMEM; a state of
 * another optimizer is a warning, as in Keras. */
krt_status krti_load_optimizer_state(krt_model *m, krti_source *f);

/* Fills a variable from an array of its shape. What a float64 file says more precisely than the float32
 * that optimizers compute in is kept for a save, as it is of weights. */
krt_status krti_optimizer_variable_read(krti_store *s, size_t array, krti_optimizer_variable *v);

/* Appends the model's optimizer to what a save writes; nothing for a model that is not compiled. */
krt_status krti_save_list_add_optimizer(krti_save_list *l, krt_model *m);

/* The dtype Keras keeps an optimizer's variable in: a slot has that of the weight it goes with. float64
 * stays float64. */
krt_dtype krti_stored_optimizer_dtype(const krti_optimizer_variable *v);

#endif
