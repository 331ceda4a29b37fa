/* saving/detect.c and the refusals of saving/source.c: every kind of file that is no Keras file gets
 * one sentence, whatever its name says. */
#include "unit/saving/answers.h"

#define BYTES(text) (text), sizeof(text) - 1

typedef struct stranger {
    const char *name;
    const char *bytes;
    size_t size;
    krt_status status;
    const char *says; /* the whole sentence */
} stranger;

static const stranger strangers[] = {
    {"a.keras", BYTES(""), KRT_E_FORMAT,
     "a.keras is empty (0 bytes), expected a Keras model or weights file"},
    {"weights.h5",
     BYTES("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 88672376\n"),
     KRT_E_FORMAT,
     "weights.h5 is a Git LFS pointer (73 bytes; the real file has 88672376). Run: git lfs pull"},
    {"cut.h5", BYTES("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n"), KRT_E_FORMAT,
     "cut.h5 is a Git LFS pointer (59 bytes). Run: git lfs pull"},
    {"page.h5", BYTES("\n <!DOCTYPE html><html><body>404</body></html>"), KRT_E_FORMAT,
     "page.h5 is an HTML page, perhaps of a failed download, expected a Keras model or weights "
     "file"},
    {"s3.keras", BYTES("<?xml version=\"1.0\"?><Error>AccessDenied</Error>"), KRT_E_FORMAT,
     "s3.keras is an XML file, expected a Keras model or weights file"},
    {"model.h5.gz", BYTES("\x1F\x8B\x08\0\0\0\0\0"), KRT_E_FORMAT,
     "model.h5.gz is gzip-compressed, expected a Keras model or weights file. Run: gunzip "
     "model.h5.gz"},
    {"model.h5", BYTES("\x1F\x8B\x08\0\0\0\0\0"), KRT_E_FORMAT,
     "model.h5 is gzip-compressed (8 bytes), expected a Keras model or weights file. Run: gzip -dc "
     "< model.h5 > model"},
    {"model.tar.gz", BYTES("\x1F\x8B\x08\0\0\0\0\0"), KRT_E_FORMAT,
     "model.tar.gz is a gzip-compressed archive, expected a Keras model or weights file. Run: tar "
     "xzf model.tar.gz"},
    {"paper.h5", BYTES("%PDF-1.7\n"), KRT_E_FORMAT,
     "paper.h5 is a PDF document, expected a Keras model or weights file"},
    {"cat.keras", BYTES("\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), KRT_E_FORMAT,
     "cat.keras is a PNG image, expected a Keras model or weights file"},
    {"old.pt", BYTES("\x80\x02\x8A\x0Al\xFC\x9C\x46\xF9 j\xA8P\x19.\x80\x02M\xE9\x03."),
     KRT_E_FORMAT,
     "old.pt is a PyTorch file (a pickle, which is never executed here), expected a Keras model or "
     "weights file"},
    {"history.pkl", BYTES("\x80\x04\x95\x10\0\0\0\0\0\0\0}\x94."), KRT_E_FORMAT,
     "history.pkl is a Python pickle, which is never executed here, expected a Keras model or "
     "weights file"},
    {"model.onnx", BYTES("\x08\x08\x12\x07pytorch"), KRT_E_FORMAT,
     "model.onnx is an ONNX model, expected a Keras model or weights file"},
    {"model.tflite", BYTES("\x1C\0\0\0TFL3\x14\0 \0"), KRT_E_FORMAT,
     "model.tflite is a TensorFlow Lite model, expected a Keras model or weights file"},
    {"x.npy", BYTES("\x93NUMPY\x01\0"), KRT_E_FORMAT,
     "x.npy is a NumPy array file, expected a Keras model or weights file"},
    {"notes.h5", BYTES("to do: train it again"), KRT_E_FORMAT,
     "notes.h5 is text, expected a Keras model or weights file"},
    {"noise.keras", BYTES("\xDE\xAD\xBE\xEF\x01\x02\x03"), KRT_E_FORMAT,
     "noise.keras is of no known kind (it begins with de ad be ef), expected a Keras model or "
     "weights file"},
    {"model.yaml", BYTES("backend: tensorflow\nclass_name: Sequential\nconfig:\n- class_name: D\n"),
     KRT_E_UNSUPPORTED,
     "model.yaml is an architecture in YAML, which Keras gave up in 2.6; write it anew with "
     "model.to_json()"},
    {"checkpoint", BYTES("model_checkpoint_path: \"cp.ckpt\"\n"), KRT_E_NOT_FOUND,
     "Couldn't match files for checkpoint cp.ckpt, which the file `checkpoint` names as the "
     "newest"},
    {"cp.data-00000-of-00001", BYTES("\1\2\3\4"), KRT_E_NOT_FOUND,
     "cp.data-00000-of-00001 is a part of the checkpoint cp, whose .index is not beside it"},
    {"package.json", BYTES("{\"name\": \"left-pad\"}"), KRT_E_FORMAT,
     "package.json is JSON, but neither an architecture (class_name, config) nor a map of sharded "
     "weights (weight_map)"},
    {"model.json", BYTES("{\"modelTopology\": {}, \"weightsManifest\": []}"), KRT_E_UNSUPPORTED,
     "model.json is a TensorFlow.js model, which is not read"},
    {"cut.json", BYTES("{\"class_name\": "), KRT_E_FORMAT, "not JSON: "},
};

TEST(every_stranger_gets_its_sentence)
{
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        const stranger *s = &strangers[i];
        krt_model *m = NULL;
        const char *path = put_file(t, s->name, s->bytes, s->size);

        ASSERT_STATUS(s->status, krt_load(t->k, &m, path, NULL));
        if (strcmp(s->name, "cut.json") == 0)
            ASSERT_SAYS(s->says);
        else
            ASSERT_STR_EQ(s->says, krt_ctx_error(t->k)->message);
        assert_null(m);
        ASSERT_STR_EQ(path, krt_ctx_error(t->k)->filepath);
    }
}

