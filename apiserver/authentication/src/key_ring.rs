//! The keys of a server: the one that signs tokens, and those that verify them.

use tokio::sync::OnceCell;

use crate::keys::{PrivateKey, PublicKey};

/// Opens the signing key, or makes it. Called where it may block.
pub type Open = Box<dyn Fn() -> Result<PrivateKey, String> + Send + Sync>;

/// The signing key and the verifying ones. A signing key that has to be made first is made when it is first needed: that
/// takes longer than all else at a server's start.
pub struct KeyRing {
    signing: OnceCell<PrivateKey>,
    open: std::sync::Arc<Open>,
    verifying: Option<Vec<PublicKey>>,
}

impl KeyRing {
    /// A ring around a signing key that is at hand.
    pub fn new(signing: PrivateKey) -> Self {
        let open: Open = Box::new(|| Err("the key is at hand".to_owned()));
        Self { signing: OnceCell::new_with(Some(signing)), open: std::sync::Arc::new(open), verifying: None }
    }

    /// A ring whose signing key `open` makes when it is first needed.
    pub fn made_when_needed(open: Open) -> Self {
        Self { signing: OnceCell::new(), open: std::sync::Arc::new(open), verifying: None }
    }

    /// Tokens are verified with these keys; without this call with the signing key's public half.
    #[must_use]
    pub fn verified_with(mut self, keys: Vec<PublicKey>) -> Self {
        self.verifying = Some(keys);
        self
    }

    /// The key that signs.
    ///
    /// # Errors
    /// It can be neither opened nor made.
    pub async fn signing(&self) -> Result<&PrivateKey, String> {
        let make = || async {
            let open = self.open.clone();
            let made = tokio::task::spawn_blocking(move || open()).await;
            made.unwrap_or_else(|error| Err(error.to_string()))
        };
        self.signing.get_or_try_init(make).await
    }

    /// The keys that verify, as far as there are any yet: what no key has signed cannot be verified.
    pub fn verifying(&self) -> impl Iterator<Item = &PublicKey> {
        let own = self.signing.get().filter(|_| self.verifying.is_none()).map(PrivateKey::public);
        self.verifying.iter().flatten().chain(own)
    }

    /// The keys that verify, of which there is one at least.
    ///
    /// # Errors
    /// The signing key can be neither opened nor made.
    pub async fn published(&self) -> Result<Vec<&PublicKey>, String> {
        if self.verifying.is_none() {
            self.signing().await?;
        }
        Ok(self.verifying().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::keys::Algorithm;

    #[tokio::test]
    async fn a_key_is_made_once_and_when_it_is_needed() {
        let made = Arc::new(AtomicUsize::new(0));
        let counted = made.clone();
        let ring = KeyRing::made_when_needed(Box::new(move || match counted.fetch_add(1, Ordering::SeqCst) {
            0 => Err("the disk is full".to_owned()),
            _ => Ok(PrivateKey::generate(Algorithm::Es256).unwrap().0),
        }));
        assert_eq!(ring.verifying().count(), 0);
        assert_eq!(ring.published().await.err().as_deref(), Some("the disk is full"));
        let id = ring.signing().await.unwrap().public().id().to_owned();
        assert_eq!(ring.published().await.unwrap()[0].id(), id);
        assert_eq!(made.load(Ordering::SeqCst), 2);
    }
}
