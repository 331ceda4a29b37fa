#!/usr/bin/env python3
"""Saving and loading beside Keras and beside raw writes and reads of as many bytes, in one run.

  python bench/save_load.py [--forms weights.h5,...] [--rounds 5] [--cache DIR] [--build build] [--scratch DIR]
                            [--out docs/performance-saving.md] [--json FILE]

EfficientNetV2L goes into every form and back. build/bench/save_load (a process a form and a direction) writes raw, saves, writes raw
with a sync, saves with one, and starts again, so that noise on the machine hits all alike; the same for reading. Keras does the
same in a process of its own. Figures are medians. --scratch is where the files are written: the disk under test.

Needs the packages of tools/requirements-bench.txt (`./dev bench save_load` makes such an environment) and a build. The text under
"Notes" in the page is kept.
"""

import argparse
import datetime
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import models  # noqa: E402
from predict import MARK, kept_notes, machine, number, quiet_env, table  # noqa: E402, F401

MODEL = "efficientnet_v2l"
# Names are those of save_load.c; what they are called, and what Keras calls.
FORMS = {
    "weights.h5": ("`.weights.h5`", "save_weights"),
    "sharded": ("sharded at 0.25 GB", "save_weights"),
    "keras": ("`.keras`", "save"),
    "directory": ("`.keras` directory", "save"),
    "h5": ("`.h5` of Keras 2", "save"),
    "checkpoint": ("TensorFlow checkpoint", "tf.train.Checkpoint"),
    "safetensors": ("`.safetensors`", None),
    "npz": ("`.npz`", None),
}
SPARSE_SHARDS, SPARSE_ARRAYS, SPARSE_BYTES = 10, 100, 50 << 20


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--forms", default=",".join(FORMS))
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--keras-rounds", type=int, default=2, help="0 leaves Keras out")
    p.add_argument("--cache", default=models.CACHE)
    p.add_argument("--build", default=os.path.join(ROOT, "build"))
    p.add_argument("--scratch", default=os.path.join(ROOT, "build"))
    p.add_argument("--out", default=os.path.join(ROOT, "docs", "performance-saving.md"))
    p.add_argument("--json", help="write the raw figures here as well")
    p.add_argument("--peer", help=argparse.SUPPRESS)  # this process is Keras's; the folder to work in
    args = p.parse_args()
    args.forms = args.forms.split(",")
    args.path = os.path.join(args.cache, MODEL + ".keras")
    return args


# --- Keras in its process ---------------------------------------------------------------------------


class Watch:
    """Milliseconds, and how far the resident memory grew meanwhile."""

    def __enter__(self):
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")  # the highest size starts again
        self.before, self.start = self.resident("VmRSS"), time.perf_counter()
        return self

    def __exit__(self, *_):
        self.ms = (time.perf_counter() - self.start) * 1e3
        self.grown = self.resident("VmHWM") - self.before

    @staticmethod
    def resident(what):
        with open("/proc/self/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith(what)) / 1024


def calls_of_keras(form, folder, model):
    """What saves and what loads the form again."""
    import keras
    import tensorflow as tf

    path = os.path.join(folder, "k")
    if form == "checkpoint":
        c = tf.train.Checkpoint(model=model)
        return lambda: c.write(path), lambda: c.read(path).assert_consumed()
    if form == "weights.h5":
        return lambda: model.save_weights(path + ".weights.h5"), lambda: model.load_weights(path + ".weights.h5")
    if form == "sharded":
        return lambda: model.save_weights(path + ".weights.json", max_shard_size=0.25), lambda: model.load_weights(path + ".weights.json")
    if form == "directory":
        return lambda: keras.saving.save_model(model, path, zipped=False), lambda: keras.saving.load_model(path)
    return lambda: model.save(path + "." + form), lambda: keras.saving.load_model(path + "." + form)


def be_keras(args):
    import keras

    model = keras.saving.load_model(args.path)
    for form in args.forms:
        said = {"form": form, "save": [], "load": [], "save_mb": [], "load_mb": []}
        for _ in range(args.keras_rounds):
            folder = os.path.join(args.peer, form)
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder)
            save, load = calls_of_keras(form, folder, model)
            for what, call in (("save", save), ("load", load)):
                os.sync()
                with Watch() as watch:
                    call()
                said[what].append(watch.ms)
                said[what + "_mb"].append(watch.grown)
        shutil.rmtree(folder)
        print(json.dumps(said), flush=True)
    return 0


