#!/usr/bin/env python3
"""Writes tests/fixtures/arrays: array files and archives as NumPy and Python write them; and the fuzzers' first inputs.

  python tools/make_array_fixtures.py [--out DIR] [--corpus DIR]

Needs NumPy 2.4 and nothing else. The same version gives the same files, byte for byte.

- order.npz     the numbers 0 to 23 as (2, 3, 4) in every dtype, byte order and memory order; the name says which
- packed.npz    some of them compressed
- v1.npy, v2.npy, v3.npy   the versions of the header
- digits.gz     IDX of unsigned bytes, gzipped, as MNIST is distributed
- format.npz    arrays, and format.txt: the text NumPy prints for each ("== NAME", then str(array))
- cast.npz      X: values, X__DTYPE: X.astype(DTYPE)
- *.zip         archives of Python's zipfile: deflated with a comment, through a pipe (data descriptors), ZIP64, no arrays
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import struct
import warnings
import zipfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS = ["float16", "float32", "float64"]


def order(out):
    base = np.arange(24).reshape(2, 3, 4)
    arrays = {}
    for dtype in INTEGERS + FLOATS:
        for mark, name in (("<", "little"), (">", "big")):
            a = base.astype(np.dtype(dtype).newbyteorder(mark))
            arrays[f"{dtype}_{name}_c"] = a
            arrays[f"{dtype}_{name}_f"] = np.asfortranarray(a)
    np.savez(os.path.join(out, "order.npz"), **arrays)
    np.savez_compressed(os.path.join(out, "packed.npz"), **{k: v for k, v in arrays.items() if "float" in k},
                        zeros=np.zeros((300, 300), "float32"), flags=np.array([True, False, True]))


def versions(out):
    for major in (1, 2, 3):
        with open(os.path.join(out, f"v{major}.npy"), "wb") as f:
            np.lib.format.write_array(f, np.arange(6, dtype="float32").reshape(2, 3), version=(major, 0))


def idx(out):
    a = (np.arange(3 * 4 * 5) * 4 % 251).astype("uint8").reshape(3, 4, 5)
    raw = struct.pack(">HBB3I", 0, 8, 3, *a.shape) + a.tobytes()
    with open(os.path.join(out, "digits.gz"), "wb") as f:
        f.write(gzip.compress(raw, mtime=0))


def printed(rng):
    """Arrays that meet each rule of NumPy's printing."""
    yield from (np.array(v) for v in (True, 7, 0.1, 1e16, np.nan))
    yield from (np.float32(v) * np.ones(()).astype("float32") for v in (0.1, 1e6, 1e-5, 1 / 3))
    for dtype in FLOATS:
        for values in ([], [0], [0, 1], [1.5, 2.25], [0.1, 0.2, 0.3], [1e-5, 1], [999.0, 1], [1001.0, 1], [1 / 3, 2 / 3, 1e-3],
                       [np.nan, 1, 2], [np.inf, -np.inf], [np.nan], [-np.inf, 1.25], [1e4, np.nan, -np.inf], [-0.0, 0.0],
                       [0.0001, 0.1], [0.00009], [100, 200, 300.5], [9.999999999], [0.12345678912], [99.99999999999]):
            yield np.array(values, dtype)
        for shape in ((3,), (10,), (2, 3), (2, 3, 4), (30, 40), (1001,), (10, 10, 11), (2, 1, 3, 2), (1, 1), (3, 500), (1001, 2)):
            yield rng.standard_normal(shape).astype(dtype)
        for scale in (1e-9, 1e-5, 1e-2, 1e2, 1e5, 1e9):
            with np.errstate(over="ignore"):
                yield (rng.standard_normal(20) * scale).astype(dtype)
        p = np.exp(rng.standard_normal((4, 10)).astype(dtype))
        yield p / p.sum(1, keepdims=True)
    yield np.array([5e-324, 1.0])
    for dtype in INTEGERS:
        info = np.iinfo(dtype)
        yield np.array([info.min, info.max, 0], dtype)
        yield rng.integers(0, 100, (40, 28), dtype=dtype)
    yield rng.integers(0, 2, (3, 40)).astype(bool)
    yield np.zeros((2, 0, 3))
    yield np.zeros((1,) * 8)
    yield np.ones((7,) * 4, "float32")


def texts(out):
    arrays = {f"a{i}": np.asarray(a) for i, a in enumerate(printed(np.random.default_rng(1)))}
    np.savez_compressed(os.path.join(out, "format.npz"), **arrays)
    with open(os.path.join(out, "format.txt"), "w") as f:
        for name, a in arrays.items():
            f.write(f"== {name}\n{str(a)}\n")  # not format(), which treats scalars otherwise


