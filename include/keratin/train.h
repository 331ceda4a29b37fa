/**
 * @file train.h
 * Training: optimizers and schedules.
 * Keras: Model.compile(), Model.fit(), keras.optimizers.
 */
#ifndef KERATIN_TRAIN_H
#define KERATIN_TRAIN_H

#include "models.h"
#include "training/optimizers.h"
#include "training/schedules.h"

#endif
