//! Bech32 (BIP 173), as `age` writes its keys: a prefix, `1`, 32 bytes in groups of five bits, six characters of checksum.
use zeroize::Zeroizing;

const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const CHECKSUM: usize = 6;
/// Bytes of a key.
const KEY: usize = 32;
/// Groups of a key: 256 bits, and four that are zero.
const GROUPS: usize = 52;

/// The key of this prefix (in lower case); `None` when the text is anything else. All of it has to be in one case.
pub(super) fn decode(prefix: &str, text: &str) -> Option<Zeroizing<[u8; KEY]>> {
    let has = |is: fn(&u8) -> bool| text.bytes().any(|b| is(&b));
    if has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) {
        return None;
    }
    let text = Zeroizing::new(text.to_ascii_lowercase());
    let letters = text.strip_prefix(prefix)?.strip_prefix('1')?;
    if letters.len() != GROUPS + CHECKSUM {
        return None;
    }
    let mut values = Zeroizing::new([0u8; GROUPS + CHECKSUM]);
    for (value, letter) in values.iter_mut().zip(letters.bytes()) {
        *value = LETTERS.iter().position(|known| *known == letter)? as u8;
    }
    if checksum(prefix, &*values) != 1 {
        return None;
    }
    let mut key = Zeroizing::new([0u8; KEY]);
    let (mut bits, mut held, mut at) = (0u32, 0, 0);
    for value in &values[..GROUPS] {
        (bits, held) = (bits << 5 | u32::from(*value), held + 5);
        if held >= 8 {
            held -= 8;
            key[at] = (bits >> held) as u8;
            at += 1;
        }
        bits &= (1 << held) - 1;
    }
    (bits == 0).then_some(key)
}

/// BIP 173's checksum over a prefix and values.
fn checksum(prefix: &str, values: &[u8]) -> u32 {
    const GENERATORS: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let high = prefix.bytes().map(|b| b >> 5);
    let low = prefix.bytes().map(|b| b & 31);
    let all = high.chain([0]).chain(low).chain(values.iter().copied());
    all.fold(1, |check: u32, value| {
        let top = check >> 25;
        let check = (check & 0x01ff_ffff) << 5 ^ u32::from(value);
        (0..5).filter(|bit| top >> bit & 1 == 1).fold(check, |check, bit: usize| check ^ GENERATORS[bit])
    })
}

/// The opposite of [`decode`].
#[cfg(test)]
pub(super) fn encode(prefix: &str, key: &[u8; KEY]) -> String {
    let bit = |at: usize| if at < 256 { key[at / 8] >> (7 - at % 8) & 1 } else { 0 };
    let mut values: Vec<u8> = (0..GROUPS).map(|i| (0..5).fold(0, |value, b| value << 1 | bit(i * 5 + b))).collect();
    let unchecked = [&values[..], &[0; CHECKSUM]].concat();
    let check = checksum(prefix, &unchecked) ^ 1;
    values.extend((0..CHECKSUM).map(|i| (check >> (5 * (5 - i)) & 31) as u8));
    let letters: String = values.iter().map(|value| LETTERS[usize::from(*value)] as char).collect();
    format!("{prefix}1{letters}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    #[test]
    fn a_key_reads_back_in_either_case_and_not_in_both() {
        let key = decode("age", RECIPIENT).expect("a key");
        assert_eq!(encode("age", &key), RECIPIENT);
        assert_eq!(decode("age", &RECIPIENT.to_uppercase()).as_deref(), Some(&*key));
        assert!(decode("age", &RECIPIENT.replacen("age", "AGE", 1)).is_none());
        assert!(decode("age-secret-key-", RECIPIENT).is_none());
    }

    #[test]
    fn any_one_changed_character_is_noticed() {
        for at in 4..RECIPIENT.len() {
            let mut text = RECIPIENT.as_bytes().to_vec();
            text[at] = if text[at] == b'q' { b'p' } else { b'q' };
            assert!(decode("age", &String::from_utf8(text).expect("text")).is_none(), "{at}");
        }
        assert!(decode("age", &RECIPIENT[..RECIPIENT.len() - 1]).is_none());
        assert!(decode("age", &format!("{RECIPIENT}q")).is_none() && decode("age", "").is_none());
    }
}
