/* What a file is, told by its bytes and never by its suffix, and the sentence for what is no Keras
 * file: broken downloads and files of other tools look like format errors otherwise. */
#ifndef KRTI_SAVING_DETECT_H
#define KRTI_SAVING_DETECT_H

#include "base/fs.h"

typedef enum krti_form {
    KRTI_FORM_ZIP = 1,
    KRTI_FORM_HDF5,
    KRTI_FORM_JSON,
    KRTI_FORM_KERAS_DIRECTORY,
    KRTI_FORM_SHARDED_DIRECTORY, /* holds model.weights.json */
    KRTI_FORM_TF_CHECKPOINT,
    KRTI_FORM_SAVED_MODEL,
    KRTI_FORM_SAFETENSORS
} krti_form;

/* The form of a file's bytes. `filepath` is for the sentence and for the parts of a TensorFlow
 * checkpoint, which only their names tell; NULL for a buffer. Fails: E_FORMAT saying what the file
 * is instead, E_UNSUPPORTED for a model file of another kind. */
krt_status krti_detect(krt_ctx *k, krti_form *form, const krti_bytes *bytes, const char *filepath);

/* The form of a directory, or of a path where no file is but a checkpoint's parts are.
 * Fails: E_FORMAT, E_NOT_FOUND. */
krt_status krti_detect_path(krt_ctx *k, krti_form *form, const char *filepath);

/* How sentences call the file: its name without the directory, "the buffer" for NULL. */
const char *krti_file_name(const char *filepath);

#endif
