/* Two opened files side by side, and the sides of an explanation. */
#ifndef KRTI_SAVING_COMPARE_H
#define KRTI_SAVING_COMPARE_H

#include "saving/load.h"

/* What to call each array of a listed file so that the same weight has the same name in two files.
 * `names` has an entry for each array of the store, NULL: it has none. */
typedef struct krti_labels {
    krti_arena arena;
    const char **of; /* by array */
    size_t n;
} krti_labels;

/* Entries as they are, without the leading "/" and the trailing ":0". */
krt_status krti_labels_by_entry(krt_ctx *k, krti_labels *out, const krti_store *s);
/* The weights' own names, "dense/kernel", for files of two families. */
krt_status krti_labels_by_name(krt_ctx *k, krti_labels *out, const krti_store *s);
/* Paths of the variables that the arrays would fill in a model, with a number behind where several have
 * one path; optimizer state by its entry. `fits`: whether the file fills the model. */
krt_status krti_labels_by_model(krt_ctx *k, krti_labels *out, krt_model *m, const krti_source *f,
                                bool *fits);
void krti_labels_free(krti_labels *n);

/* One entry in a list of weights: a variable of a model or an array of a file. */
typedef struct krti_weight {
    const char *name;
    krt_shape shape;
} krti_weight;

/* The likely reason why the weights of a file do not fit a model, as a sentence into `cause`, and
 * the first place where the two lists part. Both lists are in the model's order. */
typedef struct krti_parting {
    size_t num_common;  /* weights that agree by shape, in order */
    size_t model, file; /* first places that do not; the list's size: past its end */
} krti_parting;
krt_status krti_find_cause(krt_ctx *k, const krti_weight *model, size_t num_model,
                           const krti_weight *file, size_t num_file, krti_str *cause,
                           krti_parting *parting);

/* The command that puts the weights of a listed file into a model that they do not fit, into `command`;
 * it was tried. The list may have other names afterwards. */
krt_status krti_find_remedy(krt_model *m, krti_source *weights, const char *model_filepath,
                            krti_str *command);

#endif
