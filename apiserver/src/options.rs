//! The command line of `apiserver`: the only place where flags and environment are read.
//!
//! Flags carry the names of kube-apiserver's where a counterpart exists. [`Options::complete`] checks them together and
//! makes the [`Config`] that the rest of the crate works with.

use apimachinery::validation::{Cidr, parse_cidr_sloppy};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use registry::allocation::Ranges;

pub use aggregated::AggregatedOptions;
pub use authentication::AuthenticationOptions;
pub use authorization::{AuthorizationMode, AuthorizationOptions, ReviewVersion};

use crate::aggregated::Host;
use crate::config::Config;
use crate::error::Error;
use crate::runtime_config::RuntimeConfig;

mod aggregated;
mod authentication;
mod authorization;

/// The port where none is asked for.
pub const DEFAULT_PORT: u16 = 6443;

/// Plugins that can be named in `--enable-admission-plugins` and `--disable-admission-plugins`, in the order in which
/// they are asked (upstream's).
pub const ADMISSION_PLUGINS: [&str; 16] = [
    "NamespaceLifecycle",
    "LimitRanger",
    "ServiceAccount",
    "NodeRestriction",
    "TaintNodesByCondition",
    "Priority",
    "DefaultTolerationSeconds",
    "DefaultStorageClass",
    "StorageObjectInUseProtection",
    "RuntimeClass",
    "CertificateApproval",
    "CertificateSigning",
    "CertificateSubjectRestriction",
    "DefaultIngressClass",
    "MutatingAdmissionWebhook",
    "ValidatingAdmissionWebhook",
];

/// Those of them that run only where `--enable-admission-plugins` names them.
pub const ASKED_FOR_ADMISSION_PLUGINS: [&str; 1] = ["NodeRestriction"];

/// Upstream's other plugins: naming them is no mistake, they have nothing to say here yet.
const KNOWN_ADMISSION_PLUGINS: [&str; 21] = [
    "AlwaysAdmit",
    "AlwaysDeny",
    "AlwaysPullImages",
    "ClusterTrustBundleAttest",
    "DenyServiceExternalIPs",
    "EventRateLimit",
    "ExtendedResourceToleration",
    "ImagePolicyWebhook",
    "LimitPodHardAntiAffinityTopology",
    "MutatingAdmissionPolicy",
    "NamespaceAutoProvision",
    "NamespaceExists",
    "NodeDeclaredFeatureValidator",
    "OwnerReferencesPermissionEnforcement",
    "PersistentVolumeClaimResize",
    "PodNodeSelector",
    "PodSecurity",
    "PodTolerationRestriction",
    "PodTopologyLabels",
    "ResourceQuota",
    "ValidatingAdmissionPolicy",
];

