#!/usr/bin/env python3
"""Writes tests/fixtures/legacy: files as Keras 0 and 1 wrote them, and what they compute; trained .h5 files of every optimizer.

  python tools/make_legacy_fixtures.py [--out DIR]              with tf-keras
  python tools/make_legacy_fixtures.py --keras3 [--out DIR]     with Keras 3

Keras 1 runs on no Python of today, so the files are laid out by hand: configs with its keys, weights in its order and axes. The
truth is tf-keras: a model of today's layers holds the weights, preprocess_weights_for_loading() must turn the file's arrays
into them, and its predictions are the answers.

optimizer_*.h5 are models trained for three steps; beside each the slots as the optimizer object itself has them, "momentum_0" being
that of the first trainable variable, under Keras 3's names. optimizer_keras2_*.keras are the same as archives. Needs the packages of tools/requirements-parity.txt.
"""

import argparse
import json
import os

import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import h5py
import numpy as np

KERAS3 = "--keras3" in sys.argv
if KERAS3:
    import keras
else:
    import tf_keras as keras
    from tf_keras.src.saving.legacy import hdf5_format

HERE = os.path.dirname(os.path.abspath(__file__))
RNG = np.random.default_rng(7)


def layer(class_name, name, **config):
    return {"class_name": class_name, "config": {"name": name, "trainable": True, **config}}


def conv2d(name, n, rows, cols, order, first=None, **more):
    config = dict(nb_filter=n, nb_row=rows, nb_col=cols, init="glorot_uniform", activation="relu", border_mode="valid",
                  subsample=[1, 1], dim_ordering=order, bias=True, W_regularizer=None, b_regularizer=None,
                  activity_regularizer=None, W_constraint=None, b_constraint=None)
    config.update(more)
    if first:
        config.update(batch_input_shape=[None, *first], input_dtype="float32")
    return layer("Convolution2D", name, **config)


def dense(name, n, first=None, **more):
    config = dict(output_dim=n, init="glorot_uniform", activation="linear", bias=True, input_dim=None,
                  W_regularizer={"name": "WeightRegularizer", "l1": 0.0, "l2": 0.01}, b_regularizer=None,
                  activity_regularizer=None, W_constraint={"name": "MaxNorm", "m": 3, "axis": 0}, b_constraint=None)
    config.update(more)
    if first:
        config.update(batch_input_shape=[None, *first], input_dtype="float32")
    return layer("Dense", name, **config)


def names(group, name, values):
    group.attrs[name] = np.array([v.encode() for v in values]) if values else np.zeros((0,))


def write_layer(group, name, arrays):
    g = group.create_group(name)
    keys = [f"{name}_{key}:0" for key, _ in arrays]
    names(g, "weight_names", keys)
    for key, (_, value) in zip(keys, arrays):
        g.create_dataset(key, data=value)


def write_model(path, config, layers, training=None, optimizer=None):
    with h5py.File(path, "w") as f:
        f.attrs["keras_version"] = b"1.2.2"
        f.attrs["model_config"] = json.dumps(config).encode()
        if training:
            f.attrs["training_config"] = json.dumps(training).encode()
        g = f.create_group("model_weights")
        names(g, "layer_names", [name for name, _ in layers])
        for name, arrays in layers:
            write_layer(g, name, arrays)
        if optimizer:
            g = f.create_group("optimizer_weights")
            names(g, "weight_names", [f"Variable_{i}:0" for i in range(len(optimizer))])
            for i, value in enumerate(optimizer):
                g.create_dataset(f"Variable_{i}:0", data=value)


def check(target, arrays):
    """tf-keras makes today's weights of the file's."""
    made = hdf5_format.preprocess_weights_for_loading(target, [v for _, v in arrays], original_keras_version="1")
    for a, b in zip(made, target.get_weights()):
        assert a.shape == b.shape and np.array_equal(a, b), target.name


def randomize(model):
    model.set_weights([RNG.normal(size=w.shape).astype("float32") * 0.5 for w in model.get_weights()])


