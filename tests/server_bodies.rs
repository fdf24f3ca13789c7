//! Bodies from outside: too short, too long, too slow, cut off; clients that hang up, and such that end their side and
//! wait. Each gets the S3 error an SDK expects or a clean close, leaves no object, and is one line in the access log.
mod server_support;

use server_support::sign::{Request, UNSIGNED};
use server_support::tls::{certificate, files, localhost, trusting};
use server_support::{Setup, World, read_answer};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

async fn world() -> World {
    World::start(Setup::default()).await
}

#[tokio::test]
async fn a_client_that_sends_all_before_it_reads_still_gets_the_early_answer() {
    let world = world().await;
    let body = vec![b' '; 20_000_000];
    let request = Request { hash: UNSIGNED.to_owned(), ..Request::new("POST", "/docs?delete", &body) };
    assert_eq!(world.raw(&request.bytes()).await.outcome(), (400, "MaxMessageLengthExceeded".to_owned()));
    world.line().await;
}

#[tokio::test]
async fn uploads_need_a_length_and_fit_into_5_gib() {
    let world = world().await;
    let put = Request { hash: UNSIGNED.to_owned(), ..Request::new("PUT", "/docs/k", b"") };
    let unmeasured = put.clone().without("content-length").bytes();
    assert_eq!(world.raw(&unmeasured).await.outcome(), (411, "MissingContentLength".to_owned()));
    let huge = put.header("content-length", &(5 * (1u64 << 30) + 1).to_string()).bytes();
    assert_eq!(world.raw(&huge).await.outcome(), (400, "EntityTooLarge".to_owned()));
    assert!(world.stored().is_empty());
}

#[tokio::test]
async fn a_client_that_ends_its_side_early_is_told_so() {
    let world = world().await;
    let request = Request { hash: UNSIGNED.to_owned(), ..Request::new("PUT", "/docs/k", b"") };
    let head = request.header("content-length", "1000").head();
    let mut connection = world.connect().await;
    connection.write_all(&[head.as_bytes(), &[1; 500]].concat()).await.expect("it reads");
    connection.shutdown().await.expect("half closed");
    assert_eq!(read_answer(&mut connection).await.outcome(), (400, "IncompleteBody".to_owned()));
    assert_eq!(world.line().await.error(), "IncompleteBody");
    assert!(world.stored().is_empty());
}

#[tokio::test]
async fn a_body_that_stalls_is_a_request_timeout_and_the_connection_is_closed() {
    let mut setup = Setup::default();
    setup.front.stall_timeout = Duration::from_millis(100);
    let world = World::start(setup).await;
    let request = Request { hash: UNSIGNED.to_owned(), ..Request::new("PUT", "/docs/k", b"") };
    let head = request.header("content-length", "1000").head();
    let mut connection = world.connect().await;
    connection.write_all(&[head.as_bytes(), &[1; 500]].concat()).await.expect("it reads");
    let answer = read_answer(&mut connection).await;
    assert_eq!(answer.outcome(), (400, "RequestTimeout".to_owned()));
    assert_eq!(answer.header("connection"), "close");
    assert!(server_support::try_read_answer(&mut connection).await.is_none(), "closed");
    assert_eq!(world.line().await.error(), "RequestTimeout");
    assert_eq!(world.metric("strongroom_stalled_total{direction=\"request\"}").await, Some(1.0));
}

#[tokio::test]
async fn a_write_ends_although_its_client_hung_up_and_is_one_line() {
    let world = world().await;
    let mut connection = world.connect().await;
    connection.write_all(&Request::new("PUT", "/docs/gated", b"body").bytes()).await.expect("it reads");
    world.store.at_gate.notified().await;
    drop(connection);
    assert!(world.stored().is_empty());
    world.store.gate.notify_one();
    let line = world.line().await;
    assert_eq!((line.operation(), line.key()), ("REST.PUT.OBJECT", "gated"));
    assert_eq!(world.stored(), [("gated".to_owned(), 4)]);
    world.nothing_runs().await;
}

#[tokio::test]
async fn a_write_ends_although_its_connection_is_broken_off_by_a_drain() {
    let mut setup = Setup::default();
    setup.limits.drain_timeout = Duration::from_millis(100);
    let mut world = World::start(setup).await;
    let mut connection = world.connect().await;
    connection.write_all(&Request::new("PUT", "/docs/gated", b"body").bytes()).await.expect("it reads");
    world.store.at_gate.notified().await;
    world.stop.cancel();
    assert!(server_support::try_read_answer(&mut connection).await.is_none(), "broken off");
    assert!(world.stored().is_empty());
    world.store.gate.notify_one();
    world.stop().await;
    assert_eq!(world.stored(), [("gated".to_owned(), 4)]);
    assert_eq!(world.line().await.key(), "gated");
}