TEST(a_stranger_in_memory_is_called_the_buffer)
{
    krt_model *m = NULL;

    ASSERT_STATUS(KRT_E_FORMAT, krt_load_memory(t->k, &m, "%PDF-1.7", 8, NULL));
    ASSERT_STR_EQ("the buffer is a PDF document, expected a Keras model or weights file",
                  krt_ctx_error(t->k)->message);
    assert_null(krt_ctx_error(t->k)->filepath);
}

TEST(a_tar_archive_is_told_by_its_inside)
{
    char tar[1024] = "model/config.json";
    krt_model *m = NULL;

    memcpy(tar + 257, "ustar", 5);
    ASSERT_STATUS(KRT_E_FORMAT, krt_load(t->k, &m, put_file(t, "a.keras", tar, sizeof tar), NULL));
    ASSERT_SAYS("a.keras is a tar archive");
}

TEST(a_missing_file_and_an_empty_directory_are_said_to_be_so)
{
    krt_model *m = NULL;

    ASSERT_STATUS(KRT_E_NOT_FOUND, krt_load(t->k, &m, in_folder(t, "nothing.keras"), NULL));
    ASSERT_STR_EQ("no such file", krt_ctx_error(t->k)->message);
    ASSERT_STATUS(KRT_E_FORMAT, krt_load(t->k, &m, t->folder, NULL));
    ASSERT_SAYS(" is a directory without a config.json, a saved_model.pb or a checkpoint, ");
}

TEST(a_saved_model_without_variables_is_told)
{
    krt_model *m = NULL;

    ASSERT_STATUS(
        KRT_E_NOT_FOUND,
        krt_load(t->k, &m, put_file(t, "saved_model.pb", "\x08\x01\x12\x02\x0A\0", 6), NULL));
    ASSERT_SAYS(" has no weights: there is no variables/variables.index in it");
}

TEST(a_checkpoint_is_known_by_its_prefix_and_its_index)
{
    unsigned char index[64] = {0};
    const unsigned char magic[8] = {0x57, 0xFB, 0x80, 0x8B, 0x24, 0x75, 0x47, 0xDB};
    static const char *const names[] = {"cp", "cp.index", "cp.meta", "cp.data-00000-of-00001"};
    krt_model *m = NULL;

    memcpy(index + 56, magic, 8);
    put_file(t, "cp.index", index, sizeof index);
    put_file(t, "cp.meta", "\x0A\x02zz", 4);
    put_file(t, "cp.data-00000-of-00001", "\1\2\3\4", 4);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ASSERT_STATUS(KRT_E_CORRUPT, krt_load(t->k, &m, in_folder(t, names[i]), NULL));
        ASSERT_SAYS("block checksum mismatch");
    }
}

/* --- archives --- */

static void load_archive(testing *t, krt_status status, const char *says, const member *members,
                         size_t n)
{
    krt_model *m = NULL;

    ASSERT_STATUS(status, krt_load(t->k, &m, put_zip(t, "a.keras", members, n), NULL));
    ASSERT_STR_EQ(says, krt_ctx_error(t->k)->message);
}