/// Options of the API server.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1", value_name = "IP", help_heading = "Serving")]
    pub bind_address: IpAddr,

    /// Port to serve HTTPS on; 0 takes any free one [default: 6443]
    #[arg(long, value_name = "PORT", help_heading = "Serving")]
    pub secure_port: Option<u16>,

    /// Address at which other members of the cluster reach this server; the one it listens on where none is given
    #[arg(long, value_name = "IP", help_heading = "Serving")]
    pub advertise_address: Option<IpAddr>,

    /// Host name in URLs that are made for clients, instead of the advertised address
    #[arg(long, value_name = "NAME", help_heading = "Serving")]
    pub external_hostname: Option<String>,

    /// Built-in versions and resources to serve or not: GROUP/VERSION=BOOL, GROUP/VERSION/RESOURCE=BOOL, and by their
    /// kind api/all, api/ga, api/beta, api/alpha
    #[arg(long, value_delimiter = ',', value_name = "NAME=BOOL,...", help_heading = "Serving")]
    pub runtime_config: Vec<String>,

    /// Folder of the embedded store, certificates and kubeconfigs
    #[arg(long, default_value = ".coxswain", value_name = "DIR", help_heading = "Serving")]
    pub data_dir: PathBuf,

    /// Folder of the certificates that are made where none are given (default: DATA_DIR/pki)
    #[arg(long, value_name = "DIR", help_heading = "Serving")]
    pub cert_dir: Option<PathBuf>,

    /// Serving certificate chain, PEM; signed by the server's own authority where not given
    #[arg(long, value_name = "FILE", requires = "tls_private_key_file", help_heading = "Serving")]
    pub tls_cert_file: Option<PathBuf>,

    /// Private key of --tls-cert-file, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert_file", help_heading = "Serving")]
    pub tls_private_key_file: Option<PathBuf>,

    /// Further DNS names and IP addresses in the serving certificate
    #[arg(long, value_delimiter = ',', value_name = "NAME,...", help_heading = "Serving")]
    pub tls_san: Vec<String>,

    /// Blocks of addresses for services, at most one IPv4 and one IPv6
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "10.0.0.0/24",
        value_name = "CIDR,...",
        help_heading = "Serving"
    )]
    pub service_cluster_ip_range: Vec<String>,

    /// Ports on nodes for services, the first and the last
    #[arg(long, default_value = "30000-32767", value_name = "FROM-TO", help_heading = "Serving")]
    pub service_node_port_range: String,

    /// Time after which a request that is not a watch is given up
    #[arg(long, default_value = "1m0s", value_parser = duration, value_name = "DURATION", help_heading = "Serving")]
    pub request_timeout: Duration,

    /// Least time, in seconds, before a watch without timeoutSeconds is ended
    #[arg(long, default_value_t = 1800, value_name = "SECONDS", help_heading = "Serving")]
    pub min_request_timeout: u64,

    /// Reads served at once; more are answered 429 (0: no limit)
    #[arg(long, default_value_t = 400, value_name = "N", help_heading = "Serving")]
    pub max_requests_inflight: usize,

    /// Writes served at once; more are answered 429 (0: no limit)
    #[arg(long, default_value_t = 200, value_name = "N", help_heading = "Serving")]
    pub max_mutating_requests_inflight: usize,

    /// Requests at once on one HTTP/2 connection (0: 100)
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Serving")]
    pub http2_max_streams_per_connection: u32,

    /// Authorities whose client certificates are accepted besides the server's own, PEM
    #[arg(long, value_name = "FILE", help_heading = "Authentication")]
    pub client_ca_file: Option<PathBuf>,

    /// Bearer tokens, one a line: token,user,uid,"group,group"
    #[arg(long, value_name = "FILE", help_heading = "Authentication")]
    pub token_auth_file: Option<PathBuf>,

    /// Let in who shows a token that a secret in kube-system of type bootstrap.kubernetes.io/token holds
    #[arg(
        long, default_value_t = false, num_args = 0..=1, default_missing_value = "true", require_equals = true,
        action = clap::ArgAction::Set, value_name = "BOOL", help_heading = "Authentication"
    )]
    pub enable_bootstrap_token_auth: bool,

    /// Whether requests without credentials are let through as system:anonymous
    #[arg(
        long, default_value_t = true, num_args = 0..=1, default_missing_value = "true", require_equals = true,
        action = clap::ArgAction::Set, value_name = "BOOL", help_heading = "Authentication"
    )]
    pub anonymous_auth: bool,

    #[allow(missing_docs)]
    #[command(flatten)]
    pub authentication: AuthenticationOptions,

    #[allow(missing_docs)]
    #[command(flatten)]
    pub authorization: AuthorizationOptions,

    /// Client certificate shown to aggregated servers, PEM; made by an authority of the server's own where not given
    #[arg(long, value_name = "FILE", requires = "proxy_client_key_file", help_heading = "Aggregation")]
    pub proxy_client_cert_file: Option<PathBuf>,

    /// Private key of --proxy-client-cert-file, PEM
    #[arg(long, value_name = "FILE", requires = "proxy_client_cert_file", help_heading = "Aggregation")]
    pub proxy_client_key_file: Option<PathBuf>,

    /// Reach the services of aggregated servers and webhooks by their endpoints, or with `=false` by their cluster addresses
    /// alone; where not given, by endpoints where there are any
    #[arg(
        long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL",
        help_heading = "Aggregation"
    )]
    pub enable_aggregator_routing: Option<bool>,

    /// Let containers be privileged
    #[arg(
        long, default_value_t = false, num_args = 0..=1, default_missing_value = "true", require_equals = true,
        action = clap::ArgAction::Set, value_name = "BOOL", help_heading = "Admission"
    )]
    pub allow_privileged: bool,

    /// Admission plugins to run besides the default ones
    #[arg(long, value_delimiter = ',', value_name = "PLUGIN,...", help_heading = "Admission")]
    pub enable_admission_plugins: Vec<String>,

    /// Admission plugins not to run
    #[arg(long, value_delimiter = ',', value_name = "PLUGIN,...", help_heading = "Admission")]
    pub disable_admission_plugins: Vec<String>,

    /// etcd servers (URLs with scheme and port) to store in; without any, the embedded store is used
    #[arg(long, value_delimiter = ',', value_name = "URL,...", help_heading = "Storage")]
    pub etcd_servers: Vec<String>,

    /// Authority that signed etcd's certificates, PEM
    #[arg(long, value_name = "FILE", help_heading = "Storage")]
    pub etcd_cafile: Option<PathBuf>,

    /// Client certificate for etcd, PEM
    #[arg(long, value_name = "FILE", requires = "etcd_keyfile", help_heading = "Storage")]
    pub etcd_certfile: Option<PathBuf>,

    /// Private key of --etcd-certfile, PEM
    #[arg(long, value_name = "FILE", requires = "etcd_certfile", help_heading = "Storage")]
    pub etcd_keyfile: Option<PathBuf>,

    /// Key under which everything is stored
    #[arg(long, default_value = "/registry", value_name = "PREFIX", help_heading = "Storage")]
    pub etcd_prefix: String,

    /// Time between compactions; history older than that is forgotten (0: never)
    #[arg(long, default_value = "5m0s", value_parser = duration, value_name = "DURATION", help_heading = "Storage")]
    pub etcd_compaction_interval: Duration,

    /// Definitions of custom resources to apply at the start: YAML or JSON files, or folders of them
    #[arg(long, value_delimiter = ',', value_name = "FILE|DIR,...", help_heading = "Custom resources")]
    pub definitions: Vec<PathBuf>,

    /// Time that events are kept
    #[arg(long, default_value = "1h0m0s", value_parser = duration, value_name = "DURATION", help_heading = "Storage")]
    pub event_ttl: Duration,

    /// The server in front of this one, if there is one; not a flag of every command.
    #[arg(skip)]
    pub host: Option<Host>,
}

