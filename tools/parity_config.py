#!/usr/bin/env python3
"""Holds the configs and the HDF5 files keratin writes against real Keras, in both directions.

  python tools/parity_config.py [--keratin build/keratin] [--keras3 | --tf-keras] [--all]

For models among the fixtures, every eighth or --all of them, the tool writes an .h5 for each Keras, which loads it, compiled where the model was, answers as
recorded and trains a step on, and weights alone, which go into the architecture. The .keras of a loaded model has
the config that Keras gives it, and each Keras reads the JSON for it. Run with the packages of tools/requirements-parity.txt; without a choice both
libraries are tried, each in a process of its own.
"""

import argparse
import glob
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "..", "tests", "fixtures")

# What no file can say to a Keras, with the reason.
NOT_FOR_KERAS3 = {
    "keras2_operators": "operations of tf.keras", "keras2_operators_attention": "operations of tf.keras",
    "keras2_operators_ellipsis": "operations of tf.keras", "keras2_operators_more": "operations of tf.keras",
    "keras2_tensorflow_op_layers": "operations of tf.keras", "keras1_cnn_tf": "hard_sigmoid of Keras 1",
}
NOT_FOR_KERAS2 = {
    "attention_by_ops": "operations of keras.ops", "convnext_block": "operations of keras.ops", "hard_swish": "operations of keras.ops",
    "nested_dict_io": "a dict of tensors as the arguments of a layer",
}
EVERY = 8  # without --all: each model takes seconds
ODD = {"odd_names": "TensorFlow takes no such names"}


def models():
    for pattern in ("models/*.keras", "legacy/optimizer_*.h5", "legacy/keras1_*.h5", "containers/keras2_*.h5"):
        for path in sorted(glob.glob(os.path.join(FIXTURES, pattern))):
            name = os.path.basename(path).rsplit(".", 1)[0]
            if not name.endswith("_weights") and ".weights" not in name and name not in ODD:
                yield name, path


def answers(path):
    npz = path.rsplit(".", 1)[0] + ".npz"
    if not os.path.exists(npz):
        return None
    import numpy as np

    return np.load(npz)


def write(tool, path, out, *options):
    run = subprocess.run([tool, "load-weights", path, path, "--save", out, "--overwrite", *options], capture_output=True, text=True)
    return run.returncode == 0, run.stderr.strip()


def check(keras, name, path, file):
    """The file opens, answers and trains."""
    import numpy as np

    keras.backend.clear_session()
    m = keras.models.load_model(file)
    a = answers(path)
    if a is not None:
        names = [t.name.split(":")[0] for t in m.inputs]
        x = [a["x_" + n] if "x_" + n in a else a["x"] for n in names]
        # A dict of inputs is told by the names of its keys.
        structure = json.loads(m.to_json())["config"].get("input_layers")
        if isinstance(structure, dict):
            x = {key: a["x_" + leaf[0]] for key, leaf in structure.items()}
        y = m.predict(x[0] if isinstance(x, list) and len(x) == 1 else x, verbose=0)
        y = [y[k] for k in sorted(y)] if isinstance(y, dict) else y if isinstance(y, (list, tuple)) else [y]
        for i, found in enumerate(y):
            expected = a[f"y_{i}"] if f"y_{i}" in a else a["y"]
            np.testing.assert_allclose(np.asarray(found, "float32"), expected, rtol=1e-3, atol=1e-3)
    if name.startswith("optimizer_"):
        m.fit(np.zeros((8, 4)), np.zeros((8, 2)), verbose=0)


def check_weights(keras, tool, path, file, folder):
    """Weights alone go into a model without any."""
    import numpy as np

    out = os.path.join(folder, "alone_weights.h5")
    done = subprocess.run([tool, "convert", file, out, "--to", "legacy-weights.h5", "--overwrite"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    whole = keras.models.load_model(file, compile=False)
    bare = keras.models.model_from_json(whole.to_json())
    for v in bare.weights:
        v.assign(np.zeros(v.shape, v.dtype if isinstance(v.dtype, str) else v.dtype.as_numpy_dtype))
    bare.load_weights(out)
    for a, b in zip(whole.get_weights(), bare.get_weights()):
        assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), "another weight"


def check_config(keras, tool, name, path, folder):
    """Keras gives a model the same config before and after keratin had it."""
    out = os.path.join(folder, name + ".keras")
    ok, said = write(tool, path, out)
    assert ok, said
    before, after = keras.models.load_model(path), keras.models.load_model(out)
    assert json.loads(before.to_json())["config"] == json.loads(after.to_json())["config"], "another config"


def check_json(keras, kind, tool, name, path, file, folder):
    """Keras reads the architecture alone, and says of it what it says of the whole file's."""
    out = os.path.join(folder, name + ".json")
    done = subprocess.run([tool, "convert", path, out, "--for", kind, "--overwrite"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with open(out) as f:
        text = f.read()
    keras.backend.clear_session()
    found = json.loads(keras.models.model_from_json(text).to_json())["config"]
    keras.backend.clear_session()
    expected = json.loads(keras.models.load_model(file, compile=False).to_json())["config"]
    assert found == expected, "another architecture in JSON"


def run(args):
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if args.keras3:
        import keras
    else:
        import tf_keras as keras
    failed = done = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, path in list(models())[:: 1 if args.all else EVERY]:
            kinds = [("keras3" if args.keras3 else "keras2", NOT_FOR_KERAS3 if args.keras3 else NOT_FOR_KERAS2)]
            for kind, excused in kinds:
                file = os.path.join(folder, f"{name}_{kind}.h5")
                ok, said = write(args.keratin, path, file, "--for", kind)
                try:
                    if name in excused and not ok:
                        continue
                    assert ok, said
                    check(keras, name, path, file)
                    check_weights(keras, args.keratin, path, file, folder)
                    if args.keras3 and path.endswith(".keras"):
                        check_config(keras, args.keratin, name, path, folder)
                        check_json(keras, kind, args.keratin, name, path, path, folder)
                    if not args.keras3:
                        check_json(keras, kind, args.keratin, name, path, file, folder)
                    done += 1
                except Exception as e:  # noqa: BLE001 - each case reports for itself
                    failed += 1
                    print(f"FAILED {name} for {kind}: {type(e).__name__}: {str(e)[:400]}")
    print(f"{'Keras 3' if args.keras3 else 'tf-keras'}: {done} agree, {failed} do not")
    return failed == 0


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--keratin", default=os.path.join(HERE, "..", "build", "keratin"), help="the tool to test")
    p.add_argument("--keras3", action="store_true")
    p.add_argument("--tf-keras", action="store_true")
    p.add_argument("--all", action="store_true", help="every model, not one in eight")
    args = p.parse_args()
    if args.keras3 or args.tf_keras:
        sys.exit(0 if run(args) else 1)
    ok = [subprocess.run([sys.executable, __file__, "--keratin", args.keratin, library] + ["--all"] * args.all).returncode == 0 for library in ("--keras3", "--tf-keras")]
    sys.exit(0 if all(ok) else 1)


if __name__ == "__main__":
    main()
