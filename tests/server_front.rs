//! The front from outside: whatever a client sends gets the S3 error an SDK expects, ids, and exactly one line in the
//! access log.
mod server_support;

use server_support::sign::{self, Request};
use server_support::{SYSTEM_BUCKET, Setup, World};
use tokio::io::AsyncWriteExt as _;

async fn world() -> World {
    World::start(Setup::default()).await
}

#[tokio::test]
async fn every_answer_has_an_id_that_is_in_the_log_too() {
    let world = world().await;
    let mut ids = Vec::new();
    for (method, target) in [("GET", "/"), ("GET", "/docs/none"), ("PUT", "/docs/k"), ("GET", "/docs?acl")] {
        let answer = world.send(method, target, b"").await;
        assert_eq!(answer.header("server"), "Strongroom");
        let id = answer.header("x-amz-request-id").to_owned();
        assert!(id.len() == 16 && answer.header("x-amz-id-2").len() == 32, "{answer:?}");
        if answer.status >= 400 {
            assert_eq!(answer.element("RequestId"), id);
            assert_eq!(answer.element("HostId"), answer.header("x-amz-id-2"));
            assert_eq!(answer.element("Resource"), target.split('?').next().unwrap_or_default());
            assert_eq!(answer.header("content-type"), "application/xml");
        }
        ids.push(id);
    }
    let lines = world.lines(4).await;
    assert!(lines.iter().map(|line| line.request_id()).eq(&ids));
    let operations: Vec<_> = lines.iter().map(|line| line.operation()).collect();
    assert_eq!(operations, ["REST.GET.SERVICE", "REST.GET.OBJECT", "REST.PUT.OBJECT", "REST.GET.ACL"]);
    let events = std::fs::read_to_string(world.path("events.json")).expect("events");
    assert!(events.lines().zip(&ids).all(|(event, id)| event.contains(id)), "{events}");
}

#[tokio::test]
async fn who_is_not_known_is_told_as_s3_tells_it() {
    let world = world().await;
    let good = || Request::new("GET", "/docs/small", b"");
    let unsigned = b"GET /docs/small HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
    let undated = good().head().replace("x-amz-date", "x-amz-dote");
    let cases = [
        (unsigned, 403, "AccessDenied", "-"),
        (Request { access_key: "AKNOBODY".to_owned(), ..good() }.bytes(), 403, "InvalidAccessKeyId", "-"),
        (Request { secret: "wrong".to_owned(), ..good() }.bytes(), 403, "SignatureDoesNotMatch", "-"),
        (Request { skew: -1000, ..good() }.bytes(), 403, "RequestTimeTooSkewed", "-"),
        (Request { skew: 1000, ..good() }.bytes(), 403, "RequestTimeTooSkewed", "-"),
        (Request { region: "mars".to_owned(), ..good() }.bytes(), 400, "AuthorizationHeaderMalformed", "-"),
        (undated.into_bytes(), 403, "AccessDenied", "-"),
        (good().header("x-amz-security-token", "t").bytes(), 400, "InvalidToken", "tests"),
        (Request::new("GET", &format!("/{SYSTEM_BUCKET}/k"), b"").bytes(), 403, "AccessDenied", "tests"),
    ];
    let count = cases.len();
    for (bytes, status, code, _) in &cases {
        assert_eq!(world.raw(bytes).await.outcome(), (*status, (*code).to_owned()));
    }
    for (line, (_, status, code, requester)) in world.lines(count).await.iter().zip(&cases) {
        assert_eq!((line.status(), line.error(), line.requester()), (&*status.to_string(), *code, *requester));
    }
}

#[tokio::test]
async fn any_region_may_be_signed_for_where_none_is_set() {
    let mut setup = Setup::default();
    setup.front.region = None;
    let world = World::start(setup).await;
    for region in ["us-east-1", "mars-north-1", "auto", "x"] {
        let request = || Request { region: region.to_owned(), ..Request::new("GET", "/docs/small", b"") };
        assert_eq!(world.raw(&request().bytes()).await.status, 200, "{region}");
        assert_eq!(world.raw(request().presigned().as_bytes()).await.status, 200, "{region}");
        let changed = request().head().replace(&format!("/{region}/"), "/us-west-2/");
        assert_eq!(world.raw(changed.as_bytes()).await.outcome(), (403, "SignatureDoesNotMatch".to_owned()));
    }
}

#[tokio::test]
async fn a_copy_cannot_read_the_system_bucket() {
    let world = world().await;
    for source in [format!("/{SYSTEM_BUCKET}/keyring"), format!("%2F{SYSTEM_BUCKET}%2Fkeyring")] {
        let copy = Request::new("PUT", "/docs/k", b"").header("x-amz-copy-source", &source);
        assert_eq!(world.raw(&copy.bytes()).await.outcome(), (403, "AccessDenied".to_owned()), "{source}");
    }
}

