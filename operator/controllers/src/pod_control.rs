//! Creating and deleting Pods for the controllers that own them, told in events.

use futures::stream::FuturesUnordered;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::DeleteParams;
use kube::{Api, Resource, ResourceExt};
use runtime::events::CoreRecorder;

use crate::field_manager;

/// The longest name of a Pod.
const LONGEST_NAME: usize = 253;

/// Creates and deletes the Pods of one owner.
pub struct PodControl<'a, K> {
    /// The Pods of the owner's namespace.
    pub pods: Api<Pod>,
    /// Where it is told.
    pub recorder: &'a CoreRecorder,
    /// The owner.
    pub owner: &'a K,
}

/// A Pod of a template; its name is generated from the owner's.
pub fn from_template(template: &PodTemplateSpec, owner_name: &str, owner: OwnerReference) -> Pod {
    let metadata = template.metadata.as_ref();
    let labels = metadata.and_then(|metadata| metadata.labels.clone()).unwrap_or_default();
    let annotations = metadata.and_then(|metadata| metadata.annotations.clone()).filter(|all| !all.is_empty());
    let finalizers = metadata.and_then(|metadata| metadata.finalizers.clone()).filter(|all| !all.is_empty());
    let prefix = if owner_name.len() < LONGEST_NAME { format!("{owner_name}-") } else { owner_name.to_owned() };
    Pod {
        metadata: ObjectMeta {
            generate_name: Some(prefix),
            labels: Some(labels),
            annotations,
            finalizers,
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}

/// Whether a request was refused because its namespace is being emptied: nothing can be created there any more.
pub fn namespace_is_terminating(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    causes.iter().any(|cause| cause.reason == "NamespaceTerminating")
}

impl<K: Resource<DynamicType = ()>> PodControl<'_, K> {
    /// Creates a Pod.
    ///
    /// # Errors
    /// That of the request.
    pub async fn create(&self, pod: &Pod) -> kube::Result<Pod> {
        let owner = self.owner.object_ref(&());
        match self.pods.create(&field_manager::post(), pod).await {
            Ok(pod) => {
                let note = format!("Created pod: {}", pod.name_any());
                self.recorder.normal(owner, "SuccessfulCreate", note);
                Ok(pod)
            }
            Err(error) => {
                if !namespace_is_terminating(&error) {
                    let note = format!("Error creating: {}", runtime::error::brief(&error));
                    self.recorder.warning(owner, "FailedCreate", note);
                }
                Err(error)
            }
        }
    }

    /// Deletes a Pod. False when it was gone already.
    ///
    /// # Errors
    /// That of the request.
    pub async fn delete(&self, name: &str) -> kube::Result<bool> {
        let owner = self.owner.object_ref(&());
        match self.pods.delete(name, &DeleteParams::default()).await {
            Ok(_) => {
                self.recorder.normal(owner, "SuccessfulDelete", format!("Deleted pod: {name}"));
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            Err(error) => {
                let note = format!("Error deleting: {}", runtime::error::brief(&error));
                self.recorder.warning(owner, "FailedDelete", note);
                Err(error)
            }
        }
    }
}

/// Makes `count` calls in batches: one, and twice as many after each batch that went well, so that what is bound to
/// fail fails few times. Gives the number of calls that went well, and the first error.
pub async fn slow_start<F, Call, E>(count: usize, mut call: F) -> (usize, Result<(), E>)
where
    F: FnMut(usize) -> Call,
    Call: Future<Output = Result<(), E>>,
{
    let (mut started, mut succeeded, mut size) = (0, 0, 1);
    while started < count {
        let batch: FuturesUnordered<Call> = (started..count.min(started + size)).map(&mut call).collect();
        let tried = batch.len();
        let failures: Vec<E> = batch.filter_map(|outcome| std::future::ready(outcome.err())).collect().await;
        succeeded += tried - failures.len();
        started += tried;
        if let Some(failure) = failures.into_iter().next() {
            return (succeeded, Err(failure));
        }
        size *= 2;
    }
    (succeeded, Ok(()))
}

/// Makes all calls at once and waits for all; gives the first error.
pub async fn all_at_once<Call, E>(calls: impl IntoIterator<Item = Call>) -> Result<(), E>
where
    Call: Future<Output = Result<(), E>>,
{
    let calls: FuturesUnordered<Call> = calls.into_iter().collect();
    let outcomes: Vec<Result<(), E>> = calls.collect().await;
    futures::stream::iter(outcomes).try_collect().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn creations_start_slowly_and_end_with_the_batch_that_fails() {
        for (count, fails_at, tried, succeeded) in [(10, 99, 10, 10), (10, 0, 1, 0), (10, 2, 3, 2), (0, 0, 0, 0)] {
            let calls = Cell::new(0);
            let outcome = slow_start(count, |index| {
                calls.set(calls.get() + 1);
                std::future::ready(if index == fails_at { Err(index) } else { Ok(()) })
            })
            .await;
            assert_eq!((calls.get(), outcome.0), (tried, succeeded), "{count} {fails_at}");
            assert_eq!(outcome.1.is_err(), fails_at < count, "{count} {fails_at}");
        }
    }
}
