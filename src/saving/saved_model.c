/* The architecture of a SavedModel that tf.keras wrote. What makes a SavedModel run is a graph of
 * TensorFlow functions, which is not read; but beside it stands what Keras's get_config() gave.
 * tf_keras/src/saving/legacy/saved_model/load.py. */
#include "saving/tf_checkpoint.h"

#include "formats/json.h"
#include "formats/protobuf.h"

/* A path of field numbers down to a text: in each message the first field of that number. */
static krti_pb_field find_field(krti_pb message, uint32_t number)
{
    krti_pb_field f;

    while (krti_pb_next(&message, &f))
        if (krti_pb_is(&f, number, KRTI_PB_BYTES))
            return f;
    return (krti_pb_field){0};
}

static bool is_keras_model(const krti_pb_field *identifier)
{
    static const char *const names[] = {"_tf_keras_sequential", "_tf_keras_network",
                                        "_tf_keras_model"};

    for (size_t i = 0; i < KRTI_COUNT(names); i++)
        if (identifier->size == strlen(names[i]) &&
            memcmp(identifier->data, names[i], identifier->size) == 0)
            return true;
    return false;
}

/* keras_metadata.pb: SavedMetadata, nodes = 1 of SavedObject {node_id = 2, node_path = 3,
 * identifier = 4, metadata = 5}. The root has no node_id on the wire, because it is 0. */
static krti_pb_field root_metadata(const krti_bytes *b)
{
    krti_pb file = krti_pb_open(b->data, b->size);
    krti_pb_field node, f;

    while (krti_pb_next(&file, &node)) {
        krti_pb message = krti_pb_inner(&node);
        const krti_pb_field identifier = find_field(message, 4);
        bool is_root = krti_pb_is(&node, 1, KRTI_PB_BYTES);

        while (krti_pb_next(&message, &f))
            if (krti_pb_is(&f, 2, KRTI_PB_VARINT) && f.value != 0)
                is_root = false;
        if (is_root && is_keras_model(&identifier))
            return find_field(krti_pb_inner(&node), 5);
    }
    return (krti_pb_field){0};
}

/* saved_model.pb before TensorFlow 2.5: SavedModel.meta_graphs = 2, MetaGraphDef.object_graph_def = 7,
 * SavedObjectGraph.nodes = 1, the first; SavedObject.user_object = 4 {identifier = 1, metadata = 3}. */
static krti_pb_field old_metadata(const krti_bytes *b)
{
    static const uint32_t path[] = {2, 7, 1, 4};
    krti_pb message = krti_pb_open(b->data, b->size);

    for (size_t i = 0; i < KRTI_COUNT(path); i++) {
        const krti_pb_field f = find_field(message, path[i]);

        message = krti_pb_inner(&f);
    }
    const krti_pb_field identifier = find_field(message, 1);
    return is_keras_model(&identifier) ? find_field(message, 3) : (krti_pb_field){0};
}

typedef krti_pb_field (*metadata_fn)(const krti_bytes *b);

static krt_status take_metadata(krti_arena *a, const char *dir, const char *name, metadata_fn read,
                                const char **text, size_t *size)
{
    krti_str path = KRTI_STR_INIT(a->k);
    krti_bytes *b = NULL;
    krti_pb_field metadata = {0};
    krt_status st = KRT_OK;

    TRY(krti_path_join(&path, dir, name));
    if (krti_path_kind_of(path.ptr) != KRTI_PATH_FILE)
        goto done;
    TRY(krti_bytes_map(a->k, &b, path.ptr));
    metadata = read(b);
    if (metadata.size == 0)
        goto done;
    *size = metadata.size;
    *text = krti_arena_strndup(a, (const char *)metadata.data, metadata.size);
    if (*text == NULL)
        TRY(KRT_E_NOMEM);

done:
    krti_bytes_drop(b);
    krti_str_free(&path);
    return st;
}

/* Its JSON marks what Python's had no form for: {"class_name": "__tuple__", "items": [...]}. */
static void unwrap(krti_conf *c)
{
    const char *mark = krti_conf_get_text(c, "class_name");
    const krti_conf *items = krti_conf_get(c, "items");

    if (mark != NULL && items != NULL &&
        (strcmp(mark, "__tuple__") == 0 || strcmp(mark, "TensorShape") == 0))
        *c = *items;
    if (krti_conf_is(c, KRTI_CONF_LIST) || krti_conf_is(c, KRTI_CONF_DICT))
        for (size_t i = 0; i < c->as.list.n; i++)
            unwrap(c->as.list.items[i]);
}

krt_status krti_saved_model_config(krti_arena *a, const char *dir, const krti_conf **out,
                                   size_t *text_size)
{
    const char *text = NULL;
    const krti_conf *parsed = NULL;
    krti_conf *c = NULL;
    krt_status st = KRT_OK;

    *out = NULL;
    TRY(take_metadata(a, dir, "keras_metadata.pb", root_metadata, &text, text_size));
    if (text == NULL)
        TRY(take_metadata(a, dir, "saved_model.pb", old_metadata, &text, text_size));
    if (text == NULL)
        goto done;
    TRY(krti_json_parse(a, &parsed, text, *text_size));
    c = krti_conf_copy(a, parsed);
    if (c == NULL)
        TRY(KRT_E_NOMEM);
    unwrap(c);
    *out = c;

done:
    return krti_fail_in_object(a->k, st, text != NULL ? "keras_metadata.pb" : NULL);
}
