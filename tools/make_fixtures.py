#!/usr/bin/env python3
"""Writes tests/fixtures with real Keras: small models, inputs and the answers Keras gives.

  python tools/make_fixtures.py [--only PART,PART] [--out DIR]
  python tools/make_fixtures.py --older [--out DIR]

PART is a substring of a folder name ("conv", "layers/merge", "ops"). Run it with the packages of
tools/requirements-parity.txt. The same versions give the same files, byte for byte on the same kind of processor.
Each backend (TensorFlow, JAX) needs a process of its own; this one starts them and then writes MANIFEST.tsv. --older writes
the files of older Keras releases (fixtures/older.py), each from an environment it makes in build/.
fixtures/harness.py says what a case is and how its tolerance is chosen.
"""

import argparse
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = ["conv", "core", "attention", "rnn", "pooling", "normalization", "misc", "text", "nodes", "models", "containers", "saving", "summaries", "quickstart"]
FOLDERS = ("layers", "activations", "ops", "models", "containers", "saving", "summary", "quickstart")  # others have their own makers
OLDER = re.compile(r"containers/keras(\d+)_(\d+)_(\d+)_")


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", default="", help="comma separated parts of folder names")
    p.add_argument("--out", default=os.path.join(HERE, "..", "tests", "fixtures"))
    p.add_argument("--older", action="store_true", help="write only the files of older Keras releases")
    p.add_argument("--backend", help="internal: run the families of this backend in this process")
    return p.parse_args()


def wanted(folder, only):
    return not only or any(part in folder for part in only.split(","))


def make(args):
    """One backend's families, in this process."""
    import importlib

    sys.path.insert(0, HERE)
    for name in MODULES:
        if os.path.exists(os.path.join(HERE, "fixtures", name + ".py")):
            importlib.import_module("fixtures." + name)
    from fixtures import harness

    total = failed = 0
    for folder, backend, fn in harness.FAMILIES:
        if backend != args.backend or not wanted(folder, args.only):
            continue
        cases = harness.Cases(args.out, folder)
        fn(cases)
        total += cases.count
        print(f"{folder:40} {backend:11} {cases.count:4} cases", flush=True)
        for text in cases.notes:
            print("  note:", text)
        for text in cases.failed:
            print("  FAILED:", text)
        failed += len(cases.failed)
        with open(os.path.join(args.out, ".written"), "a") as f:
            for root, _, files in os.walk(cases.folder):
                for name in files:
                    inside = os.path.relpath(os.path.join(root, name), cases.folder)
                    if any(inside.startswith(stem) for stem in cases.written):
                        f.write(f"{os.path.join(folder, inside)}\t{backend}\n")
    print(f"{total} cases with {args.backend}, {failed} failed")
    return 1 if failed else 0


def older(out):
    """containers/keras3_0_5_... and so on, each by the release itself."""
    sys.path.insert(0, os.path.join(HERE, "fixtures"))
    import older as program

    status = 0
    for release in program.RELEASES:
        venv = os.path.join(HERE, "..", "build", f"venv-keras-{release}")
        python = os.path.join(venv, "bin", "python")
        if not os.path.exists(os.path.join(venv, ".ready")):
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
            subprocess.run([python, "-m", "pip", "install", "-q", f"keras=={release}", *program.PACKAGES], check=True)
            open(os.path.join(venv, ".ready"), "w").close()
        status |= subprocess.run([python, program.__file__, os.path.join(out, "containers")]).returncode
    return status


def origin(rel, backend):
    """Version and backend of the Keras that wrote a file."""
    import importlib.metadata as meta

    old = OLDER.match(rel)
    if old:
        return ".".join(old.groups()), "jax"
    kind = backend.get(rel, "tensorflow")
    return ("tf_keras " + meta.version("tf_keras") if kind == "tf_keras" else meta.version("keras")), kind


def manifest(out, everything):
    """file, Keras version, backend, sha256; files of families not run keep their row. A run of everything
    also names the files that no case writes."""
    import hashlib

    path = os.path.join(out, "MANIFEST.tsv")
    backend = {}
    if os.path.exists(path) and not everything:
        with open(path) as f:
            for line in list(f)[1:]:
                row = line.rstrip("\n").split("\t")
                backend[row[0]] = row[2]
    written = os.path.join(out, ".written")
    if os.path.exists(written):
        with open(written) as f:
            backend.update(line.rstrip("\n").split("\t") for line in f)
        os.remove(written)
    rows = []
    for root, _, files in os.walk(out):
        for name in files:
            rel = os.path.relpath(os.path.join(root, name), out)
            if rel.split(os.sep)[0] not in FOLDERS:
                continue
            if everything and rel not in backend and not OLDER.match(rel):
                print("no case writes this file any more:", rel)
            with open(os.path.join(root, name), "rb") as f:
                digest = hashlib.sha256(f.read()).hexdigest()
            version, kind = origin(rel, backend)
            rows.append(f"{rel}\t{version}\t{kind}\t{digest}\n")
    with open(path, "w") as f:
        f.write("file\tkeras\tbackend\tsha256\n")
        f.writelines(sorted(rows))


def main():
    args = arguments()
    if args.backend:
        return make(args)
    os.makedirs(args.out, exist_ok=True)
    if args.older:
        status = older(args.out)
        manifest(args.out, everything=False)
        return status
    status = 0
    for backend in ("tensorflow", "jax", "tf_keras"):
        # oneDNN's custom operations and threads are off so that the sums come in one order.
        env = dict(os.environ, KERAS_BACKEND="jax" if backend == "jax" else "tensorflow", TF_CPP_MIN_LOG_LEVEL="3",
                   TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="", PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1")
        command = [sys.executable, os.path.abspath(__file__), "--backend", backend, "--out", args.out, "--only", args.only]
        status |= subprocess.run(command, env=env).returncode
    manifest(args.out, everything=not args.only and status == 0)
    return status


if __name__ == "__main__":
    sys.exit(main())