#[tokio::test]
async fn what_is_not_served_is_said() {
    let world = world().await;
    for (method, target) in [
        ("GET", "/docs/small?policy"),
        ("GET", "/docs/small?tagging"),
        ("PUT", "/docs/small?acl"),
        ("GET", "/docs?versioning"),
        ("GET", "/docs?versions"),
    ] {
        let answer = world.send(method, target, b"").await;
        assert_eq!(answer.outcome(), (501, "NotImplemented".to_owned()), "{method} {target}");
    }
    assert!(world.store.objects.lock().expect("no panic").is_empty());
}

#[tokio::test]
async fn a_virtual_host_names_the_bucket_and_a_strange_host_does_not() {
    let world = world().await;
    let request = Request { host: "docs.s3.test".to_owned(), ..Request::new("GET", "/none", b"") };
    assert_eq!(world.raw(&request.bytes()).await.code(), "NoSuchKey");
    let request = Request { host: "docs.other.test".to_owned(), ..Request::new("GET", "/docs/none", b"") };
    assert_eq!(world.raw(&request.bytes()).await.code(), "NoSuchKey");
    for line in world.lines(2).await {
        assert_eq!((line.bucket(), line.key()), ("docs", "none"));
    }
}

#[tokio::test]
async fn a_panic_is_an_internal_error_counted_and_logged_and_the_next_request_is_served() {
    let world = world().await;
    assert_eq!(world.send("GET", "/docs/panic", b"").await.outcome(), (500, "InternalError".to_owned()));
    assert_eq!(world.send("GET", "/docs/small", b"").await.body.len(), 64 * 1024);
    assert_eq!(world.metric("strongroom_panics_total").await, Some(1.0));
    let lines = world.lines(2).await;
    assert_eq!((lines[0].status(), lines[0].error()), ("500", "InternalError"));
}

#[tokio::test]
async fn an_answer_that_breaks_is_broken_off_and_never_ends_cleanly() {
    let world = world().await;
    for key in ["broken", "late-panic"] {
        let mut connection = world.connect().await;
        let request = Request::new("GET", &format!("/docs/{key}"), b"").bytes();
        connection.write_all(&request).await.expect("it reads");
        assert!(server_support::try_read_answer(&mut connection).await.is_none(), "{key}");
    }
    for line in world.lines(2).await {
        let sent: usize = line.bytes_sent().parse().expect("a number");
        assert!(line.status() == "200" && sent < 4 * 64 * 1024, "{line:?}");
    }
    assert_eq!(world.metric("strongroom_panics_total").await, Some(1.0));
    let aborted = "strongroom_requests_total{class=\"aborted\",operation=\"GetObject\"}";
    assert_eq!(world.metric(aborted).await, Some(2.0));
}

#[tokio::test]
async fn a_head_has_no_body_and_its_code_is_in_the_log() {
    let world = world().await;
    let mut connection = world.connect().await;
    for _ in 0..2 {
        connection.write_all(&Request::new("HEAD", "/docs/none", b"").bytes()).await.expect("it reads");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            tokio::io::AsyncReadExt::read_buf(&mut connection, &mut head).await.expect("an answer");
        }
        assert!(head.starts_with(b"HTTP/1.1 404"));
    }
    for line in world.lines(2).await {
        assert_eq!((line.status(), line.error(), line.bytes_sent()), ("404", "NoSuchKey", "-"));
    }
}

#[tokio::test]
async fn our_own_headers_and_strange_methods_are_refused() {
    let world = world().await;
    let reserved = Request::new("PUT", "/docs/k", b"").header("x-amz-meta-strongroom", "x");
    assert_eq!(world.raw(&reserved.bytes()).await.outcome(), (400, "InvalidArgument".to_owned()));
    assert_eq!(world.send("TRACE", "/docs/k", b"").await.outcome(), (405, "MethodNotAllowed".to_owned()));
    for method in ["PATCH", "FOO", "PROPFIND"] {
        let answer = world.send(method, "/docs/k", b"").await;
        assert!(matches!(answer.status, 405 | 501) && !answer.code().is_empty(), "{answer:?}");
    }
}

/// A form as a browser posts it.
fn form(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut body = String::new();
    for (name, value) in fields {
        body += &format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body += "--x--\r\n";
    let head = format!(
        "POST /docs HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

#[tokio::test]
async fn a_form_upload_is_a_put_of_the_key_in_the_form_and_needs_a_signature() {
    let world = world().await;
    let anonymous = form(&[("key", "k"), ("file", "bytes")]);
    assert_eq!(world.raw(&anonymous).await.outcome(), (403, "AccessDenied".to_owned()));
    let signed = sign::Policy::new("docs");
    let fields = [
        ("key", "folder/k"),
        ("policy", signed.policy.as_str()),
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        ("x-amz-credential", signed.credential.as_str()),
        ("x-amz-date", signed.date.as_str()),
        ("x-amz-signature", signed.signature.as_str()),
        ("file", "bytes"),
    ];
    let answer = world.raw(&form(&fields)).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(world.store.objects.lock().expect("no panic").get("folder/k"), Some(&5));
    let lines = world.lines(2).await;
    assert_eq!((lines[0].requester(), lines[0].error()), ("-", "AccessDenied"));
    assert_eq!((lines[1].requester(), lines[1].key()), ("tests", "folder/k"));
}
