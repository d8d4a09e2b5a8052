#!/usr/bin/env python3
"""Brings definitions of custom resources that others published into a folder: definitions.py FOLDER.

They come out of packages of public registries, each pinned by its version and its checksum, through the registry's own
client (pip, cargo, npm). Of each package's files only the documents are kept that define custom resources, and those
that are named here as examples of them: FOLDER/<package>-<version>/{definitions,examples}/*.yaml. What is there already
is kept. One line says what cannot be had, and why.
"""

import fnmatch
import glob
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

# Registry, package, version, SHA-256 of the package, files that hold definitions, files that hold examples.
PACKAGES = [
    # Calico, Gateway API, Envoy Gateway.
    ("pypi", "kubemarine", "0.54.0", "e6775015ba921b7da394f8a511eed7c2f8ee96ef45f0fe3a05e868b06e0403d1",
     ["kubemarine/plugins/charts/envoy-gateway-2.6.0/*/crds/*.yaml",
      "kubemarine/plugins/yaml/calico-v3.32.0-original.yaml"], []),
    # Dask: templates of Pods within templates of Pods.
    ("pypi", "dask-kubernetes", "2026.3.0", "5cf138e03cb1851063b82b74e9fd4679251238e3867fcae1e3682aada6410728",
     ["dask_kubernetes/operator/deployment/helm/dask-kubernetes-operator/crds/*.yaml"],
     ["dask_kubernetes/operator/controller/tests/resources/simple*.yaml"]),
    # Argo CD and Workflows, cert-manager, Prometheus operator, Istio, Linkerd, External Secrets, ACK, Zalando's Postgres.
    ("crates", "kopium", "0.24.1", "15cc3a0ffd281ea6e36696c9a2d3a6a7a9e6ea1cf0d35b5dab54c021dade6fc9",
     ["kopium-*/tests/*.yaml", "kopium-*/tests/cmd/generate/crds/*.yaml"], ["kopium-*/tests/*.yaml"]),
    # Forklift, of KubeVirt.
    ("npm", "crdtoapi", "0.0.19", "ccae2da329091bca73dece436386abd1578a6f3d8e445d27ab1b87a7b32ff01d",
     ["package/examples/forklift/*.yaml"], []),
]

DOCUMENT = re.compile(r"^---.*$", re.MULTILINE)
DEFINITION = re.compile(r"^kind: \"?CustomResourceDefinition\"?\s*$", re.MULTILINE)
CURRENT = re.compile(r"^apiVersion: \"?apiextensions\.k8s\.io/v1\"?\s*$", re.MULTILINE)


class Missing(Exception):
    """Why a package cannot be had, in a line."""


def run(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(f"{command[0]}: {error}") from error
    if done.returncode:
        said = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["it says nothing"]
        raise Missing(f"{command[0]}: {next((l for l in said if 'rror' in l), said[-1]).strip()}")


def from_pypi(package, version, folder):
    run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", folder,
        f"{package}=={version}")
    return os.path.join(folder, "*.whl")


def from_crates(package, version, _folder):
    home = os.environ.get("CARGO_HOME") or os.path.expanduser("~/.cargo")
    archive = os.path.join(home, "registry", "cache", "*", f"{package}-{version}.crate")
    if not glob.glob(archive):
        # Shows the package, and has to bring it for that.
        run("cargo", "info", "--quiet", f"{package}@{version}")
    return archive


def from_npm(package, version, folder):
    run("npm", "pack", "--silent", "--pack-destination", folder, f"{package}@{version}")
    return os.path.join(folder, "*.tgz")


REGISTRIES = {"pypi": from_pypi, "crates": from_crates, "npm": from_npm}


def bring(registry, package, version, checksum):
    """The bytes of a package."""
    with tempfile.TemporaryDirectory() as folder:
        archives = glob.glob(REGISTRIES[registry](package, version, folder))
        if not archives:
            raise Missing("the client brought no archive")
        with open(archives[0], "rb") as archive:
            content = archive.read()
    if hashlib.sha256(content).hexdigest() != checksum:
        raise Missing("the archive does not have the pinned checksum")
    return content


def files(content):
    """Each file of an archive: its path and text."""
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                if name.endswith(".yaml"):
                    yield name, archive.read(name).decode()
        return
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".yaml"):
                yield member.name, archive.extractfile(member).read().decode()


def matches(name, patterns):
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def keep(folder, name, documents):
    if documents:
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, os.path.basename(name)), "w", encoding="utf-8") as out:
            out.write("\n---\n".join(document.strip("\n") for document in documents) + "\n")


def unpack(content, definitions, examples, folder):
    for name, text in files(content):
        documents = [document for document in DOCUMENT.split(text) if document.strip()]
        if matches(name, definitions):
            found = [of for of in documents if DEFINITION.search(of) and CURRENT.search(of)]
            keep(os.path.join(folder, "definitions"), name, found)
        if matches(name, examples):
            found = [of for of in documents if not DEFINITION.search(of)]
            keep(os.path.join(folder, "examples"), name, found)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: definitions.py FOLDER")
    into = sys.argv[1]
    os.makedirs(into, exist_ok=True)
    missing = False
    for registry, package, version, checksum, definitions, examples in PACKAGES:
        target = os.path.join(into, f"{package}-{version}")
        if os.path.isdir(target):
            continue
        fresh = f"{target}.{os.getpid()}"
        try:
            unpack(bring(registry, package, version, checksum), definitions, examples, fresh)
            os.rename(fresh, target)
        except (Missing, OSError, tarfile.TarError, zipfile.BadZipFile) as error:
            shutil.rmtree(fresh, ignore_errors=True)
            if not os.path.isdir(target):
                missing = True
                print(f"missing {package} {version} ({registry}): {error}", file=sys.stderr)
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
