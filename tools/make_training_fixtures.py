#!/usr/bin/env python3
"""Writes tests/fixtures/training: what Keras computes while it trains.

    KERAS_BACKEND=tensorflow tools/make_training_fixtures.py [PART ...]
    KERAS_BACKEND=jax tools/make_training_fixtures.py

Everything is small and committed; without PART every part is written. Weights and data come from a
little generator that the tests have too (numbers()), so that files hold results only.
"""

import json
import os
import pathlib
import re
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

HERE = pathlib.Path(os.environ.get("KERATIN_TRAINING_FIXTURES") or
                    pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "training")
SEED = int(os.environ.get("KERATIN_TRAINING_SEED", "0"))  # other numbers, for tools/parity_training.py
O = keras.optimizers
S = O.schedules


def write(name, value):
    HERE.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, separators=(",", ":"))
    (HERE / name).write_text(text.replace('},{"', '},\n{"') + "\n")


# --- optimizers: variables in order ---------------------------------------------------------------


def optimizer_kinds():
    """Every optimizer, each option that changes its variables or its rule once."""
    return [
        O.SGD(),
        O.SGD(0.05, momentum=0.9),
        O.SGD(0.05, momentum=0.9, nesterov=True),
        O.SGD(0.05, momentum=0.5, use_ema=True, gradient_accumulation_steps=2),
        O.RMSprop(0.01),
        O.RMSprop(0.01, momentum=0.5),
        O.RMSprop(0.01, momentum=0.5, centered=True),
        O.Adam(0.01),
        O.Adam(0.01, amsgrad=True),
        O.AdamW(0.01),
        O.Adamax(0.01),
        O.Nadam(0.01),
        O.Adagrad(0.05),
        O.Adadelta(0.5),
        O.Adafactor(0.01),
        O.Adafactor(0.01, relative_step=False, clip_threshold=0.5),
        O.Ftrl(0.05),
        O.Ftrl(0.05, l1_regularization_strength=0.01, l2_regularization_strength=0.02,
               l2_shrinkage_regularization_strength=0.03, beta=0.1),
        O.Lamb(0.01),
        O.Lion(0.003),
        O.Muon(0.01),
        O.Muon(0.01, nesterov=False, rms_rate=None, adam_lr_ratio=0.5),
        O.ScheduleFreeAdamW(0.01),
        O.ScheduleFreeAdamW(0.01, warmup_steps=3),
        O.LossScaleOptimizer(O.Adam(0.01), dynamic_growth_steps=3),
        O.Adam(S.CosineDecay(0.05, 10)),
    ]


def slots():
    rows = []
    for optimizer in optimizer_kinds():
        model = keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(2, name="d"), keras.layers.Embedding(4, 2, name="emb")],
            name="s",
        )
        optimizer.build(model.trainable_variables)
        rows.append({
            "object": keras.saving.serialize_keras_object(optimizer),
            "variables": [[v.path, list(v.shape), keras.backend.standardize_dtype(v.dtype)]
                          for v in optimizer.variables],
        })
    write("slots.json", rows)


# --- schedules ------------------------------------------------------------------------------------


def schedules():
    kinds = [
        S.ExponentialDecay(0.1, 10, 0.9),
        S.ExponentialDecay(0.1, 10, 0.5, staircase=True),
        S.InverseTimeDecay(0.1, 7, 0.3),
        S.InverseTimeDecay(0.1, 7, 0.3, staircase=True),
        S.PolynomialDecay(0.1, 20),
        S.PolynomialDecay(0.1, 20, end_learning_rate=0.01, power=2.0),
        S.PolynomialDecay(0.1, 8, end_learning_rate=0.01, power=0.5, cycle=True),
        S.PiecewiseConstantDecay([3, 10, 11], [0.1, 0.05, 0.025, 0.0125]),
        S.CosineDecay(0.1, 20),
        S.CosineDecay(0.1, 20, alpha=0.1),
        S.CosineDecay(0.0, 20, alpha=0.05, warmup_target=0.2, warmup_steps=6),
        S.CosineDecayRestarts(0.1, 5),
        S.CosineDecayRestarts(0.1, 5, t_mul=1.0, m_mul=0.8, alpha=0.01),
        S.CosineDecayRestarts(0.1, 5, t_mul=1.5, m_mul=0.9),
    ]
    write("schedules.json", [
        {"object": keras.saving.serialize_keras_object(s), "rates": [float(s(i)) for i in range(30)]}
        for s in kinds
    ])


# --- whole trainings ------------------------------------------------------------------------------

L = keras.layers
SCALE = 0.6


def numbers(n, seed):
    """n floats in [-0.5, 0.5) that any language makes alike: a multiplicative hash's upper bits."""
    i, seed = np.arange(n, dtype=np.uint64), seed + 1000 * SEED
    mixed = (i * np.uint64(2654435761) + np.uint64(seed) * np.uint64(40503)) % np.uint64(2**32)
    mixed = (mixed ^ (mixed >> np.uint64(15))) * np.uint64(2246822519) % np.uint64(2**32)
    return ((mixed >> np.uint64(8)).astype(np.float64) / 2**24 - 0.5).astype(np.float32)


def array(spec):
    """A described array: shape, seed and what it holds."""
    shape, seed, kind = spec["shape"], spec["seed"], spec["kind"]
    flat = numbers(int(np.prod(shape)), seed)
    if kind == "real":
        values = flat * np.float32(spec.get("scale", 2))
    elif kind == "positive":
        values = flat + np.float32(0.6)
    elif kind == "class":
        values = np.floor((flat + np.float32(0.5)) * np.float32(spec["classes"]))
    elif kind == "one_hot":
        rows = np.floor((numbers(int(np.prod(shape[:-1])), seed) + np.float32(0.5)) * np.float32(shape[-1]))
        values = np.eye(shape[-1], dtype="float32")[rows.astype("int64")]
    elif kind == "sign":
        values = np.where(flat < 0, -1, 1)
    else:
        raise ValueError(kind)
    return values.reshape(shape).astype(spec.get("dtype", "float32"))


def set_weights(model):
    for i, v in enumerate(model.weights):
        values = numbers(int(np.prod(v.shape)), 100 + i) * np.float32(SCALE)
        if "variance" in v.path or "gamma" in v.path:
            values = values + np.float32(1)
        if "seed" not in v.path:
            v.assign(values.reshape(v.shape))


def short(x):
    """A float32 in as few digits as tell it from its neighbours."""
    return float(f"{float(x):.8g}")


def flat(v):
    return [short(x) for x in np.asarray(v, dtype="float32").reshape(-1)]


def fit(model, data, args):
    """The history of a fit() that does not shuffle."""
    args = dict(args)
    if "validation_x" in data:
        args["validation_data"] = tuple(one_of(data, "validation_" + k) for k in ["x", "y", "weights"]
                                        if "validation_" + k in data)
    if "class_weight" in args:
        args["class_weight"] = dict(enumerate(args["class_weight"]))
    if "swap_on_epoch" in args:
        args["callbacks"] = [keras.callbacks.SwapEMAWeights(args.pop("swap_on_epoch"))]
    history = model.fit(one_of(data, "x"), one_of(data, "y"), sample_weight=one_of(data, "weights"), shuffle=False,
                        verbose=0, **args).history
    return [[k, [short(np.ravel(v)[0]) for v in values]] for k, values in history.items()]


def one_of(data, key):
    """The arrays that are described there: none, one, or a list."""
    arrays = [array(s) for s in data.get(key, [])]
    return arrays[0] if len(arrays) == 1 else arrays or None


def outcome(model, data, steps, evaluate, fit_args):
    """What a training gives: logs of each step or a history, then weights and slots."""
    x, y, w = (one_of(data, key) for key in ["x", "y", "weights"])
    case = {"steps": []}
    if fit_args:
        case |= {"fit": fit_args, "history": fit(model, data, fit_args)}
    for _ in range(0 if fit_args else steps):
        model.reset_metrics()
        logs = model.train_on_batch(x, y, sample_weight=w, return_dict=True)
        case["steps"].append({k: flat(v) if np.ndim(v) else short(v) for k, v in sorted(logs.items())})
    case["weights"] = [[v.path, flat(v.numpy())] for v in model.weights if "seed" not in v.path]
    # what Keras gives no name (Nadam's product) it numbers: "variable", "variable_1", ...
    case["slots"] = [[re.sub(r"^variable_\d+$", "variable", v.path), flat(v.numpy())] for v in model.optimizer.variables]
    if evaluate:
        logs = model.evaluate(x, y, sample_weight=w, batch_size=5, verbose=0, return_dict=True)
        case["evaluated"] = {k: flat(v) if np.ndim(v) else short(v) for k, v in sorted(logs.items())}
    return case


FEW = 6
FALSE = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")  # unless said


def some(row):
    """Of a long array a value in each of FEW stretches, each at another place in its own, and how many there are."""
    path, values = row
    stretch = len(values) // FEW
    return row if len(values) <= FEW else [path, [float(f"{values[i * stretch + i % stretch]:.6g}") for i in range(FEW)], len(values)]


def lean(config):
    """Without what says nothing here: weights are set, and what is left out is the default."""
    if isinstance(config, list):
        return [lean(v) for v in config]
    if not isinstance(config, dict):
        return config
    return {k: lean(v) for k, v in config.items()
            if v is not None and not k.endswith("_initializer") and not (k in FALSE and v is False) and
            k not in ("registered_name", "build_config", "compile_config") and not (k == "dtype" and isinstance(v, dict))}