TEST(archives_of_others_are_told_by_their_members)
{
    const member torch[] = {{"archive/data.pkl", "\x80\2.", 3}, {"archive/version", "3", 1}};
    const member zipped[] = {{"readme.txt", "", 0}, {"model.h5", "\x89HDF", 4}};
    const member other[] = {{"readme.txt", "", 0}};

    load_archive(t, KRT_E_FORMAT,
                 "a.keras is a PyTorch file (a pickle, which is never executed here), expected a "
                 "Keras model or weights file",
                 torch, 2);
    load_archive(t, KRT_E_FORMAT, "a.keras is a zip archive that holds model.h5; unpack it first",
                 zipped, 2);
    load_archive(t, KRT_E_FORMAT,
                 "There is no item named 'config.json' in the archive: a.keras is a zip archive of "
                 "1 members, not a .keras file",
                 other, 1);
}

static const char CONFIG[] =
    "{\"module\": \"keras\", \"class_name\": \"Sequential\", \"config\": {\"name\": \"s\", "
    "\"layers\": [{\"module\": \"keras.layers\", \"class_name\": \"InputLayer\", \"config\": "
    "{\"batch_shape\": [null, 4], \"dtype\": \"float32\", \"name\": \"i\"}}, {\"module\": "
    "\"keras.layers\", \"class_name\": \"Dense\", \"config\": {\"name\": \"dense\", \"units\": "
    "3}}]}}";

TEST(an_archive_without_weights_says_so)
{
    const member none[] = {{"config.json", CONFIG, sizeof CONFIG - 1}};
    const member npz[] = {{"config.json", CONFIG, sizeof CONFIG - 1},
                          {"model.weights.npz", "PK", 2}};

    load_archive(t, KRT_E_FORMAT,
                 "Expected a model.weights.h5 or model.weights.npz file in a.keras; the save may "
                 "have been interrupted",
                 none, 1);
    load_archive(
        t, KRT_E_UNSUPPORTED,
        "a.keras keeps its weights in model.weights.npz as Python pickles, which are never "
        "executed here",
        npz, 2);
}

TEST(a_config_that_is_none_is_named)
{
    const member list[] = {{"config.json", "[1, 2]", 6}};
    const member cut[] = {{"config.json", "{\"class_name\"", 13}};
    krt_model *m = NULL;

    load_archive(t, KRT_E_FORMAT, "the architecture is no JSON object with class_name and config",
                 list, 1);
    ASSERT_STR_EQ("config.json", krt_ctx_error(t->k)->object);
    ASSERT_STATUS(KRT_E_FORMAT, krt_load(t->k, &m, put_zip(t, "a.keras", cut, 1), NULL));
    ASSERT_SAYS("not JSON: ");
    ASSERT_STR_EQ("config.json", krt_ctx_error(t->k)->object);
}

/* Cut anywhere, a file is refused with a sentence, and nothing is read beyond its end. */
static void cut_everywhere(testing *t, const char *name, size_t step)
{
    size_t size = 0;
    unsigned char *data = read_all(fixture(name), &size);

    for (size_t n = 0; n < size; n += step) {
        unsigned char *part = malloc(n > 0 ? n : 1);
        krt_model *m = NULL;

        memcpy(part, data, n);
        if (krt_load_memory(t->k, &m, part, n, NULL) == KRT_OK)
            fail_msg("%s cut to %zu of %zu bytes was loaded", name, n, size);
        assert_true(krt_ctx_error(t->k)->message[0] != '\0');
        free(part);
    }
    free(data);
}

TEST(a_file_cut_short_anywhere_is_refused)
{
    cut_everywhere(t, "containers/keras3_sequential_cnn.keras", 61);
    cut_everywhere(t, "containers/keras2_mlp.h5", 97);
}

int main(void)
{
    return RUN(UNIT(every_stranger_gets_its_sentence),
               UNIT(a_stranger_in_memory_is_called_the_buffer),
               UNIT(a_tar_archive_is_told_by_its_inside),
               UNIT(a_missing_file_and_an_empty_directory_are_said_to_be_so),
               UNIT(a_saved_model_without_variables_is_told),
               UNIT(a_checkpoint_is_known_by_its_prefix_and_its_index),
               UNIT(archives_of_others_are_told_by_their_members),
               UNIT(an_archive_without_weights_says_so), UNIT(a_config_that_is_none_is_named),
               UNIT(a_file_cut_short_anywhere_is_refused));
}
