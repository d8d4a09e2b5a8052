#!/usr/bin/env python3
"""Writes cox/release.profdata, the profile that releases are compiled with (.cargo/rustc): profdata.py.

A release that counts is built into target/profiled, and does every work of the bench on the embedded store and on etcd. What it
counted, merged, is the profile: where the busy paths of each function lead, and which calls are worth to be made part of their
callers. To be run again when a hot path has been rewritten, or when another compiler or other dependencies have given the functions
other names; afterwards tests/tools/symbols.py.

The counts are merged by LLVM's llvm-profdata, which fetch.py finds or brings.
"""

import glob
import os
import subprocess
import tempfile

from servers import BENCH, ROOT, TARGET, TOOLS, cargo_build, etcd, fetch, run

PROFILE = os.path.join(ROOT, "cox", "release.profdata")
PROFILED = os.path.join(TARGET, "profiled")


def main():
    fetch("etcd", "llvm-profdata")
    cargo_build("-p", "bench")
    cargo_build("-p", "cox", "--bin", "cox", CARGO_TARGET_DIR=PROFILED, COX_PROFILE="generate")
    cox = os.path.join(PROFILED, "release", "cox")
    load = [BENCH, "requests"]
    with tempfile.TemporaryDirectory() as folder, etcd() as in_etcd:
        counted = {"LLVM_PROFILE_FILE": os.path.join(folder, "%p.profraw")}
        run([cox, "apiserver"], os.path.join(folder, "embedded"), load, **counted)
        run([cox, "apiserver", *in_etcd], os.path.join(folder, "on-etcd"), load, **counted)
        counts = glob.glob(os.path.join(folder, "*.profraw"))
        # Functions that never ran are left out, so that they are compiled as if there were no profile.
        subprocess.run([os.path.join(TOOLS, "llvm-profdata"), "merge", "--sparse", "-o", PROFILE, *counts], check=True)
    # cargo does not know that what it has compiled is out of date.
    subprocess.run(["cargo", "clean", "--release"], cwd=ROOT, check=True)
    print(f"{PROFILE}: {os.path.getsize(PROFILE):,} bytes")


if __name__ == "__main__":
    main()
