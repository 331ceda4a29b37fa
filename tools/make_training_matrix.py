#!/usr/bin/env python3
"""The matrix of trainings that are too many to be kept: products of options, and models drawn at random, as Keras trains them.

    KERATIN_TRAINING_FIXTURES=FOLDER tools/make_training_matrix.py [PART ...]

Writes FOLDER/PART.json as make_training_fixtures.py does, of which it knows every part too;
tools/parity_training.py compares them with tests/parity/test_training.c. The part "layers" is small
enough for tests/fixtures/training.
"""

import sys

import make_training_fixtures as base
from make_training_fixtures import CLASSES, REALS, ROWS, X, L, O, S, keras, mlp

import numpy as np

SCC = "sparse_categorical_crossentropy"
IS_JAX = keras.backend.backend() == "jax"


# What Keras itself cannot: rows of an embedding's gradient divided by a number, or joined where an index
# occurs twice, and weights of rows where there is a mask of steps.
REFUSALS = ["'IndexedSlices' and 'float'", "Graph execution error", "[12], [12,5]", "shapes=[(12, 5), (12,)]", "shapes=[(12,), (12, 5)]"]


def train(name, *args, **more):
    """A case in a list; none where Keras cannot."""
    try:
        return [base.train(name, *args, **more)]
    except Exception as e:
        if not any(r in str(e) for r in REFUSALS):
            raise
        return []


def softmax(*layers, shape, flat=True):
    return keras.Sequential([keras.Input(shape), *layers, *[L.Flatten()] * flat, L.Dense(3, activation="softmax", name="o")], name="m")


# --- optimizers -----------------------------------------------------------------------------------

OPTIONS = {
    "weight_decay": {"weight_decay": 0.02},
    "clipnorm": {"clipnorm": 0.05},
    "global_clipnorm": {"global_clipnorm": 0.05},
    "clipvalue": {"clipvalue": 0.01},
    "ema": {"use_ema": True, "ema_momentum": 0.7},
    "ema that overwrites": {"use_ema": True, "ema_momentum": 0.6, "ema_overwrite_frequency": 3},
    "accumulation": {"gradient_accumulation_steps": 3},
    "accumulation and all": {"gradient_accumulation_steps": 2, "clipvalue": 0.02, "use_ema": True, "ema_overwrite_frequency": 4,
                             "weight_decay": 0.01},
    "loss_scale_factor": {"loss_scale_factor": 32.0},
    # a whole power: on JAX, 1 - 6 / 6 is a little less than zero where XLA contracts it
    "schedule": {"learning_rate": S.PolynomialDecay(0.05, 6, end_learning_rate=0.01, power=2.0)},
}
RATES = {
    O.SGD: [{"learning_rate": 0.1}, {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}],
    O.RMSprop: [{"learning_rate": 0.01}, {"learning_rate": 0.01, "momentum": 0.5, "centered": True}],
    O.Adam: [{"learning_rate": 0.02}, {"learning_rate": 0.02, "amsgrad": True}],
    O.AdamW: [{"learning_rate": 0.02}, {"learning_rate": 0.02, "amsgrad": True}],
    O.Adamax: [{"learning_rate": 0.02}],
    O.Nadam: [{"learning_rate": 0.02}],
    O.Adagrad: [{"learning_rate": 0.05}],
    O.Adadelta: [{"learning_rate": 0.5}],
    O.Adafactor: [{"learning_rate": 0.02}],
    O.Ftrl: [{"learning_rate": 0.05}],
    O.Lamb: [{"learning_rate": 0.02}],
    O.Lion: [{"learning_rate": 0.003}],
    O.Muon: [{"learning_rate": 0.02}],
    O.ScheduleFreeAdamW: [{"learning_rate": 0.02}],
}


def with_options():
    for cls, all_rates in RATES.items():
        for rates in all_rates:
            for option, extra in OPTIONS.items():
                more = "".join(f" {k}" for k in rates if k != "learning_rate")
                yield f"{cls.__name__}{more}, {option}", cls(**{**rates, **extra})


def options():
    """Every optimizer with every option that all of them have."""
    rows = []
    for name, o in with_options():
        rows += train(name, mlp(), {"x": [X], "y": [CLASSES]}, steps=8, optimizer=o, loss=SCC)
    return rows


