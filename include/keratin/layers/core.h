/** @file core.h Keras: keras.layers, the core package. See ../layers.h. */
#ifndef KERATIN_LAYERS_CORE_H
#define KERATIN_LAYERS_CORE_H

#include "../sys/layer_class.h"

#endif
