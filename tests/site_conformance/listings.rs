//! Listings.
use crate::bench::Bench;
use strongroom::s3::SealedLen;

pub async fn listings_roll_up_and_resume(bench: Bench) {
    for key in ["a", "b/1", "b/2", "b/c/3", "d", "e/x", "f+g h/y"] {
        bench.put(key, key.as_bytes()).await;
    }
    for max_keys in [1, 2, 1000] {
        let pages = bench.list("", Some("/"), max_keys).await;
        let keys: Vec<_> = pages.iter().flat_map(|page| &page.objects).map(|object| object.key.as_str()).collect();
        let prefixes: Vec<_> = pages.iter().flat_map(|page| page.common_prefixes.clone()).collect();
        assert_eq!(keys, ["a", "d"], "pages of {max_keys}");
        assert_eq!(prefixes, ["b/", "e/", "f+g h/"], "pages of {max_keys}");
    }
    let inner = bench.list("b/", Some("/"), 1000).await;
    assert_eq!(inner[0].common_prefixes, ["b/c/"]);
    let one = &inner[0].objects[0];
    assert_eq!((one.key.as_str(), one.size), ("b/1", SealedLen(3)));
    let etag = bench.site.head(&bench.at("b/1")).await.expect("a head").0;
    assert_eq!(one.etag, Some(etag), "listings carry ETags");
    assert_eq!(bench.list("none/", None, 1000).await[0].objects.len(), 0);
    assert!(!bench.list("", None, 0).await[0].truncated);
}

pub async fn markers_lead_through_a_whole_listing(bench: Bench) {
    for key in ["a", "b/1", "b/2", "c", "d/1", "e"] {
        bench.put(key, b"").await;
    }
    for (delimiter, expected) in [(None, "a b/1 b/2 c d/1 e"), (Some("/"), "a b/ c d/ e")] {
        for max_keys in [1, 2, 3] {
            let mut query = bench.query("", delimiter, max_keys);
            let mut seen = Vec::new();
            loop {
                let page = bench.site.list(&query).await.expect("a listing");
                seen.extend(page.objects.into_iter().map(|object| object.key));
                seen.extend(page.common_prefixes);
                query.start_after = page.next_marker;
                if query.start_after.is_none() {
                    break;
                }
            }
            seen.sort();
            assert_eq!(seen.join(" "), expected, "{delimiter:?} by {max_keys}");
        }
    }
}