def shorten(cases):
    """For many models whose numbers all hang together: a case keeps its losses and a sample of each array."""
    return [case | {"model": lean(case["model"]), "compile_config": lean(case["compile_config"]), **{k: [some(row) for row in case[k]] for k in ("weights", "slots")}} for case in cases]


def far_apart(a, b):
    """Whether two outcomes' weights or slots differ by more than a comparison of them could allow for."""
    pairs = zip([v for _, v in a["weights"] + a["slots"]], [v for _, v in b["weights"] + b["slots"]], strict=True)
    return not all(np.allclose(v, w, rtol=1e-4, atol=2e-6) for v, w in pairs)


def moves_by_itself(model, data, first, start, steps, fit_args):
    """Whether Keras differs from itself when the weights it starts from change in their last bit: a gradient
    that is zero but for rounding (a bias before a normalization) is a whole step to Lion or Adafactor."""
    for seed in range(3):
        for i, (v, values) in enumerate(start):
            up = np.where(numbers(values.size, 900 + 50 * seed + i).reshape(values.shape) < 0, -np.inf, np.inf)
            v.assign(np.nextafter(values, up.astype(values.dtype)) if i < len(model.variables) and values.dtype == "float32" else values)
        if far_apart(first, outcome(model, data, steps, False, fit_args)):
            return True
    return False


def train(name, model, data, steps=20, evaluate=False, fit_args=None, steady=False, **compiled):
    """A training's case; with `steady`, None when its outcome is not one that another machine would find."""
    set_weights(model)
    model.compile(**compiled)
    model.optimizer.build(model.trainable_variables)
    start = [(v, v.numpy()) for v in model.variables + model.optimizer.variables]
    case = {
        "name": name,
        "model": json.loads(model.to_json()),
        "compile_config": model.get_compile_config(),
        "backend": keras.backend.backend(),
        "data": data,
    }
    loss = compiled.get("loss")
    if isinstance(loss, keras.losses.Huber):  # Keras 3.15 forgets it
        case["compile_config"]["loss"]["config"]["delta"] = loss._fn_kwargs["delta"]
    case |= outcome(model, data, steps, evaluate, fit_args)
    return None if steady and moves_by_itself(model, data, case, start, steps, fit_args) else case


def mlp(classes=3, activation="softmax"):
    return keras.Sequential([keras.Input((4,)), L.Dense(5, activation="tanh", name="h"),
                             L.Dense(classes, activation=activation, name="o")], name="m")


X = {"shape": [12, 4], "seed": 1, "kind": "real"}
CLASSES = {"shape": [12], "seed": 2, "kind": "class", "classes": 3}
ROWS = {"shape": [12, 3], "seed": 2, "kind": "one_hot"}
REALS = {"shape": [12, 3], "seed": 2, "kind": "real"}


def first():
    return [train("mlp", mlp(), {"x": [X], "y": [CLASSES]}, optimizer=O.SGD(0.1),
                  loss="sparse_categorical_crossentropy", metrics=["accuracy"])]


def optimizers():
    kinds = [(f"{type(o).__name__} {i}", o) for i, o in enumerate(optimizer_kinds())]
    kinds += [
        ("weight_decay", O.SGD(0.1, weight_decay=0.05)),
        ("weight_decay rmsprop", O.RMSprop(0.01, weight_decay=0.05)),
        ("clipnorm", O.SGD(0.5, clipnorm=0.05)),
        ("global_clipnorm", O.Adam(0.05, global_clipnorm=0.05)),
        ("clipvalue", O.SGD(0.5, clipvalue=0.01)),
        ("ema", O.SGD(0.2, use_ema=True, ema_momentum=0.7)),
        ("ema overwrite", O.Adam(0.05, use_ema=True, ema_momentum=0.6, ema_overwrite_frequency=3)),
        ("accumulation", O.Adam(0.05, gradient_accumulation_steps=3, clipnorm=0.1, weight_decay=0.01)),
        ("accumulation ema schedule", O.SGD(S.ExponentialDecay(0.2, 3, 0.5), gradient_accumulation_steps=2,
                                            use_ema=True, ema_momentum=0.5)),
        ("loss_scale_factor", O.SGD(0.1, loss_scale_factor=64.0)),
        ("piecewise", O.SGD(S.PiecewiseConstantDecay([2, 5], [0.2, 0.1, 0.02]), momentum=0.5)),
        ("cosine restarts", O.Lion(S.CosineDecayRestarts(0.01, 4))),
        ("adafactor schedule", O.Adafactor(S.InverseTimeDecay(0.05, 2, 0.5))),
    ]
    data = {"x": [X], "y": [CLASSES]}
    return [train(name, mlp(), data, steps=10, optimizer=o, loss="sparse_categorical_crossentropy")
            for name, o in kinds]


def rows():
    """An embedding's gradient, which TensorFlow keeps as rows that may occur twice, clipped and followed."""
    words = {"x": [{"shape": [6, 5], "seed": 3, "kind": "class", "classes": 7}], "y": [dict(CLASSES, shape=[6])]}

    def model():
        e, x = L.Embedding(7, 3, name="e"), keras.Input((5,))
        y = L.Concatenate()([L.Flatten()(e(x)), L.GlobalMaxPooling1D()(e(x)), L.GlobalAveragePooling1D()(e(x))])
        return keras.Model(x, L.Dense(3, activation="softmax", name="o")(y), name="m")

    kinds = [
        ("squares", O.Adam(0.02)), ("norm", O.Adam(0.02, clipnorm=0.05)), ("norm of all", O.RMSprop(0.01, global_clipnorm=0.05)),
        ("values", O.Adagrad(0.05, clipvalue=0.002)), ("absolute values", O.Adamax(0.02)), ("squares of steps", O.Adadelta(0.5)),
        ("size of the step", O.Adafactor(0.02, clip_threshold=0.3)), ("unscaled", O.LossScaleOptimizer(O.Adam(0.02, clipnorm=0.05))),
        ("accumulated", O.Adam(0.02, gradient_accumulation_steps=2, clipnorm=0.05)),
    ]
    return [train(f"rows, {name}", model(), words, steps=5, optimizer=o, loss="sparse_categorical_crossentropy") for name, o in kinds]


def losses():
    K = keras.losses
    binary = {"shape": [12, 3], "seed": 3, "kind": "class", "classes": 2}
    positive = {"shape": [12, 3], "seed": 4, "kind": "positive"}
    kinds = [
        ("BinaryCrossentropy", K.BinaryCrossentropy(), "sigmoid", binary),
        ("BinaryCrossentropy logits", K.BinaryCrossentropy(from_logits=True), None, binary),
        ("BinaryCrossentropy smooth", K.BinaryCrossentropy(label_smoothing=0.1), "sigmoid", binary),
        ("BinaryCrossentropy hard_sigmoid", K.BinaryCrossentropy(), "hard_sigmoid", binary),
        ("BinaryFocalCrossentropy", K.BinaryFocalCrossentropy(), "sigmoid", binary),
        ("BinaryFocalCrossentropy balanced", K.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.4, gamma=1.5), "sigmoid", binary),
        ("BinaryFocalCrossentropy logits", K.BinaryFocalCrossentropy(from_logits=True, label_smoothing=0.2), None, binary),
        ("CategoricalCrossentropy", K.CategoricalCrossentropy(), "softmax", ROWS),
        ("CategoricalCrossentropy logits", K.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1), None, ROWS),
        ("CategoricalCrossentropy unnormalised", K.CategoricalCrossentropy(), "sigmoid", ROWS),
        ("CategoricalFocalCrossentropy", K.CategoricalFocalCrossentropy(), "softmax", ROWS),
        ("CategoricalFocalCrossentropy logits", K.CategoricalFocalCrossentropy(alpha=0.5, gamma=1.5, from_logits=True), None, ROWS),
        ("CategoricalGeneralizedCrossEntropy", K.CategoricalGeneralizedCrossEntropy(), "softmax", CLASSES),
        ("SparseCategoricalCrossentropy logits", K.SparseCategoricalCrossentropy(from_logits=True), None, CLASSES),
        ("SparseCategoricalCrossentropy sigmoid", K.SparseCategoricalCrossentropy(), "sigmoid", CLASSES),
        ("SparseCategoricalCrossentropy ignore", K.SparseCategoricalCrossentropy(ignore_class=1), "softmax", CLASSES),
        ("SparseCategoricalCrossentropy column", K.SparseCategoricalCrossentropy(), "softmax", {"shape": [12, 1], "seed": 2, "kind": "class", "classes": 3}),
        ("CategoricalHinge", K.CategoricalHinge(), "tanh", ROWS),
        ("Hinge bits", K.Hinge(), "tanh", binary),
        ("Hinge signs", K.Hinge(), "tanh", {"shape": [12, 3], "seed": 3, "kind": "sign"}),
        ("SquaredHinge", K.SquaredHinge(), "tanh", binary),
        ("CosineSimilarity", K.CosineSimilarity(), None, REALS),
        ("KLDivergence", K.KLDivergence(), "softmax", positive),
        ("Poisson", K.Poisson(), "softplus", positive),
        ("MeanSquaredError", K.MeanSquaredError(), None, REALS),
        ("MeanSquaredError sum", K.MeanSquaredError(reduction="sum"), None, REALS),
        ("MeanSquaredError weights mean", K.MeanSquaredError(reduction="mean_with_sample_weight"), None, REALS),
        ("MeanAbsoluteError", K.MeanAbsoluteError(), None, REALS),
        ("MeanAbsolutePercentageError", K.MeanAbsolutePercentageError(), None, positive),
        ("MeanSquaredLogarithmicError", K.MeanSquaredLogarithmicError(), "softplus", positive),
        ("Huber", K.Huber(delta=0.4), None, REALS),
        ("LogCosh", K.LogCosh(), None, REALS),
        ("Dice", K.Dice(), "sigmoid", binary),
        ("Dice axis", K.Dice(axis=[1]), "sigmoid", binary),
        ("Tversky", K.Tversky(alpha=0.3, beta=0.8), "sigmoid", binary),
        ("Circle", K.Circle(gamma=8, margin=0.3), None, CLASSES),
        ("crossentropy string", "crossentropy", "softmax", CLASSES),
        ("mse string", "mse", None, REALS),
    ]
    rows = []
    for name, loss, activation, y in kinds:
        data = {"x": [X], "y": [y]}
        rate = 0.001 if isinstance(loss, K.MeanAbsolutePercentageError) else 0.1  # a hundred times the gradient: it would run away
        rows.append(train(name, mlp(3, activation), data, steps=5, optimizer=O.SGD(rate), loss=loss))
        if name in ("MeanSquaredError", "MeanSquaredError weights mean", "CategoricalCrossentropy", "SparseCategoricalCrossentropy ignore", "Hinge bits"):
            weighted = dict(data, weights=[{"shape": [12], "seed": 9, "kind": "positive"}])
            rows.append(train(name + " weighted", mlp(3, activation), weighted, steps=5, optimizer=O.SGD(0.1), loss=loss))
    ctc = keras.Sequential([keras.Input((6, 4)), L.Dense(5, name="o")], name="m")
    rows.append(train("CTC", ctc, {"x": [{"shape": [4, 6, 4], "seed": 1, "kind": "real"}],
                                   "y": [{"shape": [4, 2], "seed": 5, "kind": "class", "classes": 5}]},
                      steps=5, optimizer=O.SGD(0.1), loss=keras.losses.CTC()))
    return rows


