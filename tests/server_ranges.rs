//! Ranges that nobody can make out, from outside: S3 ignores them, signed or not, and so do we; a signature that is
//! wrong is refused all the same.
mod server_support;

use server_support::sign::Request;
use server_support::{SYSTEM_BUCKET, Setup, World};
use tokio::io::AsyncWriteExt as _;

/// Answered by the whole object: RFC 9110 section 14.2 says that what is no valid range is ignored.
const IGNORED: [&str; 7] =
    ["bytes=abc", "bytes=5-2", "bytes=-", "bytes=", "chars=0-1", "bytes=0-1,4-5", "bytes=5-2, bytes=0-1"];

async fn world() -> World {
    World::start(Setup::default()).await
}

/// Its answer tells which range arrived at the operation.
fn get(range: &str) -> Request {
    Request::new("GET", "/docs/range", b"").header("range", range)
}

#[tokio::test]
async fn a_range_that_can_be_read_arrives_as_it_is() {
    let world = world().await;
    for range in ["bytes=0-1", "bytes=5-", "bytes=-5"] {
        assert_eq!(world.raw(&get(range).bytes()).await.text(), range);
    }
}

#[tokio::test]
async fn a_malformed_range_is_ignored_although_it_is_signed() {
    let world = world().await;
    for range in IGNORED {
        let answer = world.raw(&get(range).bytes()).await;
        assert_eq!((answer.status, &*answer.text()), (200, "whole"), "{range}");
    }
    for line in world.lines(IGNORED.len()).await {
        let seen = (line.operation(), line.requester(), line.bucket(), line.key(), line.status());
        assert_eq!(seen, ("REST.GET.OBJECT", "tests", "docs", "range", "200"));
    }
}

#[tokio::test]
async fn a_malformed_range_is_ignored_on_a_presigned_url_too() {
    let world = world().await;
    for range in IGNORED {
        let signed = get(range).presigned();
        let answer = world.raw(signed.as_bytes()).await;
        assert_eq!((answer.status, &*answer.text()), (200, "whole"), "{range}");
        let unsigned = get("").without("range").presigned();
        let unsigned = unsigned.replace("content-length: ", &format!("range: {range}\r\ncontent-length: "));
        let answer = world.raw(unsigned.as_bytes()).await;
        assert_eq!((answer.status, &*answer.text()), (200, "whole"), "{range}");
    }
}

#[tokio::test]
async fn a_range_beyond_any_object_is_still_a_range() {
    let world = world().await;
    let answer = world.raw(&get("bytes=99999999999999999999-").bytes()).await;
    assert_eq!(answer.text(), "bytes=9223372036854775807-");
}

#[tokio::test]
async fn a_head_with_a_malformed_range_is_a_head() {
    let world = world().await;
    let head = Request::new("HEAD", "/docs/none", b"").header("range", "bytes=5-2");
    world.connect().await.write_all(&head.bytes()).await.expect("it reads");
    let line = world.line().await;
    assert_eq!((line.operation(), line.status(), line.error()), ("REST.HEAD.OBJECT", "404", "NoSuchKey"));
}

#[tokio::test]
async fn a_malformed_range_opens_no_door() {
    let world = world().await;
    let bad = || get("bytes=5-2");
    let hidden = Request { target: format!("/{SYSTEM_BUCKET}/keyring"), ..bad() };
    let changed = bad().head().replace("bytes=5-2", "bytes=6-2");
    let nobody = "GET /docs/range HTTP/1.1\r\nHost: x\r\nRange: bytes=5-2\r\n\r\n";
    let stripped = bad().presigned().replace("X-Amz-Signature", "X-Amz-Signatura");
    let cases = [
        (nobody.as_bytes().to_vec(), 403, "AccessDenied", "-"),
        (stripped.into_bytes(), 400, "AuthorizationQueryParametersError", "-"),
        (changed.into_bytes(), 403, "SignatureDoesNotMatch", "-"),
        (Request { secret: "wrong".to_owned(), ..bad() }.bytes(), 403, "SignatureDoesNotMatch", "-"),
        (Request { secret: "wrong".to_owned(), ..bad() }.presigned().into_bytes(), 403, "SignatureDoesNotMatch", "-"),
        (Request { access_key: "AKNOBODY".to_owned(), ..bad() }.bytes(), 403, "InvalidAccessKeyId", "-"),
        (Request { skew: -1000, ..bad() }.bytes(), 403, "RequestTimeTooSkewed", "-"),
        (Request { skew: -1000, ..bad() }.presigned().into_bytes(), 403, "AccessDenied", "-"),
        (bad().header("x-amz-security-token", "t").bytes(), 400, "InvalidToken", "tests"),
        (hidden.bytes(), 403, "AccessDenied", "tests"),
        (hidden.presigned().into_bytes(), 403, "AccessDenied", "tests"),
        (Request { target: "/docs/range?policy".to_owned(), ..bad() }.bytes(), 501, "NotImplemented", "tests"),
    ];
    let count = cases.len();
    for (bytes, status, code, _) in &cases {
        let answer = world.raw(bytes).await;
        assert_eq!(answer.outcome(), (*status, (*code).to_owned()), "{}", String::from_utf8_lossy(bytes));
    }
    for (line, (_, _, code, requester)) in world.lines(count).await.iter().zip(&cases) {
        assert_eq!((line.error(), line.requester()), (*code, *requester));
    }
}
