/** @file initializers.h Keras: keras.initializers. See ../layers.h. */
#ifndef KERATIN_LAYERS_INITIALIZERS_H
#define KERATIN_LAYERS_INITIALIZERS_H

#include "../sys/layer_class.h"

#endif
