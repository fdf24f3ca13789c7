//! `[state]`: files of this machine, or a PostgreSQL that several proxies share.
use super::raw::RawState;
use super::settings::{Intents, StatePlace};
use super::value::{Reader, SecretPlace};
use crate::secret::SecretText;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Place and mode; `None` when a problem was reported.
pub(super) fn state(reader: &mut Reader<'_, '_>, raw: &RawState) -> Option<(StatePlace, Intents)> {
    const INTENTS: [(&str, Intents); 2] = [("always", Intents::Always), ("failures", Intents::Failures)];
    let intents = reader.choice(&raw.intents, "state.intents", &INTENTS).unwrap_or(Intents::Always);
    let lease = reader.duration(&raw.lease, "state.lease", 30 * SECOND, 4 * SECOND..=600 * SECOND);
    let Some(url) = &raw.url else {
        let folder = reader.required(&raw.folder, "state.folder", None, "[state] folder = \"state\"")?;
        return Some((StatePlace::Folder(reader.path(&folder)), intents));
    };
    if let Some(folder) = &raw.folder {
        let fix = "remove one of the two; with url nothing is kept in a folder";
        reader.wrong(folder, "state.folder", "there is state.url, too", fix);
    }
    if let (Intents::Failures, Some(given)) = (intents, &raw.intents) {
        let fix = "write \"always\": proxies that share the state see by their intents that they changed the same key";
        reader.wrong(given, "state.intents", "it does not go together with state.url", fix);
    }
    let password = reader.secret(&SecretPlace {
        file: &raw.password_file,
        variable: &raw.password_env,
        field: "state.password",
        what: "password",
    });
    let text = url.get_ref();
    let Some((user, place)) = text.strip_prefix("postgres://").and_then(|rest| rest.split_once('@')) else {
        let fix = "write for example \"postgres://strongroom@127.0.0.1:5432/strongroom\"";
        reader.wrong(url, "state.url", "it is no address of a PostgreSQL database with a user", fix);
        return None;
    };
    if user.contains(':') {
        let fix = "name it with state.password_file or state.password_env; then change the password";
        reader.wrong(url, "state.url", "a password does not belong into this file", fix);
        return None;
    }
    let url = match password? {
        None => text.clone(),
        Some(password) => {
            format!("postgres://{user}:{}@{place}", utf8_percent_encode(password.expose(), NON_ALPHANUMERIC))
        }
    };
    Some((StatePlace::Shared { url: SecretText::new(url), lease }, intents))
}
