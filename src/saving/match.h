/* Which array of a file fills which variable of a model: decided completely, then done.
 *
 * The two ways of pairing (saving_lib.c for Keras 3's paths, legacy_h5_format.c for lists of names)
 * only record here what they found. krti_match_finish() looks at what is left over on either side
 * and gives the verdict; krti_match_commit() reads every array first and touches the model last, so
 * a load that fails leaves the weights as they were. */
#ifndef KRTI_SAVING_MATCH_H
#define KRTI_SAVING_MATCH_H

#include "models/model.h"
#include "saving/report.h"
#include "saving/store.h"

/* How an array of an older file must be turned to be the variable; all zero: not at all. */
typedef struct krti_turn {
    bool flips; /* turn the kernel round in all but its last two axes, behind the rest */
    int rank;   /* of the array; 0: the axes stay where they are */
    int axes[KRT_MAX_RANK]; /* axis i of the result is axis axes[i] of the array */
    int num_parts;          /* arrays that stand side by side along the last axis; 0: one */
    size_t parts[4];        /* which, counted from the pair's array */
    bool is_cudnn;          /* a weight of CuDNNLSTM or CuDNNGRU (legacy_gates.h) */
} krti_turn;

typedef struct krti_pair {
    krt_variable *variable;
    size_t array;
    krti_turn turn;
} krti_pair;

/* What a caller of krt_load_weights() allows to be left out. */
typedef struct krti_match_rules {
    bool by_name, skip_mismatch;
    krt_names skipped; /* layers of the model, by name */
} krti_match_rules;

typedef struct krti_match {
    krt_ctx *k;
    krti_match_rules rules;
    krt_model *model;
    krti_store *store;
    krt_report *report;
    krti_pair *pairs;
    size_t num_pairs, pairs_capacity;
    bool *taken; /* by array: paired, or accounted for in another way */
    /* The model is not whole (a class nobody knows): what it cannot take is no failure. */
    bool is_partial;
    bool has_counted;   /* arrays of such a class */
    size_t num_misfits; /* objects that exist on both sides and do not agree, or are missing */
    size_t num_warned;  /* of them, those the caller allows */
    size_t num_fits;    /* objects that do */
    krti_str sentence;  /* about the first misfit */
    krti_str object;
    krti_str last;               /* the object of the last misfit: each counts once */
    bool says_all;               /* the sentence is about all of them */
    size_t num_left, first_left; /* arrays of the file that no variable asked for */
} krti_match;

krt_status krti_match_init(krti_match *m, krt_model *model, krti_store *store);
/* Whether the caller wants this layer left alone: it, or one around it, is named. */
bool krti_match_is_skipped(const krti_match *m, const krt_layer *l);
void krti_match_fini(krti_match *m); /* the report too, unless it was taken */

/* Pairs, or records that the shapes differ. `object` is named in the sentence. */
krt_status krti_match_pair(krti_match *m, krt_variable *v, size_t array, const char *object);
/* The same for an array that has the variable's shape only when it is turned. */
krt_status krti_match_pair_turned(krti_match *m, krt_variable *v, size_t array,
                                  const krti_turn *turn, bool fits, const char *object);
/* Records that the variable, or the array, has no partner for this reason. */
krt_status krti_match_skip_variable(krti_match *m, krt_outcome outcome, krt_variable *v);
krt_status krti_match_skip_array(krti_match *m, krt_outcome outcome, size_t array);
/* Counts an object that does not fit, once; the first one's sentence is kept. Where the caller
 * allows it, it is a warning instead. */
krt_status krti_match_misfit(krti_match *m, const char *object, const char *format, ...)
    KRTI_PRINTF(3, 4);

/* Counts the arrays under `path` for a layer whose class nobody knows, for the sentence about it. */
void krti_match_count_unknown(krti_match *m, krt_layer *l, const char *path);
/* Records what is left over in the file, then gives the verdict. */
krt_status krti_match_finish(krti_match *m);
/* Fails: E_MISMATCH with the sentence about the first misfit, or about what is left over. */
krt_status krti_match_verdict(krti_match *m);
/* Reads the arrays and puts them into the variables. Fails: E_CORRUPT, E_UNSUPPORTED, E_NOMEM. */
krt_status krti_match_commit(krti_match *m);

#endif
