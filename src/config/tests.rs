//! The whole way from text to [`Config`], and the example file held against the code.
use super::*;
use crate::policy::{Deletes, Replication};
use std::path::PathBuf;

const EXAMPLE: &str = include_str!("../../config/strongroom.example.toml");

const GOOD: &str = r#"
[state]
folder = "state"
[keys]
root = { environment = "ROOT" }
[credentials]
file = "credentials.toml"
[[site]]
name = "one"
role = "primary"
endpoint = "http://127.0.0.1:9010"
access_key_id = "AK"
secret_access_key_env = "SECRET"
[[site]]
name = "two"
role = "backup"
endpoint = "https://backup.example.com/"
access_key_id = "AK"
secret_access_key_env = "SECRET"
"#;

fn environment(name: &str) -> Option<String> {
    let known = [
        "ROOT",
        "SECRET",
        "STRONGROOM_BACKUP_SECRET",
        "STRONGROOM_KMS_SECRET",
        "STRONGROOM_ROOT_PASSPHRASE",
        "STRONGROOM_VAULT_TOKEN",
        "STRONGROOM_VAULT_SECRET_ID",
        "STRONGROOM_HSM_PIN",
    ];
    known.contains(&name).then(|| "a-secret-value-of-a-test".to_owned())
}

/// A folder with every file that the texts of these tests name.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    let secrets =
        ["primary.secret", "kms.secret", "root.passphrase", "vault.token", "vault.secret-id", "hsm.pin", "hsm.so"];
    for name in ["credentials.toml", "root.key"].into_iter().chain(secrets) {
        crate::identity::write_private(&folder.path().join(name), "a text of some length")
            .unwrap_or_else(|e| panic!("{e}"));
    }
    folder
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    let folder = folder();
    Config::parse(text, &folder.path().join("strongroom.toml"), &environment)
}

fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|e| panic!("{e}"))
}

/// The report, with the folder taken away.
fn report(text: &str) -> String {
    let error = parse(text).map(|_| ()).err();
    let lines = error.map(|e| ConfigError { file: PathBuf::from("f"), ..e }.to_string());
    lines.unwrap_or_default()
}

fn line_of(text: &str, needle: &str) -> usize {
    text.lines().position(|line| line.contains(needle)).map_or(0, |at| at + 1)
}

#[test]
fn the_shortest_file_gets_the_documented_defaults() {
    let config = good(GOOD);
    assert_eq!(config.region, "us-east-1");
    assert_eq!(config.system_bucket.as_str(), "strongroom-system");
    assert_eq!(config.listen.address.to_string(), "127.0.0.1:9000");
    assert_eq!(config.listen.admin.to_string(), "127.0.0.1:9001");
    assert_eq!((config.logs.access, config.logs.events), (LogTarget::Stdout, LogTarget::Off));
    assert_eq!(config.primary.endpoint, "http://127.0.0.1:9010");
    assert_eq!(config.backups[0].endpoint, "https://backup.example.com:443", "the port is spelled out");
    assert!(config.rules.is_empty() && config.domain.is_none() && config.listen.tls.is_none());
}

#[test]
fn the_example_file_is_valid_as_it_stands() {
    let config = good(EXAMPLE);
    assert!(config.rules.is_empty());
    assert_eq!(config.backups.len(), 1);
}

