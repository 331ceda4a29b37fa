#!/usr/bin/env python3
"""Has real Keras open what `keratin convert` writes, from every form Keras writes, incremental sets included; converts
the collection of real models to every form and back, where it is there; checks the memory a conversion takes.

  python tools/parity_convert.py [--keratin build/keratin] [--real DIR] [--all] [--keep DIR]

Of the real models sixteen are taken, of every size up to --largest; --all takes them all, which lasts some minutes, and
has Keras compile its steps. Every refusal must be one of REFUSALS, in its place. Where tf-keras is installed, what it
trained is handed to Keras 3. Weights and optimizer variables are compared bit by bit. Exit status 1 when anything differs.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
sys.dont_write_bytecode = True

import h5py  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers  # noqa: E402

from tally import check, finish  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
FORMS = ("keras", "keras-dir", "weights.h5", "weights.json", "h5", "legacy-weights.h5", "tf-checkpoint", "safetensors", "npz",
         "json")
ENDINGS = {"keras": ".keras", "keras-dir": "_dir", "weights.h5": ".weights.h5", "weights.json": ".weights.json",
           "h5": ".h5", "legacy-weights.h5": "_weights.h5", "tf-checkpoint": ".ckpt", "safetensors": ".safetensors",
           "npz": ".npz", "json": ".json"}


def run(*words, **more):
    return subprocess.run([str(w) for w in words], capture_output=True, text=True, **more)


def good(name, *words, **more):
    done = run(*words, **more)
    check(name, done.returncode == 0, (done.stdout + done.stderr)[:300])
    return done.returncode == 0


# --- models ---------------------------------------------------------------------------------------


def cnn(optimizer):
    m = keras.Sequential([
        keras.Input((8, 8, 1)),
        layers.Conv2D(4, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ])
    m.compile(optimizer, loss="sparse_categorical_crossentropy")
    return m


def nested():
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(5), layers.Dense(4)])
    x = keras.Input((6,))
    y = keras.Input((6,))
    m = keras.Model([x, y], layers.Dense(3)(layers.concatenate([inner(x), inner(y)])))
    m.compile("sgd", loss="mse")
    return m


def recurrent():
    m = keras.Sequential([
        keras.Input((6, 3)),
        layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
        layers.RNN([layers.LSTMCell(3), layers.GRUCell(4)], return_sequences=True),
        layers.Bidirectional(layers.GRU(3), merge_mode="sum"),
        layers.Dense(3),
    ])
    m.compile("adam", loss="mse")
    return m


def train(m):
    rng = np.random.default_rng(3)
    x = [rng.normal(size=(16,) + tuple(i.shape[1:])).astype("float32") for i in m.inputs]
    y = rng.integers(0, 3, (16,)) if m.loss != "mse" else rng.normal(size=(16, 3)).astype("float32")
    m.fit(x if len(x) > 1 else x[0], y, batch_size=8, epochs=2, verbose=0)


def values(m):
    return [np.array(w) for w in m.weights]


def state(m):
    return [np.array(v.value) for v in m.optimizer.variables]


def same(a, b):
    return len(a) == len(b) and all(x.dtype == y.dtype and x.tobytes() == y.tobytes() for x, y in zip(a, b))


# --- from Keras, through keratin, to Keras ----------------------------------------------------------


def open_in_keras(name, path, m, form):
    twin = keras.models.model_from_json(m.to_json())
    if m.optimizer is not None:
        twin.compile(type(m.optimizer)(), loss=m.loss)
        twin.optimizer.build(twin.trainable_variables)
    if form == "keras":
        twin = keras.models.load_model(path)
    elif form == "keras-dir":
        twin = keras.models.load_model(path)
    else:
        twin.load_weights(path)
    check(f"{name}: weights", same(values(m), values(twin)))
    check(f"{name}: optimizer", same(state(m), state(twin)))


def through_keratin(keratin, folder, name, m):
    sources = {"keras": folder / f"{name}.keras", "weights.h5": folder / f"{name}.weights.h5",
               "weights.json": folder / f"{name}_s.weights.json", "h5": folder / f"{name}.h5"}
    m.save(sources["keras"])
    m.save(sources["h5"])
    m.save_weights(sources["weights.h5"])
    m.save_weights(sources["weights.json"], max_shard_size=2e-6)
    (folder / f"{name}_arch.json").write_text(m.to_json())
    for source, path in sources.items():
        for form in ("keras", "keras-dir", "weights.h5", "weights.json"):
            out = folder / f"{name}_{source}_to{ENDINGS[form]}"
            more = ["--max-shard-size", "2e-6"] if form == "weights.json" else []
            if source != "keras":
                more += ["--config", folder / f"{name}.keras"] if form.startswith("keras") else []
            label = f"{name}: {source} to {form}"
            if good(label, keratin, "convert", path, out, "--to", form, *more):
                open_in_keras(label, out, m, form)
                good(f"{label}: verify", keratin, "verify", out)
                if source != "h5":  # its state has names of its own, which Keras has just answered for
                    good(f"{label}: diff", keratin, "diff", path, out)


def pair(slots, found):
    """How many arrays of `slots` have an equal in `found`, each of which stands for one."""
    left, num = [a.tobytes() for a in found], 0
    for a in slots:
        data = a.astype("int64").tobytes() if a.ndim == 0 and a.dtype.kind == "i" else a.tobytes()
        if data in left:
            left.remove(data)
            num += 1
    return num


def from_tf_keras(keratin, folder, tf_keras):
    """A model that tf-keras trained goes on in Keras 3 with every slot of its optimizer. Of the optimizers before 2.11 its
    own .keras holds none."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(16, 3)).astype("float32"), rng.normal(size=(16, 2)).astype("float32")
    for family in (tf_keras.optimizers, tf_keras.optimizers.legacy):
        for optimizer in ("Adam", "SGD", "RMSprop", "Adagrad", "Adadelta", "Adamax", "Nadam", "Ftrl", "AdamW", "Lion", "Adafactor"):
            if not hasattr(family, optimizer):
                continue
            is_old = family is tf_keras.optimizers.legacy
            label = f"{'legacy ' * is_old}{optimizer}"
            more = {"momentum": 0.9} | ({"decay": 0.01} if is_old else {}) if optimizer == "SGD" else {}
            m = tf_keras.Sequential([tf_keras.layers.Dense(4, input_shape=(3,)), tf_keras.layers.Dense(2)])
            m.compile(getattr(family, optimizer)(0.01, **more), loss="mse")
            m.fit(x, y, batch_size=4, verbose=0)
            out, bare = folder / "tf_keras_to.keras", folder / "tf_keras.json"
            bare.write_text(m.to_json())
            slots = m.optimizer.variables
            slots = [np.array(v.numpy()) for v in (slots() if callable(slots) else slots)]
            for source, config in (("tf_keras.h5", []), ("tf_keras.h5", ["--config", bare]), ("tf_keras.keras", [])):
                m.save(folder / source)
                good(f"{label} {source}", keratin, "convert", folder / source, out, "--overwrite", *config)
                twin = keras.models.load_model(out)
                check(f"{label} {source}: weights", same(m.get_weights(), twin.get_weights()))
                held = 0 if is_old and source == "tf_keras.keras" else len(slots)
                check(f"{label} {source}: optimizer {config}", pair(slots[:held], state(twin)) == held)
                rate = twin.optimizer.get_config()["learning_rate"]
                check(f"{label} {source}: rate", isinstance(rate, dict) == ("decay" in more), rate)


