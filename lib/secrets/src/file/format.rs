//! The bytes of a secrets file, pure but for random numbers:
//!
//! ```text
//! "streamalert secrets\n"  version  salt     check    nonce    sealed entries    digest
//!  20 bytes                1 byte   32       16       12       n + 16 (tag)      32 (SHA-256 of all before it)
//! ```
//!
//! From the key and the salt, which is new with every writing, HKDF-SHA256 derives the key of AES-256-GCM and the check
//! value, by which a wrong key is told from a damaged file. What stands before the nonce is authenticated, too.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::{digest, hkdf, rand};
use zeroize::Zeroizing;

const MAGIC: &[u8; 20] = b"streamalert secrets\n";
const VERSION: u8 = 1;
const SALT: usize = 32;
const CHECK: usize = 16;
const NONCE: usize = 12;
const DIGEST: usize = 32;
const KEY_BYTES: usize = 32;

/// Why the bytes cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It begins differently.
    #[error("is no secrets file")]
    Foreign,
    /// Its version is higher than this code knows.
    #[error("was written by a newer version (format {0}, known is {VERSION}): update this one")]
    Newer(u8),
    /// It is whole, and another key opens it.
    #[error(
        "was encrypted with another key; give it that key, or move the file away and put its secrets anew"
    )]
    WrongKey,
    /// Bytes are missing or differ.
    #[error("is damaged; restore it from a backup, or move it away and put its secrets anew")]
    Damaged,
}

/// The key of a file.
#[derive(Clone)]
pub(super) struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl Key {
    /// A new one.
    pub(super) fn random() -> Self {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        fill(&mut *bytes);
        Self(bytes)
    }

    /// 64 hexadecimal digits, white space around them left out.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().as_bytes();
        if digits.len() != 2 * KEY_BYTES {
            return None;
        }
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            for digit in pair {
                let value = char::from(*digit).to_digit(16)?;
                *byte = *byte << 4 | u8::try_from(value).ok()?;
            }
        }
        Some(Self(bytes))
    }

    pub(super) fn text(&self) -> Zeroizing<String> {
        const DIGITS: [char; 16] = [
            '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
        ];
        let mut text = Zeroizing::new(String::with_capacity(2 * KEY_BYTES));
        for byte in self.0.iter() {
            text.push(DIGITS[usize::from(byte >> 4)]);
            text.push(DIGITS[usize::from(byte & 15)]);
        }
        text
    }

    /// The key of the cipher, and the check value, for one salt.
    fn derive(&self, salt: &[u8]) -> (RandomizedNonceKey, [u8; CHECK]) {
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(&*self.0);
        let expand = |info: &'static [u8], out: &mut [u8]| {
            let info = [info];
            let okm = prk.expand(&info, Length(out.len()));
            okm.and_then(|okm| okm.fill(out))
                .expect("hkdf gives up to 8160 bytes");
        };
        let mut cipher = Zeroizing::new([0; 32]);
        let mut check = [0; CHECK];
        expand(b"streamalert secrets 1 entries", &mut *cipher);
        expand(b"streamalert secrets 1 check", &mut check);
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, &*cipher).expect("the cipher takes 32 bytes");
        (cipher, check)
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn fill(bytes: &mut [u8]) {
    rand::fill(bytes).expect("the machine gives random numbers");
}

fn hash(bytes: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, bytes)
}

/// The bytes of a file that holds `plain`.
pub(super) fn seal(key: &Key, plain: &[u8]) -> Vec<u8> {
    let mut salt = [0; SALT];
    fill(&mut salt);
    let (cipher, check) = key.derive(&salt);
    let mut file = Vec::from(MAGIC);
    file.push(VERSION);
    file.extend_from_slice(&salt);
    file.extend_from_slice(&check);
    // Room for the tag, so that what is not yet encrypted is never copied elsewhere.
    let mut entries = Vec::with_capacity(plain.len() + AES_256_GCM.tag_len());
    entries.extend_from_slice(plain);
    let nonce = cipher
        .seal_in_place_append_tag(Aad::from(file.as_slice()), &mut entries)
        .expect("entries are far smaller than what the cipher takes");
    file.extend_from_slice(nonce.as_ref());
    file.extend_from_slice(&entries);
    let digest = hash(&file);
    file.extend_from_slice(digest.as_ref());
    file
}