def casts(out):
    """Conversions that C defines; the rest differs between machines."""
    rng = np.random.default_rng(2)
    halves = np.frombuffer(rng.bytes(400), "float16").astype("float64")
    between = (np.arange(0x3C00, 0x3C40, dtype="uint16").view("float16").astype("float64")
               + np.arange(0x3C01, 0x3C41, dtype="uint16").view("float16").astype("float64")) / 2
    arrays = {
        "real": np.concatenate([halves, between, between * (1 + 2**-52), between * (1 - 2**-53),
                                rng.standard_normal(100) * 10.0 ** rng.integers(-12, 5, 100), [0.0, -0.0, np.inf, -np.inf, np.nan, 1e300]]),
        "small": np.concatenate([rng.uniform(0, 127, 100), [0.0, -0.0, 0.5, 0.99, 1.0, 126.999]]),
        "signed": np.concatenate([rng.uniform(-128, 127, 100), [-0.5, -0.99, -127.999]]),
        "int64": np.concatenate([rng.integers(-2**63, 2**63 - 1, 100), [-2**63, 2**63 - 1, 0, 1, 2**53 + 1, 2**24 + 1]]),
        "uint64": np.concatenate([rng.integers(0, 2**64 - 1, 100, dtype="uint64"), np.array([2**63, 2**64 - 1, 2**63 + 1025], "uint64")]),
    }
    found = dict(arrays)
    for name, a in arrays.items():
        to = FLOATS + ["bool"]
        to += INTEGERS if name in ("small", "int64", "uint64") else []
        to += [t for t in INTEGERS if not t.startswith("u")] if name == "signed" else []
        for dtype in to:
            found[f"{name}__{dtype}"] = a.astype(dtype)
    np.savez_compressed(os.path.join(out, "cast.npz"), **found)


class Pipe(io.RawIOBase):
    """A file that cannot seek: zipfile then writes data descriptors."""

    def __init__(self):
        super().__init__()
        self.content = b""

    def writable(self):
        return True

    def write(self, data):
        self.content += bytes(data)
        return len(data)


def member(name, method):
    info = zipfile.ZipInfo(name)
    info.compress_type = method
    return info


def archives(out):
    text = "the same words again and again, " * 200
    with zipfile.ZipFile(os.path.join(out, "deflated.zip"), "w") as z:
        z.writestr(member("a/words.txt", zipfile.ZIP_DEFLATED), text)
        z.writestr(member("a/b/", zipfile.ZIP_STORED), "")
        z.writestr(member("bytes.bin", zipfile.ZIP_STORED), bytes(range(256)))
        z.writestr(member("empty", zipfile.ZIP_DEFLATED), "")
        z.comment = b"x" * 600
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as z:
        z.writestr(member("words.txt", zipfile.ZIP_DEFLATED), text)
        z.writestr(member("bytes.bin", zipfile.ZIP_STORED), bytes(range(256)))
    with open(os.path.join(out, "pipe.zip"), "wb") as f:
        f.write(pipe.content)
    with zipfile.ZipFile(os.path.join(out, "zip64.zip"), "w") as z:
        with z.open(member("bytes.bin", zipfile.ZIP_STORED), "w", force_zip64=True) as f:
            f.write(bytes(range(256)))
    for name, first in (("torch.zip", "archive/data.pkl"), ("keras.zip", "config.json")):
        with zipfile.ZipFile(os.path.join(out, name), "w") as z:
            z.writestr(member(first, zipfile.ZIP_STORED), "{}")


def put(folder, files):
    os.makedirs(folder, exist_ok=True)
    for name, content in files.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(content)


def zipped(members, method=zipfile.ZIP_STORED):
    f = io.BytesIO()
    with zipfile.ZipFile(f, "w") as z:
        for name, content in members:
            z.writestr(member(name, method), content)
    return f.getvalue()


def saved(a, version=(1, 0)):
    f = io.BytesIO()
    np.lib.format.write_array(f, np.asanyarray(a), version=version)
    return f.getvalue()


