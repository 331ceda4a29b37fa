#!/usr/bin/env python3
"""Saving and loading beside Keras and beside raw writes and reads of as many bytes, in one run.

  python bench/save_load.py [--forms weights.h5,...] [--rounds 7] [--cache DIR] [--build build] [--scratch DIR]
                            [--out docs/performance-saving.md] [--json FILE]

EfficientNetV2L goes into every form and back. build/bench/save_load (a process a form and a direction) writes raw, saves, writes raw
with a sync, saves with one, and starts again, so that noise on the machine hits all alike; the same for reading. All forms have
their turn twice, with half of the rounds each. Figures are medians, and the raw figures those of the whole run: the forms differ in size by
less than a hundredth, and a raw write of one form alone tells more of the minute it was made in. Keras does the same in a process of
its own, once where that takes seconds. --scratch is where the files are written: the disk under test.

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
KERAS_SLOW_MS = 2000
SPARSE_SHARDS, SPARSE_ARRAYS, SPARSE_BYTES = 10, 100, 50 << 20


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--forms", default=",".join(FORMS))
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--keras-rounds", type=int, default=3, help="of what takes it less than two seconds; 0 leaves Keras out")
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
        while len(said["load"]) < args.keras_rounds and max(said["save"] + said["load"], default=0) < KERAS_SLOW_MS:
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


def measure_form(args, form, folder, rounds):
    where = os.path.join(folder, form)
    said = {way: driver(args, way, form, args.path, where, str(rounds)) for way in ("save", "load")}
    shutil.rmtree(where)
    s, l = said["save"], said["load"]
    report = f"save {middle(s, 'save'):.0f} of {middle(s, 'raw'):.0f}, with sync {middle(s, 'save_sync'):.0f} of {middle(s, 'raw_sync'):.0f}"
    print(f"{form}: {report}, load {middle(l, 'mapped'):.1f} and {middle(l, 'copied'):.0f} of {middle(l, 'raw'):.0f} ms", file=sys.stderr, flush=True)
    return said


def measure_forms(args, folder):
    """Each form twice, half of the rounds each time; the lists of both are one."""
    figures = {}
    for rounds in (args.rounds - args.rounds // 2, args.rounds // 2):
        for form in args.forms if rounds > 0 else []:
            said = measure_form(args, form, folder, rounds)
            if form not in figures:
                figures[form] = said
                continue
            for way, lists in said.items():
                for what, ms in lists.items():
                    if isinstance(ms, list):
                        figures[form][way][what] += ms
    return figures


def raw_of_all(figures):
    """The raw figures of the run, from the turns of all forms."""
    names = {"save": ("raw", "raw_sync"), "load": ("raw", "raw_again", "raw_cold")}
    return {way: {what: [ms for said in figures.values() for ms in said[way][what]] for what in whats} for way, whats in names.items()}


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


def ratio(said, what, raw, to):
    return f"{middle(said, what) / middle(raw, to):.2f}" if middle(said, what) and middle(raw, to) else "-"


def spread(raw, what):
    """Median and quartiles."""
    low, mid, high = statistics.quantiles(raw[what], n=4) if len(raw[what]) > 1 else raw[what] * 3
    return f"{number(mid)} ({number(low)} to {number(high)})"


def saving_table(figures, keras, raw):
    rows = []
    for form, said in figures.items():
        s = said["save"]
        times = [cell(middle(s, "save")), ratio(s, "save", raw, "raw"), cell(middle(s, "save_sync")), ratio(s, "save_sync", raw, "raw_sync")]
        rows.append([FORMS[form][0], f"{s['bytes'] / 1e6:.1f}"] + times + [cell(middle(s, "save_no_digest")), cell(middle(keras.get(form), "save"))])
    return table(["form", "MB", "save", "of the raw write", "save, sync", "of the raw one", "save without digests", "Keras"], rows)


def loading_table(figures, keras, raw, cold):
    rows, tail = [], "_cold" if cold else ""
    for form, said in figures.items():
        l = said["load"]
        row = [FORMS[form][0], cell(middle(l, "copied" + tail)), ratio(l, "copied" + tail, raw, "raw" + tail), cell(middle(l, "mapped" + tail))]
        if not cold:
            row += [cell(middle(l, "model")), cell(middle(keras.get(form), "load"))]
        rows.append(row)
    header = ["form", "copied", "of the raw read", "mapped"]
    return table(header if cold else header + ["whole model, mapped", "Keras"], rows)


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
    raw = raw_of_all(figures)
    writes, reads = raw["save"], raw["load"]
    return f"""# Performance: saving and loading

Written by `bench/save_load.py` (`./dev bench save_load`) on {datetime.date.today().isoformat()}; the figures are those of one run.

- Machine: {machine()}; file system {disk(args.scratch)}
- Versions: {versions(args)}
- Load of the machine before and after: {loads}
- EfficientNetV2L, 119 million parameters, float32; medians of {args.rounds} rounds in milliseconds, for Keras of one where that takes two seconds
- Raw, medians and quartiles of {len(writes["raw"])} turns between those of all forms: write {spread(writes, "raw")}, with sync {spread(writes, "raw_sync")},
  read {spread(reads, "raw")}, into memory that is there {spread(reads, "raw_again")}, from the disk {spread(reads, "raw_cold")}

## Saving

To a name that is not there yet, digests included (XXH3-128 where the form keeps them). The raw write writes as many bytes from memory to
one new file in pieces of 4 MiB, in turns with the saves; with "sync" both wait until the disk has everything. Keras does not sync.

{saving_table(figures, keras, writes)}
## Loading, the files in the page cache

Weights into a model that has none. The raw read reads the files' bytes into memory of its own, as a load must that copies. "Copied" is a
load with `copy`, "mapped" one without: arrays are used where they lie. A checkpoint and an `.npz` are held against their checksums on the way. "Whole model" is `krt_load()` of the form, config and all, which is
what Keras's column is for the forms that are models; for the others that is `load_weights`.

{loading_table(figures, keras, reads, False)}
## Loading, the page cache empty

The files' pages were dropped before each figure.

{loading_table(figures, keras, reads, True)}
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
        figures = measure_forms(args, folder)
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
