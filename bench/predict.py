#!/usr/bin/env python3
"""Prediction beside its peers: keratin, ONNX Runtime, OpenVINO, TensorFlow and Keras on the same files in one run.

  python bench/predict.py [--models mlp,...] [--peers keratin,...] [--rounds 7] [--threads 2] [--cache DIR]
                          [--build build] [--out docs/performance.md] [--json FILE]

Every runtime holds the model in a process of its own; the processes wait while another works. In each round each runtime in turn
runs the model for about half a second (at least twice), so that noise on the machine hits all alike; the figure is the median of
all calls. The order changes from round to round. All answers are compared with Keras's. Start-up, opening and memory follow.

Needs the packages of tools/requirements-bench.txt (`./dev bench` makes such an environment) and a build with
build/keratin, build/bench/predict and build/bench/launch. Converted models are kept in --cache. The text under "Notes" in the page is kept.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import numpy as np  # noqa: E402

import models  # noqa: E402

TITLES = {"keratin": "keratin", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "tensorflow": "tf.function", "keras": "Keras predict"}
NEEDS = {"keratin": ".keras", "onnxruntime": ".onnx", "openvino": ".xml", "tensorflow": ".keras", "keras": ".keras"}
SLICE_S = 0.5
MARK = "## Notes"


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--models", default=",".join(models.MODELS))
    p.add_argument("--peers", default=",".join(TITLES))
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--cache", default=models.CACHE)
    p.add_argument("--build", default=os.path.join(ROOT, "build"))
    p.add_argument("--out", default=os.path.join(ROOT, "docs", "performance.md"))
    p.add_argument("--json", help="write the raw figures here as well")
    args = p.parse_args()
    args.models, args.peers = args.models.split(","), args.peers.split(",")
    return args


def quiet_env(threads):
    return dict(os.environ, KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS=str(threads), PYTHONWARNINGS="ignore")


# --- a runtime in its process -----------------------------------------------------------------------


class Runtime:
    """One process that holds one model. `failed` is the reason once anything goes wrong."""

    def __init__(self, peer, name, args, folder):
        self.peer, self.failed, self.opened, self.last = peer, None, {}, {}
        self.stem = os.path.join(args.cache, name)
        reason = self.stem + NEEDS[peer] + ".failed"
        if os.path.exists(reason):
            with open(reason) as f:
                self.failed = "conversion: " + f.read().strip().splitlines()[-1]
            return
        shape = ",".join(map(str, models.MODELS[name][0]))
        if peer == "keratin":
            command = [os.path.join(args.build, "bench", "predict"), self.stem + ".keras", str(args.threads), folder]
        else:
            command = [sys.executable, os.path.join(HERE, "worker.py"), peer, self.stem, str(args.threads), folder, shape]
        self.errors = tempfile.TemporaryFile("w+")
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=quiet_env(args.threads))
        except OSError as e:
            self.failed = str(e)
            return
        self.opened = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            lines = [t for t in self.errors.read().strip().splitlines() if t.strip()]
            self.failed = lines[-1][-200:] if lines else f"exit status {self.process.returncode}"
            return {}
        return json.loads(line)

    def time(self, batch, calls):
        if self.failed:
            return []
        try:
            self.process.stdin.write(f"{batch} {calls}\n")
            self.process.stdin.flush()
        except OSError:
            pass  # it has ended; answer() finds out why
        self.last = self.answer()
        return self.last.get("ms", [])

    def close(self):
        if hasattr(self, "process"):
            self.process.stdin.close()
            self.process.wait()


# --- one model --------------------------------------------------------------------------------------


def measure(name, args):
    """{batch: {peer: {...}}} and {peer: what it said on opening}."""
    shape, batches = models.MODELS[name]
    results, opened = {}, {}
    with tempfile.TemporaryDirectory(prefix="keratin-bench-") as folder:
        rng = np.random.default_rng(1)
        for batch in batches:
            x = rng.uniform(0, 255 if "efficientnet" in name else 1, (batch,) + shape).astype(np.float32)
            x.tofile(os.path.join(folder, f"x_{batch}.f32"))
        runtimes = [Runtime(p, name, args, folder) for p in args.peers]
        for batch in batches:
            results[batch] = one_batch(runtimes, batch, args.rounds)
            agree(results[batch], folder, batch)
            report(name, batch, results[batch])
        for r in runtimes:
            opened[r.peer] = r.opened
            r.close()
    return results, opened


def one_batch(runtimes, batch, rounds):
    calls = {}
    for r in runtimes:  # the first request prepares and warms up; its time says how many calls fill a slice
        first = r.time(batch, 2)
        if first:
            first = r.time(batch, max(2, min(50, int(0.1 / (min(first) / 1e3 + 1e-9)))))
        calls[r.peer] = max(2, min(2000, int(SLICE_S * 1e3 / statistics.median(first)))) if first else 0
    times = {r.peer: [] for r in runtimes}
    for k in range(rounds):
        for r in runtimes[k % len(runtimes) :] + runtimes[: k % len(runtimes)]:
            if not r.failed:
                time.sleep(0.05)  # thread pools of the one before stop spinning
                times[r.peer] += r.time(batch, calls[r.peer])
    out = {}
    for r in runtimes:
        t = times[r.peer]
        out[r.peer] = {"failed": r.failed} if r.failed or not t else {"ms": statistics.median(t), "least_ms": min(t), "calls": len(t), **{k: v for k, v in r.last.items() if k != "ms"}}
    return out


def agree(result, folder, batch):
    """Largest difference from Keras's answer, of its largest value; the fastest wrong answer wins nothing."""
    answers = {p: np.fromfile(os.path.join(folder, f"{p}_{batch}.f32"), np.float32) for p in result if "ms" in result[p]}
    truth = answers.get("keras", answers.get("tensorflow"))
    if truth is None:
        return
    for p, a in answers.items():
        same = a.shape == truth.shape and np.isfinite(a).all()
        result[p]["error"] = float(np.abs(a - truth).max() / np.abs(truth).max()) if same else float("inf")
        if result[p]["error"] > 1e-3:
            result[p]["failed"] = f"wrong answer: off by {result[p]['error']:.1e}"


