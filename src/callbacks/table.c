/* Keras's callbacks, by class name; training finds them here. Keras: callbacks/__init__.py. */
#include "training/callback.h"

const krti_callback_class *const krti_callback_classes[] = {NULL};