def metrics():
    M = keras.metrics
    binary = {"shape": [12, 3], "seed": 3, "kind": "class", "classes": 2}
    one = {"shape": [12, 1], "seed": 3, "kind": "class", "classes": 2}
    weights = [{"shape": [12], "seed": 9, "kind": "positive"}]
    confusion = lambda: [
        M.TruePositives(), M.TrueNegatives(), M.FalsePositives(thresholds=[0.3, 0.6]), M.FalseNegatives(),
        M.Precision(), M.Recall(), M.Precision(thresholds=[0.2, 0.5], name="pt"), M.Recall(class_id=1, name="rc"),
        M.Precision(top_k=2, name="pk"), M.AUC(), M.AUC(curve="PR", name="pr"),
        M.AUC(num_thresholds=20, summation_method="minoring", name="mi"),
        M.AUC(num_thresholds=20, summation_method="majoring", curve="PR", name="ma"),
        M.AUC(curve="PRGAIN", name="gain"), M.AUC(thresholds=[0.3, 0.5, 0.55], name="th"),
        M.AUC(multi_label=True, name="ml"), M.AUC(multi_label=True, label_weights=[0.2, 0.3, 0.5], name="mlw"),
        M.AUC(multi_label=True, curve="PR", num_thresholds=30, name="mlpr"),
        M.SensitivityAtSpecificity(0.5), M.SpecificityAtSensitivity(0.5), M.PrecisionAtRecall(0.4),
        M.RecallAtPrecision(0.5), M.RecallAtPrecision(0.4, num_thresholds=1, name="r1"),
        M.BinaryAccuracy(), M.BinaryAccuracy(threshold=0.55, name="ba"), M.BinaryCrossentropy(label_smoothing=0.1),
        M.F1Score(), M.F1Score(average="micro", threshold=0.5, name="fm"), M.FBetaScore(average="macro", beta=2.0),
        M.FBetaScore(average="weighted", beta=0.5, threshold=0.4, name="fw"), M.Hinge(), M.SquaredHinge(),
        M.BinaryIoU(), M.BinaryIoU(target_class_ids=[1], threshold=0.6, name="b1"), "accuracy", "bce",
    ]
    rows = [
        train("metrics of probabilities", mlp(3, "sigmoid"), {"x": [X], "y": [binary]}, steps=3, evaluate=True,
              optimizer=O.SGD(0.1), loss="binary_crossentropy", metrics=confusion()),
        train("weighted metrics of probabilities", mlp(3, "sigmoid"), {"x": [X], "y": [binary], "weights": weights},
              steps=3, evaluate=True, optimizer=O.SGD(0.1), loss="binary_crossentropy", metrics=["accuracy"],
              weighted_metrics=[m for m in confusion() if not isinstance(m, M.BinaryIoU)]),
        train("metrics of one probability", mlp(1, "sigmoid"), {"x": [X], "y": [one]}, steps=3, evaluate=True,
              optimizer=O.SGD(0.1), loss="binary_crossentropy",
              metrics=["accuracy", "AUC", "acc", M.Precision(name="p"), "binary_crossentropy"]),
        train("metrics of classes", mlp(), {"x": [X], "y": [CLASSES]}, steps=3, evaluate=True, optimizer=O.SGD(0.1),
              loss="sparse_categorical_crossentropy",
              metrics=["accuracy", "acc", M.SparseTopKCategoricalAccuracy(k=2), M.SparseCategoricalCrossentropy(),
                       "sparse_categorical_accuracy", "accuracy", M.MeanIoU(3, sparse_y_pred=False), M.IoU(3, [0, 2], sparse_y_pred=False)],
              weighted_metrics=["accuracy", "sparse_categorical_crossentropy"]),
        train("metrics of rows", mlp(), {"x": [X], "y": [ROWS], "weights": weights}, steps=3, evaluate=True,
              optimizer=O.SGD(0.1), loss="categorical_crossentropy",
              metrics=["accuracy", M.TopKCategoricalAccuracy(k=2), M.CategoricalCrossentropy(label_smoothing=0.1),
                       M.CategoricalHinge(), M.KLDivergence(), M.OneHotIoU(3, [0, 1]), M.OneHotMeanIoU(3), M.CosineSimilarity()],
              weighted_metrics=["accuracy", M.CategoricalCrossentropy(), M.F1Score()]),
        train("metrics of numbers", mlp(3, None), {"x": [X], "y": [REALS], "weights": weights}, steps=3, evaluate=True,
              optimizer=O.SGD(0.1), loss="mse",
              metrics=["mse", "MAE", "mean_absolute_percentage_error", M.MeanSquaredLogarithmicError(),
                       M.RootMeanSquaredError(), M.LogCoshError(), M.CosineSimilarity(), M.R2Score(),
                       M.R2Score(class_aggregation="variance_weighted_average", name="rv"),
                       M.R2Score(class_aggregation=None, name="rn"), M.Poisson(),
                       M.PearsonCorrelation(), M.ConcordanceCorrelation(), M.MeanSquaredError(name="m2")],
              weighted_metrics=["mse", M.RootMeanSquaredError(), M.R2Score(), M.MeanAbsoluteError()]),
    ]
    return rows


