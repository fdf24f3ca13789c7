//! What of a form comes behind its file, a button with a name or an epilogue (RFC 2046, 5.1.1): S3 ignores it, and `s3s` refuses it, because
//! only the end of the body would tell how long the file is. So a form that is small enough to be held is cut behind its file. PURE.
use super::recorder::{FILE, LIMIT, name_of};
use bytes::Bytes;
use futures_util::stream;
use s3s_multipart::{Boundary, Multipart};

/// The longest form that is held in memory, bytes: it is read before anybody is known to have signed it.
pub(super) const HELD: u64 = 1024 * 1024;

/// The form without what follows its file; as it is when that is not to be told.
pub(super) async fn without_tail(form: Bytes, boundary: &Boundary) -> Bytes {
    let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
    let Some((file, rest)) = around_file(&form, boundary, &delimiter).await else { return form };
    let ends = [&delimiter[..], b"--"].concat();
    let whole = rest.strip_prefix(&ends[..]).is_some_and(|epilogue| epilogue.is_empty() || epilogue == b"\r\n");
    if whole || !rest.windows(ends.len()).any(|window| window == ends) {
        return form;
    }
    Bytes::from([file, &ends, b"\r\n"].concat())
}

/// Everything up to the end of the file, and what comes then, its delimiter first.
async fn around_file<'f>(form: &'f Bytes, boundary: &Boundary, delimiter: &[u8]) -> Option<(&'f [u8], &'f [u8])> {
    let mut parser = Multipart::new(stream::iter([Ok(form.clone())]), boundary, LIMIT);
    loop {
        let mut part = parser.next_part().await.ok()??;
        if name_of(&mut part).await.ok()?? != FILE {
            continue;
        }
        let start = usize::try_from(part.take_data_stream().ok()?.multipart_consumed()).ok()?;
        let data = form.get(start..)?;
        let length = data.windows(delimiter.len()).position(|window| window == delimiter)?;
        return form.split_at_checked(start + length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "--x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na\r\n";
    const FILE: &str = "--x\r\nContent-Disposition: form-data; name=\"File\"; filename=\"f\"\r\nA: b\r\n\r\n";
    const BUTTON: &str = "--x\r\nContent-Disposition: form-data; name=\"submit\"\r\n\r\nUpload\r\n";

    async fn cut(form: &str) -> Bytes {
        without_tail(Bytes::from(form.to_owned()), &Boundary::new(b"x").expect("a boundary")).await
    }

    #[tokio::test]
    async fn what_follows_the_file_is_cut_off() {
        for data in ["", "bar", "\r\n--y\r\n", "--x--", "\r\n"] {
            let whole = format!("{KEY}{FILE}{data}\r\n--x--\r\n");
            assert_eq!(cut(&whole).await, whole);
            for tail in [BUTTON.to_owned(), BUTTON.repeat(2), format!("{BUTTON}{FILE}again\r\n")] {
                assert_eq!(cut(&format!("{KEY}{FILE}{data}\r\n{tail}--x--\r\n")).await, whole);
                assert_eq!(cut(&format!("{KEY}{FILE}{data}\r\n{tail}--x--")).await, whole);
            }
            for epilogue in ["ignored", "\r\nignored", "\r\n--x--\r\n"] {
                assert_eq!(cut(&format!("{KEY}{FILE}{data}\r\n--x--{epilogue}")).await, whole);
            }
        }
    }

    #[tokio::test]
    async fn a_form_that_is_none_or_broken_off_stays_as_it_is() {
        let broken = format!("{KEY}{FILE}bar\r\n{BUTTON}");
        for form in ["", "nothing of the kind", KEY, BUTTON, FILE, &broken, &format!("{KEY}{FILE}bar")] {
            assert_eq!(cut(form).await, form);
        }
    }
}
