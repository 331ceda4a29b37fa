/* The list of a checkpoint's arrays. See tf_checkpoint.h.
 *
 * The graph tells what is what: it is walked depth first from the root, so that the list has the model's
 * order. What is reached without passing through an optimizer is a weight, even when its key says
 * otherwise: Keras 3's optimizer knows the model's variables too, and keys follow the shortest path.
 * A bundle without a graph is a list of names. */
#include "saving/tf_checkpoint.h"

#include "base/number.h"

enum { MAX_DEPTH = 128 };

typedef struct listing {
    krti_store *s;
    krti_tf_checkpoint *c;
    const char *prefix;
    size_t *files;        /* by shard: index in the store + 1 */
    size_t *by_entry;     /* by entry of the bundle: index of its array + 1 */
    bool *visited;        /* by node */
    uint32_t *optimizers; /* nodes, met on the way */
    size_t num_optimizers, optimizers_capacity;
    krti_str path;
} listing;

void krti_tf_checkpoint_free(krti_tf_checkpoint *c)
{
    if (c == NULL)
        return;
    krti_object_graph_free(&c->graph);
    krti_bundle_close(c->bundle);
    krti_free(c->k, c->arrays);
    krti_free(c->k, c);
}

/* ------------------------------------------------------------------------------- data files */

/* Maps a shard when the first entry refers to it: one that nothing refers to may be missing. */
static krt_status open_shard(listing *w, uint32_t shard, size_t *file)
{
    krti_str path = KRTI_STR_INIT(w->s->k);
    krti_bytes *bytes = NULL;
    krt_status st = KRT_OK;

    if (w->files[shard] == 0) {
        TRY(krti_str_addf(&path, "%s.data-%05u-of-%05u", w->prefix, shard,
                          w->c->bundle->num_shards));
        st = krti_bytes_map(w->s->k, &bytes, path.ptr);
        if (st == KRT_E_NOT_FOUND)
            st = krti_fail(w->s->k, st, NULL,
                           "the checkpoint's data file is not there, and its index is of no use "
                           "without it; copy all files of the checkpoint");
        TRY(krti_fail_in_file(w->s->k, st, path.ptr));
        TRY(krti_store_add_bytes(w->s, bytes, krti_path_name(path.ptr), &w->files[shard]));
        w->files[shard]++;
        w->c->size_bytes += (int64_t)bytes->size;
    }
    *file = w->files[shard] - 1;

done:
    krti_bytes_drop(bytes);
    krti_str_free(&path);
    return st;
}

/* Where an entry's bytes are: inside the file. */
static krt_status locate(listing *w, const krti_bundle_entry *e, size_t *file,
                         const unsigned char **data)
{
    krt_status st = open_shard(w, e->shard, file);

    if (st != KRT_OK)
        return st;
    const krti_store_file *f = &w->s->files[*file];
    if (e->offset > f->bytes->size || e->size > f->bytes->size - e->offset) {
        st = krti_fail(w->s->k, KRT_E_CORRUPT, e->key,
                       "its bytes end at %llu, %s is cut short at %zu",
                       (unsigned long long)(e->offset + e->size), f->name, f->bytes->size);
        return krti_fail_in_file(w->s->k, st, f->bytes->filepath);
    }
    *data = f->bytes->data + e->offset;
    return KRT_OK;
}

static krt_dtype dtype_of(const krti_bundle_entry *e)
{
    static const krt_dtype dtypes[] = {
        [KRTI_TF_FLOAT] = KRT_FLOAT32,     [KRTI_TF_DOUBLE] = KRT_FLOAT64,
        [KRTI_TF_INT32] = KRT_INT32,       [KRTI_TF_UINT8] = KRT_UINT8,
        [KRTI_TF_INT16] = KRT_INT16,       [KRTI_TF_INT8] = KRT_INT8,
        [KRTI_TF_INT64] = KRT_INT64,       [KRTI_TF_BOOL] = KRT_BOOL,
        [KRTI_TF_BFLOAT16] = KRT_BFLOAT16, [KRTI_TF_UINT16] = KRT_UINT16,
        [KRTI_TF_HALF] = KRT_FLOAT16,      [KRTI_TF_UINT32] = KRT_UINT32,
        [KRTI_TF_UINT64] = KRT_UINT64};

    return e->dtype < KRTI_COUNT(dtypes) ? dtypes[e->dtype] : KRT_DTYPE_NONE;
}

