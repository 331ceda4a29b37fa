#!/usr/bin/env python3
"""Holds what training prints, writes and decides against real Keras, live.

    tools/parity_callbacks.py BUILD_DIR [--quick] [--only NAME,...] [--seed N]

Parts: progbar (the bar's bytes, its clock given), templates (names of checkpoints), decisions (callbacks on scripted values: epochs, lines,
rates), runs (the same fits side by side: standard output, files, CSV, history), on_batch, tensorboard (event files,
read with TensorBoard's reader), backup (killed with SIGKILL in the middle of an epoch, resumed, bit for
bit), remote (a small HTTP server). Numbers agree within 1e-4; everything else, byte for byte. One line a
case that differs, then "N same, M differ"; exit status 1 when any does.
"""

import argparse
import contextlib
import io
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import warnings

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras  # noqa: E402
import numpy as np  # noqa: E402

ROWS, BATCH = 45, 8
warnings.simplefilter("ignore")  # what Keras says of retracing and of optimizers that are not built


class Tally:
    """Counts cases, and says what differs."""

    def __init__(self):
        self.same = self.differ = 0

    def check(self, name, ours, theirs):
        if ours == theirs:
            self.same += 1
            return
        self.differ += 1
        print(f"DIFFERS {name}\n   ours  {ours!r}\n   Keras {theirs!r}", flush=True)


NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?|-?\d+e[-+]?\d+|nan|inf")


def close(a, b):
    """Texts that differ in numbers alone, and in those by rounding."""
    if NUMBER.sub("#", a) != NUMBER.sub("#", b):
        return False
    x, y = (np.array([float(n) for n in NUMBER.findall(s)]) for s in (a, b))
    return np.allclose(x, y, rtol=1e-4, atol=2e-4, equal_nan=True)


def same_text(a, b):
    """Ours, as Keras has it where the difference is rounding."""
    return b if close(a, b) else a


TIMES = [(re.compile(r"\x1b\[1m[\d:]+s?\x1b\[0m \d+(?:s|ms|us)/step"), "TIME"), (re.compile(r"\d+s - \d+(?:s|ms|us)/step"), "TIME")]


def without_times(text):
    """What is printed, without what depends on the clock: times, the updates in between and their backspaces."""
    lines = []
    for line in text.split("\n"):
        line = line.rsplit("\r", 1)[-1].rstrip()
        for pattern, word in TIMES:
            line = pattern.sub(word, line)
        lines.append(line)
    return "\n".join(lines)


# --- both sides ------------------------------------------------------------------------------------


class Sides:
    """A folder with a model and data, and one run of each side."""

    def __init__(self, driver, folder):
        self.driver, self.folder = driver, folder
        rng = np.random.default_rng(3)
        self.x = rng.normal(size=(ROWS, 5)).astype("float32")
        self.y = rng.integers(0, 3, ROWS).astype("int32")
        np.save(folder / "x.npy", self.x)
        np.save(folder / "y.npy", self.y)
        self.models = {}

    def model(self, kind):
        if kind not in self.models:
            keras.utils.clear_session()
            keras.utils.set_random_seed(5)
            model = MODELS[kind]()
            path = self.folder / f"{kind}.keras"
            model.save(path)
            self.models[kind] = path
        return self.models[kind]

    def ours(self, name, kind, **spec):
        place = self.folder / name / "ours"
        place.mkdir(parents=True, exist_ok=True)
        spec = {"model": str(self.model(kind)), "x": str(self.folder / "x.npy"), "y": str(self.folder / "y.npy"),
                "history": str(place / "history.json"), **spec}
        path = self.folder / name / "spec.json"
        path.write_text(json.dumps(spec))
        done = subprocess.run([self.driver, path], cwd=place, capture_output=True)
        return done, place

    def keras(self, name, kind, fit, callbacks=(), script=None, batches=None, **rest):
        """What Keras prints and its history; it runs in its folder."""
        place = self.folder / name / "keras"
        place.mkdir(parents=True, exist_ok=True)
        model = keras.models.load_model(self.model(kind))
        made = ([Script(script)] if script else []) + [by_config(c) for c in callbacks]
        fit = dict(fit)
        if "validation_epochs" in fit:
            fit["validation_freq"] = fit.pop("validation_epochs")
        fit["shuffle"] = bool(fit.get("shuffle", 0))
        data = {"x": self.x, "y": self.y}
        if batches:
            source, counter = self.generator(batches, fit.pop("batch_size", 32))
            data, made = {"x": source}, [counter, *made]
            fit.pop("shuffle")
        out, here, history = io.StringIO(), os.getcwd(), None
        os.chdir(place)
        try:
            with contextlib.redirect_stdout(out):
                history = model.fit(**data, **{"verbose": 0, **fit}, callbacks=made)
                if "evaluate" in rest:
                    model.evaluate(self.x, self.y, **rest["evaluate"])
                if "predict" in rest:
                    model.predict(self.x, **rest["predict"])
        finally:
            os.chdir(here)
        return out.getvalue(), history.history, place, model

    def generator(self, batches, size):
        """The driver's source: pass after pass from the first row on, each as long as it is told. Returns a callback,
        too, which knows the pass: Keras begins some only to look at the data."""
        import tensorflow as tf

        counter = Counter()

        def one_pass():
            for i in range(batches[counter.epoch % len(batches)]):
                row = i * size % (ROWS - size)
                yield self.x[row:row + size], self.y[row:row + size]

        kinds = (tf.TensorSpec((None, 5), "float32"), tf.TensorSpec((None,), "int32"))
        return tf.data.Dataset.from_generator(one_pass, output_signature=kinds), counter


