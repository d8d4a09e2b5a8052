//! Sending a scenario.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::normalise::{Normaliser, ignore};
use super::scenario::{Action, Compare, Scenario, Step, Until};
use super::server::{Answer, Server};
use super::value::{Object, Value};
use super::variables::Variables;
use super::watch::Watch;
use super::{Error, print};

/// The headers that are compared.
const HEADERS: [&str; 4] = ["content-type", "warning", "retry-after", "allow"];
/// Between two attempts of a step with `until`.
const PAUSE: Duration = Duration::from_millis(100);

/// Sends every request of a scenario; gives the normalised answers (`{status, headers, body}`), one a step, none for
/// those that have no answer of their own (sleeping, opening a watch).
pub async fn run(server: &Server, scenario: &Scenario) -> Result<Vec<Option<Value>>, Error> {
    let tag = uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
    let namespace = scenario.namespace.clone().unwrap_or_else(|| format!("x-{tag}"));
    let mut variables = Variables::default();
    variables.set("ns", namespace.as_str().into());
    variables.set("tag", tag.as_str().into());
    let literals = vec![(namespace.clone(), "${ns}".to_owned()), (tag, "${tag}".to_owned())];
    if scenario.needs_namespace {
        let metadata = object([("name", namespace.as_str().into())]);
        let body = object([("metadata", metadata)]);
        let request = object([("method", "POST".into()), ("path", "/api/v1/namespaces".into()), ("body", body)]);
        server.send(&request, false).await?;
    }
    let answers = steps(server, scenario, &mut variables, Normaliser::new(literals)).await;
    let cleaned = clean_up(server, scenario, &variables, &namespace).await;
    let answers = answers?;
    cleaned?;
    Ok(answers)
}

async fn steps(
    server: &Server,
    scenario: &Scenario,
    variables: &mut Variables,
    mut normaliser: Normaliser,
) -> Result<Vec<Option<Value>>, Error> {
    let mut answers = Vec::new();
    let mut watches = HashMap::new();
    for step in &scenario.steps {
        let answer = match &step.action {
            Action::Sleep(time) => {
                tokio::time::sleep(*time).await;
                None
            }
            Action::Watch { request, events, timeout } => {
                let watch = Watch::open(server, variables.fill(request), *events, *timeout).await;
                watches.insert(step.id.as_str(), watch);
                None
            }
            Action::Collect(id) => match watches.remove(id.as_str()) {
                Some(watch) => Some(watch.collect().await?),
                None => return Err(Error::Scenario(format!("step {}: there is no watch {id}", step.id))),
            },
            Action::Send { request, anonymous, until, capture } => {
                let request = variables.fill(request);
                let answer = ask(server, &request, *anonymous, until.as_ref(), variables).await?;
                for (name, pointer) in capture {
                    let found = answer.body.as_ref().and_then(|body| body.pointer(pointer)).cloned();
                    variables.set(name, found.unwrap_or_else(|| "<not captured>".into()));
                }
                Some(answer)
            }
        };
        answers.push(answer.map(|answer| comparable(step, &answer, &mut normaliser)).transpose()?);
    }
    Ok(answers)
}

async fn clean_up(server: &Server, scenario: &Scenario, variables: &Variables, namespace: &str) -> Result<(), Error> {
    for request in &scenario.cleanup {
        let mut request = variables.fill(request);
        if let Value::Object(request) = &mut request {
            let method = request.get("method").cloned().unwrap_or_else(|| "DELETE".into());
            request.insert("method", method);
        }
        server.send(&request, false).await?;
    }
    if scenario.needs_namespace {
        let path = Value::String(format!("/api/v1/namespaces/{namespace}"));
        server.send(&object([("method", "DELETE".into()), ("path", path)]), false).await?;
    }
    Ok(())
}

