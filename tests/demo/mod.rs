//! A running `strongroom demo`: the proxy and two embedded sites, by what it prints.
#![allow(dead_code, reason = "each test binary uses a part of it")]
use bytes::Bytes;
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use strongroom::secret::SecretText;
use strongroom::site::{Location, Site, SiteConfig, SiteName, Unobserved};

/// Ended when it is dropped.
pub struct Demo {
    child: Child,
    /// The variables that it says to export.
    pub exports: HashMap<String, String>,
    /// All that it printed.
    pub text: String,
}

impl Demo {
    /// Keeps everything in `folder`.
    pub fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_strongroom"))
            .args(["demo", "--dir"])
            .arg(folder)
            .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .args(["--primary-port", "0", "--backup-port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let (mut exports, mut text) = (HashMap::new(), String::new());
        for line in lines.map(|line| line.expect("a line")) {
            if let Some((name, value)) = line.strip_prefix("export ").and_then(|rest| rest.split_once('=')) {
                exports.insert(name.to_owned(), value.to_owned());
            }
            text += &format!("{line}\n");
            if line.starts_with("Ctrl-C") {
                break;
            }
        }
        Self { child, exports, text }
    }

    /// The addresses of the proxy, the primary and the backup, as printed.
    pub fn endpoints(&self) -> [String; 3] {
        let raw = self
            .text
            .split("--endpoint-url ")
            .skip(1)
            .map(|rest| rest.split(' ').next().unwrap_or_default().to_owned());
        let raw: Vec<String> = raw.collect();
        [self.exports["AWS_ENDPOINT_URL"].clone(), raw[0].clone(), raw[1].clone()]
    }

    /// Our own S3 client, pointed at the proxy or at a raw site.
    pub fn client(&self, endpoint: &str) -> Site {
        let of = |name: &str| self.exports.get(name).cloned().unwrap_or_default();
        let config = SiteConfig {
            name: SiteName("client".into()),
            endpoint: endpoint.to_owned(),
            region: of("AWS_REGION"),
            access_key_id: of("AWS_ACCESS_KEY_ID"),
            secret_access_key: SecretText::new(of("AWS_SECRET_ACCESS_KEY")),
            ca_pem: None,
            bucket_prefix: String::new(),
            connect_timeout: Duration::from_secs(3),
            stall_timeout: Duration::from_secs(30),
            max_idle_connections: 4,
        };
        Site::new(config, Arc::new(Unobserved)).expect("a client")
    }

    /// An object's bytes.
    pub async fn get(&self, endpoint: &str, at: &Location) -> Bytes {
        self.client(endpoint).get_small(at).await.expect("the object is there").0
    }

    /// Ctrl-C.
    pub fn interrupt(mut self) -> ExitStatus {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        self.child.wait().expect("it ends")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
