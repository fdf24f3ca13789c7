//! What a site keeps of an object beside its bytes, as it is told to another: tags and locks travel with a copy.
use super::error::SiteError;
use super::object::{GotObject, IN_CLEAR, KEPT, Location, ObjectHeaders, RETENTION_NOTE, ToldHeaders};
use super::path::METADATA_HEADER;
use super::site::Site;
use crate::s3::{Lock, lock};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The note of an object that is to have no retention.
const NO_RETENTION: &str = "none";
const TAGGING: &str = "x-amz-tagging";
const TAGGING_COUNT: &str = "x-amz-tagging-count";

/// What a site tells of an object, as the headers of a write, and its retention, ended ones too: as the site has it, or, where it has no
/// object lock, as the object's note says.
pub fn kept(told: &ToldHeaders, tags: Option<String>) -> (Vec<(&'static str, String)>, Option<Lock>) {
    let text = |wanted| told.iter().find(|(name, _)| *name == wanted)?.1.to_str().ok();
    let lock = || Lock::parse(text(lock::MODE)?, text(lock::UNTIL)?);
    let noted = || text(RETENTION_NOTE)?.split_once(' ').and_then(|(mode, until)| Lock::parse(mode, until));
    let travels = |name| (KEPT.contains(name) || *name == RETENTION_NOTE) && ![lock::MODE, lock::UNTIL].contains(name);
    let others = told.iter().filter(|(name, _)| travels(name));
    let others = others.filter_map(|(name, value)| Some((*name, value.to_str().ok()?.to_owned())));
    (others.chain(tags.map(|tags| (TAGGING, tags))).collect(), lock().or_else(noted))
}

/// The header that keeps with an object what a rule said of its retention.
pub fn retention_note(lock: Option<Lock>) -> (&'static str, String) {
    let value = lock.map(|lock| lock.headers().map(|(_, value)| value).join(" "));
    (RETENTION_NOTE, value.unwrap_or_else(|| NO_RETENTION.to_owned()))
}

// === impl GotObject ===

impl GotObject {
    /// Whether the object has tags. Which ones, [`Site::tagging_header`] finds out.
    pub fn has_tags(&self) -> bool {
        self.told.iter().any(|(name, count)| *name == TAGGING_COUNT && count != "0")
    }

    /// The headers of a write that makes the same object elsewhere.
    pub fn headers(&self, tags: Option<String>) -> ObjectHeaders {
        let (kept, lock) = kept(&self.told, tags);
        ObjectHeaders { metadata: self.metadata.clone(), kept, clear: self.in_clear(), lock }
    }

    /// What lies in clear beside the sealed metadata, as the site tells it.
    fn in_clear(&self) -> Vec<(String, String)> {
        let ours = [METADATA_HEADER, RETENTION_NOTE];
        let is_one =
            |name: &str| IN_CLEAR.contains(&name) || (name.starts_with("x-amz-meta-") && !ours.contains(&name));
        let all = self.headers.iter().filter(|(name, _)| is_one(name.as_str()));
        all.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))).collect()
    }
}

impl Site {
    /// The tags of an object as the header of a write takes them; `None` when there are none.
    ///
    /// # Errors
    /// As the site answered.
    pub async fn tagging_header(&self, at: &Location, version: Option<&str>) -> Result<Option<String>, SiteError> {
        let inner = &self.inner;
        let request = async {
            let call = inner.sdk.get_object_tagging().bucket(inner.bucket(&at.bucket)).key(at.key.as_str());
            call.set_version_id(version.map(str::to_owned)).send().await.map_err(|e| inner.sdk_error(e))
        };
        let answer = inner.watched("get_tagging", request).await?;
        let tags = answer.tag_set().iter().map(|tag| (tag.key(), tag.value()));
        Ok(Some(encoded(tags)).filter(|tags| !tags.is_empty()))
    }
}

/// `a=b&c=d`, encoded as a query is
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>, `x-amz-tagging`).
fn encoded<'a>(tags: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    tags.map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rule_said_of_retention_travels_with_the_object() {
        let lock = Lock::parse("COMPLIANCE", "2056-11-28T22:20:05.000Z");
        let told = |pairs: &[(&'static str, &str)]| -> ToldHeaders {
            pairs.iter().map(|(name, value)| (*name, http::HeaderValue::from_str(value).expect("a value"))).collect()
        };
        let (name, value) = retention_note(lock);
        assert_eq!(kept(&told(&[(name, &value)]), None), (vec![(name, value.clone())], lock));
        let own = [(name, value.as_str()), (lock::MODE, "GOVERNANCE"), (lock::UNTIL, "2057-01-01T00:00:00.000Z")];
        let longer = Lock::parse("GOVERNANCE", "2057-01-01T00:00:00Z");
        assert_eq!(kept(&told(&own), None).1, longer, "the site's own word");
        let usual = || lock;
        let headers = |pairs: &[(&'static str, &str)]| {
            let (kept, lock) = kept(&told(pairs), None);
            ObjectHeaders { kept, lock, ..ObjectHeaders::default() }.or_locked(usual).lock
        };
        let (name, none) = retention_note(None);
        assert_eq!(headers(&[(name, &none)]), None, "it is to have none");
        assert_eq!(headers(&[]), lock, "nothing is said: the path's rule");
        assert_eq!(headers(&own), longer);
    }

    #[test]
    fn tags_are_encoded_like_a_query() {
        let tags = [("client", "4711"), ("kind", "凭证 +&="), ("", "")];
        assert_eq!(encoded(tags.into_iter()), "client=4711&kind=%E5%87%AD%E8%AF%81%20%2B%26%3D&=");
    }
}