static krt_status locate_pieces(listing *w, const krti_bundle_entry *e, size_t *file, krti_raw *raw)
{
    krti_raw_piece *pieces = krti_arena_array(&w->s->arena, e->num_slices, sizeof *pieces);
    krt_status st = pieces != NULL ? KRT_OK : KRT_E_NOMEM;

    raw->pieces = pieces;
    raw->num_pieces = e->num_slices;
    for (size_t i = 0; st == KRT_OK && i < e->num_slices; i++) {
        const krti_bundle_entry *piece = &w->c->bundle->entries[e->slices[i].entry];

        memcpy(pieces[i].start, e->slices[i].start, sizeof pieces[i].start);
        memcpy(pieces[i].length, e->slices[i].length, sizeof pieces[i].length);
        pieces[i].size_bytes = (size_t)piece->size;
        pieces[i].crc32c = piece->crc32c;
        st = locate(w, piece, file, &pieces[i].data);
    }
    return st;
}

/* Adds an entry to the last object, once. */
static krt_status add_entry(listing *w, size_t index, const char *key)
{
    const krti_bundle_entry *e = &w->c->bundle->entries[index];
    krti_store_array a = {.entry = e->key,
                          .key = key,
                          .dtype = dtype_of(e),
                          .shape = {.rank = e->rank},
                          .size_bytes = e->size,
                          .offset = (int64_t)e->offset};
    krti_raw raw = {.is_swapped = w->c->bundle->big_endian != krti_is_big_endian(),
                    .sum = KRTI_SUM_CRC32C,
                    .crc = e->crc32c};
    size_t size = 0;
    krt_status st = KRT_OK;

    if (e->rank > KRT_MAX_RANK || e->rank < 0)
        a.shape.rank = -1;
    else
        memcpy(a.shape.dim, e->dim, sizeof a.shape.dim);
    if (a.shape.rank < 0 || !krti_shape_bytes(a.shape, a.dtype, &size))
        a.dtype = KRT_DTYPE_NONE;
    if (e->num_slices > 0) {
        TRY(locate_pieces(w, e, &a.file, &raw));
        a.offset = KRT_NONE;
        a.size_bytes = size;
    } else {
        TRY(locate(w, e, &a.file, &raw.data));
        raw.bytes = w->s->files[a.file].bytes;
    }
    TRY(krti_store_add_raw(w->s, &a, &raw));
    w->by_entry[index] = w->s->num_arrays;

done:
    return krti_fail_in_object(w->s->k, st, e->key);
}

/* ------------------------------------------------------------------------------- the graph */

static bool is_optimizer(const krti_object_graph *g, const krti_graph_edge *e)
{
    return strcmp(e->name, "optimizer") == 0 || g->nodes[e->node].has_iterations;
}

/* Children that hold no weights of the model: counters, metrics, copies. */
static bool is_beside(const char *name)
{
    static const char *const names[] = {"save_counter",     "keras_api",        "_all_variables",
                                        "ckpt_saved_epoch", "ckpt_saved_batch", "train_counter",
                                        "_misc_assets",     "_metrics",         "_random_generator",
                                        "_seed_generators", "seed_generator"};

    return krti_is_one_of(name, names, KRTI_COUNT(names));
}

/* A step counter that somebody put beside the model, or the state of a random generator in the list of
 * an exported model. */
static bool is_counter(const listing *w, uint32_t owner, const krti_bundle_entry *e,
                       const krti_graph_attribute *a)
{
    const krt_dtype dtype = dtype_of(e);
    const bool is_integer = dtype >= KRT_INT8 && dtype <= KRT_UINT64;

    (void)w;
    return is_integer && (owner == 0 || strstr(a->full_name, "seed_generator") != NULL);
}

/* The entry of a variable's node; SIZE_MAX: it is no variable, or listed already, or not in the index. */
static size_t entry_of(const listing *w, uint32_t node, const krti_graph_attribute **attribute)
{
    const krti_bundle_entry *e = NULL;

    *attribute = krti_object_graph_variable(&w->c->graph, node);
    if (*attribute != NULL)
        e = krti_bundle_find(w->c->bundle, (*attribute)->key);
    return e != NULL ? (size_t)(e - w->c->bundle->entries) : SIZE_MAX;
}

/* Lists the variables that are children of a node as one object. */
static krt_status list_children(listing *w, uint32_t node, krti_role role)
{
    const krti_object_graph *g = &w->c->graph;
    bool is_open = false;
    krt_status st = KRT_OK;

    for (uint32_t i = g->nodes[node].edges; i != KRTI_NO_NODE; i = g->edges[i].next) {
        const krti_graph_edge *edge = &g->edges[i];
        const krti_graph_attribute *a = NULL;
        const size_t entry = entry_of(w, edge->node, &a);

        if (entry == SIZE_MAX || (role == KRTI_ROLE_WEIGHT && is_beside(edge->name)))
            continue;
        if (w->by_entry[entry] == 0) {
            if (role == KRTI_ROLE_WEIGHT && is_counter(w, node, &w->c->bundle->entries[entry], a))
                continue;
            if (!is_open)
                TRY(krti_store_add_object(w->s, krti_str_text(&w->path), role));
            is_open = true;
            TRY(add_entry(w, entry, edge->name));
        }
        w->c->arrays[edge->node] = w->by_entry[entry];
    }

done:
    return st;
}

