/* Scanning: what a careful person asks before a stranger's file is opened. See <keratin/inspect.h>.
 *
 * Loading here cannot be hurt by a file, it stops at the first thing that is not allowed. A scan is
 * for those who will hand the file to something else, and for knowing everything at once. What a
 * config asks for is in scan_config.c; this is about containers: links, data in other files, bombs,
 * paths, and what has no business in a model file. */
#include "saving/scan.h"

#include "formats/json.h"
#include "formats/zip.h"
#include "saving/load.h"

typedef struct scan {
    krt_ctx *k;
    krt_findings *out;
    krti_source *f;
    krti_h5 *h5;      /* the one being surveyed */
    const char *name; /* its shard or member */
    size_t num_h5, num_datasets, num_members;
} scan;

/* ------------------------------------------------------------------------------- HDF5 */

/* The guard that refused a dataset, by Keras's words. */
static const char *guard_of(const char *sentence)
{
    static const char *const guards[][2] = {
        {"external", "external"}, {"virtual", "virtual"}, {"bomb", "bomb"}, {"twice", "link"}};

    for (size_t i = 0; i < KRTI_COUNT(guards); i++)
        if (strstr(sentence, guards[i][0]) != NULL)
            return guards[i][1];
    return "unsafe";
}

static krt_status look_at_item(void *user, const krti_h5_item *item)
{
    scan *s = user;
    krti_h5_dataset d;
    krti_h5_object none;
    bool found = false;
    krt_status st = KRT_OK;

    if (!item->is_hard_link) {
        st = krti_h5_find(s->h5, krti_h5_root(s->h5), item->path, &none, &found);
        return krti_findings_add(s->out, "link", s->name, item->path, "%s",
                                 st == KRT_E_UNSAFE ? s->k->error.message
                                                    : "a link that is not hard");
    }
    if (item->is_again)
        return krti_findings_add(s->out, "link", s->name, item->path,
                                 "Not allowed: H5 file with a group that is linked twice");
    if (item->kind != KRTI_H5_DATASET)
        return item->status == KRT_OK ? KRT_OK
                                      : krti_findings_add_failure(s->out, item->status, s->name);
    s->num_datasets++;
    st = krti_h5_dataset_open(s->h5, item->object, &d);
    if (st == KRT_E_UNSAFE)
        return krti_findings_add(s->out, guard_of(s->k->error.message), s->name, item->path, "%s",
                                 s->k->error.message);
    if (st == KRT_OK || st == KRT_E_NOMEM)
        return st;
    return krti_findings_add(s->out, "damaged", s->name, item->path, "%s", s->k->error.message);
}

/* Compile settings of a whole `.h5` are JSON in an attribute. */
static krt_status look_at_training_config(scan *s)
{
    krti_arena arena = KRTI_ARENA_INIT(s->k);
    const krti_conf *c = NULL;
    char *text = NULL;
    size_t length = 0;
    bool found = false;
    krt_status st = krti_h5_attribute_text(s->h5, krti_h5_root(s->h5), "training_config", &text,
                                           &length, &found);

    if (st == KRT_OK && found)
        st = krti_json_parse(&arena, &c, text, length);
    if (st == KRT_OK && found)
        st = krti_scan_config(s->out, c, "training_config");
    else if (st != KRT_OK)
        st = krti_findings_add_failure(s->out, st, s->name);
    krti_free(s->k, text);
    krti_arena_free(&arena);
    return st;
}

static krt_status look_at_h5(scan *s, krti_bytes *bytes, const char *name)
{
    size_t num_lost = 0;
    krt_status st = krti_h5_open(s->k, &s->h5, bytes);

    if (st != KRT_OK)
        return krti_findings_add_failure(s->out, st, name);
    s->name = name;
    s->num_h5++;
    TRY(krti_h5_survey(s->h5, look_at_item, s, &num_lost));
    TRY(look_at_training_config(s));
    if (num_lost > 0)
        TRY(krti_findings_add(s->out, "damaged", name, NULL,
                              "%zu groups cannot be listed, what they hold is not known",
                              num_lost));

done:
    krti_h5_close(s->h5);
    s->h5 = NULL;
    return st;
}

/* ------------------------------------------------------------------------------- archive */

typedef struct trace {
    const char *bytes;
    size_t n;
    const char *code, *text;
} trace;

/* What has no business in a model, by its first bytes. */
static const trace beginnings[] = {
    {"\x7f"
     "ELF",
     4, "program", "a program"},
    {"MZ", 2, "program", "a program"},
    {"#!", 2, "program", "a script"},
    {"\x80\x02", 2, "pickle", "a pickle, which runs code when it is loaded"},
    {"\x80\x03", 2, "pickle", "a pickle, which runs code when it is loaded"},
    {"\x80\x04", 2, "pickle", "a pickle, which runs code when it is loaded"},
    {"\x80\x05", 2, "pickle", "a pickle, which runs code when it is loaded"},
};

