#!/usr/bin/env python3
"""Compares keratin's TensorFlow checkpoints with tf-keras and TensorFlow, live and both ways.

  python tools/parity_checkpoint.py [--keratin build/keratin] [--driver build/tests/save_driver] [--only NAME,NAME] [--all]

Steps run one by one, which spares tracing them; --all has them compiled. For each model and optimizer:
  - tf-keras trains two steps and saves (save_weights, tf.train.Checkpoint, SavedModel): keratin must predict as tf-keras does;
  - keratin writes the SavedModel as a checkpoint: `load_weights(...).assert_consumed()` must hold in a compiled model whose optimizer is built,
    every weight and every optimizer variable must be bit-equal, and one more step of training must give the same weights
    (Nadam: within 1e-6, for tf-keras itself forgets a counter).
Predictions: |got - y| <= 1e-4 * |y| + 1e-5 * max|y|. One line a check, then "N passed, M failed"; exit status 1 when any failed.

Runs in any environment with the packages of tools/requirements-parity.txt; `./dev parity` makes one.
"""

import argparse
import os
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf_keras  # noqa: E402

import rnnmodels  # noqa: E402

layers = tf_keras.layers
RTOL, ATOL = 1e-4, 1e-5


def sequential_cnn():
    return tf_keras.Sequential([
        layers.Conv2D(4, 3, activation="relu", input_shape=(8, 8, 1)), layers.BatchNormalization(), layers.DepthwiseConv2D(3),
        layers.MaxPooling2D(), layers.Flatten(), layers.Dense(5, activation="relu"), layers.Dense(2)
    ])


def nested():
    i = layers.Input((4, 4, 2))
    inner = tf_keras.Model(i, layers.Conv2D(3, 2, name="inner_conv")(i), name="inner")
    x = layers.Input((8, 8, 1))
    y = layers.SeparableConv2D(2, 5)(x)
    y = layers.Flatten()(inner(y))
    shared = layers.Dense(3, name="shared")
    y = layers.Concatenate()([shared(y), shared(layers.Dropout(0.0)(y))])
    tail = tf_keras.Sequential([layers.Dense(4, activation="relu"), layers.LayerNormalization(), layers.Dense(2)], name="tail")
    return tf_keras.Model(x, tail(y))


MODELS = {"sequential_cnn": sequential_cnn, "nested": nested}
for each in rnnmodels.MODELS:
    MODELS[each] = lambda name=each: rnnmodels.build(name, tf_keras)
O = tf_keras.optimizers
OPTIMIZERS = {
    "sgd": lambda: O.SGD(0.01),
    "sgd_momentum": lambda: O.SGD(0.01, momentum=0.9, nesterov=True),
    "adam": lambda: O.Adam(0.01),
    "adam_amsgrad": lambda: O.Adam(0.01, amsgrad=True),
    "adamw": lambda: O.AdamW(0.01),
    "adamax": lambda: O.Adamax(0.01),
    "nadam": lambda: O.Nadam(0.01),
    "rmsprop": lambda: O.RMSprop(0.01, momentum=0.5, centered=True),
    "adagrad": lambda: O.Adagrad(0.01),
    "adadelta": lambda: O.Adadelta(0.01),
    "ftrl": lambda: O.Ftrl(0.01),
    "adafactor": lambda: O.Adafactor(0.01),
    "adam_schedule": lambda: O.Adam(O.schedules.ExponentialDecay(0.01, 10, 0.9)),
}
RNN_OPTIMIZERS = {"sgd_momentum", "adam", "rmsprop"}  # the names of a layer's slots are the same in all


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, what, problem):
        if problem:
            self.failed += 1
        else:
            self.passed += 1
        print(f"{'FAILED' if problem else 'ok':7} {what}{': ' + problem if problem else ''}", flush=True)


def run(keratin, *args):
    r = subprocess.run([keratin, *args], capture_output=True, text=True)
    return r.stderr.strip() or f"exit status {r.returncode}" if r.returncode else None


def predicts(keratin, folder, args, names, x, y):
    out = os.path.join(folder, "out.npy")
    for name, values in zip(names, x):
        np.save(os.path.join(folder, f"{name}.npy"), values)
        args = [*args, "--x", f"{name}={os.path.join(folder, name)}.npy"]
    problem = run(keratin, "predict", *args, "--out", out)
    if problem:
        return problem
    got = np.load(out)
    far = np.abs(got - y) - RTOL * np.abs(y) - ATOL * np.abs(y).max()
    return f"differs by {np.abs(got - y).max()}" if far.max() > 0 else None


