//! The flags of upstream's kube-apiserver that are none of this server's: what becomes of each.

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, value_parser};

use Rule::{Ignored, Only, Refused};
use Takes::{Duration, Float, Int, Switch, Text};

/// A flag that this server takes without doing what upstream does.
pub(super) struct Flag {
    /// Its name, without dashes.
    pub name: &'static str,
    /// What is written behind it.
    takes: Takes,
    /// Which values are let through.
    rule: Rule,
    /// Why, as a client of the server or its administrator sees it.
    why: &'static str,
}

#[derive(Clone, Copy)]
enum Takes {
    Switch,
    Int,
    Float,
    Duration,
    Text,
}

#[derive(Clone, Copy)]
enum Rule {
    /// Any value: nothing that a client could rely on depends on it.
    Ignored,
    /// These values, which say what this server does anyway.
    Only(&'static [&'static str]),
    /// None: the server would be another than the one asked for.
    Refused,
}

const fn flag(name: &'static str, takes: Takes, rule: Rule, why: &'static str) -> Flag {
    Flag { name, takes, rule, why }
}

const AUDIT: &str = "no audit log is kept";
const CACHE: &str = "everything is served from a cache";
const CONNECTIONS: &str = "no connection to nodes is made";
const ELECTION: &str = "leader election is not coordinated by the server";
const LOG: &str = "the log is plain text on standard error";
const METRICS: &str = "all metrics are shown";
const OIDC: &str = "tokens of OpenID Connect are not taken";
const PEERS: &str = "requests are not proxied to other servers of the cluster";
const PROFILING: &str = "profiles are not served";
const SECRETS: &str = "what is stored is not encrypted";
const STORE: &str = "the store is watched over by other means";
const TLS: &str = "the library's choice, which is among the strictest, stands";