def incremental(keratin, folder):
    m = cnn("adam")
    train(m)
    target = folder / "grow.weights.json"
    for step in range(4):
        m.save(folder / "now.keras")
        good(f"incremental {step}", keratin, "convert", folder / "now.keras", target, "--incremental",
             "--max-shard-size", "2e-6")
        open_in_keras(f"incremental {step}", target, m, "weights.json")
        good(f"incremental {step}: verify", keratin, "verify", target)
        good(f"incremental {step}: diff", keratin, "diff", folder / "now.keras", target)
        kernel = m.layers[step % 2 * 4].weights[0]
        kernel.assign(np.array(kernel) + 1)
    before = len(list(folder.glob("grow_*.weights.h5")))
    m.save(folder / "now.keras")
    train(m)
    m.save(folder / "now.keras")
    good("incremental last", keratin, "convert", folder / "now.keras", target, "--incremental", "--max-shard-size", "1")
    good("gc", keratin, "gc", target)
    check("gc removes", len(list(folder.glob("grow_*.weights.h5"))) < before)
    open_in_keras("after gc", target, m, "weights.json")
    good("after gc: verify", keratin, "verify", target)


# --- real files -----------------------------------------------------------------------------------


def choose(real, largest, everything):
    paths = [p for p in real.rglob("*") if p.suffix in (".h5", ".hdf5", ".keras") and p.stat().st_size <= largest]
    paths.sort(key=lambda p: (p.stat().st_size, p))
    few = 16
    return paths if everything or len(paths) <= few else [paths[i * len(paths) // few] for i in range(few)]


# What a refusal says. Weights alone go only where they keep their names; a class that is not known here has none but those.
NO_ARCHITECTURE = r"No model config found in the file at .+\. Give the architecture with --config model\.json"
NO_CLASS = r'(layer|model) ".+" has the (custom )?class \w+.*; without its code the names that .+ needs are not known\. '
REFUSALS = {
    "no architecture": NO_ARCHITECTURE,
    "a class that is not known, into Keras 3's forms or another's": NO_CLASS + r"Its arrays can go into \.safetensors or \.npz",
    "the hard_sigmoid of Keras 1 and 2, into an architecture of Keras 3": r"it uses the hard_sigmoid of Keras 1 and 2, .+; write an \.h5 for Keras 2",
    "a class that is not known, out of Keras 3's forms": NO_CLASS + r"The forms of Keras 3 \(\.keras, \.weights\.h5, \.weights\.json\) need none",
}
NAMED = ("safetensors", "npz")
KERAS3 = ("keras", "keras-dir", "weights.h5", "weights.json")


def refused(name, form, has_config, said, groups):
    group = next((g for g, sentence in REFUSALS.items() if re.search(sentence, said)), None)
    fits = group is not None and form not in NAMED
    if group == "no architecture":
        fits = fits and not has_config
    elif group is not None and "hard_sigmoid" in group:
        fits = fits and form in ("keras", "keras-dir", "h5", "json")
    elif group is not None and "out of" in group:
        fits = fits and form not in KERAS3
    check(f"{name}: refused", fits, said[:300])
    groups[group] += 1


def keras_forgets(keratin, path, a, b):
    """Whether the files differ in the dtype policy of a Sequential alone, which Keras has forgotten, too, once it loads."""
    found = json.loads(run(keratin, "diff", "--json", a, b).stdout)["findings"]
    if [f["object"] for f in found if f["problem"]] != ["config.dtype"]:
        return False
    with h5py.File(b, "r") as f:
        is_sequential = json.loads(f.attrs["model_config"])["class_name"] == "Sequential"
    ours, theirs = (keras.models.load_model(p, compile=False).dtype_policy.name for p in (b, path))
    return is_sequential and ours == theirs


def convert_real(keratin, folder, paths):
    num, groups = 0, collections.Counter()
    for path in paths:
        if "inputs_and_outputs" in path.name or run(keratin, "info", path).returncode != 0:
            continue
        back = folder / "back.keras"
        has_config = run(keratin, "config", path).returncode == 0
        bare = folder / "bare.keras"  # the weights without the optimizer
        if run(keratin, "convert", path, bare, "--no-optimizer", "--overwrite").returncode != 0:
            bare = folder / "bare.h5"  # of what Keras 3 has no word for
            if run(keratin, "convert", path, bare, "--no-optimizer", "--overwrite", "--for", "keras2").returncode != 0:
                bare = path
        for form in FORMS:
            out = folder / ("real" + ENDINGS[form])
            if not has_config and form.startswith(("keras", "json")):
                continue
            done = run(keratin, "convert", path, out, "--to", form, "--overwrite", "--no-optimizer")
            if done.returncode != 0:
                refused(f"{path.name} to {form}", form, has_config, done.stderr, groups)
                continue
            num += 1
            more = ["--config", path] if has_config else []
            label = f"{path.name} to {form}: diff"
            done = run(keratin, "diff", bare, out, *more)
            check(label, done.returncode == 0 or (form == "h5" and keras_forgets(keratin, path, bare, out)), done.stderr[:300])
            if form != "json" and has_config:
                done = run(keratin, "convert", out, back, "--overwrite", "--no-optimizer", *more)
                if done.returncode != 0:
                    refused(f"{path.name} {form} back", "keras", has_config, done.stderr, groups)
                    continue
                label = f"{path.name} {form} and back: diff"
                done = run(keratin, "diff", bare, back)
                check(label, done.returncode == 0, done.stderr[:300])
    print(f"real files: {num} conversions")
    for group, count in groups.items():
        print(f"refused, {group}: {count}")


# --- memory ---------------------------------------------------------------------------------------


def memory(keratin, folder):
    path = folder / "large.weights.h5"
    with h5py.File(path, "w") as f:
        for i in range(32):
            f.create_dataset(f"layers/dense_{i}/vars/0", data=np.full((4 << 20,), i, "float32"))
    limit = 96 << 20

    def little():
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    for out in (folder / "large2.weights.json", folder / "large3.weights.h5"):
        good(f"{out.name} in 96 MB", keratin, "convert", path, out, "--max-shard-size", "0.1", preexec_fn=little)
    good("verify in 96 MB", keratin, "verify", folder / "large2.weights.json", preexec_fn=little)
    good("diff in 96 MB", keratin, "diff", path, folder / "large2.weights.json", preexec_fn=little)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--keratin", default=ROOT / "build" / "keratin")
    parser.add_argument("--real", default=ROOT.parent / "shared" / "real")
    parser.add_argument("--largest", type=int, default=4 << 20)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--keep")
    args = parser.parse_args()
    if not args.all and keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.run_functions_eagerly(True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(args.keep or temporary)
        folder.mkdir(exist_ok=True)
        keras.utils.set_random_seed(5)
        for name, make in (("cnn", lambda: cnn("adam")), ("rms", lambda: cnn("rmsprop")), ("nested", nested), ("recurrent", recurrent)):
            m = make()
            train(m)
            through_keratin(args.keratin, folder, name, m)
        try:
            import tf_keras
        except ImportError:
            print("tf-keras: absent, left out")
        else:
            from_tf_keras(args.keratin, folder, tf_keras)
        incremental(args.keratin, folder)
        memory(args.keratin, folder)
        real = pathlib.Path(args.real)
        if real.is_dir():
            convert_real(args.keratin, folder, choose(real, args.largest, args.all))
        else:
            print("real files: absent, left out")
    sys.exit(finish())


if __name__ == "__main__":
    main()
