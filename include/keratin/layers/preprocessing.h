/** @file preprocessing.h Keras: keras.layers, the preprocessing package. See ../layers.h. */
#ifndef KERATIN_LAYERS_PREPROCESSING_H
#define KERATIN_LAYERS_PREPROCESSING_H

#include "../sys/layer_class.h"

#endif