def seeds(corpus):
    """A file for each thing a parser knows, small, so that a fuzzer starts from all of them."""
    dense = {"module": "keras.layers", "class_name": "Dense", "registered_name": None,
             "config": {"name": "d\u00e9\U0001F600", "units": 3, "use_bias": True, "rate": 1e-07, "axis": [-1, 2.5]}}
    put(os.path.join(corpus, "json"), {
        "layer.json": json.dumps(dense).encode(), "indented.json": json.dumps([dense, dense], indent=2).encode(),
        "numbers.json": b"[0, -0, 1.5e300, -1E-5, NaN, Infinity, -Infinity, 123456789012345678901234567890, 9223372036854775808]",
        "strings.json": b'["\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\ud83d\\ude00", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"]',
        "doubled.json": b'{"a": 1, "b": {"a": []}, "a": {}}', "mark.json": b"\xef\xbb\xbf[true, false, null]\n",
        "deep.json": b"[" * 513 + b"]" * 513, "many.json": json.dumps({f"k{i}": i for i in range(60)}).encode(),
        "half.json": b'["\\ud83d", {"a": ', "tail.json": b"{} {}",
    })
    two = [("config.json", "{}"), ("a/b.txt", "words " * 40)]
    plain = zipped(two)
    put(os.path.join(corpus, "zip"), {
        "stored.zip": plain, "deflated.zip": zipped(two, zipfile.ZIP_DEFLATED), "empty.zip": zipped([]),
        "twice.zip": zipped([("a", "1"), ("a", "2")]), "leaves.zip": zipped([("../a", "1"), ("/b", "2")]),
        "folder.zip": zipped([("a/", ""), ("a/b", "")]), "before.zip": b"x" * 50 + plain, "behind.zip": plain + b"y" * 50,
        "cut.zip": plain[:-30], "bomb.zip": zipped([("a", bytes(2 << 20))], zipfile.ZIP_DEFLATED),
    })
    small = {"x": np.arange(3, dtype="float32"), "y": np.array([[True], [False]])}
    stored, packed = io.BytesIO(), io.BytesIO()
    np.savez(stored, **small)
    np.savez_compressed(packed, **small)
    idx16 = struct.pack(">HBB2I", 0, 0x0B, 2, 2, 2) + np.arange(4, dtype=">i2").tobytes()
    put(os.path.join(corpus, "npy"), {
        **{f"{n}.npy": saved(np.arange(6).reshape(2, 3).astype(d))
           for n, d in (("single", "<f4"), ("big", ">f8"), ("half", "<f2"), ("bytes", "|u1"), ("ints", ">i8"), ("flags", "|b1"))},
        "fortran.npy": saved(np.asfortranarray(np.ones((2, 3, 2), ">i4"))), "scalar.npy": saved(np.float64(np.nan)),
        "none.npy": saved(np.zeros((0, 3))), "v2.npy": saved(np.ones(2), (2, 0)), "v3.npy": saved(np.ones(2), (3, 0)),
        "record.npy": saved(np.zeros(2, [("a", "<f4")])), "long.npy": saved(np.arange(1200, dtype="float32")),
        "stored.npz": stored.getvalue(), "packed.npz": packed.getvalue(), "idx": idx16, "idx.gz": gzip.compress(idx16, mtime=0),
        "csv.gz": gzip.compress(b"1,2\n3,4\n", mtime=0), "comma.csv": b"a,b\n1,2.5\n-3e-4,nan\n", "tab.csv": b"1\t2\r\n3\t4\r\n",
        "semicolon.csv": b"# c\n\n1;2;3\n", "ragged.csv": b"1,2\n3\n", "words.csv": b"some words\nand more\n",
        "png": b"\x89PNG\r\n\x1a\n", "html": b"<!DOCTYPE html>",
    })


def field(number, value):
    """A field of a protobuf message: a number, or bytes."""
    if isinstance(value, int):
        return bytes([number << 3]) + bytes([value])
    size = len(value)
    length = b""
    while size >= 0x80:
        length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + value


