//! Connections from outside: limits, TLS, what cannot be read, the admin endpoints, drain.
mod server_support;

use server_support::sign::Request;
use server_support::tls::{certificate, files, localhost, trusting};
use server_support::{Setup, World, read_answer, try_read_answer};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn requests_over_tls_are_served_and_their_lines_say_version_and_cipher() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = files(folder.path());
    let trusted = certificate(&files);
    let mut world = World::start(Setup { tls: Some(files), ..Setup::default() }).await;
    let mut connection = trusting(trusted).connect(localhost(), world.connect().await).await.expect("a handshake");
    connection.write_all(&Request::new("GET", "/docs/small", b"").bytes()).await.expect("it reads");
    assert_eq!(read_answer(&mut connection).await.body.len(), 64 * 1024);
    let line = world.line().await;
    assert_eq!(line.tls().0, "TLSv1.3");
    assert!(line.tls().1.starts_with("TLS_AES") || line.tls().1.starts_with("TLS_CHACHA"), "{line:?}");
    let expiry = "strongroom_tls_certificate_expiry_timestamp_seconds{listener=\"s3\"}";
    assert!(world.metric(expiry).await.is_some_and(|at| at > 1.7e9));
    drop(connection);
    world.stop().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_served_without_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = files(folder.path());
    certificate(&files);
    let world = World::start(Setup { tls: Some(files.clone()), ..Setup::default() }).await;
    let renewed = trusting(certificate(&files));
    while renewed.connect(localhost(), world.connect().await).await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn plain_http_on_a_tls_port_ends_and_is_counted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = files(folder.path());
    certificate(&files);
    let world = World::start(Setup { tls: Some(files), ..Setup::default() }).await;
    let mut connection = world.connect().await;
    connection.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("it reads");
    assert!(try_read_answer(&mut connection).await.is_none());
    while world.metric("strongroom_connection_errors_total{reason=\"tls\"}").await != Some(1.0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_is_no_http_is_400_and_one_line() {
    let world = World::start(Setup::default()).await;
    for bytes in
        [&b"GET /docs/a\x01b HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"\x16\x03\x01\x00\r\n\r\n", b"nonsense\r\n\r\n"]
    {
        assert_eq!(world.raw(bytes).await.status, 400);
    }
    for line in world.lines(3).await {
        assert_eq!((line.operation(), line.status(), line.error()), ("REST.OTHER", "400", "BadRequest"));
    }
    assert_eq!(world.metric("strongroom_connection_errors_total{reason=\"malformed\"}").await, Some(3.0));
}

#[tokio::test]
async fn a_head_that_is_too_long_is_431_and_one_line() {
    let world = World::start(Setup::default()).await;
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(20_000));
    assert_eq!(world.raw(head.as_bytes()).await.status, 431);
    assert_eq!(world.line().await.error(), "RequestHeaderSectionTooLarge");
}

#[tokio::test]
async fn a_head_that_never_ends_is_closed_and_one_line() {
    let mut setup = Setup::default();
    setup.limits.header_timeout = Duration::from_millis(100);
    let world = World::start(setup).await;
    let mut connection = world.connect().await;
    connection.write_all(b"PUT /docs/k HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.expect("it reads");
    assert!(try_read_answer(&mut connection).await.is_none());
    let line = world.line().await;
    assert_eq!((line.status(), line.error()), ("-", "RequestTimeout"));
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_a_line() {
    let mut setup = Setup::default();
    setup.limits.idle_timeout = Duration::from_millis(100);
    let world = World::start(setup).await;
    let mut connection = world.connect().await;
    for _ in 0..2 {
        connection.write_all(&Request::new("GET", "/docs/small", b"").bytes()).await.expect("it reads");
        assert_eq!(read_answer(&mut connection).await.status, 200);
    }
    assert_eq!(connection.read(&mut [0]).await.ok(), Some(0));
    world.lines(2).await;
    assert_eq!(world.metric("strongroom_connection_errors_total{reason=\"timeout\"}").await, Some(0.0));
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_broken_off() {
    let mut setup = Setup::default();
    setup.limits.stall_timeout = Duration::from_millis(200);
    let world = World::start(setup).await;
    let mut connection = world.connect().await;
    connection.write_all(&Request::new("GET", "/docs/big", b"").bytes()).await.expect("it reads");
    let line = world.line().await;
    assert!(line.bytes_sent().parse::<u64>().is_ok_and(|sent| sent < 1024 * 64 * 1024), "{line:?}");
    while world.metric("strongroom_stalled_total{direction=\"response\"}").await != Some(1.0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(connection);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_their_turn() {
    let mut setup = Setup::default();
    setup.limits.connections = 1;
    let world = World::start(setup).await;
    let request = Request::new("GET", "/docs/small", b"").bytes();
    let mut first = world.connect().await;
    first.write_all(&request).await.expect("it reads");
    assert_eq!(read_answer(&mut first).await.status, 200);
    let mut second = world.connect().await;
    second.write_all(&request).await.expect("it reads");
    let waiting = tokio::time::timeout(Duration::from_millis(100), try_read_answer(&mut second));
    assert!(waiting.await.is_err(), "it waits");
    drop(first);
    assert_eq!(read_answer(&mut second).await.status, 200);
}

#[tokio::test]
async fn draining_lets_requests_end_and_nothing_new_in() {
    let mut world = World::start(Setup::default()).await;
    assert_eq!(world.get_admin("/readyz").await.status, 200);
    let mut idle = world.connect().await;
    let fresh = world.connect().await;
    idle.write_all(&Request::new("GET", "/docs/small", b"").bytes()).await.expect("it reads");
    assert_eq!(read_answer(&mut idle).await.status, 200);
    let mut busy = world.connect().await;
    busy.write_all(&Request::new("PUT", "/docs/gated", b"body").bytes()).await.expect("it reads");
    world.store.at_gate.notified().await;

    world.stop.cancel();
    while world.get_admin("/readyz").await.status != 503 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(world.get_admin("/readyz").await.text().contains("draining"));
    assert_eq!(world.get_admin("/healthz").await.status, 200);
    assert_eq!(idle.read(&mut [0]).await.ok(), Some(0), "an idle connection ends at once");
    assert!(tokio::net::TcpStream::connect(world.address).await.is_err(), "nothing new");
    world.store.gate.notify_one();
    assert_eq!(read_answer(&mut busy).await.status, 200, "what was under way ends");
    assert_eq!(busy.read(&mut [0]).await.ok(), Some(0), "and then its connection");
    world.stop().await;
    drop(fresh);
    world.lines(2).await;
}

#[tokio::test]
async fn what_does_not_end_in_time_is_broken_off() {
    let mut setup = Setup::default();
    setup.limits.drain_timeout = Duration::from_millis(100);
    let mut world = World::start(setup).await;
    let mut stuck = world.connect().await;
    stuck.write_all(&Request::new("GET", "/docs/big", b"").bytes()).await.expect("it reads");
    let mut some = [0; 1000];
    stuck.read_exact(&mut some).await.expect("the answer begins");
    world.stop().await;
    world.line().await;
}