/* Lists an optimizer's slots, which hang on no edge. */
static krt_status list_slots(listing *w, uint32_t node)
{
    const krti_object_graph *g = &w->c->graph;
    krt_status st = KRT_OK;

    if (g->nodes[node].slots == KRTI_NO_NODE)
        return KRT_OK;
    TRY(krti_store_add_object(w->s, krti_str_text(&w->path), KRTI_ROLE_OPTIMIZER));
    for (uint32_t i = g->nodes[node].slots; i != KRTI_NO_NODE; i = g->slots[i].next) {
        const krti_graph_attribute *a = NULL;
        const size_t entry = entry_of(w, g->slots[i].node, &a);

        if (entry == SIZE_MAX)
            continue;
        if (w->by_entry[entry] == 0)
            TRY(add_entry(w, entry, g->slots[i].name));
        w->c->arrays[g->slots[i].node] = w->by_entry[entry];
    }

done:
    return st;
}

typedef struct step {
    uint32_t edge;      /* the next one to follow */
    size_t path_length; /* of the node */
} step;

static krt_status enter(listing *w, step *stack, int *depth, uint32_t node, krti_role role)
{
    krt_status st = list_children(w, node, role);

    if (st == KRT_OK && role == KRTI_ROLE_OPTIMIZER)
        st = list_slots(w, node);
    w->visited[node] = true;
    stack[(*depth)++] = (step){w->c->graph.nodes[node].edges, w->path.length};
    return st;
}

static krt_status note_optimizer(listing *w, uint32_t node)
{
    krt_status st = krti_grow(w->s->k, &w->optimizers, &w->optimizers_capacity,
                              w->num_optimizers + 1, sizeof *w->optimizers);

    if (st == KRT_OK)
        w->optimizers[w->num_optimizers++] = node;
    return st;
}

/* Depth first, edges in their order. Deeper than MAX_DEPTH nothing is a model any more. */
static krt_status walk(listing *w, uint32_t start, krti_role role)
{
    const krti_object_graph *g = &w->c->graph;
    step stack[MAX_DEPTH];
    int depth = 0;
    krt_status st = enter(w, stack, &depth, start, role);

    while (st == KRT_OK && depth > 0) {
        step *top = &stack[depth - 1];

        if (top->edge == KRTI_NO_NODE) {
            depth--;
            continue;
        }
        const krti_graph_edge *e = &g->edges[top->edge];
        top->edge = e->next;
        if (w->visited[e->node] || depth == MAX_DEPTH)
            continue;
        if (role == KRTI_ROLE_WEIGHT && is_optimizer(g, e)) {
            st = note_optimizer(w, e->node);
            continue;
        }
        if (role == KRTI_ROLE_WEIGHT && is_beside(e->name))
            continue;
        w->path.length = top->path_length;
        TRY(krti_str_addf(&w->path, "%s%s", top->path_length > 0 ? "/" : "", e->name));
        TRY(enter(w, stack, &depth, e->node, role));
    }

done:
    return st;
}

static krt_status walk_from(listing *w, uint32_t start, krti_role role, const char *path)
{
    krti_str_clear(&w->path);
    krt_status st = krti_str_add(&w->path, path);

    return st == KRT_OK && !w->visited[start] ? walk(w, start, role) : st;
}

static krt_status list_graph(listing *w)
{
    const krti_object_graph *g = &w->c->graph;
    krt_status st = KRT_OK;

    TRY(walk_from(w, 0, KRTI_ROLE_WEIGHT, ""));
    for (size_t i = 0; i < w->num_optimizers; i++)
        TRY(walk_from(w, w->optimizers[i], KRTI_ROLE_OPTIMIZER, "optimizer"));
    for (uint32_t i = 0; i < g->num_nodes; i++) {
        const krti_graph_attribute *a = NULL;
        const size_t entry = entry_of(w, i, &a);

        if (entry != SIZE_MAX)
            w->c->arrays[i] = w->by_entry[entry];
    }

done:
    return st;
}

static krt_status read_graph(listing *w, const krti_bundle_entry *e)
{
    const unsigned char *data = NULL;
    const char *text = NULL;
    size_t file = 0, size = 0;
    krt_status st = KRT_OK;

    TRY(locate(w, e, &file, &data));
    TRY(krti_bundle_string(w->c->bundle, e, data, &text, &size));
    TRY(krti_object_graph_read(&w->c->graph, text, size));
    w->c->has_graph = true;
    w->c->arrays = krti_array(w->s->k, w->c->graph.num_nodes, sizeof *w->c->arrays);
    w->visited = krti_array(w->s->k, w->c->graph.num_nodes, sizeof *w->visited);
    if (w->c->arrays == NULL || w->visited == NULL)
        TRY(KRT_E_NOMEM);
    TRY(list_graph(w));

done:
    return st;
}