def answers(out, name, x, y):
    values = {"rtol": np.float64(1e-5), "atol": np.float64(1e-6)}
    if isinstance(x, dict):
        values.update({f"x_{k}": v for k, v in x.items()})
    else:
        values["x"] = x
    np.savez(os.path.join(out, name + ".npz"), y=np.asarray(y), **values)


def some(*shape):
    return RNG.normal(size=shape).astype("float32")


def wb(target, turn=None):
    w, b = target.get_weights()
    return [("W", turn(w) if turn else w), ("b", b)]


def cnn_tf(out):
    m = keras.Sequential([keras.layers.Conv2D(3, (3, 2), activation="relu", input_shape=(6, 5, 2)), keras.layers.MaxPooling2D((2, 2)),
                          keras.layers.Dropout(0.25), keras.layers.Flatten(), keras.layers.Dense(4, activation="hard_sigmoid")])
    randomize(m)
    a, b = wb(m.layers[0]), wb(m.layers[4])
    check(m.layers[0], a)
    config = {"class_name": "Sequential", "config": [
        conv2d("convolution2d_1", 3, 3, 2, "tf", (6, 5, 2)),
        layer("MaxPooling2D", "maxpooling2d_1", pool_size=[2, 2], strides=[2, 2], border_mode="valid", dim_ordering="tf"),
        layer("Dropout", "dropout_1", p=0.25), layer("Flatten", "flatten_1"),
        dense("dense_1", 4, activation="hard_sigmoid")]}
    training = {"optimizer_config": {"class_name": "RMSprop", "config": {"lr": 0.002, "rho": 0.9, "epsilon": 1e-08, "decay": 0.0}},
                "loss": "mse", "metrics": ["accuracy"], "sample_weight_mode": None, "loss_weights": None}
    slots = [np.abs(some(*w.shape)) for w in m.get_weights()]
    write_model(os.path.join(out, "keras1_cnn_tf.h5"), config,
                [("convolution2d_1", a), ("maxpooling2d_1", []), ("dropout_1", []), ("flatten_1", []), ("dense_1", b)], training, slots)
    x = some(3, 6, 5, 2)
    answers(out, "keras1_cnn_tf", x, m.predict(x, verbose=0))


def cnn_th(out):
    m = keras.Sequential([keras.layers.Conv2D(3, (3, 2), activation="relu", input_shape=(6, 5, 2)),
                          keras.layers.Conv2DTranspose(2, (2, 3), strides=2), keras.layers.GlobalAveragePooling2D(),
                          keras.layers.Dense(2)])
    randomize(m)
    th = keras.Sequential([keras.layers.Conv2D(3, (3, 2), data_format="channels_first", input_shape=(2, 6, 5)),
                           keras.layers.Conv2DTranspose(2, (2, 3), strides=2, data_format="channels_first")])
    th.set_weights(m.get_weights()[:4])
    a = wb(m.layers[0], lambda w: w.transpose(3, 2, 0, 1))
    b = wb(m.layers[1], lambda w: w.transpose(2, 3, 0, 1))
    check(th.layers[0], a)
    check(th.layers[1], b)
    config = {"class_name": "Sequential", "config": [
        conv2d("convolution2d_1", 3, 3, 2, "th", (2, 6, 5)),
        layer("Deconvolution2D", "deconvolution2d_1", nb_filter=2, nb_row=2, nb_col=3, output_shape=[None, 2, 8, 9], subsample=[2, 2],
              border_mode="valid", dim_ordering="th", bias=True, activation="linear", init="uniform"),
        layer("GlobalAveragePooling2D", "globalaveragepooling2d_1", dim_ordering="th"), dense("dense_1", 2)]}
    write_model(os.path.join(out, "keras1_cnn_th.h5"), config,
                [("convolution2d_1", a), ("deconvolution2d_1", b), ("globalaveragepooling2d_1", []), ("dense_1", wb(m.layers[3]))])
    x = some(2, 6, 5, 2)
    answers(out, "keras1_cnn_th", np.ascontiguousarray(x.transpose(0, 3, 1, 2)), m.predict(x, verbose=0))


