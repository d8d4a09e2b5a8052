//! Writing small files so that a reader sees the old content or the new, never a part.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {path}: {source}")]
pub struct FileError {
    action: &'static str,
    path: String,
    source: io::Error,
}

impl FileError {
    fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self { action, path: path.display().to_string(), source }
    }
}

/// Replaces `path` by `content` with file mode `mode`, durably, and makes its folder if it is missing.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    write(path, content, mode, File::sync_all)
}

/// Replaces `path` as [`replace`] does, but leaves it to the operating system when it reaches the disk: after a power failure
/// it may be empty or missing. For what is made anew then.
pub fn replace_remakable(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    write(path, content, mode, |_| Ok(()))
}

fn write(path: &Path, content: &[u8], mode: u32, sync: impl Fn(&File) -> io::Result<()>) -> Result<(), FileError> {
    let fail = |e| FileError::new("write", path, e);
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(fail)?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.new", std::process::id()));
    let fresh: PathBuf = folder.join(name);
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&fresh)
        .and_then(|mut file| file.write_all(content).and_then(|()| sync(&file)))
        .and_then(|()| fs::rename(&fresh, path))
        .and_then(|()| File::open(folder).and_then(|f| sync(&f)));
    written.map_err(|e| {
        // The error that is reported is the first one; a leftover is harmless.
        let _ = fs::remove_file(&fresh);
        fail(e)
    })
}

/// The paths in a folder, in no order.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let fail = |error| FileError::new("read", folder, error);
    fs::read_dir(folder).map_err(fail)?.map(|entry| entry.map(|entry| entry.path()).map_err(fail)).collect()
}

/// The text of `path`, or `None` if there is no such file.
pub fn read_optional(path: &Path) -> Result<Option<String>, FileError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(FileError::new("read", path, e)),
    }
}

/// The text of `path`.
pub fn read(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(|e| FileError::new("read", path, e))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_replaced_file_has_the_new_content_the_mode_asked_for_and_leaves_no_other_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/secret");
        replace(&path, b"one", 0o600).unwrap();
        replace(&path, b"two", 0o600).unwrap();
        assert_eq!(read(&path).unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_file_is_none_and_an_unreadable_one_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read_optional(&dir.path().join("absent")).unwrap(), None);
        let error = read_optional(dir.path()).unwrap_err().to_string();
        assert!(error.contains(&dir.path().display().to_string()), "{error}");
    }
}
