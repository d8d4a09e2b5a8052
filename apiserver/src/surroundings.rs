//! What a server finds around it: it keeps a whole cluster ([`crate::cluster`]), or stands behind a server that does
//! ([`crate::aggregated`]).

use std::sync::Arc;

use admission::Lister;
use async_trait::async_trait;
use registry::Registry;
use rustls_pki_types::CertificateDer;
use tokio_util::task::TaskTracker;

use crate::error::Error;
use crate::identity::Identity;
use crate::pki::Authority;

/// The answers to what a server asks of its surroundings, in the order in which it does.
#[async_trait]
pub(crate) trait Surroundings: Send {
    /// Signs the certificate that is shown where none was given.
    fn authority(&self) -> &Arc<Authority>;

    /// The names by which clients reach it, besides those that every server has.
    fn names(&self) -> Vec<String>;

    /// Signs the certificates of the identities.
    fn client_authority(&self) -> &Authority;

    /// The authorities by which clients choose the certificate that they show; none: any.
    fn client_certificates(&self) -> Vec<CertificateDer<'static>>;

    /// Whose kubeconfigs are written.
    fn identities(&self) -> Vec<Identity>;

    /// What admission reads.
    fn lister(&self, registry: &Arc<Registry>) -> Arc<dyn Lister>;

    /// The admission plugins that run, in order.
    fn admission_plugins(&self) -> Vec<&'static str>;

    /// Sees to what must be there before definitions are read.
    async fn prepare(&mut self, registry: &Arc<Registry>) -> Result<(), Error>;

    /// Says who clients are, what they may do, and what others serve; definitions have been read.
    async fn complete(&mut self, server: &mut endpoints::Config) -> Result<(), Error>;

    /// Begins what goes on for as long as requests are answered.
    fn spawn(self: Box<Self>, registry: &Arc<Registry>, tasks: &TaskTracker);
}
