/* Why weights do not fit a model: the two lists of shapes are laid beside each other, as diff lays
 * lines, and the gaps tell. See krti_find_cause() in compare.h.
 *
 * Forty threads in public forums are about this one question, and the answers are few: the top is
 * missing or there, another number of classes, another size of the same architecture, renamed or
 * nested layers, the kernels of Theano. */
#include "saving/compare.h"

enum { MOST = 4096 }; /* weights in a list; beyond that only the beginnings are compared */

typedef struct gap {
    size_t model, num_model; /* weights only the model has */
    size_t file, num_file;   /* weights only the file has */
} gap;

typedef struct alignment {
    const krti_weight *model, *file;
    size_t num_model, num_file;
    size_t num_common, num_gaps;
    gap first, last;
    size_t num_turned; /* pairs in gaps that are the same kernel with its axes turned */
    size_t num_ranks;  /* pairs in gaps of one rank */
    size_t num_pairs;
} alignment;

static bool same(const alignment *a, size_t i, size_t j)
{
    return krt_shape_equal(a->model[i].shape, a->file[j].shape);
}

/* (out, in, h, w) is (h, w, in, out) with its axes turned: Keras 1 with Theano's order, and PyTorch's,
 * which has (out, in) too. */
static bool is_turned(krt_shape x, krt_shape y)
{
    if (x.rank != y.rank || x.rank < 2)
        return false;
    if (x.rank == 2)
        return x.dim[0] == y.dim[1] && x.dim[1] == y.dim[0];
    for (int i = 0; i < x.rank - 2; i++)
        if (x.dim[i] != y.dim[i + 2])
            return false;
    return x.dim[x.rank - 2] == y.dim[1] && x.dim[x.rank - 1] == y.dim[0];
}

static void end_gap(alignment *a, const gap *g)
{
    const size_t pairs = g->num_model < g->num_file ? g->num_model : g->num_file;

    if (g->num_model + g->num_file == 0)
        return;
    if (a->num_gaps++ == 0)
        a->first = *g;
    a->last = *g;
    for (size_t i = 0; i < pairs; i++) {
        const krt_shape x = a->model[g->model + i].shape, y = a->file[g->file + i].shape;

        a->num_turned += is_turned(x, y);
        a->num_ranks += x.rank == y.rank;
    }
    a->num_pairs += pairs;
}

