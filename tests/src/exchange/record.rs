//! Recording what a server answers.

use super::scenario::Scenario;
use super::server::Server;
use super::value::{Object, Value};
use super::{Error, print, run};

/// A recording.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Its JSON text.
    pub text: String,
    /// How many exchanges it holds.
    pub exchanges: usize,
    /// The steps that were answered differently the second time: what is not the same twice is not a fact.
    pub unstable: Vec<String>,
}

/// Sends `scenario` twice and keeps the first answers, in place of those it may have; `upstream` names the server.
pub async fn record(server: &Server, scenario: &Scenario, upstream: &str) -> Result<Recording, Error> {
    let first = run(server, scenario).await?;
    let second = run(server, scenario).await?;
    let steps = scenario.steps.iter().zip(first.iter().zip(&second));
    let unstable = steps.filter(|(_, (first, second))| first != second).map(|(step, _)| step.id.clone());
    Ok(Recording {
        text: print::sorted(&scenario.with_answers(&first, upstream)) + "\n",
        exchanges: first.iter().flatten().count(),
        unstable: unstable.collect(),
    })
}

/// What the server calls its version; empty if it does not tell.
pub async fn version(server: &Server) -> Result<String, Error> {
    let request = Value::Object(Object::from_iter([("path".to_owned(), "/version".into())]));
    let answer = server.send(&request, false).await?;
    let version = answer.body.as_ref().and_then(|body| body.get("gitVersion")).and_then(Value::as_str);
    Ok(version.unwrap_or_default().to_owned())
}
