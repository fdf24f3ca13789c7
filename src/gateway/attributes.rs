//! GetObjectAttributes: what a HEAD tells, and the parts with their checksums, as XML. From the trailer, and the index where parts were asked for.
use super::Gateway;
use super::checksum::{set_checksum, type_name};
use super::conditions::Conditions;
use super::customer::Brought;
use super::get::select::Question;
use super::get::{ATTEMPTS, busy};
use super::open::{Candidates, Opened, has_changed, layout, open_unsealed};
use super::request;
use super::respond::GatewayError;
use crate::seal::{ChecksumType, PartEntry};
use crate::site::{Location, Site};
use s3s::dto::{
    self, GetObjectAttributesInput, GetObjectAttributesOutput, GetObjectAttributesParts, ObjectAttributes, ObjectPart,
    StorageClass,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use std::sync::Arc;

/// S3's limit on one page of parts.
const MAX_PAGE: i32 = 1000;
const STORAGE_CLASS: &str = "x-amz-storage-class";

/// Which attributes were asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wanted {
    etag: bool,
    checksum: bool,
    parts: bool,
    storage_class: bool,
    size: bool,
}

/// Which of the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PartPage {
    after: i32,
    limit: i32,
}

pub(super) async fn get_object_attributes(
    gateway: &Arc<Gateway>,
    req: S3Request<GetObjectAttributesInput>,
) -> S3Result<S3Response<GetObjectAttributesOutput>> {
    let permit = request::permit(&req)?;
    let at = request::object_of(&permit)?;
    let context = request::context(&req);
    let input = &req.input;
    let brought = Brought::of(&req.headers, context.as_ref())?;
    let wanted = Wanted::parse(&input.object_attributes)?;
    let page = PartPage::new(input.part_number_marker, input.max_parts)?;
    let question = Question::new(None, None, None, Conditions::default(), input.version_id.clone())?;
    let question = Question { brought, ..question };

    let find = |site: Site| {
        let (at, question) = (&at, &question);
        async move { describe(gateway, &site, at, question, wanted, page).await }
    };
    let found = match Candidates::of_object(gateway, &at).of_version(question.version_id.as_deref()).first(find).await {
        Err(GatewayError::Unsealed) => {
            let opened = open_unsealed(gateway, &at, question.version_id.as_deref()).await?;
            question.check_customer_key(&opened)?;
            let output = attributes(&opened, wanted, None);
            Ok((opened, output))
        }
        found => found,
    };
    let (opened, output) = found?;
    request::may_read(gateway, &permit, &opened)?;
    request::note_object(gateway, context.as_ref(), &at, &opened);
    let mut headers = http::HeaderMap::new();
    request::name_site(gateway, &opened.site, &mut headers);
    Ok(S3Response::with_headers(output, headers))
}

async fn describe(
    gateway: &Arc<Gateway>,
    site: &Site,
    at: &Location,
    question: &Question,
    wanted: Wanted,
    page: PartPage,
) -> Result<(Arc<Opened>, GetObjectAttributesOutput), GatewayError> {
    for _ in 0..ATTEMPTS {
        let opened = question.open_at(gateway, site, at).await?;
        question.check_customer_key(&opened)?;
        if !wanted.parts || !opened.object.is_multipart() {
            let output = attributes(&opened, wanted, None);
            return Ok((opened, output));
        }
        match layout(gateway, at, &opened).await {
            Err(error) if has_changed(&error) => gateway.objects.forget(at),
            Err(error) => return Err(error),
            Ok(layout) => {
                let shown = parts(layout.parts(), listed_one_by_one(&opened), page);
                let output = attributes(&opened, wanted, Some(shown));
                return Ok((opened, output));
            }
        }
    }
    Err(busy().into())
}

fn attributes(opened: &Opened, wanted: Wanted, parts: Option<GetObjectAttributesParts>) -> GetObjectAttributesOutput {
    let object = &opened.object;
    let class = opened.told.iter().find(|(name, _)| *name == STORAGE_CLASS).and_then(|(_, class)| class.to_str().ok());
    GetObjectAttributesOutput {
        e_tag: wanted.etag.then(|| dto::ETag::Strong(object.etag().as_str().to_owned())),
        checksum: if wanted.checksum { checksum(opened) } else { None },
        object_parts: parts,
        storage_class: wanted
            .storage_class
            .then(|| StorageClass::from(class.unwrap_or(StorageClass::STANDARD).to_owned())),
        object_size: if wanted.size { i64::try_from(object.plain_len().0).ok() } else { None },
        last_modified: Some(opened.last_modified.into()),
        version_id: opened.version_id.clone(),
        ..GetObjectAttributesOutput::default()
    }
}

/// Here, and nowhere else, a composite checksum does not say how many parts it is over
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>).
fn checksum(opened: &Opened) -> Option<dto::Checksum> {
    let (value, kind) = opened.object.content()?.checksum.as_ref()?;
    let mut shown =
        dto::Checksum { checksum_type: Some(type_name(*kind).to_owned().into()), ..dto::Checksum::default() };
    set_checksum!(shown, Some(value));
    Some(shown)
}

