/* The catalogue of hostile files; see hostile.c. */
#ifndef KERATIN_TESTS_HOSTILE_FILES_H
#define KERATIN_TESTS_HOSTILE_FILES_H

#include <stddef.h>

typedef struct hostile_list {
    const char *names[300];
    size_t n;
} hostile_list;

/* Builds them in the current folder, and beside them good.keras, good.json, good.weights.h5 and
 * x.npy, which are as they should be. Ends the process when it cannot. */
void hostile_files_make(hostile_list *out, const char *fixtures);

#endif
