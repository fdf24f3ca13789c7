//! The files of the state: who may read them, and what happens when they are damaged, newer, locked or full.
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use strongroom::s3::{BucketName, ObjectKey, PlainETag, SealedETag};
use strongroom::state::{IndexEntry, Missed, State, StateError};

fn bucket() -> BucketName {
    BucketName::parse("bucket").expect("a name")
}

fn key(key: &str) -> ObjectKey {
    ObjectKey::parse(key).expect("a key")
}

fn entry(sealed: &str, md5: u8) -> IndexEntry {
    IndexEntry { sealed_etag: SealedETag::from_backend(sealed), etag: PlainETag::from_md5([md5; 16]) }
}

async fn open(folder: &Path) -> State {
    State::open(folder).await.expect("the state opens")
}

async fn miss(state: &State) -> Result<(), StateError> {
    state.record_misses(vec![Missed::new("backup", &bucket(), None, "down")], 1).await
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

fn overwrite_from(path: &Path, start: usize) {
    let length = usize::try_from(fs::metadata(path).expect("there").len()).expect("small");
    let mut bytes = fs::read(path).expect("readable");
    bytes[start..length].fill(0xA5);
    fs::write(path, bytes).expect("written");
}

#[tokio::test]
async fn nobody_else_may_read_the_folder_or_a_file_in_it() {
    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join("deep/state");
    let state = open(&folder).await;
    miss(&state).await.expect("recorded");
    state.note(&bucket(), &key("a"), entry("s", 1));
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> = fs::read_dir(&folder).expect("readable").map(|f| f.expect("readable").path()).collect();
    assert!(files.iter().any(|file| file.ends_with("state.sqlite3-wal")), "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn rights_that_others_have_are_taken_away() {
    let folder = tempfile::tempdir().expect("a folder");
    open(folder.path()).await.close().await;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
    let file = folder.path().join("state.sqlite3");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("chmod");
    open(folder.path()).await;
    assert_eq!((mode(folder.path()), mode(&file)), (0o700, 0o600));
}

#[tokio::test]
async fn a_damaged_journal_is_refused_with_what_to_do_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    open(folder.path()).await.close().await;
    let file = folder.path().join("state.sqlite3");
    overwrite_from(&file, 4096);
    let before = fs::read(&file).expect("readable");
    let error = State::open(folder.path()).await.err().expect("refused").to_string();
    assert!(error.contains("is damaged") && error.contains("move it"), "{error}");
    assert_eq!(fs::read(&file).expect("readable"), before);
    fs::write(&file, b"this is no database at all, but it is long enough to look like a header of one")
        .expect("written");
    let error = State::open(folder.path()).await.err().expect("refused").to_string();
    assert!(error.contains("is damaged"), "{error}");
}

#[tokio::test]
async fn a_damaged_index_is_built_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    miss(&state).await.expect("recorded");
    state.close().await;
    fs::write(folder.path().join("index.sqlite3"), [0xA5; 8192]).expect("written");
    let state = open(folder.path()).await;
    assert_eq!(state.backlog().await.expect("a backlog").pending, 1, "the journal is another file");
    state.note(&bucket(), &key("a"), entry("s", 1));
    state.close().await;
    let state = open(folder.path()).await;
    assert_eq!(state.known(&bucket(), "a", "a").await.expect("known").len(), 1);
}

#[tokio::test]
async fn an_index_damaged_behind_its_header_is_built_anew_while_running() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    for n in 0..300 {
        state.note(&bucket(), &key(&format!("{n:03}")), entry("s", 1));
    }
    state.close().await;
    // The header, the version and the roots are read at open; what lies below them is not.
    overwrite_from(&folder.path().join("index.sqlite3"), 4 * 4096);
    let state = open(folder.path()).await;
    assert!(state.known(&bucket(), "0", "9").await.is_err());
    for _ in 0..100 {
        state.note(&bucket(), &key("new"), entry("s", 1));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        if state.known(&bucket(), "0", "z").await.is_ok_and(|known| known.len() == 1) {
            return;
        }
    }
    panic!("the index stays broken");
}

#[tokio::test]
async fn a_file_of_a_newer_build_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    open(folder.path()).await.close().await;
    let file = folder.path().join("state.sqlite3");
    let python = format!(
        "import sqlite3; c = sqlite3.connect({:?}); c.execute('UPDATE schema_version SET version = 99'); c.commit()",
        file.display().to_string()
    );
    let ran = std::process::Command::new("python3").args(["-c", &python]).status().expect("python3 runs");
    assert!(ran.success());
    let error = State::open(folder.path()).await.err().expect("refused").to_string();
    assert!(error.contains("newer build"), "{error}");
}

#[tokio::test]
async fn a_state_that_another_process_locks_fails_and_recovers_without_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    let file = folder.path().join("state.sqlite3");
    let python = format!(
        "import sqlite3, sys\nc = sqlite3.connect({:?}, isolation_level=None)\nc.execute('BEGIN IMMEDIATE')\nprint('locked', flush=True)\nsys.stdin.readline()\n",
        file.display().to_string()
    );
    let mut holder = std::process::Command::new("python3")
        .args(["-c", &python])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut line = String::new();
    let stdout = holder.stdout.take().expect("piped");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).expect("a line");
    assert!(miss(&state).await.is_err());
    assert_eq!(state.backlog().await.expect("readers do not wait for the lock").pending, 0);
    drop(holder.stdin.take());
    holder.wait().expect("ends");
    miss(&state).await.expect("recovered");
}

#[tokio::test]
async fn after_close_every_call_fails_and_none_hangs() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path()).await;
    state.close().await;
    assert!(miss(&state).await.is_err());
    assert!(state.backlog().await.is_err());
    assert!(state.known(&bucket(), "a", "b").await.is_err());
    state.note(&bucket(), &key("a"), entry("s", 1));
}
