//! Objects moved to the newest version of their vault key.
use super::client::{MIB5, error};
use crate::gateway::testbed::{Answer, BUCKET, SYSTEM_BUCKET, Sealed, Testbed, at, pattern};
use crate::keys::{KeyAdmin, KeyChange, OsEntropy, RootKey, Roots};
use crate::s3::{BucketName, Operation, SealedLen};
use crate::seal::{Trailer, VaultKeyId};
use crate::secret::SecretBytes;
use crate::site::Site;

const META: [(&str, &str); 2] = [("content-type", "text/plain"), ("x-amz-meta-who", "Ada")];
/// Footers, and what little is asked about them.
const LITTLE: u64 = 16 * 1024;

impl Testbed {
    async fn rotate(&self) {
        let (roots, system) = (Roots::from(RootKey(SecretBytes::new([7; 32]))), BucketName::parse(SYSTEM_BUCKET));
        let bucket = &system.expect("a name");
        let admin = KeyAdmin { roots: &roots, sites: &self.gateway.sites, bucket, entropy: &OsEntropy, by: "test" };
        let id = VaultKeyId::parse("default").expect("a name");
        admin.change(&id, &KeyChange::Rotate, crate::clock::now()).await.expect("rotated");
        assert_eq!(self.gateway.keyring.refresh().await, 0);
        self.requests.take_bytes();
    }

    async fn rewrap(&self, key: &str, headers: &[(&str, &str)]) -> Answer {
        let mut all = vec![("x-strongroom-rewrap", "newest")];
        all.retain(|(name, _)| !headers.iter().any(|(given, _)| given == name));
        all.extend(headers);
        self.copy(key, key, &all).await
    }

    async fn rewrapped(&self, key: &str) -> Answer {
        let answer = self.rewrap(key, &[]).await.expect(200);
        assert_eq!(answer.header("x-strongroom-rewrapped"), "done", "{key}");
        assert_eq!(self.misses().await, 0);
        answer
    }

    /// The version of the vault key that an object is under at a site.
    async fn version_at(&self, site: &Site, key: &str) -> u32 {
        let bytes = self.sealed_at(site, key).await.expect("stored");
        Trailer::parse(&bytes, SealedLen(bytes.len() as u64)).expect("a trailer").key_ref().version
    }
}

#[tokio::test]
async fn only_the_version_of_the_key_changes_whatever_the_object_is() {
    let bed = Testbed::start().await;
    let (one, many) = (pattern(MIB5 + 100_000), [pattern(MIB5 + 17), pattern(MIB5), pattern(1000)]);
    let objects = [("empty", vec![]), ("small", pattern(70_000)), ("large", one), ("parts", many.concat())];
    for (key, body) in &objects[..3] {
        bed.upload_object(key, body, &META).await.expect(200);
    }
    for (key, parts) in [("parts", &many[..]), ("one small part", &many[2..])] {
        let upload = bed.create(&key.replace(' ', "-"), &META).await;
        let mut etags = Vec::new();
        for (number, part) in (1..).zip(parts) {
            etags.push((number, upload.part(number, part).await));
        }
        let list: Vec<_> = etags.iter().map(|(number, etag)| (*number, etag.as_str())).collect();
        upload.complete(&list).await.expect(200);
    }
    bed.rotate().await;
    let objects = objects.into_iter().chain([("one-small-part", many[2].clone())]);
    for (key, body) in objects {
        let before = bed.head(&format!("/{key}"), &[]).await;
        let sealed = bed.sealed_at(bed.primary(), key).await.expect("stored");
        bed.requests.take_bytes();
        let answer = bed.rewrapped(key).await;
        let moved = bed.requests.take_bytes();
        let told: u64 = answer.header("x-strongroom-rewrapped-bytes").parse().expect("a number");
        let most = if body.len() < MIB5 { 4 * sealed.len() as u64 + LITTLE } else { LITTLE };
        assert!(moved < most && told <= moved, "{key}: {moved} bytes moved, {told} told");
        assert_eq!(answer.header("x-strongroom-rewrapped-from"), "default/1");
        assert_eq!((answer.facts.vault_key_version, answer.facts.bytes_plain), (Some(2), 0));
        for site in bed.gateway.sites.all() {
            assert_eq!(bed.version_at(site, key).await, 2, "{key} at {}", site.name());
        }
        assert!(bed.fetch(key).await == body, "{key}");
        bed.assert_same_everywhere(key, &body).await;
        let after = bed.head(&format!("/{key}"), &[]).await;
        for name in ["etag", "content-length", "content-type", "x-amz-meta-who", "x-amz-mp-parts-count"] {
            assert_eq!(before.header(name), after.header(name), "{key}: {name}");
        }
        let now = bed.sealed_at(bed.primary(), key).await.expect("stored");
        assert!(now[..now.len() - 20_000.min(now.len())] == sealed[..sealed.len() - 20_000.min(sealed.len())]);
        let again = bed.rewrap(key, &[]).await.expect(200);
        assert_eq!(again.header("x-strongroom-rewrapped"), "current");
        let listed = bed.ask("GET", Operation::ListObjectsV2, &format!("?list-type=2&prefix={key}"), &[]).await;
        assert_eq!(listed.element("ETag"), after.header("etag"));
    }
    let part = bed.get("/parts?partNumber=2", &[]).await.expect(206);
    assert!(part.body == many[1] && part.header("x-amz-mp-parts-count") == "3");
}

