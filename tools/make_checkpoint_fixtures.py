#!/usr/bin/env python3
"""Writes tests/fixtures/checkpoints: TensorFlow checkpoints, SavedModels, .safetensors and .npz as the originals write them.

  python tools/make_checkpoint_fixtures.py [--out DIR] [--corpus DIR]

Needs TensorFlow, tf-keras, Keras 3 and safetensors. Every model has an architecture NAME.json, an input NAME.x.npy and the answer
NAME.y.npy; the other files hold its weights.

- example     Dense(1) with kernel 1.5 and bias 0.25: the smallest object-based checkpoint
- cnn         tf-keras: convolution, BatchNormalization, a nested model, a shared layer; trained for two steps with Adam
              cnn            save_weights, new optimizer
              cnn_plain      save_weights, not compiled
              cnn_legacy     save_weights, legacy Adam with slots
              cnn_root-1     tf.train.Checkpoint(model=..., step=...).save
              cnn_names      tf.compat.v1 Saver: names and no graph
              cnn_pieces     three shards, tensors in pieces (MaxShardSizePolicy)
              cnn_saved      SavedModel of tf-keras, keras_metadata.pb included
- three       the same kind of model in Keras 3: tf.train.Checkpoint(model=...), export(), .safetensors and .npz by variable path,
              three_odd.npz with what only others than np.savez write

--corpus also writes the fuzzers' first inputs from these files.
"""

import argparse
import io
import os
import shutil
import sys
import zipfile

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
sys.dont_write_bytecode = True

HERE = os.path.dirname(os.path.abspath(__file__))

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf_keras  # noqa: E402


def randomize(model, seed):
    rng = np.random.default_rng(seed)
    model.set_weights([(rng.random(w.shape) + 0.1).astype(w.dtype) * 0.3 for w in model.get_weights()])


def example(out):
    tf_keras.backend.clear_session()
    m = tf_keras.Sequential([tf_keras.layers.Dense(1, input_shape=(1,))])
    m.set_weights([np.array([[1.5]], "float32"), np.array([0.25], "float32")])
    m.save_weights(os.path.join(out, "example"))
    return m


def cnn(layers, model_of):
    inner_in = layers.Input((6, 6, 4))
    inner_out = layers.Conv2D(2, 3, name="inner_conv")(inner_in)
    inner = model_of(inner_in, inner_out, name="inner")
    shared = layers.Dense(3, name="shared")
    x = layers.Input((8, 8, 1), name="image")
    y = layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    y = layers.BatchNormalization(name="norm")(y)
    y = inner(y)
    y = layers.Flatten(name="flat")(y)
    a = shared(y)
    b = shared(layers.Dropout(0.5, name="drop")(y))
    y = layers.Add(name="sum")([a, b])
    return model_of(x, layers.Dense(2, name="out")(y), name="cnn")


def tf_keras_cnn():
    tf_keras.backend.clear_session()
    m = cnn(tf_keras.layers, tf_keras.Model)
    randomize(m, 1)
    return m


def x_of(n=3):
    return np.random.default_rng(7).random((n, 8, 8, 1)).astype("float32")


def describe(out, name, model):
    x = x_of()
    with open(os.path.join(out, name + ".json"), "w") as f:
        f.write(model.to_json())
    np.save(os.path.join(out, name + ".x.npy"), x)
    np.save(os.path.join(out, name + ".y.npy"), np.asarray(model(x)))


def train(model, optimizer, weights):
    model.set_weights(weights)
    model.compile(optimizer, "mse")
    model.fit(x_of(4), np.ones((4, 2), "float32"), epochs=2, verbose=0)