static const trace endings[] = {
    {".pkl", 4, "pickle", "a pickle, which runs code when it is loaded"},
    {".pickle", 7, "pickle", "a pickle, which runs code when it is loaded"},
    {".joblib", 7, "pickle", "a pickle, which runs code when it is loaded"},
    {".npz", 4, "pickle", "an archive of arrays; Keras's model.weights.npz holds pickles"},
    {".py", 3, "program", "Python code"},
    {".pyc", 4, "program", "Python bytecode"},
    {".so", 3, "program", "a program"},
    {".dll", 4, "program", "a program"},
};

static const trace *trace_in(const char *name, const krti_bytes *b)
{
    for (size_t i = 0; i < KRTI_COUNT(beginnings); i++)
        if (b != NULL && b->size >= beginnings[i].n &&
            memcmp(b->data, beginnings[i].bytes, beginnings[i].n) == 0)
            return &beginnings[i];
    for (size_t i = 0; i < KRTI_COUNT(endings); i++)
        if (krti_ends_with(name, endings[i].bytes))
            return &endings[i];
    return NULL;
}

static bool is_known_member(const char *name)
{
    return strcmp(name, "config.json") == 0 || strcmp(name, "metadata.json") == 0 ||
           strcmp(name, "model.weights.h5") == 0 || krti_starts_with(name, "assets/");
}

static krt_status look_at_member(scan *s, const krti_zip_member *m)
{
    krti_bytes *bytes = NULL;
    krt_status st = m->is_dir ? KRT_OK : krti_zip_read(s->f->zip, &bytes, m, false);

    if (st != KRT_OK)
        return krti_findings_add_failure(s->out, st, m->name);
    s->num_members++;
    const trace *t = m->is_dir ? NULL : trace_in(m->name, bytes);
    if (t != NULL)
        st = krti_findings_add(s->out, t->code, m->name, NULL, "the member is %s", t->text);
    else if (!is_known_member(m->name))
        st = krti_findings_remark(s->out, "extra", m->name, NULL,
                                  "the member is none of Keras's; with it Keras unpacks the whole "
                                  "archive to a temporary folder");
    if (st == KRT_OK && strcmp(m->name, "model.weights.h5") == 0)
        st = look_at_h5(s, bytes, m->name);
    krti_bytes_drop(bytes);
    return st;
}

static krt_status look_at_archive(scan *s)
{
    krt_status st = KRT_OK;

    if (s->f->bytes->size >= 4 && memcmp(s->f->bytes->data, "PK\3\4", 4) != 0)
        st = krti_findings_remark(s->out, "prefix", NULL, NULL,
                                  "other data stands before the archive: the file is two at once");
    for (size_t i = 0; st == KRT_OK && i < krti_zip_num(s->f->zip); i++)
        st = look_at_member(s, krti_zip_at(s->f->zip, i));
    return st;
}

/* ------------------------------------------------------------------------------- directories */

static krt_status look_at_link(scan *s, const char *dir, const char *name)
{
    krti_str path = KRTI_STR_INIT(s->k);
    krt_status st = krti_path_join(&path, dir, name);

    if (st == KRT_OK && krti_path_is_link(path.ptr))
        st = krti_findings_add(s->out, "link", name, NULL,
                               "a symbolic link: what it points to may lie anywhere");
    krti_str_free(&path);
    return st;
}

static krt_status look_at_directory(scan *s)
{
    static const char *const names[] = {"config.json", "metadata.json", "model.weights.h5",
                                        "assets"};
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < KRTI_COUNT(names); i++)
        st = look_at_link(s, s->f->filepath, names[i]);
    if (st == KRT_OK && s->f->bytes != NULL)
        st = look_at_h5(s, s->f->bytes, "model.weights.h5");
    return st;
}

static krt_status look_at_shards(scan *s)
{
    krti_str dir = KRTI_STR_INIT(s->k);
    krt_status st = krti_source_list(s->f, false);

    if (st != KRT_OK) /* a name that leaves the directory, a link in a shard: both say so */
        return krti_findings_add_failure(s->out, st, krti_failed_file(s->k, s->f->filepath));
    TRY(krti_path_dir(&dir, s->f->filepath));
    for (size_t i = 0; i < s->f->store->num_files; i++) {
        const krti_store_file *file = &s->f->store->files[i];

        TRY(look_at_link(s, dir.ptr, file->name));
        TRY(look_at_h5(s, file->bytes, file->name));
    }

done:
    krti_str_free(&dir);
    return st;
}

