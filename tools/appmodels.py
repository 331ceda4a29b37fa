"""keras.applications with random weights that behave like trained ones: activations stay near one however deep the
model is, and no statistic or scale is at its initial value. Used by tools/parity.py and bench/.
"""

import numpy as np

# family: (function of keras.applications, input size for parity). Sizes are small where the family allows it.
FAMILIES = {
    "MobileNetV2": 96,
    "ResNet50": 64,
    "EfficientNetB0": 96,
    "ConvNeXtTiny": 64,
    "MobileNet": 96,
    "MobileNetV3Small": 96,
    "MobileNetV3Large": 96,
    "ResNet50V2": 64,
    "InceptionV3": 139,
    "InceptionResNetV2": 107,
    "Xception": 107,
    "DenseNet121": 64,
    "NASNetMobile": 96,
    "VGG16": 64,
    "VGG19": 48,
    "EfficientNetV2B0": 96,
    "EfficientNetV2L": 480,
}
QUICK = ["MobileNetV2", "ResNet50", "EfficientNetB0", "ConvNeXtTiny"]


def build(name, size=None, seed=1, **more):
    """The model, with random weights; size: None for the application's own input size."""
    import keras

    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    shape = {} if size is None else {"input_shape": (size, size, 3)}
    model = getattr(keras.applications, name)(weights=None, **shape, **more)
    randomize(model, np.random.default_rng(seed))
    return model


def value_for(rng, variable):
    shape, name = tuple(variable.shape), variable.path.rsplit("/", 1)[-1]
    if "int" in str(variable.dtype) or "seed" in variable.path:
        return None
    if "layer_scale" in variable.path:
        return rng.uniform(0.2, 0.5, shape)
    if name == "gamma":
        return rng.uniform(0.6, 1.2, shape)
    if name == "beta":  # above zero, so that most units are on: a deep random network is chaotic otherwise
        return 0.8 + 0.3 * rng.standard_normal(shape)
    if name in ("bias", "moving_mean"):
        return 0.1 * rng.standard_normal(shape)
    if name == "moving_variance":
        return rng.uniform(0.5, 1.5, shape)
    if name in ("mean", "variance"):
        return None
    depthwise = "depthwise" in variable.path and len(shape) == 4
    fan_in = int(np.prod(shape[:2] if depthwise else shape[:-1])) or 1
    return rng.standard_normal(shape) * np.sqrt(2.0 / fan_in)


def randomize(model, rng):
    for v in model.variables:
        value = value_for(rng, v)
        if value is not None:
            v.assign(value.astype("float32"))
    settle_statistics(model, rng)
    settle_logits(model, rng)


def settle_statistics(model, rng):
    """Sets every BatchNormalization's moving statistics to those of a batch, as training would leave them."""
    import keras

    every = list(model._flatten_layers())
    norms = [layer for layer in every if isinstance(layer, keras.layers.BatchNormalization)]
    drops = [layer for layer in every if isinstance(layer, keras.layers.Dropout)]
    if not norms:
        return
    kept = [layer.momentum for layer in norms], [layer.rate for layer in drops]
    for layer in norms:
        layer.momentum = 0.0
    for layer in drops:
        layer.rate = 0.0
    size = model.inputs[0].shape[1] or 64
    model(inputs_for(model, rng, batch=2 if size > 300 else 8), training=True)
    for layer, momentum in zip(norms, kept[0]):
        layer.momentum = momentum
    for layer, rate in zip(drops, kept[1]):
        layer.rate = rate


def settle_logits(model, rng):
    """Scales the last layer with weights so that the softmax after it neither saturates nor is flat."""
    import keras

    last = [layer for layer in model.layers if hasattr(layer, "kernel")][-1]
    if isinstance(last, keras.layers.Dense):
        last.activation, kept = keras.activations.linear, last.activation
    logits = np.asarray(keras.Model(model.inputs, last.output)(inputs_for(model, rng, batch=2), training=False))
    if isinstance(last, keras.layers.Dense):
        last.activation = kept
    last.kernel.assign(np.asarray(last.kernel) * np.float32(1.5 / float((logits - np.asarray(last.bias)).std())))


def pictures(rng, shape):
    """Smooth blobs of colour with some noise, different from picture to picture; about -2 to 2."""
    batch, height, width, channels = shape
    coarse = rng.standard_normal((batch, 5, 5, channels)) + rng.standard_normal((batch, 1, 1, channels))
    rows, columns = (np.linspace(0, 4, n) for n in (height, width))
    low_r, low_c = (np.minimum(v.astype(int), 3) for v in (rows, columns))
    r, c = (rows - low_r)[:, None, None], (columns - low_c)[None, :, None]
    corner = lambda dr, dc: coarse[:, low_r + dr][:, :, low_c + dc]
    smooth = (corner(0, 0) * (1 - r) + corner(1, 0) * r) * (1 - c) + (corner(0, 1) * (1 - r) + corner(1, 1) * r) * c
    return smooth + 0.3 * rng.standard_normal(shape)


def inputs_for(model, rng, batch):
    """Pictures of 0..255, or around zero for models that do not rescale by themselves."""
    import keras

    shape = [batch] + [d or 64 for d in model.inputs[0].shape[1:]]
    x = pictures(rng, shape)
    if any(isinstance(layer, (keras.layers.Rescaling, keras.layers.Normalization)) for layer in model.layers):
        x = np.clip(128 + 50 * x, 0, 255)
    return x.astype("float32")