// --- a client that ends its side and waits

/// Over TLS: the world, and a connection to it.
async fn tls_world() -> (World, TlsStream<TcpStream>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = files(folder.path());
    let trusted = certificate(&files);
    let world = World::start(Setup { tls: Some(files), ..Setup::default() }).await;
    let connection = trusting(trusted).connect(localhost(), world.connect().await).await.expect("a handshake");
    (world, connection)
}

/// Sends a whole upload and ends the sending side; the upload is held up until that has long arrived.
async fn upload_and_end(world: &World, connection: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    connection.write_all(&Request::new("PUT", "/docs/gated", b"body").bytes()).await.expect("it reads");
    connection.shutdown().await.expect("half closed");
    world.store.at_gate.notified().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    world.store.gate.notify_one();
    assert_eq!(read_answer(connection).await.status, 200);
    assert_eq!(connection.read(&mut [0]).await.ok(), Some(0), "and then the connection ends");
    assert_eq!(world.stored(), [("gated".to_owned(), 4)]);
    assert_eq!(world.line().await.status(), "200");
    world.nothing_runs().await;
}

#[tokio::test]
async fn a_client_that_ends_its_side_after_a_whole_request_gets_its_answer() {
    let world = world().await;
    let mut connection = world.connect().await;
    upload_and_end(&world, &mut connection).await;
}

#[tokio::test]
async fn a_client_that_ends_its_side_of_tls_after_a_whole_request_gets_its_answer() {
    let (world, mut connection) = tls_world().await;
    upload_and_end(&world, &mut connection).await;
}

#[tokio::test]
async fn a_long_answer_arrives_whole_after_a_half_close() {
    let (world, mut connection) = tls_world().await;
    connection.write_all(&Request::new("GET", "/docs/big", b"").bytes()).await.expect("it reads");
    connection.shutdown().await.expect("half closed");
    assert_eq!(read_answer(&mut connection).await.body.len(), 1024 * 64 * 1024);
    assert_eq!(world.line().await.status(), "200");
}

#[tokio::test]
async fn a_client_that_ends_its_side_of_tls_in_mid_body_is_told_so() {
    let (world, mut connection) = tls_world().await;
    connection.write_all(&half_an_upload()).await.expect("it reads");
    connection.shutdown().await.expect("half closed");
    assert_eq!(read_answer(&mut connection).await.outcome(), (400, "IncompleteBody".to_owned()));
    left_nothing(&world, "IncompleteBody").await;
}

// --- a client that is gone

/// An upload of 1,000 bytes of which 500 are sent.
fn half_an_upload() -> Vec<u8> {
    let request = Request { hash: UNSIGNED.to_owned(), ..Request::new("PUT", "/docs/k", b"") };
    [request.header("content-length", "1000").head().as_bytes(), &[1; 500]].concat()
}

/// One line with this code, no object, no request in flight and no connection.
async fn left_nothing(world: &World, code: &str) {
    assert_eq!(world.line().await.error(), code);
    assert!(world.stored().is_empty());
    world.nothing_runs().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_in_mid_body_leaves_nothing() {
    let world = world().await;
    let mut connection = world.connect().await;
    connection.write_all(&half_an_upload()).await.expect("it reads");
    drop(connection);
    left_nothing(&world, "IncompleteBody").await;
}

#[tokio::test]
async fn a_client_that_resets_its_connection_in_mid_body_leaves_nothing() {
    let world = world().await;
    let mut connection = world.connect().await;
    connection.write_all(&half_an_upload()).await.expect("it reads");
    connection.set_zero_linger().expect("an open socket");
    drop(connection);
    left_nothing(&world, "IncompleteBody").await;
}

#[tokio::test]
async fn a_tls_client_that_hangs_up_in_mid_body_leaves_nothing() {
    let (world, mut connection) = tls_world().await;
    connection.write_all(&half_an_upload()).await.expect("it reads");
    connection.flush().await.expect("sent");
    drop(connection);
    left_nothing(&world, "IncompleteBody").await;
}

#[tokio::test]
async fn a_client_that_hangs_up_while_it_is_answered_leaves_no_task() {
    let world = world().await;
    let mut connection = world.connect().await;
    connection.write_all(&Request::new("GET", "/docs/big", b"").bytes()).await.expect("it reads");
    connection.read_exact(&mut [0; 1000]).await.expect("the answer begins");
    drop(connection);
    let line = world.line().await;
    assert!(line.bytes_sent().parse::<u64>().is_ok_and(|sent| sent < 1024 * 64 * 1024), "{line:?}");
    world.nothing_runs().await;
}