/* ------------------------------------------------------------------------------- SavedModel */

static bool holds(const krti_bytes *b, const char *word)
{
    const size_t n = strlen(word);

    /* An operation's name is a protobuf text: field 2, its length, its letters. */
    for (size_t i = 2; i + n <= b->size; i++)
        if (b->data[i] == (unsigned char)word[0] && b->data[i - 1] == n && b->data[i - 2] == 0x12 &&
            memcmp(b->data + i, word, n) == 0)
            return true;
    return false;
}

static krt_status look_at_graph(scan *s, const char *name, const krti_bytes *bytes)
{
    static const char *const ops[] = {"ReadFile",        "WriteFile",   "MatchingFiles", "PyFunc",
                                      "PyFuncStateless", "EagerPyFunc", "LoadLibrary"};
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < KRTI_COUNT(ops); i++)
        if (holds(bytes, ops[i]))
            st = krti_findings_add(
                s->out, "function", name, NULL,
                "the graph has the operation %s, which reaches outside the model", ops[i]);
    return st;
}

static krt_status look_at_saved_model(scan *s)
{
    krti_str path = KRTI_STR_INIT(s->k);
    krti_bytes *bytes = s->f->bytes != NULL ? krti_bytes_use(s->f->bytes) : NULL;
    krt_status st = KRT_OK;

    if (bytes == NULL) {
        TRY(krti_path_join(&path, s->f->filepath, "saved_model.pb"));
        TRY(krti_bytes_map(s->k, &bytes, path.ptr));
    }
    TRY(look_at_graph(s, "saved_model.pb", bytes));

done:
    krti_bytes_drop(bytes);
    krti_str_free(&path);
    return st;
}

/* ------------------------------------------------------------------------------- all */

static krt_status look_at_container(scan *s)
{
    switch (s->f->kind) {
    case KRT_FILE_KERAS_ARCHIVE:
        return look_at_archive(s);
    case KRT_FILE_KERAS_DIRECTORY:
        return look_at_directory(s);
    case KRT_FILE_WEIGHTS_JSON:
        return look_at_shards(s);
    case KRT_FILE_SAVED_MODEL:
        return look_at_saved_model(s);
    case KRT_FILE_WEIGHTS_H5:
    case KRT_FILE_LEGACY_H5:
    case KRT_FILE_LEGACY_WEIGHTS_H5:
        return look_at_h5(s, s->f->bytes, NULL);
    default:
        return KRT_OK;
    }
}

/* What loading would refuse beyond the single thing: many arrays in the place of one. */
static krt_status look_at_list(scan *s)
{
    const krt_status st = krti_source_list(s->f, false);

    if (st == KRT_E_UNSAFE || st == KRT_E_CORRUPT)
        return krti_findings_add_failure(s->out, st, krti_failed_file(s->k, s->f->filepath));
    if (st == KRT_OK && s->num_h5 == 0)
        s->num_datasets = s->f->store->num_arrays;
    return st == KRT_E_NOMEM || st == KRT_E_IO || st == KRT_E_NOT_FOUND ? st : KRT_OK;
}

static krt_status scan_opened(scan *s)
{
    krt_status st = look_at_container(s);

    if (st == KRT_OK && s->f->has_weights && krt_findings_num_problems(s->out) == 0)
        st = look_at_list(s);
    if (st == KRT_OK)
        st = krti_scan_config(s->out, s->f->config, "config");
    if (st == KRT_OK)
        st = krti_str_addf(&s->out->summary, "%s%zu arrays",
                           s->f->config != NULL ? "an architecture, " : "", s->num_datasets);
    if (st == KRT_OK && s->num_members > 0)
        st = krti_str_addf(&s->out->summary, ", %zu members", s->num_members);
    return st;
}

krt_status krt_scan(krt_ctx *k, krt_findings **out, const char *filepath)
{
    scan s = {.k = k};
    krt_status st = krti_findings_new(k, &s.out);

    *out = NULL;
    if (st != KRT_OK)
        return st;
    st = krti_source_open(k, &s.f, filepath);
    if (st == KRT_OK)
        st = scan_opened(&s);
    else if (st == KRT_E_UNSAFE || st == KRT_E_CORRUPT)
        st = krti_findings_add_failure(s.out, st, NULL);
    if (st == KRT_OK) {
        *out = s.out;
        s.out = NULL;
    }
    krti_source_close(s.f);
    krt_findings_free(s.out);
    return st == KRT_OK ? st : krti_fail_in_file(k, st, filepath);
}