def same(names, a, b, tolerance=0):
    for i, (x, y) in enumerate(zip(a, b)):
        if not np.array_equal(x, y) and not np.abs(x - y).max() <= tolerance:
            return f"{names} {i} differs by {np.abs(np.asarray(x, float) - np.asarray(y, float)).max()}"
    return None if len(a) == len(b) else f"{len(a)} {names}, expected {len(b)}"


def into_tf_keras(make, optimizer, model, prefix, x, y):
    """Loads what keratin wrote into a fresh model and compares it with the one it came from."""
    fresh = make()
    fresh.compile(optimizer(), "mse")
    fresh.optimizer.build(fresh.trainable_variables)
    try:
        fresh.load_weights(prefix).assert_consumed()
    except Exception as e:  # whatever TensorFlow thinks of it
        return str(e).split("\n")[0][:300]
    problem = same("weights", fresh.get_weights(), model.get_weights())
    if not isinstance(model.optimizer, O.SGD) or model.optimizer.momentum > 0:  # momenta that are not used are not kept
        problem = problem or same("optimizer variables", [v.numpy() for v in fresh.optimizer.variables],
                                  [v.numpy() for v in model.optimizer.variables])
    if problem:
        return problem
    for m in (fresh, model):
        rnnmodels.reset(m)
        tf_keras.utils.set_random_seed(5)
        m.fit(x, y, batch_size=4, epochs=1, shuffle=False, verbose=0)
    # tf-keras's Nadam counts products in an attribute that no checkpoint holds
    tolerance = 1e-6 if isinstance(model.optimizer, O.Nadam) else 0
    return same("weights after a step", fresh.get_weights(), model.get_weights(), tolerance)


def one(tally, keratin, driver, name, make, optimizer_name, folder):
    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(3)
    rng = np.random.default_rng(1)
    optimizer = OPTIMIZERS[optimizer_name]
    model = make()
    x = rnnmodels.inputs_for(model, rng, 4)
    y = rng.random((4,) + tuple(model.output_shape[1:])).astype("float32")
    names = [t.name for t in model.inputs]
    model.compile(optimizer(), "mse")
    model.fit(x, y, batch_size=4, epochs=2, verbose=0)
    rnnmodels.reset(model)
    answer = model(x if len(x) > 1 else x[0]).numpy()
    what = f"{name} {optimizer_name}"
    config = os.path.join(folder, "model.json")
    with open(config, "w") as f:
        f.write(model.to_json())

    prefix = os.path.join(folder, "weights")
    model.save_weights(prefix)
    tally.check(f"{what}: save_weights", predicts(keratin, folder, [config, "--weights", prefix], names, x, answer))
    path = tf.train.Checkpoint(model=model).save(os.path.join(folder, "root"))
    tally.check(f"{what}: tf.train.Checkpoint", predicts(keratin, folder, [config, "--weights", path], names, x, answer))
    saved = os.path.join(folder, "saved")
    model.save(saved, save_traces=False)
    tally.check(f"{what}: SavedModel", predicts(keratin, folder, [saved], names, x, answer))

    out = os.path.join(folder, "written.ckpt")
    problem = run(driver, saved, out) or run(driver, saved, out)  # twice: over the old one, too
    tally.check(f"{what}: written by keratin", problem or into_tf_keras(make, optimizer, model, out, x, y))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--keratin", default=os.path.join(HERE, "..", "build", "keratin"))
    p.add_argument("--driver", default=os.path.join(HERE, "..", "build", "tests", "save_driver"))
    p.add_argument("--only", help="comma separated names of optimizers")
    p.add_argument("--all", action="store_true", help="compiled steps")
    args = p.parse_args()
    tally = Tally()
    wanted = args.only.split(",") if args.only else list(OPTIMIZERS)
    for name, make in MODELS.items():
        for optimizer in wanted if args.all or not name.startswith("rnn_") else sorted(set(wanted) & RNN_OPTIMIZERS):
            # step by step tf-keras's Nadam counts its products otherwise
            tf.config.run_functions_eagerly(not args.all and optimizer != "nadam")
            with tempfile.TemporaryDirectory() as folder:
                one(tally, os.path.abspath(args.keratin), os.path.abspath(args.driver), name, make, optimizer, folder)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
