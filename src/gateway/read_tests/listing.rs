//! Listings in plain sizes and plain ETags, page by page.
use crate::gateway::metadata::UserMetadata;
use crate::gateway::testbed::{Sealed, Testbed, at, bucket, pattern};
use crate::s3::Operation;
use md5::{Digest, Md5};
use std::collections::BTreeSet;

/// The text of every `<name>` element, in order, unescaped.
fn all(xml: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open)
        .skip(1)
        .filter_map(|rest| rest.split(&close).next())
        .map(|text| {
            let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
            text.replace("&apos;", "'").replace("&#39;", "'").replace("&amp;", "&")
        })
        .collect()
}

fn one(xml: &str, name: &str) -> String {
    all(xml, name).first().cloned().unwrap_or_default()
}

async fn v2(bed: &Testbed, query: &str) -> String {
    let answer = bed.ask("GET", Operation::ListObjectsV2, &format!("?list-type=2{query}"), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

async fn v1(bed: &Testbed, query: &str) -> String {
    let answer = bed.ask("GET", Operation::ListObjects, query, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

/// Keys and common prefixes of every page, in the order shown.
async fn walk(bed: &Testbed, query: &str) -> (Vec<String>, Vec<String>, usize) {
    let (mut keys, mut prefixes, mut pages, mut token) = (Vec::new(), Vec::new(), 0, String::new());
    loop {
        let xml = v2(bed, &format!("{query}{token}")).await;
        pages += 1;
        keys.extend(all(&xml, "Key"));
        let shown = all(&xml, "CommonPrefixes");
        prefixes.extend(shown.iter().map(|prefix| one(prefix, "Prefix")));
        assert_eq!(one(&xml, "KeyCount"), (all(&xml, "Key").len() + shown.len()).to_string());
        if one(&xml, "IsTruncated") == "false" {
            assert_eq!(one(&xml, "NextContinuationToken"), "");
            return (keys, prefixes, pages);
        }
        token = format!("&continuation-token={}", one(&xml, "NextContinuationToken"));
        assert!(pages < 2000, "a listing that does not end");
    }
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[tokio::test]
async fn twelve_hundred_keys_come_in_order_and_once_whatever_the_pages() {
    let bed = Testbed::start().await;
    let names: BTreeSet<String> = (0..1200).map(|i| format!("d{:02}/k{i:04}", i % 40)).collect();
    let plain = pattern(20_000);
    let md5 = format!("\"{}\"", hex::encode(Md5::digest(&plain)));
    for name in &names {
        let sealed = bed.seal(name, &[&plain], false, &UserMetadata::default());
        bed.store(bed.primary(), name, &sealed).await;
    }
    let expected: Vec<String> = names.iter().cloned().collect();
    let (keys, prefixes, pages) = walk(&bed, "").await;
    assert!(keys == expected && prefixes.is_empty() && pages == 2);

    let xml = v2(&bed, "").await;
    assert_eq!(all(&xml, "Size"), vec!["20000"; 1000], "sizes are plain");
    assert_eq!(all(&xml, "ETag"), vec![md5.clone(); 1000], "ETags are plain");
    assert!(all(&xml, "StorageClass").iter().all(|class| class == "STANDARD"));
    assert!(!xml.contains("<Owner>"));

    let (keys, _, pages) = walk(&bed, "&max-keys=101").await;
    assert!(keys == expected && pages == 12);
    let (keys, prefixes, _) = walk(&bed, "&delimiter=/&max-keys=7").await;
    let folders: Vec<String> = (0..40).map(|i| format!("d{i:02}/")).collect();
    assert!(keys.is_empty() && prefixes == folders);
    let (keys, prefixes, pages) = walk(&bed, "&delimiter=/&prefix=d07/&max-keys=9").await;
    assert!(keys.len() == 30 && prefixes.is_empty() && pages == 4);
    let (keys, _, _) = walk(&bed, "&start-after=d39/k1150").await;
    assert_eq!(keys, ["d39/k1159", "d39/k1199"]);
}

#[tokio::test]
async fn plain_etags_come_from_the_index_when_it_knows_them() {
    let bed = Testbed::start().await;
    for i in 0..20 {
        bed.put(&format!("k{i:02}"), &pattern(100 + i)).await;
    }
    let cold = v2(&bed, "").await;
    let trailers = bed.requests.take().iter().filter(|(_, operation)| *operation == "get").count();
    assert_eq!(trailers, 20, "one trailer read per unknown ETag");
    for _ in 0..100 {
        let known = bed.gateway.state.known(&bucket(), "k00", "k19").await.expect("the index");
        if known.len() == 20 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let warm = v2(&bed, "").await;
    assert_eq!(all(&warm, "ETag"), all(&cold, "ETag"));
    let trailers = bed.requests.take().iter().filter(|(_, operation)| *operation == "get").count();
    assert_eq!(trailers, 0, "all of them are known");
    bed.put("k07", &pattern(5)).await;
    let changed = v2(&bed, "&prefix=k07").await;
    assert_eq!(one(&changed, "ETag"), format!("\"{}\"", hex::encode(Md5::digest(pattern(5)))));
    assert_eq!(one(&changed, "Size"), "5");
}

#[tokio::test]
async fn nasty_keys_travel_encoded_and_plain() {
    let bed = Testbed::start().await;
    let nasty =
        [" lead", "a b", "a&b<c>", "a+b", "a%20b", "plus+%2B", "quote\"'", "ü/ö", "日本語/キー", "~tilde", "z;x=1,y"];
    for name in nasty {
        let sealed = bed.seal(name, &[b"x"], false, &UserMetadata::default());
        bed.store(bed.primary(), name, &sealed).await;
    }
    let expected: BTreeSet<&str> = nasty.into();
    let plain = all(&v2(&bed, "").await, "Key");
    assert_eq!(plain.iter().map(String::as_str).collect::<BTreeSet<_>>(), expected);
    let xml = v2(&bed, "&encoding-type=url").await;
    assert_eq!(one(&xml, "EncodingType"), "url");
    for (key, encoded) in plain.iter().zip(all(&xml, "Key")) {
        assert_eq!(&percent_encoding::percent_decode_str(&encoded).decode_utf8_lossy(), key);
        assert!(encoded.bytes().all(|b| b.is_ascii_graphic() && b != b'+' && b != b'&'), "{encoded}");
    }
    for name in nasty {
        let found = v2(&bed, &format!("&prefix={}", encoded(name))).await;
        assert!(all(&found, "Key").contains(&name.to_owned()), "{name}");
    }
    let (keys, _, _) = walk(&bed, "&max-keys=1").await;
    assert_eq!(keys, plain);
}

#[tokio::test]
async fn version_one_goes_on_at_its_marker() {
    let bed = Testbed::start().await;
    for name in ["asdf", "boo/bar", "boo/baz/xyzzy", "cquux/thud", "cquux/bla"] {
        bed.put(name, b"x").await;
    }
    let first = v1(&bed, "?delimiter=/&max-keys=1").await;
    assert_eq!((all(&first, "Key"), one(&first, "NextMarker")), (vec!["asdf".to_owned()], "asdf".to_owned()));
    assert!(first.contains("<Owner>"));
    let second = v1(&bed, "?delimiter=/&max-keys=1&marker=asdf").await;
    assert_eq!(one(&second, "NextMarker"), "boo/");
    assert!(second.contains("<CommonPrefixes><Prefix>boo/</Prefix></CommonPrefixes>"));
    let third = v1(&bed, "?delimiter=/&max-keys=1&marker=boo/").await;
    assert!(third.contains("<CommonPrefixes><Prefix>cquux/</Prefix></CommonPrefixes>"), "{third}");
    assert_eq!(one(&third, "IsTruncated"), "false");
    let inside = v1(&bed, "?delimiter=/&prefix=boo/&max-keys=1").await;
    assert_eq!(all(&inside, "Key"), ["boo/bar"]);
    assert_eq!(all(&v1(&bed, "?marker=boo/bar").await, "Key"), ["boo/baz/xyzzy", "cquux/bla", "cquux/thud"]);
}

#[tokio::test]
async fn limits_and_malformed_questions() {
    let bed = Testbed::start().await;
    bed.put("a", b"x").await;
    let none = v2(&bed, "&max-keys=0").await;
    assert_eq!((all(&none, "Key").len(), one(&none, "IsTruncated")), (0, "false".to_owned()));
    assert_eq!(one(&v2(&bed, "&max-keys=5000").await, "MaxKeys"), "1000");
    assert!(v2(&bed, "&fetch-owner=true").await.contains("<Owner>"));
    for bad in ["&max-keys=-1", "&max-keys=x", "&encoding-type=base64", "&continuation-token=nonsense"] {
        let answer = bed.ask("GET", Operation::ListObjectsV2, &format!("?list-type=2{bad}"), &[]).await;
        assert!(answer.status == 400 && answer.text().contains("InvalidArgument"), "{bad}");
    }
}

#[tokio::test]
async fn one_bad_object_does_not_hide_the_others() {
    let bed = Testbed::start().await;
    bed.put("a", &pattern(10)).await;
    let sealed = bed.put("b", &pattern(10)).await;
    bed.put("c", &pattern(10)).await;
    bed.store_all("plain", &Sealed { bytes: b"not ours".to_vec(), metadata: None }).await;
    let mut damaged = sealed.clone();
    let end = damaged.bytes.len();
    damaged.bytes[end - 100] ^= 1;
    bed.store(bed.primary(), "b", &damaged).await;
    let md5 = format!("\"{}\"", hex::encode(Md5::digest(pattern(10))));
    let xml = v2(&bed, "").await;
    assert_eq!(all(&xml, "Key"), ["a", "b", "c", "plain"]);
    assert_eq!(all(&xml, "Size"), ["10", "10", "10", "8"]);
    assert_eq!(all(&xml, "ETag")[1], md5, "the backup's copy tells");
    bed.store_all("b", &damaged).await;
    let xml = v2(&bed, "").await;
    assert!(all(&xml, "ETag")[1].ends_with("-0\""), "{xml}");
    assert_eq!(all(&xml, "ETag")[2], md5);
    assert_eq!(bed.get(&format!("/{}", at("plain").key), &[]).await.status, 403);
}
