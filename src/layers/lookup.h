/* What StringLookup, IntegerLookup and TextVectorization share: a vocabulary and how it is read,
 * written and looked up. Keras: layers/preprocessing/index_lookup.py. */
#ifndef KRTI_LAYERS_LOOKUP_H
#define KRTI_LAYERS_LOOKUP_H

#include "layers/layer.h"
#include "ops/text.h"

/* The tables of one layer. */
typedef struct krti_index {
    krti_lookup lookup;
    krti_vocabulary *vocabulary; /* without mask and unknown; NULL: none yet */
    krt_string mask, oov;
    int64_t mask_number, oov_number;   /* of integers: what the two point to */
    const krti_vectorizer *vectorizer; /* of the lookup in a TextVectorization; else NULL */
    bool is_given; /* the vocabulary is an argument: it is in the config and nowhere else */
} krti_index;
void krti_index_free(krti_index *index); /* NULL allowed */

/* The layer's own index, or that of the lookup in a TextVectorization; NULL: it looks nothing up. */
krt_layer *krti_lookup_layer(krt_layer *l);

/* Keras's set_vocabulary(): `n` tokens, with or without mask and unknown before them. `vocabulary`,
 * which the layer then has, takes the tokens. Fails with `status` and Keras's sentences. */
krt_status krti_lookup_set(krt_layer *l, const krt_string *tokens, size_t n, krt_status status);
/* Makes *vocabulary, without mask and unknown, the layer's and sets it to NULL. Fails with `status` where
 * the size does not fit. */
krt_status krti_lookup_take(krt_layer *l, krti_vocabulary **vocabulary, krt_status status);
/* The table of weights, made when there is none; *out NULL in other modes than "tf_idf". */
krt_status krti_lookup_add_idf(krt_layer *l, krt_variable **out);
/* The hook of the classes (lookup_adapt.c). */
krt_status krti_lookup_adapt(krt_layer *l, krti_adapt_data *data);
/* The asset of a file, vocabulary.txt: a token a line. Nothing to do where the config has it. */
krt_status krti_lookup_read(krt_layer *l, const char *text, size_t size);
/* The same file; *has false where Keras writes none. */
krt_status krti_lookup_write(const krt_layer *l, krti_str *out, bool *has);

/* Numbers of tokens as the layer's output_mode wants them; `bag` is a matrix of counts already. */
krt_value *krti_lookup_encode(const krt_layer *l, krt_call *c, krt_value *numbers, bool is_bag);
int64_t krti_lookup_size(const krt_layer *l); /* vocabulary_size(): with mask and unknown */
/* The width of what is no "int"; KRT_NONE: not known yet. */
int64_t krti_lookup_depth(const krt_layer *l);

/* categorical.c: encode_categorical_inputs() in a dtype. */
krt_value *krti_encode(krti_graph *g, krt_value *x, const char *mode, int64_t depth,
                       krt_value *weights, krt_dtype dtype);

#endif
