#!/usr/bin/env python3
"""The models of the prediction benchmark, and what the peers need of them: NAME.keras, NAME.onnx (tf2onnx) and NAME.xml with
NAME.bin (OpenVINO's converter, through Keras's own export).

  python bench/models.py [--cache DIR] [NAME ...]

Everything that exists is kept, so that a slow conversion is paid once. A conversion that fails leaves NAME.onnx.failed or
NAME.xml.failed with the reason, and the benchmark prints "fails" in that place; it is tried again when this script or the
versions in tools/requirements-bench.txt have changed since.
"""

import argparse
import os
import subprocess
import sys
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
CACHE = os.path.join(ROOT, "build", "bench-models")

# name: (input shape without the batch, batch sizes)
MODELS = {
    "mlp": ((784,), (1, 32)),
    "mnist_cnn": ((28, 28, 1), (1, 32)),
    "mobilenet_v2": ((224, 224, 3), (1, 32)),
    "resnet50": ((224, 224, 3), (1, 32)),
    "efficientnet_b0": ((224, 224, 3), (1, 32)),
    "efficientnet_v2l": ((480, 480, 3), (1,)),
}
APPLICATIONS = {"mobilenet_v2": "MobileNetV2", "resnet50": "ResNet50", "efficientnet_b0": "EfficientNetB0", "efficientnet_v2l": "EfficientNetV2L"}


def build(name):
    """A Keras model with random weights whose activations stay near one."""
    import keras
    from keras import layers

    sys.path.insert(0, os.path.join(ROOT, "tools"))
    if name in APPLICATIONS:
        import appmodels

        return appmodels.build(APPLICATIONS[name])
    keras.utils.set_random_seed(1)
    if name == "mlp":
        return keras.Sequential([keras.Input((784,)), layers.Dense(512, activation="relu"), layers.Dense(512, activation="relu"), layers.Dense(10, activation="softmax")], name=name)
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2), layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(2),
            layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dense(10, activation="softmax"),
        ],
        name=name,
    )


def make_keras(name, path):
    build(name).save(path)


def make_onnx(name, path):
    """tf2onnx on the frozen function. Keras's own export leaves the constants of a Normalization layer as inputs that nobody can
    feed, and the file of an EfficientNet does not run."""
    import keras
    import tensorflow as tf
    import tf2onnx
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    model = keras.saving.load_model(path[:-5] + ".keras")
    spec = tf.TensorSpec((None,) + MODELS[name][0], tf.float32, name="x")
    frozen = convert_variables_to_constants_v2(tf.function(lambda x: model(x, training=False)).get_concrete_function(spec))
    names = dict(input_names=[frozen.inputs[0].name], output_names=[frozen.outputs[0].name])
    tf2onnx.convert.from_graph_def(frozen.graph.as_graph_def(), opset=17, output_path=path, **names)


def make_openvino(name, path):
    import keras

    keras.saving.load_model(path[:-4] + ".keras").export(path, format="openvino", verbose=False)


FORMS = {".keras": make_keras, ".onnx": make_onnx, ".xml": make_openvino}


def make_one(name, suffix, cache):
    """In this process: makes one file, or leaves a .failed beside it."""
    path = os.path.join(cache, name + suffix)
    try:
        FORMS[suffix](name, path)
    except BaseException as e:
        if os.path.exists(path):
            os.remove(path)
        with open(path + ".failed", "w") as f:
            f.write("".join(traceback.format_exception_only(e)))
        traceback.print_exc()
        return 1
    return 0


def prepare(names, cache):
    """Makes what is missing, each file in a process of its own: converters keep memory and some of them abort."""
    import time

    os.makedirs(cache, exist_ok=True)
    changed = max(os.path.getmtime(p) for p in (os.path.abspath(__file__), os.path.join(ROOT, "tools", "requirements-bench.txt")))
    for name in names:
        for suffix in FORMS:
            path = os.path.join(cache, name + suffix)
            if os.path.exists(path + ".failed") and os.path.getmtime(path + ".failed") < changed:
                os.remove(path + ".failed")
            if os.path.exists(path) or os.path.exists(path + ".failed"):
                continue
            start = time.time()
            env = dict(os.environ, KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
            done = subprocess.run([sys.executable, os.path.abspath(__file__), "--cache", cache, "--one", suffix, name], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            if done.returncode != 0:
                if not os.path.exists(path + ".failed"):
                    with open(path + ".failed", "w") as f:
                        f.write(f"exit status {done.returncode}\n{done.stderr[-2000:]}")
            with open(path + ".seconds", "w") as f:
                f.write(f"{time.time() - start:.1f}\n")
            print(f"{name}{suffix}: {'made' if done.returncode == 0 else 'failed'} in {time.time() - start:.0f} s", file=sys.stderr, flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--cache", default=CACHE)
    p.add_argument("--one", help="internal: make this one form in this process")
    p.add_argument("names", nargs="*", default=list(MODELS))
    args = p.parse_args()
    if args.one:
        return make_one(args.names[0], args.one, args.cache)
    prepare(args.names, args.cache)
    return 0


if __name__ == "__main__":
    sys.exit(main())