impl Options {
    /// Checks the options together and makes the configuration of a server.
    pub fn complete(self) -> Result<Config, Error> {
        for plugin in self.enable_admission_plugins.iter().chain(&self.disable_admission_plugins) {
            if !ADMISSION_PLUGINS.contains(&plugin.as_str()) && !KNOWN_ADMISSION_PLUGINS.contains(&plugin.as_str()) {
                return Err(Error::Options(format!("there is no admission plugin {plugin:?}")));
            }
            if self.enable_admission_plugins.contains(plugin) && self.disable_admission_plugins.contains(plugin) {
                return Err(Error::Options(format!("admission plugin {plugin} is both enabled and disabled")));
            }
        }
        for url in &self.etcd_servers {
            let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
            if rest.is_none_or(str::is_empty) {
                return Err(Error::Options(format!(
                    "--etcd-servers: {url:?} is not http://host:port or https://host:port"
                )));
            }
        }
        if !self.etcd_prefix.starts_with('/') {
            return Err(Error::Options(format!("--etcd-prefix: {:?} does not begin with /", self.etcd_prefix)));
        }
        self.authentication.check()?;
        let ranges = self.ranges()?;
        let modes = self.authorization.modes()?;
        let runtime_config = RuntimeConfig::parse(&self.runtime_config).map_err(Error::Options)?;
        let mut options = self;
        if options.anonymous_auth && modes.contains(&AuthorizationMode::AlwaysAllow) {
            // Upstream's: nobody is let in unknown where everybody may do everything.
            tracing::warn!("anonymous requests are not let in with the authorizer AlwaysAllow");
            options.anonymous_auth = false;
        }
        Ok(Config::new(options, ranges, modes, runtime_config))
    }