def deconv_tf(out):
    m = keras.Sequential([keras.layers.Conv2DTranspose(2, (3, 2), strides=(2, 1), padding="same", input_shape=(4, 5, 3)),
                          keras.layers.BatchNormalization(), keras.layers.SeparableConv2D(3, (2, 2), activation="tanh")])
    randomize(m)
    w = m.layers[1].get_weights()
    m.layers[1].set_weights(w[:3] + [np.abs(w[3]) + 0.5])
    a = wb(m.layers[0], lambda k: k.transpose(0, 1, 3, 2))
    check(m.layers[0], a)
    bn = list(zip(["gamma", "beta", "running_mean", "running_std"], m.layers[1].get_weights()))
    sep = list(zip(["depthwise_kernel", "pointwise_kernel", "b"], m.layers[2].get_weights()))
    config = {"class_name": "Sequential", "config": [
        layer("Deconvolution2D", "deconvolution2d_1", nb_filter=2, nb_row=3, nb_col=2, output_shape=[None, 8, 5, 2], subsample=[2, 1],
              border_mode="same", dim_ordering="tf", bias=True, activation="linear", init="normal", batch_input_shape=[None, 4, 5, 3]),
        layer("BatchNormalization", "batchnormalization_1", epsilon=0.001, mode=0, axis=-1, momentum=0.99, gamma_init="one",
              beta_init="zero", gamma_regularizer=None, beta_regularizer=None),
        layer("SeparableConvolution2D", "separableconvolution2d_1", nb_filter=3, nb_row=2, nb_col=2, init="glorot_uniform",
              activation="tanh", border_mode="valid", subsample=[1, 1], depth_multiplier=1, dim_ordering="tf", bias=True)]}
    write_model(os.path.join(out, "keras1_deconv_tf.h5"), config,
                [("deconvolution2d_1", a), ("batchnormalization_1", bn), ("separableconvolution2d_1", sep)])
    x = some(2, 4, 5, 3)
    answers(out, "keras1_deconv_tf", x, m.predict(x, verbose=0))


def conv1d(out):
    for kind in ("plain", "theano"):
        m = keras.Sequential([keras.layers.Embedding(9, 4, input_length=7), keras.layers.Conv1D(3, 3, activation="relu", padding="same"),
                              keras.layers.MaxPooling1D(2), keras.layers.TimeDistributed(keras.layers.Dense(2))])
        randomize(m)
        a = wb(m.layers[1], (lambda w: w[:, None]) if kind == "plain" else (lambda w: w[:, None].transpose(3, 2, 0, 1)))
        check(m.layers[1], a)
        config = {"class_name": "Sequential", "config": [
            layer("Embedding", "embedding_1", input_dim=9, output_dim=4, init="uniform", input_length=7, mask_zero=False, dropout=0.0,
                  W_regularizer=None, W_constraint=None, activity_regularizer=None, batch_input_shape=[None, 7], input_dtype="int32"),
            layer("Convolution1D", "convolution1d_1", nb_filter=3, filter_length=3, init="uniform", activation="relu", border_mode="same",
                  subsample_length=1, bias=True, input_dim=4, input_length=None, W_regularizer=None, b_regularizer=None),
            layer("MaxPooling1D", "maxpooling1d_1", pool_length=2, stride=2, border_mode="valid"),
            layer("TimeDistributedDense", "timedistributeddense_1", output_dim=2, init="glorot_uniform", activation="linear", bias=True,
                  W_regularizer=None, b_regularizer=None, input_dim=None, input_length=None)]}
        write_model(os.path.join(out, f"keras1_conv1d_{kind}.h5"), config,
                    [("embedding_1", [("W", m.layers[0].get_weights()[0])]), ("convolution1d_1", a), ("maxpooling1d_1", []),
                     ("timedistributeddense_1", wb(m.layers[3].layer))])
        x = RNG.integers(0, 9, size=(3, 7)).astype("int32")
        answers(out, f"keras1_conv1d_{kind}", x, m.predict(x, verbose=0))


