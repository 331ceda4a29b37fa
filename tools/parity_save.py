#!/usr/bin/env python3
"""Has real Keras open what keratin writes. Each model is saved by Keras, loaded and saved again by keratin in every form,
and opened by Keras: weights and optimizer variables bit-equal, configs equal, predictions equal, training goes on and
gives the same weights as the model that never left Keras.

  python tools/parity_save.py [--driver build/tests/save_driver] [--only NAME,NAME] [--all] [--large] [--keep DIR]

Forms: .keras, directory, .weights.h5, sharded .weights.json (shards so small that layers are split), each also a second
time over the first. Also h5py reads every file whole. Keras runs step by step, which spares minutes of tracing, and each
optimizer goes through two of the forms in turn; --all has every optimizer in every form, and Keras's compiled steps.
--large adds EfficientNetV2L in full, 119 million parameters with momenta, in shards of 0.25 GB, both ways: minutes, 6 GB of
memory and 4 GB of disk. Exit status 1 when anything differs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
sys.dont_write_bytecode = True

import h5py  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras import layers  # noqa: E402

import rnnmodels  # noqa: E402
from tally import check, finish  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))


# --- models ---------------------------------------------------------------------------------------


def cnn(optimizer="adam", dtype=None):
    m = keras.Sequential([
        keras.Input((8, 8, 1), dtype=None if dtype == "mixed_float16" else dtype),
        layers.Conv2D(4, 3, activation="relu", dtype=dtype),
        layers.BatchNormalization(dtype=dtype),
        layers.MaxPooling2D(dtype=dtype),
        layers.Flatten(dtype=dtype),
        layers.Dropout(0.5, seed=3, dtype=dtype),
        layers.Dense(10, activation="softmax", dtype=dtype),
    ])
    if optimizer is not None:
        m.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return m


def nested():
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(6, activation="tanh"), layers.Dense(6)], name="inner")
    shared = layers.Dense(6, name="shared")
    a, b = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    x = layers.add([shared(a), shared(b)])
    y = inner(x)
    z = keras.Model(a, layers.Dense(3)(a), name="tower")(b)
    m = keras.Model([a, b], [layers.Dense(2, name="left")(layers.concatenate([y, z])), layers.Dense(1, name="right")(y)])
    m.compile("rmsprop", loss=["mse", "mse"])
    return m


def many_layers():
    """More than a symbol-table leaf and more than 32 of a class, so the groups need a real tree."""
    i = x = keras.Input((4,))
    for n in range(300):
        x = layers.Dense(4, name=f"d{n}")(x)
    m = keras.Model(i, x)
    m.compile("sgd", loss="mse")
    return m


def separable():
    i = keras.Input((9, 9, 3))
    x = layers.SeparableConv2D(4, 3)(i)
    x = layers.PReLU()(layers.LayerNormalization()(x))
    x = layers.SpectralNormalization(layers.Conv2D(3, 3))(x)
    x = layers.GlobalAveragePooling2D()(x)
    m = keras.Model(i, layers.Dense(2)(x))
    m.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss="mse")
    return m


def recurrent(name):
    m = rnnmodels.build(name, keras)
    m.compile(keras.optimizers.RMSprop(0.01, momentum=0.9) if name == "rnn_stacks" else "adam", loss="mse")
    return m


WORDS = np.array([["the fox"], ["a dog, the Dog"], [""], ["naïve fox"], ["end"]])


def texts():
    """Vocabularies in assets and in configs, and weights that are none of the layers' own. A vocabulary that ends in "" Keras does not
    read again itself."""
    layers = keras.layers
    text, word, number = keras.Input((), dtype="string"), keras.Input((1,), dtype="string"), keras.Input((1,), dtype="int64")
    vectorize, weigh, lookup = layers.TextVectorization(output_sequence_length=4), layers.TextVectorization(output_mode="tf_idf"), layers.StringLookup(output_mode="tf_idf")
    ids = layers.IntegerLookup(num_oov_indices=2)
    for layer, data in ((vectorize, WORDS), (weigh, WORDS), (lookup, WORDS[WORDS != ""]), (ids, np.array([[3], [1 << 40], [-3], [3]]))):
        layer.adapt(data)
    parts = [layers.GlobalAveragePooling1D()(layers.Embedding(vectorize.vocabulary_size(), 3)(vectorize(text))), weigh(text), lookup(word)]
    parts += [layers.Flatten()(layers.Embedding(9, 2)(x)) for x in (ids(number), layers.Hashing(9, salt=7)(word), layers.StringLookup(vocabulary=["end", "the fox"], mask_token="")(word))]
    model = keras.Model([text, word, number], layers.Dense(2)(layers.Concatenate()(parts)))
    model.compile("adam", "mse")
    return model


MODELS = {
    "texts": texts,
    "cnn_adam": lambda: cnn("adam"),
    "cnn_uncompiled": lambda: cnn(None),
    "cnn_float16": lambda: cnn(None, "float16"),
    "cnn_bfloat16": lambda: cnn(None, "bfloat16"),
    "cnn_float64": lambda: cnn("adam", "float64"),
    "cnn_mixed": lambda: cnn(None, "mixed_float16"),
    "nested": nested,
    "many_layers": many_layers,
    "separable": separable,
}
for each in rnnmodels.MODELS:
    MODELS[each] = lambda name=each: recurrent(name)
RULES = ("SGD", "RMSprop", "AdamW", "Adadelta", "Adagrad", "Adamax", "Adafactor", "Nadam", "Ftrl", "Lion", "Lamb")
for rule in RULES:
    MODELS[f"cnn_{rule}"] = lambda rule=rule: cnn(getattr(keras.optimizers, rule)())
FORMS = {"keras": "{}_out.keras", "directory": "{}_dir", "weights": "{}.weights.h5", "sharded": "{}_set.weights.json"}


def forms_of(name, everything):
    """All of them, or for the optimizers the two whose turn it is: one with an architecture, one without."""
    rule = name.removeprefix("cnn_")
    if everything or rule not in RULES:
        return list(FORMS)
    i = RULES.index(rule)
    return [("keras", "directory")[i % 2], ("weights", "sharded")[i // 2 % 2]]


def data_for(model, seed=0):
    rng = np.random.default_rng(seed)
    xs = rnnmodels.inputs_for(model, rng, 16) if model.inputs[0].dtype != "string" else [tf.constant(rng.choice(WORDS.ravel(), (16,) + tuple(t.shape[1:]))) if t.dtype == "string" else tf.constant(rng.integers(-3, 4, (16, 1))) for t in model.inputs]
    ys = [rng.normal(size=(len(xs[0]),) + tuple(t.shape[1:])).astype("float32") for t in model.outputs]
    loss = model.get_compile_config()["loss"] if model.compiled else None
    if loss == "sparse_categorical_crossentropy":
        ys = [rng.integers(0, 10, size=(16,))]
    return (xs if len(xs) > 1 else xs[0]), (ys if len(ys) > 1 else ys[0])


def train(model, steps=2):
    x, y = data_for(model)
    keras.utils.set_random_seed(7)
    rnnmodels.reset(model)
    for _ in range(steps):
        model.train_on_batch(x, y)


# --- comparing ------------------------------------------------------------------------------------


def bits(v):
    return np.asarray(v.value if hasattr(v, "value") else v).tobytes()


def same(name, a, b):
    check(name + ": number of variables", len(a) == len(b), f"{len(a)} {len(b)}")
    # Seeds are never saved, and listed among the weights by some releases.
    others = [u.path for u, v in zip(a, b) if "seed_generator" not in u.path and bits(u) != bits(v)]
    check(f"{name}: variables", not others, f"{len(others)} of {len(a)}, {', '.join(others[:5])}")


def read_whole(name, path):
    """h5py visits every object and reads every byte."""
    def visit(_, o):
        list(o.attrs.items())
        if isinstance(o, h5py.Dataset):
            o[()]

    with h5py.File(path, "r") as f:
        f.visititems(visit)
    check(name + ": h5py reads it", True)


def predictions_equal(name, a, b):
    x, _ = data_for(a)
    rnnmodels.reset(a)
    rnnmodels.reset(b)
    p, q = a.predict(x, verbose=0), b.predict(x, verbose=0)
    for u, v in zip(p if isinstance(p, list) else [p], q if isinstance(q, list) else [q]):
        check(name + ": predictions", np.array_equal(u, v))


def compare_model(name, original, path, has_optimizer=True):
    loaded = keras.models.load_model(path)
    same(name, original.weights, loaded.weights)
    predictions_equal(name, original, loaded)
    check(name + ": layers", [l.name for l in original.layers] == [l.name for l in loaded.layers])
    check(name + ": compiled", loaded.compiled == original.compiled)
    if original.compiled and has_optimizer:
        same(name + " optimizer", original.optimizer.variables, loaded.optimizer.variables)
    return loaded


def drive(driver, *args):
    r = subprocess.run([driver, *args], capture_output=True, text=True)
    if r.returncode != 0:
        print(r.stderr.strip())
    return r.returncode == 0


def one(driver, name, make, folder, forms):
    keras.utils.set_random_seed(1)
    model = make()
    if model.compiled:
        train(model)
    source = os.path.join(folder, name + ".keras")
    model.save(source)
    for form in forms:
        out = os.path.join(folder, FORMS[form].format(name))
        label = f"{name} {form}"
        extra = ["--shard", "0.000001"] if form == "sharded" else []
        if not (drive(driver, source, out, *extra) and drive(driver, source, out, *extra)):
            check(label + ": saved", False)
            continue
        if form in ("keras", "directory"):
            loaded = compare_model(label, model, out)
            if form == "keras":
                with zipfile.ZipFile(out) as z:
                    check(label + ": zip", z.testzip() is None)
                    with zipfile.ZipFile(source) as theirs:
                        check(label + ": members", z.namelist()[:3] == ["metadata.json", "config.json", "model.weights.h5"] and sorted(z.namelist()) == sorted(theirs.namelist()))
                        check(label + ": assets", all(z.read(n) == theirs.read(n) for n in theirs.namelist() if n.startswith("assets/")))
            else:
                read_whole(label, os.path.join(out, "model.weights.h5"))
            if model.compiled:  # goes on exactly as the model that never left
                twin = keras.models.load_model(source)
                train(loaded)
                train(twin)
                same(label + " trained on", twin.weights, loaded.weights)
                same(label + " trained on, optimizer", twin.optimizer.variables, loaded.optimizer.variables)
        else:
            twin = make()
            if twin.compiled:
                twin.optimizer.build(twin.trainable_variables)
            twin.load_weights(out)
            same(label, model.weights, twin.weights)
            if model.compiled:
                same(label + " optimizer", model.optimizer.variables, twin.optimizer.variables)
            if form == "weights":
                read_whole(label, out)
            else:
                compare_map(label, model, folder, out)
    left = [f for f in os.listdir(folder) if f.startswith(".")]
    check(name + ": nothing left over", not left, str(left))


def compare_map(label, model, folder, out, limit=0.000001):
    """The map against the one Keras writes for the same model."""
    theirs = os.path.join(folder, "theirs.weights.json")
    for shard in sorted(os.listdir(folder)):
        if shard.startswith("theirs"):
            os.unlink(os.path.join(folder, shard))
    try:
        model.save_weights(theirs, max_shard_size=limit)
    except ValueError:  # an array larger than a shard, which Keras refuses
        limit = None
    with open(out) as f:
        ours = json.load(f)
    shards = sorted({s for v in ours["weight_map"].values() for s in ([v] if isinstance(v, str) else v)})
    here = sorted(f for f in os.listdir(folder) if f.startswith(os.path.basename(out).replace(".weights.json", "_0")))
    check(label + ": shards are those of the map", set(shards) <= set(here), f"{shards} {here}")
    if limit is not None:
        with open(theirs) as f:
            expected = json.load(f)
        check(label + ": metadata", ours["metadata"] == expected["metadata"], f"{ours['metadata']} {expected['metadata']}")
        renamed = json.loads(json.dumps(expected["weight_map"]).replace("theirs_", os.path.basename(out)[:-13] + "_"))
        check(label + ": map", ours["weight_map"] == renamed and list(ours["weight_map"]) == list(renamed))


def large(driver, keratin, folder):
    """EfficientNetV2L both ways: small pictures, for its weights are the same for any."""
    import appmodels

    label, began = "EfficientNetV2L", time.monotonic()

    def done(what):
        print(f"{label}: {what}, {time.monotonic() - began:.0f} s", flush=True)

    keras.utils.set_random_seed(1)
    model = appmodels.build(label, 96)
    x = appmodels.inputs_for(model, np.random.default_rng(2), 2)
    y = np.array([3, 7])

    def share_seeds(m):  # dropout is to draw as the first model's does
        for v, u in zip(m.variables, model.variables):
            if "seed_generator" in v.path:
                v.assign(u.value)

    def compiled(m):
        m.compile(keras.optimizers.SGD(1e-4, momentum=0.9), loss="sparse_categorical_crossentropy")
        m.optimizer.build(m.trainable_variables)
        return m

    def step(m):
        keras.utils.set_random_seed(7)
        m.train_on_batch(x, y)

    compiled(model)
    step(model)
    answer = model.predict(x, verbose=0)
    np.save(os.path.join(folder, "x.npy"), x)
    theirs, whole = os.path.join(folder, "theirs.weights.json"), os.path.join(folder, "whole.keras")
    ours, config = os.path.join(folder, "ours.weights.json"), os.path.join(folder, "config.json")
    model.save_weights(theirs, max_shard_size=0.25)
    model.save(whole)
    with open(config, "w") as f:
        f.write(model.to_json())
    done("built, trained and saved by Keras")
    for weights in (theirs, whole):
        out = os.path.join(folder, "y.npy")
        r = subprocess.run([keratin, "predict", config, "--weights", weights, "--x", os.path.join(folder, "x.npy"), "--out", out],
                           capture_output=True, text=True)
        good = r.returncode == 0
        far = np.abs(np.load(out) - answer) - 1e-4 * np.abs(answer) - 1e-5 * np.abs(answer).max() if good else 1
        check(f"{label}: keratin predicts from {os.path.basename(weights)}", good and far.max() <= 0, r.stderr)
    done("loaded by keratin, which predicts")
    if not drive(driver, whole, ours, "--shard", "0.25"):
        check(f"{label}: saved", False)
        return
    os.unlink(whole)
    compare_map(label, model, folder, ours, 0.25)
    check(f"{label}: verify", subprocess.run([keratin, "verify", ours], capture_output=True).returncode == 0)
    done("saved by keratin in shards, whose map is Keras's")
    twin = compiled(keras.models.model_from_json(model.to_json()))
    twin.load_weights(ours)
    same(label, model.weights, twin.weights)
    same(label + " optimizer", model.optimizer.variables, twin.optimizer.variables)
    check(f"{label}: predictions", np.array_equal(answer, twin.predict(x, verbose=0)))
    share_seeds(twin)
    step(model)
    step(twin)
    same(label + " trained on", model.weights, twin.weights)
    done("loaded by Keras, which predicts and trains on")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--driver", default=os.path.join(HERE, "..", "build", "tests", "save_driver"))
    p.add_argument("--only", help="comma separated names")
    p.add_argument("--keratin", default=os.path.join(HERE, "..", "build", "keratin"))
    p.add_argument("--all", action="store_true", help="every optimizer in every form, compiled steps")
    p.add_argument("--large", action="store_true", help="EfficientNetV2L too")
    p.add_argument("--keep", metavar="DIR")
    a = p.parse_args()
    names = a.only.split(",") if a.only else list(MODELS)
    if not a.all and keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.run_functions_eagerly(True)
    with tempfile.TemporaryDirectory() as temporary:
        for name in names:
            folder = os.path.join(a.keep or temporary, name)
            os.makedirs(folder, exist_ok=True)
            try:
                one(os.path.abspath(a.driver), name, MODELS[name], folder, forms_of(name, a.all))
            except Exception as e:  # one model must not hide the others
                check(name, False, f"{type(e).__name__}: {str(e)[:500]}")
            print(f"{name}: done", flush=True)
        if a.large:
            folder = os.path.join(a.keep or temporary, "large")
            os.makedirs(folder, exist_ok=True)
            large(os.path.abspath(a.driver), os.path.abspath(a.keratin), folder)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
