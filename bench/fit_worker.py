"""One trainer training one model, an epoch at a time: what bench/fit.c is for keratin, for the others.

  fit_worker.py PEER MODEL FOLDER BATCH EPOCHS THREADS SHAPE      PEER: torch, tensorflow, jax
  fit_worker.py make MODEL FOLDER                                 writes FOLDER/model.keras

Waits for a line on stdin before each epoch and prints a JSON line behind it.
"""

import json
import os
import resource
import sys
import time

import numpy as np


def report(seconds, loss):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "loss": loss, "peak_mb": peak}), flush=True)


# --- Keras ------------------------------------------------------------------------------------------


def keras_mnist_cnn(keras):
    L = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            L.Conv2D(32, 3, activation="relu"),
            L.MaxPooling2D(),
            L.Conv2D(64, 3, activation="relu"),
            L.MaxPooling2D(),
            L.Flatten(),
            L.Dense(128, activation="relu"),
            L.Dense(10, activation="softmax"),
        ]
    )


def keras_mlp(keras):
    L = keras.layers
    return keras.Sequential([keras.Input((784,)), L.Dense(512, activation="relu"), L.Dense(512, activation="relu"), L.Dense(10, activation="softmax")])


def keras_resnet20(keras):
    L = keras.layers

    def conv(x, filters, size, stride):
        return L.Conv2D(filters, size, strides=stride, padding="same")(x)

    def block(x, filters, stride):
        y = L.ReLU()(L.BatchNormalization()(conv(x, filters, 3, stride)))
        y = L.BatchNormalization()(conv(y, filters, 3, 1))
        if stride != 1:
            x = conv(x, filters, 1, stride)
        return L.ReLU()(L.Add()([x, y]))

    given = keras.Input((32, 32, 3))
    x = L.ReLU()(L.BatchNormalization()(conv(given, 16, 3, 1)))
    for stage in range(3):
        for i in range(3):
            x = block(x, 16 << stage, 2 if stage > 0 and i == 0 else 1)
    x = L.Dense(10, activation="softmax")(L.GlobalAveragePooling2D()(x))
    return keras.Model(given, x)


def make(name, folder):
    import keras

    keras.utils.set_random_seed(3)
    model = globals()["keras_" + name](keras)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    model.save(os.path.join(folder, "model.keras"))


def train_keras(name, folder, batch, epochs, threads, shape):
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    import keras

    class Turns(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if not sys.stdin.readline():
                self.model.stop_training = True
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            report(time.perf_counter() - self.start, float(logs["loss"]))

    x, y = data(folder, shape)
    model = keras.saving.load_model(os.path.join(folder, "model.keras"))
    model.fit(x, y, batch_size=batch, epochs=epochs, shuffle=False, verbose=0, callbacks=[Turns()])


# --- PyTorch ----------------------------------------------------------------------------------------


def torch_mnist_cnn(nn):
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(1600, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def torch_mlp(nn):
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))


def torch_resnet20(nn):
    class Block(nn.Module):
        def __init__(self, before, filters, stride):
            super().__init__()
            self.a, self.b = nn.Conv2d(before, filters, 3, stride, 1), nn.Conv2d(filters, filters, 3, 1, 1)
            self.na, self.nb = nn.BatchNorm2d(filters), nn.BatchNorm2d(filters)
            self.short = nn.Conv2d(before, filters, 1, stride) if stride != 1 else nn.Identity()
            self.relu = nn.ReLU()

        def forward(self, x):
            return self.relu(self.short(x) + self.nb(self.b(self.relu(self.na(self.a(x))))))

    parts, before = [nn.Conv2d(3, 16, 3, 1, 1), nn.BatchNorm2d(16), nn.ReLU()], 16
    for stage in range(3):
        for i in range(3):
            parts.append(Block(before, 16 << stage, 2 if stage > 0 and i == 0 else 1))
            before = 16 << stage
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def train_torch(name, folder, batch, epochs, threads, shape):
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(3)
    x, y = data(folder, shape)
    x, y = torch.from_numpy(x), torch.from_numpy(y).long()
    model = globals()["torch_" + name](torch.nn)
    if len(shape) == 3:  # the layout oneDNN likes best is PyTorch's own choice here
        x = x.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
    loss_of = torch.nn.CrossEntropyLoss()
    for _ in range(epochs):
        if not sys.stdin.readline():
            return
        start, total = time.perf_counter(), 0.0
        for at in range(0, len(x), batch):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model(x[at : at + batch]), y[at : at + batch])
            loss.backward()
            optimizer.step()
            total += float(loss.detach())
        report(time.perf_counter() - start, total / (len(x) // batch))


def data(folder, shape):
    x = np.fromfile(os.path.join(folder, "x.f32"), np.float32).reshape((-1,) + shape)
    return x, np.fromfile(os.path.join(folder, "y.i32"), np.int32)


def main():
    peer, name, folder = sys.argv[1:4]
    if peer == "make":
        make(name, folder)
        return
    batch, epochs, threads = map(int, sys.argv[4:7])
    shape = tuple(map(int, sys.argv[7].split(",")))
    (train_torch if peer == "torch" else train_keras)(name, folder, batch, epochs, threads, shape)


if __name__ == "__main__":
    main()