def models():
    R, C = keras.regularizers, keras.constraints
    image = {"shape": [6, 8, 8, 2], "seed": 1, "kind": "real"}
    classes = {"shape": [6], "seed": 2, "kind": "class", "classes": 3}
    words = {"shape": [6, 5], "seed": 3, "kind": "class", "classes": 7}
    scc = "sparse_categorical_crossentropy"

    def images(*layers):
        return keras.Sequential([keras.Input((8, 8, 2)), *layers, L.Flatten(), L.Dense(3, activation="softmax", name="o")], name="m")

    def case(name, model, x=image, y=classes, **k):
        k.setdefault("optimizer", O.SGD(0.02, momentum=0.9))
        k.setdefault("loss", scc)
        return train(name, model, {"x": x if isinstance(x, list) else [x], "y": y if isinstance(y, list) else [y]}, **k)

    rows = [
        case("cnn", images(L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D(), L.Conv2D(3, 2, padding="same"))),
        case("conv strides dilation groups", images(L.Conv2D(4, 3, strides=2, padding="same", use_bias=False),
                                                    L.Conv2D(4, 2, dilation_rate=2, groups=2, activation="tanh"))),
        case("depthwise separable", images(L.DepthwiseConv2D(3, depth_multiplier=2), L.SeparableConv2D(3, 3, activation="relu"))),
        case("transposed", images(L.Conv2DTranspose(3, 3, strides=2, activation="tanh"), L.AveragePooling2D(2))),
        case("batch norm", images(L.Conv2D(4, 3), L.BatchNormalization(momentum=0.8), L.ReLU()), evaluate=True),
        case("batch norm dense", keras.Sequential([keras.Input((4,)), L.Dense(5), L.BatchNormalization(center=False), L.Dense(3, activation="softmax")], name="m"), X, CLASSES, evaluate=True),
        case("layer norm", images(L.Conv2D(4, 3), L.LayerNormalization(), L.Activation("gelu"))),
        case("group norm", images(L.Conv2D(4, 3), L.GroupNormalization(2), L.Activation("swish"))),
        case("global pooling", keras.Sequential([keras.Input((8, 8, 2)), L.Conv2D(4, 3, activation="elu"), L.GlobalAveragePooling2D(), L.Dense(3, activation="softmax")], name="m")),
        case("global max", keras.Sequential([keras.Input((8, 8, 2)), L.Conv2D(4, 3, activation="selu"), L.GlobalMaxPooling2D(), L.Dense(3, activation="softmax")], name="m")),
    ]
    frozen = L.BatchNormalization(trainable=False)
    rows.append(case("frozen batch norm", images(L.Conv2D(4, 3), frozen, L.ReLU()), evaluate=True))
    rows.append(case("conv1d", keras.Sequential([keras.Input((9, 3)), L.Conv1D(4, 3, padding="causal", activation="relu"), L.MaxPooling1D(2), L.Flatten(), L.Dense(3, activation="softmax")], name="m"),
                     {"shape": [6, 9, 3], "seed": 1, "kind": "real"}))
    rows.append(case("conv3d", keras.Sequential([keras.Input((4, 4, 4, 2)), L.Conv3D(3, 2, activation="relu"), L.MaxPooling3D(2), L.Flatten(), L.Dense(3, activation="softmax")], name="m"),
                     {"shape": [6, 4, 4, 4, 2], "seed": 1, "kind": "real"}))
    rows.append(case("embedding", keras.Sequential([keras.Input((5,)), L.Embedding(7, 4, name="e"), L.GlobalAveragePooling1D(), L.Dense(3, activation="softmax")], name="m"), words, optimizer=O.Adam(0.02)))
    rows.append(case("masked embedding", keras.Sequential([keras.Input((5,)), L.Embedding(7, 4, mask_zero=True), L.Dense(3, activation="softmax")], name="m"), words,
                     {"shape": [6, 5], "seed": 4, "kind": "class", "classes": 3}, metrics=["accuracy"], weighted_metrics=["accuracy"], evaluate=True))
    rows.append(case("masked mean", keras.Sequential([keras.Input((5,)), L.Embedding(7, 4, mask_zero=True), L.GlobalAveragePooling1D(), L.Dense(3, activation="softmax")], name="m"), words))
    rows.append(case("regularizers", keras.Sequential([keras.Input((4,)), L.Dense(5, activation="relu", kernel_regularizer="l2", bias_regularizer=R.L1(0.02)),
                                                       L.Dense(4, kernel_regularizer=R.L1L2(0.01, 0.02)), L.Dense(4, kernel_regularizer=R.OrthogonalRegularizer(0.05, mode="columns")),
                                                       L.Dense(3, activation="softmax", kernel_regularizer=R.OrthogonalRegularizer(0.03))], name="m"), X, CLASSES, evaluate=True))
    rows.append(case("activity regularizers", keras.Sequential([keras.Input((4,)), L.Dense(5, activation="relu", activity_regularizer=R.L2(0.05)),
                                                                L.ActivityRegularization(l1=0.02), L.Dense(3, activation="softmax")], name="m"), X, CLASSES, evaluate=True))
    rows.append(case("constraints", keras.Sequential([keras.Input((4,)), L.Dense(5, activation="tanh", kernel_constraint=C.MaxNorm(0.5), bias_constraint=C.NonNeg()),
                                                      L.Dense(4, kernel_constraint=C.MinMaxNorm(0.2, 0.4, rate=0.7)), L.Dense(3, activation="softmax", kernel_constraint=C.UnitNorm(axis=1))], name="m"),
                     X, CLASSES, optimizer=O.SGD(0.2)))
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    x, y = L.Dense(4, activation="relu")(a), L.Dense(4, activation="tanh")(b)
    merged = L.Concatenate()([L.Add()([x, y]), L.Multiply()([x, y]), L.Maximum()([x, y]), L.Subtract()([x, y]), L.Average()([x, y])])
    kind = L.Dense(3, activation="softmax", name="kind")(merged)
    box = L.Dense(2, name="box")(merged)
    two = {"x": [X, {"shape": [12, 3], "seed": 6, "kind": "real"}], "y": [CLASSES, {"shape": [12, 2], "seed": 7, "kind": "real"}]}
    build = lambda: keras.models.clone_model(keras.Model([a, b], [kind, box], name="two"))
    rows.append(train("merges and two outputs", build(), two, optimizer=O.Adam(0.02), evaluate=True,
                      loss={"kind": scc, "box": "mse"}, loss_weights={"kind": 1.0, "box": 0.3}, metrics={"kind": ["accuracy"], "box": ["mae", "mse"]}))
    rows.append(train("two outputs by list", build(), dict(two, weights=[{"shape": [12], "seed": 9, "kind": "positive"}, {"shape": [12], "seed": 10, "kind": "positive"}]),
                      optimizer=O.SGD(0.05), evaluate=True, loss=[scc, keras.losses.Huber()], loss_weights=[0.5, 2.0], weighted_metrics=[["accuracy"], ["mae"]]))
    shared = L.Dense(4, activation="tanh", name="shared")
    i = keras.Input((4,))
    rows.append(case("shared layer", keras.Model(i, L.Dense(3, activation="softmax")(shared(shared(i))), name="m"), X, CLASSES))
    inner = keras.Sequential([keras.Input((4,)), L.Dense(4, activation="relu"), L.BatchNormalization()], name="inner")
    rows.append(case("nested", keras.Sequential([keras.Input((4,)), inner, L.Dense(3, activation="softmax")], name="m"), X, CLASSES, evaluate=True))
    frozen = keras.Sequential([keras.Input((4,)), L.Dense(4, activation="relu"), L.BatchNormalization()], name="inner")
    frozen.trainable = False
    rows.append(case("frozen nested", keras.Sequential([keras.Input((4,)), frozen, L.Dense(3, activation="softmax")], name="m"), X, CLASSES, evaluate=True))
    rows.append(case("prelu", keras.Sequential([keras.Input((4,)), L.Dense(5), L.PReLU(), L.Dense(4), L.LeakyReLU(0.1), L.Dense(3), L.Softmax()], name="m"), X, CLASSES))
    rows.append(case("reshapes", images(L.ZeroPadding2D(1), L.Cropping2D(1), L.UpSampling2D(2), L.Conv2D(2, 3), L.Permute((2, 1, 3)))))
    return rows


