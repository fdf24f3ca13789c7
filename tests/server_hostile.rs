//! Names and headers that mean harm, from outside: taken as letters or refused, never normalised, and no line of the
//! access log can be forged with them. And bytes of no meaning at all, which never make a panic.
mod server_support;

use server_support::sign::{Request, UNSIGNED};
use server_support::{Setup, World};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

async fn world() -> World {
    World::start(Setup::default()).await
}

#[tokio::test]
async fn addresses_that_are_none_are_refused() {
    let world = world().await;
    let long = format!("/docs/{}", "k".repeat(1025));
    for (target, code) in [
        (long.as_str(), "KeyTooLongError"),
        (&format!("/{}/k", "b".repeat(64)), "InvalidBucketName"),
        ("/..", "InvalidBucketName"),
        ("/%2E%2E/k", "InvalidBucketName"),
        ("/Docs/k", "InvalidBucketName"),
        ("/docs/a%zz", "InvalidURI"),
        ("/docs/a%FF", "InvalidURI"),
    ] {
        assert_eq!(world.send("GET", target, b"").await.outcome(), (400, code.to_owned()), "{target}");
    }
}

#[tokio::test]
async fn dots_in_keys_are_letters() {
    let world = world().await;
    for key in ["../k", "a/../k", "./k", "..", "a//k"] {
        assert_eq!(world.send("PUT", &format!("/docs/{key}"), b"x").await.status, 200, "{key}");
        assert!(world.store.objects.lock().expect("no panic").contains_key(key), "{key}");
    }
}

#[tokio::test]
async fn control_characters_in_keys_forge_no_line() {
    let world = world().await;
    let escapes = ["%00", "%01", "%0A", "%0D%0A", "%1F", "%7F", "%22", "%5D", "%20", "%C2%80", "%E2%80%AE"];
    for escape in escapes {
        let answer = world.send("PUT", &format!("/docs/a{escape}b"), b"x").await;
        assert!(answer.status == 200 || answer.outcome().0 == 400 && !answer.code().is_empty(), "{answer:?}");
    }
    for (line, escape) in world.lines(escapes.len()).await.iter().zip(escapes) {
        assert!(
            line.0.iter().all(|field| field.bytes().all(|byte| (0x20..0x7f).contains(&byte))),
            "{escape}: {line:?}"
        );
        assert_eq!((line.bucket(), line.operation()), ("docs", "REST.PUT.OBJECT"), "{escape}");
    }
}

#[tokio::test]
async fn control_characters_in_headers_are_refused_and_forge_no_line() {
    let world = world().await;
    let head = Request::new("PUT", "/docs/k", b"").header("x-amz-meta-a", "12").head();
    let inside = |bytes: &[u8]| {
        let (before, after) = head.split_once("12").expect("a value");
        [before.as_bytes(), b"1", bytes, b"2", after.as_bytes()].concat()
    };
    let cases = [&b"\0"[..], b"\x01", b"\x0b", b"\x7f", b"\r", b"\n", b"\xff", b"\r\nx-amz-acl: public-read\r\nx: "];
    for bytes in cases {
        let answer = world.raw(&inside(bytes)).await;
        assert!(matches!(answer.status, 400 | 403), "{} {answer:?}", bytes.escape_ascii());
    }
    for line in world.lines(cases.len()).await {
        assert!(matches!(line.status(), "400" | "403"), "{line:?}");
    }
    assert!(world.stored().is_empty());
}

#[tokio::test]
async fn what_a_client_calls_itself_is_one_field_of_its_line() {
    let world = world().await;
    let names = ["a \"b\" c", "a\" 200 - \"", "\t[x] -", "\\\"", "\u{e9}"];
    for name in names {
        let request = Request::new("GET", "/docs/none", b"").without("content-length").header("user-agent", name);
        world.raw(&request.bytes()).await;
    }
    // Every line has its number of fields, or it could not be read.
    world.lines(names.len()).await;
}

#[tokio::test]
async fn a_key_that_is_too_long_is_refused_wherever_it_stands() {
    let world = world().await;
    let long = "k".repeat(1025);
    let put = Request { hash: UNSIGNED.to_owned(), ..Request::new("PUT", &format!("/docs/{long}"), b"") };
    assert_eq!(world.raw(&put.bytes()).await.outcome(), (400, "KeyTooLongError".to_owned()));
    // 1,024 bytes are enough for 341 characters of three, and not for 342.
    for (characters, status) in [(341, 200), (342, 400)] {
        let target = format!("/docs/{}", "%E5%AD%97".repeat(characters));
        assert_eq!(world.send("PUT", &target, b"x").await.status, status);
    }
}

#[tokio::test]
async fn lengths_that_are_no_numbers_or_contradict_each_other_are_refused() {
    let world = world().await;
    let good = Request { hash: UNSIGNED.to_owned(), ..Request::new("PUT", "/docs/k", b"x") }.head();
    let lengths = ["-1", "abc", "1e3", "18446744073709551616", "0x10", "", "1, 2", "1\r\ncontent-length: 2"];
    for length in lengths {
        let head = good.replace("content-length: 1", &format!("content-length: {length}"));
        let answer = world.raw(&[head.as_bytes(), b"x"].concat()).await;
        assert!(matches!(answer.status, 400 | 403 | 411), "{length}: {answer:?}");
    }
    let smuggled = good.replace("content-length: 1", "transfer-encoding: chunked\r\ncontent-length: 1");
    let answer =
        world.raw(&[smuggled.as_bytes(), b"0\r\n\r\nDELETE /other HTTP/1.1\r\nHost: x\r\n\r\n"].concat()).await;
    assert!(matches!(answer.status, 400 | 403 | 411), "{answer:?}");
    assert!(world.stored().is_empty());
    world.lines(lengths.len() + 1).await;
}

/// A generator that gives the same numbers every time (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// Bytes that mean something to one parser or another.
const NASTY: &[u8] = b"\0\r\n%&;:=/? \xff";

#[tokio::test]
async fn no_bytes_make_it_panic_or_leave_a_connection_hanging() {
    let world = world().await;
    let mut dice = Dice(0x5eed);
    let get = Request::new("GET", "/docs/small", b"").header("range", "bytes=5-2");
    let seeds = [
        get.bytes(),
        get.presigned().into_bytes(),
        Request::new("PUT", "/docs/a%2Fb", b"body").header("x-amz-meta-a", "b").bytes(),
        Request::new("POST", "/docs?delete", b"<Delete><Object><Key>k</Key></Object></Delete>").bytes(),
        Request { hash: UNSIGNED.to_owned(), ..Request::new("GET", "/docs?list-type=2&prefix=a", b"") }.bytes(),
    ];
    for round in 0..400 {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..=dice.below(4) {
            let at = dice.below(bytes.len());
            match dice.below(3) {
                0 => bytes[at] = dice.below(256) as u8,
                1 => bytes.insert(at, NASTY[dice.below(NASTY.len())]),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let mut connection = world.connect().await;
        // It may be refused before all was sent.
        let _ = connection.write_all(&bytes).await;
        let _ = connection.shutdown().await;
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(5), connection.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "it hangs: {}", bytes.escape_ascii());
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 "), "{}", bytes.escape_ascii());
    }
    assert_eq!(world.metric("strongroom_panics_total").await, Some(0.0));
    world.nothing_runs().await;
}
