#!/usr/bin/env python3
"""Compares keratin with real Keras on keras.applications, live: each family is built with random weights and statistics
(tools/appmodels.py), saved in every form, and `keratin predict` must answer each as Keras does.

  python tools/parity.py [--quick] [--only NAME,NAME] [--keratin build/keratin] [--keep DIR]

Forms: .keras, .weights.h5 with the architecture JSON, sharded .weights.json with the same JSON, legacy .h5.
Tolerance: |got - y| <= 1e-4 * |y| + 1e-5 * max|y| for every element (the softmax over 1,000 classes is far below 1, so an
absolute 1e-5 would say little). One line a file, then "N passed, M failed"; exit status 1 when any failed.

Runs in any environment with the packages of tools/requirements-parity.txt; `./dev parity` makes one. At most one
model is on disk at a time: EfficientNetV2L takes 1 GB there and 3 GB of memory.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
sys.dont_write_bytecode = True

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import numpy as np  # noqa: E402

RTOL, ATOL = 1e-4, 1e-5


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="four families only")
    p.add_argument("--only", help="comma separated names of keras.applications")
    p.add_argument("--keratin", default=os.path.join(HERE, "..", "build", "keratin"), help="the tool to test")
    p.add_argument("--keep", metavar="DIR", help="write the files there and leave those of failures")
    p.add_argument("--seed", type=int, default=1)
    return p.parse_args()


# --- the forms: each writes a file and says how keratin is to be called on it ----------------------


def write_json(model, folder):
    path = os.path.join(folder, "architecture.json")
    with open(path, "w") as f:
        f.write(model.to_json())
    return path


def as_keras(model, folder):
    path = os.path.join(folder, "model.keras")
    model.save(path)
    return [path]


def as_weights(model, folder):
    path = os.path.join(folder, "model.weights.h5")
    model.save_weights(path)
    return [path, "--config", write_json(model, folder)]


def as_shards(model, folder):
    """Three shards or so: one of a single large layer may be larger."""
    size_gb = sum(int(np.prod(v.shape)) * 4 for v in model.weights) / 3 / 1024**3
    path = os.path.join(folder, "model.weights.json")
    while True:
        try:
            model.save_weights(path, max_shard_size=size_gb, overwrite=True)
            return [path, "--config", write_json(model, folder)]
        except ValueError as e:
            if "exceeds the maximum shard size" not in str(e):
                raise
            size_gb *= 1.3


def as_legacy_h5(model, folder):
    path = os.path.join(folder, "model.h5")
    model.save(path)
    return [path]


FORMS = {".keras": as_keras, ".weights.h5": as_weights, "sharded": as_shards, ".h5": as_legacy_h5}


# --- one file --------------------------------------------------------------------------------------


def predict(keratin, call, folder, batch):
    """Runs the tool; its answer or a sentence saying why there is none, and the seconds it took."""
    out = os.path.join(folder, "y.npy")
    if os.path.exists(out):
        os.remove(out)
    command = [keratin, "predict", call[0], "--x", os.path.join(folder, "x.npy"), "--out", out, "--batch-size", str(batch)] + call[1:]
    start = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    except subprocess.TimeoutExpired:
        return None, "took more than 600 s", 600.0
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        last = " | ".join(done.stderr.strip().splitlines()[-3:])[-300:]
        return None, f"exit status {done.returncode}: {last}", seconds
    try:
        return np.load(out), None, seconds
    except Exception as e:  # whatever is wrong with the file is the finding
        return None, f"cannot read its output: {e}", seconds


def judge(got, want):
    """(passed, sentence)"""
    if got.shape != want.shape:
        return False, f"shape {got.shape}, expected {want.shape}"
    if not np.isfinite(got).all():
        return False, f"{np.count_nonzero(~np.isfinite(got))} values are not finite"
    error = np.abs(got.astype("float64") - want)
    bound = RTOL * np.abs(want) + ATOL * np.abs(want).max()
    worst = float((error / np.abs(want).max()).max())
    return bool((error <= bound).all()), f"max error {worst:.1e} of the largest output, {float((error / bound).max()):.2f} of the tolerance"


def family(name, size, args, folder):
    """Number of forms that passed and failed."""
    import shutil

    import appmodels

    batch = 1 if size > 300 else 2
    model = appmodels.build(name, size, seed=args.seed)
    x = appmodels.inputs_for(model, np.random.default_rng(args.seed + 1), batch)
    np.save(os.path.join(folder, "x.npy"), x)
    want = np.asarray(model(x, training=False))
    passed = failed = 0
    for form, write in FORMS.items():
        place = os.path.join(folder, form.strip("."))
        os.makedirs(place, exist_ok=True)
        os.replace(os.path.join(folder, "x.npy"), os.path.join(place, "x.npy"))
        call = write(model, place)
        got, sentence, seconds = predict(args.keratin, call, place, batch)
        good = False
        if got is not None:
            good, sentence = judge(got, want)
        print(f"{'ok  ' if good else 'FAIL'} {name} {size}x{size} {form:12} {sentence} ({seconds:.2f} s)", flush=True)
        passed, failed = passed + good, failed + (not good)
        os.replace(os.path.join(place, "x.npy"), os.path.join(folder, "x.npy"))
        if good or not args.keep:
            shutil.rmtree(place)
        else:
            np.save(os.path.join(place, "expected.npy"), want)
    return passed, failed


def main():
    args = arguments()
    if not os.access(args.keratin, os.X_OK):
        print(f"parity: {args.keratin} is not there; build it first or name it with --keratin", file=sys.stderr)
        return 2
    import appmodels
    import keras

    names = args.only.split(",") if args.only else appmodels.QUICK if args.quick else list(appmodels.FAMILIES)
    print(f"Keras {keras.__version__} on {keras.backend.backend()}, {len(names)} families, {len(FORMS)} forms each", flush=True)
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="keratin-parity-") as scratch:
        for name in names:
            folder = os.path.join(args.keep or scratch, name)
            os.makedirs(folder, exist_ok=True)
            p, f = family(name, appmodels.FAMILIES[name], args, folder)
            passed, failed = passed + p, failed + f
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
