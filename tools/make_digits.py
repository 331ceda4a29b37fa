#!/usr/bin/env python3
"""Writes data/digits: the 1,797 handwritten digits of the UCI optical recognition set as scikit-learn packages
them, in the IDX form of MNIST, and a small CNN trained on three quarters of them by real Keras.

  python tools/make_digits.py [--out data/digits]

Needs the packages of tools/requirements-parity.txt. The first 1,348 digits train the model; the last 449 are
never seen in training and must come out at 97.5 % or better, or nothing is written.
"""

import argparse
import os
import struct
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
TRAIN = 1348
FLOOR = 0.975

README = """# 1,797 handwritten digits, 8 by 8

`digits-images-idx3-ubyte` and `digits-labels-idx1-ubyte` are the test part of "Optical Recognition of Handwritten Digits" (E. Alpaydin,
C. Kaynak, UCI Machine Learning Repository, 1998, <https://doi.org/10.24432/C50P49>) as packaged by scikit-learn
(`sklearn.datasets.load_digits`), in the IDX form MNIST uses. Each pixel is the number of set points in a 4 by 4 block: 0 to 16.
Licence of the data: Creative Commons Attribution 4.0 International (CC BY 4.0).

`digits_cnn.keras` was trained by Keras {keras} on the first {train} of them (`tools/make_digits.py`). On the last {test},
which it never saw, it is right {accuracy:.1f} times in 100.
"""


def write_idx(path, array):
    """IDX: two zero bytes, type 8 (unsigned byte), the rank, the sizes big-endian, the bytes."""
    with open(path, "wb") as f:
        f.write(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape))
        f.write(array.astype(np.uint8).tobytes())


def moved(rng, images):
    """Each image shifted by at most one pixel either way; zeros come in."""
    out = np.zeros_like(images)
    for k, image in enumerate(images):
        dy, dx = rng.integers(-1, 2, 2)
        source = image[max(0, -dy) : 8 - max(0, dy), max(0, -dx) : 8 - max(0, dx)]
        out[k, max(0, dy) : 8 - max(0, -dy), max(0, dx) : 8 - max(0, -dx)] = source
    return out


def build():
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="digit"),
            layers.Rescaling(1 / 16),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ],
        name="digits_cnn",
    )


def train(images, labels, epochs=60):
    import keras

    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    model = build()
    x, y = images[:TRAIN], labels[:TRAIN]
    steps = epochs * (TRAIN // 64 + 1)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)), "sparse_categorical_crossentropy", metrics=["accuracy"])
    for _ in range(epochs):
        model.fit(moved(rng, x)[..., None], y, batch_size=64, epochs=1, verbose=0)
    return model


def accuracy(model, images, labels):
    return float((model.predict(images[TRAIN:, ..., None], verbose=0).argmax(-1) == labels[TRAIN:]).mean())


def save(model, path):
    """Weights without the optimizer, with fixed dates in the archive."""
    import keras

    from fixtures.harness import settle_archive

    keras.utils.clear_session()
    plain = build()
    plain.set_weights(model.get_weights())
    plain.save(path)
    with open(path, "rb") as f:
        data = f.read()
    with open(path, "wb") as f:
        f.write(settle_archive(data, deflate=False))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", default=os.path.join(HERE, "..", "data", "digits"))
    args = p.parse_args()
    sys.path.insert(0, HERE)
    import keras
    from sklearn.datasets import load_digits

    digits = load_digits()
    images, labels = digits.images.astype(np.float32), digits.target
    model = train(images, labels)
    right = accuracy(model, images, labels)
    print(f"held out: {right:.4f} of {len(images) - TRAIN}")
    if right < FLOOR:
        print(f"below {FLOOR}: nothing written", file=sys.stderr)
        return 1
    os.makedirs(args.out, exist_ok=True)
    write_idx(os.path.join(args.out, "digits-images-idx3-ubyte"), images)
    write_idx(os.path.join(args.out, "digits-labels-idx1-ubyte"), labels)
    save(model, os.path.join(args.out, "digits_cnn.keras"))
    with open(os.path.join(args.out, "README.md"), "w") as f:
        f.write(README.format(keras=keras.__version__, train=TRAIN, test=len(images) - TRAIN, accuracy=100 * right))
    return 0


if __name__ == "__main__":
    sys.exit(main())