/// What [`seal`] was given.
pub(super) fn open(key: &Key, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, FormatError> {
    let rest = file.strip_prefix(MAGIC).ok_or(FormatError::Foreign)?;
    let (version, _) = rest.split_first().ok_or(FormatError::Damaged)?;
    if *version > VERSION {
        return Err(FormatError::Newer(*version));
    }
    let (body, digest) = file
        .split_at_checked(file.len().saturating_sub(DIGEST))
        .ok_or(FormatError::Damaged)?;
    if hash(body).as_ref() != digest || *version != VERSION {
        return Err(FormatError::Damaged);
    }
    let header_len = MAGIC.len() + 1 + SALT + CHECK;
    let (header, rest) = body.split_at_checked(header_len).ok_or(FormatError::Damaged)?;
    let (salt, found) = header[MAGIC.len() + 1..].split_at(SALT);
    let (nonce, entries) = rest.split_at_checked(NONCE).ok_or(FormatError::Damaged)?;
    let (cipher, check) = key.derive(salt);
    if check != found {
        return Err(FormatError::WrongKey);
    }
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| FormatError::Damaged)?;
    let mut entries = Zeroizing::new(entries.to_vec());
    let opened = cipher.open_in_place(nonce, Aad::from(header), &mut entries);
    let plain_len = opened.map_err(|_| FormatError::Damaged)?.len();
    entries.truncate(plain_len);
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> Key {
        Key(Zeroizing::new([byte; KEY_BYTES]))
    }

    #[test]
    fn a_key_is_written_and_read_as_64_digits() {
        let key = Key::random();
        let text = key.text();
        assert_eq!(text.len(), 64);
        assert_eq!(
            *Key::parse(&format!(" {}\n", text.to_uppercase())).unwrap().0,
            *key.0
        );
        assert_ne!(*Key::random().0, *key.0);
        for wrong in [
            "",
            "00",
            &"0".repeat(63),
            &"g".repeat(64),
            &"+0".repeat(32),
            &"é".repeat(32),
        ] {
            assert!(Key::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_opened_says_why() {
        let file = seal(&key(1), b"planted");
        assert_eq!(open(&key(1), &file).unwrap().as_slice(), b"planted");
        assert_eq!(open(&key(2), &file).unwrap_err(), FormatError::WrongKey);
        assert_eq!(open(&key(1), b"{}").unwrap_err(), FormatError::Foreign);
        assert_eq!(open(&key(1), MAGIC).unwrap_err(), FormatError::Damaged);
        let mut newer = file.clone();
        newer[20] = 2;
        assert_eq!(open(&key(1), &newer).unwrap_err(), FormatError::Newer(2));
        // Somebody who can mend the digest cannot mend the tag.
        let mut forged = file[..file.len() - DIGEST].to_vec();
        let at = forged.len() - 20;
        forged[at] ^= 1;
        let digest = hash(&forged);
        forged.extend_from_slice(digest.as_ref());
        assert_eq!(open(&key(1), &forged).unwrap_err(), FormatError::Damaged);
    }

    proptest! {
        #[test]
        fn what_was_sealed_is_opened_and_not_to_be_read_in_the_file(plain: Vec<u8>) {
            let file = seal(&key(7), &plain);
            let opened = open(&key(7), &file).unwrap();
            prop_assert_eq!(opened.as_slice(), plain.as_slice());
            if plain.len() > 8 {
                prop_assert!(!file.windows(plain.len()).any(|window| window == plain));
            }
            prop_assert_ne!(seal(&key(7), &plain), file);
        }

        #[test]
        fn a_byte_that_differs_or_is_missing_is_noticed(plain: Vec<u8>, at: prop::sample::Index, bits in 1..=255_u8) {
            let file = seal(&key(7), &plain);
            let at = at.index(file.len());
            let mut changed = file.clone();
            changed[at] ^= bits;
            prop_assert!(open(&key(7), &changed).is_err());
            prop_assert!(open(&key(7), &file[..at]).is_err());
        }

        #[test]
        fn any_bytes_are_refused_without_harm(bytes: Vec<u8>) {
            prop_assert!(open(&key(7), &bytes).is_err());
            prop_assert!(open(&key(7), &[MAGIC, bytes.as_slice()].concat()).is_err());
        }
    }
}