/// All of them, by name.
pub(super) const FLAGS: &[Flag] = &[
    flag("admission-control-config-file", Text, Refused, "admission plugins have no configuration"),
    flag("aggregator-reject-forwarding-redirects", Switch, Ignored, "redirects of other servers are never followed"),
    flag("allow-metric-labels", Text, Ignored, METRICS),
    flag("allow-metric-labels-manifest", Text, Ignored, METRICS),
    flag("audit-log-batch-buffer-size", Int, Ignored, AUDIT),
    flag("audit-log-batch-max-size", Int, Ignored, AUDIT),
    flag("audit-log-batch-max-wait", Duration, Ignored, AUDIT),
    flag("audit-log-batch-throttle-burst", Int, Ignored, AUDIT),
    flag("audit-log-batch-throttle-enable", Switch, Ignored, AUDIT),
    flag("audit-log-batch-throttle-qps", Float, Ignored, AUDIT),
    flag("audit-log-compress", Switch, Ignored, AUDIT),
    flag("audit-log-format", Text, Ignored, AUDIT),
    flag("audit-log-maxage", Int, Ignored, AUDIT),
    flag("audit-log-maxbackup", Int, Ignored, AUDIT),
    flag("audit-log-maxsize", Int, Ignored, AUDIT),
    flag("audit-log-mode", Text, Ignored, AUDIT),
    flag("audit-log-path", Text, Refused, AUDIT),
    flag("audit-log-truncate-enabled", Switch, Ignored, AUDIT),
    flag("audit-log-truncate-max-batch-size", Int, Ignored, AUDIT),
    flag("audit-log-truncate-max-event-size", Int, Ignored, AUDIT),
    flag("audit-log-version", Text, Ignored, AUDIT),
    flag("audit-policy-file", Text, Ignored, AUDIT),
    flag("audit-webhook-batch-buffer-size", Int, Ignored, AUDIT),
    flag("audit-webhook-batch-max-size", Int, Ignored, AUDIT),
    flag("audit-webhook-batch-max-wait", Duration, Ignored, AUDIT),
    flag("audit-webhook-batch-throttle-burst", Int, Ignored, AUDIT),
    flag("audit-webhook-batch-throttle-enable", Switch, Ignored, AUDIT),
    flag("audit-webhook-batch-throttle-qps", Float, Ignored, AUDIT),
    flag("audit-webhook-config-file", Text, Refused, AUDIT),
    flag("audit-webhook-initial-backoff", Duration, Ignored, AUDIT),
    flag("audit-webhook-mode", Text, Ignored, AUDIT),
    flag("audit-webhook-truncate-enabled", Switch, Ignored, AUDIT),
    flag("audit-webhook-truncate-max-batch-size", Int, Ignored, AUDIT),
    flag("audit-webhook-truncate-max-event-size", Int, Ignored, AUDIT),
    flag("audit-webhook-version", Text, Ignored, AUDIT),
    flag("authentication-config", Text, Refused, OIDC),
    flag("authorization-config", Text, Refused, "authorizers are named by --authorization-mode"),
    flag("authorization-policy-file", Text, Refused, "there is no mode ABAC"),
    flag("contention-profiling", Switch, Ignored, PROFILING),
    flag("coordinated-leadership-lease-duration", Duration, Ignored, ELECTION),
    flag("coordinated-leadership-renew-deadline", Duration, Ignored, ELECTION),
    flag("coordinated-leadership-retry-period", Duration, Ignored, ELECTION),
    flag("cors-allowed-origins", Text, Ignored, "pages of other origins are not let in"),
    flag("debug-socket-path", Text, Ignored, PROFILING),
    flag("default-not-ready-toleration-seconds", Int, Only(&["300"]), "it is 300"),
    flag("default-unreachable-toleration-seconds", Int, Only(&["300"]), "it is 300"),
    flag("default-watch-cache-size", Int, Ignored, CACHE),
    flag("delete-collection-workers", Int, Ignored, "collections are deleted as fast as the store takes it"),
    flag("disable-http2-serving", Switch, Ignored, "HTTP/1.1 and HTTP/2 are both served"),
    flag("disabled-metrics", Text, Ignored, METRICS),
    flag("egress-selector-config-file", Text, Refused, "connections are made directly"),
    flag("emulated-version", Text, Only(&["1.36", "kube=1.36"]), "the version served is 1.36"),
    flag("emulation-forward-compatible", Switch, Ignored, "no other version is emulated"),
    flag("enable-garbage-collector", Switch, Only(&["true"]), "deletion always follows the rules of the collector"),
    flag("enable-logs-handler", Switch, Ignored, "logs of the machine are not served"),
    flag("enable-priority-and-fairness", Switch, Ignored, "requests are limited by the --max-…-inflight flags alone"),
    flag("encryption-provider-config", Text, Refused, SECRETS),
    flag("encryption-provider-config-automatic-reload", Switch, Ignored, SECRETS),
    flag("endpoint-reconciler-type", Text, Ignored, "the endpoints of the service kubernetes are written at the start"),
    flag("etcd-count-metric-poll-period", Duration, Ignored, STORE),
    flag("etcd-db-metric-poll-interval", Duration, Ignored, STORE),
    flag("etcd-healthcheck-timeout", Duration, Ignored, STORE),
    flag("etcd-readycheck-timeout", Duration, Ignored, STORE),
    flag("etcd-servers-overrides", Text, Refused, "everything is kept in one store"),
    flag("feature-gates", Text, Ignored, "features stand at the defaults of 1.36"),
    flag("goaway-chance", Float, Ignored, "connections are not sent elsewhere"),
    flag("identity-lease-duration-seconds", Int, Ignored, "servers do not announce themselves by leases"),
    flag("identity-lease-renew-interval-seconds", Int, Ignored, "servers do not announce themselves by leases"),
    flag("kubelet-certificate-authority", Text, Ignored, CONNECTIONS),
    flag("kubelet-client-certificate", Text, Ignored, CONNECTIONS),
    flag("kubelet-client-key", Text, Ignored, CONNECTIONS),
    flag("kubelet-port", Int, Ignored, CONNECTIONS),
    flag("kubelet-preferred-address-types", Text, Ignored, CONNECTIONS),
    flag("kubelet-read-only-port", Int, Ignored, CONNECTIONS),
    flag("kubelet-timeout", Duration, Ignored, CONNECTIONS),
    flag("kubernetes-service-node-port", Int, Only(&["0"]), "the service kubernetes has a cluster address alone"),
    flag("lease-reuse-duration-seconds", Int, Ignored, "events do not share leases of the store"),
    flag("livez-grace-period", Duration, Ignored, "the server is alive as soon as it listens"),
    flag("log-flush-frequency", Duration, Ignored, LOG),
    flag("log-json-info-buffer-size", Text, Ignored, LOG),
    flag("log-json-split-stream", Switch, Ignored, LOG),
    flag("log-text-info-buffer-size", Text, Ignored, LOG),
    flag("log-text-split-stream", Switch, Ignored, LOG),
    flag("logging-format", Text, Ignored, LOG),
    flag("max-connection-bytes-per-sec", Int, Ignored, CONNECTIONS),
    flag("min-compatibility-version", Text, Ignored, "the version served is 1.36"),
    flag("oidc-ca-file", Text, Ignored, OIDC),
    flag("oidc-client-id", Text, Ignored, OIDC),
    flag("oidc-groups-claim", Text, Ignored, OIDC),
    flag("oidc-groups-prefix", Text, Ignored, OIDC),
    flag("oidc-issuer-url", Text, Refused, OIDC),
    flag("oidc-required-claim", Text, Ignored, OIDC),
    flag("oidc-signing-algs", Text, Ignored, OIDC),
    flag("oidc-username-claim", Text, Ignored, OIDC),
    flag("oidc-username-prefix", Text, Ignored, OIDC),
    flag("peer-advertise-ip", Text, Ignored, PEERS),
    flag("peer-advertise-port", Text, Ignored, PEERS),
    flag("peer-ca-file", Text, Ignored, PEERS),
    flag("permit-address-sharing", Switch, Ignored, "the address is for this server alone"),
    flag("permit-port-sharing", Switch, Ignored, "the port is for this server alone"),
    flag("profiling", Switch, Ignored, PROFILING),
    flag("runtime-config-emulation-forward-compatible", Switch, Ignored, "no other version is emulated"),
    flag("service-account-signing-endpoint", Text, Refused, "tokens are signed by the server itself"),
    flag("show-hidden-metrics-for-version", Text, Ignored, METRICS),
    flag("shutdown-delay-duration", Duration, Ignored, "the server stops at once"),
    flag("shutdown-send-retry-after", Switch, Ignored, "the server stops at once"),
    flag("shutdown-watch-termination-grace-period", Duration, Ignored, "the server stops at once"),
    flag("storage-backend", Text, Only(&["etcd3", ""]), "the store is etcd3's, or one file"),
    flag("storage-initialization-timeout", Duration, Ignored, "the server waits as long as it is let"),
    flag("storage-media-type", Text, Ignored, "objects are stored as JSON"),
    flag("strict-transport-security-directives", Text, Ignored, "pages are not served"),
    flag("tls-cipher-suites", Text, Ignored, TLS),
    flag("tls-curve-preferences", Text, Ignored, TLS),
    flag("tls-min-version", Text, Only(&["", "VersionTLS10", "VersionTLS11", "VersionTLS12"]), "the oldest is TLS 1.2"),
    flag("tls-sni-cert-key", Text, Refused, "the serving certificate is one for all names"),
    flag("tracing-config-file", Text, Ignored, "traces are not sent"),
    flag("vmodule", Text, Ignored, LOG),
    flag("watch-cache", Switch, Ignored, CACHE),
    flag("watch-cache-sizes", Text, Ignored, CACHE),
];

