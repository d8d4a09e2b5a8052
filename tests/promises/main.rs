//! What Coxswain promises, shown with real processes: one module a subject, one test a promise, each over both stores.

#![allow(clippy::unwrap_used)] // in a test, a failure is a panic

mod aggregated;
mod aggregation;
mod app;
mod authentication;
mod authorization;
mod bad_input;
mod bench;
mod command_line;
mod conversion;
mod crash;
mod failover;
mod history;
mod hostile_input;
mod kube_apiserver;
mod kube_rs;
mod kubectl_describes;
mod kubectl_reads;
mod kubectl_writes;
mod lists;
mod manifests;
mod published_definitions;
mod upstream;
mod watch;
mod workloads;
