//! How far a long job has come, in a small file: a second run of the same job goes on behind the last key that was done.
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The file is written at most so often; what was done since is done again.
const EVERY: Duration = Duration::from_secs(2);
const FORMAT: u32 = 1;

/// Progress through a list of stages (a bucket at a site), each in the order of its keys.
pub struct Checkpoint<T> {
    file: Option<PathBuf>,
    written: Option<Instant>,
    /// What was reached.
    pub reached: Reached<T>,
}

/// The file's content.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reached<T> {
    format: u32,
    /// What the job is; another job does not go on from here.
    pub job: String,
    /// Stages that are done.
    pub stages: Vec<String>,
    /// The stage under way.
    pub stage: String,
    /// Every key of it up to this one is done.
    pub key: String,
    /// What the job has counted so far.
    pub counted: T,
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    /// Its content.
    #[error("{0} is no state of ours ({1}); remove it to start over")]
    Malformed(PathBuf, serde_json::Error),
    /// It is another job's.
    #[error("{path} belongs to another job ({found}, not {wanted}); name another file, or remove it to start over")]
    Other { path: PathBuf, found: String, wanted: String },
}

// === impl Checkpoint ===

impl<T: Serialize + for<'de> Deserialize<'de> + Default> Checkpoint<T> {
    /// Goes on from `file` where it exists; without a file nothing is remembered.
    ///
    /// # Errors
    /// When the file is there and is not this job's.
    pub fn open(file: Option<&Path>, job: String) -> Result<Self, CheckpointError> {
        let fresh = |job| Reached {
            format: FORMAT,
            job,
            stages: Vec::new(),
            stage: String::new(),
            key: String::new(),
            counted: T::default(),
        };
        let Some(path) = file else { return Ok(Self { file: None, written: None, reached: fresh(job) }) };
        let reached = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => fresh(job),
            Err(error) => return Err(CheckpointError::Io(path.to_owned(), error)),
            Ok(text) => {
                let found: Reached<T> =
                    serde_json::from_slice(&text).map_err(|e| CheckpointError::Malformed(path.to_owned(), e))?;
                if found.job != job || found.format != FORMAT {
                    return Err(CheckpointError::Other { path: path.to_owned(), found: found.job, wanted: job });
                }
                found
            }
        };
        Ok(Self { file: Some(path.to_owned()), written: None, reached })
    }

    /// Where to go on in a stage; `None` when it is done.
    pub fn begin(&mut self, stage: &str) -> Option<String> {
        if self.reached.stages.iter().any(|done| done == stage) {
            return None;
        }
        if self.reached.stage != stage {
            (self.reached.stage, self.reached.key) = (stage.to_owned(), String::new());
        }
        Some(self.reached.key.clone())
    }

    /// Every key up to this one is done.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn done(&mut self, key: &str) -> Result<(), CheckpointError> {
        key.clone_into(&mut self.reached.key);
        if self.written.is_some_and(|written| written.elapsed() < EVERY) { Ok(()) } else { self.write() }
    }

    /// The stage is done.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn end(&mut self, stage: &str) -> Result<(), CheckpointError> {
        self.reached.stages.push(stage.to_owned());
        self.write()
    }

    /// The job is broken off here.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(&mut self) -> Result<(), CheckpointError> {
        self.write()
    }

    /// Everything is done: the next run starts over.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn finish(self) -> Result<T, CheckpointError> {
        if let Some(path) = &self.file {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(CheckpointError::Io(path.clone(), error));
                }
                _ => {}
            }
        }
        Ok(self.reached.counted)
    }

    /// Writes beside and renames, so that the file is always whole.
    fn write(&mut self) -> Result<(), CheckpointError> {
        let Some(path) = &self.file else { return Ok(()) };
        let beside = path.with_extension("partial");
        let write = || -> io::Result<()> {
            let mut file = fs::File::create(&beside)?;
            file.write_all(&serde_json::to_vec(&self.reached)?)?;
            file.sync_data()?;
            fs::rename(&beside, path)
        };
        write().map_err(|e| CheckpointError::Io(path.clone(), e))?;
        self.written = Some(Instant::now());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path, job: &str) -> Result<Checkpoint<u64>, CheckpointError> {
        Checkpoint::open(Some(path), job.to_owned())
    }

    #[test]
    fn a_job_goes_on_where_it_stopped_and_starts_over_when_it_was_done() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.json");
        let mut first = open(&path, "verify").expect("fresh");
        assert_eq!(first.begin("primary/a").as_deref(), Some(""));
        first.end("primary/a").expect("written");
        assert_eq!(first.begin("primary/b").as_deref(), Some(""));
        first.reached.counted = 7;
        first.done("key-1").expect("written or remembered");
        first.keep().expect("written");
        drop(first);
        let mut second = open(&path, "verify").expect("goes on");
        assert_eq!((second.begin("primary/a"), second.begin("primary/b")), (None, Some("key-1".to_owned())));
        assert_eq!(second.finish().expect("removed"), 7);
        assert_eq!(open(&path, "verify").expect("fresh").begin("primary/a").as_deref(), Some(""));
    }

    #[test]
    fn another_job_and_other_files_are_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.json");
        let mut first = open(&path, "verify docs").expect("fresh");
        first.end("x").expect("written");
        assert!(matches!(open(&path, "verify books"), Err(CheckpointError::Other { .. })));
        fs::write(&path, "hello").expect("a file");
        assert!(matches!(open(&path, "verify docs"), Err(CheckpointError::Malformed(..))));
    }
}
