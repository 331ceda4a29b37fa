/* What compile() makes of a model, kept with it. */
#ifndef KRTI_TRAINING_TRAINING_H
#define KRTI_TRAINING_TRAINING_H

#include "training/optimizer.h"

struct krti_training {
    krt_ctx *k;
    krti_arena arena;
    const krti_conf *config;   /* compile_config; NULL: not compiled */
    krti_optimizer *optimizer; /* made when asked for */
};

/* The model's, made when there is none yet. */
krt_status krti_training_of(krt_model *m, struct krti_training **out);

#endif
