//! The commands of this package: `cox`, which starts the control plane or a part of it, and `kube-apiserver`, which takes
//! the place of upstream's in test harnesses. One file serves as both: called `kube-apiserver`, it is that.

mod command;
mod kube_apiserver;
mod up;

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

/// `cox`, or `kube-apiserver` where it is called that, as through a link.
pub fn main() -> ExitCode {
    let called = std::env::args_os().next();
    let called = called.as_deref().map(Path::new).and_then(Path::file_name);
    if called == Some(OsStr::new(kube_apiserver::NAME)) { kube_apiserver::main() } else { command::main() }
}
