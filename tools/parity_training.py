#!/usr/bin/env python3
"""Trains beside real Keras, on both backends and with numbers no fixture has.

    tools/parity_training.py BUILD_DIR [--seed N] [--parts optimizers,losses,...]

For each backend the cases of make_training_fixtures.py are computed anew by Keras from another seed
and compared by tests/parity/test_training.c, step by step: losses within 1e-5, metrics, weights and
slots within 1e-4. Exit status 1 when anything differs.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--parts", default="first,optimizers,losses,metrics,models")
    parser.add_argument("--backends", default="tensorflow,jax")
    args = parser.parse_args()
    program = args.build / "tests" / "parity_test_training"
    worst = 0
    for backend in args.backends.split(","):
        with tempfile.TemporaryDirectory() as folder:
            env = dict(os.environ, KERAS_BACKEND=backend, KERATIN_TRAINING_FIXTURES=folder,
                       KERATIN_TRAINING_SEED=str(args.seed))
            parts = args.parts.split(",") if backend == "tensorflow" else []
            subprocess.run([sys.executable, HERE / "make_training_fixtures.py", *parts], env=env, check=True,
                           stderr=subprocess.DEVNULL)
            done = subprocess.run([program], env=env)
            print(f"{backend}: {'same as Keras' if done.returncode == 0 else 'DIFFERS from Keras'}")
            worst = max(worst, done.returncode)
    return 1 if worst else 0


if __name__ == "__main__":
    sys.exit(main())