/// The example with every commented setting switched on (but one of the two forms of the root key, which
/// exclude each other).
fn example_in_full() -> String {
    let setting = |line: &str| {
        let key = line.split('=').next().unwrap_or_default().trim();
        let table = line.starts_with('[') && line.ends_with(']');
        table
            || (line.contains(" = ")
                && !key.is_empty()
                && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'))
    };
    let lines = EXAMPLE.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if setting(rest) && !rest.starts_with("root =") => rest,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn suites_are_listed_and_a_rule_may_name_only_one_that_is_written() {
    use crate::s3::Suite::{Aes256Gcm as Aes, Sm4Gcm as Sm4};
    let rule = "[[rule]]\nmatch = \"a/**\"\n[[rule]]\nmatch = \"b/**\"\nsuite = \"sm4-gcm\"\n";
    let suites = |text: &str| good(text).rules.iter().map(|rule| rule.terms.suite).collect::<Vec<_>>();
    assert_eq!(suites(&format!("{GOOD}{rule}")), [Aes, Sm4]);
    assert_eq!(suites(&format!("{GOOD}[suites]\nwrite = [\"sm4-gcm\", \"aes-256-gcm\"]\n{rule}")), [Sm4, Sm4]);
    let national = good(&format!("{GOOD}[suites]\nread = [\"sm4-gcm\"]\n")).suites;
    assert_eq!((national.usual(), national.may_write(Aes), national.may_read(Aes)), (Sm4, false, false));
    let bad = format!("{GOOD}[suites]\nwrite = [\"aes-256-gcm\"]\n{rule}");
    let at = line_of(&bad, "suite = \"sm4-gcm\"");
    let expected = format!(
        "f:{at}: rule[2].suite: new objects may not be sealed with sm4-gcm; choose from the list for writing (aes-256-gcm), or add it there"
    );
    assert!(report(&bad).contains(&expected), "{}", report(&bad));
    for (lines, expected) in [
        ("write = [\"sm4\"]", "suites.write: \"sm4\" is not known; choose one of \"aes-256-gcm\", \"sm4-gcm\""),
        ("write = []", "suites.write: a list of suites is empty; name at least one"),
        ("read = []", "suites.read: a list of suites is empty; name at least one"),
        (
            "write = [\"aes-256-gcm\"]\nread = [\"sm4-gcm\"]",
            "suites.write: nobody could read what is written with aes-256-gcm; take it out",
        ),
    ] {
        let report = report(&format!("{GOOD}[suites]\n{lines}\n"));
        assert!(report.contains(expected), "{lines}: {report}");
        assert_eq!(report.lines().count(), 1, "{report}");
    }
}

#[test]
fn the_example_shows_every_key_there_is() {
    let full: toml::Table = example_in_full().parse().unwrap_or_else(|e| panic!("{e}"));
    for (table, key) in raw::every_key() {
        if table == "keys.root" && key != "file" {
            assert!(EXAMPLE.contains(&format!("# root = {{ {key} =")));
            continue;
        }
        let places: Vec<&toml::Value> = match table {
            "" => vec![],
            "keys.root" => full["keys"].get("root").into_iter().collect(),
            "keys.custodian" => full["keys"]["custodian"].as_array().into_iter().flatten().collect(),
            _ => match full.get(table) {
                Some(toml::Value::Array(items)) => items.iter().collect(),
                other => other.into_iter().collect(),
            },
        };
        let shown = if table.is_empty() { full.contains_key(key) } else { places.iter().any(|p| p.get(key).is_some()) };
        assert!(shown, "config/strongroom.example.toml does not show {table}.{key}");
    }
}

#[test]
fn the_defaults_the_example_states_are_the_real_ones() {
    let switched_on: String = example_in_full()
        .lines()
        .filter(|line| {
            !["domain", "ca_file", "bucket_prefix", "certificate", "key = \"tls", "[tls]", "url", "password_"]
                .iter()
                .any(|k| line.starts_with(k))
        })
        .collect::<Vec<_>>()
        .join("\n");
    let (stated, real) = (good(&switched_on), good(EXAMPLE));
    assert_eq!(stated.rules[0].terms.replication, Replication::Strict, "the example's rule is a valid one");
    assert_eq!(stated.limits, real.limits);
    assert_eq!(stated.listen, real.listen);
    assert_eq!((stated.retry, stated.backup_grace), (real.retry, real.backup_grace));
    assert_eq!(stated.abandoned_after, real.abandoned_after);
    assert_eq!((stated.region, stated.system_bucket), (real.region, real.system_bucket));
    assert_eq!((stated.cache_entries, stated.hedge), (real.cache_entries, real.hedge));
    assert_eq!((stated.logs.access, stated.logs.level), (real.logs.access, real.logs.level));
    assert_eq!((stated.logs.events, stated.logs.format), (real.logs.events, real.logs.format));
    let site =
        |s: &crate::site::SiteConfig| (s.connect_timeout, s.stall_timeout, s.max_idle_connections, s.region.clone());
    assert_eq!(site(&stated.primary), site(&real.primary));
}

#[test]
fn an_envelope_needs_a_custodian_that_opens_it_and_custodians_are_checked() {
    use crate::keys::{CustodianKind, RootSource};
    let phrase = "[[keys.custodian]]\nname = \"a\"\nkind = \"passphrase\"\npassphrase_env = \"SECRET\"\n";
    let escrow = "[[keys.custodian]]\nname = \"b\"\nkind = \"recipient\"\n\
                  recipient = \"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\"\n";
    let with = |custodians: &str| {
        GOOD.replace(
            "root = { environment = \"ROOT\" }",
            &format!("root = {{ envelope = \"root.envelope\" }}\n{custodians}"),
        )
    };
    let keys = good(&with(&format!("{phrase}{escrow}"))).keys;
    assert!(matches!(&keys.root, RootSource::Envelope(path) if path.ends_with("root.envelope")));
    assert!(matches!(keys.custodians[0].kind, CustodianKind::Passphrase(_)) && keys.custodians.len() == 2);
    assert_eq!((keys.patience.recheck.as_secs(), keys.patience.stale_for.as_secs()), (900, 86_400));
    let kms = "[[keys.custodian]]\nname = \"k\"\nkind = \"aws-kms\"\n";
    let vault =
        "[[keys.custodian]]\nname = \"v\"\nkind = \"vault-transit\"\nkey = \"k\"\ntoken_file = \"vault.token\"\n";
    let hsm = "[[keys.custodian]]\nname = \"h\"\nkind = \"pkcs11\"\nmodule = \"hsm.so\"\ntoken_label = \"t\"\n\
               key_label = \"k\"\npin_file = \"hsm.pin\"\n";
    assert!(matches!(good(&with(hsm)).keys.custodians[0].kind, CustodianKind::Pkcs11(_)));
    let vault_at = |address: &str| format!("{vault}address = \"{address}\"\n");
    for address in ["http://127.0.0.1:8200", "http://[::1]:8200", "https://vault.example.com"] {
        let keys = good(&with(&vault_at(address))).keys;
        assert!(matches!(&keys.custodians[0].kind, CustodianKind::VaultTransit(to) if to.mount == "transit"));
    }
    for (custodians, expected) in [
        ("".to_owned(), "keys.custodian: nobody could open the envelope"),
        (escrow.to_owned(), "keys.custodian: nobody could open the envelope"),
        (format!("{phrase}{phrase}"), "keys.custodian[2].name: the name \"a\" is taken"),
        (format!("{phrase}region = \"x\"\n"), "keys.custodian[1].region: a custodian of this kind has no such setting"),
        (
            phrase.replace("SECRET", "NONE"),
            "keys.custodian[1].passphrase_env: the environment variable \"NONE\" is not set",
        ),
        (phrase.replace("passphrase\"", "card\""), "keys.custodian[1].kind: \"card\""),
        (escrow.replace("age1", "age2"), "keys.custodian[1].recipient: this is no X25519 recipient"),
        (kms.to_owned(), "keys.custodian[1].key_id: it is missing"),
        (vault.to_owned(), "keys.custodian[1].address: it is missing"),
        (hsm.replace("hsm.so", "none.so"), "keys.custodian[1].module: "),
        (hsm.replace("token_label = \"t\"", ""), "keys.custodian[1].token_label: it is missing"),
        (hsm.replace("key_label = \"k\"", ""), "keys.custodian[1].key_label: it is missing"),
        (hsm.replace("key_label = \"k\"", "key_id = \"x\""), "keys.custodian[1].key_id: it is no hex digits"),
        (hsm.replace("pin_file = \"hsm.pin\"", ""), "keys.custodian[1].pin_file: it is missing"),
        (vault_at("http://vault.example.com"), "keys.custodian[1].address: plain HTTP to another machine would show"),
        (
            format!("{}allow_plain_http = true\n", vault_at("http://vault.example.com")),
            "keys.custodian[1].allow_plain_http: a custodian of this kind has no such setting",
        ),
        (format!("{}mount = \"a/../b\"\n", vault_at("https://v")), "keys.custodian[1].mount: \"a/../b\" is no name"),
        (vault_at("https://v").replace("\"k\"", "\"k/..\""), "keys.custodian[1].key: \"k/..\" is no name"),
        (vault_at("https://v").replace("_file", "_env"), "keys.custodian[1].token_env: the environment variable"),
        (
            format!("{}role_id = \"r\"\n", vault_at("https://v")),
            "keys.custodian[1].token_file: both a token and an AppRole",
        ),
        (
            vault_at("https://v").replace("token_file = \"vault.token\"", "role_id = \"r\""),
            "keys.custodian[1].secret_id_file: it is missing",
        ),
        (
            vault_at("https://v").replace("token_file = \"vault.token\"", ""),
            "keys.custodian[1].token_file: it is missing",
        ),
        (kms.to_owned(), "keys.custodian[1].secret_access_key_file: it is missing"),
        (format!("{kms}endpoint = \"http://kms.example.com\"\n"), "keys.custodian[1].endpoint: plain HTTP"),
    ] {
        let report = report(&with(&custodians));
        assert!(report.contains(expected), "{expected}: {report}");
    }
}

#[test]
fn an_empty_file_is_told_everything_it_lacks() {
    let report = report("");
    for field in ["state.folder", "keys.root", "credentials.file", "role \"primary\"", "role \"backup\""] {
        assert!(report.contains(field), "{field}: {report}");
    }
    assert_eq!(report.lines().count(), 5, "{report}");
}

#[test]
fn faults_of_shape_and_of_value_come_in_one_report_in_order() {
    let text = GOOD.replace("role = \"backup\"", "role = \"secondary\"\ncolour = \"red\"")
        + "[limits]\nidle_timeout = \"5\"\nconnections = 0\n";
    let report = report(&text);
    let expected = [
        (
            line_of(&text, "secondary"),
            "site[2].role: \"secondary\" is not known; choose one of \"primary\", \"backup\"",
        ),
        (line_of(&text, "colour"), "site[2].colour: there is no setting `colour` here"),
        (line_of(&text, "idle_timeout"), "limits.idle_timeout: \"5\" is no duration"),
        (line_of(&text, "connections"), "limits.connections: it is out of bounds; choose 1 to 1000000"),
    ];
    for (line, message) in expected {
        assert!(report.contains(&format!("f:{line}: {message}")), "{line} {message}\n{report}");
    }
    let lines: Vec<usize> = report.lines().filter_map(|l| l.split(':').nth(1)?.parse().ok()).collect();
    assert!(lines.is_sorted(), "{report}");
}

#[test]
fn plain_http_stays_on_loopback_unless_it_is_asked_for() {
    let open = format!("[listen]\naddress = \"0.0.0.0:9000\"\n{GOOD}");
    assert!(report(&open).starts_with("f:2: listen.address: plain HTTP beyond this machine"), "{}", report(&open));
    good(&open.replace("[listen]", "[listen]\nallow_plain_http = true"));
    good(&open.replace("0.0.0.0", "[::1]"));
    let far = GOOD.replace("https://backup", "http://backup");
    assert!(report(&far).contains("site[2].endpoint: plain HTTP to another machine"), "{}", report(&far));
    good(&(far + "allow_plain_http = true\n"));
}

#[test]
fn tls_needs_both_files_to_exist() {
    let text = format!("[tls]\ncertificate = \"none.pem\"\n{GOOD}");
    let report = report(&text);
    assert!(report.contains("f:2: tls.certificate: ") && report.contains("none.pem cannot be read"), "{report}");
    assert!(report.contains("f:1: tls.key: it is missing"), "{report}");
}

#[test]
fn sites_must_be_different_places_with_different_names() {
    let same = GOOD.replace("https://backup.example.com/", "http://127.0.0.1:9010/").replace("\"two\"", "\"one\"");
    let report = report(&same);
    assert!(report.contains("site[2].name: the name \"one\" is taken"), "{report}");
    assert!(report.contains("site[2].endpoint: it is the same place as site \"one\""), "{report}");
    good(&(GOOD.replace("https://backup.example.com/", "http://127.0.0.1:9010/") + "bucket_prefix = \"b-\"\n"));
}

#[test]
fn a_second_primary_and_a_missing_backup_are_both_named() {
    let report = report(&GOOD.replace("role = \"backup\"", "role = \"primary\""));
    assert!(report.contains("a second site has the role \"primary\""), "{report}");
    assert!(report.contains("no site has the role \"backup\""), "{report}");
}

#[test]
fn endpoints_are_scheme_host_and_port_only() {
    for bad in [
        "ftp://x.example",
        "x.example:9000",
        "https://",
        "https://x.example/path",
        "https://u:p@x.example",
        "https://x.example?a=b",
        "not a url",
    ] {
        let report = report(&GOOD.replace("https://backup.example.com/", bad));
        assert!(report.contains("site[2].endpoint: "), "{bad}: {report}");
    }
    assert_eq!(good(&GOOD.replace("http://127.0.0.1:9010", "HTTP://[::1]:9010")).primary.endpoint, "http://[::1]:9010");
}

#[test]
fn a_secret_has_exactly_one_place_and_it_must_be_there() {
    let none = report(&GOOD.replace("secret_access_key_env = \"SECRET\"", ""));
    assert!(none.contains("give either secret_access_key_file or secret_access_key_env"), "{none}");
    let unset = report(&GOOD.replace("\"SECRET\"", "\"UNSET\""));
    assert!(unset.contains("site[1].secret_access_key_env: the environment variable \"UNSET\" is not set"), "{unset}");
    let missing = report(&GOOD.replace("secret_access_key_env = \"SECRET\"", "secret_access_key_file = \"none\""));
    assert!(
        missing.contains("site[1].secret_access_key_file: ") && missing.contains("none: No such file"),
        "{missing}"
    );
    let config =
        good(&GOOD.replacen("secret_access_key_env = \"SECRET\"", "secret_access_key_file = \"primary.secret\"", 1));
    assert_eq!(config.primary.secret_access_key.expose(), "a text of some length");
}

#[test]
fn a_rule_may_ask_for_headers_and_their_faults_name_their_line() {
    let rule = |lines: &str| format!("{GOOD}[[rule]]\nmatch = \"b/**\"\n{lines}\n");
    let inline = "headers = { Content-Type = \"application/pdf\", x-amz-meta-a = false, x-amz-tagging = true }";
    let said = good(&rule(inline)).rules[0].headers.to_string();
    assert_eq!(said, "content-type = \"application/pdf\", no x-amz-meta-a, x-amz-tagging = \"*\"");
    let table =
        rule("[rule.headers]\n\"content-type\" = \"application/pdf\"\nx-amz-meta-a = false\nx-amz-tagging = true");
    assert_eq!(good(&table).rules[0].headers.to_string(), said);
    assert!(good(&rule("")).rules[0].headers.is_empty());
    for (line, field, hint) in [
        ("headers = { Authorization = true }", "headers.Authorization", "a secret"),
        (
            "headers = { x-amz-server-side-encryption-customer-key = \"x\" }",
            "headers.x-amz-server-side-encryption-customer-key",
            "a secret",
        ),
        ("headers = { range = true }", "headers.range", "name x-amz-meta-*"),
        ("headers = { content-type = \"\" }", "headers.content-type", "write false"),
        ("headers = { content-type = \"{client}\" }", "headers.content-type", "write `*`"),
        ("headers = { content-type = 5 }", "headers.content-type", "write text in quotes, true for any value"),
        ("headers = { expires = true, Expires = false }", "headers", "twice; keep one"),
        ("headers = {}", "headers", "name one, or remove headers"),
        ("headers = { content-type = [\"a/b\"] }", "headers.content-type", "write text in quotes, true for any value"),
        ("headers = [\"a\"]", "headers", "write a table, for example { name"),
        ("content_types = []", "content_types", "name one, or remove content_types"),
        ("content_types = \"a/b\"", "content_types", "write a list in square brackets"),
        ("content_types = [\"text/csv; charset=utf-8\"]", "content_types", "without parameters"),
        ("max_size = \"51TiB\"", "max_size", "choose 0B to 50TiB"),
        ("max_size = \"huge\"", "max_size", "(B, KiB, MiB, GiB, TiB)"),
        ("headers = \"pdf\"", "headers", "wrong kind"),
        ("headers = { expires = true }\nrequire_tls = true", "require_tls", "put it into a rule for `b/**`"),
        ("headers = { expires = true }\ndeletes = \"retain\"", "deletes", "put it into a rule for `b/**`"),
        ("headers = { expires = true }\nunsealed = \"read\"", "unsealed", "put it into a rule for `b/**`"),
    ] {
        let bad = rule(line);
        let report = report(&bad);
        let fault = line.lines().last().unwrap_or_default();
        let expected = format!("f:{}: rule[1].{field}: ", line_of(&bad, fault));
        assert!(report.starts_with(&expected) && report.contains(hint), "{line}: {report}");
        assert_eq!(report.lines().count(), 1, "{line}: {report}");
    }
}

#[test]
fn rules_are_read_in_order_and_their_faults_name_their_line() {
    let rules = "[[rule]]\nmatch = \"bkt/a/**\"\nkey = \"k1\"\nreplication = \"strict\"\n[[rule]]\nname = \"rest\"\nmatch = \"bkt/**\"\n";
    let config = good(&format!("{GOOD}{rules}"));
    let names: Vec<&str> = config.rules.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["rule-1", "rest"]);
    assert_eq!([0, 1].map(|at: usize| config.rules[at].key.to_string()), ["k1", "default"]);

    let bad = format!(
        "{GOOD}[[rule]]\nmatch = \"bkt\"\n[[rule]]\nmatch = \"bkt/**\"\nkey = \"K 1\"\nreplication = \"later\"\n[[rule]]\nmatch = \"bkt/**\"\nkey = \"K 1\"\n"
    );
    let report = report(&bad);
    assert!(
        report.contains(&format!("f:{}: rule[1].match: the pattern `bkt` is refused", line_of(&bad, "\"bkt\""))),
        "{report}"
    );
    assert!(
        report.contains("rule[2].replication: \"later\" is not known; choose one of \"tee\", \"strict\", \"async\""),
        "{report}"
    );
    assert!(report.contains("rule[3].key: the vault key name \"K 1\" is refused"), "{report}");
}

#[test]
fn paths_are_relative_to_the_file() {
    let folder = folder();
    let config = Config::parse(GOOD, &folder.path().join("strongroom.toml"), &environment);
    let Ok(StatePlace::Folder(state)) = config.map(|c| c.state) else { panic!("a folder") };
    assert_eq!(state, folder.path().join("state"));
}

#[test]
fn a_shared_state_has_its_password_elsewhere_and_needs_intents() {
    let shared = |lines: &str| GOOD.replace("folder = \"state\"", lines);
    let config = good(&shared("url = \"postgres://me@db:5432/x\"\npassword_env = \"SECRET\""));
    let StatePlace::Shared { url, lease } = config.state else { panic!("shared") };
    assert_eq!((url.expose(), lease.as_secs()), ("postgres://me:a%2Dsecret%2Dvalue%2Dof%2Da%2Dtest@db:5432/x", 30));
    for (lines, complaint) in [
        ("url = \"postgres://me:hunter2@db/x\"", "a password does not belong into this file"),
        ("url = \"mysql://me@db/x\"", "no address of a PostgreSQL"),
        ("url = \"postgres://me@db/x\"\nfolder = \"state\"", "state.folder: there is state.url"),
        ("url = \"postgres://me@db/x\"\nintents = \"failures\"", "state.intents: it does not go together"),
        ("url = \"postgres://me@db/x\"\npassword_env = \"NONE\"", "\"NONE\" is not set"),
    ] {
        let report = report(&shared(lines));
        assert!(report.contains(complaint) && !report.contains("hunter2"), "{report}");
    }
}

#[test]
fn deletes_are_retained_for_a_term_and_only_when_that_is_said() {
    let rule = |lines: &str| format!("{GOOD}[[rule]]\nmatch = \"docs/**\"\n{lines}\n");
    let deletes = |lines: &str| good(&rule(lines)).rules[0].terms.deletes;
    let days = |days: u64| Deletes::Retain(std::time::Duration::from_secs(days * 86_400));
    assert_eq!(deletes(""), Deletes::Mirror);
    assert_eq!(deletes("deletes = \"retain\""), days(30));
    assert_eq!(deletes("deletes = \"retain\"\nretain_for = \"90d\""), days(90));
    assert!(report(&rule("retain_for = \"90d\"")).contains("deletes of this rule are not retained"));
}

#[test]
fn a_missing_file_is_a_problem_with_a_fix() {
    let error = Config::load(Path::new("nowhere/strongroom.toml")).map(|_| ()).err();
    let text = error.map(|e| e.to_string()).unwrap_or_default();
    assert!(text.starts_with("nowhere/strongroom.toml: the file cannot be read") && text.contains("strongroom init"));
}

#[test]
fn nonsense_values_are_each_named() {
    for (line, message) in [
        ("region = \"über\"", "region: \"über\" is no region"),
        ("domain = \"https://x\"", "domain: \"https://x\" is no host name"),
        ("system_bucket = \"UP\"", "system_bucket: \"UP\" is no bucket name"),
        ("listen.address = \"localhost\"", "listen.address: \"localhost\" is no address"),
        ("listen.admin = \"127.0.0.1:9000\"", "listen.admin: it is the same address"),
        ("limits.max_xml_body = \"1GiB\"", "limits.max_xml_body: it is out of bounds; choose 64KiB to 32MiB"),
        ("replication.retry_max = \"1s\"\nreplication.retry_min = \"2s\"", "replication.retry_max: it is shorter"),
        ("log.level = \"loud\"", "log.level: \"loud\" is not known; choose one of \"error\""),
        ("log.access = \"a.log\"\nlog.events = \"a.log\"", "log.events: it is the same file"),
        ("cache.entries = -1", "cache.entries: it is out of bounds"),
    ] {
        let report = report(&format!("{line}\n{GOOD}"));
        assert!(report.contains(message), "{line}: {report}");
        assert_eq!(report.lines().count(), 1, "{report}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    #[test]
    fn a_damaged_file_is_good_or_explained_but_never_a_panic(
        at in 0usize..EXAMPLE.len(),
        cut in 0usize..40,
        put in "[a-z\"=\\[\\]{}.0-9\n ]{0,6}",
    ) {
        let full = example_in_full();
        let boundary = |mut i: usize| { while !full.is_char_boundary(i) { i -= 1 } i };
        let (from, to) = (boundary(at.min(full.len())), boundary((at + cut).min(full.len())));
        let text = format!("{}{put}{}", &full[..from], &full[to..]);
        if let Err(error) = parse(&text) {
            proptest::prop_assert!(!error.problems.is_empty(), "refused without a reason");
            for problem in &error.problems {
                proptest::prop_assert!(problem.line.is_none_or(|line| (1..=text.lines().count() + 1).contains(&line)));
                proptest::prop_assert!(!problem.what.is_empty() && !problem.fix.is_empty());
                proptest::prop_assert!(!problem.what.contains("a-secret-value") && !problem.fix.contains("a-secret-value"));
            }
        }
    }
}
