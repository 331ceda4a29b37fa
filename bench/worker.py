"""One runtime holding one model, timed from outside: what bench/predict.c is for keratin, for the others.

  worker.py PEER STEM THREADS FOLDER SHAPE        PEER: keras, tensorflow, onnxruntime, openvino

STEM is the model's path without its suffix, SHAPE the input without the batch ("28,28,1"). Prints one JSON line when the model is
open. Then for every line "BATCH CALLS" on stdin: runs the model CALLS times on FOLDER/x_BATCH.f32 and prints the
milliseconds of each call. The first request for a batch also warms up and leaves the answer in FOLDER/PEER_BATCH.f32.
"""

import json
import os
import sys
import time

import numpy as np

WARM_UP_CALLS = 3


def open_keras(stem, threads):
    """model.predict, as a user calls it."""
    model = load_keras(stem, threads)

    def prepare(x):
        return lambda: model.predict(x, batch_size=len(x), verbose=0)

    return prepare


def open_tensorflow(stem, threads):
    """The model as one tf.function of a fixed shape, without predict's overhead."""
    import tensorflow as tf

    model = load_keras(stem, threads)

    def prepare(x):
        spec = tf.TensorSpec(x.shape, tf.float32)
        fn = tf.function(lambda t: model(t, training=False)).get_concrete_function(spec)
        given = tf.constant(x)
        return lambda: fn(given).numpy()

    return prepare


def load_keras(stem, threads):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    import keras

    return keras.saving.load_model(stem + ".keras")


def open_onnxruntime(stem, threads):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(stem + ".onnx", options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def prepare(x):
        return lambda: session.run(None, {name: x})[0]

    return prepare


def open_openvino(stem, threads):
    """float32 throughout (its default on some processors is bfloat16), one request, a shape of its own for each batch."""
    import openvino as ov

    core = ov.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1}

    def prepare(x):
        model = core.read_model(stem + ".xml")
        model.reshape(list(x.shape))
        request = core.compile_model(model, "CPU", settings).create_infer_request()
        given = ov.Tensor(x, shared_memory=True)
        request.set_input_tensor(given)

        def call():
            request.infer()
            return request.get_output_tensor(0).data

        return call

    return prepare


PEERS = {"keras": open_keras, "tensorflow": open_tensorflow, "onnxruntime": open_onnxruntime, "openvino": open_openvino}


def peak_bytes():
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def main():
    peer, stem, threads, folder, shape = sys.argv[1:6]
    shape = [int(d) for d in shape.split(",")]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print does not belong in the protocol
    start = time.perf_counter()
    prepare = PEERS[peer](stem, int(threads))
    print(json.dumps({"load_ms": 1e3 * (time.perf_counter() - start)}), file=answers, flush=True)
    ready = {}
    for line in sys.stdin:
        batch, calls = (int(v) for v in line.split())
        if batch not in ready:
            x = np.fromfile(f"{folder}/x_{batch}.f32", np.float32).reshape([batch] + shape)
            ready[batch] = call = prepare(x)
            np.asarray(call(), np.float32).tofile(f"{folder}/{peer}_{batch}.f32")
            for _ in range(WARM_UP_CALLS):
                call()
        call = ready[batch]
        times = []
        for _ in range(calls):
            start = time.perf_counter()
            call()
            times.append(1e3 * (time.perf_counter() - start))
        print(json.dumps({"ms": times, "peak_bytes": peak_bytes()}), file=answers, flush=True)


if __name__ == "__main__":
    main()