def merged(out):
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    p, q = keras.layers.Dense(2, name="p"), keras.layers.Dense(2, name="q")
    u, v = p(a), q(b)
    parts = [keras.layers.Add()([u, v]), keras.layers.Multiply()([u, v]), keras.layers.Average()([u, v]), keras.layers.Maximum()([u, v]),
             keras.layers.Dot(1)([u, v]), keras.layers.Dot(1, normalize=True)([u, v])]
    m = keras.Model([a, b], keras.layers.Concatenate()(parts))
    randomize(m)
    modes = ["sum", "mul", "ave", "max", "dot", "cos"]

    def merge(mode, **more):
        config = dict(mode=mode, mode_type="raw", concat_axis=-1, dot_axes=-1, output_shape=None, output_shape_type="raw",
                      output_mask=None, output_mask_type="raw", arguments={})
        config.update(more)
        return {**layer("Merge", f"{mode}_1", **config), "name": f"{mode}_1"}

    def node(entry, *refs):
        return {**entry, "name": entry["config"]["name"], "inbound_nodes": [[[r, 0, 0] for r in refs]] if refs else []}

    layers = [node(layer("InputLayer", "a", batch_input_shape=[None, 3], input_dtype="float32", sparse=False)),
              node(layer("InputLayer", "b", batch_input_shape=[None, 2], input_dtype="float32", sparse=False)),
              node(dense("p", 2), "a"), node(dense("q", 2), "b")]
    layers += [node(merge(mode, **({"dot_axes": 1} if mode in ("dot", "cos") else {})), "p", "q") for mode in modes]
    layers.append(node(merge("concat"), *[f"{mode}_1" for mode in modes]))
    config = {"class_name": "Model", "config": {"name": "model_1", "layers": layers, "input_layers": [["a", 0, 0], ["b", 0, 0]],
                                                "output_layers": [["concat_1", 0, 0]]}}
    groups = [(e["name"], wb(p) if e["name"] == "p" else wb(q) if e["name"] == "q" else []) for e in layers]
    write_model(os.path.join(out, "keras1_merge.h5"), config, groups)
    x = {"a": some(4, 3), "b": some(4, 2)}
    answers(out, "keras1_merge", x, m.predict(x, verbose=0))


