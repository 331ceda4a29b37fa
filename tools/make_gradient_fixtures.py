#!/usr/bin/env python3
"""Writes tests/fixtures/gradients: small models in training, as Keras computes them.

    KERAS_BACKEND=jax tools/make_gradient_fixtures.py [NAME ...]
    KERAS_BACKEND=tensorflow tools/make_gradient_fixtures.py [NAME ...]

NAME.keras is a model; NAME.npz beside it holds one call of it in training mode on the JAX backend, of
which the random numbers are known: `x` (or x_0, x_1, ...), `weight` (the loss is the sum of the first
output times it, plus what layers add), `y`, `loss`, `grad_<i>` for the i-th trainable weight and
`after_<i>` for the i-th weight that is not (the SeedGenerators' states left out). The second run adds
NAME.tensorflow.npz: the same call on TensorFlow, where the model draws no random numbers.
"""

import os
import pathlib
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "gradients"
L = keras.layers
R = keras.regularizers


def sequential(shape, *layers):
    return keras.Sequential([keras.Input(shape), *layers])


def cnn():
    return sequential(
        (8, 8, 3),
        L.Conv2D(4, 3, padding="same", use_bias=False),
        L.BatchNormalization(momentum=0.8),
        L.ReLU(),
        L.MaxPooling2D(),
        L.SeparableConv2D(5, 3, activation="gelu"),
        L.Conv2DTranspose(3, 3, strides=2, activation="elu"),
        L.DepthwiseConv2D(2, activation="tanh"),
        L.Flatten(),
        L.Dense(4, activation="softmax"),
    )


def residual():
    x = keras.Input((6, 6, 4))
    y = L.Conv2D(4, 3, padding="same", strides=1)(x)
    y = L.BatchNormalization()(y)
    y = L.Activation("silu")(y)
    y = L.Conv2D(4, 3, padding="same", groups=2)(y)
    y = L.BatchNormalization(scale=False)(y)
    y = L.Add()([x, y])
    y = L.LeakyReLU(negative_slope=0.1)(y)
    y = L.AveragePooling2D(2)(y)
    y = L.UpSampling2D(2, interpolation="bilinear")(y)
    y = L.ZeroPadding2D(1)(y)
    y = L.Cropping2D(2)(y)
    a = L.GlobalAveragePooling2D()(y)
    b = L.GlobalMaxPooling2D()(y)
    return keras.Model(x, L.Dense(3)(L.Concatenate()([a, b])))


def norms():
    return sequential(
        (5, 6),
        L.LayerNormalization(),
        L.Dense(8, activation="softplus"),
        L.GroupNormalization(groups=4),
        L.Dense(6, activation="mish"),
        L.RMSNormalization(),
        L.UnitNormalization(),
        L.LayerNormalization(axis=[1, 2]),
        L.PReLU(alpha_initializer="ones"),
    )


def frozen():
    m = sequential(
        (4, 4, 2),
        L.Conv2D(3, 2, trainable=False),
        L.BatchNormalization(trainable=False),
        L.Conv2D(3, 2, activation="sigmoid"),
        L.BatchNormalization(),
        L.GlobalAveragePooling2D(),
    )
    return m


def shared_normalization():
    x = keras.Input((5,))
    norm, dense = L.BatchNormalization(momentum=0.5), L.Dense(5, activation="tanh")
    return keras.Model(x, norm(dense(norm(dense(x)))))


def masked():
    x = keras.Input((6,), dtype="int32")
    y = L.Embedding(9, 4, mask_zero=True)(x)
    y = L.BatchNormalization(momentum=0.7)(y)
    y = L.Dense(5, activation="selu")(y)
    return keras.Model(x, L.GlobalAveragePooling1D()(y))


def drops():
    return sequential(
        (6, 8),
        L.Dropout(0.5, seed=1),
        L.Dense(7),
        L.SpatialDropout1D(0.3, seed=2),
        L.AlphaDropout(0.2, seed=3),
        L.Dense(7, activation="relu"),
        L.Dropout(0.4, noise_shape=(None, 1, 7), seed=4),
        L.Dense(4),
    )


def noises():
    return sequential(
        (3, 8),
        L.GaussianNoise(0.5, seed=11),
        L.Dense(7, activation="swish"),
        L.GaussianDropout(0.3, seed=12),
        L.ActivityRegularization(l1=0.01, l2=0.02),
        L.Dense(4),
    )


def penalties():
    return sequential(
        (5, 4),
        L.Dense(6, activation="tanh", activity_regularizer=R.L2(0.1)),
        L.Conv1D(4, 2, activity_regularizer=R.L1L2(0.01, 0.02)),
        L.Flatten(),
    )


def shared_dropout():
    x = keras.Input((10,))
    drop = L.Dropout(0.5, seed=7)
    return keras.Model(x, drop(L.Dense(10)(drop(x))))


