#!/usr/bin/env python3
"""Trains beside real Keras, on both backends and with numbers no fixture has.

    tools/parity_training.py BUILD_DIR [--quick] [--seed N] [--parts optimizers,losses,...] [--backends ...]

For each backend the cases of make_training_fixtures.py are computed anew by Keras from another seed
and compared by tests/parity/test_training.c, step by step: losses within 1e-5, metrics, weights and
slots within 1e-4. Then trainings change hands: two epochs there, a .keras file, two epochs here, and
the other way round, must give the weights of four epochs in Keras within 1e-4, `keratin fit` not
shuffling, and Keras must find the file of two epochs here as it left its own. Exit status 1 when
anything differs. --quick: fewer parts and optimizers, as `./dev parity` runs it.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
EPOCHS, HALF = 4, 2


def hand_over(keratin, folder, quick):
    """Trainings that go from Keras to keratin and back. Runs with the backend of the environment."""
    import keras
    import numpy as np

    layers, optimizers = keras.layers, keras.optimizers
    decay = optimizers.schedules.ExponentialDecay(0.05, 3, 0.9)
    kinds = {
        "sgd": lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        "sgd of a schedule": lambda: optimizers.SGD(decay, momentum=0.5),
        "rmsprop": lambda: optimizers.RMSprop(0.01, momentum=0.5, centered=True),
        "adam": lambda: optimizers.Adam(0.01, amsgrad=True),
        "adamw": lambda: optimizers.AdamW(0.01, use_ema=True, ema_overwrite_frequency=4),
        "nadam": lambda: optimizers.Nadam(0.01),
        "ftrl": lambda: optimizers.Ftrl(0.05),
        "adam that accumulates": lambda: optimizers.Adam(0.01, gradient_accumulation_steps=2),
    }
    if quick:
        kinds = {name: kinds[name] for name in ["adam", "adam that accumulates"]}
    rng = np.random.default_rng(5)
    x = rng.normal(size=(48, 6)).astype("float32")
    y = rng.integers(0, 3, 48).astype("int32")
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)

    def by_keras(model, start, end):
        model.fit(x, y, batch_size=8, initial_epoch=start, epochs=end, shuffle=False, verbose=0)

    def by_us(source, target, start, end):
        subprocess.run([keratin, "fit", source, "--x", folder / "x.npy", "--y", folder / "y.npy", "--no-shuffle",
                        "--batch-size", "8", "--initial-epoch", str(start), "--epochs", str(end), "--save", target],
                       check=True, stdout=subprocess.DEVNULL)
        return keras.models.load_model(target)

    def distance(a, b):
        """In units of the tolerance, over weights and the optimizer's variables."""
        far = 0.0
        for v, w in zip(a.weights + a.optimizer.variables, b.weights + b.optimizer.variables, strict=True):
            v, w = np.asarray(v.numpy(), "float64"), np.asarray(w.numpy(), "float64")
            far = max(far, float((np.abs(v - w) / (1e-4 + 1e-4 * np.abs(v))).max()))
        return far

    failed = 0
    for name, make in kinds.items():
        keras.utils.clear_session()
        keras.utils.set_random_seed(3)
        model = keras.Sequential([
            keras.Input((6,)), layers.Dense(16, activation="tanh"), layers.BatchNormalization(),
            layers.Dense(8, activation="gelu"), layers.Dense(3, activation="softmax"),
        ])
        model.compile(make(), "sparse_categorical_crossentropy", metrics=["accuracy"])
        start, theirs, ours, both = (folder / f"{n}.keras" for n in ["start", "theirs", "ours", "both"])
        model.save(start)
        by_keras(model, 0, HALF)
        model.save(theirs)
        half = by_us(start, ours, 0, HALF)
        results = {"two epochs here": distance(model, half)}
        by_keras(model, HALF, EPOCHS)
        by_keras(half, HALF, EPOCHS)
        results["from here to Keras"] = distance(model, half)
        results["from Keras to here"] = distance(model, by_us(theirs, both, HALF, EPOCHS))
        for what, far in results.items():
            failed += not far <= 1
            print(f"{'ok' if far <= 1 else 'FAILED':7} {name}: {what} ({far:.2g} of the tolerance)", flush=True)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--parts")
    parser.add_argument("--backends", default="tensorflow,jax")
    parser.add_argument("--hand-over", metavar="FOLDER", type=pathlib.Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.hand_over:
        return 1 if hand_over(args.build / "keratin", args.hand_over, args.quick) else 0
    parts = args.parts or ("first,optimizers" if args.quick else "first,optimizers,losses,metrics,models")
    program = args.build / "tests" / "parity_test_training"
    worst = 0
    for backend in args.backends.split(","):
        with tempfile.TemporaryDirectory() as folder:
            env = dict(os.environ, KERAS_BACKEND=backend, KERATIN_TRAINING_FIXTURES=folder,
                       KERATIN_TRAINING_SEED=str(args.seed))
            chosen = parts.split(",") if backend == "tensorflow" else []
            subprocess.run([sys.executable, HERE / "make_training_fixtures.py", *chosen], env=env, check=True,
                           stderr=subprocess.DEVNULL)
            done = subprocess.run([program], env=env)
            print(f"{backend}: {'same as Keras' if done.returncode == 0 else 'DIFFERS from Keras'}")
            worst = max(worst, done.returncode)
            again = [sys.executable, __file__, args.build, "--hand-over", folder, *["--quick"] * args.quick]
            worst = max(worst, subprocess.run(again, env=env, stderr=subprocess.DEVNULL).returncode)
    return 1 if worst else 0


if __name__ == "__main__":
    sys.exit(main())