def nested(out):
    """A Sequential in a Sequential: Keras 1 lists the inner layers in its place. Keras 0 counts them."""
    inner = keras.Sequential([keras.layers.Dense(4, activation="relu", input_shape=(3,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)])
    m = keras.Sequential([inner, keras.layers.Activation("softmax"), keras.layers.Dense(3)])
    randomize(m)
    config = {"class_name": "Sequential", "config": [
        {"class_name": "Sequential", "config": [dense("dense_1", 4, (3,), activation="relu"), layer("Dropout", "dropout_1", p=0.5),
                                                dense("dense_2", 2)]},
        layer("Activation", "activation_1", activation="softmax"), dense("dense_3", 3)]}
    groups = [("dense_1", wb(inner.layers[0])), ("dropout_1", []), ("dense_2", wb(inner.layers[2])), ("activation_1", []),
              ("dense_3", wb(m.layers[2]))]
    write_model(os.path.join(out, "keras1_nested.h5"), config, groups)
    x = some(4, 3)
    y = m.predict(x, verbose=0)
    answers(out, "keras1_nested", x, y)
    with h5py.File(os.path.join(out, "keras0_nested_weights.h5"), "w") as f:
        f.attrs["nb_layers"] = len(groups)
        for i, (_, arrays) in enumerate(groups):
            g = f.create_group(f"layer_{i}")
            g.attrs["nb_params"] = len(arrays)
            for j, (_, value) in enumerate(arrays):
                g.create_dataset(f"param_{j}", data=value)
    with open(os.path.join(out, "keras0_nested.json"), "w") as f:
        json.dump({**config, "keras_version": "1.2.2"}, f)
    answers(out, "keras0_nested", x, y)


# --- optimizers ---

NEW = {  # name: (class, arguments, {Keras 3's slot: attribute})
    "adam": ("Adam", dict(learning_rate=0.01, beta_1=0.8), {"momentum": "_momentums", "velocity": "_velocities"}),
    "amsgrad": ("Adam", dict(amsgrad=True), {"momentum": "_momentums", "velocity": "_velocities", "velocity_hat": "_velocity_hats"}),
    "adamw": ("AdamW", dict(weight_decay=0.01), {"momentum": "_momentums", "velocity": "_velocities"}),
    "sgd": ("SGD", dict(momentum=0.9, nesterov=True), {"momentum": "momentums"}),
    "plain_sgd": ("SGD", {}, {}),
    "rmsprop": ("RMSprop", dict(momentum=0.5, centered=True),
                {"velocity": "_velocities", "momentum": "_momentums", "average_gradient": "_average_gradients"}),
    "adagrad": ("Adagrad", {}, {"accumulator": "_accumulators"}),
    "adadelta": ("Adadelta", {}, {"accumulated_grad": "_accumulated_grads", "accumulated_delta_var": "_accumulated_delta_vars"}),
    "adamax": ("Adamax", {}, {"momentum": "_m", "norm": "_u"}),
    "nadam": ("Nadam", {}, {"momentum": "_momentums", "velocity": "_velocities"}),
    "ftrl": ("Ftrl", {}, {"accumulator": "_accumulators", "linear": "_linears"}),
    "lion": ("Lion", {}, {"momentum": "momentums"}),
}
SLOTS = {  # of the optimizers before 2.11
    "adam": {"momentum": "m", "velocity": "v"}, "amsgrad": {"momentum": "m", "velocity": "v", "velocity_hat": "vhat"},
    "sgd": {"momentum": "momentum"}, "rmsprop": {"velocity": "rms", "momentum": "momentum", "average_gradient": "mg"},
    "adagrad": {"accumulator": "accumulator"}, "adadelta": {"accumulated_grad": "accum_grad", "accumulated_delta_var": "accum_var"},
    "adamax": {"momentum": "m", "norm": "v"}, "nadam": {"momentum": "m", "velocity": "v"},
    "ftrl": {"accumulator": "accumulator", "linear": "linear"},
}


def train(optimizer):
    keras.utils.set_random_seed(3)
    m = keras.Sequential([keras.layers.Dense(3, activation="tanh", name="first"), keras.layers.BatchNormalization(name="norm"),
                          keras.layers.Dense(2, name="last")])
    m.build((None, 4))
    m.compile(optimizer, "mse", metrics=["mae"])
    rng = np.random.default_rng(5)
    m.fit(rng.normal(size=(24, 4)), rng.normal(size=(24, 2)), batch_size=8, epochs=1, verbose=0, shuffle=False)
    return m


def keep(out, name, m, slots, ending=".h5"):
    m.save(os.path.join(out, name + ending))
    values = {"iteration": np.asarray(m.optimizer.iterations)}
    for slot, tensors in slots.items():
        values.update({f"{slot}_{i}": np.asarray(t) for i, t in enumerate(tensors)})
    np.savez(os.path.join(out, name + ".slots.npz"), **values)


def attribute(o, name):
    bare = name.lstrip("_")
    return next(getattr(o, n) for n in (name, bare, "_" + bare) if hasattr(o, n))


def optimizers(out):
    for name, (cls, arguments, slots) in NEW.items():
        for kind in ("keras3",) if KERAS3 else ("new", "old"):
            if kind == "old" and name not in SLOTS:
                continue
            home = keras.optimizers.legacy if kind == "old" else keras.optimizers
            m = train(getattr(home, cls)(**arguments))
            o, trained = m.optimizer, m.trainable_variables
            if kind == "old":
                found = {slot: [o.get_slot(v, word) for v in trained] for slot, word in SLOTS[name].items()}
            else:
                found = {slot: attribute(o, a) for slot, a in slots.items()}
            keep(out, f"optimizer_{kind}_{name}", m, found)


def archives(out):
    """The .keras of tf-keras: without a rate among the variables, and of the optimizers before 2.11 without any."""
    adam = NEW["adam"][2]
    for name, optimizer, slots in (
            ("adam", keras.optimizers.Adam(0.01, beta_1=0.8), adam), ("plain_sgd", keras.optimizers.SGD(0.01), {}),
            ("scheduled_adam", keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)), adam),
            ("scaled_adam", keras.mixed_precision.LossScaleOptimizer(keras.optimizers.Adam(0.01)), adam),
            ("old_sgd", keras.optimizers.legacy.SGD(0.01, momentum=0.9, decay=0.01), {})):
        m = train(optimizer)
        own = optimizer.inner_optimizer if name == "scaled_adam" else optimizer
        keep(out, f"optimizer_keras2_{name}", m, {slot: attribute(own, a) for slot, a in slots.items()}, ".keras")