class Counter(keras.callbacks.Callback):
    epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch


class Script(keras.callbacks.Callback):
    """Logs given values, one an epoch."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        for name, values in self.values.items():
            if epoch < len(values) and values[epoch] is not None:
                logs[name] = float(values[epoch])


def by_config(c):
    config = dict(c["config"])
    if c["class_name"] == "LearningRateScheduler":
        rates = config.pop("rates")
        config["schedule"] = lambda epoch: rates[epoch]
    return getattr(keras.callbacks, c["class_name"])(**config)


def callback(class_name, **config):
    return {"class_name": class_name, "config": config}


def small():
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(6, activation="tanh", name="d"), keras.layers.Dense(3, activation="softmax", name="out")], name="small")
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def many_metrics():
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(6, activation="tanh", name="d"), keras.layers.Dense(3, activation="softmax", name="out")], name="many")
    model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy",
                  metrics=["acc", keras.metrics.SparseTopKCategoricalAccuracy(2, name="Top2"), "sparse_categorical_crossentropy"],
                  weighted_metrics=["accuracy"])
    return model


def regression():
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1, name="out")], name="regression")
    model.compile(keras.optimizers.SGD(0.001), keras.losses.LogCosh(), metrics=["mae", keras.metrics.R2Score(name="r2")])
    return model


def averaged():
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, activation="tanh", name="d"), keras.layers.Dense(3, activation="softmax", name="out")], name="averaged")
    model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def nested():
    inner = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, use_bias=False, name="a"), keras.layers.BatchNormalization(name="bn")], name="inner")
    x = keras.Input((5,), name="in")
    model = keras.Model(x, keras.layers.Dense(3, activation="softmax", name="out")(inner(x)), name="nested")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def plain():
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, activation="softmax", name="out")], name="plain")
    model.compile(keras.optimizers.Adam(), "sparse_categorical_crossentropy")
    return model


MODELS = {f.__name__: f for f in (small, plain, many_metrics, regression, averaged, nested)}

# --- parts -----------------------------------------------------------------------------------------


def progbar(sides, tally, seed, quick):
    """Random bars under a clock that both are given."""
    import keras.src.utils.progbar as module

    rng = random.Random(seed)
    clock = {"now": 0.0}
    real_time, module.time = module.time, type("Clock", (), {"time": staticmethod(lambda: clock["now"])})
    try:
        for case in range(40 if quick else 400):
            target = rng.choice([None, 1, 2, 7, 9, 10, 20, 99, 100, 1000, 12345])
            verbose = rng.choice([1, 1, 2])
            names = rng.sample(["loss", "accuracy", "val_loss", "größe", "a_metric", "auc_1", "lr"], rng.randint(0, 5))
            scale = 10 ** rng.uniform(-5, 4)
            clock["now"] = start = round(rng.uniform(1, 1e6), 3)
            lines, out = [f"begin {-1 if target is None else target} {verbose} {start!r}"], io.StringIO()
            with contextlib.redirect_stdout(out):
                bar = module.Progbar(target, verbose=verbose, stateless_metrics=set())
                steps = target or 12
                for current in sorted(rng.sample(range(1, steps + 1), min(steps, 8))) + [steps]:
                    clock["now"] += rng.choice([0.0, 0.01, 0.06, scale, scale * steps])
                    last = current == steps and lines[-1].startswith("update %d " % steps)
                    values = [(n, rng.choice([0.0, 1.0, float("nan"), float("inf"), rng.uniform(-1, 1) * 10 ** rng.uniform(-6, 6)])) for n in names]
                    if last and target is None:  # the logger tells the bar how long the first pass was
                        bar.target = steps
                        lines.append(f"target {steps}")
                    if not (last or verbose == 1):
                        continue
                    lines.append(f"update {current} {clock['now']!r} {int(last)} " + " ".join(f"{n} {v!r}" for n, v in values))
                    bar.update(current, values, finalize=last)
            done = subprocess.run([sides.driver, "progbar"], input=("\n".join(lines) + "\n").encode(), capture_output=True)
            tally.check(f"progbar {case} {lines[:2]}", done.stdout.decode(), out.getvalue())
    finally:
        module.time = real_time


def templates(sides, tally, seed, quick):
    """Names of checkpoints, as Python's str.format() makes them of random format specs."""
    rng = random.Random(seed)
    lines, wanted = [], []
    for _ in range(500 if quick else 5000):
        spec = "".join([rng.choice(["", "", "*<", ">", "0^", "=", "x=", "<"]), rng.choice(["", "", "+", "-", "_"]), rng.choice(["", "", "#"]), rng.choice(["", "0"]),
                        rng.choice(["", "3", "12"]), rng.choice(["", "", ",", "_"]), rng.choice(["", ".0", ".1", ".3", ".7"]), rng.choice(["", "", *"bdeEfFgGnoxX%s"])])
        if rng.random() < 0.05:
            spec += rng.choice(["z", "..", "}", "5"])
        field, template = rng.choice(["epoch", "batch", "loss"]), ""
        template = rng.choice(["m-", "{{a}}", ""]) + "{" + field + (":" + spec if spec else "") + "}.h5"
        epoch, batch = rng.choice([1, 7, 12345, 10**9]), rng.randint(1, 5000)
        loss = float(np.float32(rng.choice([0, 1, -1]) * 10 ** rng.uniform(-9, 12))) if rng.random() < 0.9 else rng.choice([float("nan"), float("inf"), -0.0])
        try:
            text = template.format(epoch=epoch, batch=batch, loss=loss)
        except (ValueError, KeyError, IndexError):
            text = "refused"
        lines.append(f"{template} {epoch} {batch} loss {loss!r}")
        wanted.append(text)
    done = subprocess.run([sides.driver, "template"], input="\n".join(lines) + "\n", capture_output=True, text=True)
    for line, ours, theirs in zip(lines, done.stdout.split("\n"), wanted):
        tally.check(f"template {line}", ours, theirs)