impl Flag {
    /// The flag as clap knows it.
    pub(super) fn argument(&self) -> Arg {
        let (word, parser): (_, ValueParser) = match self.takes {
            Switch => ("BOOL", value_parser!(bool)),
            Int => ("N", value_parser!(i64).into()),
            Float => ("N", value_parser!(f64).into()),
            Duration => ("DURATION", ValueParser::new(apiserver::options::duration)),
            Text => ("TEXT", value_parser!(String)),
        };
        let effect = match self.rule {
            Ignored => "Without effect",
            Only(_) => "As it is",
            Refused => "Refused",
        };
        let argument = Arg::new(self.name)
            .long(self.name)
            .value_name(word)
            .value_parser(parser)
            .action(ArgAction::Append)
            .help(format!("{effect}: {}", self.why))
            .help_heading("Flags of upstream's without effect here");
        match self.takes {
            Switch => argument.num_args(0..=1).require_equals(true).default_missing_value("true"),
            _ => argument.allow_hyphen_values(true),
        }
    }

    /// Why a value is refused, if it is.
    pub(super) fn refusal(&self, value: &str) -> Option<String> {
        let refused = match self.rule {
            Ignored => false,
            Only(values) => !values.contains(&value),
            Refused => !value.is_empty(),
        };
        refused.then(|| format!("--{}={value} is refused: {}", self.name, self.why))
    }

    /// One clause for the log.
    pub(super) fn remark(&self) -> Option<String> {
        matches!(self.rule, Ignored).then(|| format!("--{}: {}", self.name, self.why))
    }
}