def embeddings():
    """The same behind an embedding, whose gradient TensorFlow keeps as rows."""
    words = {"x": [{"shape": [6, 5], "seed": 3, "kind": "class", "classes": 7}], "y": [dict(CLASSES, shape=[6])]}

    def plain():
        return softmax(L.Embedding(7, 4, name="e"), L.GlobalAveragePooling1D(), shape=(5,), flat=False)

    def penalized():
        return softmax(L.Embedding(7, 4, name="e", embeddings_regularizer="l2", embeddings_constraint="max_norm"),
                       L.GlobalAveragePooling1D(), shape=(5,), flat=False)

    def shared():
        e, x = L.Embedding(7, 4, name="e"), keras.Input((5,))
        y = L.Concatenate()([L.Flatten()(e(x)), L.GlobalMaxPooling1D()(e(x))])
        return keras.Model(x, L.Dense(3, activation="softmax")(y), name="m")

    def masked():
        return softmax(L.Embedding(7, 4, mask_zero=True), L.GlobalAveragePooling1D(), shape=(5,), flat=False)

    rows = []
    for name, o in with_options():
        rows += train("embedding, " + name, plain(), words, steps=6, optimizer=o, loss=SCC)
    for make in [penalized, shared, masked]:
        for o in base.optimizer_kinds():
            rows += train(f"{make.__name__} embedding, {o.name}", make(), words, steps=6, optimizer=o, loss=SCC)
    return rows


# --- losses ---------------------------------------------------------------------------------------


def reductions():
    """Every loss with every reduction, with and without weights, on rows and on sequences of rows."""
    K = keras.losses
    binary = dict(REALS, kind="class", classes=2)
    positive = dict(REALS, kind="positive")
    kinds = [
        (K.BinaryCrossentropy, {}, "sigmoid", binary),
        (K.BinaryCrossentropy, {"from_logits": True, "label_smoothing": 0.2}, None, binary),
        (K.BinaryFocalCrossentropy, {"apply_class_balancing": True}, "sigmoid", binary),
        (K.BinaryFocalCrossentropy, {"from_logits": True, "gamma": 1.0}, None, binary),
        (K.CategoricalCrossentropy, {"label_smoothing": 0.1}, "softmax", ROWS),
        (K.CategoricalCrossentropy, {"from_logits": True}, None, ROWS),
        (K.CategoricalFocalCrossentropy, {"label_smoothing": 0.1}, "softmax", ROWS),
        (K.CategoricalGeneralizedCrossEntropy, {"q": 0.7}, "softmax", CLASSES),
        (K.SparseCategoricalCrossentropy, {}, "softmax", CLASSES),
        (K.SparseCategoricalCrossentropy, {"from_logits": True, "ignore_class": 2}, None, CLASSES),
        (K.CategoricalHinge, {}, "tanh", ROWS), (K.Hinge, {}, "tanh", dict(REALS, kind="sign")),
        (K.SquaredHinge, {}, "tanh", binary), (K.CosineSimilarity, {}, None, REALS),
        (K.KLDivergence, {}, "softmax", positive), (K.Poisson, {}, "softplus", positive),
        (K.MeanSquaredError, {}, None, REALS), (K.MeanAbsoluteError, {}, None, REALS),
        (K.MeanAbsolutePercentageError, {}, None, positive), (K.MeanSquaredLogarithmicError, {}, "softplus", positive),
        (K.Huber, {"delta": 0.4}, None, REALS), (K.LogCosh, {}, None, REALS), (K.Dice, {}, "sigmoid", binary),
        (K.Tversky, {"alpha": 0.3}, "sigmoid", binary), (K.Circle, {"gamma": 8}, None, CLASSES),
    ]
    rows = []
    for cls, args, activation, y in kinds:
        whole = cls in (K.Dice, K.Tversky)
        for reduction in ["sum", "sum_over_batch_size", "mean_with_sample_weight", "mean"] + ["none"] * (not IS_JAX):
            loss = cls(reduction=reduction, **args)
            name = f"{cls.__name__} {' '.join(args)}, {reduction}"
            data = {"x": [X], "y": [y]}
            rate = 0.0002 if cls is K.MeanAbsolutePercentageError else 0.02
            known = lambda: dict(steps=4, optimizer=O.SGD(rate), loss=loss)
            rows += train(name, mlp(3, activation), data, **known())
            if whole or reduction == "none":
                continue
            rows += train(name + ", weighted", mlp(3, activation), dict(data, weights=[{"shape": [12], "seed": 9, "kind": "positive"}]), **known())
            if cls is K.Circle:
                continue
            steps = keras.Sequential([keras.Input((5,)), L.Embedding(7, 4, mask_zero=True), L.Dense(3, activation=activation)], name="m")
            sequences = {"x": [{"shape": [12, 5], "seed": 3, "kind": "class", "classes": 7}], "y": [dict(y, shape=[12, 5, *y["shape"][1:]])]}
            rows += train(name + ", masked", steps, sequences, **known())
            for what, shape in {"steps": [12, 5], "rows": [12]}.items():
                weighted = dict(sequences, weights=[{"shape": shape, "seed": 9, "kind": "positive"}])
                rows += train(f"{name}, masked, weights of {what}", steps, weighted, **known())
    return rows


