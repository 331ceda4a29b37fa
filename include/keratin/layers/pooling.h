/** @file pooling.h Keras: keras.layers, the pooling package. See ../layers.h. */
#ifndef KERATIN_LAYERS_POOLING_H
#define KERATIN_LAYERS_POOLING_H

#include "../sys/layer_class.h"

#endif
