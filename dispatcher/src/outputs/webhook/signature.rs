//! The signature of a webhook request, for receivers that want to know it is ours and fresh.
//!
//! `Streamalert-Signature: t=SECONDS,v1=HEX` where `SECONDS` is the time of the attempt (Unix, UTC) and `HEX`
//! the lower-case hex of HMAC-SHA256 (RFC 2104) with the shared secret over the bytes `SECONDS`, `.`, body.
//! A receiver recomputes it over the raw body, compares in constant time, and refuses old times.

use std::time::Duration;

use aws_lc_rs::hmac;

use crate::Secret;

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "streamalert-signature";

/// Why a signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not of the form `t=SECONDS,v1=HEX`.
    #[error("signature header is malformed")]
    Malformed,
    /// Made with another secret, or the body was changed.
    #[error("signature does not match")]
    Mismatch,
    /// Too old, or from the future: perhaps a replay.
    #[error("signature is not of now")]
    Stale,
}

/// The header's value for `body` sent at `unix_secs`.
#[must_use]
pub fn sign(secret: &Secret, unix_secs: i64, body: &[u8]) -> String {
    let mut text = format!("t={unix_secs},v1=");
    for byte in tag(secret, unix_secs, body).as_ref() {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// Checks a received header. `tolerance` is how far the sender's clock may be from `now_unix_secs`; five
/// minutes are usual.
///
/// # Errors
/// See [`SignatureError`].
pub fn verify(
    secret: &Secret,
    header: &str,
    body: &[u8],
    now_unix_secs: i64,
    tolerance: Duration,
) -> Result<(), SignatureError> {
    let (time, hex) = header
        .strip_prefix("t=")
        .and_then(|rest| rest.split_once(",v1="))
        .ok_or(SignatureError::Malformed)?;
    let unix_secs: i64 = time.parse().map_err(|_| SignatureError::Malformed)?;
    let given = from_hex(hex).ok_or(SignatureError::Malformed)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    hmac::verify(&key, &signed_bytes(unix_secs, body), &given).map_err(|_| SignatureError::Mismatch)?;
    if unix_secs.abs_diff(now_unix_secs) > tolerance.as_secs() {
        return Err(SignatureError::Stale);
    }
    Ok(())
}

fn tag(secret: &Secret, unix_secs: i64, body: &[u8]) -> hmac::Tag {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    hmac::sign(&key, &signed_bytes(unix_secs, body))
}

fn signed_bytes(unix_secs: i64, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{unix_secs}.").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn from_hex(hex: &str) -> Option<Vec<u8>> {
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return None;
    }
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret::new("topsecret".to_owned())
    }

    /// `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac topsecret`
    #[test]
    fn the_signature_is_the_one_that_openssl_computes() {
        let expected = "t=1700000000,v1=6a939b0c71853d606167625a15168ee9188c6a511c773ef4f42d307f3849e50f";
        assert_eq!(sign(&secret(), 1_700_000_000, br#"{"a":1}"#), expected);
    }

    #[test]
    fn a_signature_holds_for_its_secret_body_and_time_only() {
        let body = b"body";
        let header = sign(&secret(), 1000, body);
        let check = |secret: &Secret, header: &str, body: &[u8], now| {
            verify(secret, header, body, now, Duration::from_secs(300))
        };
        assert_eq!(check(&secret(), &header, body, 1300), Ok(()));
        assert_eq!(check(&secret(), &header, body, 1301), Err(SignatureError::Stale));
        assert_eq!(check(&secret(), &header, body, 699), Err(SignatureError::Stale));
        assert_eq!(
            check(&secret(), &header, b"other", 1000),
            Err(SignatureError::Mismatch)
        );
        let other = Secret::new("other".to_owned());
        assert_eq!(check(&other, &header, body, 1000), Err(SignatureError::Mismatch));
        let moved = header.replace("t=1000", "t=1001");
        assert_eq!(
            check(&secret(), &moved, body, 1000),
            Err(SignatureError::Mismatch)
        );
        for odd in [
            "",
            "t=,v1=",
            "t=1000",
            "t=1000,v1=zz",
            "t=1000,v1=abc",
            "t=x,v1=00",
            "t=1000,v1=é0",
        ] {
            assert_eq!(
                check(&secret(), odd, body, 1000),
                Err(SignatureError::Malformed),
                "{odd}"
            );
        }
    }
}
