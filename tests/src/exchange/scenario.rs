//! What is sent, and what is compared.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::value::{Object, Value};
use super::{Error, print, read};

/// A list of requests, with the answers of the recorded server where it has been recorded.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its folder's name: what it is about.
    pub area: String,
    /// Its own name.
    pub name: String,
    /// The namespace to use instead of a fresh one.
    pub namespace: Option<String>,
    /// Whether it wants a namespace.
    pub needs_namespace: bool,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// Requests sent at the end.
    pub cleanup: Vec<Value>,
    document: Object,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name, unique among the recorded steps; the position if it has none.
    pub id: String,
    /// What is done.
    pub action: Action,
    /// What is compared of the answer.
    pub compare: Compare,
    /// Pointers to parts that are not compared.
    pub ignore: Vec<String>,
    /// The part of each item by which a list is sorted before it is compared.
    pub sort_items_by: Option<String>,
    /// What the recorded server answered.
    pub response: Option<Value>,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Waits.
    Sleep(Duration),
    /// Waits until the watch of that step is over; its events are this step's answer.
    Collect(String),
    /// Opens a watch that goes on beside the next steps.
    Watch {
        /// The request.
        request: Value,
        /// After how many events it is over.
        events: Option<usize>,
        /// After which time it is over.
        timeout: Duration,
    },
    /// Sends a request.
    Send {
        /// The request: method, path, headers, and body (JSON) or raw (text).
        request: Value,
        /// Whether it is sent without the administrator's credentials.
        anonymous: bool,
        /// It is repeated until the answer has these values.
        until: Option<Until>,
        /// Parts of the answer that become variables: name and pointer.
        capture: Vec<(String, String)>,
    },
}

/// What an answer is waited for.
#[derive(Clone, Debug)]
pub struct Until {
    /// The status.
    pub status: Option<Value>,
    /// Values by pointer.
    pub values: Vec<(String, Value)>,
    /// After this time the answer is taken as it is.
    pub timeout: Duration,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// All.
    All,
    /// Status and headers.
    Status,
    /// Nothing.
    Nothing,
}

impl Scenario {
    /// Reads a scenario, `.json` or `.yaml`; its area is the name of its folder.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let refuse = |reason: String| Error::File { path: path.display().to_string(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        let name = |path: Option<&Path>| path.and_then(|p| p.file_stem()).map(|s| s.to_string_lossy().into_owned());
        let document = match path.extension().is_some_and(|extension| extension == "json") {
            true => read::json(&text).map_err(|error| error.to_string()),
            false => read::yaml(&text),
        };
        let mut scenario = document
            .and_then(|document| Self::new(&document, &name(Some(path)).unwrap_or_default()))
            .map_err(refuse)?;
        let folder = path.canonicalize().ok().and_then(|path| name(path.parent()));
        scenario.area = folder.unwrap_or_default();
        Ok(scenario)
    }

    /// The scenario of a document; `name` is for one that has none.
    pub fn new(document: &Value, name: &str) -> Result<Self, String> {
        let mut document = document.as_object().ok_or("a scenario is a map")?.clone();
        if document.get("name").is_none() {
            document.insert("name", name.into());
        }
        let steps = document.get("steps").and_then(Value::as_array).ok_or("it has no list of steps")?;
        let steps = steps
            .iter()
            .enumerate()
            .map(|(at, value)| {
                let id = value.get("id").map(text).unwrap_or_else(|| at.to_string());
                step(id.clone(), value).map_err(|reason| format!("step {id}: {reason}"))
            })
            .collect::<Result<_, String>>()?;
        Ok(Self {
            area: String::new(),
            name: document.get("name").map(text).unwrap_or_default(),
            namespace: document.get("namespace").map(text),
            needs_namespace: document.get("needsNamespace").is_none_or(truth),
            steps,
            cleanup: document.get("cleanup").and_then(Value::as_array).unwrap_or_default().to_vec(),
            document,
        })
    }

    /// `<area>/<name>`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.area, self.name)
    }

    /// The recording that it is with these answers of the server called `upstream`, one a step.
    pub fn with_answers(&self, answers: &[Option<Value>], upstream: &str) -> Value {
        let mut document = self.document.clone();
        if let Some(Value::Array(steps)) = document.get_mut("steps") {
            for (step, answer) in steps.iter_mut().zip(answers) {
                if let (Value::Object(step), Some(answer)) = (step, answer) {
                    step.insert("response", answer.clone());
                }
            }
        }
        document.insert("upstream", upstream.into());
        Value::Object(document)
    }

    /// The same, but the steps that `hopeless` names are not waited for longer than `most`.
    #[must_use]
    pub fn waiting_at_most(mut self, most: Duration, hopeless: impl Fn(&str) -> bool) -> Self {
        for step in self.steps.iter_mut().filter(|step| hopeless(&step.id)) {
            if let Action::Send { until: Some(until), .. } = &mut step.action {
                until.timeout = until.timeout.min(most);
            }
        }
        self
    }

    /// Whether it asks for something that other scenarios may change: a list or watch over the whole cluster that
    /// nothing of its own narrows, or a document about all groups. Such a one is run while no other runs.
    pub fn looks_beyond_itself(&self) -> bool {
        let requests = self.steps.iter().filter_map(|step| match &step.action {
            Action::Watch { request, .. } | Action::Send { request, .. } => Some(request),
            _ => None,
        });
        requests.chain(&self.cleanup).any(|request| {
            let method = request.get("method").and_then(Value::as_str).unwrap_or("GET");
            let path = request.get("path").and_then(Value::as_str).unwrap_or_default();
            matches!(method, "GET" | "DELETE") && !path.contains("${") && is_cluster_wide(path)
        })
    }
}