def scripts(rng, n):
    """Values that hover, fall, climb, stand still or are no numbers."""
    start, kind = rng.uniform(0.2, 3), rng.choice(["fall", "climb", "walk", "steps", "nan"])
    values = []
    for i in range(n):
        move = {"fall": -rng.random() * 0.1, "climb": rng.random() * 0.1, "walk": rng.uniform(-0.1, 0.1),
                "steps": rng.choice([0, 0, 0.01, -0.01]), "nan": rng.uniform(-0.1, 0.1)}[kind]
        start += move
        values.append(None if rng.random() < 0.05 else "nan" if kind == "nan" and rng.random() < 0.3 else float(np.float32(round(start, 4))))
    return values


def random_callback(rng, monitor):
    base = {"monitor": monitor, "mode": rng.choice(["min", "max"]), "verbose": 1}
    kind = rng.choice(["EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint"])
    if kind == "EarlyStopping":
        base |= {"patience": rng.randint(0, 3), "min_delta": rng.choice([0, 0.01, -0.01, 0.1]), "start_from_epoch": rng.choice([0, 0, 1, 3]),
                 "restore_best_weights": rng.random() < 0.5, "baseline": rng.choice([None, None, rng.uniform(0.2, 3)])}
    elif kind == "ReduceLROnPlateau":
        base |= {"patience": rng.randint(0, 3), "factor": rng.choice([0.1, 0.5, 0.9]), "cooldown": rng.choice([0, 1, 2]),
                 "min_delta": rng.choice([0, 1e-4, 0.01, 0.05]), "min_lr": rng.choice([0, 0, 0.005])}
    else:
        base |= {"filepath": rng.choice(["m.weights.h5", "m-{epoch:02d}.weights.h5", "m-{epoch}-{loss:.1f}-{%s:.3e}.weights.h5" % monitor, "{epoch:>4}{%s:+09.3f}.weights.h5" % monitor]),
                 "save_weights_only": True, "save_best_only": rng.random() < 0.7, "initial_value_threshold": rng.choice([None, None, rng.uniform(0.2, 3)])}
    return callback(kind, **base)