# --- layers ---------------------------------------------------------------------------------------


def layers():
    """Every layer with something to train, or through which a gradient finds its way, in training."""
    seq, img, vol, vec = (8, 3), (6, 6, 2), (4, 4, 4, 2), (6,)
    norm = {"gamma_initializer": "ones"}
    kinds = [
        (vec, L.Dense(4, use_bias=False)), (seq, L.Dense(4)), (seq, L.EinsumDense("abc,cd->abd", output_shape=(8, 4), bias_axes="d")),
        (seq, L.EinsumDense("abc,cde->abde", output_shape=(8, 2, 3), activation="relu")),
        (seq, L.Conv1D(4, 3, strides=2, padding="same")), (seq, L.Conv1D(4, 3, padding="causal", dilation_rate=2)),
        (seq, L.Conv1D(6, 2, groups=3)), (img, L.Conv2D(3, (2, 3), strides=(2, 1), padding="valid")),
        (img, L.Conv2D(3, 3, padding="same", dilation_rate=2)), (vol, L.Conv3D(2, 2, strides=2)), (vol, L.Conv3D(2, 3, padding="same")),
        (seq, L.Conv1DTranspose(3, 3, strides=2)), (seq, L.Conv1DTranspose(3, 3, strides=2, padding="same")),
        (img, L.Conv2DTranspose(2, 3, strides=2, padding="same")), (img, L.Conv2DTranspose(2, (3, 2), strides=(2, 1), output_padding=(1, 0), use_bias=False)),
        (vol, L.Conv3DTranspose(2, 2, strides=2)), (seq, L.DepthwiseConv1D(3, depth_multiplier=2)), (img, L.DepthwiseConv2D(3, strides=2, padding="same")),
        (img, L.DepthwiseConv2D(2, depth_multiplier=2, dilation_rate=2)), (seq, L.SeparableConv1D(3, 3, padding="same")),
        (img, L.SeparableConv2D(3, 2, depth_multiplier=2, strides=2)),
        (seq, L.MaxPooling1D(3, strides=2, padding="same")), (seq, L.AveragePooling1D(3, strides=1, padding="same")),
        (img, L.MaxPooling2D((2, 3), strides=1)), (img, L.AveragePooling2D(3, strides=2, padding="same")), (vol, L.MaxPooling3D(2)),
        (vol, L.AveragePooling3D(2, strides=1)), (seq, L.GlobalMaxPooling1D(keepdims=True)), (seq, L.GlobalAveragePooling1D()),
        (img, L.GlobalMaxPooling2D()), (img, L.GlobalAveragePooling2D(keepdims=True)), (vol, L.GlobalMaxPooling3D()), (vol, L.GlobalAveragePooling3D()),
        (seq, L.AdaptiveMaxPooling1D(3)), (seq, L.AdaptiveAveragePooling1D(3)), (img, L.AdaptiveMaxPooling2D((4, 3))),
        (img, L.AdaptiveAveragePooling2D((4, 3))), (vol, L.AdaptiveMaxPooling3D(3)), (vol, L.AdaptiveAveragePooling3D(3)),
        (img, L.BatchNormalization(axis=1)), (img, L.BatchNormalization(momentum=0.7, epsilon=0.01, scale=False)), (seq, L.BatchNormalization()),
        (seq, L.LayerNormalization(axis=[1, 2], **norm)), (img, L.LayerNormalization(center=False, epsilon=0.01)), (img, L.GroupNormalization(2)),
        (img, L.GroupNormalization(-1, scale=False)), (seq, L.RMSNormalization()), (seq, L.UnitNormalization()),
        (seq, L.TimeDistributed(L.Dense(3, activation="elu"))), ((3, 5, 5, 2), L.TimeDistributed(L.Conv2D(2, 2))),
        ((3, 6), L.TimeDistributed(L.BatchNormalization())),
        (vec, L.SpectralNormalization(L.Dense(4))), (img, L.SpectralNormalization(L.Conv2D(3, 2), power_iterations=2)),
        (seq, L.PReLU(shared_axes=[1])), (vec, L.ELU(0.5)), (vec, L.ReLU(max_value=0.5, negative_slope=0.1, threshold=0.1)), (seq, L.Softmax(axis=1)),
        (vec, L.LeakyReLU(0.2)), (img, L.UpSampling2D(2)), (img, L.UpSampling2D((2, 3), interpolation="bilinear")), (seq, L.UpSampling1D(2)),
        (vol, L.UpSampling3D(2)), (img, L.ZeroPadding2D(((1, 0), (2, 1)))), (seq, L.ZeroPadding1D(2)), (vol, L.ZeroPadding3D(1)), (img, L.Cropping2D(1)),
        (seq, L.Cropping1D(1)), (vol, L.Cropping3D(1)), (vec, L.RepeatVector(3)), (seq, L.Permute((2, 1))), (img, L.Reshape((4, 18))),
        (vec, L.Rescaling(0.5, offset=0.1)), (img, L.Resizing(9, 4)), (img, L.CenterCrop(3, 4)),
        *[(vec, L.Activation(a)) for a in ["celu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "log_sigmoid",
                                           "log_softmax", "mish", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softplus", "softsign", "sparse_plus",
                                           "sparse_sigmoid", "sparsemax", "squareplus", "tanh_shrink"]],
    ]
    rows = []
    for i, (shape, layer) in enumerate(kinds):
        first = {1: L.Dense(6, name="d"), 2: L.Conv1D(3, 1, name="c"), 3: L.Conv2D(2, 1, name="c")}.get(len(shape))
        model = softmax(*[first] * (first is not None), layer, shape=shape)
        data = {"x": [{"shape": [4, *shape], "seed": 1, "kind": "real"}], "y": [dict(CLASSES, shape=[4])]}
        rows += train(f"{type(layer).__name__} {i}", model, data, steps=5, optimizer=O.SGD(0.05, momentum=0.5), loss=SCC, evaluate=True)
    return rows


