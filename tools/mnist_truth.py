#!/usr/bin/env python3
"""The CNN everybody knows on 8,000 digits, here and in Keras: accuracy on 2,000 unseen ones.

    tools/mnist_truth.py KERATIN DATA_DIR [--seeds 5] [--epochs 5]

DATA_DIR holds MNIST's test set as IDX files. For each seed Keras makes the model; Keras and
`keratin fit` train it from the same weights, each in an order of its own. Exit status 1 when the means
over the seeds are more than half a point apart.
"""

import argparse
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

L = keras.layers


def idx(path):
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    rank = data[3]
    shape = np.frombuffer(data, ">u4", rank, 4)
    return np.frombuffer(data, "u1", offset=4 + 4 * rank).reshape(shape)


def cnn():
    return keras.Sequential([
        keras.Input((28, 28, 1)), L.Conv2D(32, 3, activation="relu"), L.MaxPooling2D(2),
        L.Conv2D(64, 3, activation="relu"), L.MaxPooling2D(2), L.Flatten(), L.Dropout(0.5),
        L.Dense(10, activation="softmax"),
    ])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("keratin", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5)
    args = parser.parse_args()
    files = sorted(p for p in args.data.rglob("*") if p.is_file())
    x = idx(next(p for p in files if "images" in p.name)).astype("float32")[..., None] / 255
    y = idx(next(p for p in files if "labels" in p.name)).astype("int32")
    scores = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name, value in [("x", x[:8000]), ("y", y[:8000]), ("tx", x[8000:]), ("ty", y[8000:])]:
            np.save(folder / f"{name}.npy", value)
        for seed in range(args.seeds):
            keras.utils.set_random_seed(seed)
            model = cnn()
            model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
            model.save(folder / "m.keras")
            model.fit(x[:8000], y[:8000], batch_size=128, epochs=args.epochs, verbose=0)
            theirs = model.evaluate(x[8000:], y[8000:], verbose=0, return_dict=True)["accuracy"]
            subprocess.run([args.keratin, "fit", folder / "m.keras", "--x", folder / "x.npy", "--y", folder / "y.npy",
                            "--validation-x", folder / "tx.npy", "--validation-y", folder / "ty.npy",
                            "--batch-size", "128", "--epochs", str(args.epochs), "--seed", str(seed),
                            "--history", folder / "h.json"], check=True, stdout=subprocess.DEVNULL)
            history = json.loads((folder / "h.json").read_text())
            ours = (history.get("history") or history)["val_accuracy"][-1]
            scores.append((theirs, ours))
            print(f"seed {seed}: Keras {theirs:.4f}, keratin {ours:.4f}", flush=True)
    theirs, ours = np.mean(scores, axis=0)
    print(f"mean: Keras {theirs:.4f}, keratin {ours:.4f}")
    return 1 if abs(theirs - ours) > 0.005 else 0


if __name__ == "__main__":
    sys.exit(main())