def files_of(place):
    return sorted(str(p.relative_to(place)) for p in place.rglob("*") if p.is_file() and not p.name.startswith(".") and p.name != "history.json")


def history_text(history):
    return json.dumps({k: [float(v) for v in values] for k, values in history.items()})


def compare(sides, tally, name, kind, listing=True, **spec):
    """One fit on both sides: output, history, files, end weights."""
    done, ours = sides.ours(name, kind, save=str(sides.folder / name / "ours.keras"), **spec)
    printed, history, theirs, model = sides.keras(name, kind, **spec)
    text = without_times(done.stdout.decode())
    tally.check(f"{name}: standard output", same_text(text, without_times(printed)), without_times(printed))
    if done.returncode != 0:
        tally.check(f"{name}: status", (done.returncode, done.stderr.decode()), (0, ""))
        return ours, theirs
    kept = (ours / "history.json").read_text()
    tally.check(f"{name}: history", same_text(kept, history_text(history)), history_text(history))
    if listing:
        tally.check(f"{name}: files", files_of(ours), files_of(theirs))
    if all(np.isfinite(w).all() for w in model.get_weights()):
        again = keras.models.load_model(sides.folder / name / "ours.keras", compile=False)
        near = all(np.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(again.get_weights(), model.get_weights(), strict=True))
        tally.check(f"{name}: end weights", near, True)
    return ours, theirs


def decisions(sides, tally, seed, quick):
    rng = random.Random(seed)
    for case in range(10 if quick else 120):
        n, monitor = rng.randint(3, 9), "val_score"
        callbacks = [random_callback(rng, monitor) for _ in range(rng.randint(1, 2))]
        name = f"decision{case}"
        values = scripts(rng, n)
        if "{" + monitor in json.dumps(callbacks):  # a file's name that lacks its value is an error, here as there
            values = [0.5 if v is None else v for v in values]
        spec = {"fit": {"epochs": n, "batch_size": 20}, "script": {monitor: values}, "callbacks": callbacks}
        before = tally.differ
        compare(sides, tally, name, "small", **spec)
        if tally.differ > before:
            print("   ", json.dumps(spec))
        shutil.rmtree(sides.folder / name)


