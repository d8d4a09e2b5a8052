//! Tells the linker in which order the functions of a release are laid out: those that a start needs stand together, then those
//! of common requests.
//!
//! Pages of a program are mapped 16 at once around each that is touched. In the linker's own order what a start needs is all over the
//! program, and more than half of the ready server's memory is code that never ran. `symbols.txt` is made by
//! `tests/tools/symbols.py`; names that are not there any more (another compiler, other dependencies) are passed over.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=symbols.txt");
    if is_release() && linker_is_lld() {
        let order = Path::new(env!("CARGO_MANIFEST_DIR")).join("symbols.txt");
        println!("cargo::rustc-link-arg-bins=-Wl,--symbol-ordering-file={}", order.display());
        println!("cargo::rustc-link-arg-bins=-Wl,--no-warn-symbol-ordering");
    }
}

/// Of other profiles the names are others, too.
fn is_release() -> bool {
    env::var("PROFILE").is_ok_and(|profile| profile == "release")
}

/// Other linkers do not know the option. Rust's own is used where it is part of the toolchain and nothing else was asked for.
fn linker_is_lld() -> bool {
    let target = env::var("TARGET").unwrap_or_default();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let asked = env::var_os("RUSTC_LINKER").is_some()
        || flags.contains("link")
        || env::var("HOST").ok().as_ref() != Some(&target);
    let lld = |sysroot: &Path| sysroot.join("lib/rustlib").join(&target).join("bin/gcc-ld/ld.lld").exists();
    target == "x86_64-unknown-linux-gnu" && !asked && sysroot().is_some_and(|sysroot| lld(Path::new(&sysroot)))
}

fn sysroot() -> Option<String> {
    let rustc = env::var_os("RUSTC")?;
    let printed = std::process::Command::new(rustc).args(["--print", "sysroot"]).output().ok()?;
    Some(String::from_utf8(printed.stdout).ok()?.trim().to_owned())
}