def fits():
    """fit() itself: names and order of what it reports, partial batches, validation, weights."""
    M = keras.metrics
    validation = {"validation_x": [dict(X, shape=[7, 4], seed=21)], "validation_y": [dict(CLASSES, shape=[7], seed=22)]}
    data = {"x": [X], "y": [CLASSES]}
    both = dict(data, **validation)
    row_weights = {"shape": [12], "seed": 9, "kind": "positive"}
    scc = "sparse_categorical_crossentropy"
    words = {"x": [{"shape": [12, 5], "seed": 3, "kind": "class", "classes": 7}],
             "y": [{"shape": [12, 5], "seed": 4, "kind": "class", "classes": 3}]}

    def case(name, data=data, model=None, **k):
        args = {"batch_size": 5, "epochs": 3}
        args.update((key, k.pop(key)) for key in [
            "batch_size", "epochs", "initial_epoch", "validation_split", "validation_freq", "validation_batch_size",
            "validation_steps", "steps_per_epoch", "class_weight", "swap_on_epoch"] if key in k)
        k.setdefault("loss", scc)
        k.setdefault("metrics", ["accuracy"])
        k.setdefault("optimizer", O.Adam(0.02))
        return train(name, model or mlp(), data, fit_args=args, **k)

    def tagger():
        return keras.Sequential([keras.Input((5,)), L.Embedding(7, 4, mask_zero=True), L.Dense(3, activation="softmax")], name="m")

    def two():
        a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
        x = L.Concatenate()([L.Dense(4, activation="tanh")(a), b])
        return keras.Model([a, b], [L.Dense(3, activation="softmax", name="kind")(x), L.Dense(2, name="box")(x)], name="two")

    pair = {"x": [X, {"shape": [12, 3], "seed": 6, "kind": "real"}],
            "y": [CLASSES, {"shape": [12, 2], "seed": 7, "kind": "real"}],
            "validation_x": [dict(X, shape=[7, 4], seed=21), {"shape": [7, 3], "seed": 23, "kind": "real"}],
            "validation_y": [dict(CLASSES, shape=[7], seed=22), {"shape": [7, 2], "seed": 24, "kind": "real"}]}
    return [
        case("fit"),
        case("fit, batch norm", model=keras.Sequential([keras.Input((4,)), L.Dense(5, use_bias=False), L.BatchNormalization(), L.ReLU(),
                                                        L.Dense(3, activation="softmax")], name="m"), validation_split=0.25),
        case("fit, validation_split", validation_split=0.3),
        case("fit, validation_data", both, validation_batch_size=3),
        case("fit, validation weights", dict(both, validation_weights=[{"shape": [7], "seed": 25, "kind": "positive"}]),
             weighted_metrics=["accuracy", M.SparseCategoricalCrossentropy()]),
        case("fit, validation_freq", both, validation_freq=2, epochs=5),
        case("fit, validation_steps", both, validation_steps=2, validation_batch_size=2),
        case("fit, steps_per_epoch", steps_per_epoch=2, epochs=4),
        case("fit, initial_epoch", initial_epoch=1, epochs=3, optimizer=O.SGD(S.ExponentialDecay(0.2, 2, 0.5))),
        case("fit, class_weight", class_weight=[2.0, 0.5, 1.0], weighted_metrics=["accuracy"]),
        case("fit, class_weight of rows", dict(data, y=[ROWS]), loss="categorical_crossentropy", class_weight=[2.0, 0.5, 1.0]),
        case("fit, class_weight of a column", dict(data, y=[dict(CLASSES, shape=[12, 1])]), class_weight=[2.0, 0.5, 1.0]),
        case("fit, sample_weight", dict(data, weights=[row_weights]), weighted_metrics=["accuracy"]),
        case("fit, sample_weight and split", dict(data, weights=[row_weights]), validation_split=0.3, weighted_metrics=["accuracy"]),
        case("fit, mean of weights", dict(data, y=[REALS], weights=[row_weights]), mlp(3, None), metrics=["mae"],
             loss=keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")),
        case("fit, sum", dict(data, y=[REALS]), mlp(3, None), metrics=[], loss=keras.losses.MeanSquaredError(reduction="sum")),
        case("fit, weights of steps", dict(words, weights=[{"shape": [12, 5], "seed": 9, "kind": "positive"}]), tagger(),
             weighted_metrics=["accuracy"]),
        case("fit, masks", words, tagger(), weighted_metrics=["accuracy", M.SparseCategoricalCrossentropy(name="ce")], validation_split=0.3),
        case("fit, integers", {"x": [dict(X, kind="class", classes=9, dtype="int32")], "y": [dict(CLASSES, dtype="int64")]}),
        case("fit, bytes", {"x": [dict(X, kind="class", classes=9, dtype="uint8")], "y": [dict(CLASSES, dtype="uint8")]}),
        case("fit, bits", dict(data, y=[{"shape": [12, 1], "seed": 3, "kind": "class", "classes": 2, "dtype": "bool"}]), mlp(1, "sigmoid"),
             loss="binary_crossentropy", metrics=["accuracy", "AUC", M.Precision(name="p"), M.F1Score(threshold=0.5)]),
        case("fit, metrics of many kinds", both, metrics=["accuracy", M.SparseTopKCategoricalAccuracy(2), M.MeanIoU(3, sparse_y_pred=False)]),
        case("fit, accumulation", optimizer=O.SGD(0.2, gradient_accumulation_steps=2), validation_split=0.25),
        case("fit, ema", optimizer=O.Adam(0.05, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=4), validation_split=0.25),
        *[case(f"fit, averages swapped {name}", both, optimizer=O.Adam(0.05, use_ema=True, ema_momentum=0.7), **args)
          for name, args in {"to validate": {"swap_on_epoch": False}, "at each epoch's end": {"swap_on_epoch": True},
                             "with every second": {"swap_on_epoch": True, "validation_freq": 2, "epochs": 4}}.items()],
        case("fit, loss scale", optimizer=O.LossScaleOptimizer(O.Adam(0.05), dynamic_growth_steps=4), validation_split=0.25),
        case("fit, two outputs", pair, two(), loss=[scc, "mse"], loss_weights=[1.0, 0.3], metrics=[["accuracy"], ["mae"]]),
        case("fit, two outputs by name", pair, two(), loss={"kind": scc, "box": "mae"}, metrics={"box": ["mse", "mae"]},
             weighted_metrics={"kind": ["accuracy"]}, validation_freq=2, epochs=4),
        case("fit, one loss of two", pair, two(), loss=[None, "mse"], metrics=[["accuracy"], []]),
        case("fit, penalties", model=keras.Sequential([keras.Input((4,)), L.Dense(5, activation="tanh", kernel_regularizer="l2", activity_regularizer="l1"),
                                                       L.Dense(3, activation="softmax")], name="m"), validation_split=0.25),
    ]


def jax():
    """Where JAX's ways differ from TensorFlow's, and a few where they do not."""
    data = {"x": [X], "y": [CLASSES]}
    scc = "sparse_categorical_crossentropy"
    far = dict(data, x=[dict(X, scale=400)])  # probabilities beyond the clip
    binary = {"x": [X], "y": [{"shape": [12, 3], "seed": 3, "kind": "class", "classes": 2}]}
    words = {"x": [{"shape": [6, 5], "seed": 3, "kind": "class", "classes": 7}], "y": [dict(CLASSES, shape=[6])]}
    embedding = keras.Sequential([keras.Input((5,)), L.Embedding(7, 4, name="e"), L.GlobalAveragePooling1D(),
                                  L.Dense(3, activation="softmax")], name="m")
    linear = keras.Sequential([keras.Input((4,)), L.Dense(3, activation="softmax", name="o")], name="m")
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    x = L.Concatenate()([a, b])
    two = keras.Model([a, b], [L.Dense(3, activation="softmax", name="kind")(x), L.Dense(2, name="box")(x)], name="two")
    cnn = keras.Sequential([keras.Input((8, 8, 2)), L.Conv2D(4, 3), L.BatchNormalization(), L.ReLU(), L.MaxPooling2D(),
                            L.Flatten(), L.Dense(3, activation="softmax", name="o")], name="m")
    return [
        train("jax clipped", linear, far, steps=5, optimizer=O.SGD(0.1), loss=scc),
        train("jax sigmoid", mlp(3, "sigmoid"), binary, steps=5, optimizer=O.SGD(0.1), loss="binary_crossentropy"),
        train("jax unnormalised", mlp(3, "sigmoid"), data, steps=5, optimizer=O.SGD(0.1), loss=scc),
        train("jax embedding", embedding, words, optimizer=O.Adam(0.02), loss=scc),
        train("jax schedule free", mlp(), data, optimizer=O.ScheduleFreeAdamW(0.01), loss=scc),
        train("jax accumulation", mlp(), data, steps=7, optimizer=O.Adam(0.05, gradient_accumulation_steps=3), loss=scc),
        train("jax ema", mlp(), data, steps=7, optimizer=O.SGD(0.2, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=3), loss=scc),
        train("jax two outputs", two, {"x": [X, {"shape": [12, 3], "seed": 6, "kind": "real"}],
                                       "y": [CLASSES, {"shape": [12, 2], "seed": 7, "kind": "real"}]}, evaluate=True,
              optimizer=O.Adam(0.02), loss=[scc, "mean_squared_error"], metrics=[["accuracy"], ["mae"]]),
        train("jax cnn", cnn, {"x": [{"shape": [6, 8, 8, 2], "seed": 1, "kind": "real"}], "y": [dict(CLASSES, shape=[6])]},
              optimizer=O.SGD(0.02, momentum=0.9), loss=scc, evaluate=True),
    ]


SEQUENCE = {"shape": [6, 5, 3], "seed": 1, "kind": "real"}
KINDS = {"shape": [6], "seed": 2, "kind": "class", "classes": 3}


def recurrent_case(name, layers, x=SEQUENCE, y=KINDS, shape=(5, 3), **k):
    k.setdefault("optimizer", O.SGD(0.05, momentum=0.9))
    model = keras.Sequential([keras.Input(shape), *layers, L.Dense(3, activation="softmax", name="o")], name="m")
    return train(name, model, {"x": [x], "y": [y]}, loss="sparse_categorical_crossentropy", **k)


def recurrent():
    """Recurrent layers: the way back through time, over masks, states, stacks and both directions."""
    R, C, case = keras.regularizers, keras.constraints, recurrent_case
    words = {"shape": [6, 5], "seed": 3, "kind": "class", "classes": 7}
    tags = {"shape": [6, 5], "seed": 4, "kind": "class", "classes": 3}
    embed = lambda: L.Embedding(7, 4, mask_zero=True)
    rows = [
        case("lstm", [L.LSTM(4)], optimizer=O.Adam(0.02)),
        case("lstm sequences", [L.LSTM(4, return_sequences=True), L.LSTM(3)], evaluate=True),
        case("lstm wide", [L.LSTM(37, return_sequences=True), L.LSTM(20, go_backwards=True)]),
        case("lstm plain", [L.LSTM(4, use_bias=False, activation="relu", recurrent_activation="hard_sigmoid")]),
        case("lstm unusual", [L.LSTM(4, activation="softsign", recurrent_activation="softmax")]),
        case("gru", [L.GRU(4)], optimizer=O.Adam(0.02)),
        case("gru wide", [L.GRU(37, return_sequences=True), L.GRU(20, go_backwards=True)]),
        case("gru before", [L.GRU(4, reset_after=False, return_sequences=True), L.GRU(3, reset_after=False, use_bias=False)]),
        case("gru unusual", [L.GRU(4, activation="gelu", return_sequences=True), L.GRU(4, reset_after=False, activation="gelu")]),
        case("simple", [L.SimpleRNN(4, return_sequences=True), L.SimpleRNN(3, activation="relu")]),
        case("cells", [L.RNN([L.LSTMCell(3), L.GRUCell(4), L.SimpleRNNCell(2)], return_sequences=True), L.RNN(L.GRUCell(3))]),
        case("rules", [L.LSTM(4, kernel_regularizer="l2", recurrent_regularizer=R.L1(0.01), bias_regularizer="l2", activity_regularizer=R.L2(0.02), return_sequences=True),
                       L.GRU(3, kernel_constraint=C.MaxNorm(0.5), recurrent_constraint=C.UnitNorm(), bias_constraint=C.NonNeg())], evaluate=True),
        case("frozen", [L.LSTM(4, return_sequences=True, trainable=False), L.Bidirectional(L.GRU(3), trainable=False), L.Dense(4)]),
        case("masked tags", [embed(), L.Bidirectional(L.LSTM(4, return_sequences=True)), L.TimeDistributed(L.Dense(4, activation="tanh"))], words, tags, (5,), metrics=["accuracy"], evaluate=True),
        case("masked", [embed(), L.GRU(4, return_sequences=True), L.SimpleRNN(3)], words, KINDS, (5,)),
        case("masked before", [embed(), L.GRU(4, reset_after=False, return_sequences=True, zero_output_for_mask=True), L.LSTM(3, go_backwards=True)], words, KINDS, (5,)),
        case("masked unusual", [embed(), L.LSTM(4, activation="softsign", return_sequences=True), L.LSTM(3, unroll=True)], words, KINDS, (5,)),
        *[case(f"bidirectional {mode}", [L.Bidirectional(cls(3, return_sequences=True), merge_mode=mode), L.Bidirectional(cls(3))])
          for mode, cls in [("sum", L.LSTM), ("mul", L.GRU), ("ave", L.SimpleRNN)]],
    ]
    x, y = keras.Input((5, 3), name="x"), keras.Input((4, 3), name="y")
    _, h, c = L.LSTM(4, return_state=True)(x)
    out, _, last = L.LSTM(4, return_sequences=True, return_state=True)(y, initial_state=[h, c])
    model = keras.Model([x, y], [L.Dense(3, activation="softmax", name="tags")(out), L.Dense(2, name="box")(last)], name="two")
    data = {"x": [SEQUENCE, {"shape": [6, 4, 3], "seed": 5, "kind": "real"}],
            "y": [{"shape": [6, 4], "seed": 6, "kind": "class", "classes": 3}, {"shape": [6, 2], "seed": 7, "kind": "real"}]}
    rows.append(train("encoder and decoder", model, data, optimizer=O.RMSprop(0.01), loss=["sparse_categorical_crossentropy", "mse"]))
    return shorten(rows)


def stateful():
    """States that go on from step to step, epoch to epoch, training to evaluation."""
    words = {"shape": [6, 5], "seed": 3, "kind": "class", "classes": 7}
    five = {"x": [{"shape": [5, 5, 3], "seed": 1, "kind": "real"}], "y": [{"shape": [5], "seed": 2, "kind": "class", "classes": 3}]}

    def case(name, batch_shape, layers, data, **k):
        model = keras.Sequential([keras.Input(batch_shape=batch_shape), *layers, L.Dense(3, activation="softmax", name="o")], name="m")
        return train(name, model, data, optimizer=O.SGD(0.05, momentum=0.9), loss="sparse_categorical_crossentropy", **k)

    fits = {"batch_size": 2, "epochs": 3}
    data = {"x": [SEQUENCE], "y": [KINDS], "validation_x": [{"shape": [4, 5, 3], "seed": 8, "kind": "real"}], "validation_y": [{"shape": [4], "seed": 9, "kind": "class", "classes": 3}]}
    return shorten([
        case("stateful lstm", (5, 5, 3), [L.LSTM(4, stateful=True)], five, evaluate=True),
        case("stateful both ways", (5, 5, 3), [L.Bidirectional(L.GRU(3, stateful=True, return_sequences=True)), L.SimpleRNN(4, stateful=True)], five, evaluate=True),
        case("stateful fit", (2, 5, 3), [L.RNN([L.LSTMCell(3), L.GRUCell(2)], stateful=True)], data, fit_args=fits),
        case("stateful masked fit", (2, 5), [L.Embedding(7, 4, mask_zero=True), L.LSTM(4, stateful=True)], {"x": [words], "y": [KINDS]}, fit_args=fits),
    ])


def conv_lstm():
    """Convolutions inside the loop: the way back through time, images and both layouts."""
    R, C = keras.regularizers, keras.constraints

    def case(name, shape, layers, **k):
        model = keras.Sequential([keras.Input(shape), *layers, L.Flatten(), L.Dense(3, activation="softmax", name="o")], name="m")
        data = {"x": [{"shape": [4, *shape], "seed": 1, "kind": "real"}], "y": [{"shape": [4], "seed": 2, "kind": "class", "classes": 3}]}
        return train(name, model, data, steps=8, optimizer=O.SGD(0.05, momentum=0.9), loss="sparse_categorical_crossentropy", **k)

    return shorten([
        case("conv_lstm1d", (3, 5, 2), [L.ConvLSTM1D(2, 2, return_sequences=True), L.ConvLSTM1D(2, 3, padding="same")]),
        case("conv_lstm2d", (3, 4, 4, 1), [L.ConvLSTM2D(2, 2, strides=2, kernel_regularizer="l2", recurrent_regularizer=R.L1(0.01), bias_constraint=C.NonNeg())], evaluate=True),
        case("conv_lstm2d both ways", (3, 4, 3, 1), [L.Bidirectional(L.ConvLSTM2D(2, 2, return_sequences=True))]),
        case("conv_lstm3d", (2, 3, 3, 3, 1), [L.ConvLSTM3D(2, 2, unit_forget_bias=False)]),
    ])


def conv_lstm_dropout():
    """Its masks as Keras draws them on JAX."""
    def case(name, layer):
        model = keras.Sequential([keras.Input((3, 4, 4, 1) if layer.data_format == "channels_last" else (3, 1, 4, 4)), layer, L.Flatten(), L.Dense(3, activation="softmax", name="o")], name="m")
        shape = [4, 3, 4, 4, 1] if layer.data_format == "channels_last" else [4, 3, 1, 4, 4]
        data = {"x": [{"shape": shape, "seed": 1, "kind": "real"}], "y": [KINDS | {"shape": [4]}]}
        return train(name, model, data, steps=5, optimizer=O.SGD(0.05, momentum=0.9), loss="sparse_categorical_crossentropy")

    return shorten([
        case("conv_lstm dropout", L.ConvLSTM2D(2, 2, dropout=0.3, seed=5)),
        case("conv_lstm dropout state", L.ConvLSTM2D(2, 2, dropout=0.3, recurrent_dropout=0.4, seed=5)),
        case("conv_lstm dropout channels first", L.ConvLSTM2D(2, 2, dropout=0.3, recurrent_dropout=0.4, seed=6, data_format="channels_first")),
    ])


def recurrent_dropout():
    """The same masks of dropout for all steps, as Keras draws them on JAX."""
    case = recurrent_case
    return [
        case("dropout lstm", [L.LSTM(4, dropout=0.3, seed=5)], steps=6),
        case("dropout lstm state", [L.LSTM(4, dropout=0.3, recurrent_dropout=0.4, seed=5, return_sequences=True), L.LSTM(3, recurrent_dropout=0.2, seed=6)], steps=6),
        case("dropout gru", [L.GRU(4, dropout=0.3, seed=5, return_sequences=True), L.GRU(3, dropout=0.2, recurrent_dropout=0.2, reset_after=False, seed=8), ], steps=6),
        case("dropout gru state", [L.GRU(4, dropout=0.3, recurrent_dropout=0.4, seed=5)], steps=6),
        case("dropout simple", [L.RNN(L.SimpleRNNCell(4, dropout=0.3, recurrent_dropout=0.2, seed=5))], steps=6),
        case("dropout both ways", [L.Bidirectional(L.LSTM(4, dropout=0.3, recurrent_dropout=0.4, seed=5))], steps=6),
    ]


def custom():
    """Losses and metrics of one's own, of both kinds: what tests/custom_scores.h has in C."""
    ops, register = keras.ops, keras.saving.register_keras_serializable("tests")

    @register
    class Quartic(keras.losses.Loss):
        def __init__(self, power=4.0, name="quartic", reduction="sum_over_batch_size"):
            super().__init__(name=name, reduction=reduction)
            self.power = power

        def call(self, y_true, y_pred):
            return ops.mean(ops.abs(y_pred - y_true) ** self.power, axis=-1)

        def get_config(self):
            return {**super().get_config(), "power": self.power}

    @register
    def tilted(y_true, y_pred):
        error = y_true - y_pred
        return ops.mean(ops.maximum(0.7 * error, -0.3 * error), axis=-1)

    @register
    class Largest(keras.metrics.Metric):
        def __init__(self, name=None, dtype=None):
            super().__init__(name=name, dtype=dtype)
            self.largest = self.add_variable((), "zeros", name="largest")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.largest.assign(ops.maximum(self.largest, ops.max(ops.abs(y_true - y_pred))))

        def result(self):
            return self.largest.value

    @register
    def share_within(y_true, y_pred):
        return ops.cast(ops.abs(y_true - y_pred) < 0.5, "float32")

    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    merged = L.Concatenate()([a, b])
    model = keras.Model([a, b], [L.Dense(3, name="far")(merged), L.Dense(2, name="near")(merged)], name="two")
    real = lambda width, seed: {"shape": [12, width], "seed": seed, "kind": "real"}
    data = {"x": [X, real(3, 6)], "y": [real(3, 8), real(2, 7)]}
    weights = [{"shape": [12], "seed": 9, "kind": "positive"}, {"shape": [12], "seed": 10, "kind": "positive"}]
    row = train("custom losses and metrics", model, dict(data, weights=weights), steps=6, evaluate=True,
                optimizer=O.SGD(0.05), loss={"far": Quartic(power=3.0), "near": tilted},
                metrics={"far": [Largest(), share_within], "near": ["mae"]},
                weighted_metrics={"near": [share_within, Largest(name="worst")]})
    model.save(HERE / "custom_scores.keras")
    muon = train("muon leaves layers out", mlp(), {"x": [X], "y": [CLASSES]}, optimizer=O.Muon(0.01, exclude_layers=["x$|o/ker"]),
                 loss="sparse_categorical_crossentropy")
    return [row, muon]


def mixed():
    """A training in half precision: what Keras leaves in files of its weights in float32 and of the loss's scale."""
    before = keras.config.dtype_policy().name
    keras.config.set_dtype_policy("mixed_float16")
    x = keras.Input((4,))
    model = keras.Model(x, L.Dense(3, activation="softmax", dtype="float32", name="o")(L.Dense(3, activation="tanh", name="h")(x)), name="m")
    keras.config.set_dtype_policy(before)
    set_weights(model)
    model.compile(O.Adam(0.02), "sparse_categorical_crossentropy")
    model.fit(array(X), array(CLASSES), batch_size=4, epochs=2, shuffle=False, verbose=0)
    for form in ["keras", "h5"]:
        model.save(HERE / f"mixed_float16.{form}")
    return [{"name": "mixed_float16", "slots": [[v.path, flat(v.numpy())] for v in model.optimizer.variables]}]


def lora():
    """Kernels that stay, with two small matrices that are trained; and the files of one of them."""
    scc = "sparse_categorical_crossentropy"
    words = {"shape": [12, 5], "seed": 3, "kind": "class", "classes": 7}

    def chain(shape, *layers):
        return keras.Sequential([keras.Input(shape), *layers, L.Flatten(), L.Dense(3, activation="softmax", name="o")], name="m")

    def case(name, model, x=X, **k):
        k.setdefault("optimizer", O.Adam(0.02))
        return train("lora, " + name, model, {"x": [x], "y": [dict(CLASSES, shape=x["shape"][:1])]}, steps=6, loss=scc, evaluate=True, **k)

    images = {"shape": [6, 6, 6, 2], "seed": 1, "kind": "real"}
    files = keras.Sequential([keras.Input((4,)), L.Dense(5, activation="tanh", lora_rank=2, name="h"), L.Dense(3, name="o", lora_rank=1, use_bias=False)], name="m")
    rows = [
        case("dense", chain((4,), L.Dense(5, activation="tanh", lora_rank=2, name="h"))),
        case("alpha of dense", chain((4,), L.Dense(5, use_bias=False, lora_rank=2, lora_alpha=8))),
        case("penalties", chain((4,), L.Dense(5, lora_rank=2, kernel_regularizer="l2", bias_constraint="non_neg")), optimizer=O.SGD(0.1, momentum=0.9)),
        case("frozen", chain((4,), L.Dense(5, lora_rank=2, kernel_regularizer="l2", trainable=False), L.Dense(4, lora_rank=1))),
        case("einsum_dense", chain((3, 4), L.EinsumDense("abc,cde->abde", output_shape=(3, 2, 5), bias_axes="e", lora_rank=2, lora_alpha=3.0)),
             dict(X, shape=[12, 3, 4]), optimizer=O.AdamW(0.02)),
        case("conv1d", chain((6, 3), L.Conv1D(4, 3, padding="causal", lora_rank=2, lora_alpha=4)), dict(X, shape=[6, 6, 3])),
        case("conv2d", chain((6, 6, 2), L.Conv2D(4, 3, groups=2, activation="relu", lora_rank=3), L.BatchNormalization()), images),
        case("embedding", chain((5,), L.Embedding(7, 4, lora_rank=2, embeddings_regularizer="l2")), words),
        case("masked embedding", chain((5,), L.Embedding(7, 4, mask_zero=True, lora_rank=2), L.GlobalAveragePooling1D()), words, optimizer=O.RMSprop(0.01)),
        train("lora, files", files, {"x": [X], "y": [CLASSES]}, steps=4, optimizer=O.Adam(0.05), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
    ]
    for form in ["keras", "h5", "weights.h5"]:
        (files.save_weights if "weights" in form else files.save)(HERE / f"lora.{form}")
    return rows


def frozen():
    """What is trained and penalized where layers are frozen, thawed, and lie in frozen models."""
    def chain(name, *layers):
        return keras.Sequential([keras.Input((4,)), *layers], name=name)

    x = keras.Input((4,))
    inner = keras.Model(x, L.Dense(4, kernel_regularizer="l2")(L.LayerNormalization(name="n")(L.Dense(5, activation="tanh", kernel_regularizer="l2")(x))), name="inner")
    inner.trainable = False
    inner.get_layer("n").trainable = True
    thawed = chain("m", inner, L.Dense(3, activation="softmax", name="o"))
    penalized = chain("m", L.Dense(5, activation="tanh", kernel_regularizer="l2", trainable=False), L.Dense(4, kernel_regularizer="l1"),
                      L.Dense(3, activation="softmax", activity_regularizer="l2", trainable=False, name="o"))
    return [train("frozen, " + name, model, {"x": [X], "y": [CLASSES]}, steps=6, optimizer=O.Adam(0.02), loss="sparse_categorical_crossentropy", evaluate=True)
            for name, model in {"but for a layer": thawed, "and penalized": penalized}.items()]


def ctc():
    """Labels of CTC with a class 0 among them, which is spelled as the blank is."""
    data = {"x": [{"shape": [6, 9, 4], "seed": 1, "kind": "real"}], "y": [{"shape": [6, 4], "seed": 5, "kind": "class", "classes": 3}]}
    return [train(f"CTC with zeros, {reduction}", keras.Sequential([keras.Input((9, 4)), L.Dense(3, name="o")], name="m"), data, steps=10,
                  optimizer=O.SGD(0.1), loss=keras.losses.CTC(reduction=reduction)) for reduction in ("sum_over_batch_size", "sum")]


def attention():
    """Attention layers, with masks and without, and classes made of numbers, step by step."""
    query, value = {"shape": [5, 4, 6], "seed": 1, "kind": "real"}, {"shape": [5, 3, 6], "seed": 2, "kind": "real"}
    words, others = [{"shape": [5, n], "seed": s, "kind": "class", "classes": 4, "dtype": "int32"} for n, s in ((4, 3), (3, 4))]
    labels = {"shape": [5], "seed": 5, "kind": "class", "classes": 3}

    def of_two(layer, masked=False, **call):
        shapes = [words, others] if masked else [query, value]
        inputs = [keras.Input(x["shape"][1:], dtype=x.get("dtype", "float32")) for x in shapes]
        q, v = (L.Embedding(4, 6, mask_zero=True)(x) for x in inputs) if masked else inputs
        x = layer(q, v, **call) if isinstance(layer, L.MultiHeadAttention) else layer([q, v], **call)
        x = L.GlobalAveragePooling1D()(x)
        return keras.Model(inputs, L.Dense(3, activation="softmax", name="o")(x), name="m"), {"x": shapes, "y": [labels]}

    def of_numbers(layer, spec, **data):
        i = keras.Input(spec["shape"][1:], dtype=spec.get("dtype", "float32"))
        return keras.Model(i, L.Dense(3, activation="softmax", name="o")(L.Flatten()(layer(i))), name="m"), {"x": [spec], "y": [labels]}

    MHA = L.MultiHeadAttention
    kinds = {
        "MultiHeadAttention": of_two(MHA(2, 3)),
        "MultiHeadAttention masked": of_two(MHA(2, 3, output_shape=5), masked=True),
        "MultiHeadAttention causal": of_two(MHA(3, 2, use_bias=False, kernel_regularizer="l2"), masked=True, use_causal_mask=True),
        "Attention": of_two(L.Attention(use_scale=True)),
        "Attention masked": of_two(L.Attention(use_scale=True, score_mode="concat"), masked=True),
        "Attention causal": of_two(L.Attention(), masked=True, use_causal_mask=True),
        "AdditiveAttention": of_two(L.AdditiveAttention()),
        "AdditiveAttention masked": of_two(L.AdditiveAttention(use_scale=False), masked=True),
        "CategoryEncoding": of_numbers(L.CategoryEncoding(num_tokens=4, output_mode="multi_hot"), words),
        "CategoryEncoding counts": of_numbers(L.CategoryEncoding(num_tokens=4, output_mode="count"), words),
        "Discretization": of_numbers(L.Discretization(bin_boundaries=[-0.4, 0.0, 0.5], output_mode="one_hot"), {"shape": [5, 1], "seed": 6, "kind": "real"}),
        "Discretization int": of_numbers(keras.Sequential([L.Discretization(bin_boundaries=[-0.4, 0.0, 0.5]), L.Embedding(4, 3)]), {"shape": [5, 2], "seed": 6, "kind": "real"}),
    }
    # the gradient of a key's bias is nothing but rounding, which Adam would make steps of
    return [train(name, model, data, optimizer=O.SGD(0.1, momentum=0.9), loss="sparse_categorical_crossentropy", evaluate=True)
            for name, (model, data) in kinds.items()]


def crossed():
    """Metrics that do not bring labels and predictions to one rank: (12,) and (12, 1) meet each with each."""
    M = keras.metrics
    y, row_weights = {"shape": [12], "seed": 7, "kind": "positive"}, {"shape": [12], "seed": 9, "kind": "positive"}
    kinds = lambda: [M.Poisson(), M.Hinge(), M.SquaredHinge(), M.CategoricalHinge(), M.KLDivergence(), "mae"]
    flat_output = keras.Sequential([keras.Input((4,)), L.Dense(1, activation="softplus"), L.Reshape(())], name="m")
    return [
        train("crossed", mlp(1, "softplus"), {"x": [X], "y": [y]}, steps=3, evaluate=True, optimizer=O.Adam(0.02), loss="mse", metrics=kinds()),
        train("crossed, weights", mlp(1, "softplus"), {"x": [X], "y": [y], "weights": [row_weights]}, steps=3, optimizer=O.Adam(0.02), loss="mse",
              weighted_metrics=kinds()),
        train("crossed, a column of labels", flat_output, {"x": [X], "y": [dict(y, shape=[12, 1])]}, steps=3, optimizer=O.Adam(0.02), loss="mse",
              metrics=kinds()),
    ]


def augmentation():
    """Image layers in training: two calls each on the same images, as their seed goes on."""
    layers = [
        *[L.RandomFlip(mode, seed=3) for mode in ("horizontal", "vertical", "horizontal_and_vertical")],
        *[L.RandomRotation(0.2, fill_mode=mode, fill_value=7.0, seed=4) for mode in ("reflect", "wrap", "constant", "nearest")],
        L.RandomRotation((-0.1, 0.4), interpolation="nearest", seed=5),
        L.RandomZoom(0.4, seed=6),
        L.RandomZoom((0.2, 0.5), (-0.5, 0.1), fill_mode="constant", fill_value=2.0, seed=7),
        L.RandomTranslation(0.3, 0.6, seed=8),
        L.RandomTranslation((-0.9, 0.1), 0.4, fill_mode="wrap", interpolation="nearest", seed=9),
        L.RandomShear(0.4, 0.2, seed=10),
        L.RandomContrast(0.6, seed=11),
        L.RandomContrast((0.5, 0.2), value_range=(50, 180), seed=12),
        L.RandomBrightness(0.4, seed=13),
        L.RandomBrightness((-0.8, 0.1), value_range=(0, 200), seed=14),
        L.RandomCrop(3, 4, seed=15),
        L.RandomCrop(4, 2, seed=16),
        L.RandomCrop(8, 9, seed=17),
        L.RandomInvert(0.5, seed=18),
        L.RandomGrayscale(0.5, seed=19),
        L.RandomColorDegeneration(0.7, seed=20),
        L.Solarization(0.3, (0.2, 0.9), seed=21),
        L.RandomRotation(0.3, data_format="channels_first", seed=22),
        L.RandomHue(0.6, seed=23),
        L.RandomHue((0.2, 0.9), value_range=(0, 260), seed=24),
        L.RandomSaturation((0.1, 0.8), seed=25),
        L.RandomSharpness(0.8, seed=26),
        L.RandomErasing(seed=27),
        L.RandomErasing(0.7, scale=(0.1, 0.5), fill_value=9.0, seed=28),
        L.RandomErasing(scale=0.6, fill_value=300.0, value_range=(0, 200), seed=29),
        L.RandomErasing(data_format="channels_first", seed=30),
        L.RandomGaussianBlur(seed=31),
        L.RandomGaussianBlur((0.8, 1.0), kernel_size=(3, 5), sigma=(0.4, 0.9), value_range=(0, 200), seed=32),
        L.RandomColorJitter(brightness_factor=0.3, contrast_factor=0.4, saturation_factor=(0.1, 0.8), hue_factor=0.5, seed=33),
        L.RandomColorJitter(contrast_factor=(0.1, 0.4), value_range=(0, 260), seed=34),
        L.RandomPosterization((4, 4)),
        L.RandomPerspective((0.8, 1.0), scale=0.7, fill_value=3.0, seed=35),
        L.RandomPerspective(interpolation="nearest", seed=36),
        L.RandomElasticTransform((0.8, 1.0), (0.6, 1.0), seed=37),
        L.RandomElasticTransform((0.8, 1.0), fill_mode="constant", fill_value=5.0, interpolation="nearest", seed=38),
        L.Equalization(),
        L.Equalization((0, 260), bins=16),
        L.MaxNumBoundingBoxes(4),
    ]
    rows = []
    for layer in layers:
        shape = [2, 3, 4, 5] if getattr(layer, "data_format", "") == "channels_first" else [2, 4, 5, 3]
        if isinstance(layer, L.RandomElasticTransform):
            shape = [2, 14, 17, 1]
        x = ((np.arange(np.prod(shape)) * 37 + 11) % 101 * 2.5).astype("float32").reshape(shape)
        seed = getattr(layer, "seed", None) if not isinstance(layer, L.RandomGrayscale) else 19
        rows.append({"object": keras.saving.serialize_keras_object(layer), "seed": seed or 0, "shape": shape,
                     "calls": [flat(layer(x, training=True)) for _ in range(2)]})
    return rows


def adapt():
    """What layers learn from data before training: of one array, and of batches, the last one short."""
    def data(shape, seed, scale=2.0, offset=0.0):
        return (numbers(int(np.prod(shape)), seed) * np.float32(scale) + np.float32(offset)).reshape(shape)

    N, D = L.Normalization, L.Discretization
    cases = [
        (N(), data((12, 3), 1), None),
        (N(), data((12, 3), 2, 3.0, 40.0), 5),
        (N(axis=None), data((10, 2, 2), 3), None),
        (N(axis=None), data((10, 2, 2), 4), 4),
        (N(axis=(1, -1)), data((9, 2, 3, 2), 5), 4),
        (N(axis=1, invert=True), data((9, 2, 3), 6, 5.0, -2.0), 4),
        (N(), np.round(data((11, 2), 7, 100.0)).astype("int64"), None),
        (N(), data((11, 2), 8).astype("float64"), None),
        (N(), data((7,), 9), None),
        (D(num_bins=4), data((30,), 10), None),
        (D(num_bins=4, epsilon=0.1), data((50, 1), 11), None),
        (D(num_bins=5, epsilon=0.1), data((61, 2), 12), 17),
        (D(num_bins=3, epsilon=0.034), data((90,), 13), 40),
        (D(num_bins=7, output_mode="one_hot"), data((40, 1), 14), 16),
        (D(num_bins=4, output_mode="count"), data((20, 5), 15), None),
        (D(num_bins=10), data((6,), 16), None),
        (D(num_bins=1), data((6,), 17), None),
        (D(num_bins=4), np.arange(33), 10),
    ]
    rows = []
    for layer, x, size in cases:
        row = {"object": keras.saving.serialize_keras_object(layer), "dtype": str(x.dtype), "shape": list(x.shape),
               "x": x.flatten().tolist(), "batch_size": size}
        layer.adapt(x if size is None else [x[i:i + size] for i in range(0, len(x), size)])
        y = np.asarray(layer(x.astype("float32")))
        rows.append({**row, "weights": [flat(w) for w in layer.get_weights()], "y": flat(y), "y_shape": list(y.shape),
                     "bin_boundaries": layer.get_config().get("bin_boundaries")})
    return rows


def adapt_text():
    """Vocabularies: which tokens, in which order, and how many documents hold each."""
    words = np.array(["b", "a", "c c", "a", "", "ä", "[UNK]", "b", "Z", "a", "zz", "ab", "aa", "\U0001F600"])
    lines = np.array(["The fox, the dog!", "dog dog DOG", "", "A fox's naïve fox", "the end"])
    pairs = np.array([["a", "b"], ["b", "b"], ["c", ""], ["a", "q"], ["q", "q"]])
    ints = np.array([5, -1, 7, 7, 0, -9, 5, 1 << 40, 3, 12, -12, -1], "int64")
    import tensorflow as tf

    S, I, T = L.StringLookup, L.IntegerLookup, L.TextVectorization
    cases = [(S(), words, None), (S(), words, 4), (S(mask_token=""), words, None), (S(max_tokens=5, num_oov_indices=2), words, 5),
             (S(max_tokens=3, num_oov_indices=4), words, None), (S(output_mode="tf_idf"), words, None), (S(output_mode="tf_idf"), words, 5),
             (S(output_mode="tf_idf"), pairs, None), (S(output_mode="tf_idf", max_tokens=9, pad_to_max_tokens=True), pairs, 2),
             (S(output_mode="multi_hot", mask_token="a"), pairs, None), (S(invert=True), words, None),
             (I(), ints, None), (I(max_tokens=5, mask_token=7), ints, 5), (I(output_mode="tf_idf"), ints.reshape(4, 3), None), (I(invert=True, oov_token=5), ints, None),
             (T(), lines, None), (T(max_tokens=6), lines, 2), (T(ngrams=2), lines[:, None], None), (T(split="character", standardize=None), lines, 2),
             (T(output_mode="tf_idf"), lines, None), (T(output_mode="tf_idf", max_tokens=12, pad_to_max_tokens=True, ngrams=(2,)), lines, 2),
             (T(split=None, output_mode="tf_idf"), pairs, None), (T(split=None, output_mode="tf_idf"), words, 5), (T(output_mode="count"), lines, 3)]
    rows = []
    for layer, x, size in cases:
        row = {"object": keras.saving.serialize_keras_object(layer), "dtype": "int64" if x.dtype.kind == "i" else "string", "shape": list(x.shape), "x": x.flatten().tolist(), "batch_size": size}
        if isinstance(layer, T):
            row["object"]["config"]["vocabulary_size"] = None  # of a layer that was never adapted
        layer.adapt(x if size is None else tf.data.Dataset.from_tensor_slices(x).batch(size))
        lookup = getattr(layer, "_lookup_layer", layer)
        rows.append({**row, "vocabulary": [v if isinstance(v, str) else int(v) for v in layer.get_vocabulary()], "idf_weights": flat(lookup.idf_weights) if "idf" in lookup.output_mode else None,
                     "vocabulary_size": layer.get_config()["vocabulary_size"]})
    return rows


SLOTS = {"slots": slots, "schedules": schedules}
TRAININGS = [first, optimizers, rows, losses, metrics, models, recurrent, stateful, conv_lstm, fits, custom, mixed, lora, frozen, ctc, attention, crossed, adapt, adapt_text, jax, recurrent_dropout, conv_lstm_dropout, augmentation]


def main(names, trainings=TRAININGS):
    """Writes the parts with these names; by default what the backend has in the repository."""
    is_jax = keras.backend.backend() == "jax"
    own = ["jax", "recurrent_dropout", "conv_lstm_dropout", "augmentation"] if is_jax else [*SLOTS, *(f.__name__ for f in TRAININGS[:-4])]
    for name in names or own:
        if name in SLOTS:
            SLOTS[name]()
            continue
        keras.utils.clear_session()
        write(name + ".json", {f.__name__: f for f in trainings}[name]())


if __name__ == "__main__":
    main(sys.argv[1:])