def gates(target, order):
    """Keras 1's arrays of a cell: W, U and b for each gate in its own order."""
    k, u, b = (np.split(w, len(order), axis=-1) for w in target.get_weights())
    return [(f"{kind}_{gate}", parts[i]) for gate, i in order for kind, parts in (("W", k), ("U", u), ("b", b))]


LSTM_GATES = [("i", 0), ("c", 2), ("f", 1), ("o", 3)]
GRU_GATES = [("z", 0), ("r", 1), ("h", 2)]


def recurrent(out):
    """Gates that lie apart (Keras 1), and as cuDNN wants them (Keras 2)."""
    global RNG
    RNG = np.random.default_rng(11)
    L = keras.layers
    m = keras.Sequential([L.LSTM(4, return_sequences=True, recurrent_activation="hard_sigmoid", input_shape=(5, 3)),
                          L.Bidirectional(L.LSTM(3, return_sequences=True, recurrent_activation="hard_sigmoid")),
                          L.GRU(3, return_sequences=True, recurrent_activation="hard_sigmoid", reset_after=False), L.SimpleRNN(2)])
    randomize(m)
    first, both, gru, simple = m.layers
    check(first, gates(first, LSTM_GATES))
    check(gru, gates(gru, GRU_GATES))
    common = dict(init="glorot_uniform", inner_init="orthogonal", activation="tanh", go_backwards=False, stateful=False, unroll=False,
                  consume_less="cpu", dropout_W=0.0, dropout_U=0.0, W_regularizer=None, U_regularizer=None, b_regularizer=None, input_dim=None)
    lstm = dict(common, forget_bias_init="one", inner_activation="hard_sigmoid")
    config = {"class_name": "Sequential", "config": [
        layer("LSTM", "lstm_1", output_dim=4, return_sequences=True, batch_input_shape=[None, 5, 3], input_dtype="float32", **lstm),
        layer("Bidirectional", "bidirectional_1", merge_mode="concat", layer=layer("LSTM", "lstm_2", output_dim=3, return_sequences=True, **lstm)),
        layer("GRU", "gru_1", output_dim=3, return_sequences=True, inner_activation="hard_sigmoid", **common),
        layer("SimpleRNN", "simplernn_1", output_dim=2, return_sequences=False, **common)]}
    halves = [(f"{side}_{key}", value) for side, half in (("forward", both.forward_layer), ("backward", both.backward_layer))
              for key, value in gates(half, LSTM_GATES)]
    groups = [("lstm_1", gates(first, LSTM_GATES)), ("bidirectional_1", halves), ("gru_1", gates(gru, GRU_GATES)),
              ("simplernn_1", list(zip("WUb", simple.get_weights())))]
    write_model(os.path.join(out, "keras1_recurrent.h5"), config, groups)
    x = some(4, 5, 3)
    answers(out, "keras1_recurrent", x, m.predict(x, verbose=0))
    cudnn(out)