# --- models drawn at random -----------------------------------------------------------------------


def block(rng, x):
    """One more layer after x, which is a vector, a sequence or an image."""
    pick = lambda *kinds: kinds[rng.integers(len(kinds))]()
    act = str(rng.choice(["relu", "tanh", "gelu", "swish", "elu", "sigmoid"]))
    n = int(rng.integers(2, 6))
    if len(x.shape) == 2:
        return pick(lambda: L.Dense(n, activation=act), lambda: L.BatchNormalization(momentum=0.8), lambda: L.LayerNormalization(),
                    lambda: L.Dense(n, kernel_regularizer="l2", activation=act), lambda: L.PReLU(),
                    lambda: L.Dense(n, kernel_constraint="max_norm", activity_regularizer="l2"))(x)
    if len(x.shape) == 3:
        return pick(lambda: L.Conv1D(n, 3, padding="same", activation=act), lambda: L.BatchNormalization(), lambda: L.MaxPooling1D(2, padding="same"),
                    lambda: L.TimeDistributed(L.Dense(n, activation=act)), lambda: L.SeparableConv1D(n, 2, padding="same"), lambda: L.LayerNormalization(),
                    lambda: L.Conv1D(n, 2, padding="causal", dilation_rate=2))(x)
    return pick(lambda: L.Conv2D(n, 3, padding="same", activation=act), lambda: L.BatchNormalization(momentum=0.7), lambda: L.DepthwiseConv2D(2, activation=act),
                lambda: L.MaxPooling2D(2, strides=1, padding="same"), lambda: L.AveragePooling2D(2, padding="same"), lambda: L.SeparableConv2D(n, 3, padding="same"),
                lambda: L.Conv2DTranspose(n, 2, activation=act), lambda: L.GroupNormalization(1), lambda: L.Conv2D(2, 1, strides=2, padding="same"),
                lambda: L.UpSampling2D(2) if x.shape[1] < 6 else L.Activation(act))(x)