def runs(sides, tally, seed, quick):
    """The same fits side by side."""
    split = {"validation_split": 0.3, "batch_size": BATCH}
    cases = {
        "verbose1": ("small", {"fit": {"epochs": 2, "verbose": 1, **split}, "evaluate": {"verbose": 1}, "predict": {"verbose": 1}}),
        "verbose2": ("small", {"fit": {"epochs": 2, "verbose": 2, **split}, "evaluate": {"verbose": 2, "batch_size": 7}, "predict": {"verbose": 2}}),
        "one_epoch": ("small", {"fit": {"epochs": 1, "verbose": 1}}),
        "many_metrics": ("many_metrics", {"fit": {"epochs": 2, "verbose": 2, **split}}),
        "regression": ("regression", {"fit": {"epochs": 2, "verbose": 1, **split}}),
        "freq": ("small", {"fit": {"epochs": 5, "verbose": 2, "validation_freq": 2, **split}, "callbacks": [callback("CSVLogger", filename="log.csv")]}),
        "freq_list": ("small", {"fit": {"epochs": 5, "verbose": 2, "validation_epochs": [1, 4], **split}, "callbacks": [callback("CSVLogger", filename="log.csv")]}),
        "initial_epoch": ("small", {"fit": {"epochs": 5, "initial_epoch": 3, "verbose": 2}}),
        "steps": ("small", {"fit": {"epochs": 5, "steps_per_epoch": 4, "verbose": 2, "batch_size": BATCH}}),
        "steps_exact": ("small", {"fit": {"epochs": 3, "steps_per_epoch": 6, "verbose": 2, "batch_size": BATCH}}),
        # Not with Adam: where Keras on TensorFlow finds a generator's end it has counted a step too many. Nor growing:
        # it takes one batch more than the first pass had, and no more.
        "source": ("many_metrics", {"fit": {"epochs": 3, "verbose": 1, "batch_size": BATCH}, "batches": [4]}),
        "source_shorter": ("many_metrics", {"fit": {"epochs": 3, "verbose": 2, "batch_size": BATCH}, "batches": [5, 3, 2]}),
        "source_steps": ("many_metrics", {"fit": {"epochs": 4, "verbose": 2, "batch_size": BATCH, "steps_per_epoch": 4}, "batches": [3]}),
        "csv": ("many_metrics", {"fit": {"epochs": 3, "verbose": 0, **split}, "callbacks": [callback("CSVLogger", filename="log.csv", separator=";")]}),
        "csv_alone": ("small", {"fit": {"epochs": 2}, "callbacks": [callback("CSVLogger", filename="log.csv"), callback("LearningRateScheduler", rates=[0.01, 0.1], verbose=1)]}),
        "csv_behind": ("small", {"fit": {"epochs": 2}, "callbacks": [callback("LearningRateScheduler", rates=[0.01, 0.1], verbose=1), callback("CSVLogger", filename="log.csv")]}),
        "nan": ("plain", {"fit": {"epochs": 3, "verbose": 2, "batch_size": BATCH}, "callbacks": [callback("LearningRateScheduler", rates=[1e38, 1e38, 1e38]), callback("TerminateOnNaN")]}),
        "checkpoints": ("small", {"fit": {"epochs": 4, "verbose": 2, **split}, "callbacks": [
            callback("ModelCheckpoint", filepath="sub/m-{epoch:02d}-{val_loss:.2f}.keras", verbose=1), callback("ModelCheckpoint", filepath="best.h5", save_best_only=True, verbose=1)]}),
        "batches": ("small", {"fit": {"epochs": 4, "batch_size": 15}, "callbacks": [callback("ModelCheckpoint", filepath="m-{epoch}-{batch:03d}.weights.h5", save_weights_only=True, save_freq=5, verbose=1)]}),
        "templates": ("small", {"fit": {"epochs": 2}, "callbacks": [callback("ModelCheckpoint", filepath="a{epoch:#06x}b{loss:12.3g}c{accuracy:%}d{{e}}{epoch:*^5}{loss:,.1f}.weights.h5", save_weights_only=True)]}),
        "ema": ("averaged", {"fit": {"epochs": 3, "verbose": 2, **split}, "callbacks": [callback("SwapEMAWeights")]}),
        "ema_on_epoch": ("averaged", {"fit": {"epochs": 3, "verbose": 2, **split}, "callbacks": [callback("SwapEMAWeights", swap_on_epoch=True), callback("ModelCheckpoint", filepath="{epoch}.weights.h5", save_weights_only=True)]}),
        "backup": ("small", {"fit": {"epochs": 2, "verbose": 2}, "callbacks": [callback("BackupAndRestore", backup_dir="b", delete_checkpoint=False)]}),
    }
    few = ["verbose1", "verbose2", "many_metrics", "freq_list", "source", "steps", "csv", "csv_behind", "nan", "batches", "ema_on_epoch"]
    for name in few if quick else cases:
        kind, spec = cases[name]
        ours, theirs = compare(sides, tally, name, kind, **spec)
        for path in theirs.glob("*.csv"):
            a, b = (ours / path.name).read_bytes().decode(), path.read_bytes().decode()
            tally.check(f"{name}: {path.name}", same_text(a, b), b)
        for path in sorted(theirs.rglob("*.weights.h5")):
            twin = ours / path.relative_to(theirs)
            if twin.exists():
                tally.check(f"{name}: {path.name}", same_weights(sides, kind, twin, path), True)


