/* What the files of the summary share. Keras: utils/summary_utils.py, which prints through Python's
 * rich package; what of rich decides about characters is ported here.
 *
 * summary.c        the rows, and the counts below the table
 * summary_graph.c  the order, depth and connections of a Functional's operations
 * summary_optimizer.c  what an optimizer's state will hold
 * summary_table.c  rich's Table: widths of columns, borders
 * summary_text.c   rich's Text: markup, wrapping, adjusting; all but its emoji codes (":smile:")
 * summary_cells.c  how many columns a character takes */
#ifndef KRTI_MODELS_SUMMARY_H
#define KRTI_MODELS_SUMMARY_H

#include "base/str.h"
#include "models/model.h"

/* --- summary_cells.c ------------------------------------------------------------------------- */

size_t krti_cell_width(uint32_t c);    /* 0, 1 or 2 */
bool krti_cell_is_widened(uint32_t c); /* takes one more when variation selector 16 follows */

/* --- summary_text.c -------------------------------------------------------------------------- */

typedef enum krti_justify {
    KRTI_JUSTIFY_NONE, /* a line of its own: long words go on in the next line */
    KRTI_JUSTIFY_LEFT, /* in a table: what is too long ends in an ellipsis */
    KRTI_JUSTIFY_CENTER,
    KRTI_JUSTIFY_RIGHT
} krti_justify;

/* rich.markup.escape: what looks like a tag will be printed as it is. */
krt_status krti_markup_escape(krti_str *out, const char *text);
/* Appends the text without its tags, wrapped, each line with a line feed; `lines` counts them.
 * Lines of a table's cell are filled with spaces to the width. */
krt_status krti_markup_wrap(krti_str *out, const char *markup, size_t width, krti_justify justify,
                            size_t *lines);

/* --- summary_table.c ------------------------------------------------------------------------- */

enum { KRTI_TABLE_MAX_COLUMNS = 5, KRTI_TABLE_MAX_LENGTH = 1 << 16 };

typedef struct krti_column {
    const char *header;
    krti_justify justify;
    double position; /* of its right edge, relative to the length of a line */
    size_t width;    /* with padding, without borders */
} krti_column;

/* A table that is printed while it is made. */
typedef struct krti_table {
    krti_str *out;
    size_t num_columns;
    krti_column columns[KRTI_TABLE_MAX_COLUMNS];
    krti_str cells[KRTI_TABLE_MAX_COLUMNS]; /* of the row being printed */
    bool has_rows;
} krti_table;

/* Finds the widths and prints the header. Fails: E_INVALID when the line is too short, E_NOMEM. */
krt_status krti_table_begin(krti_table *t, krti_str *out, int line_length);
krt_status krti_table_add(krti_table *t, const krti_str *markup); /* num_columns texts */
krt_status krti_table_end(krti_table *t);
void krti_table_free(krti_table *t);

/* --- summary_graph.c ------------------------------------------------------------------------- */

/* Which nodes call which layer: positions in model.nodes, by layer, then in Keras's order. */
typedef struct krti_calls {
    const krt_model *m;
    size_t *order; /* num_nodes of them; NULL: the model has no nodes */
} krti_calls;

krt_status krti_calls_init(krti_calls *c, const krt_model *m, krti_arena *a);
/* The calls of one layer; NULL and 0: it is not called. */
const size_t *krti_calls_of(const krti_calls *c, const krt_layer *layer, size_t *n);

/* Keras: Function._operations and what else map_graph() finds. */
typedef struct krti_wiring {
    krti_calls calls;
    krt_layer **operations; /* farthest from the outputs first */
    size_t num_operations;
    const krti_ref **inputs; /* by node: every tensor it was called with, as Keras flattens them */
    size_t *num_inputs;
    bool *is_relevant; /* by node: the outputs need it */
    bool is_chain;     /* every operation follows the one before, and is called once */
} krti_wiring;

krt_status krti_wiring_init(krti_wiring *w, const krt_model *m, krti_arena *a);

/* Whether all weights are there: behind a layer of an unknown class some may be missing. */
bool krti_model_is_whole(const krt_model *m);

/* --- summary_optimizer.c --------------------------------------------------------------------- */

typedef struct krti_counts {
    int64_t params, bits;
} krti_counts;

/* Bits of one element, after the dtype policy of the layer. */
int64_t krti_variable_bits(const krt_variable *v);
void krti_counts_add(krti_counts *counts, krt_shape shape, int64_t bits);
/* What the optimizer of a compile_config holds once it is built for these variables. False: there
 * is none, or none this library knows. */
bool krti_optimizer_count(const krti_conf *compile_config, krt_variable *const *trainable, size_t n,
                          krti_counts *counts);

#endif
