#!/usr/bin/env python3
"""Trains beside real Keras, on both backends and with numbers no fixture has.

    tools/parity_training.py BUILD_DIR [--quick] [--seed N] [--parts optimizers,losses,...] [--backends ...]

For each backend the cases of make_training_fixtures.py and make_training_matrix.py are computed anew by
Keras from another seed and compared by tests/parity/test_training.c, step by step: losses within 1e-5,
metrics, weights and slots within 1e-4. Then trainings change hands: two epochs there, a .keras file,
two epochs here, and the other way round, must give the weights and slots of four epochs in Keras within
1e-4, `keratin fit` not shuffling, and Keras must find the file of two epochs here as it left its own.
"tf_keras" as a backend means Keras 2: a .h5 file of two epochs there, two epochs here. Exit status 1
when anything differs. --quick: fewer parts and optimizers, as `./dev parity` runs it.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
QUICK = "first,optimizers,fits,few"
WHOLE = "first,optimizers,losses,metrics,models,fits,jax,layers,options,embeddings,reductions,random,lora,frozen,ctc,attention,crossed"
EPOCHS, HALF = 4, 2


def keratin_fit(keratin, folder, source, target, start, end):
    subprocess.run([keratin, "fit", source, "--x", folder / "x.npy", "--y", folder / "y.npy", "--no-shuffle",
                    "--batch-size", "8", "--initial-epoch", str(start), "--epochs", str(end), "--save", target],
                   check=True, stdout=subprocess.DEVNULL)


def data(folder):
    import numpy as np

    rng = np.random.default_rng(5)
    x = rng.normal(size=(48, 6)).astype("float32")
    y = rng.integers(0, 3, 48).astype("int32")
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    return x, y


def distance(a, b):
    """The largest difference of two lists of variables, in units of the tolerance."""
    import numpy as np

    far = 0.0
    for v, w in zip(a, b, strict=True):
        v, w = np.asarray(v.numpy(), "float64"), np.asarray(w.numpy(), "float64")
        far = max(far, float((np.abs(v - w) / (1e-4 + 1e-4 * np.abs(v))).max()))
    return far


def all_variables(model):
    return model.weights + model.optimizer.variables


def report(name, results):
    for what, far in results.items():
        print(f"{'ok' if far <= 1 else 'FAILED':7} {name}: {what} ({far:.2g} of the tolerance)", flush=True)
    return sum(not far <= 1 for far in results.values())


def hand_over(keratin, folder, quick):
    """Trainings that go from Keras to keratin and back. Runs with the backend of the environment."""
    import keras

    import make_training_fixtures

    layers = keras.layers
    x, y = data(folder)

    def by_keras(model, start, end):
        model.fit(x, y, batch_size=8, initial_epoch=start, epochs=end, shuffle=False, verbose=0)

    def by_us(source, target, start, end):
        keratin_fit(keratin, folder, source, target, start, end)
        return keras.models.load_model(target)

    O = keras.optimizers
    kinds = make_training_fixtures.optimizer_kinds() + [
        O.SGD(O.schedules.ExponentialDecay(0.05, 3, 0.9), momentum=0.5),
        O.AdamW(0.01, use_ema=True, ema_overwrite_frequency=4), O.Adam(0.01, gradient_accumulation_steps=4)]
    failed = 0
    for number, optimizer in enumerate(kinds[-3:] if quick else kinds):
        if keras.backend.backend() == "jax" and (optimizer.use_ema or isinstance(optimizer, O.ScheduleFreeAdamW)):
            # With EMA, Keras 3.15 there has given away a variable's array when fit() is called again. ScheduleFreeAdamW
            # takes the momentum before its step there, on TensorFlow after it, and `keratin fit` goes by TensorFlow; the
            # trainings above have it with .backend = "jax".
            continue
        keras.utils.clear_session()
        keras.utils.set_random_seed(3)
        model = keras.Sequential([
            keras.Input((6,)), layers.Dense(16, activation="tanh"), layers.BatchNormalization(),
            layers.Dense(8, activation="gelu"), layers.Dense(3, activation="softmax"),
        ])
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        optimizer.build(model.trainable_variables)
        start, theirs, ours, both = (folder / f"{n}.keras" for n in ["start", "theirs", "ours", "both"])
        model.save(start)
        by_keras(model, 0, HALF)
        model.save(theirs)
        half = by_us(start, ours, 0, HALF)
        results = {"two epochs here": distance(all_variables(model), all_variables(half))}
        by_keras(model, HALF, EPOCHS)
        by_keras(half, HALF, EPOCHS)
        results["from here to Keras"] = distance(all_variables(model), all_variables(half))
        results["from Keras to here"] = distance(all_variables(model), all_variables(by_us(theirs, both, HALF, EPOCHS)))
        failed += report(f"{optimizer.name} {number}", results)
    return failed + hand_over_mixed(keratin, folder)


def hand_over_mixed(keratin, folder):
    """Trainings in half precision there, in float32 here: what the files hold fits, the numbers about so."""
    import keras

    x, y = data(folder)
    failed = 0
    for policy in ["mixed_float16", "mixed_bfloat16"]:
        keras.config.set_dtype_policy(policy)
        keras.utils.set_random_seed(3)
        model = keras.Sequential([
            keras.Input((6,)), keras.layers.Dense(16, activation="tanh"), keras.layers.BatchNormalization(),
            keras.layers.Dense(3, activation="softmax", dtype="float32"),
        ])
        model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
        model.fit(x, y, batch_size=8, epochs=HALF, shuffle=False, verbose=0)
        model.save(folder / "theirs.keras")
        names = [v.path for v in all_variables(keras.models.load_model(folder / "theirs.keras"))]
        model.fit(x, y, batch_size=8, initial_epoch=HALF, epochs=EPOCHS, shuffle=False, verbose=0)
        keratin_fit(keratin, folder, folder / "theirs.keras", folder / "both.keras", HALF, EPOCHS)
        results = {}
        for reader in [policy, "float32"]:
            keras.config.set_dtype_policy(reader)
            both = keras.models.load_model(folder / "both.keras")
            same = names == [v.path for v in all_variables(both)]
            far = distance(all_variables(model), all_variables(both)) if same else float("inf")
            results[f"from Keras to here, read as {reader}, about"] = far / (10 if policy == "mixed_float16" else 50)
        failed += report(policy, results)
    keras.config.set_dtype_policy("float32")
    return failed


def hand_over_keras2(keratin, folder, quick):
    """Files of Keras 2 that are trained on, with the optimizers of before and after 2.11. Not Adafactor and
    Lion, which it does not load, and not the Nadam of before, whose momentum had a schedule Keras has no
    argument for since."""
    import tf_keras

    layers, O = tf_keras.layers, tf_keras.optimizers
    x, y = data(folder)
    kinds = [O.Adam(0.01, amsgrad=True), O.legacy.Adam(0.01), O.legacy.SGD(0.05, momentum=0.9, nesterov=True)]
    if not quick:
        kinds += [
            O.SGD(0.05), O.SGD(0.05, momentum=0.9, nesterov=True), O.RMSprop(0.01, momentum=0.5, centered=True), O.Adam(0.01),
            O.Adam(O.schedules.ExponentialDecay(0.05, 3, 0.9)), O.AdamW(0.01), O.Adamax(0.01), O.Nadam(0.01), O.Adagrad(0.05),
            O.Adadelta(0.5), O.Ftrl(0.05), O.Adam(0.01, clipnorm=0.1, weight_decay=0.01),
            O.Adam(0.01, use_ema=True, ema_overwrite_frequency=3), O.legacy.SGD(0.05), O.legacy.SGD(0.05, decay=0.01),
            O.legacy.RMSprop(0.01, momentum=0.5, centered=True), O.legacy.Adam(0.01, amsgrad=True, decay=0.02), O.legacy.Adamax(0.01),
            O.legacy.Adagrad(0.05), O.legacy.Adadelta(0.5), O.legacy.Ftrl(0.05),
        ]
    failed = 0
    for number, optimizer in enumerate(kinds):
        tf_keras.utils.set_random_seed(3)
        model = tf_keras.Sequential([
            layers.Input((6,)), layers.Dense(16, activation="tanh"), layers.Reshape((4, 2, 2)), layers.Conv2D(4, 2, use_bias=False),
            layers.BatchNormalization(momentum=0.7), layers.Flatten(), layers.Dense(3, activation="softmax"),
        ])
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(x, y, batch_size=8, epochs=HALF, shuffle=False, verbose=0)
        results = {}
        # what the old optimizers leave in a .keras, Keras 3 does not read either
        forms = ["h5"] if "legacy" in type(optimizer).__module__ else ["h5", "keras"]
        for form in forms:
            model.save(folder / f"theirs.{form}")
        model.fit(x, y, batch_size=8, initial_epoch=HALF, epochs=EPOCHS, shuffle=False, verbose=0)
        for form in forms:
            keratin_fit(keratin, folder, folder / f"theirs.{form}", folder / f"both_{form}.h5", HALF, EPOCHS)
            again = tf_keras.models.load_model(folder / f"both_{form}.h5", compile=False)
            results[f"from a .{form} file to here"] = distance(model.weights, again.weights)
        failed += report(f"{type(optimizer).__module__.split('.')[-1]}.{type(optimizer).__name__} {number}", results)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--parts")
    parser.add_argument("--backends", default="tensorflow,jax,tf_keras")
    parser.add_argument("--hand-over", metavar="FOLDER", type=pathlib.Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.hand_over:
        here = hand_over_keras2 if args.backends == "tf_keras" else hand_over
        return 1 if here(args.build / "keratin", args.hand_over, args.quick) else 0
    program = args.build / "tests" / "parity_test_training"
    worst = 0
    for backend in args.backends.split(","):
        with tempfile.TemporaryDirectory() as folder:
            keras_on = "tensorflow" if backend == "tf_keras" else backend
            env = dict(os.environ, KERAS_BACKEND=keras_on, KERATIN_TRAINING_FIXTURES=folder,
                       KERATIN_TRAINING_SEED=str(args.seed), TF_CPP_MIN_LOG_LEVEL="3")
            if backend != "tf_keras":
                chosen = (args.parts or (QUICK if args.quick else WHOLE)).split(",")
                subprocess.run([sys.executable, HERE / "make_training_matrix.py", *chosen], env=env, check=True,
                               stderr=subprocess.DEVNULL)
                done = subprocess.run([program], env=env)
                print(f"{backend}: {'same as Keras' if done.returncode == 0 else 'DIFFERS from Keras'}")
                worst = max(worst, abs(done.returncode))
            again = [sys.executable, __file__, args.build, "--hand-over", folder, "--backends", backend, *["--quick"] * args.quick]
            done = subprocess.run(again, env=env, stderr=subprocess.PIPE, text=True)
            if done.returncode != 0:
                print(f"{backend}: hand-over FAILED\n{done.stderr}")
            worst = max(worst, abs(done.returncode))
    return 1 if worst else 0


if __name__ == "__main__":
    sys.exit(main())