    fn ranges(&self) -> Result<Ranges, Error> {
        let mut cluster_ips: Vec<Cidr> = Vec::new();
        for text in &self.service_cluster_ip_range {
            let block = parse_cidr_sloppy(text).map(|(_, block)| block);
            let Some(block) = block else {
                return Err(Error::Options(format!(
                    "--service-cluster-ip-range: {text:?} is not a block of addresses"
                )));
            };
            if cluster_ips.iter().any(|other| other.network.is_ipv4() == block.network.is_ipv4()) {
                return Err(Error::Options(format!(
                    "--service-cluster-ip-range: {text:?} is a second block of its family"
                )));
            }
            cluster_ips.push(block);
        }
        let node_ports = self.service_node_port_range.split_once('-').and_then(|(first, last)| {
            let ports: (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
            (ports.0 > 0 && ports.0 <= ports.1).then_some(ports)
        });
        let Some(node_ports) = node_ports else {
            let text = &self.service_node_port_range;
            return Err(Error::Options(format!(
                "--service-node-port-range: {text:?} is not a range such as 30000-32767"
            )));
        };
        Ok(Ranges { cluster_ips, node_ports })
    }
}

/// A truth value in the forms that Go's `strconv.ParseBool` takes.
///
/// # Errors
/// Go's words.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
    }
}

/// A duration in Go's form: `300ms`, `1m0s`, `1h30m`; `0` alone is none.
pub fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase() || b == b'.');
    plain
        .then(|| text.parse::<jiff::SignedDuration>().ok())
        .flatten()
        .and_then(|parsed| Duration::try_from(parsed).ok())
        .ok_or_else(|| format!("{text:?} is not a duration such as 30s, 5m0s or 1h"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn options(arguments: &[&str]) -> Result<Options, String> {
        Cli::try_parse_from(std::iter::once("apiserver").chain(arguments.iter().copied()))
            .map(|cli| cli.options)
            .map_err(|e| e.to_string())
    }

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, millis) in [("0", 0), ("300ms", 300), ("5m0s", 300_000), ("1h30m", 5_400_000), ("1.5s", 1500)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "-1s", "five minutes", "P1D"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn options_that_contradict_each_other_or_name_what_is_not_there_are_refused() {
        for (arguments, words) in [
            (&["--enable-admission-plugins", "Nonsense"][..], "Nonsense"),
            (
                &["--enable-admission-plugins", "Priority", "--disable-admission-plugins", "Priority"][..],
                "both enabled and disabled",
            ),
            (&["--etcd-servers", "localhost:2379"][..], "localhost:2379"),
            (&["--etcd-prefix", "registry"][..], "registry"),
            (&["--service-cluster-ip-range", "10.0.0.0/24,10.1.0.0/24"][..], "second block"),
            (&["--service-node-port-range", "2-1"][..], "2-1"),
            (&["--service-account-issuer", "a", "--service-account-issuer", "a"][..], "already specified"),
            (&["--service-account-issuer", ""][..], "empty string"),
            (&["--service-account-lookup=false"][..], "service-account-lookup"),
            (&["--service-account-max-token-expiration", "59m"][..], "between 1 hour"),
            (&["--requestheader-username-headers", "a b"][..], "a b"),
            (&["--authorization-mode", "ABAC"][..], "ABAC"),
            (&["--authorization-mode", "RBAC,RBAC"][..], "more than once"),
            (&["--authorization-mode", "Webhook"][..], "config file not passed"),
            (&["--authorization-webhook-config-file", "x"][..], "without mode Webhook"),
        ] {
            let error = options(arguments).unwrap().complete().err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains(words), "{arguments:?}: {error}");
        }
        assert!(options(&["--tls-cert-file", "x"]).unwrap_err().contains("--tls-private-key-file"));
    }
}
