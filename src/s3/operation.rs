//! The S3 operations by name: the bounded label of metrics and the verb of the access log.

/// An S3 operation. `name()` is S3's own name for it; `log_verb()` the access log's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    PutObject,
    GetObject,
    HeadObject,
    CopyObject,
    DeleteObject,
    DeleteObjects,
    ListObjects,
    ListObjectsV2,
    CreateMultipartUpload,
    UploadPart,
    UploadPartCopy,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListParts,
    ListMultipartUploads,
    CreateBucket,
    DeleteBucket,
    HeadBucket,
    ListBuckets,
    GetBucketLocation,
    /// Refused before it was known what was asked, or an operation we do not serve.
    Other,
}

impl Operation {
    /// Every operation, for tables and metrics.
    pub const ALL: [Self; 21] = [
        Self::PutObject,
        Self::GetObject,
        Self::HeadObject,
        Self::CopyObject,
        Self::DeleteObject,
        Self::DeleteObjects,
        Self::ListObjects,
        Self::ListObjectsV2,
        Self::CreateMultipartUpload,
        Self::UploadPart,
        Self::UploadPartCopy,
        Self::CompleteMultipartUpload,
        Self::AbortMultipartUpload,
        Self::ListParts,
        Self::ListMultipartUploads,
        Self::CreateBucket,
        Self::DeleteBucket,
        Self::HeadBucket,
        Self::ListBuckets,
        Self::GetBucketLocation,
        Self::Other,
    ];

    /// S3's name, for example `PutObject`.
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// The access log's verb, for example `REST.PUT.OBJECT`
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html>).
    pub const fn log_verb(self) -> &'static str {
        self.row().1
    }

    /// By S3's name; [`Operation::Other`] for one we do not serve.
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|op| op.name() == name).unwrap_or(Self::Other)
    }

    const fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::PutObject => ("PutObject", "REST.PUT.OBJECT"),
            Self::GetObject => ("GetObject", "REST.GET.OBJECT"),
            Self::HeadObject => ("HeadObject", "REST.HEAD.OBJECT"),
            Self::CopyObject => ("CopyObject", "REST.COPY.OBJECT"),
            Self::DeleteObject => ("DeleteObject", "REST.DELETE.OBJECT"),
            Self::DeleteObjects => ("DeleteObjects", "REST.POST.MULTI_OBJECT_DELETE"),
            Self::ListObjects => ("ListObjects", "REST.GET.BUCKET"),
            Self::ListObjectsV2 => ("ListObjectsV2", "REST.GET.BUCKET"),
            Self::CreateMultipartUpload => ("CreateMultipartUpload", "REST.POST.UPLOADS"),
            Self::UploadPart => ("UploadPart", "REST.PUT.PART"),
            Self::UploadPartCopy => ("UploadPartCopy", "REST.COPY.PART"),
            Self::CompleteMultipartUpload => ("CompleteMultipartUpload", "REST.POST.UPLOAD"),
            Self::AbortMultipartUpload => ("AbortMultipartUpload", "REST.DELETE.UPLOAD"),
            Self::ListParts => ("ListParts", "REST.GET.UPLOAD"),
            Self::ListMultipartUploads => ("ListMultipartUploads", "REST.GET.UPLOADS"),
            Self::CreateBucket => ("CreateBucket", "REST.PUT.BUCKET"),
            Self::DeleteBucket => ("DeleteBucket", "REST.DELETE.BUCKET"),
            Self::HeadBucket => ("HeadBucket", "REST.HEAD.BUCKET"),
            Self::ListBuckets => ("ListBuckets", "REST.GET.SERVICE"),
            Self::GetBucketLocation => ("GetBucketLocation", "REST.GET.LOCATION"),
            Self::Other => ("Other", "REST.OTHER"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_operations() {
        for op in Operation::ALL {
            assert_eq!(Operation::from_name(op.name()), op);
        }
        assert_eq!(Operation::from_name("PutBucketAcl"), Operation::Other);
    }
}
