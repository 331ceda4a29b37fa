/* Writing a tensor bundle and the state file beside it, so that at every moment a whole checkpoint is
 * there.
 *
 * A checkpoint is two files that only make sense together. But the index names its data file by the
 * number of shards, and readers open only shards that an entry refers to. So beside an old checkpoint
 * the data is first written as shard 0 of a number that the old one does not have, and the index that
 * refers to it takes the old one's place in one step. Then the data gets its usual name as a second
 * name, an index that refers to that one is renamed over, and what nothing refers to goes. */
#include "saving/tf_checkpoint_write.h"

#include "base/transaction.h"
#include "formats/crc32c.h"
#include "formats/object_graph.h"
#include "formats/tensor_bundle.h"

typedef struct writing {
    krt_ctx *k;
    const krti_named_list *list;
    const krti_checkpoint_options *options;
    krti_txn *txn;
    const char *name; /* of the prefix, without its directory */
    krti_bundle_tensor *tensors;
    size_t num_tensors;
    const char *index;   /* its path */
    krti_path_id old;    /* of the index that is there */
    uint32_t old_shards; /* of the checkpoint that is there; 0: none */
    krti_str graph;      /* the payload of the graph's string */
} writing;

/* ------------------------------------------------------------------------------- types */

static krt_status type_of(krt_ctx *k, const krti_named_item *item, uint32_t *type)
{
    static const uint32_t types[] = {
        [KRT_FLOAT32] = KRTI_TF_FLOAT, [KRT_FLOAT64] = KRTI_TF_DOUBLE,
        [KRT_FLOAT16] = KRTI_TF_HALF,  [KRT_BFLOAT16] = KRTI_TF_BFLOAT16,
        [KRT_INT8] = KRTI_TF_INT8,     [KRT_INT16] = KRTI_TF_INT16,
        [KRT_INT32] = KRTI_TF_INT32,   [KRT_INT64] = KRTI_TF_INT64,
        [KRT_UINT8] = KRTI_TF_UINT8,   [KRT_UINT16] = KRTI_TF_UINT16,
        [KRT_UINT32] = KRTI_TF_UINT32, [KRT_UINT64] = KRTI_TF_UINT64,
        [KRT_BOOL] = KRTI_TF_BOOL};

    *type = (size_t)item->dtype < KRTI_COUNT(types) ? types[item->dtype] : 0;
    if (*type == 0)
        return krti_fail(k, KRT_E_UNSUPPORTED, item->key,
                         "a TensorFlow checkpoint has no form for this array's type");
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- data */

static void add_crc(void *user, const void *data, size_t size)
{
    uint32_t *crc = user;

    *crc = krti_crc32c(*crc, data, size);
}

/* One array: of memory, or read from the store for as long as it takes to write it. */
static krt_status write_item(writing *w, krti_txn_file *f, size_t i)
{
    const krti_named_item *item = &w->list->items[i];
    krti_bundle_tensor *t = &w->tensors[i];
    const krti_sink sink = krti_txn_sink(f);
    const krti_look look = {add_crc, &t->crc32c};
    krt_tensor *owned = NULL;
    const void *data = NULL;
    krt_status st = KRT_OK;

    if (t->size == 0)
        return KRT_OK;
    TRY(krti_named_item_read(w->list, item, &data, &owned));
    TRY(krti_sink_write(&sink, t->offset, data, (size_t)t->size, &look));

done:
    krti_tensor_let_go(owned);
    return krti_fail_in_object(w->k, st, item->key);
}

/* Describes every array, one behind the other, the graph last. *size: of the data file. */
static krt_status lay_out(writing *w, uint64_t *size)
{
    krt_status st = KRT_OK;

    *size = 0;
    w->tensors = krti_array(w->k, w->list->n + 1, sizeof *w->tensors);
    if (w->tensors == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < w->list->n; i++) {
        const krti_named_item *item = &w->list->items[i];
        size_t bytes = 0;

        if (!krti_shape_bytes(item->shape, item->dtype, &bytes))
            TRY(krti_fail(w->k, KRT_E_UNSUPPORTED, item->key, "an array without a shape"));
        w->tensors[i] = (krti_bundle_tensor){.key = item->key,
                                             .rank = item->shape.rank,
                                             .dim = item->shape.dim,
                                             .offset = *size,
                                             .size = bytes};
        TRY(type_of(w->k, item, &w->tensors[i].dtype));
        *size += bytes;
    }
    w->num_tensors = w->list->n;
    if (w->list->graph.length > 0) {
        krti_bundle_tensor *t = &w->tensors[w->num_tensors++];

        *t = (krti_bundle_tensor){
            .key = KRTI_OBJECT_GRAPH_KEY, .dtype = KRTI_TF_STRING, .offset = *size};
        TRY(krti_bundle_put_string(&w->graph, w->list->graph.ptr, w->list->graph.length,
                                   &t->crc32c));
        t->size = w->graph.length;
        *size += t->size;
    }

done:
    return st;
}

static krt_status write_data(writing *w, const char *name)
{
    krti_txn_file *f = NULL;
    krt_status st = KRT_OK;

    TRY(krti_txn_create(w->txn, &f, name));
    for (size_t i = 0; i < w->list->n; i++)
        TRY(write_item(w, f, i));
    if (w->graph.length > 0)
        TRY(krti_txn_write(f, w->tensors[w->list->n].offset, w->graph.ptr, w->graph.length));

done:
    return st;
}

/* ------------------------------------------------------------------------------- files */

static krt_status add_data_name(krti_str *s, const char *prefix, uint32_t shard, uint32_t shards)
{
    krti_str_clear(s);
    return krti_str_addf(s, "%s.data-%05u-of-%05u", prefix, shard, shards);
}

static krt_status write_index(writing *w, uint32_t num_shards)
{
    krti_str index = KRTI_STR_INIT(w->k);
    krti_txn_file *f = NULL;
    krt_status st = KRT_OK;

    TRY(krti_bundle_put_index(&index, w->tensors, w->num_tensors, num_shards));
    TRY(krti_txn_create_target(w->txn, &f));
    TRY(krti_txn_write(f, 0, index.ptr, index.length));

done:
    krti_str_free(&index);
    return st;
}

/* A name as protobuf's text form writes it. */
static void put_quoted(krti_str *s, const char *text)
{
    krti_str_add(s, "\"");
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
        if (*p == '"' || *p == '\\' || *p == '\'')
            krti_str_addf(s, "\\%c", *p);
        else if (*p < 0x20 || *p >= 0x7F)
            krti_str_addf(s, "\\%03o", *p);
        else
            krti_str_addf(s, "%c", *p);
    krti_str_add(s, "\"");
}

/* The file `checkpoint`: this prefix is the newest, and the only one named, as save_weights has it.
 * TensorFlow refuses a prefix of that name only where both are spelled alike. */
static krt_status write_state(writing *w)
{
    krti_str s = KRTI_STR_INIT(w->k);
    krti_txn_file *f = NULL;
    krt_status st = KRT_OK;

    krti_str_add(&s, "model_checkpoint_path: ");
    put_quoted(&s, w->name);
    krti_str_add(&s, "\nall_model_checkpoint_paths: ");
    put_quoted(&s, w->name);
    TRY(krti_str_add(&s, "\n"));
    TRY(krti_txn_create(w->txn, &f, "checkpoint"));
    TRY(krti_txn_write(f, 0, s.ptr, s.length));

done:
    krti_str_free(&s);
    return st;
}

/* How many shards the checkpoint has that will be replaced; one that cannot be read has none that
 * anybody needs, but its files may still be there. */
static void look_at_old(writing *w, const char *index_path)
{
    krti_bytes *bytes = NULL;
    krti_bundle *old = NULL;

    if (krti_path_kind_of(index_path) != KRTI_PATH_FILE)
        return;
    w->old_shards = 1;
    if (krti_bytes_map(w->k, &bytes, index_path) == KRT_OK &&
        krti_bundle_open(w->k, &old, bytes) == KRT_OK)
        w->old_shards = old->num_shards;
    krti_bundle_close(old);
    krti_bytes_drop(bytes);
}

/* The whole checkpoint in one commit. Data that no index names is not left behind by one that fails:
 * it may be what filled the disk. */
static krt_status write_all(writing *w, const char *data, uint32_t num_shards)
{
    krti_str path = KRTI_STR_INIT(w->k);
    bool is_new = false;
    krt_status st = krti_path_join(&path, krti_txn_dir(w->txn), data);

    TRY(st);
    is_new = krti_path_kind_of(path.ptr) == KRTI_PATH_NONE;
    TRY(write_data(w, data));
    TRY(write_index(w, num_shards));
    TRY(write_state(w));
    TRY(krti_txn_commit(w->txn));

done:
    if (st != KRT_OK && is_new && krti_path_id_equal(krti_path_id_of(w->index), w->old))
        krti_txn_discard(w->txn, data);
    krti_str_free(&path);
    return st;
}

/* Nothing is there that could be lost. */
static krt_status write_new(writing *w)
{
    krti_str data = KRTI_STR_INIT(w->k);
    krt_status st = KRT_OK;

    TRY(add_data_name(&data, w->name, 0, 1));
    TRY(write_all(w, data.ptr, 1));

done:
    krti_str_free(&data);
    return st;
}

/* A data file of this prefix that the index does not refer to: of the checkpoint that was replaced, or
 * of a writer that was killed. */
static krt_status remove_stale(void *user, const char *name)
{
    const writing *w = user;
    const size_t n = strlen(w->name), tail = strlen(".data-00000-of-00001");
    const char *p = name + n;

    if (strlen(name) != n + tail || !krti_starts_with(name, w->name) ||
        !krti_starts_with(p, ".data-") || strspn(p + 6, "0123456789") != 5 ||
        !krti_starts_with(p + 11, "-of-") || strspn(p + 15, "0123456789") != 5 ||
        strcmp(p, ".data-00000-of-00001") == 0)
        return KRT_OK;
    return krti_txn_remove(w->txn, name);
}

/* See the head of the file. Where there are no hard links, the interim names stay: they are as good. */
static krt_status replace_old(writing *w)
{
    const uint32_t interim = w->old_shards == 2 ? 3 : 2;
    krti_str now = KRTI_STR_INIT(w->k), usual = KRTI_STR_INIT(w->k);
    krt_status st = KRT_OK;

    TRY(add_data_name(&now, w->name, 0, interim));
    TRY(add_data_name(&usual, w->name, 0, 1));
    TRY(write_all(w, now.ptr, interim));
    st = krti_txn_link(w->txn, now.ptr, usual.ptr);
    if (st == KRT_E_UNSUPPORTED) {
        st = KRT_OK;
        goto done;
    }
    if (st != KRT_OK)
        goto done;
    TRY(write_index(w, 1));
    TRY(krti_txn_commit(w->txn));
    TRY(krti_path_each(krti_txn_dir(w->txn), remove_stale, w));

done:
    krti_str_free(&now);
    krti_str_free(&usual);
    return st;
}

krt_status krti_tf_checkpoint_write(const krti_named_list *l, const char *prefix,
                                    const krti_checkpoint_options *options)
{
    writing w = {.k = l->k,
                 .list = l,
                 .options = options,
                 .name = krti_path_name(prefix),
                 .graph = KRTI_STR_INIT(l->k)};
    krti_str index = KRTI_STR_INIT(l->k);
    uint64_t size = 0;
    krt_status st = KRT_OK;

    if (w.name[0] == '\0')
        TRY(krti_fail(l->k, KRT_E_INVALID, NULL,
                      "a checkpoint's prefix ends in a name, as in \"ckpt/model\""));
    TRY(krti_str_addf(&index, "%s.index", prefix));
    TRY(lay_out(&w, &size));
    TRY(krti_txn_begin(l->k, &w.txn, index.ptr, options->sync));
    TRY(krti_txn_need(w.txn, size));
    w.index = index.ptr;
    w.old = krti_path_id_of(index.ptr);
    look_at_old(&w, index.ptr);
    TRY(w.old_shards > 0 ? replace_old(&w) : write_new(&w));

done:
    krti_txn_end(w.txn);
    krti_free(l->k, w.tensors);
    krti_str_free(&w.graph);
    krti_str_free(&index);
    return krti_fail_in_file(l->k, st, prefix);
}
