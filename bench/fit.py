#!/usr/bin/env python3
"""Training beside its peers: keratin, PyTorch and Keras on TensorFlow and on JAX, on the same data in one run.

  python bench/fit.py [--models mnist_cnn,mlp,resnet20] [--peers keratin,checkpoints,torch,tensorflow,jax] [--rounds 6] [--threads 2]
                      [--build build] [--cache DIR] [--out docs/performance-training.md] [--json FILE]

Every trainer is a process of its own that trains one model with Adam on labels of ten classes; the processes wait while another works.
In each round each of them trains one epoch, in turn and in changing order, so that noise on the machine hits all alike. The first
epoch (compilation, first touches) does not count; the figure is the median of the rest, the best is given beside it. Nothing is
shuffled, keratin and Keras start from the same file, and the loss of their first epoch has to agree. "checkpoints" is keratin again,
saving the whole model in the background in every epoch; what that costs is the median over the rounds of the two epochs' quotient.

Needs the packages of tools/requirements-bench-fit.txt (`./dev bench fit` makes such an environment) and a build with build/bench/fit.
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
sys.dont_write_bytecode = True

import numpy as np  # noqa: E402

TITLES = {"keratin": "keratin", "checkpoints": "keratin, with a checkpoint an epoch", "torch": "PyTorch", "tensorflow": "Keras on TensorFlow", "jax": "Keras on JAX"}
# Input, batch, batches an epoch, millions of multiply-adds of one sample forward.
MODELS = {
    "mnist_cnn": ((28, 28, 1), 128, 60, 2.63),
    "mlp": ((784,), 128, 200, 0.669),
    "resnet20": ((32, 32, 3), 64, 12, 40.8),
}
MARK = "## Notes"


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--models", default=",".join(MODELS))
    p.add_argument("--peers", default=",".join(TITLES))
    p.add_argument("--rounds", type=int, default=6)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--build", default=os.path.join(ROOT, "build"))
    p.add_argument("--cache", default=os.path.join(ROOT, "build", "bench-models"))
    p.add_argument("--out", default=os.path.join(ROOT, "docs", "performance-training.md"))
    p.add_argument("--json", help="write the raw figures here as well")
    args = p.parse_args()
    args.models, args.peers = args.models.split(","), args.peers.split(",")
    return args


def environment(peer, threads):
    return dict(
        os.environ,
        KERAS_BACKEND=peer if peer in ("tensorflow", "jax") else "tensorflow",
        TF_CPP_MIN_LOG_LEVEL="3",
        CUDA_VISIBLE_DEVICES="",
        JAX_PLATFORMS="cpu",
        XLA_FLAGS=f"--xla_cpu_multi_thread_eigen=true intra_op_parallelism_threads={threads}",
        OMP_NUM_THREADS=str(threads),
        PYTHONWARNINGS="ignore",
    )


def prepare(name, args):
    """The data and the model's file, made once."""
    shape, batch, batches, _ = MODELS[name]
    folder = os.path.join(args.cache, "fit-" + name)
    if os.path.exists(os.path.join(folder, "model.keras")):
        return folder
    os.makedirs(folder, exist_ok=True)
    rng = np.random.default_rng(7)
    n = batch * batches
    labels = rng.integers(0, 10, n).astype(np.int32)
    centres = rng.normal(0, 1, (10,) + shape).astype(np.float32)
    x = (centres[labels] * 0.3 + rng.normal(0, 1, (n,) + shape)).astype(np.float32)
    x.tofile(os.path.join(folder, "x.f32"))
    labels.tofile(os.path.join(folder, "y.i32"))
    subprocess.run(
        [sys.executable, os.path.join(HERE, "fit_worker.py"), "make", name, folder],
        check=True,
        env=environment("tensorflow", args.threads),
    )
    return folder


class Trainer:
    """One process that trains one model, an epoch each time it is asked. `failed` is the reason once anything goes wrong."""

    def __init__(self, peer, name, folder, args):
        self.peer, self.failed, self.seconds, self.losses, self.peak = peer, None, [], [], 0
        shape, batch, _, _ = MODELS[name]
        numbers = [str(batch), str(args.rounds + 1), str(args.threads), ",".join(map(str, shape))]
        if peer in ("keratin", "checkpoints"):
            command = [os.path.join(args.build, "bench", "fit"), folder] + numbers
            if peer == "checkpoints":
                command.append(os.path.join(folder, "checkpoint.keras"))
        else:
            command = [sys.executable, os.path.join(HERE, "fit_worker.py"), peer, name, folder] + numbers
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=environment(peer, args.threads),
        )

    def epoch(self):
        if self.failed:
            return
        try:
            self.process.stdin.write("go\n")
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline())
            self.seconds.append(answer["seconds"])
            self.losses.append(answer["loss"])
            self.peak = answer["peak_mb"]
        except (ValueError, OSError, KeyError):
            self.process.wait()
            self.errors.seek(0)
            lines = self.errors.read().strip().splitlines()
            self.failed = lines[-1] if lines else f"exit {self.process.returncode}"

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def matmul_peak(threads):
    """GFLOP/s of the machine's best product, by NumPy's BLAS: the scale for the models' figures."""
    code = (
        "import numpy as np, time\n"
        "a = np.ones((2048, 2048), np.float32); best = 1e9\n"
        "for _ in range(12):\n"
        "    t = time.perf_counter(); a @ a; best = min(best, time.perf_counter() - t)\n"
        "print(2 * 2048 ** 3 / best * 1e-9)"
    )
    env = dict(os.environ, OPENBLAS_NUM_THREADS=str(threads), OMP_NUM_THREADS=str(threads))
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=env).stdout)


