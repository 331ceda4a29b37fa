/* The list, made of a model or of an open file. See named_list.h. */
#include "saving/named_list.h"

#include "base/transaction.h"
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "layers/lora.h"
#include "saving/save_list.h"
#include "saving/tf_checkpoint.h"
#include "saving/walk.h"

#include <stdlib.h>

void krti_named_list_init(krti_named_list *l, krt_ctx *k)
{
    *l = (krti_named_list){.k = k, .arena = KRTI_ARENA_INIT(k), .graph = KRTI_STR_INIT(k)};
}

void krti_named_list_free(krti_named_list *l)
{
    krti_free(l->k, l->items);
    krti_str_free(&l->graph);
    krti_arena_free(&l->arena);
}

krt_status krti_named_list_add(krti_named_list *l, const krti_named_item *item)
{
    krti_named_item copy = *item;
    krt_status st = KRT_OK;

    copy.key = krti_arena_strdup(&l->arena, item->key);
    if (copy.key == NULL)
        return KRT_E_NOMEM;
    TRY(krti_grow(l->k, &l->items, &l->capacity, l->n + 1, sizeof *l->items));
    l->items[l->n++] = copy;

done:
    return st;
}

krt_status krti_named_item_read(const krti_named_list *l, const krti_named_item *item,
                                const void **data, krt_tensor **owned)
{
    krt_status st = KRT_OK;

    *data = item->data;
    *owned = NULL;
    if (item->data == NULL) {
        st = krti_store_tensor(l->store, item->store_array, KRT_DTYPE_NONE, owned);
    } else if (item->data_dtype != KRT_DTYPE_NONE && item->data_dtype != item->dtype) {
        st = krt_tensor_new(l->k, owned, item->dtype, item->shape);
        if (st == KRT_OK)
            krti_stored_values(item->data, item->data_dtype, item->precise, 0,
                               (*owned)->size_bytes / krt_dtype_size(item->dtype), (*owned)->data,
                               item->dtype);
    }
    if (st == KRT_OK && *owned != NULL)
        *data = (*owned)->data;
    return krti_fail_in_object(l->k, st, item->key);
}

/* ------------------------------------------------------------------------------- of a model */

typedef struct adding {
    krti_named_list *l;
    krti_map *names; /* of variables, each with itself, once it is added with the list */
    bool is_ambiguous;
} adding;

static krt_status note_name(void *user, krt_variable *v)
{
    adding *a = user;
    const void *known = krti_map_get(a->names, krt_variable_path(v));

    a->is_ambiguous |= known != NULL && known != v;
    return krti_map_set(a->names, krt_variable_path(v), v);
}

/* Under its own name a variable that two layers hold is one array, which fills both. */
static bool is_added(const adding *a, const krt_variable *v)
{
    return !a->is_ambiguous && krti_map_get(a->names, krt_variable_path(v)) == a->l;
}

static krt_status add_variable(krti_named_list *l, const char *key, const krt_variable *v)
{
    const void *data = krti_lora_merged(&l->arena, v);
    const bool is_own = data == v->tensor->data;
    const krti_named_item item = {.key = key,
                                  .dtype = krti_stored_dtype(v),
                                  .shape = v->tensor->shape,
                                  .data = data,
                                  .data_dtype = v->tensor->dtype,
                                  .precise =
                                      is_own && v->precise != NULL ? v->precise->data : NULL};

    return data != NULL ? krti_named_list_add(l, &item) : KRT_E_NOMEM;
}

static krt_status add_object(void *user, const char *path, krt_layer *layer,
                             krt_variable *const *vars, size_t n)
{
    adding *a = user;
    krti_str key = KRTI_STR_INIT(a->l->k);
    krt_status st = KRT_OK;

    if (layer->cls == NULL)
        TRY(krti_layer_fail(layer, KRT_E_UNKNOWN_CLASS,
                            "Could not locate class '%s': the model does not hold this layer's "
                            "weights, so saving it would lose them",
                            layer->class_name));
    for (size_t i = 0; i < n; i++) {
        const char *name = krt_variable_path(vars[i]);

        if (is_added(a, vars[i]))
            continue;
        krti_str_clear(&key);
        TRY(krti_str_addf(&key, "%s%svars/%zu", path, path[0] != '\0' ? "/" : "", i));
        TRY(add_variable(a->l, a->is_ambiguous ? key.ptr : name, vars[i]));
        TRY(krti_map_set(a->names, name, a->l));
    }

done:
    krti_str_free(&key);
    return st;
}

