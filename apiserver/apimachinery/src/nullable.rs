//! Reading JSON as Go does: null is the zero value.

use serde::{Deserialize, Deserializer};

/// For `deserialize_with`: null is the default.
pub fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