/// Sends a request, again and again where something is waited for.
async fn ask(
    server: &Server,
    request: &Value,
    anonymous: bool,
    until: Option<&Until>,
    variables: &Variables,
) -> Result<Answer, Error> {
    let deadline = until.map(|until| Instant::now() + until.timeout);
    loop {
        let answer = server.send(request, anonymous).await?;
        let Some((until, deadline)) = until.zip(deadline) else { return Ok(answer) };
        let body = answer.body.as_ref();
        let there = until
            .values
            .iter()
            .all(|(pointer, wanted)| body.and_then(|body| body.pointer(pointer)) == Some(&variables.fill(wanted)));
        let status = answer.status.map(Value::number);
        if there && (until.status.is_none() || until.status == status) || Instant::now() > deadline {
            return Ok(answer);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// An answer in the form in which it is recorded and compared.
fn comparable(step: &Step, answer: &Answer, normaliser: &mut Normaliser) -> Result<Value, Error> {
    if step.compare == Compare::Nothing {
        return Ok(object([("status", "<ignored>".into())]));
    }
    let mut body = answer.body.as_ref().map_or(Value::Null, |body| normaliser.value(body));
    for pointer in &step.ignore {
        ignore(&mut body, pointer);
    }
    if step.compare == Compare::Status {
        body = "<ignored>".into();
    }
    if let (Some(pointer), Value::Object(list)) = (&step.sort_items_by, &mut body)
        && let Some(Value::Array(items)) = list.get_mut("items")
    {
        if items.iter().any(|item| item.pointer(pointer).is_none()) {
            return Err(Error::Scenario(format!("step {}: an item has no {pointer} to sort by", step.id)));
        }
        items.sort_by_cached_key(|item| item.pointer(pointer).map(print::compact));
    }
    let headers = answer.headers.iter().filter(|(name, _)| HEADERS.contains(&name.as_str())).map(|(name, value)| {
        let value = normaliser.text(value);
        let value = if name == "content-type" { value.replace("; charset=utf-8", "") } else { value };
        (name.clone(), Value::String(value))
    });
    let headers = Value::Object(headers.collect());
    let status = answer.status.map_or(Value::Null, Value::number);
    Ok(object([("status", status), ("headers", headers), ("body", body)]))
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Object>())
}

#[cfg(test)]
mod tests {
    use super::super::read::json;
    use super::*;

    #[test]
    fn what_the_step_says_is_left_out_of_the_comparison() {
        let answer = Answer {
            status: Some(200),
            headers: [("date", "today"), ("content-type", "application/json; charset=utf-8"), ("warning", "of x-1")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            body: Some(json(r#"{"items":[{"n":"b"},{"n":"a"}],"rest":1}"#).unwrap()),
        };
        let headers = r#""headers":{"content-type":"application/json","warning":"of ${ns}"}"#;
        let cases = [
            ("{}", format!(r#"{{"status":200,{headers},"body":{{"items":[{{"n":"b"}},{{"n":"a"}}],"rest":1}}}}"#)),
            (
                r#"{"sortItemsBy":"/n","ignore":["/rest"]}"#,
                format!(
                    r#"{{"status":200,{headers},"body":{{"items":[{{"n":"a"}},{{"n":"b"}}],"rest":"<ignored>"}}}}"#
                ),
            ),
            (r#"{"compare":"status"}"#, format!(r#"{{"status":200,{headers},"body":"<ignored>"}}"#)),
            (r#"{"compare":"none"}"#, r#"{"status":"<ignored>"}"#.to_owned()),
        ];
        for (step, expected) in cases {
            let Ok(Value::Object(mut step)) = json(step) else { panic!("{step}") };
            step.insert("request", json(r#"{"path":"/"}"#).unwrap());
            let scenario = object([("steps", Value::Array(vec![Value::Object(step)]))]);
            let scenario = Scenario::new(&scenario, "x").unwrap();
            let mut normaliser = Normaliser::new(vec![("x-1".to_owned(), "${ns}".to_owned())]);
            let compared = comparable(&scenario.steps[0], &answer, &mut normaliser).unwrap();
            assert_eq!(compared, json(&expected).unwrap(), "{}", print::compact(&compared));
        }
    }
}