/* ------------------------------------------------------------------------------- names */

/* TensorFlow 1's optimizers call their state by the variable's name and their own. */
static bool is_slot_name(const krti_bundle *b, const char *key)
{
    static const char *const names[] = {"Adam",    "Adam_1",    "Momentum", "RMSProp",
                                        "Adagrad", "RMSProp_1", "Adadelta", "Adadelta_1",
                                        "Ftrl",    "Ftrl_1",    "AdaMax",   "AdaMax_1"};
    const char *last = strrchr(key, '/');
    krti_str owner = KRTI_STR_INIT(b->k);
    bool found = false;

    for (size_t i = 0; last != NULL && !found && i < KRTI_COUNT(names); i++)
        found = strcmp(last + 1, names[i]) == 0;
    found = found && krti_str_add_n(&owner, key, (size_t)(last - key)) == KRT_OK &&
            krti_bundle_find(b, krti_str_text(&owner)) != NULL;
    krti_str_free(&owner);
    return found;
}

static krti_role role_of_name(const listing *w, const krti_bundle_entry *e)
{
    if (strcmp(e->key, "beta1_power") == 0 || strcmp(e->key, "beta2_power") == 0 ||
        strcmp(e->key, KRTI_TF_SEED_KEY) == 0 || is_slot_name(w->c->bundle, e->key))
        return KRTI_ROLE_OPTIMIZER;
    if (w->c->has_graph || e->dtype == KRTI_TF_STRING || strcmp(e->key, "global_step") == 0)
        return KRTI_ROLE_OTHER;
    return KRTI_ROLE_WEIGHT;
}

/* What no node of the graph was for; everything, when there is none. */
static krt_status list_rest(listing *w)
{
    const krti_bundle *b = w->c->bundle;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < b->n; i++) {
        const krti_bundle_entry *e = &b->entries[i];
        const char *last = strrchr(e->key, '/');

        if (w->by_entry[i] != 0 || e->is_slice || strcmp(e->key, KRTI_OBJECT_GRAPH_KEY) == 0)
            continue;
        krti_str_clear(&w->path);
        TRY(krti_str_add_n(&w->path, e->key, last != NULL ? (size_t)(last - e->key) : 0));
        TRY(krti_store_add_object(w->s, krti_str_text(&w->path), role_of_name(w, e)));
        TRY(add_entry(w, i, last != NULL ? last + 1 : e->key));
    }

done:
    return st;
}

/* ------------------------------------------------------------------------------- all */

static krt_status list_all(listing *w)
{
    krti_bundle *b = w->c->bundle;
    const krti_bundle_entry *graph = krti_bundle_find(b, KRTI_OBJECT_GRAPH_KEY);
    krt_status st = KRT_OK;

    w->files = krti_array(w->s->k, b->num_shards, sizeof *w->files);
    w->by_entry = krti_array(w->s->k, b->n, sizeof *w->by_entry);
    if (w->files == NULL || w->by_entry == NULL)
        TRY(KRT_E_NOMEM);
    if (graph != NULL)
        TRY(read_graph(w, graph));
    TRY(list_rest(w));
    w->s->has_paths = graph == NULL;
    w->s->is_ordered = true;

done:
    return st;
}

krt_status krti_tf_checkpoint_list(krti_store *s, const char *prefix)
{
    krti_tf_checkpoint *c = krti_alloc(s->k, sizeof *c);
    listing w = {.s = s, .c = c, .prefix = prefix, .path = KRTI_STR_INIT(s->k)};
    krti_str path = KRTI_STR_INIT(s->k);
    krti_bytes *index = NULL;
    krt_status st = KRT_OK;

    if (c == NULL)
        return KRT_E_NOMEM;
    c->k = s->k;
    krti_object_graph_init(&c->graph, s->k);
    s->checkpoint = c;
    TRY(krti_str_addf(&path, "%s.index", prefix));
    TRY(krti_bytes_map(s->k, &index, path.ptr));
    c->size_bytes = (int64_t)index->size;
    s->budget += (uint64_t)index->size * 64;
    st = krti_bundle_open(s->k, &c->bundle, index);
    if (st != KRT_OK)
        krti_fail_in_file(s->k, st, path.ptr);
    if (st == KRT_OK)
        TRY(list_all(&w));

done:
    krti_bytes_drop(index);
    krti_str_free(&path);
    krti_str_free(&w.path);
    krti_free(s->k, w.files);
    krti_free(s->k, w.by_entry);
    krti_free(s->k, w.visited);
    krti_free(s->k, w.optimizers);
    return st;
}