def report(name, batch, result):
    text = "  ".join(f"{TITLES[p]} {r['ms']:.3f}" if "failed" not in r else f"{TITLES[p]} fails ({r['failed']})" for p, r in result.items())
    print(f"{name} x{batch}: {text}", file=sys.stderr, flush=True)


# --- whole processes --------------------------------------------------------------------------------


def timed_process(args, command, runs):
    """Median milliseconds from exec to exit and the largest resident size in bytes, or the reason it fails."""
    launch = os.path.join(args.build, "bench", "launch")
    done = subprocess.run([launch, str(runs)] + command, capture_output=True, text=True, env=quiet_env(args.threads))
    said = json.loads(done.stdout)
    if said["status"] != 0:
        return {"failed": (done.stderr.strip().splitlines() or ["?"])[-1][-200:]}
    return {"ms": statistics.median(said["ms"]), "peak_bytes": said["peak_bytes"]}


SCRIPTS = {
    "onnxruntime": "import numpy,onnxruntime as o;s=o.InferenceSession({stem!r}+'.onnx');print(s.run(None,{{s.get_inputs()[0].name:numpy.load({x!r})}}))",
    "openvino": "import numpy,openvino as o;print(o.compile_model({stem!r}+'.xml','CPU')(numpy.load({x!r})))",
    "keras": "import keras,numpy;print(keras.saving.load_model({stem!r}+'.keras').predict(numpy.load({x!r}),verbose=0))",
}