def spectral():
    return sequential(
        (6, 6, 2),
        L.SpectralNormalization(L.Conv2D(3, 3), power_iterations=2),
        L.Flatten(),
        L.SpectralNormalization(L.Dense(4)),
    )


def volumes():
    return sequential(
        (6, 5, 4, 2),
        L.Conv3D(3, 2, activation="relu"),
        L.MaxPooling3D(2, strides=1),
        L.Conv3DTranspose(2, 2),
        L.SpatialDropout3D(0.5, seed=5),
        L.AveragePooling3D(2),
        L.Flatten(),
        L.Dense(2),
    )


def sequences():
    x = keras.Input((8, 3))
    y = L.Conv1D(4, 3, padding="causal", dilation_rate=2)(x)
    y = L.BatchNormalization(axis=1)(y)
    y = L.SeparableConv1D(4, 2, activation="softsign")(y)
    y = L.Conv1DTranspose(4, 3, strides=2)(y)
    y = L.MaxPooling1D(2)(y)
    y = L.TimeDistributed(L.Dense(3, activation="exponential"))(y)
    y = L.Softmax(axis=1)(y)
    y = L.Permute((2, 1))(y)
    return keras.Model(x, L.Flatten()(y))


MODELS = [cnn, residual, norms, frozen, shared_normalization, masked, drops, noises, penalties,
          shared_dropout,
          spectral, volumes, sequences]


def randomize(model, rng):
    """Weights one can see something with: nothing is all zero or one."""
    for v in model.trainable_variables + model.non_trainable_variables:
        if "seed_generator" in v.path:
            continue
        value = rng.normal(0, 0.5, v.shape).astype("float32")
        v.assign(np.abs(value) + 0.5 if "variance" in v.path else value)


def arrays_of(x, weight, loss, y, grads, after):
    arrays = {"x": x, "weight": weight, "loss": loss, "y": y}
    arrays |= {f"grad_{i}": g for i, g in enumerate(grads)}
    return arrays | {f"after_{i}": a for i, a in enumerate(after)}


def call_tensorflow(model, x, weight):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        y = model(x, training=True)
        loss = tf.reduce_sum(y * weight) + sum(model.losses)
    grads = tape.gradient(loss, [v.value for v in model.trainable_variables])
    after = [np.asarray(v.value) for v in model.non_trainable_variables]
    return np.asarray(loss), np.asarray(y), [np.asarray(tf.convert_to_tensor(g)) for g in grads], after


def on_tensorflow(name):
    """Beside what the run on JAX left."""
    model = keras.saving.load_model(HERE / f"{name}.keras")
    if any("seed_generator" in v.path for v in model.non_trainable_variables):
        return
    with np.load(HERE / f"{name}.npz") as known:
        x, weight = known["x"], known["weight"]
    np.savez_compressed(HERE / f"{name}.tensorflow.npz", **arrays_of(x, weight, *call_tensorflow(model, x, weight)))


def call(model, x, weight):
    import jax

    seeds = [i for i, v in enumerate(model.non_trainable_variables) if "seed_generator" in v.path]
    start = [v.value for v in model.non_trainable_variables]

    def loss(trainable):
        y, after, added = model.stateless_call(trainable, start, x, training=True, return_losses=True)
        return (y * weight).sum() + sum(added), (y, after)

    trainable = [v.value for v in model.trainable_variables]
    (value, (y, after)), grads = jax.value_and_grad(loss, has_aux=True)(trainable)
    after = [np.asarray(a) for i, a in enumerate(after) if i not in seeds]
    return np.asarray(value), np.asarray(y), [np.asarray(g) for g in grads], after


def main(names):
    HERE.mkdir(parents=True, exist_ok=True)
    for make in MODELS:
        if names and make.__name__ not in names:
            continue
        if keras.backend.backend() == "tensorflow":
            on_tensorflow(make.__name__)
            continue
        keras.utils.set_random_seed(1)
        keras.backend.clear_session()
        rng = np.random.default_rng(5)
        model = make()
        model.name = make.__name__
        randomize(model, rng)
        shape = (3, *model.input_shape[1:])
        x = rng.normal(0, 1, shape).astype("float32")
        if make is masked:
            x = rng.integers(0, 9, shape).astype("int32")
        weight = rng.normal(0, 1, (3, *model.output_shape[1:])).astype("float32")
        model.save(HERE / f"{make.__name__}.keras")
        loss, y, grads, after = call(model, x, weight)
        np.savez_compressed(HERE / f"{make.__name__}.npz", **arrays_of(x, weight, loss, y, grads, after))
        print(make.__name__, len(grads), len(after), float(loss))


if __name__ == "__main__":
    main(sys.argv[1:])
