//! A state to test: in a folder or, when `STRONGROOM_TEST_POSTGRES` names a server, in a schema of its own there. The same
//! tests run over both (`scripts/test` runs them twice).
#![allow(dead_code, reason = "each test binary uses a part of it")]
use std::path::Path;
use std::time::Duration;
use strongroom::secret::SecretText;
use strongroom::state::State;

/// How long a process of these tests lives without a sign, in a shared database.
pub const LEASE: Duration = Duration::from_secs(2);

/// True when the state is in a shared database.
pub fn is_shared() -> bool {
    std::env::var("STRONGROOM_TEST_POSTGRES").is_ok()
}

/// Opens the state that belongs to this folder; again: the same one.
pub async fn open(folder: &Path) -> State {
    let Ok(server) = std::env::var("STRONGROOM_TEST_POSTGRES") else {
        return State::open(folder).await.expect("the state opens");
    };
    let name: String = folder.to_string_lossy().chars().filter(char::is_ascii_alphanumeric).collect();
    let schema = format!("t{}", name.to_ascii_lowercase());
    create(&server, &schema).await;
    let url = SecretText::new(format!("{server}?options[search_path]={schema}"));
    State::connect(&url, LEASE).await.expect("the state opens")
}

async fn create(server: &str, schema: &str) {
    sqlx::any::install_default_drivers();
    let pool = sqlx::any::AnyPoolOptions::new().max_connections(1).connect(server).await.expect("a server");
    let sql = format!("CREATE SCHEMA IF NOT EXISTS {schema}");
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await.expect("a schema");
    pool.close().await;
}
