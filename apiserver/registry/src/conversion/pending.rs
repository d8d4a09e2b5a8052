//! Conversions for those who cannot wait. The rules of field management are plain functions, which compare an object in every
//! version in which somebody wrote; where a webhook converts, they run again until it has been asked for all they need.

use apimachinery::{ObjectExt, StatusError};
use parking_lot::Mutex;
use serde_json::Value;

use crate::registry::Registry;
use crate::table::Row;

/// What a webhook has been asked in the course of one write, and what it is to be asked next.
#[derive(Debug, Default)]
pub(crate) struct Pending(Mutex<Questions>);

#[derive(Debug, Default)]
struct Questions {
    /// An object, the version wanted, and the answer or why there is none.
    answered: Vec<(Value, String, Result<Value, String>)>,
    open: Vec<(Value, String)>,
}

impl Pending {
    /// `object` in `version`; `None` if that is not known yet: it will be asked for.
    pub(crate) fn find(&self, object: &Value, version: &str) -> Option<Result<Value, String>> {
        let mut questions = self.0.lock();
        let answered = questions.answered.iter().find(|(of, to, _)| to == version && of == object);
        if let Some((_, _, answer)) = answered {
            return Some(answer.clone());
        }
        questions.open.push((object.clone(), version.to_owned()));
        None
    }

    /// Asks what is to be asked. Whether anything was: then whoever wanted it has to run again.
    pub(crate) async fn settle(&self, registry: &Registry, row: &Row) -> bool {
        let open = std::mem::take(&mut self.0.lock().open);
        if open.is_empty() {
            return false;
        }
        for (object, version) in open {
            let answer = registry.convert(object.clone(), row, &version).await;
            let answer = answer.map_err(|error: StatusError| error.message().to_owned());
            tracing::trace!(kind = object.kind(), version, "converted for field management");
            self.0.lock().answered.push((object, version, answer));
        }
        true
    }
}
