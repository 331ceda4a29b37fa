/** @file normalization.h Keras: keras.layers, the normalization package. See ../layers.h. */
#ifndef KERATIN_LAYERS_NORMALIZATION_H
#define KERATIN_LAYERS_NORMALIZATION_H

#include "../sys/layer_class.h"

#endif