/// S3 lists parts only of objects whose checksum is composite; of others it tells how many there are.
fn listed_one_by_one(opened: &Opened) -> bool {
    let checksum = opened.object.content().and_then(|content| content.checksum.as_ref());
    checksum.is_some_and(|(_, kind)| *kind == ChecksumType::Composite)
}

fn parts(all: &[PartEntry], one_by_one: bool, page: PartPage) -> GetObjectAttributesParts {
    let total_parts_count = i32::try_from(all.len()).ok();
    if !one_by_one {
        return GetObjectAttributesParts { total_parts_count, ..GetObjectAttributesParts::default() };
    }
    let number = |part: &PartEntry| i32::from(part.part_number);
    let ahead: Vec<&PartEntry> = all.iter().filter(|part| number(part) > page.after).collect();
    let shown = &ahead[..ahead.len().min(usize::try_from(page.limit).unwrap_or(0))];
    let show = |part: &&PartEntry| {
        let mut shown = ObjectPart {
            part_number: Some(number(part)),
            size: i64::try_from(part.plain_len.0).ok(),
            ..ObjectPart::default()
        };
        set_checksum!(shown, part.checksum.as_ref());
        shown
    };
    GetObjectAttributesParts {
        total_parts_count,
        is_truncated: Some(shown.len() < ahead.len()),
        max_parts: Some(page.limit),
        part_number_marker: Some(page.after),
        next_part_number_marker: Some(shown.last().map_or(0, |part| number(part))),
        parts: Some(shown.iter().map(show).collect()),
    }
}

// === impl Wanted ===

impl Wanted {
    fn parse(names: &[ObjectAttributes]) -> S3Result<Self> {
        let mut wanted = Self::default();
        // Clients send one header with commas or several; `s3s` gives each header as it came.
        for name in names.iter().flat_map(|names| names.as_str().split(',')).map(str::trim) {
            match name {
                ObjectAttributes::ETAG => wanted.etag = true,
                ObjectAttributes::CHECKSUM => wanted.checksum = true,
                ObjectAttributes::OBJECT_PARTS => wanted.parts = true,
                ObjectAttributes::STORAGE_CLASS => wanted.storage_class = true,
                ObjectAttributes::OBJECT_SIZE => wanted.size = true,
                _ => return Err(invalid("Invalid attribute name specified.")),
            }
        }
        Ok(wanted)
    }
}

// === impl PartPage ===

impl PartPage {
    fn new(after: Option<i32>, limit: Option<i32>) -> S3Result<Self> {
        let (after, limit) = (after.unwrap_or(0), limit.unwrap_or(MAX_PAGE));
        if after < 0 || limit < 0 {
            return Err(invalid("The part number marker and the number of parts must not be negative."));
        }
        Ok(Self { after, limit: limit.min(MAX_PAGE) })
    }
}

fn invalid(message: &'static str) -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::PlainLen;

    fn entry(part_number: u16) -> PartEntry {
        PartEntry { part_number, plain_len: PlainLen(7), salt: [0; 24], md5: [0; 16], checksum: None }
    }

    fn numbers(page: &GetObjectAttributesParts) -> Vec<i32> {
        page.parts.iter().flatten().filter_map(|part| part.part_number).collect()
    }

    #[test]
    fn pages_of_parts_join_to_the_whole() {
        let all = [1, 3, 4, 9_999].map(entry);
        let first = parts(&all, true, PartPage { after: 0, limit: 3 });
        assert_eq!((numbers(&first), first.is_truncated), (vec![1, 3, 4], Some(true)));
        let rest = parts(&all, true, PartPage { after: first.next_part_number_marker.unwrap_or_default(), limit: 3 });
        assert_eq!((numbers(&rest), rest.is_truncated, rest.total_parts_count), (vec![9_999], Some(false), Some(4)));
        let none = parts(&all, true, PartPage { after: 9_999, limit: 3 });
        assert_eq!((numbers(&none), none.is_truncated), (vec![], Some(false)));
    }

    #[test]
    fn of_a_checksum_over_the_whole_object_only_the_number_of_parts_is_told() {
        let told = parts(&[1, 2].map(entry), false, PartPage { after: 0, limit: 1000 });
        assert_eq!((told.total_parts_count, told.parts, told.is_truncated), (Some(2), None, None));
    }

    #[test]
    fn an_attribute_that_s3_does_not_have_is_refused() {
        let parse = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| ObjectAttributes::from((*name).to_owned())).collect();
            Wanted::parse(&names).map_err(|error| error.code().clone())
        };
        assert_eq!(parse(&["ETag", "ObjectSize"]), Ok(Wanted { etag: true, size: true, ..Wanted::default() }));
        assert_eq!(parse(&["ETag, ObjectSize"]), parse(&["ETag", "ObjectSize"]), "one header or several");
        assert_eq!(parse(&["ETag", "etag"]), Err(S3ErrorCode::InvalidArgument));
    }
}
