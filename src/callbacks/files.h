/* Files that callbacks keep beside models. */
#ifndef KRTI_CALLBACKS_FILES_H
#define KRTI_CALLBACKS_FILES_H

#include "base/str.h"

/* Makes the directories that a file of this name will lie in. */
krt_status krti_make_parents(krt_ctx *k, const char *filepath);
krt_status krti_make_directory(krt_ctx *k, const char *path);
/* Whether it is a model saved as a directory, which a save replaces. */
bool krti_is_keras_directory(const char *path);
/* Removes a file, or a directory with the files in it; nothing when there is none. */
krt_status krti_remove_path(krt_ctx *k, const char *path);

/* A log: text goes to its end, at once. */
typedef struct krti_log_file {
    krt_ctx *k;
    int fd;
    char *filepath;
} krti_log_file;
/* Opens or makes it; `keeps` false empties what is there. */
krt_status krti_log_open(krt_ctx *k, krti_log_file *f, const char *filepath, bool keeps);
krt_status krti_log_write(krti_log_file *f, const void *data, size_t size);
void krti_log_close(krti_log_file *f);

#endif
