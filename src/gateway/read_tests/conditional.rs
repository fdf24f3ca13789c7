//! Conditions are judged on the ETag that the client knows.
use crate::gateway::testbed::{Testbed, pattern};
use crate::s3::Operation;

#[tokio::test]
async fn conditions_hold_for_get_and_head_alike_cold_and_warm() {
    let bed = Testbed::start().await;
    bed.put("object", &pattern(300_000)).await;
    let first = bed.get("/object", &[]).await;
    let (etag, date) = (first.header("etag").to_owned(), first.header("last-modified").to_owned());
    let past = "Sun, 06 Nov 1994 08:49:37 GMT";
    let rows = [
        (("if-match", etag.as_str()), 200),
        (("if-match", "*"), 200),
        (("if-match", "\"00\""), 412),
        (("if-none-match", etag.as_str()), 304),
        (("if-none-match", "*"), 304),
        (("if-none-match", "\"00\""), 200),
        (("if-modified-since", date.as_str()), 304),
        (("if-modified-since", past), 200),
        (("if-unmodified-since", date.as_str()), 200),
        (("if-unmodified-since", past), 412),
    ];
    for (header, expected) in rows {
        for (method, operation) in [("GET", Operation::GetObject), ("HEAD", Operation::HeadObject)] {
            let answer = bed.ask(method, operation, "/object", &[header]).await;
            assert_eq!(answer.status, expected, "{method} {header:?}");
            if expected == 304 {
                assert_eq!(answer.header("etag"), etag);
                assert_eq!(answer.header("last-modified"), date);
                assert!(answer.body.is_empty());
            }
        }
    }
}

#[tokio::test]
async fn a_condition_is_judged_on_the_current_version_not_on_a_cached_one() {
    let bed = Testbed::start().await;
    bed.put("object", &pattern(100)).await;
    let old = bed.get("/object", &[]).await.header("etag").to_owned();
    bed.put("object", &pattern(101)).await;
    let changed = bed.get("/object", &[("if-none-match", &old)]).await;
    assert_eq!((changed.status, changed.body.len()), (200, 101));
    assert_eq!(bed.get("/object", &[("if-match", &old)]).await.status, 412);
}

#[tokio::test]
async fn if_range_of_another_version_answers_the_whole_object() {
    let bed = Testbed::start().await;
    bed.put("object", &pattern(100)).await;
    let etag = bed.get("/object", &[]).await.header("etag").to_owned();
    let range = ("range", "bytes=0-9");
    assert_eq!(bed.get("/object", &[range, ("if-range", &etag)]).await.body.len(), 10);
    let other = bed.get("/object", &[range, ("if-range", "\"00\"")]).await;
    assert_eq!((other.status, other.body.len()), (200, 100));
}

#[tokio::test]
async fn unknown_versions_and_foreign_keys_are_refused_clearly() {
    let bed = Testbed::start().await;
    bed.put("object", &pattern(100)).await;
    assert_eq!(bed.get("/object?versionId=null", &[]).await.status, 200);
    assert_eq!(bed.get("/object?versionId=abc", &[]).await.status, 404);
    let sse_c = [("x-amz-server-side-encryption-customer-algorithm", "AES256")];
    assert_eq!(bed.get("/object", &sse_c).await.status, 400, "an algorithm without a key");
    assert_eq!(bed.head("/object", &sse_c).await.status, 400);
}

#[tokio::test]
async fn response_headers_can_be_overridden() {
    let bed = Testbed::start().await;
    bed.put("object", &pattern(100)).await;
    let query = "?response-content-type=text%2Fplain&response-cache-control=no-store\
                 &response-content-disposition=attachment";
    for (method, operation) in [("GET", Operation::GetObject), ("HEAD", Operation::HeadObject)] {
        let answer = bed.ask(method, operation, &format!("/object{query}"), &[]).await;
        assert_eq!(answer.header("content-type"), "text/plain", "{method}");
        assert_eq!(answer.header("cache-control"), "no-store", "{method}");
        assert_eq!(answer.header("content-disposition"), "attachment", "{method}");
    }
}

#[tokio::test]
async fn without_a_permit_nothing_is_served() {
    let bed = Testbed::start().await;
    let request = s3s::S3Request {
        input: s3s::dto::GetObjectInput { bucket: "b".to_owned(), key: "k".to_owned(), ..Default::default() },
        method: http::Method::GET,
        uri: http::Uri::from_static("/b/k"),
        headers: http::HeaderMap::new(),
        extensions: http::Extensions::new(),
        credentials: None,
        region: None,
        service: None,
        trailing_headers: None,
    };
    let error = crate::gateway::get::get_object(&bed.gateway, request).await.expect_err("refused");
    assert_eq!(error.code(), &s3s::S3ErrorCode::AccessDenied);
}
