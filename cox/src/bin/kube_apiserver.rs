//! `kube-apiserver`: the API server with upstream's command line, for test harnesses.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cox::main()
}
