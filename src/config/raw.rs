//! What serde reads: the shape of the file and nothing else. Every field is optional here; what is missing or
//! wrong is said by the validation, which knows the fix. Unknown fields are refused.
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use toml::Spanned;

/// A value that remembers where it stood.
pub(super) type Field<T> = Option<Spanned<T>>;

/// Declares a table of the file and lists its keys, so that a test can hold the example file against them.
macro_rules! table {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct $name { $($(#[$field_meta])* pub(super) $field: $type,)* }

        impl $name {
            /// The keys of this table, as the file writes them.
            #[cfg(test)]
            pub(super) const KEYS: &'static [&'static str] = &[$(stringify!($field)),*];
        }
    };
}

table! {
    /// The whole file.
    RawConfig {
        region: Field<String>,
        domain: Field<String>,
        system_bucket: Field<String>,
        listen: RawListen,
        tls: Field<RawTls>,
        limits: RawLimits,
        state: RawState,
        keys: RawKeys,
        credentials: RawCredentials,
        site: Vec<Spanned<RawSite>>,
        replication: RawReplication,
        uploads: RawUploads,
        reconcile: RawReconcile,
        drill: RawDrill,
        bucket_alias: Vec<Spanned<RawAlias>>,
        suites: RawSuites,
        rule: Vec<Spanned<RawRule>>,
        log: RawLog,
        cache: RawCache,
        reads: RawReads,
    }
}

table! {
    /// `[listen]`.
    RawListen {
        address: Field<String>,
        admin: Field<String>,
        allow_plain_http: Field<bool>,
        allow_signature_v2: Field<bool>,
    }
}

table! {
    /// `[tls]`.
    RawTls {
        certificate: Field<String>,
        key: Field<String>,
    }
}

table! {
    /// `[limits]`.
    RawLimits {
        connections: Field<i64>,
        header_timeout: Field<String>,
        idle_timeout: Field<String>,
        stall_timeout: Field<String>,
        drain_timeout: Field<String>,
        max_header_bytes: Field<String>,
        max_xml_body: Field<String>,
    }
}

table! {
    /// `[state]`.
    RawState {
        folder: Field<String>,
        intents: Field<String>,
        url: Field<String>,
        password_file: Field<String>,
        password_env: Field<String>,
        lease: Field<String>,
    }
}

table! {
    /// `[keys]`.
    RawKeys {
        root: Field<RawRoot>,
        other_roots: Vec<Spanned<RawRoot>>,
        rotate_after: Field<String>,
        rotate_after_objects: Field<i64>,
        rotate_after_bytes: Field<String>,
        recheck: Field<String>,
        stale_for: Field<String>,
        custodian: Vec<Spanned<RawCustodian>>,
    }
}

table! {
    /// `[[keys.custodian]]`.
    RawCustodian {
        name: Field<String>,
        kind: Field<String>,
        passphrase_file: Field<String>,
        passphrase_env: Field<String>,
        recipient: Field<String>,
        key_id: Field<String>,
        region: Field<String>,
        endpoint: Field<String>,
        access_key_id: Field<String>,
        secret_access_key_file: Field<String>,
        secret_access_key_env: Field<String>,
        ca_file: Field<String>,
        allow_plain_http: Field<bool>,
        address: Field<String>,
        namespace: Field<String>,
        mount: Field<String>,
        key: Field<String>,
        token_file: Field<String>,
        token_env: Field<String>,
        approle_mount: Field<String>,
        role_id: Field<String>,
        secret_id_file: Field<String>,
        secret_id_env: Field<String>,
        module: Field<String>,
        token_label: Field<String>,
        token_serial: Field<String>,
        key_label: Field<String>,
        pin_file: Field<String>,
        pin_env: Field<String>,
    }
}

table! {
    /// `root = { file = ... }`, `{ environment = ... }` or `{ envelope = ... }`.
    RawRoot {
        file: Field<String>,
        environment: Field<String>,
        envelope: Field<String>,
    }
}

table! {
    /// `[credentials]`.
    RawCredentials {
        file: Field<String>,
    }
}

table! {
    /// `[[site]]`.
    RawSite {
        name: Field<String>,
        role: Field<String>,
        endpoint: Field<String>,
        region: Field<String>,
        access_key_id: Field<String>,
        secret_access_key_file: Field<String>,
        secret_access_key_env: Field<String>,
        ca_file: Field<String>,
        bucket_prefix: Field<String>,
        connect_timeout: Field<String>,
        stall_timeout: Field<String>,
        max_idle_connections: Field<i64>,
        allow_plain_http: Field<bool>,
    }
}

table! {
    /// `[replication]`.
    RawReplication {
        backup_grace: Field<String>,
        retry_min: Field<String>,
        retry_max: Field<String>,
        parallel: Field<i64>,
        bandwidth: Field<String>,
        repair_on_read: Field<bool>,
        primary_down: Field<String>,
    }
}

table! {
    /// `[uploads]`.
    RawUploads {
        abandoned_after: Field<String>,
    }
}

table! {
    /// `[reconcile]`.
    RawReconcile {
        every: Field<String>,
        sample: Field<String>,
        repair: Field<bool>,
        bandwidth: Field<String>,
    }
}

table! {
    /// `[drill]`.
    RawDrill {
        report: Field<String>,
        public_key: Field<String>,
    }
}

table! {
    /// `[[bucket_alias]]`.
    RawAlias {
        bucket: Field<String>,
        prefix: Field<String>,
        sealed_as: Field<String>,
        sealed_prefix: Field<String>,
    }
}

table! {
    /// `[suites]`.
    RawSuites {
        write: Field<Vec<Spanned<String>>>,
        read: Field<Vec<Spanned<String>>>,
    }
}

table! {
    /// `[[rule]]`.
    RawRule {
        name: Field<String>,
        #[serde(rename = "match")]
        r#match: Field<String>,
        headers: Option<Spanned<BTreeMap<String, Spanned<RawWanted>>>>,
        key: Field<String>,
        suite: Field<String>,
        replication: Field<String>,
        deletes: Field<String>,
        retain_for: Field<String>,
        retention: Field<String>,
        retention_mode: Field<String>,
        unsealed: Field<String>,
        metadata: Field<String>,
        classification: Field<String>,
        max_size: Field<String>,
        require_tls: Field<bool>,
        anonymous: Field<String>,
        content_types: Option<Spanned<Vec<Spanned<String>>>>,
        client_keys: Option<Vec<Spanned<String>>>,
    }
}

/// What a rule says of one header: a value, `true` for any, `false` for none.
pub(super) enum RawWanted {
    Is(String),
    There(bool),
    /// None of these.
    Other,
}

impl<'de> Deserialize<'de> for RawWanted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reads;

        impl<'de> Visitor<'de> for Reads {
            type Value = RawWanted;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("text in quotes, true for any value, or false for a header that is not there")
            }

            fn visit_bool<E: Error>(self, there: bool) -> Result<RawWanted, E> {
                Ok(RawWanted::There(there))
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<RawWanted, E> {
                Ok(RawWanted::Other)
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<RawWanted, E> {
                Ok(RawWanted::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RawWanted, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(RawWanted::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<RawWanted, A::Error> {
                while table.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(RawWanted::Other)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RawWanted, E> {
                Ok(RawWanted::Is(text.to_owned()))
            }
        }

        deserializer.deserialize_any(Reads)
    }
}

table! {
    /// `[log]`.
    RawLog {
        access: Field<String>,
        events: Field<String>,
        level: Field<String>,
        format: Field<String>,
    }
}

table! {
    /// `[cache]`.
    RawCache {
        entries: Field<i64>,
    }
}

table! {
    /// `[reads]`.
    RawReads {
        hedge_percentile: Field<i64>,
        hedge_floor: Field<String>,
    }
}

/// Every key of the file as (table, key); the table is empty for the top level.
#[cfg(test)]
pub(super) fn every_key() -> Vec<(&'static str, &'static str)> {
    let tables: [(&str, &[&str]); 20] = [
        ("", RawConfig::KEYS),
        ("listen", RawListen::KEYS),
        ("tls", RawTls::KEYS),
        ("limits", RawLimits::KEYS),
        ("state", RawState::KEYS),
        ("keys", RawKeys::KEYS),
        ("keys.root", RawRoot::KEYS),
        ("keys.custodian", RawCustodian::KEYS),
        ("credentials", RawCredentials::KEYS),
        ("site", RawSite::KEYS),
        ("replication", RawReplication::KEYS),
        ("uploads", RawUploads::KEYS),
        ("reconcile", RawReconcile::KEYS),
        ("drill", RawDrill::KEYS),
        ("bucket_alias", RawAlias::KEYS),
        ("suites", RawSuites::KEYS),
        ("rule", RawRule::KEYS),
        ("log", RawLog::KEYS),
        ("cache", RawCache::KEYS),
        ("reads", RawReads::KEYS),
    ];
    let rows = tables.into_iter().flat_map(|(table, keys)| keys.iter().map(move |key| (table, *key)));
    rows.map(|(table, key)| (table, key.trim_start_matches("r#"))).collect()
}
