//! A watch that goes on beside the steps of a scenario.

use std::time::Duration;

use http_body_util::BodyExt as _;
use kube::client::Body;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::server::{self, Answer, Server, joined};
use super::value::{Object, Value};
use super::{Error, read};

/// How long the next step waits for the head of the watch's answer.
const OPENING: Duration = Duration::from_secs(10);
/// And then, so that the watch is established before anything happens.
const SETTLING: Duration = Duration::from_millis(150);

/// A watch under way.
#[derive(Debug)]
pub struct Watch(tokio::task::JoinHandle<Answer>);

impl Watch {
    /// Opens one; returns when its answer has begun. It is over after `events` lines or `patience`.
    pub async fn open(server: &Server, request: Value, events: Option<usize>, patience: Duration) -> Self {
        let (begun, beginning) = oneshot::channel();
        let server = server.clone();
        let task = tokio::spawn(async move { read(&server, &request, events, patience, begun).await });
        let _ = timeout(OPENING, beginning).await;
        tokio::time::sleep(SETTLING).await;
        Self(task)
    }

    /// What it has seen when it is over.
    pub async fn collect(self) -> Result<Answer, Error> {
        self.0.await.map_err(|error| Error::Transport(error.to_string()))
    }
}

async fn read(
    server: &Server,
    request: &Value,
    events: Option<usize>,
    patience: Duration,
    begun: oneshot::Sender<()>,
) -> Answer {
    let response = match server.open(request, false, patience).await {
        Ok(response) => response,
        Err(error) => {
            let reason = Object::from_iter([("transport".to_owned(), Value::String(error.to_string()))]);
            return Answer { status: None, headers: Vec::new(), body: Some(Value::Array(vec![Value::Object(reason)])) };
        }
    };
    let _ = begun.send(());
    let (status, headers) = (response.status().as_u16(), joined(response.headers()));
    let lines = if status == 200 {
        lines(response.into_body(), events, patience).await
    } else {
        match server::whole(response.into_body(), patience).await {
            Ok(body) if body.is_empty() => Some(vec![Value::Null]),
            Ok(body) => line(&body).map(|line| vec![line]),
            Err(_) => Some(Vec::new()),
        }
    };
    match lines {
        Some(lines) => Answer { status: Some(status), headers, body: Some(Value::Array(lines)) },
        // What is no JSON is no watch.
        None => Answer::default(),
    }
}

/// The lines of a body: at most `most`, until none has come for `patience`, none begun after `patience` in all. None if
/// one is no JSON.
async fn lines(mut body: Body, most: Option<usize>, patience: Duration) -> Option<Vec<Value>> {
    let end = Instant::now() + patience;
    let mut lines = Vec::new();
    let mut buffer = Vec::<u8>::new();
    let mut scanned = 0;
    while Instant::now() < end && most.is_none_or(|most| lines.len() < most) {
        let deadline = Instant::now() + patience;
        let next = loop {
            if let Some(at) = buffer[scanned..].iter().position(|byte| *byte == b'\n') {
                let rest = buffer.split_off(scanned + at + 1);
                scanned = 0;
                break Some(std::mem::replace(&mut buffer, rest));
            }
            scanned = buffer.len();
            match tokio::time::timeout_at(deadline, body.frame()).await {
                Ok(Some(Ok(frame))) => buffer.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
                Ok(None) if !buffer.is_empty() => {
                    scanned = 0;
                    break Some(std::mem::take(&mut buffer));
                }
                Ok(None | Some(Err(_))) | Err(_) => break None,
            }
        };
        match next {
            Some(next) => lines.push(line(&next)?),
            None => break,
        }
    }
    Some(lines)
}

fn line(bytes: &[u8]) -> Option<Value> {
    read::json(std::str::from_utf8(bytes).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::super::print::compact;
    use super::*;

    #[tokio::test]
    async fn events_are_the_lines_of_the_answer_however_they_are_cut() {
        let text = "{\"type\":\"ADDED\"}\n{\"type\":\"MODIFIED\"}\n{\"type\":\"DELETED\"}";
        for (most, expected) in [(None, 3), (Some(2), 2), (Some(9), 3), (Some(0), 0)] {
            let lines = lines(Body::from(text.as_bytes().to_vec()), most, Duration::from_secs(5)).await.unwrap();
            assert_eq!(lines.len(), expected, "{}", compact(&Value::Array(lines)));
        }
        assert!(lines(Body::from(b"{}\nno json\n".to_vec()), None, Duration::from_secs(5)).await.is_none());
    }
}
