//! The ACL of an object that is written anew, as the canned ACL that says the same. (Grants to single accounts mean nothing at another
//! site, and no header says all of them.)
use super::{Forward, Location, Site, SiteError};
use bytes::Bytes;
use http::Method;

/// The group of everybody.
pub const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
/// The canned ACL of what the proxy writes by itself among other users: the bucket's owner may read it, too.
pub const BUCKET_OWNER_TOO: &str = "bucket-owner-full-control";
const AUTHENTICATED: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";

/// What an ACL comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acl {
    /// The owner alone: what every object has.
    Usual,
    /// This canned one.
    Canned(&'static str),
    /// None that has a name.
    Own,
}

impl Site {
    /// The ACL of a version (`None`: the current one). Where the site keeps none, or does not let the proxy see them, it is the usual one.
    ///
    /// # Errors
    /// 404 when there is no such object; an outage.
    pub async fn acl(&self, at: &Location, version: Option<&str>) -> Result<Acl, SiteError> {
        let mut query = vec![("acl".to_owned(), String::new())];
        query.extend(version.map(|version| ("versionId".to_owned(), version.to_owned())));
        match self.forward(&Forward::question(&at.bucket, Some(&at.key), query)).await {
            Ok(answer) => Ok(of(&String::from_utf8_lossy(&answer.body))),
            Err(SiteError::S3 { status: 403 | 405 | 501, .. } | SiteError::Unsupported { .. }) => Ok(Acl::Usual),
            Err(SiteError::S3 { status: 404, code, .. }) if code != "NoSuchKey" && code != "NoSuchBucket" => {
                Ok(Acl::Usual)
            }
            Err(error) => Err(error),
        }
    }

    /// Gives the current version a canned ACL.
    ///
    /// # Errors
    /// As the site answered: many take none.
    pub async fn put_acl(&self, at: &Location, canned: &str) -> Result<(), SiteError> {
        let (bucket, key) = (at.bucket.clone(), Some(at.key.clone()));
        let (query, headers) = (vec![("acl".to_owned(), String::new())], vec![("x-amz-acl", canned.to_owned())]);
        let change = Forward { method: Method::PUT, bucket, key, query, headers, body: Bytes::new() };
        self.forward(&change).await.map(drop)
    }
}

/// From S3's XML (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>, canned ACLs).
fn of(xml: &str) -> Acl {
    let element = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.trim().to_owned())
    };
    let owner = element(xml, "Owner").and_then(|owner| element(&owner, "ID"));
    let (mut others, mut all) = (Vec::new(), true);
    for grant in xml.split("<Grant>").skip(1) {
        let permission = element(grant, "Permission");
        match (element(grant, "URI"), element(grant, "ID"), permission) {
            (None, id, Some(permission)) if permission == "FULL_CONTROL" && id == owner => {}
            (Some(group), None, Some(permission)) => others.push((group, permission)),
            _ => all = false,
        }
    }
    others.sort();
    let others: Vec<_> = others.iter().map(|(group, permission)| (group.as_str(), permission.as_str())).collect();
    match (all, others.as_slice()) {
        (true, []) => Acl::Usual,
        (true, [(ALL_USERS, "READ")]) => Acl::Canned("public-read"),
        (true, [(ALL_USERS, "READ"), (ALL_USERS, "WRITE")]) => Acl::Canned("public-read-write"),
        (true, [(AUTHENTICATED, "READ")]) => Acl::Canned("authenticated-read"),
        _ => Acl::Own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml(grants: &[(&str, &str)]) -> String {
        let grant = |(who, what): &(&str, &str)| {
            format!("<Grant><Grantee xsi:type=\"x\">{who}</Grantee><Permission>{what}</Permission></Grant>")
        };
        let grants: String = grants.iter().map(grant).collect();
        format!(
            "<AccessControlPolicy><Owner><ID>me</ID></Owner><AccessControlList>{grants}</AccessControlList></AccessControlPolicy>"
        )
    }

    #[test]
    fn an_acl_is_known_by_its_canned_name_or_not_at_all() {
        let (me, other) = ("<ID>me</ID>", "<ID>somebody</ID>");
        let (all, authenticated) = (format!("<URI>{ALL_USERS}</URI>"), format!("<URI>{AUTHENTICATED}</URI>"));
        let owner = (me, "FULL_CONTROL");
        for (grants, expected) in [
            (vec![], Acl::Usual),
            (vec![owner], Acl::Usual),
            (vec![owner, (&all, "READ")], Acl::Canned("public-read")),
            (vec![(&all, "WRITE"), owner, (&all, "READ")], Acl::Canned("public-read-write")),
            (vec![owner, (&authenticated, "READ")], Acl::Canned("authenticated-read")),
            (vec![owner, (other, "READ")], Acl::Own),
            (vec![owner, (&all, "READ_ACP")], Acl::Own),
            (vec![(other, "FULL_CONTROL")], Acl::Own),
            (vec![(me, "READ")], Acl::Own),
        ] {
            assert_eq!(of(&xml(&grants)), expected, "{grants:?}");
        }
        assert_eq!(of(""), Acl::Usual);
    }
}
