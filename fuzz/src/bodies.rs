//! What every fuzz target does with its bytes. Each gives them to a parser as they are, and then uses them to change an object that is
//! authentic, so that they get past the cipher. Whatever comes: a typed error or the right answer, never a panic, never other bytes.
use crate::seal_support::forge::{Forge, Part};
use crate::seal_support::{Fixed, content, decode_whole, name, plaintext, seal, seal_parts_with, vault};
use bytes::{Bytes, BytesMut};
use std::sync::OnceLock;
use strongroom::s3::{PlainSpan, SealedLen};
use strongroom::seal::*;
use strongroom::secret::SecretBytes;

const VAULT: [u8; 32] = [0x42; 32];

/// Numbers and pieces from the fuzzer's bytes; zeros when they are used up.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    fn number(&mut self) -> u64 {
        u64::from_be_bytes(self.array())
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        let taken = self.rest(N);
        out[..taken.len()].copy_from_slice(taken);
        out
    }

    fn rest(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// One of suite 1 or of suite 2.
fn forge(suite: Suite) -> Forge {
    static GOOD: PerSuite<Forge> = per_suite();
    let part = |plain| Part { number: 1, salt: [0x51; 24], plain, md5: [1; 16], checksum: [0; 34] };
    let make = || Forge::new(suite.number(), [0xd1; 32], [0x1d; 16], &[part(plaintext(20, 100))], &VAULT, &name());
    of(&GOOD, suite).get_or_init(make).clone()
}

type PerSuite<T> = [OnceLock<T>; 2];

const fn per_suite<T>() -> PerSuite<T> {
    [const { OnceLock::new() }; 2]
}

fn of<T>(made: &PerSuite<T>, suite: Suite) -> &OnceLock<T> {
    &made[usize::from(suite.number()) - 1]
}

/// The fuzzer's choice.
fn suite(byte: u8) -> Suite {
    Suite::ALL[usize::from(byte) % Suite::ALL.len()]
}

/// Trailers: parse, unwrap, authenticate, decode.
pub fn trailer(data: &[u8]) {
    for sealed in [data.len() as u64, 800] {
        if let Ok(trailer) = Trailer::parse(data, SealedLen(sealed)) {
            let _ = trailer.open(&vault(), &name().get());
        }
    }
    let mut input = Input(data);
    let which = input.byte();
    let mut forge = forge(suite(which >> 7));
    if which & 1 != 0 {
        forge.head = input.array();
    }
    if which & 2 != 0 {
        (forge.plain_len, forge.body_len) = (input.number(), input.number());
    }
    if which & 4 != 0 {
        (forge.part_count, forge.index_len) = (input.number() as u32, input.number() as u32);
    }
    if which & 8 != 0 {
        (forge.name_len, forge.key_version) = (input.byte(), input.number() as u32);
        forge.key_name = input.array::<64>().to_vec();
    }
    if which & 16 != 0 {
        forge.wraps = input.array::<180>().to_vec();
    }
    if which & 32 != 0 {
        forge.reserved = input.array();
    }
    if which & 64 != 0 {
        forge.secret = input.array::<152>().to_vec();
    }
    let footer = forge.footer();
    let total = sealed_len(strongroom::s3::PlainLen(forge.plain_len)).unwrap_or(SealedLen(800));
    let Ok(object) = Trailer::parse(&footer, total).and_then(|trailer| trailer.open(&vault(), &name().get())) else {
        return;
    };
    // Whatever opens is consistent enough to be computed with.
    assert_eq!(object.sealed_len(), total);
    assert_eq!(object.plain_len().0, forge.plain_len);
    let (start, length) = object.footer_span();
    assert_eq!(start + length, total.0);
    assert_eq!(object.index_span().is_some(), object.part_count() > 1);
    if let Ok(layout) = object.layout_single() {
        let span = PlainSpan::whole(object.plain_len());
        let reader = object.reader(&layout, span).expect("the whole is inside");
        assert!(reader.sealed_span().1 <= start);
    }
    let _ = object.etag();
}

/// Indexes: any entries under a right tag.
pub fn index(data: &[u8]) {
    let mut input = Input(data);
    let shape = input.byte();
    let mut forge = forge(suite(shape >> 7));
    let count = 2 + usize::from(shape % 4);
    let five = 5u64 << 20;
    forge.index.clear();
    let (mut plain, mut body) = (0u64, 0u64);
    for at in 0..count {
        let odd = input.byte();
        let mut len = five + u64::from(input.byte()) * 4099;
        if odd & 1 != 0 {
            len = input.number();
        }
        let number = if odd & 2 != 0 { input.array() } else { (at as u16 + 1).to_be_bytes() };
        let salt = if at == 0 && odd & 4 == 0 { [0x51; 24] } else { [input.byte(); 24] };
        let checksum: [u8; 34] = if odd & 8 != 0 { input.array() } else { [0; 34] };
        forge.index.extend([&len.to_be_bytes()[..], &salt, &[3; 16], &number, &checksum].concat());
        plain = plain.wrapping_add(len);
        body = body.wrapping_add(message_len(strongroom::s3::PlainLen(len % MAX_OBJECT)).0);
    }
    forge.head[2] = 1;
    forge.part_count = count as u32;
    forge.index_len = forge.index.len() as u32 + 16;
    forge.plain_len = plain;
    forge.body_len = if input.byte() == 1 { input.number() } else { body };
    let Ok(total) = sealed_len(strongroom::s3::PlainLen(plain)) else { return };
    let footer = forge.footer();
    let Ok(object) = Trailer::parse(&footer, total).and_then(|trailer| trailer.open(&vault(), &name().get())) else {
        return;
    };
    assert!(object.layout_from_index(Input(data).rest(forge.index_len as usize)).is_err());
    let Ok(layout) = object.layout_from_index(&footer[..forge.index_len as usize]) else { return };
    let lengths: u64 = layout.parts().iter().map(|part| part.plain_len.0).sum();
    assert_eq!((lengths, layout.parts().len()), (plain, count));
    assert_eq!(layout.body_span(), (0, object.footer_span().0));
    let (a, b) = (input.number() % (plain + 1), input.number() % (plain + 1));
    let span = PlainSpan { start: a.min(b), end: a.max(b), total: object.plain_len() };
    if let Ok(reader) = object.reader(&layout, span) {
        let (start, length) = reader.sealed_span();
        assert!(start + length <= object.footer_span().0);
    }
    for ordinal in 0..=count as u32 + 1 {
        assert_eq!(layout.part_span(ordinal).is_some(), (1..=count as u32).contains(&ordinal));
    }
}

/// Readers: a real object, changed or not, in pieces of any size; only its own plaintext comes out.
pub fn reader(data: &[u8]) {
    static OBJECTS: PerSuite<(Vec<u8>, Bytes)> = per_suite();
    let suite = suite(data.first().map_or(0, |byte| byte >> 7));
    let (plain, sealed) = of(&OBJECTS, suite).get_or_init(|| {
        let plain = plaintext(1, 3 * 16_384 + 77);
        let sealed = seal(suite, &plain, &Fixed::new(1));
        (plain, sealed)
    });
    let _ = decode_whole(&Bytes::copy_from_slice(data), &vault(), &name().get());
    let (_, object) = decode_whole(sealed, &vault(), &name().get()).expect("it is good");
    let layout = object.layout_single().expect("one part");
    let mut input = Input(data);
    let (a, b) = (input.number() as usize % (plain.len() + 1), input.number() as usize % (plain.len() + 1));
    let (from, to) = (a.min(b), a.max(b));
    let span = PlainSpan { start: from as u64, end: to as u64, total: object.plain_len() };
    let Ok(mut reader) = object.reader(&layout, span) else { return };
    let (start, length) = reader.sealed_span();
    let right = sealed.slice(start as usize..(start + length) as usize);
    let mut bytes = right.to_vec();
    for _ in 0..input.byte() % 4 {
        change(&mut bytes, &mut input);
    }
    let same = bytes == right;
    let mut bytes = Bytes::from(bytes);
    let mut out = BytesMut::new();
    let mut good = true;
    while good && !bytes.is_empty() {
        let piece = match u16::from_be_bytes(input.array()) {
            0 => bytes.len(),
            piece => bytes.len().min(usize::from(piece)),
        };
        good = reader.push(bytes.split_to(piece), &mut out).is_ok();
    }
    good &= reader.finish().is_ok();
    assert!(plain[from..to].starts_with(&out), "bytes that were not sealed came out");
    assert_eq!(good, same, "a change is noticed, and nothing else");
    assert!(!good || out.len() == to - from);
}

/// One change: a flipped bit, a cut, more bytes, or two chunks that change places.
fn change(bytes: &mut Vec<u8>, input: &mut Input<'_>) {
    let (kind, at) = (input.byte() % 4, input.number() as usize);
    if bytes.is_empty() {
        return;
    }
    let at = at % bytes.len();
    match kind {
        0 => bytes[at] ^= 1 << (input.byte() % 8),
        1 => bytes.truncate(at),
        2 => bytes.extend_from_slice(input.rest(at % 40)),
        _ if bytes.len() >= 32_800 => {
            let (first, second) = bytes.split_at_mut(16_400);
            first.swap_with_slice(&mut second[..16_400]);
        }
        _ => {}
    }
}

/// Metadata values.
pub fn metadata(data: &[u8]) {
    static OBJECTS: PerSuite<(OpenObject, SealedMetadata)> = per_suite();
    let suite = suite(data.first().map_or(0, |byte| byte & 1));
    let (object, good) = of(&OBJECTS, suite).get_or_init(|| {
        let entropy = Fixed::new(3);
        let sealer = ObjectSealer::generate(suite, &vault(), &entropy).expect("fixed");
        let metadata = sealer.seal_metadata(br#"{"t":"text/plain"}"#, &entropy).expect("short");
        let content = ContentInfo { metadata_tag: Some(metadata.tag), ..content(false) };
        let sealed = seal_parts_with(&sealer, &[b"x".to_vec()], &content, &name(), &entropy);
        (decode_whole(&sealed, &vault(), &name().get()).expect("good").1, metadata)
    });
    if let Ok(text) = std::str::from_utf8(data) {
        assert_eq!(object.open_metadata(text).is_ok(), text == good.value, "the trailer knows one value only");
    }
    let mut changed = good.value.clone().into_bytes();
    for pair in data.chunks_exact(2) {
        let at = usize::from(pair[0]) % changed.len();
        changed[at] = pair[1] & 0x7f;
    }
    let changed = String::from_utf8(changed).expect("ASCII");
    assert_eq!(object.open_metadata(&changed).is_ok(), changed == good.value);
}

/// Randomness that was known before.
struct Known([u8; 24]);

impl Entropy for Known {
    fn fill(&self, out: &mut [u8]) -> Result<(), SealError> {
        out.copy_from_slice(&self.0[..out.len()]);
        Ok(())
    }
}

/// Keyring blobs. The fuzzer sees comparisons and so learns good blobs: what opens must be what sealing its text again gives.
pub fn blob(data: &[u8]) {
    let root = SecretBytes::new([7; 32]);
    let label = "keyring/v1/default";
    let good = seal_blob(&root, label, data, &Fixed::new(5)).expect("short");
    assert_eq!(open_blob(&root, label, &good).expect("good").as_slice(), data);
    let mut changed = good;
    for pair in data.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([pair[0], pair[1]])) % changed.len();
        changed[at] = pair[2];
    }
    for bytes in [data, &changed] {
        if let Ok(plain) = open_blob(&root, label, bytes) {
            let salt = Known(*bytes[8..].first_chunk().expect("it opened"));
            assert_eq!(seal_blob(&root, label, &plain, &salt).expect("short"), bytes);
        }
    }
}
