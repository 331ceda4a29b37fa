#!/usr/bin/env python3
"""Writes tests/fixtures/training: what Keras computes while it trains.

    KERAS_BACKEND=tensorflow tools/make_training_fixtures.py [PART ...]

Everything is small and committed; without PART every part is written. Weights and data come from a
little generator that the tests have too (numbers()), so that files hold results only.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "training"
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
    i = np.arange(n, dtype=np.uint64)
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
    return values.reshape(shape).astype("float32")


def set_weights(model):
    for i, v in enumerate(model.weights):
        values = numbers(int(np.prod(v.shape)), 100 + i) * np.float32(SCALE)
        if "variance" in v.path or "gamma" in v.path:
            values = values + np.float32(1)
        if "seed" not in v.path:
            v.assign(values.reshape(v.shape))


def flat(v):
    return [float(x) for x in np.asarray(v, dtype="float32").reshape(-1)]


def train(name, model, data, steps=20, evaluate=False, **compiled):
    """One step on all rows after the other; the loss of each, then weights and slots."""
    set_weights(model)
    model.compile(**compiled)
    x, y = [array(s) for s in data["x"]], [array(s) for s in data["y"]]
    w = [array(s) for s in data.get("weights", [])]
    one = lambda v: v[0] if len(v) == 1 else v
    case = {
        "name": name,
        "model": json.loads(model.to_json()),
        "compile_config": model.get_compile_config(),
        "backend": keras.backend.backend(),
        "data": data,
        "steps": [],
    }
    for _ in range(steps):
        model.reset_metrics()
        logs = model.train_on_batch(one(x), one(y), sample_weight=one(w) if w else None, return_dict=True)
        case["steps"].append({k: flat(v) if np.ndim(v) else float(v) for k, v in sorted(logs.items())})
    case["weights"] = [[v.path, flat(v.numpy())] for v in model.weights if "seed" not in v.path]
    case["slots"] = [[v.path, flat(v.numpy())] for v in model.optimizer.variables]
    if evaluate:
        logs = model.evaluate(one(x), one(y), sample_weight=one(w) if w else None, batch_size=5,
                              verbose=0, return_dict=True)
        case["evaluated"] = {k: flat(v) if np.ndim(v) else float(v) for k, v in sorted(logs.items())}
    return case


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


def cases(name):
    def make():
        keras.utils.clear_session()
        write(name + ".json", globals()[name]())
    return make


PARTS = {"slots": slots, "schedules": schedules}
PARTS.update({name: cases(name) for name in ["first"]})

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
