/* What fit and evaluate share: settings a model is compiled with, and how numbers are shown. */
#ifndef KERATIN_CLI_TRAINING_H
#define KERATIN_CLI_TRAINING_H

#include "arrays.h"

typedef struct settings {
    const char *optimizer, *loss, *metrics; /* NULL: as the file has it */
} settings;

/* Replaces what was given; a model that then has no loss is a failure that says what to do. */
int settings_apply(cli *c, krt_model *m, const settings *s);
/* 1 on a terminal, as Keras's verbose; 0 with --quiet or --json; else a line an epoch. */
int progress_kind(const cli *c, bool forced);

#endif