#[tokio::test]
async fn a_look_and_another_key_change_nothing() {
    let bed = Testbed::start().await;
    bed.upload_object("object", &pattern(1000), &META).await.expect(200);
    let fate = async |headers: &[(&str, &str)]| {
        bed.rewrap("object", headers).await.expect(200).header("x-strongroom-rewrapped").to_owned()
    };
    assert_eq!(fate(&[("x-strongroom-rewrap", "look")]).await, "current");
    bed.rotate().await;
    let before = bed.sealed_at(bed.primary(), "object").await;
    assert_eq!(fate(&[("x-strongroom-rewrap", "look")]).await, "due");
    assert_eq!(fate(&[("x-strongroom-rewrap-key", "another")]).await, "other");
    assert_eq!(bed.sealed_at(bed.primary(), "object").await, before);
    assert_eq!(fate(&[("x-strongroom-rewrap-key", "default")]).await, "done");
    let odd = bed.rewrap("object", &[("x-strongroom-rewrap", "oldest")]).await;
    assert_eq!(odd.outcome(), error(400, "InvalidArgument"));
    let elsewhere = bed.copy("object", "elsewhere", &[("x-strongroom-rewrap", "newest")]).await;
    assert_eq!(elsewhere.outcome(), error(400, "InvalidArgument"));
    bed.assert_nowhere("elsewhere").await;
    assert_eq!(bed.rewrap("nothing", &[]).await.outcome(), error(404, "NoSuchKey"));
}

#[tokio::test]
async fn what_a_site_has_not_got_is_left_for_later() {
    let bed = Testbed::start().await;
    for (key, length) in [("small", 1000), ("large", MIB5)] {
        bed.upload_object(key, &pattern(length), &[]).await.expect(200);
    }
    bed.rotate().await;
    // Not on record: the site is found to hold another version.
    let other = bed.seal("large", &[&pattern(MIB5)], false, &Default::default());
    bed.store(bed.backup(), "large", &other).await;
    let answer = bed.rewrap("large", &[]).await.expect(200);
    assert_eq!(answer.header("x-strongroom-rewrapped"), "behind");
    assert_eq!(bed.version_at(bed.primary(), "large").await, 1);
    // On record.
    let (backup, small) = (bed.backup().name().clone(), at("small"));
    bed.gateway.tee.level(&small, &backup, "a test").await.expect("recorded");
    let answer = bed.rewrap("small", &[]).await.expect(200);
    assert_eq!(answer.header("x-strongroom-rewrapped"), "behind");
    assert_eq!(bed.version_at(bed.primary(), "small").await, 1);
}

#[tokio::test]
async fn nothing_is_moved_while_a_site_is_out() {
    let bed = Testbed::start().await;
    bed.upload_object("large", &pattern(MIB5), &[]).await.expect(200);
    bed.rotate().await;
    bed.stop_backup().await;
    assert_eq!(bed.rewrap("large", &[]).await.status, 503);
    assert_eq!(bed.version_at(bed.primary(), "large").await, 1);
    assert!(bed.fetch("large").await == pattern(MIB5));
}

#[tokio::test]
async fn damage_is_not_spread() {
    let bed = Testbed::start().await;
    let body = pattern(70_000);
    bed.upload_object("object", &body, &[]).await.expect(200);
    let good = bed.sealed_at(bed.primary(), "object").await.expect("stored");
    let mut bytes = good.clone();
    bytes[40_000] ^= 1;
    bed.store(bed.primary(), "object", &Sealed { bytes, metadata: None }).await;
    bed.rotate().await;
    assert_eq!(bed.rewrap("object", &[]).await.status, 500);
    assert_eq!(bed.sealed_at(bed.backup(), "object").await.as_ref(), Some(&good));
    let target = format!("/{BUCKET}/object");
    assert!(bed.call("GET", Operation::GetObject, &target, &[]).await.expect(200).body == body);
}