def measure_keras(args, folder):
    forms = [f for f in args.forms if FORMS[f][1] is not None]
    if args.keras_rounds == 0:
        return {}
    command = [sys.executable, os.path.abspath(__file__), "--peer", folder, "--forms", ",".join(forms), "--cache", args.cache]
    done = subprocess.run(command + ["--keras-rounds", str(args.keras_rounds)], stdout=subprocess.PIPE, text=True, env=quiet_env(os.cpu_count()))
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {said["form"]: said for said in found}


# --- keratin ----------------------------------------------------------------------------------------


def driver(args, *more):
    done = subprocess.run([os.path.join(args.build, "bench", "save_load"), *more], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def measure_form(args, form, folder):
    where = os.path.join(folder, form)
    said = {way: driver(args, way, form, args.path, where, str(args.rounds)) for way in ("save", "load")}
    shutil.rmtree(where)
    s, l = said["save"], said["load"]
    report = f"save {middle(s, 'save'):.0f} of {middle(s, 'raw'):.0f}, with sync {middle(s, 'save_sync'):.0f} of {middle(s, 'raw_sync'):.0f}"
    print(f"{form}: {report}, load {middle(l, 'mapped'):.1f} and {middle(l, 'copied'):.0f} of {middle(l, 'raw'):.0f} ms", file=sys.stderr, flush=True)
    return said


def make_sparse(folder):
    """A sharded set of 50 GB that takes no room: every array has its place in a file that was never written there."""
    import h5py

    type_of, shape = h5py.h5t.NATIVE_FLOAT, h5py.h5s.create_simple((SPARSE_BYTES // 4,))
    place = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    place.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    place.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    weight_map = {}
    for i in range(SPARSE_SHARDS):
        name = f"m_{i:05d}.weights.h5"
        with h5py.File(os.path.join(folder, name), "w") as f:
            for j in range(SPARSE_ARRAYS):
                path = f"/layers/dense_{i * SPARSE_ARRAYS + j}/vars"
                h5py.h5d.create(f.create_group(path).id, b"0", type_of, shape, dcpl=place)
                weight_map[path] = name
    total = SPARSE_SHARDS * SPARSE_ARRAYS * SPARSE_BYTES
    path = os.path.join(folder, "m.weights.json")
    with open(path, "w") as f:
        json.dump({"metadata": {"total_size": float(total)}, "weight_map": weight_map}, f)
    return path


def measure_list(args, folder):
    os.makedirs(folder)
    path = make_sparse(folder)
    said = {"50 GB sharded, sparse files": driver(args, "list", path, "20"), "EfficientNetV2L, `.keras`": driver(args, "list", args.path, "20")}
    shutil.rmtree(folder)
    return said


# --- the page ---------------------------------------------------------------------------------------


def middle(said, what):
    return statistics.median(said[what]) if said and said.get(what) else None


def cell(ms):
    return "-" if ms is None else number(ms)


def ratio(said, what, to):
    return f"{middle(said, what) / middle(said, to):.2f}" if middle(said, what) and middle(said, to) else "-"


def saving_table(figures, keras):
    rows = []
    for form, said in figures.items():
        s = said["save"]
        of_keras = middle(keras.get(form), "save")
        times = [cell(middle(s, w)) for w in ("raw", "save")] + [ratio(s, "save", "raw")]
        times += [cell(middle(s, w)) for w in ("raw_sync", "save_sync")] + [ratio(s, "save_sync", "raw_sync")]
        rows.append([FORMS[form][0], f"{s['bytes'] / 1e6:.1f}"] + times + [cell(middle(s, "save_no_digest")), cell(of_keras)])
    return table(["form", "MB", "raw write", "save", "ratio", "raw write, sync", "save, sync", "ratio", "save without digests", "Keras"], rows)


def loading_table(figures, keras, cold):
    rows, tail = [], "_cold" if cold else ""
    for form, said in figures.items():
        l = said["load"]
        raw, copied = "raw" + tail, "copied" + tail
        row = [FORMS[form][0], cell(middle(l, raw)), cell(middle(l, copied)), ratio(l, copied, raw), cell(middle(l, "mapped" + tail))]
        if not cold:
            row[1:1] = [cell(middle(l, "raw_again"))]
            row += [cell(middle(l, "model")), cell(middle(keras.get(form), "load"))]
        rows.append(row)
    header = ["form", "raw read", "copied", "ratio", "mapped"]
    if not cold:
        header = ["form", "raw read, memory there"] + header[1:] + ["whole model, mapped", "Keras"]
    return table(header, rows)


def memory_table(figures, keras, weights_mb):
    rows = []
    for form, said in figures.items():
        peaks = [said[way]["peak_mb"] * 1.048576 for way in ("save", "load")]
        theirs = [keras[form][w + "_mb"] if form in keras else None for w in ("save", "load")]
        row = [FORMS[form][0]]
        for peak, their in zip(peaks, theirs):
            row += [f"{peak:.0f}", f"{peak / weights_mb:.2f}", "-" if their is None else f"+{max(their) * 1.048576:.0f}"]
        rows.append(row)
    header = ["form", "save, peak MB", "of the weights", "Keras, MB on top", "load copied, peak MB", "of the weights", "Keras, MB on top"]
    return table(header, rows)


def versions(args):
    import importlib.metadata as meta

    done = subprocess.run([os.path.join(args.build, "keratin"), "--version"], capture_output=True, text=True)
    return ", ".join([" ".join(done.stdout.split())] + [f"{p} {meta.version(p)}" for p in ("keras", "tensorflow-cpu", "h5py", "numpy")])


def disk(folder):
    done = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def page(figures, keras, lists, loads, args):
    weights_mb = figures[args.forms[0]]["save"]["bytes"] / 1e6
    rows = [[name, said["arrays"], cell(middle(said, "list"))] for name, said in lists.items()]
    return f"""# Performance: saving and loading

Written by `bench/save_load.py` (`./dev bench save_load`) on {datetime.date.today().isoformat()}; the figures are those of one run.

- Machine: {machine()}; file system {disk(args.scratch)}
- Versions: {versions(args)}
- Load of the machine before and after: {loads}
- EfficientNetV2L, 119 million parameters, float32; medians of {args.rounds} rounds in milliseconds, of {args.keras_rounds} for Keras

## Saving

To a name that is not there yet, digests included (XXH3-128 where the form keeps them). "Raw write" writes as many bytes from memory to
one new file in pieces of 4 MiB, in turns with the saves; with "sync" both wait until the disk has everything. Keras does not sync.

{saving_table(figures, keras)}
## Loading, the files in the page cache

Weights into a model that has none. "Raw read" reads the files' bytes into memory of its own, as a load must that copies; "memory there"
into memory that was written before. "Copied" is a load with `copy`, "mapped" one without: arrays are used where they lie. A
checkpoint and an `.npz` are held against their checksums first. "Whole model" is `krt_load()` of the form, config and all, which is
what Keras's column is for the forms that are models; for the others that is `load_weights`.

{loading_table(figures, keras, False)}
## Loading, the page cache empty

The files' pages were dropped before each figure.

{loading_table(figures, keras, True)}
## Memory

The most that the whole process held: with the model's weights mapped from a file it saves them, or builds the model and loads them
copied. For Keras, how much its process grew during the call.

{memory_table(figures, keras, weights_mb)}
## Listing

Opening a file and listing its arrays, as `keratin weights` does.

{table(["file", "arrays", "ms"], rows)}
"""


def main():
    args = arguments()
    if args.peer:
        return be_keras(args)
    for tool in ("keratin", os.path.join("bench", "save_load")):
        if not os.access(os.path.join(args.build, tool), os.X_OK):
            print(f"bench: {os.path.join(args.build, tool)} is not there; build first", file=sys.stderr)
            return 2
    if not os.path.exists(args.path):
        os.makedirs(args.cache, exist_ok=True)
        subprocess.run([sys.executable, os.path.join(HERE, "models.py"), "--cache", args.cache, "--one", ".keras", MODEL], check=True, env=quiet_env(os.cpu_count()))
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="save-load-", dir=args.scratch) as folder:
        figures = {form: measure_form(args, form, folder) for form in args.forms}
        lists = measure_list(args, os.path.join(folder, "list"))
        keras = measure_keras(args, folder)
    loads = f"{before:.1f} and {os.getloadavg()[0]:.1f}"
    text = page(figures, keras, lists, loads, args) + kept_notes(args.out)
    with open(args.out, "w") as f:
        f.write(text)
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"machine": machine(), "versions": versions(args), "figures": figures, "keras": keras, "lists": lists}, f, indent=1)
    print(f"written: {args.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
