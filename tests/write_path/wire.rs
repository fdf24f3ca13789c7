//! A TCP connection to a site that can be broken on purpose.
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How the wire behaves from now on, on old connections too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything goes through.
    Pass,
    /// Nothing is taken and nothing comes: accepted, then silence.
    Silent,
    /// Connections break at once.
    Dead,
    /// A request whose head holds this text goes through; its answer is lost with the connection.
    LoseAnswerTo(&'static str),
    /// A request whose head holds this text goes through; its answer never comes.
    HoldAnswerTo(&'static str),
}

/// A wire to one site.
pub struct Wire {
    pub address: SocketAddr,
    mode: Arc<watch::Sender<Mode>>,
}

impl Wire {
    pub async fn to(site: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let mode = Arc::new(watch::channel(Mode::Pass).0);
        let own = mode.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *own.borrow() != Mode::Dead {
                    tokio::spawn(carry(client, site, own.subscribe()));
                }
            }
        });
        Self { address, mode }
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

async fn carry(client: TcpStream, site: SocketAddr, mode: watch::Receiver<Mode>) {
    let Ok(server) = TcpStream::connect(site).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let asked = Arc::new(Mutex::new(String::new()));
    let mut dying = mode.clone();
    tokio::select! {
        () = requests(from_client, to_server, mode.clone(), asked.clone()) => {}
        () = answers(from_server, to_client, mode, asked) => {}
        _ = dying.wait_for(|mode| *mode == Mode::Dead) => {}
    }
}

async fn requests(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    asked: Arc<Mutex<String>>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        if mode.wait_for(|mode| *mode != Mode::Silent).await.is_err() {
            return;
        }
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        if mode.wait_for(|mode| *mode != Mode::Silent).await.is_err() {
            return;
        }
        let text = String::from_utf8_lossy(&buffer[..length.min(4096)]);
        if let Some((line, _)) = text.split_once("\r\n").filter(|(line, _)| line.ends_with("HTTP/1.1")) {
            line.clone_into(&mut asked.lock().expect("no panic with the lock"));
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

async fn answers(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    asked: Arc<Mutex<String>>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let line = asked.lock().expect("no panic with the lock").clone();
        match *mode.borrow() {
            Mode::LoseAnswerTo(text) if line.contains(text) => return,
            _ => {}
        }
        let held =
            |mode: &Mode| matches!(mode, Mode::HoldAnswerTo(text) if line.contains(text)) || *mode == Mode::Silent;
        if mode.wait_for(|mode| !held(mode)).await.is_err() || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