def cnn_files(out):
    m = tf_keras_cnn()
    start = m.get_weights()
    train(m, tf_keras.optimizers.Adam(0.01), start)
    describe(out, "cnn", m)
    trained = m.get_weights()
    m.save_weights(os.path.join(out, "cnn"))
    folder = os.path.join(out, "cnn_saved")
    shutil.rmtree(folder, ignore_errors=True)
    m.save(folder, save_traces=False)
    np.savez(os.path.join(out, "cnn_optimizer.npz"), **{f"{i}": v.numpy() for i, v in enumerate(m.optimizer.variables)})

    plain = tf_keras_cnn()
    plain.set_weights(trained)
    plain.save_weights(os.path.join(out, "cnn_plain"))
    tf.train.Checkpoint(model=plain, step=tf.Variable(7, dtype=tf.int64)).save(os.path.join(out, "cnn_root"))
    shutil.move(os.path.join(out, "checkpoint"), os.path.join(out, "cnn_root.state"))

    options = tf.train.CheckpointOptions(
        experimental_sharding_callback=tf.train.experimental.MaxShardSizePolicy(max_shard_size=300))
    tf.train.Checkpoint(plain).write(os.path.join(out, "cnn_pieces"), options=options)

    legacy = tf_keras_cnn()
    train(legacy, tf_keras.optimizers.legacy.Adam(0.01), start)
    legacy.save_weights(os.path.join(out, "cnn_legacy"))
    describe(out, "cnn_legacy", legacy)

    names = [v.name.split(":")[0] for v in plain.weights]
    with tf.Graph().as_default():
        variables = [tf.compat.v1.get_variable(n, initializer=w) for n, w in zip(names, trained)]
        saver = tf.compat.v1.train.Saver(variables)
        with tf.compat.v1.Session() as session:
            session.run(tf.compat.v1.global_variables_initializer())
            saver.save(session, os.path.join(out, "cnn_names"), write_meta_graph=False, write_state=False)


def three(out):
    import keras
    from safetensors.numpy import save_file

    keras.utils.clear_session()
    m = cnn(keras.layers, keras.Model)
    randomize(m, 2)
    describe(out, "three", m)
    tf.train.Checkpoint(model=m).write(os.path.join(out, "three"))
    folder = os.path.join(out, "three_exported")
    shutil.rmtree(folder, ignore_errors=True)
    m.export(folder, verbose=False)
    arrays = {v.path: np.asarray(v) for v in m.weights}
    save_file(arrays, os.path.join(out, "three.safetensors"), metadata={"format": "keras"})
    np.savez(os.path.join(out, "three_weights.npz"), **arrays)
    odd(os.path.join(out, "three_odd.npz"), arrays)


def odd(path, arrays):
    """In turn as they are, of the other byte order, by columns, deflated."""
    with zipfile.ZipFile(path, "w") as z:
        for i, (name, x) in enumerate(arrays.items()):
            member = io.BytesIO()
            np.save(member, x.astype(">f4") if i % 4 == 1 else np.asfortranarray(x) if i % 4 == 2 else x)
            info = zipfile.ZipInfo(name + ".npy")
            info.compress_type = zipfile.ZIP_DEFLATED if i % 4 == 3 else zipfile.ZIP_STORED
            z.writestr(info, member.getvalue())


def literal(data):
    """Snappy without any copy."""
    out = bytearray()
    n = len(data)
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    for i in range(0, len(data), 60):
        piece = data[i:i + 60]
        out.append((len(piece) - 1) << 2)
        out += piece
    return bytes(out)


def corpus(out, folder):
    for name in ("sstable", "object_graph", "snappy", "safetensors"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    for name in ("example", "cnn", "cnn_legacy", "cnn_names", "cnn_pieces", "three"):
        index = open(os.path.join(out, name + ".index"), "rb").read()
        open(os.path.join(folder, "sstable", name), "wb").write(index)
        open(os.path.join(folder, "snappy", name), "wb").write(literal(index[:200]))
        reader = tf.train.load_checkpoint(os.path.join(out, name))
        if reader.has_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"):
            graph = reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
            open(os.path.join(folder, "object_graph", name), "wb").write(graph)
    block = b"\x00\x01\x03a123\x01\x01\x03b123\x00\x00\x00\x00\x01\x00\x00\x00"
    open(os.path.join(folder, "snappy", "copy"), "wb").write(bytes([len(block) + 8]) + literal(block)[1:] + b"\x11\x08")
    for name in ("three.safetensors", "three_weights.npz"):
        shutil.copy(os.path.join(out, name), os.path.join(folder, "safetensors", name))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", default=os.path.join(HERE, "..", "tests", "fixtures", "checkpoints"))
    p.add_argument("--corpus")
    args = p.parse_args()
    out = args.out
    os.makedirs(out, exist_ok=True)
    tf.keras.utils.set_random_seed(1)
    cnn_files(out)
    three(out)
    example(out)
    shutil.rmtree(os.path.join(out, "cnn_saved", "assets"), ignore_errors=True)
    shutil.rmtree(os.path.join(out, "three_exported", "assets"), ignore_errors=True)
    for folder in ("cnn_saved", "three_exported"):
        os.remove(os.path.join(out, folder, "fingerprint.pb"))
    if args.corpus:
        corpus(out, args.corpus)


if __name__ == "__main__":
    main()