def measure(name, args):
    shape, batch, batches, _ = MODELS[name]
    folder = prepare(name, args)
    trainers = [Trainer(peer, name, folder, args) for peer in args.peers]
    for r in range(args.rounds + 1):
        for t in trainers[r % len(trainers) :] + trainers[: r % len(trainers)]:
            t.epoch()
    for t in trainers:
        t.close()
    rows = []
    for t in trainers:
        if t.failed:
            rows.append({"peer": t.peer, "failed": t.failed})
            continue
        rates = [batch * batches / s for s in t.seconds[1:]]
        rows.append(
            {
                "peer": t.peer,
                "median": statistics.median(rates),
                "best": max(rates),
                "first_epoch_s": t.seconds[0],
                "peak_mb": t.peak,
                "loss": t.losses[0],
                "losses": t.losses,
                "seconds": t.seconds[1:],
            }
        )
    return rows


def cost_of_checkpoints(rows):
    """Of saving in every epoch, as a share; None where it was not measured."""
    seconds = {r["peer"]: r["seconds"] for r in rows if "failed" not in r}
    if "keratin" not in seconds or "checkpoints" not in seconds:
        return None
    return statistics.median(b / a for a, b in zip(seconds["keratin"], seconds["checkpoints"])) - 1


def check_losses(name, rows):
    """keratin and Keras see the same batches from the same start; PyTorch starts elsewhere."""
    losses = {r["peer"]: r["loss"] for r in rows if "failed" not in r}
    for peer in ("tensorflow", "jax"):
        if "keratin" in losses and peer in losses and abs(losses["keratin"] - losses[peer]) > 2e-3 * abs(losses[peer]):
            print(f"{name}: the loss of the first epoch is {losses['keratin']:.6f}, {TITLES[peer]} has {losses[peer]:.6f}", file=sys.stderr)


def page(results, peak, args):
    out = [
        "# Training speed",
        "",
        f"Written by `bench/fit.py` on {datetime.date.today().isoformat()}, {platform.machine()}, {args.threads} threads, float32, Adam. Samples a second from the",
        f"second epoch on: the median of {args.rounds} epochs, the best in brackets. The machine's matmul peak is {peak:.0f} GFLOP/s (NumPy's",
        "BLAS, 2048 x 2048); the share of it counts three times the forward pass's operations, whatever method computes them.",
        "",
    ]
    for name, rows in results.items():
        shape, batch, _, mflops = MODELS[name]
        out += [f"## {name}, batch {batch}", "", "| trainer | samples/s | share of peak | first epoch | peak memory |", "|---|---:|---:|---:|---:|"]
        for r in rows:
            title = TITLES.get(r["peer"], r["peer"])
            if "failed" in r:
                out.append(f"| {title} | failed: {r['failed']} | | | |")
                continue
            share = r["best"] * mflops * 6e6 / (peak * 1e9)
            out.append(f"| {title} | {r['median']:,.0f} ({r['best']:,.0f}) | {share:.0%} | {r['first_epoch_s']:.2f} s | {r['peak_mb']:.0f} MB |")
        cost = cost_of_checkpoints(rows)
        if cost is not None:
            epoch = statistics.median(next(r["seconds"] for r in rows if r["peer"] == "keratin"))
            out += ["", f"A checkpoint in the background in every epoch of {epoch:.1f} s costs {max(cost, 0):.1%}."]
        out.append("")
    return "\n".join(out)


def notes_of(path):
    if not os.path.exists(path):
        return ""
    with open(path) as f:
        text = f.read()
    return text[text.index(MARK) :] if MARK in text else ""


def main():
    args = arguments()
    results, started = {}, time.time()
    peak = matmul_peak(args.threads)
    for name in args.models:
        results[name] = measure(name, args)
        check_losses(name, results[name])
        print(page({name: results[name]}, peak, args), file=sys.stderr)
    notes = notes_of(args.out)
    with open(args.out, "w") as f:
        f.write(page(results, peak, args) + (notes and "\n" + notes))
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"peak_gflops": peak, "results": results, "seconds": time.time() - started}, f, indent=1)


if __name__ == "__main__":
    main()
