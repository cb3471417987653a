//! Whether a message is signed by SNS, and which addresses are its own. Pure.

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use streamalert_types::Timestamp;
use x509_parser::pem::parse_x509_pem;

use super::Envelope;

/// The key that a certificate is for, and when it may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SigningKey {
    /// An RSA key as PKCS #1 has it.
    key: Vec<u8>,
    from: Timestamp,
    until: Timestamp,
}

impl SigningKey {
    /// Reads a certificate. That it is Amazon's is known by where it came from: over TLS from a host of SNS.
    pub(super) fn of_pem(pem: &[u8]) -> Result<Self, String> {
        let (_, pem) = parse_x509_pem(pem).map_err(|error| format!("no pem: {error}"))?;
        let certificate = pem
            .parse_x509()
            .map_err(|error| format!("no certificate: {error}"))?;
        let moment = |secs: i64| Timestamp::from_micros(secs.saturating_mul(1_000_000));
        let validity = certificate.validity();
        Ok(Self {
            key: certificate.public_key().subject_public_key.data.to_vec(),
            from: moment(validity.not_before.timestamp()),
            until: moment(validity.not_after.timestamp()),
        })
    }

    /// Checks the signature of a message.
    ///
    /// # Errors
    /// Why it is not SNS's, in a few words.
    pub(super) fn check(&self, envelope: &Envelope, now: Timestamp) -> Result<(), &'static str> {
        if now < self.from || now > self.until {
            return Err("the certificate is not valid now");
        }
        let algorithm = match envelope.signature_version.as_deref() {
            Some("1") => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Some("2") => &RSA_PKCS1_2048_8192_SHA256,
            _ => return Err("the signature's version is neither 1 nor 2"),
        };
        let text = envelope.signed_text().ok_or("a signed field is missing")?;
        let signature = envelope.signature.as_deref().ok_or("there is no signature")?;
        let signature =
            aws_smithy_types::base64::decode(signature).map_err(|_| "the signature is no base64")?;
        UnparsedPublicKey::new(algorithm, &self.key)
            .verify(text.as_bytes(), &signature)
            .map_err(|_| "the signature is of something else")
    }
}

/// Whether a certificate may be fetched from here.
pub(super) fn is_certificate_url(url: &str) -> bool {
    path_of_sns(url)
        .is_some_and(|path| path.starts_with("/SimpleNotificationService-") && path.ends_with(".pem"))
}

/// Whether a subscription may be confirmed here.
pub(super) fn is_subscribe_url(url: &str) -> bool {
    path_of_sns(url).is_some_and(|path| path.starts_with("/?Action=ConfirmSubscription&"))
}

/// Path and query of a URL on a host of SNS. Strict: exactly `https://sns.REGION.amazonaws.com/…` (`.cn` in China),
/// without port, user or anything that URL parsers disagree about.
fn path_of_sns(url: &str) -> Option<&str> {
    let plain =
        |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>' | b'#' | b'@');
    let rest = url.strip_prefix("https://sns.")?;
    let (region, path) = rest.split_once(".amazonaws.com")?;
    let path = path.strip_prefix(".cn").unwrap_or(path);
    let is_region = (1..=32).contains(&region.len())
        && region
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    (is_region && path.starts_with('/') && path.bytes().all(plain)).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_of_sns_are_asked_for_certificates_and_confirmations() {
        let path = "/SimpleNotificationService-0123456789abcdef.pem";
        for host in [
            "sns.us-east-1.amazonaws.com",
            "sns.cn-north-1.amazonaws.com.cn",
            "sns.us-gov-west-1.amazonaws.com",
        ] {
            assert!(is_certificate_url(&format!("https://{host}{path}")));
            assert!(is_subscribe_url(&format!(
                "https://{host}/?Action=ConfirmSubscription&TopicArn=a&Token=b"
            )));
        }
        for url in [
            format!("http://sns.us-east-1.amazonaws.com{path}"),
            format!("https://sns.us-east-1.amazonaws.com.evil.example{path}"),
            format!("https://sns.us-east-1.amazonaws.com@evil.example{path}"),
            format!("https://sns.us-east-1.amazonaws.com:8443{path}"),
            format!("https://evil.example/.amazonaws.com{path}"),
            format!("https://sns.evil.example/x.amazonaws.com{path}"),
            format!("https://sns.us-east-1.amazonaws.com/{path}"),
            format!("https://evil-sns.us-east-1.amazonaws.com{path}"),
            format!("https://bucket.s3.amazonaws.com{path}"),
            format!("https://sns.a.b.amazonaws.com{path}"),
            format!("https://sns.us-east-1.amazonaws.com{path}?x#y.pem"),
            "https://sns.us-east-1.amazonaws.com/other.pem".to_owned(),
            format!("https://sns..amazonaws.com{path}"),
            String::new(),
        ] {
            assert!(!is_certificate_url(&url), "{url}");
        }
        assert!(!is_subscribe_url(
            "https://sns.us-east-1.amazonaws.com/?Action=Publish&x"
        ));
        assert!(!is_subscribe_url(
            "https://evil.example/?Action=ConfirmSubscription&x"
        ));
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        for pem in [
            &b""[..],
            b"hello",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert!(SigningKey::of_pem(pem).is_err());
        }
    }
}
