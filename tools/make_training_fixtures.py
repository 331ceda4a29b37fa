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


PARTS = {"slots": slots, "schedules": schedules}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