def on_batch(sides, tally, seed, quick):
    """Steps on single batches, whose metrics are their own."""
    steps = [["train", 0, 8], ["train", 8, 5], ["test", 0, 20], ["reset"], ["test", 0, 20], ["test", 20, 7], ["train", 3, 9], ["reset"], ["train", 0, 45]]
    for kind in ["small", "regression"] if quick else ["small", "regression", "many_metrics", "nested"]:
        done, _ = sides.ours(f"on_batch_{kind}", kind, on_batch=steps)
        model = keras.models.load_model(sides.model(kind))
        lines = []
        for what, *rows in steps:
            if what == "reset":
                model.reset_metrics()
                continue
            first, n = rows
            logs = (model.train_on_batch if what == "train" else model.test_on_batch)(sides.x[first:first + n], sides.y[first:first + n], return_dict=True)
            lines.append(", ".join(f"{k} {float(v):.6f}" for k, v in sorted(logs.items())))
        theirs = "\n".join(lines) + "\n"
        tally.check(f"on_batch {kind}", same_text(done.stdout.decode(), theirs) or done.stderr, theirs)


def same_weights(sides, kind, a, b):
    values = []
    for path in (a, b):
        model = keras.models.load_model(sides.model(kind), compile=False)
        model.load_weights(path)
        values.append(model.get_weights())
    return all(np.allclose(v, w, rtol=1e-4, atol=1e-5) for v, w in zip(*values, strict=True))


def events(place):
    """{run: [(tag, step, plugin, value)]} of a log directory, in the order of the files."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
    from tensorboard.util import tensor_util

    found = {}
    for path in sorted(place.rglob("events.out.tfevents.*")):
        rows = found.setdefault(str(path.parent.relative_to(place)), [])
        for event in LegacyEventFileLoader(str(path)).Load():
            for v in event.summary.value:
                data = tensor_util.make_ndarray(v.tensor) if v.HasField("tensor") else None
                rows.append((v.tag, event.step, v.metadata.plugin_data.plugin_name, v.metadata.plugin_data.content, data))
    return found


def without_ids(text):
    """An object's number is where Python had it in memory."""
    return re.sub(rb', "shared_object_id": \d+', b"", text)


def same_value(plugin, a, b):
    if plugin == "graph_keras_model":
        return json.loads(without_ids(a.item())) == json.loads(without_ids(b.item()))
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if plugin == "histograms":  # counts may move over an edge
        return np.allclose(a[:, :2], b[:, :2], rtol=1e-3, atol=1e-5) and abs(a[:, 2] - b[:, 2]).sum() <= 2
    return np.allclose(a, b, rtol=1e-4, atol=1e-6)