def seeds_of_settings(corpus):
    """What stands beside arrays: compile settings, an architecture in a SavedModel, the newest checkpoint, digests."""
    adam = {"class_name": "Adam", "config": {"learning_rate": 0.01, "use_ema": True, "clipnorm": 1.0, "amsgrad": True}}
    decay = {"class_name": "CosineDecay", "config": {"initial_learning_rate": 0.1, "decay_steps": 10, "warmup_steps": 3, "warmup_target": 0.2}}
    sgd = {"class_name": "SGD", "config": {"learning_rate": decay, "momentum": 0.9, "nesterov": True, "gradient_accumulation_steps": 2}}
    scaled = {"class_name": "LossScaleOptimizer", "config": {"inner_optimizer": adam, "initial_scale": 8.0, "dynamic_growth_steps": 2}}
    metric = {"class_name": "AUC", "config": {"num_thresholds": 20, "curve": "PR"}}
    focal = {"class_name": "CategoricalFocalCrossentropy", "config": {"gamma": 2.0, "label_smoothing": 0.1}}
    put(os.path.join(corpus, "compile"), {
        "keras3.json": json.dumps({"optimizer": adam, "loss": "mse", "metrics": ["accuracy", metric], "loss_weights": None}).encode(),
        "schedule.json": json.dumps({"optimizer": sgd, "loss": {"out": focal}, "loss_weights": {"out": 0.5}, "weighted_metrics": ["mae"]}).encode(),
        "scaled.json": json.dumps({"optimizer": scaled, "loss": ["kl_divergence"]}).encode(),
        "names.json": json.dumps({"optimizer": "lamb", "loss": "categorical_crossentropy", "metrics": [["auc", "top_k_categorical_accuracy"]]}).encode(),
        "keras2.json": json.dumps({"optimizer_config": {"class_name": "Custom>RMSprop", "config": {"learning_rate": 0.01, "decay": 0.1, "rho": 0.9}},
                                   "loss": {"class_name": "Hinge", "config": {"reduction": "auto"}}, "sample_weight_mode": None,
                                   "metrics": [[{"class_name": "MeanMetricWrapper", "config": {"fn": "binary_accuracy", "dtype": "float32"}}]]}).encode(),
        "keras1.json": json.dumps({"optimizer_config": {"class_name": "Adadelta", "config": {"lr": 1.0, "rho": 0.95, "epsilon": 1e-08}},
                                   "loss": "mean_squared_error", "metrics": ["acc"], "sample_weight_mode": None, "loss_weights": None}).encode(),
    })
    dense = {"class_name": "Dense", "config": {"name": "d", "units": 3, "batch_input_shape": {"class_name": "__tuple__", "items": [None, 2]}}}
    model = json.dumps({"class_name": "Sequential", "config": {"name": "s", "layers": [dense]}, "training_config": {"loss": "mse"}}).encode()
    node = field(3, b"root") + field(4, b"_tf_keras_sequential") + field(5, model)
    user = field(1, b"_tf_keras_sequential") + field(3, model)
    put(os.path.join(corpus, "saved_model"), {
        "metadata": field(1, node) + field(1, field(2, 1) + field(4, b"_tf_keras_layer") + field(5, b"{}")),
        "old": field(1, 1) + field(2, field(7, field(1, field(4, user)))),
        "none": field(1, 1) + field(2, field(7, field(1, field(4, field(1, b"_generic_user_object"))))),
    })
    put(os.path.join(corpus, "checkpoint_state"), {
        "plain": b'model_checkpoint_path: "cp"\nall_model_checkpoint_paths: "old"\nall_model_checkpoint_paths: "cp"\n',
        "moved": b'model_checkpoint_path: "/else/where/cp"\nlast_preserved_timestamp: 1.5\n',
        "escapes": b"all: 1\nmodel_checkpoint_path:\t'c\\160\\x2E\\n\\'\\\\\\t'\n", "gone": b'model_checkpoint_path: "none"', "cut": b'model_checkpoint_path: "a\\',
    })
    sums = {"/layers/dense/vars/0": "sha256:" + hashlib.sha256(bytes(4)).hexdigest(), "/layers/dense/vars/1": "sha256:" + "0" * 64}
    put(os.path.join(corpus, "digests"), {
        "ours": json.dumps({"keratin_digests": 1, "config": "sha256:" + "1" * 64, "arrays": sums}).encode(),
        "listed": json.dumps([{"path": p, "sha256": d[7:], "shape": [1]} for p, d in sums.items()]).encode(),
        "fast": json.dumps({"keratin_digests": 1, "arrays": {"/gone": "xxh3-128:" + "a" * 32}}).encode(), "wrong": b'{"keratin_digests": 1, "arrays": {"a": "md5:1"}}',
    })


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", default=os.path.join(HERE, "..", "tests", "fixtures", "arrays"))
    p.add_argument("--corpus", default=os.path.join(HERE, "..", "fuzz", "corpus"))
    args = p.parse_args()
    out = args.out
    warnings.simplefilter("ignore")
    os.makedirs(out, exist_ok=True)
    for make in (order, versions, idx, texts, casts, archives):
        make(out)
    seeds(args.corpus)
    seeds_of_settings(args.corpus)


if __name__ == "__main__":
    main()