def cudnn(out):
    L = keras.layers
    m = keras.Sequential([L.Bidirectional(L.LSTM(4, return_sequences=True), input_shape=(5, 3)), L.GRU(3, return_sequences=True), L.LSTM(2)])
    randomize(m)

    def turned(half, kind):
        other = type(f"CuDNN{kind}", (), {"units": half.cell.units, "reset_after": True})()
        return hdf5_format._convert_rnn_weights(other, half.get_weights())

    common = dict(kernel_initializer={"class_name": "Orthogonal", "config": {"gain": 1.0, "seed": None}}, go_backwards=False, return_state=False,
                  stateful=False, kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                  kernel_constraint=None, recurrent_constraint=None, bias_constraint=None)
    config = {"class_name": "Sequential", "config": {"name": "sequential_1", "layers": [
        layer("Bidirectional", "bidirectional_1", merge_mode="concat", batch_input_shape=[None, 5, 3],
              layer=layer("CuDNNLSTM", "cu_dnnlstm_1", units=4, unit_forget_bias=True, return_sequences=True, **common)),
        layer("CuDNNGRU", "cu_dnngru_1", units=3, return_sequences=True, **common),
        layer("CuDNNLSTM", "cu_dnnlstm_2", units=2, unit_forget_bias=True, return_sequences=False, **common)]}}
    both, gru, last = m.layers
    groups = {"bidirectional_1": turned(both.forward_layer, "LSTM") + turned(both.backward_layer, "LSTM"),
              "cu_dnngru_1": turned(gru, "GRU"), "cu_dnnlstm_2": turned(last, "LSTM")}
    with h5py.File(os.path.join(out, "keras2_cudnn.h5"), "w") as f:
        f.attrs["keras_version"] = b"2.2.4"
        f.attrs["backend"] = b"tensorflow"
        f.attrs["model_config"] = json.dumps(config).encode()
        g = f.create_group("model_weights")
        names(g, "layer_names", list(groups))
        for name, arrays in groups.items():
            inner = g.create_group(name)
            keys = [f"{name}/part_{i // 3}/{('kernel', 'recurrent_kernel', 'bias')[i % 3]}:0" for i in range(len(arrays))]
            names(inner, "weight_names", keys)
            for key, value in zip(keys, arrays):
                inner.create_dataset(key, data=value)
    x = some(4, 5, 3)
    answers(out, "keras2_cudnn", x, m.predict(x, verbose=0))


def compiled_only(out):
    """Saved before any training: the optimizer has made no variables yet."""
    m = keras.Sequential([keras.layers.Dense(2, name="d")])
    m.build((None, 3))
    m.compile("adam", "mse")
    m.save(os.path.join(out, "compiled_only.h5"))


def lambdas(out):
    """Layers behind a Lambda, and none: only running it tells what shape comes out."""
    twice = eval(compile("lambda x: x * 2", "example", "eval"))
    for name, units in (("keras2_lambda", 2), ("keras2_lambda_last", 0)):
        layers = [keras.Input((3,)), keras.layers.Dense(2, name="first"), keras.layers.Lambda(twice, name="twice")]
        m = keras.Sequential(layers + [keras.layers.Dense(units, name="second")] * (units > 0), name="doubling")
        m.save(os.path.join(out, name + ".h5"))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", default=os.path.join(HERE, "..", "tests", "fixtures", "legacy"))
    p.add_argument("--keras3", action="store_true", help="only the files of Keras 3")
    out = p.parse_args().out
    os.makedirs(out, exist_ok=True)
    optimizers(out)
    for fn in () if KERAS3 else (archives, cnn_tf, cnn_th, deconv_tf, conv1d, merged, nested, compiled_only, lambdas, recurrent):
        fn(out)


if __name__ == "__main__":
    main()
