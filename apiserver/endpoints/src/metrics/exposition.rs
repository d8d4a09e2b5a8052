//! The text of `/metrics`: OpenMetrics for clients that ask for it, else Prometheus' text format 0.0.4.

use std::fmt;

use http::HeaderMap;
use http::header::ACCEPT;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

/// A form of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exposition {
    /// Prometheus' text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Exposition {
    /// The form that `Accept` asks for.
    pub(super) fn asked_for(headers: &HeaderMap) -> Self {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type =
            |clause: &str| clause.split(';').next().unwrap_or_default().trim() == "application/openmetrics-text";
        if accept.split(',').any(media_type) { Self::OpenMetrics } else { Self::Text }
    }

    /// Its media type.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The text of all metrics.
    pub(super) fn of(self, registry: &Registry) -> Result<String, fmt::Error> {
        let mut out = String::new();
        match self {
            Self::OpenMetrics => text::encode(&mut out, registry)?,
            Self::Text => {
                text::encode_registry(&mut out, registry)?;
                out = plain(&out);
            }
        }
        Ok(out)
    }
}

/// OpenMetrics' text as text 0.0.4: a family of counters or infos has the name of its samples, and there are no units.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    // The line that says what a family is about; it comes before the one that says what type it has.
    let mut help: Option<(&str, &str)> = None;
    for line in text.lines() {
        let fields = line.strip_prefix("# ").map(|rest| rest.splitn(3, ' ').collect::<Vec<_>>());
        match fields.as_deref() {
            Some(["HELP", name, words]) => help = Some((name, words)),
            Some(["TYPE", name, kind]) => {
                let (suffix, kind) = match *kind {
                    "counter" => ("_total", "counter"),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    kind => ("", kind),
                };
                if let Some((_, words)) = help.take().filter(|(of, _)| of == name) {
                    out.extend(["# HELP ", *name, suffix, " ", words, "\n"]);
                }
                out.extend(["# TYPE ", *name, suffix, " ", kind, "\n"]);
            }
            Some(["UNIT", ..] | ["EOF"]) => {}
            _ => out.extend([line, "\n"]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::gauge::Gauge;

    use super::*;

    #[test]
    fn a_counters_family_has_its_samples_name() {
        let mut registry = Registry::default();
        let counter: Counter = Counter::default();
        counter.inc_by(3);
        registry.register("requests", "How many: # all", counter);
        registry.register("running", "Now", Gauge::<i64>::default());
        assert_eq!(
            Exposition::Text.of(&registry).unwrap(),
            "# HELP requests_total How many: # all.\n# TYPE requests_total counter\nrequests_total 3\n\
             # HELP running Now.\n# TYPE running gauge\nrunning 0\n"
        );
        assert!(Exposition::OpenMetrics.of(&registry).unwrap().ends_with("# EOF\n"));
    }

    #[test]
    fn open_metrics_are_for_those_who_ask() {
        for (accept, expected) in [
            ("*/*", Exposition::Text),
            ("text/plain;version=0.0.4;q=0.5", Exposition::Text),
            (
                "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5",
                Exposition::OpenMetrics,
            ),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
            assert_eq!(Exposition::asked_for(&headers), expected, "{accept}");
        }
    }
}
