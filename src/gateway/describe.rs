//! What a write says of the object that it makes, for rules that ask for headers. PURE.
//!
//! It is read from what will be kept, not from the request: so a form, a copy that takes over its source's metadata and a PUT of the same
//! object are one to the rules, and nobody gets round a rule by the way in which he writes.
use super::encryption::Encryption;
use super::metadata::UserMetadata;
use crate::policy::Headers;

/// The object as it is going to be.
pub(super) struct Description<'a> {
    /// What is sealed beside it.
    pub(super) metadata: &'a UserMetadata,
    /// What the sites are to keep, as the client sent it.
    pub(super) kept: &'a [(&'static str, String)],
    pub(super) encryption: &'a Encryption,
}

impl Headers for Description<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        if let Some(user) = name.strip_prefix("x-amz-meta-") {
            return self.metadata.user.get(user).map(String::as_str);
        }
        let content = match name {
            "cache-control" => &self.metadata.cache_control,
            "content-disposition" => &self.metadata.content_disposition,
            "content-encoding" => &self.metadata.content_encoding,
            "content-language" => &self.metadata.content_language,
            "content-type" => &self.metadata.content_type,
            "expires" => &self.metadata.expires,
            "x-amz-website-redirect-location" => &self.metadata.website_redirect,
            _ => {
                let kept = self.kept.iter().find(|(kept, _)| *kept == name).map(|(_, value)| value.as_str());
                return kept.or_else(|| self.encryption.header(name));
            }
        };
        content.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::DESCRIBING;
    use crate::site::KEPT;

    #[test]
    fn every_header_that_a_rule_may_name_is_told() {
        let text = |name: &str| Some(format!("the {name}"));
        let metadata = UserMetadata {
            content_type: text("content-type"),
            content_encoding: text("content-encoding"),
            content_disposition: text("content-disposition"),
            content_language: text("content-language"),
            cache_control: text("cache-control"),
            expires: text("expires"),
            website_redirect: text("x-amz-website-redirect-location"),
            user: [("class".to_owned(), "secret".to_owned())].into(),
            kms: true,
        };
        let kept: Vec<_> = KEPT.iter().map(|name| (*name, format!("the {name}"))).collect();
        let encryption = Encryption::Kms(Some("hr".to_owned()));
        let description = Description { metadata: &metadata, kept: &kept, encryption: &encryption };
        for name in DESCRIBING {
            let expected = match *name {
                "x-amz-server-side-encryption" => Some("aws:kms".to_owned()),
                "x-amz-server-side-encryption-aws-kms-key-id" => Some("hr".to_owned()),
                "x-amz-server-side-encryption-customer-algorithm" => None,
                name => text(name),
            };
            assert_eq!(description.value(name).map(str::to_owned), expected, "{name}");
        }
        assert_eq!(description.value("x-amz-meta-class"), Some("secret"));
        assert_eq!(description.value("x-amz-meta-other"), None);
        assert!(KEPT.iter().all(|name| DESCRIBING.contains(name)), "what the sites keep describes the object");
    }

    #[test]
    fn who_asks_for_no_encryption_has_the_usual_one() {
        let bare = UserMetadata::default();
        let description = Description { metadata: &bare, kept: &[], encryption: &Encryption::Usual };
        assert_eq!(description.value("x-amz-server-side-encryption"), Some("AES256"));
        assert_eq!(description.value("x-amz-server-side-encryption-aws-kms-key-id"), None);
        assert_eq!((description.value("content-type"), description.value("x-amz-acl")), (None, None));
    }
}
