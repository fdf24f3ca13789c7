//! One page of a listing, from the first site that answers.
use super::ask::{Ask, Position};
use super::etags::{self, Entry};
use crate::gateway::Gateway;
use crate::gateway::open::Candidates;
use crate::gateway::respond::GatewayError;
use crate::site::{ListPage, ListQuery, Site, SiteError};
use std::sync::Arc;

/// How many pages in a row may hold nothing that the client has not seen.
const MAX_EMPTY_PAGES: usize = 100;

/// What the client is shown.
pub(super) struct Page {
    pub entries: Vec<Entry>,
    pub prefixes: Vec<String>,
    /// Where to go on, when there is more.
    pub next: Option<Position>,
    pub site: Site,
}

/// Asks one site after the other; a site that fails while the trailers are read is given up for the whole page.
pub(super) async fn fetch(gateway: &Arc<Gateway>, ask: &Ask) -> Result<Page, GatewayError> {
    Candidates::of_bucket(gateway).first(|site| async move { fetch_at(gateway, &site, ask).await }).await
}

async fn fetch_at(gateway: &Arc<Gateway>, site: &Site, ask: &Ask) -> Result<Page, GatewayError> {
    if ask.max_keys == 0 {
        site.head_bucket(&ask.bucket).await?;
        return Ok(Page { entries: Vec::new(), prefixes: Vec::new(), next: None, site: site.clone() });
    }
    let (listed, next) = list_at(site, ask).await?;
    let entries = etags::fill(gateway, site, &ask.bucket, listed.objects).await?;
    Ok(Page { entries, prefixes: listed.common_prefixes, next, site: site.clone() })
}

/// One backend page, without what the client has seen already (backends differ on markers and delimiters).
async fn list_at(site: &Site, ask: &Ask) -> Result<(ListPage, Option<Position>), GatewayError> {
    let mut query = ListQuery {
        bucket: ask.bucket.clone(),
        prefix: ask.prefix.clone(),
        delimiter: ask.delimiter.clone(),
        token: None,
        start_after: ask.position.as_ref().map(Position::start_after),
        max_keys: ask.max_keys,
    };
    for _ in 0..MAX_EMPTY_PAGES {
        let mut page = site.list(&query).await?;
        let last = last_of(&page);
        drop_seen(&mut page, ask);
        if !page.truncated {
            return Ok((page, None));
        }
        if !page.objects.is_empty() || !page.common_prefixes.is_empty() {
            return Ok((page, last));
        }
        query.token = page.next_token;
        query.start_after = last.map(|last| last.start_after()).or(page.next_marker);
        if query.token.is_none() && query.start_after.is_none() {
            break;
        }
    }
    let detail = "a truncated listing that does not go on".to_owned();
    Err(SiteError::Protocol { site: site.name().clone(), detail }.into())
}

/// Some backends show a common prefix again although the listing was to start behind it.
fn drop_seen(page: &mut ListPage, ask: &Ask) {
    page.objects.retain(|object| ask.is_ahead(&object.key));
    page.common_prefixes.retain(|prefix| ask.is_ahead(prefix));
}

/// The last name of a page in listing order.
fn last_of(page: &ListPage) -> Option<Position> {
    let key = page.objects.iter().map(|object| &object.key).max();
    let prefix = page.common_prefixes.iter().max();
    match (key, prefix) {
        (Some(key), Some(prefix)) if key > prefix => Some(Position::Key(key.clone())),
        (_, Some(prefix)) => Some(Position::Prefix(prefix.clone())),
        (key, None) => key.cloned().map(Position::Key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::SealedLen;
    use crate::site::ListedObject;

    fn page(keys: &[&str], prefixes: &[&str]) -> ListPage {
        let object = |key: &&str| ListedObject {
            key: (*key).to_owned(),
            size: SealedLen(0),
            etag: None,
            last_modified: time::OffsetDateTime::UNIX_EPOCH,
            storage_class: None,
            version_id: None,
            owner: None,
        };
        ListPage {
            objects: keys.iter().map(object).collect(),
            common_prefixes: prefixes.iter().map(|prefix| (*prefix).to_owned()).collect(),
            ..ListPage::default()
        }
    }

    #[test]
    fn what_was_shown_on_the_last_page_is_not_shown_again() {
        let bucket = crate::s3::BucketName::parse("bucket").expect("a valid name");
        let ask = Ask::new(bucket, None, Some("/".to_owned()), None).expect("a listing").after(Some("b/"));
        let mut page = page(&["a", "b/c", "d"], &["a/", "b/", "c/"]);
        drop_seen(&mut page, &ask);
        assert_eq!(page.common_prefixes, ["c/"]);
        assert_eq!(page.objects.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(), ["d"]);
    }

    #[test]
    fn a_page_ends_with_the_greater_of_its_last_key_and_its_last_prefix() {
        assert_eq!(last_of(&page(&["a", "c"], &["b/"])), Some(Position::Key("c".to_owned())));
        assert_eq!(last_of(&page(&["a"], &["b/"])), Some(Position::Prefix("b/".to_owned())));
        assert_eq!(last_of(&page(&[], &["b/"])), Some(Position::Prefix("b/".to_owned())));
        assert_eq!(last_of(&page(&["a"], &[])), Some(Position::Key("a".to_owned())));
        assert_eq!(last_of(&page(&[], &[])), None);
    }
}