def tensorboard(sides, tally, seed, quick):
    split = {"validation_split": 0.3, "batch_size": BATCH}
    cases = {
        "tb": ("small", {"fit": {"epochs": 3, **split}}, {}),
        "tb_histograms": ("nested", {"fit": {"epochs": 3, **split}}, {"histogram_freq": 2}),
        "tb_batches": ("small", {"fit": {"epochs": 2, **split}}, {"update_freq": 1, "write_graph": False}),
        "tb_every_third": ("small", {"fit": {"epochs": 4, **split}}, {"update_freq": 3}),
        "tb_alone": ("many_metrics", {"fit": {"epochs": 2}}, {"write_graph": False}),
        "tb_speed": ("small", {"fit": {"epochs": 2, **split}}, {"write_steps_per_second": True, "update_freq": 2}),
        "tb_rate": ("small", {"fit": {"epochs": 3, **split}, "first": callback("LearningRateScheduler", rates=[0.1, 0.01, 0.001])}, {}),
    }
    for name in ["tb_histograms", "tb_batches"] if quick else cases:
        kind, spec, config = cases[name]
        first = [spec.pop("first")] if "first" in spec else []
        ours, theirs = compare(sides, tally, name, kind, listing=False, callbacks=[*first, callback("TensorBoard", log_dir="logs", **config)], **spec)
        a, b = events(ours / "logs"), events(theirs / "logs")
        tally.check(f"{name}: runs", sorted(a), sorted(b))
        for run in b:
            rows, wanted = a.get(run, []), b[run]
            heads = [[(t, s, p, c) for t, s, p, c, _ in r] for r in (rows, wanted)]
            tally.check(f"{name}: {run}: tags, steps, plugins", *heads)
            if heads[0] == heads[1]:
                far = [(r[0], r[1], r[4], w[4]) for r, w in zip(rows, wanted) if "per_second" not in r[0] and not same_value(r[2], r[4], w[4])]
                tally.check(f"{name}: {run}: values", far, [])


def backup(sides, tally, seed, quick):
    """Killed in the middle of an epoch, with shuffling: what is resumed equals what nobody disturbed."""
    for freq, at in [(2, [1, 3]), (4, [2, 0])] if quick else [(None, [2, 2]), (1, [0, 3]), (2, [1, 3]), (3, [1, 4]), (4, [2, 0]), (5, [2, 5])]:
        name = f"backup{freq}"
        config = {"backup_dir": "b", **({"save_freq": freq} if freq else {})}
        spec = {"fit": {"epochs": 4, "batch_size": BATCH, "shuffle": 1}, "callbacks": [callback("BackupAndRestore", **config)]}
        whole, place = sides.ours(name + "whole", "nested", save="end.keras", **spec)
        killed, cut = sides.ours(name, "nested", kill_at=at, save="end.keras", **spec)
        tally.check(f"{name}: killed", (killed.returncode, (cut / "end.keras").exists()), (-9, False))
        again, _ = sides.ours(name, "nested", save="end.keras", **spec)
        tally.check(f"{name}: status", (whole.returncode, again.returncode, again.stderr), (0, 0, b""))
        values = [[np.asarray(v) for v in m.weights + m.optimizer.variables] for m in (keras.models.load_model(p / "end.keras") for p in (place, cut))]
        tally.check(f"{name}: bit for bit", all((a == b).all() for a, b in zip(*values, strict=True)), True)
        tally.check(f"{name}: the backup is gone", (cut / "b").exists(), False)


def remote(sides, tally, seed, quick):
    import http.server
    import threading

    posts = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            posts.append((self.path, self.headers["Content-Type"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, extra in [("remote", {}), ("remote_json", {"send_as_json": True, "path": "/a/b?c=d"}), ("remote_field", {"field": "x y"})]:
        config = {"root": f"http://127.0.0.1:{server.server_port}", **extra}
        spec = {"fit": {"epochs": 2, "validation_split": 0.3}, "callbacks": [callback("RemoteMonitor", **config)]}
        sides.ours(name, "small", **spec)
        ours = posts[:]
        posts.clear()
        sides.keras(name, "small", **spec)
        tally.check(f"{name}: posts", [tuple(same_text(a, b) for a, b in zip(o, t)) for o, t in zip(ours, posts)] + ours[len(posts):], posts[:])
        posts.clear()
    server.shutdown()


PARTS = [progbar, templates, decisions, runs, on_batch, tensorboard, backup, remote]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", help="comma separated parts")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.get_logger().setLevel("ERROR")
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        sides = Sides((args.build / "tests" / "fit_driver").resolve(), pathlib.Path(folder))
        for part in PARTS:
            if not args.only or part.__name__ in args.only.split(","):
                part(sides, tally, args.seed, args.quick)
    print(f"callbacks beside Keras {keras.__version__}: {tally.same} same, {tally.differ} differ")
    return 1 if tally.differ else 0


if __name__ == "__main__":
    sys.exit(main())