def start_up(args):
    """From exec to the printed prediction of mnist_cnn on one digit."""
    out, stem = {}, os.path.join(args.cache, "mnist_cnn")
    with tempfile.TemporaryDirectory(prefix="keratin-bench-") as folder:
        x = os.path.join(folder, "x.npy")
        np.save(x, np.random.default_rng(1).uniform(0, 1, (1, 28, 28, 1)).astype(np.float32))
        for p in args.peers:
            if p == "keratin":
                out[p] = timed_process(args, [os.path.join(args.build, "keratin"), "predict", stem + ".keras", "--x", x], 21)
            elif p in SCRIPTS:
                out[p] = timed_process(args, [sys.executable, "-c", SCRIPTS[p].format(stem=stem, x=x)], 3)
    return out


def listing(args):
    """Opening EfficientNetV2L and listing what it holds."""
    path = os.path.join(args.cache, "efficientnet_v2l.keras")
    tool = os.path.join(args.build, "keratin")
    return {c: timed_process(args, [tool, c, path], 11) for c in ("info", "weights", "summary")}


# --- the page ---------------------------------------------------------------------------------------


def machine():
    name, flags = platform.processor() or platform.machine(), ""
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
            if line.startswith("flags"):
                flags = line
    wide = "AVX-512" if " avx512f" in flags else "AVX2" if " avx2" in flags else "no AVX2"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return f"{name}, {os.cpu_count()} processors, {wide}, {memory:.0f} GB, {platform.system()} {platform.release()}"


def versions(args):
    import importlib.metadata as meta

    found = []
    for package in ("keras", "tensorflow", "tensorflow-cpu", "onnxruntime", "openvino", "tf2onnx", "numpy"):
        try:
            found.append(f"{package} {meta.version(package)}")
        except meta.PackageNotFoundError:
            pass
    try:
        done = subprocess.run([os.path.join(args.build, "keratin"), "--version"], capture_output=True, text=True)
        found.insert(0, " ".join(done.stdout.split()))
    except OSError:
        pass
    return ", ".join(found)


def number(ms):
    return f"{ms:.3f}" if ms < 1 else f"{ms:.2f}" if ms < 10 else f"{ms:.1f}" if ms < 100 else f"{ms:.0f}"


def cell(r):
    return "-" if r is None else "fails" if "failed" in r else number(r["ms"])


def table(header, rows):
    line = lambda row: "| " + " | ".join(str(v) for v in row) + " |"
    return "\n".join([line(header), line(["---"] * len(header))] + [line(r) for r in rows]) + "\n"


def prediction_table(figures, args):
    rows = []
    for name, (results, _) in figures.items():
        for batch, r in results.items():
            others = [v["ms"] for p, v in r.items() if p != "keratin" and "failed" not in v]
            ours = r.get("keratin", {"failed": "not run"})
            ratio = "-" if "failed" in ours or not others else f"{ours['ms'] / min(others):.2f}"
            rows.append([name, batch] + [cell(r.get(p)) for p in args.peers] + [ratio])
    return table(["model", "batch"] + [TITLES[p] for p in args.peers] + ["keratin / fastest peer"], rows)


def failures(figures):
    lines = []
    for name, (results, _) in figures.items():
        for batch, r in results.items():
            lines += [f"- {name}, batch {batch}, {TITLES[p]}: {v['failed']}" for p, v in r.items() if "failed" in v]
    return "\n".join(lines) + "\n" if lines else ""


def opening_table(figures, args):
    """Open, prepare and first call of keratin against the time to read the file's bytes."""
    rows = []
    for name, (results, opened) in figures.items():
        said = opened.get("keratin") or {}
        first = results[min(results)].get("keratin", {})
        if "load_ms" not in said or "prepare_ms" not in first:
            continue
        ready = said["load_ms"] + first["prepare_ms"] + first["first_ms"]
        need = said["weights_bytes"] + first["arena_bytes"]
        mb = lambda b: f"{b / 1e6:.1f}"
        rows.append([name, number(said["read_ms"]), number(said["load_ms"]), number(first["prepare_ms"]), number(first["first_ms"]), number(ready), mb(said["weights_bytes"]), mb(first["arena_bytes"]), mb(first["peak_bytes"]), mb(first["anon_bytes"]), f"{first['peak_bytes'] / need:.2f}"])
    header = ["model", "read the bytes, ms", "open, ms", "plan and kernels, ms", "first call, ms", "ready, ms", "weights, MB", "arena, MB", "peak resident, MB", "of it private, MB", "peak / (weights + arena)"]
    return table(header, rows) if rows else ""


