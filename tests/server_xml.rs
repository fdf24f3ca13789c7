//! XML from outside: as much as S3 takes is taken, what is wrong is 400, and no bomb goes off.
mod server_support;

use server_support::sign::{Request, UNSIGNED};
use server_support::{Setup, World};
use std::time::{Duration, Instant};

/// The default of `limits.max_xml_body`.
const MAX_XML: usize = 8 * 1024 * 1024;

async fn world() -> World {
    World::start(Setup::default()).await
}

fn delete(body: &[u8]) -> Request {
    Request::new("POST", "/docs?delete", body)
}

#[tokio::test]
async fn xml_that_is_wrong_is_400() {
    let world = world().await;
    let good = b"<Delete><Object><Key>k</Key></Object></Delete>";
    let padded = [b"<Delete>".to_vec(), vec![b' '; 100_000]].concat();
    let nested = [b"<Delete>".to_vec(), b"<a>".repeat(30_000)].concat();
    let cases = [
        (delete(good).bytes(), 200, ""),
        (delete(b"hello").bytes(), 400, "MalformedXML"),
        (delete(b"<Delete><Object>").bytes(), 400, "MalformedXML"),
        (delete(&nested).bytes(), 400, "MalformedXML"),
        (delete(b"").bytes(), 400, "MissingRequestBodyError"),
        (delete(&padded).bytes(), 400, "MaxMessageLengthExceeded"),
        (Request { hash: "0".repeat(64), ..delete(good) }.bytes(), 400, "XAmzContentSHA256Mismatch"),
    ];
    for (bytes, status, code) in cases {
        assert_eq!(world.raw(&bytes).await.outcome(), (status, code.to_owned()));
    }
}

/// DeleteObjects of 1,000 keys, each 1,024 times this character.
fn longest(character: &str, version: &str) -> Vec<u8> {
    let object = format!("<Object><Key>{}</Key>{version}</Object>", character.repeat(1024));
    format!("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}</Delete>", object.repeat(1000)).into_bytes()
}

#[tokio::test]
async fn a_thousand_keys_of_1024_bytes_fit_although_each_byte_is_escaped() {
    let mut setup = Setup::default();
    setup.front.max_xml_body = MAX_XML;
    let world = World::start(setup).await;
    let version = format!("<VersionId>{}</VersionId><ETag>&quot;{}&quot;</ETag>", "v".repeat(1024), "0".repeat(32));
    for (escaped, version) in [("&amp;", ""), ("&quot;", ""), ("&quot;", version.as_str()), ("&#x26;", "")] {
        let body = longest(escaped, version);
        assert!(body.len() > 5_000_000, "{}", body.len());
        let answer = world.raw(&delete(&body).bytes()).await;
        assert_eq!(answer.status, 200, "{escaped} {}", answer.text().get(..300).unwrap_or_default());
        let key = if escaped == "&quot;" { escaped } else { "&amp;" };
        assert_eq!(answer.text().matches(&format!("<Key>{}</Key>", key.repeat(1024))).count(), 1000, "{escaped}");
    }
}

#[tokio::test]
async fn a_byte_more_than_is_taken_is_too_much_whether_it_was_announced_or_not() {
    let mut setup = Setup::default();
    setup.front.max_xml_body = MAX_XML;
    let world = World::start(setup).await;
    let body = [b"<Delete>".to_vec(), vec![b' '; MAX_XML]].concat();
    let too_long = || (400, "MaxMessageLengthExceeded".to_owned());
    assert_eq!(world.raw(&delete(&body).bytes()).await.outcome(), too_long());
    let request = Request { hash: UNSIGNED.to_owned(), ..delete(b"") }.without("content-length");
    let head = request.header("transfer-encoding", "chunked").head();
    let chunked = [head.as_bytes(), format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
    let answer = world.raw(&chunked).await;
    assert!(
        answer.outcome() == too_long() || answer.outcome() == (411, "MissingContentLength".to_owned()),
        "{answer:?}"
    );
    world.lines(2).await;
}

/// Ten entities, each ten times the one before.
fn billion_laughs() -> Vec<u8> {
    let mut text = "<?xml version=\"1.0\"?><!DOCTYPE Delete [<!ENTITY a0 \"lol\">".to_owned();
    for n in 1..10 {
        text += &format!("<!ENTITY a{n} \"{}\">", format!("&a{};", n - 1).repeat(10));
    }
    (text + "]><Delete><Object><Key>&a9;</Key></Object></Delete>").into_bytes()
}

#[tokio::test]
async fn bombs_are_malformed_xml_and_cost_no_time() {
    let world = world().await;
    let external =
        br#"<!DOCTYPE D [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;</Key></Object></Delete>"#;
    let attributes = format!("<Delete {}/>", (0..8_000).map(|n| format!("a{n}=\"\" ")).collect::<String>());
    let bombs = [
        billion_laughs(),
        external.to_vec(),
        [b"<Delete>".to_vec(), b"<a>".repeat(30_000)].concat(),
        [b"<Delete>".to_vec(), b"<a>".repeat(13_000), b"</a>".repeat(13_000), b"</Delete>".to_vec()].concat(),
        attributes.into_bytes(),
        b"<Delete><Object><Key>\xff\xfe</Key></Object></Delete>".to_vec(),
        b"<Delete><Object><Key>&#xFFFFFFFF;</Key></Object></Delete>".to_vec(),
        b"<Other><Object><Key>k</Key></Object></Other>".to_vec(),
    ];
    let count = bombs.len();
    let began = Instant::now();
    for bomb in bombs {
        let answer = world.raw(&delete(&bomb).bytes()).await;
        assert_eq!(answer.outcome(), (400, "MalformedXML".to_owned()), "{}", bomb[..60].escape_ascii());
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    for line in world.lines(count).await {
        assert_eq!((line.status(), line.error()), ("400", "MalformedXML"));
    }
    assert_eq!(world.metric("strongroom_panics_total").await, Some(0.0));
}