krt_status krti_named_list_add_model(krti_named_list *l, krt_model *m)
{
    adding a = {.l = l, .names = krti_map_new(l->k)};
    const krti_walk walk = {.each = add_object, .user = &a, .counts_visited = true};
    krt_status st = a.names != NULL ? m->failed : KRT_E_NOMEM;

    if (st == KRT_OK)
        TRY(krti_walk_check_whole(m));
    if (st == KRT_OK)
        TRY(krti_layer_initialize(&m->base));
    if (st == KRT_OK)
        TRY(krti_layer_each_variable(&m->base, note_name, &a));
    if (st == KRT_OK)
        TRY(krti_walk_model(m, &walk));
    if (st == KRT_OK && l->n == 0 && krti_walk_is_unbuilt(&m->base))
        st = krti_fail(l->k, KRT_E_STATE, m->base.name,
                       "Weights for model '%s' have not yet been created. Give it an input first: "
                       "krt_add_input()",
                       m->base.name);

done:
    krti_map_free(a.names);
    return st;
}

/* ------------------------------------------------------------------------------- of a file */

/* A graph's name for each array, NULL where it has none. */
static krt_status graph_names(const krti_store *s, const char ***out)
{
    const krti_tf_checkpoint *c = s->checkpoint;

    *out = krti_array(s->k, s->num_arrays, sizeof **out);
    if (*out == NULL)
        return KRT_E_NOMEM;
    for (uint32_t i = 0; c != NULL && i < c->graph.num_nodes; i++) {
        const krti_graph_attribute *a = krti_object_graph_variable(&c->graph, i);

        if (c->arrays[i] > 0 && a != NULL && a->full_name[0] != '\0')
            (*out)[c->arrays[i] - 1] = a->full_name;
    }
    return KRT_OK;
}

/* "conv/conv/kernel:0" of layer "conv" to "conv/kernel"; "/layers/conv/vars/0" without its slash. */
static krt_status plain_name(const krti_store *s, const krti_store_array *a, krti_str *name)
{
    const char *text = s->is_legacy && strchr(a->key, '/') != NULL ? a->key : a->entry;
    const size_t length = strlen(text) - (krti_ends_with(text, ":0") ? 2 : 0);
    const size_t slash = text[0] == '/';

    krti_str_clear(name);
    return krti_str_add_n(name, text + slash, length - slash);
}

static krt_status add_array(krti_named_list *l, krti_map *seen, size_t array, const char *name)
{
    const krti_store_array *a = &l->store->arrays[array];
    krti_named_item item = {
        .key = name, .dtype = a->dtype, .shape = a->shape, .store_array = array};
    krt_status st = KRT_OK;

    if (a->dtype == KRT_DTYPE_NONE)
        return krti_fail(l->k, KRT_E_UNSUPPORTED, a->entry,
                         "the array has no type that can be written");
    if (krti_map_has(seen, name))
        item.key = a->entry;
    TRY(krti_map_set(seen, item.key, l));
    TRY(krti_named_list_add(l, &item));

done:
    return st;
}

/* Everything of a checkpoint but what has no type of ours, texts for instance, under its keys. */
static krt_status add_whole_checkpoint(krti_named_list *l, krti_map *seen)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < l->store->num_arrays; i++)
        if (l->store->arrays[i].dtype != KRT_DTYPE_NONE)
            st = add_array(l, seen, i, l->store->arrays[i].entry);
    if (st == KRT_OK)
        st = krti_object_graph_put(&l->graph, &l->store->checkpoint->graph);
    return st;
}

