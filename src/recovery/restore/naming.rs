//! Keys as paths below a folder. Almost every key is its own path; what no file can be called is escaped, so that nothing
//! leaves the folder and nothing is left out.
use super::RestoreError;
use std::path::PathBuf;

/// What file systems take for one name.
const LONGEST: usize = 255;

/// The path of a key: its segments, of which an empty one becomes `%`, `.` and `..` become `%2E` and `%2E%2E`, and a zero
/// byte `%00`. Two keys that share a path after that meet each other as existing files, and the second is refused.
pub(super) fn path_of(key: &str) -> Result<PathBuf, RestoreError> {
    let mut path = PathBuf::new();
    for segment in key.split('/') {
        let name = match segment {
            "" => "%".to_owned(),
            "." => "%2E".to_owned(),
            ".." => "%2E%2E".to_owned(),
            other => other.replace('\0', "%00"),
        };
        if name.len() > LONGEST {
            return Err(RestoreError::Path("a segment is longer than 255 bytes; restore it to a bucket"));
        }
        path.push(name);
    }
    Ok(path)
}

/// The folder that an empty object `a/b/` stands for, as consoles make them.
pub(super) fn folder_of(key: &str) -> Option<Result<PathBuf, RestoreError>> {
    key.strip_suffix('/').filter(|folder| !folder.is_empty()).map(path_of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Component, Path};

    #[test]
    fn a_plain_key_is_its_own_path() {
        for key in ["a", "a/b.pdf", "2026/账单 11.pdf", ".hidden", "a/..b"] {
            assert_eq!(path_of(key).expect(key), Path::new(key));
        }
    }

    #[test]
    fn no_key_leaves_the_folder() {
        for (key, path) in [
            ("../../etc/passwd", "%2E%2E/%2E%2E/etc/passwd"),
            ("/etc/passwd", "%/etc/passwd"),
            ("a//b", "a/%/b"),
            ("a/./b/", "a/%2E/b/%"),
            ("a\0b", "a%00b"),
        ] {
            let found = path_of(key).expect(key);
            assert_eq!(found, Path::new(path));
            assert!(found.components().all(|part| matches!(part, Component::Normal(_))));
        }
        assert!(path_of(&"n".repeat(256)).is_err());
    }

    #[test]
    fn a_key_that_ends_in_a_slash_may_be_a_folder() {
        assert_eq!(folder_of("a/b/").expect("a folder").expect("a path"), Path::new("a/b"));
        assert!(folder_of("a").is_none() && folder_of("/").is_none());
    }
}
