/** @file wrappers.h Keras: keras.layers, the wrappers package. See ../layers.h. */
#ifndef KERATIN_LAYERS_WRAPPERS_H
#define KERATIN_LAYERS_WRAPPERS_H

#include "../sys/layer_class.h"

#endif
