//! From a file that opened as a database to a store: a new one is laid out, an old one is checked.

use std::path::Path;

use redb::{ReadableTable, TableHandle, WriteTransaction};

use super::OpenError;
use super::batch::Progress;
use super::file::{Commit, Failure, File};
use super::format::{EXPIRY, FIRST_REVISION, FORMAT, INDEX, LOG, META, meta};
use crate::Error;

/// Makes or checks the tables. The store's identity, and how far it is.
pub(super) fn start(file: &File, path: &Path) -> Result<(u128, Progress), OpenError> {
    let damaged = |detail: String| OpenError::Damaged { path: path.to_owned(), detail };
    let (laid_out, _) = file.write(lay_out);
    match laid_out {
        Ok(Found::Store) => {}
        Ok(Found::Other(tables)) => {
            return Err(OpenError::Foreign { path: path.to_owned(), detail: format!("it holds {tables}") });
        }
        Ok(Found::Format(found)) => {
            return Err(OpenError::Version { path: path.to_owned(), found, expected: FORMAT });
        }
        Err(Failure::File(redb::Error::Io(source))) => {
            return Err(OpenError::Io { path: path.to_owned(), source });
        }
        Err(failure) => return Err(damaged(failure.into_error().to_string())),
    }
    file.read(|snapshot| Ok((snapshot.identity()?, snapshot.progress()?))).map_err(|error| match error {
        Error::Corrupt(detail) => damaged(detail),
        error => damaged(error.to_string()),
    })
}

/// What a database turned out to be.
enum Found {
    /// A store of this format; new, or there before.
    Store,
    /// A database with these tables, which are not ours.
    Other(String),
    /// A store of this format, which is not ours.
    Format(u64),
}

fn lay_out(transaction: &WriteTransaction) -> Result<(Found, Commit), Failure> {
    let mut tables: Vec<String> = transaction.list_tables()?.map(|table| table.name().to_owned()).collect();
    tables.extend(transaction.list_multimap_tables()?.map(|table| redb::MultimapTableHandle::name(&table).to_owned()));
    if tables.is_empty() {
        let mut numbers = transaction.open_table(META)?;
        transaction.open_table(LOG)?;
        transaction.open_table(INDEX)?;
        transaction.open_table(EXPIRY)?;
        numbers.insert(meta::FORMAT, u128::from(FORMAT))?;
        numbers.insert(meta::IDENTITY, uuid::Uuid::new_v4().as_u128())?;
        for name in [meta::REVISION, meta::COMPACTED, meta::SWEPT] {
            let first = if name == meta::REVISION { FIRST_REVISION } else { 0 };
            numbers.insert(name, u128::from(first))?;
        }
        return Ok((Found::Store, Commit::Yes));
    }
    let other = || Ok((Found::Other(format!("the tables {}", tables.join(", "))), Commit::No));
    if !tables.iter().any(|table| table == META.name()) {
        return other();
    }
    let numbers = match transaction.open_table(META) {
        Ok(numbers) => numbers,
        Err(redb::TableError::Storage(error)) => return Err(error.into()),
        Err(_) => return other(),
    };
    let format = numbers.get(meta::FORMAT)?.map(|format| format.value());
    match format.map(u64::try_from) {
        Some(Ok(FORMAT)) => Ok((Found::Store, Commit::No)),
        Some(format) => Ok((Found::Format(format.unwrap_or(u64::MAX)), Commit::No)),
        None => other(),
    }
}