/// The scenario files (`.json`, `.yaml`, `.yml`) of a folder and those below it, in order; of a file, itself.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let refuse = |error: std::io::Error| Error::File { path: path.display().to_string(), reason: error.to_string() };
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(refuse)?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    let is_scenario =
        |path: &PathBuf| path.extension().is_some_and(|e| ["json", "yaml", "yml"].iter().any(|known| e == *known));
    let wanted = paths.iter().filter(|path| path.is_dir() || is_scenario(path));
    Ok(wanted.map(|path| files(path)).collect::<Result<Vec<_>, _>>()?.concat())
}

/// Whether a path is that of a collection over the whole cluster, or of a document about all groups.
fn is_cluster_wide(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let within = match segments.as_slice() {
        ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
        ["api" | "apis" | "openapi", ..] => return true,
        _ => return false,
    };
    matches!(within, ["watch", _] | [_])
}

fn step(id: String, value: &Value) -> Result<Step, String> {
    let request = || {
        let request = value.get("request").ok_or("it has no request")?;
        request.get("path").and_then(Value::as_str).ok_or("its request has no path")?;
        Ok::<_, String>(request.clone())
    };
    let action = if let Some(time) = value.get("sleep") {
        Action::Sleep(seconds(time)?)
    } else if let Some(watch) = value.get("collect") {
        Action::Collect(text(watch))
    } else if let Some(watch) = value.get("watch") {
        let events = watch.get("events").filter(|events| **events != Value::Null);
        Action::Watch {
            request: request()?,
            events: events.map(|n| text(n).parse().map_err(|_| "watch.events is no number")).transpose()?,
            timeout: watch.get("timeout").map_or(Ok(Duration::from_secs(5)), seconds)?,
        }
    } else {
        Action::Send {
            request: request()?,
            anonymous: value.get("noClientCert").is_some_and(truth),
            until: value.get("until").map(until).transpose()?,
            capture: members(value.get("capture")).map(|(name, at)| (name.to_owned(), text(at))).collect(),
        }
    };
    Ok(Step {
        id,
        action,
        compare: match value.get("compare").and_then(Value::as_str) {
            Some("none") => Compare::Nothing,
            Some("status") => Compare::Status,
            _ => Compare::All,
        },
        ignore: value.get("ignore").and_then(Value::as_array).unwrap_or_default().iter().map(text).collect(),
        sort_items_by: value.get("sortItemsBy").map(text),
        response: value.get("response").cloned(),
    })
}