/* Longest common subsequence of the shapes. lengths[i][j]: of model[i..] and file[j..]. */
static krt_status align(krt_ctx *k, alignment *a)
{
    const size_t n = a->num_model, m = a->num_file;
    uint16_t *lengths = krti_array(k, n + 1, (m + 1) * sizeof *lengths);
    gap g = {0};

    if (lengths == NULL)
        return KRT_E_NOMEM;
    for (size_t i = n; i-- > 0;)
        for (size_t j = m; j-- > 0;) {
            const uint16_t down = lengths[(i + 1) * (m + 1) + j];
            const uint16_t right = lengths[i * (m + 1) + j + 1];

            lengths[i * (m + 1) + j] = same(a, i, j)
                                           ? (uint16_t)(lengths[(i + 1) * (m + 1) + j + 1] + 1)
                                           : (down > right ? down : right);
        }
    for (size_t i = 0, j = 0; i < n || j < m;) {
        if (i < n && j < m && same(a, i, j)) {
            end_gap(a, &g);
            a->num_common++;
            g = (gap){++i, 0, ++j, 0};
        } else if (j == m ||
                   (i < n && lengths[(i + 1) * (m + 1) + j] >= lengths[i * (m + 1) + j + 1])) {
            g.num_model++;
            i++;
        } else {
            g.num_file++;
            j++;
        }
    }
    end_gap(a, &g);
    krti_free(k, lengths);
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- reasons */

static int64_t last_dim(krt_shape s)
{
    return s.rank > 0 ? s.dim[s.rank - 1] : 0;
}

static bool is_at_end(const alignment *a, const gap *g)
{
    return g->model + g->num_model == a->num_model && g->file + g->num_file == a->num_file;
}

/* The weights of one layer, kernel and bias, that differ in the number of what comes out. */
static bool is_other_classes(const alignment *a, const gap *g)
{
    if (g->num_model != g->num_file || g->num_model == 0 || g->num_model > 2)
        return false;
    for (size_t i = 0; i < g->num_model; i++) {
        krt_shape x = a->model[g->model + i].shape, y = a->file[g->file + i].shape;

        if (x.rank != y.rank || x.rank == 0)
            return false;
        x.dim[x.rank - 1] = y.dim[y.rank - 1] = 0;
        if (!krt_shape_equal(x, y))
            return false;
    }
    return true;
}

/* The first kernel differs in what comes in. */
static bool is_other_channels(const alignment *a, const gap *g)
{
    krt_shape x, y;

    if (g->model != 0 || g->file != 0 || g->num_model != 1 || g->num_file != 1)
        return false;
    x = a->model[0].shape;
    y = a->file[0].shape;
    if (x.rank != y.rank || x.rank < 2)
        return false;
    x.dim[x.rank - 2] = y.dim[y.rank - 2] = 0;
    return krt_shape_equal(x, y);
}

static krt_status say_one_gap(const alignment *a, const gap *g, krti_str *cause)
{
    const krti_weight *x = a->model + g->model, *y = a->file + g->file;

    if (is_other_channels(a, g))
        return krti_str_addf(cause,
                             "another number of channels comes in: %lld in the file, %lld in "
                             "the model",
                             (long long)y->shape.dim[y->shape.rank - 2],
                             (long long)x->shape.dim[x->shape.rank - 2]);
    if (is_at_end(a, g) && is_other_classes(a, g))
        return krti_str_addf(cause,
                             "another number of classes: %lld in the file, %lld in the model",
                             (long long)last_dim(y->shape), (long long)last_dim(x->shape));
    if (is_at_end(a, g) && g->num_file == 0)
        return krti_str_addf(cause,
                             "the file ends before %s: it looks like the include_top=False "
                             "variant, or like a save that was stopped",
                             x->name);
    if (is_at_end(a, g) && g->num_model == 0)
        return krti_str_addf(cause,
                             "the file goes on with %s where the model ends: the model looks "
                             "like the include_top=False variant",
                             y->name);
    if (is_at_end(a, g))
        return krti_str_addf(cause,
                             "another top: %zu arrays in the file, %zu in the model, behind "
                             "%zu that agree",
                             g->num_file, g->num_model, a->num_common);
    if (g->num_file == 0)
        return krti_str_addf(cause, "the model has %zu weights more, from %s on", g->num_model,
                             x->name);
    if (g->num_model == 0)
        return krti_str_addf(cause, "the file has %zu arrays more, from %s on", g->num_file,
                             y->name);
    return krti_str_addf(cause, "the layers at %s differ", x->name);
}

/* Whether each shape is as often in the one list as in the other. */
static bool has_same_shapes(const alignment *a)
{
    for (size_t i = 0; a->num_model == a->num_file && i < a->num_model; i++) {
        size_t model = 0, file = 0;

        for (size_t j = 0; j < a->num_model; j++) {
            model += krt_shape_equal(a->model[j].shape, a->model[i].shape);
            file += krt_shape_equal(a->file[j].shape, a->model[i].shape);
        }
        if (model != file)
            return false;
    }
    return a->num_model == a->num_file;
}

static krt_status say_cause(const alignment *a, krti_str *cause)
{
    const size_t smaller = a->num_model < a->num_file ? a->num_model : a->num_file;

    if (a->num_gaps == 0)
        return krti_str_add(cause,
                            "all shapes agree in order, the names do not: layers were renamed "
                            "or stand inside another model");
    if (a->num_file == 0)
        return krti_str_add(cause, "the file holds no weights");
    if (a->num_pairs > 0 && a->num_turned * 2 > a->num_pairs)
        return krti_str_add(cause, "the kernels have their axes in another order: the layout of "
                                   "Theano, in Keras 1, or of PyTorch");
    if (has_same_shapes(a))
        return krti_str_add(cause,
                            "the same shapes in another order: layers were moved, renamed or "
                            "stand inside another model");
    if (a->num_gaps == 1 && a->num_common * 2 >= smaller)
        return say_one_gap(a, &a->first, cause);
    if (a->num_model == a->num_file && a->num_ranks == a->num_pairs)
        return krti_str_add(cause,
                            "as many weights of the same kinds in other sizes: another preset "
                            "or width of the same architecture");
    if (a->num_common * 2 >= smaller)
        return krti_str_addf(cause,
                             "%zu weights agree in order and %zu places differ: another depth "
                             "or version of the same architecture",
                             a->num_common, a->num_gaps);
    return krti_str_add(cause, "the shapes have little in common: another architecture");
}

krt_status krti_find_cause(krt_ctx *k, const krti_weight *model, size_t num_model,
                           const krti_weight *file, size_t num_file, krti_str *cause,
                           krti_parting *parting)
{
    alignment a = {.model = model,
                   .file = file,
                   .num_model = num_model < MOST ? num_model : MOST,
                   .num_file = num_file < MOST ? num_file : MOST};
    krt_status st = align(k, &a);

    if (st == KRT_OK)
        st = say_cause(&a, cause);
    *parting = (krti_parting){.num_common = a.num_common,
                              .model = a.num_gaps > 0 ? a.first.model : a.num_model,
                              .file = a.num_gaps > 0 ? a.first.file : a.num_file};
    return st;
}