krt_status krti_named_list_add_store(krti_named_list *l, krti_store *s, bool keeps_graph)
{
    krti_map *seen = krti_map_new(l->k);
    const char **names = NULL;
    krti_str name = KRTI_STR_INIT(l->k);
    krt_status st = seen != NULL ? KRT_OK : KRT_E_NOMEM;

    l->store = s;
    if (st != KRT_OK)
        return st;
    if (keeps_graph && s->checkpoint != NULL && s->checkpoint->has_graph) {
        TRY(add_whole_checkpoint(l, seen));
        goto done;
    }
    TRY(graph_names(s, &names));
    for (size_t i = 0; i < s->num_arrays; i++) {
        if (s->objects[s->arrays[i].object].role != KRTI_ROLE_WEIGHT)
            continue;
        TRY(plain_name(s, &s->arrays[i], &name));
        TRY(add_array(l, seen, i, names[i] != NULL ? names[i] : name.ptr));
    }

done:
    krti_map_free(seen);
    krti_free(l->k, names);
    krti_str_free(&name);
    return st;
}

/* ------------------------------------------------------------------------------- .safetensors */

/* In the order of the original's enumeration, by which it sorts, the last first: arrays of wide
 * elements come first and all are aligned. */
static const struct {
    krt_dtype dtype;
    const char *name;
} safetensors_types[] = {{KRT_BOOL, "BOOL"},     {KRT_UINT8, "U8"},    {KRT_INT8, "I8"},
                         {KRT_INT16, "I16"},     {KRT_UINT16, "U16"},  {KRT_FLOAT16, "F16"},
                         {KRT_BFLOAT16, "BF16"}, {KRT_INT32, "I32"},   {KRT_UINT32, "U32"},
                         {KRT_FLOAT32, "F32"},   {KRT_FLOAT64, "F64"}, {KRT_INT64, "I64"},
                         {KRT_UINT64, "U64"}};

static size_t type_rank(krt_dtype dtype)
{
    size_t i = 0;

    while (i + 1 < KRTI_COUNT(safetensors_types) && safetensors_types[i].dtype != dtype)
        i++;
    return i;
}

static int in_safetensors_order(const void *left, const void *right)
{
    const krti_named_item *const *a = left, *const *b = right;
    const size_t x = type_rank((*a)->dtype), y = type_rank((*b)->dtype);

    return x != y ? (x < y ? 1 : -1) : strcmp((*a)->key, (*b)->key);
}

/* The items in their order and what the head says of them. */
static krt_status lay_out(const krti_named_list *l, const krti_named_item **sorted,
                          krti_safetensor *tensors)
{
    for (size_t i = 0; i < l->n; i++)
        sorted[i] = &l->items[i];
    if (l->n > 1)
        qsort(sorted, l->n, sizeof *sorted, in_safetensors_order);
    for (size_t i = 0; i < l->n; i++) {
        const krti_named_item *item = sorted[i];
        size_t size = 0;

        if (i > 0 && strcmp(sorted[i - 1]->key, item->key) == 0)
            return krti_fail(l->k, KRT_E_INVALID, item->key, "two arrays have this name");
        if (!krti_shape_bytes(item->shape, item->dtype, &size))
            return krti_fail(l->k, KRT_E_UNSUPPORTED, item->key, "an array without a shape");
        tensors[i] = (krti_safetensor){.name = item->key,
                                       .dtype = safetensors_types[type_rank(item->dtype)].name,
                                       .rank = item->shape.rank,
                                       .size = size};
        memcpy(tensors[i].dim, item->shape.dim, sizeof tensors[i].dim);
    }
    return KRT_OK;
}

/* One array: of memory, or read for as long as it takes to write it. */
static krt_status write_array(const krti_named_list *l, krti_txn_file *f,
                              const krti_named_item *item, const krti_safetensor *t)
{
    krt_tensor *owned = NULL;
    const void *data = NULL;
    krt_status st = KRT_OK;

    if (t->size == 0)
        return KRT_OK;
    TRY(krti_named_item_read(l, item, &data, &owned));
    TRY(krti_txn_write(f, t->offset, data, (size_t)t->size));

done:
    krti_tensor_let_go(owned);
    return krti_fail_in_object(l->k, st, item->key);
}

krt_status krti_safetensors_write(const krti_named_list *l, const char *filepath, bool sync)
{
    const krti_named_item **sorted = krti_array(l->k, l->n, sizeof *sorted);
    krti_safetensor *tensors = krti_array(l->k, l->n, sizeof *tensors);
    krti_str head = KRTI_STR_INIT(l->k);
    krti_txn *txn = NULL;
    krti_txn_file *f = NULL;
    krt_status st = sorted != NULL && tensors != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK)
        TRY(lay_out(l, sorted, tensors));
    if (st == KRT_OK)
        TRY(krti_safetensors_put_head(&head, tensors, l->n));
    TRY(krti_txn_begin(l->k, &txn, filepath, sync));
    TRY(krti_txn_need(txn, l->n > 0 ? tensors[l->n - 1].offset + tensors[l->n - 1].size : 0));
    TRY(krti_txn_create_target(txn, &f));
    TRY(krti_txn_write(f, 0, head.ptr, head.length));
    for (size_t i = 0; i < l->n; i++)
        TRY(write_array(l, f, sorted[i], &tensors[i]));
    TRY(krti_txn_commit(txn));