def drawn(rng):
    """Inputs of any kind, branches, merges, layers used twice, models within models, one to three outputs."""
    shapes = [[(5,), (6, 3), (6, 6, 2)][rng.integers(3)] for _ in range(rng.integers(1, 4))]
    inputs = [keras.Input(s, name=f"in{i}") for i, s in enumerate(shapes)]
    pool = list(inputs)
    twice = L.Dense(4, activation="tanh", name="twice")
    for step in range(int(rng.integers(4, 10))):
        i = int(rng.integers(len(pool)))
        x, kind = pool[i], rng.integers(8)
        alike = [p for p in pool if p.shape == x.shape and p is not x]
        if kind == 0 and alike:
            y = getattr(L, str(rng.choice(["Add", "Multiply", "Maximum", "Average", "Subtract", "Minimum", "Concatenate"])))()([x, alike[0]])
        elif kind == 1 and x.shape[-1] == 4:
            y = twice(x)
        elif kind == 2:
            inside = keras.Input(x.shape[1:])
            y = keras.Model(inside, block(rng, block(rng, inside)), name=f"inner{step}")(x)
        elif kind == 3:
            y = L.Add()([x, L.Activation("tanh")(x)])
        else:
            y = block(rng, x)
        if rng.integers(3):
            pool[i] = y
        else:
            pool.append(y)
    flat = [p if len(p.shape) == 2 else (L.Flatten() if rng.integers(2) else [L.GlobalAveragePooling1D, L.GlobalMaxPooling2D][len(p.shape) - 3]())(p)
            for p in pool]
    x = L.Concatenate()(flat) if len(flat) > 1 else flat[0]
    outputs = [L.Dense(3, activation="softmax", name="kind")(x), L.Dense(2, name="box")(L.Dense(4, activation="tanh")(x)),
               L.Dense(1, activation="sigmoid", name="bit")(x)][:rng.integers(1, 4)]
    return keras.Model(inputs, outputs, name="drawn"), shapes


def random(count=16):
    """Models, each with an optimizer and losses of its own; other ones with another seed. One whose training
    moves when a weight's last bit does says nothing of who is right: another is drawn."""
    rng = np.random.default_rng(100 + base.SEED)
    kinds = list(with_options())
    rows = []
    while len(rows) < count:
        keras.utils.clear_session()
        model, shapes = drawn(rng)
        n = len(model.outputs)
        name, optimizer = kinds[rng.integers(len(kinds))]
        data = {"x": [{"shape": [11, *s], "seed": 30 + i, "kind": "real"} for i, s in enumerate(shapes)],
                "y": [dict(CLASSES, shape=[11]), {"shape": [11, 2], "seed": 7, "kind": "real"}, {"shape": [11, 1], "seed": 8, "kind": "class", "classes": 2}][:n]}
        if rng.integers(2):
            data["weights"] = [{"shape": [11], "seed": 40 + i, "kind": "positive"} for i in range(n)]
        losses = [SCC, str(rng.choice(["mse", "huber", "log_cosh"])), "binary_crossentropy"][:n]
        args = {"fit_args": {"batch_size": 4, "epochs": 3, "validation_split": 0.2}} if rng.integers(2) else {"steps": 12}
        optimizer = type(optimizer).from_config(optimizer.get_config())
        case = train(f"model {len(rows)}, {name}", model, data, optimizer=optimizer, loss=losses if n > 1 else losses[0], evaluate=True, steady=True,
                     loss_weights=[1.0, 0.4, 2.0][:n] if n > 1 else None, metrics=[["accuracy"], ["mae"], ["accuracy", "AUC"]][:n], **args)
        rows += [row for row in case if row]
    return [dict(row, slack=10) for row in rows]  # in deep models that nobody tuned, rounding grows


def few():
    return random(5)


if __name__ == "__main__":
    base.main(sys.argv[1:], [*base.TRAININGS, options, embeddings, reductions, layers, random, few])
