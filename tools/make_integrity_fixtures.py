"""Makes the files of tests/fixtures/saving that show what an interrupted Keras save leaves.

    KERAS_BACKEND=jax python tools/make_integrity_fixtures.py

short.weights.h5 is what saving leaves when writing fails in the third of five layers: a valid HDF5
file with the first layers only. short.json is the architecture it belongs to.
"""

import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "saving"


class FullDisk(keras.layers.Dense):
    """Stands for a Dense whose bytes no longer fit on the disk."""

    full = False

    def save_own_variables(self, store):
        if FullDisk.full:
            raise OSError(28, "No space left on device")
        super().save_own_variables(store)


def main():
    keras.utils.set_random_seed(7)
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((6,)),
        layers.Dense(5, name="first"),
        layers.Dense(4, name="second"),
        FullDisk(4, name="third"),
        layers.Dense(3, name="fourth"),
    ])
    plain = keras.Sequential([keras.Input((6,))] + [
        layers.Dense(n, name=name)
        for n, name in ((5, "first"), (4, "second"), (4, "third"), (3, "fourth"))
    ])
    (OUT / "short.json").write_text(plain.to_json())
    FullDisk.full = True
    try:
        model.save_weights(OUT / "short.weights.h5")
    except OSError:
        pass


if __name__ == "__main__":
    main()