fn until(value: &Value) -> Result<Until, String> {
    Ok(Until {
        status: value.get("status").cloned(),
        values: members(value.get("values")).map(|(at, wanted)| (at.to_owned(), wanted.clone())).collect(),
        timeout: value.get("timeout").map_or(Ok(Duration::from_secs(15)), seconds)?,
    })
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&str, &Value)> {
    value.and_then(Value::as_object).into_iter().flat_map(Object::iter)
}

fn seconds(value: &Value) -> Result<Duration, String> {
    let number = text(value).parse().ok().and_then(|n| Duration::try_from_secs_f64(n).ok());
    number.ok_or_else(|| format!("{} is no time in seconds", print::compact(value)))
}

fn truth(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| print::compact(value), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_that_looks_at_the_whole_cluster_is_told_from_one_that_looks_at_its_own() {
        let scenario = |request: &str| {
            let document = read::json(&format!(r#"{{"steps":[{{"id":"a","request":{request}}}]}}"#)).unwrap();
            Scenario::new(&document, "x").unwrap()
        };
        let alone = [
            r#"{"path":"/api/v1/pods"}"#,
            r#"{"path":"/api/v1/namespaces?watch=1"}"#,
            r#"{"path":"/apis/apps/v1/watch/deployments"}"#,
            r#"{"path":"/api/v1/configmaps?labelSelector=x","method":"DELETE"}"#,
            r#"{"path":"/apis"}"#,
            r#"{"path":"/openapi/v2"}"#,
        ];
        for request in alone {
            assert!(scenario(request).looks_beyond_itself(), "{request}");
        }
        let together = [
            r#"{"path":"/api/v1/namespaces/default"}"#,
            r#"{"path":"/api/v1/namespaces/${ns}/pods?watch=1"}"#,
            r#"{"path":"/api/v1/pods?labelSelector=t%3D${tag}"}"#,
            r#"{"path":"/apis/${tag}.example.com/v1/widgets"}"#,
            r#"{"path":"/apis/apps/v1"}"#,
            r#"{"path":"/api/v1/namespaces","method":"POST"}"#,
            r#"{"path":"/version"}"#,
        ];
        for request in together {
            assert!(!scenario(request).looks_beyond_itself(), "{request}");
        }
    }

    #[test]
    fn what_is_hopeless_is_not_waited_for() {
        let document = r#"{"steps":[{"id":"a","request":{"path":"/"},"until":{"timeout":40}},
            {"id":"b","request":{"path":"/"},"until":{"timeout":40}}, {"id":"c","request":{"path":"/"},"until":{"timeout":1}}]}"#;
        let scenario = Scenario::new(&read::json(document).unwrap(), "x").unwrap();
        let scenario = scenario.waiting_at_most(Duration::from_secs(2), |step| step != "b");
        let waits = scenario.steps.iter().filter_map(|step| match &step.action {
            Action::Send { until: Some(until), .. } => Some(until.timeout.as_secs()),
            _ => None,
        });
        assert_eq!(waits.collect::<Vec<_>>(), [2, 40, 1]);
    }

    #[test]
    fn a_wrong_scenario_is_refused_with_the_step_and_the_reason() {
        let cases = [
            ("[]", "a scenario is a map"),
            ("{}", "it has no list of steps"),
            (r#"{"steps":[{"id":"a"}]}"#, "step a: it has no request"),
            (r#"{"steps":[{"request":{}}]}"#, "step 0: its request has no path"),
            (r#"{"steps":[{"sleep":-1}]}"#, "step 0: -1 is no time in seconds"),
        ];
        for (text, reason) in cases {
            assert_eq!(Scenario::new(&read::json(text).unwrap(), "x").unwrap_err(), reason);
        }
    }
}
