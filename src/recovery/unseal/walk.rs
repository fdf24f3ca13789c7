//! The files below a folder, in order, without following links.
use super::UnsealError;
use std::fs;
use std::path::{Path, PathBuf};

/// One file found.
pub(super) struct Entry {
    /// Path below the folder.
    pub(super) relative: PathBuf,
    /// Bytes.
    pub(super) length: u64,
    /// Why it cannot be read as a file.
    pub(super) problem: Option<UnsealError>,
}

/// Folders still to be read, deepest last: memory grows with depth and the entries of the folders on the way.
struct Walk {
    root: PathBuf,
    pending: Vec<PathBuf>,
}

/// Walks `root` depth-first, sorted by name within each folder.
///
/// # Errors
/// When `root` cannot be read as a folder. What is wrong further down comes as entries.
pub(super) fn walk(root: &Path) -> Result<impl Iterator<Item = Entry>, UnsealError> {
    let mut pending = names(root, Path::new("")).map_err(|source| UnsealError::Io { path: root.to_owned(), source })?;
    pending.reverse();
    Ok(Walk { root: root.to_owned(), pending })
}

/// The object key of a relative path: its segments joined with `/`, whatever the system's separator.
pub(super) fn key_of(relative: &Path) -> Result<String, UnsealError> {
    let segments: Option<Vec<&str>> = relative.iter().map(|segment| segment.to_str()).collect();
    Ok(segments.ok_or(UnsealError::NotUtf8)?.join("/"))
}

impl Iterator for Walk {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        while let Some(relative) = self.pending.pop() {
            let path = self.root.join(&relative);
            let broken = |relative: &Path, source| Entry {
                relative: relative.to_owned(),
                length: 0,
                problem: Some(UnsealError::Io { path: path.clone(), source }),
            };
            match fs::symlink_metadata(&path) {
                Err(source) => return Some(broken(&relative, source)),
                Ok(found) if found.is_dir() => match names(&self.root, &relative) {
                    Ok(names) => self.pending.extend(names.into_iter().rev()),
                    Err(source) => return Some(broken(&relative, source)),
                },
                Ok(found) if found.is_file() => return Some(Entry { relative, length: found.len(), problem: None }),
                Ok(_) => return Some(Entry { relative, length: 0, problem: Some(UnsealError::Special) }),
            }
        }
        None
    }
}

fn names(root: &Path, relative: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(root.join(relative))?;
    let mut names = entries.map(|entry| entry.map(|e| relative.join(e.file_name()))).collect::<Result<Vec<_>, _>>()?;
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
        for name in ["b", "a/2", "a/1", "a/deep/er/x"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap_or(&path)).unwrap_or_else(|e| panic!("{e}"));
            fs::write(path, name).unwrap_or_else(|e| panic!("{e}"));
        }
        folder
    }

    #[test]
    fn every_file_comes_once_in_order() {
        let folder = tree();
        let found: Vec<String> = walk(folder.path())
            .unwrap_or_else(|e| panic!("{e}"))
            .map(|e| key_of(&e.relative).unwrap_or_else(|e| panic!("{e}")))
            .collect();
        assert_eq!(found, ["a/1", "a/2", "a/deep/er/x", "b"]);
    }

    #[test]
    fn links_are_reported_not_followed() {
        let folder = tree();
        std::os::unix::fs::symlink("/", folder.path().join("link")).unwrap_or_else(|e| panic!("{e}"));
        let links: Vec<Entry> =
            walk(folder.path()).unwrap_or_else(|e| panic!("{e}")).filter(|e| e.relative == Path::new("link")).collect();
        assert!(matches!(links.as_slice(), [Entry { problem: Some(UnsealError::Special), .. }]));
    }

    #[test]
    fn a_missing_folder_is_an_error_not_an_empty_success() {
        assert!(walk(Path::new("no/such/folder")).is_err());
    }
}
