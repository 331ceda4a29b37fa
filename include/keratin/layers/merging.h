/** @file merging.h Keras: keras.layers, the merging package. See ../layers.h. */
#ifndef KERATIN_LAYERS_MERGING_H
#define KERATIN_LAYERS_MERGING_H

#include "../sys/layer_class.h"

#endif