done:
    krti_txn_end(txn);
    krti_str_free(&head);
    krti_free(l->k, sorted);
    krti_free(l->k, tensors);
    return krti_fail_in_file(l->k, st, filepath);
}

/* ------------------------------------------------------------------------------- .npz */

typedef struct npz_item {
    const krti_named_list *l;
    const krti_named_item *item;
    krt_tensor *owned; /* while it is written */
} npz_item;

static krt_status open_item(void *user, const void **data)
{
    npz_item *it = user;

    return krti_named_item_read(it->l, it->item, data, &it->owned);
}

static void end_item(void *user)
{
    npz_item *it = user;

    krti_tensor_let_go(it->owned);
    it->owned = NULL;
}

static krt_status npz_member(const krti_named_list *l, npz_item *it, krti_npz_member *out)
{
    static const struct {
        krti_array_kind kind;
        int size;
    } kinds[] = {[KRT_FLOAT32] = {KRTI_ARRAY_FLOAT, 4}, [KRT_FLOAT64] = {KRTI_ARRAY_FLOAT, 8},
                 [KRT_FLOAT16] = {KRTI_ARRAY_FLOAT, 2}, [KRT_BFLOAT16] = {0, 0},
                 [KRT_INT8] = {KRTI_ARRAY_INT, 1},      [KRT_INT16] = {KRTI_ARRAY_INT, 2},
                 [KRT_INT32] = {KRTI_ARRAY_INT, 4},     [KRT_INT64] = {KRTI_ARRAY_INT, 8},
                 [KRT_UINT8] = {KRTI_ARRAY_UINT, 1},    [KRT_UINT16] = {KRTI_ARRAY_UINT, 2},
                 [KRT_UINT32] = {KRTI_ARRAY_UINT, 4},   [KRT_UINT64] = {KRTI_ARRAY_UINT, 8},
                 [KRT_BOOL] = {KRTI_ARRAY_BOOL, 1}};
    const krti_named_item *item = it->item;
    size_t size = 0;

    if (kinds[item->dtype].size == 0)
        return krti_fail(l->k, KRT_E_UNSUPPORTED, item->key,
                         ".npz has no form for %s; .safetensors has", krt_dtype_name(item->dtype));
    if (!krti_shape_bytes(item->shape, item->dtype, &size))
        return krti_fail(l->k, KRT_E_UNSUPPORTED, item->key, "an array without a shape");
    *out = (krti_npz_member){.name = item->key,
                             .kind = kinds[item->dtype].kind,
                             .item_size = kinds[item->dtype].size,
                             .rank = item->shape.rank,
                             .dim = item->shape.dim,
                             .size_bytes = size,
                             .open = open_item,
                             .done = end_item,
                             .user = it};
    return KRT_OK;
}

krt_status krti_npz_write_list(const krti_named_list *l, const char *filepath, bool sync)
{
    krti_npz_member *members = krti_array(l->k, l->n, sizeof *members);
    npz_item *items = krti_array(l->k, l->n, sizeof *items);
    krt_status st = members != NULL && items != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK && l->n == 0) /* nobody could tell it from another archive */
        st =
            krti_fail(l->k, KRT_E_UNSUPPORTED, NULL,
                      "a model without weights has nothing for an .npz; .safetensors may be empty");
    for (size_t i = 0; st == KRT_OK && i < l->n; i++) {
        items[i] = (npz_item){.l = l, .item = &l->items[i]};
        st = npz_member(l, &items[i], &members[i]);
    }
    if (st == KRT_OK)
        st = krti_npz_write(l->k, filepath, members, l->n, sync);
    krti_free(l->k, members);
    krti_free(l->k, items);
    return krti_fail_in_file(l->k, st, filepath);
}