def load_table(figures, args):
    rows = []
    for name, (results, opened) in figures.items():
        first = results[min(results)]
        load = [number(opened[p]["load_ms"]) if opened.get(p, {}).get("load_ms") else "-" for p in args.peers]
        peak = [f"{first[p]['peak_bytes'] / 1e6:.0f}" if "peak_bytes" in first.get(p, {}) else "-" for p in args.peers]
        rows.append([name] + [f"{a} / {b}" for a, b in zip(load, peak)])
    return table(["model"] + [TITLES[p] for p in args.peers], rows)


def process_table(start, args):
    rows = [[TITLES[p], cell(r), "-" if "failed" in r else f"{r['peak_bytes'] / 1e6:.0f}"] for p, r in start.items()]
    return table(["runtime", "exec to exit, ms", "peak resident, MB"], rows)


def page(figures, start, listed, loads, args):
    text = f"""# Performance

Written by `bench/predict.py` (`./dev bench predict`) on {datetime.date.today().isoformat()}; the figures are those of one run.

- Machine: {machine()}
- Versions: {versions(args)}
- Load of the machine before and after: {loads}
- {args.threads} threads each, float32, medians in milliseconds, {args.rounds} interleaved rounds of about half a second

## A call

{prediction_table(figures, args)}
"fails" is what the peer or its converter did with that file:

{failures(figures) or "nothing failed." + chr(10)}
## A whole process

From exec to the printed prediction of `mnist_cnn` on one digit.

{process_table(start, args)}
"""
    if listed:
        text += f"""## Opening and memory

EfficientNetV2L as a `.keras` file: the tool as a whole process.

{table(["command", "exec to exit, ms", "peak resident, MB"], [["keratin " + c, cell(r), "-" if "failed" in r else f"{r['peak_bytes'] / 1e6:.0f}"] for c, r in listed.items()])}
Opening until the first answer, batch 1, the file in the page cache. "Read the bytes" is one pass over the file through a 1 MB buffer. The
mapped file counts as resident once touched, though the system may take it back at any time.

{opening_table(figures, args)}
"""
    text += f"""Time to open in milliseconds (imports included) and peak resident memory in MB, batch 1, of every runtime.

{load_table(figures, args)}
"""
    return text


def kept_notes(path):
    if os.path.exists(path):
        with open(path) as f:
            old = f.read()
        if MARK in old:
            return old[old.index(MARK) :]
    return MARK + "\n"


def main():
    args = arguments()
    for tool in ("keratin", os.path.join("bench", "predict"), os.path.join("bench", "launch")):
        if not os.access(os.path.join(args.build, tool), os.X_OK):
            print(f"bench: {os.path.join(args.build, tool)} is not there; build first", file=sys.stderr)
            return 2
    models.prepare(args.models, args.cache)
    before = os.getloadavg()[0]
    figures = {name: measure(name, args) for name in args.models}
    start = start_up(args) if os.path.exists(os.path.join(args.cache, "mnist_cnn.keras")) else {}
    listed = listing(args) if "keratin" in args.peers and "efficientnet_v2l" in args.models else {}
    loads = f"{before:.1f} and {os.getloadavg()[0]:.1f} (the run itself adds {args.threads})"
    notes = kept_notes(args.out)
    os.makedirs(os.path.dirname(os.path.abspath(args.out)), exist_ok=True)
    with open(args.out, "w") as f:
        f.write(page(figures, start, listed, loads, args) + notes)
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"machine": machine(), "versions": versions(args), "figures": figures, "start": start, "listing": listed}, f, indent=1)
    print(f"written: {args.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
