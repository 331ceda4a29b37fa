/* Fuzzes the object graph of a TensorFlow checkpoint: parsed, written, and, with arrays under the keys it
 * names, loaded into a model. Seeds: fuzz/corpus/object_graph. */
#include "fuzz_files.h"

#include "saving/tf_checkpoint.h"
#include "saving/tf_checkpoint_write.h"

#include <keratin/keratin.h>

enum { MOST_ARRAYS = 24 };

/* Where this process keeps its checkpoint. */
static const char *prefix_in_folder(void)
{
    (void)fuzz_path("cp.index");
    (void)fuzz_path("cp.data-00000-of-00001");
    (void)fuzz_path("checkpoint");
    return fuzz_path("cp");
}

/* One element for every variable, in the two shapes the model has. */
static void write_checkpoint(krt_ctx *k, const krti_object_graph *g, const char *prefix)
{
    static const float one = 1;
    const krti_checkpoint_options options = {.sync = false};
    krti_map *seen = krti_map_new(k);
    krti_named_list l;

    krti_named_list_init(&l, k);
    for (uint32_t i = 0; i < g->num_nodes && l.n < MOST_ARRAYS; i++) {
        const krti_graph_attribute *a = krti_object_graph_variable(g, i);
        const krti_named_item item = {.key = a != NULL ? a->key : "",
                                      .dtype = KRT_FLOAT32,
                                      .shape = {l.n % 2 == 0 ? 2 : 1, {1, 1}},
                                      .data = &one};

        if (a == NULL || a->key[0] == '\0' || krti_map_has(seen, a->key) ||
            strcmp(a->key, KRTI_OBJECT_GRAPH_KEY) == 0)
            continue;
        if (krti_map_set(seen, a->key, k) != KRT_OK || krti_named_list_add(&l, &item) != KRT_OK)
            abort();
    }
    if (krti_object_graph_put(&l.graph, g) != KRT_OK ||
        krti_tf_checkpoint_write(&l, prefix, &options) != KRT_OK)
        abort();
    krti_named_list_free(&l);
    krti_map_free(seen);
}

static void load_checkpoint(krt_ctx *k, const char *prefix)
{
    krt_model *m = krt_sequential(k, NULL);
    krt_file *f = NULL;

    krt_add_input(m, KRT_SHAPE(1), NULL);
    krt_add(m, KRT_DENSE(1));
    (void)krt_load_weights(m, prefix, NULL);
    if (krt_file_open(k, &f, prefix) == KRT_OK)
        krt_file_close(f);
    krt_model_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_memory m;
    krt_ctx *k = fuzz_ctx(&m, 400 * size + (32u << 20));
    krti_object_graph g, again;
    krti_str s = KRTI_STR_INIT(k);

    krti_object_graph_init(&g, k);
    krti_object_graph_init(&again, k);
    if (krti_object_graph_read(&g, data, size) == KRT_OK && size < 20000) {
        if (krti_object_graph_put(&s, &g) != KRT_OK ||
            krti_object_graph_read(&again, s.ptr, s.length) != KRT_OK ||
            again.num_nodes != g.num_nodes || again.num_edges != g.num_edges ||
            again.num_attributes != g.num_attributes || again.num_slots != g.num_slots)
            abort();
        write_checkpoint(k, &g, prefix_in_folder());
        load_checkpoint(k, prefix_in_folder());
    }
    krti_object_graph_free(&g);
    krti_object_graph_free(&again);
    krti_str_free(&s);
    fuzz_done(k, &m);
    return 0;
}
