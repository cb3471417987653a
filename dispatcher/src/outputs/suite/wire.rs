//! What is needed to read and to answer the requests of AWS's SDKs.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use streamalert_testkit::{ReceivedRequest, Reply};

/// A failure of a service that speaks JSON.
pub(crate) fn json_fault(status: u16, kind: &str, message: &str) -> Reply {
    Reply::Answer {
        status,
        headers: vec![("x-amzn-errortype".to_owned(), kind.to_owned())],
        body: json!({"__type": kind, "message": message}).to_string(),
    }
}

/// A failure of a service that is asked by queries and speaks XML.
pub(crate) fn query_fault(status: u16, code: &str, message: &str) -> Reply {
    let error = xml_error(code, message);
    Reply::status(
        status,
        &format!("<ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>"),
    )
}

/// A failure of S3.
pub(crate) fn s3_fault(status: u16, code: &str, message: &str) -> Reply {
    Reply::status(status, &xml_error(code, message))
}

fn xml_error(code: &str, message: &str) -> String {
    let message = message.replace('&', "&amp;").replace('<', "&lt;");
    // XML has no other control characters
    let message = message.replace(|c: char| c.is_control() && c != '\n', "&#13;");
    format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>")
}

/// The parameters of a query in the body of a request.
pub(crate) fn form(request: &ReceivedRequest) -> BTreeMap<String, String> {
    assert_eq!(
        request.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    pairs(&request.body)
}

/// Pairs of a query.
pub(crate) fn pairs(body: &[u8]) -> BTreeMap<String, String> {
    let query = std::str::from_utf8(body).expect("a query is text");
    let url = reqwest::Url::parse(&format!("http://x/?{query}")).expect("a query fits into a url");
    url.query_pairs().into_owned().collect()
}

/// The body of a request in JSON, of whatever kind.
pub(crate) fn body_of(request: &ReceivedRequest) -> Json {
    serde_json::from_slice(&request.body).expect("the body is json")
}

/// What is in Base64.
pub(crate) fn unbase64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for digit in text.bytes().filter(|digit| *digit != b'=') {
        let value = DIGITS.iter().position(|known| *known == digit).expect("a digit");
        bits = bits << 6 | u32::try_from(value).expect("below 64");
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).expect("a byte"));
        }
    }
    bytes
}

/// A mail with its quoted-printable parts decoded.
pub(crate) fn unquoted(mail: &[u8]) -> String {
    let mail = String::from_utf8(mail.to_vec()).expect("mails are ascii");
    // what stands before a boundary is the end of Base64
    let mail = mail.replace("=\r\n--=_", "=\u{0}--=_").replace("=\r\n", "");
    let mail = mail.replace('\u{0}', "\r\n");
    let mut bytes = Vec::with_capacity(mail.len());
    let mut rest = mail.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = match (first, tail) {
            (b'=', [high, low, ..]) => {
                let digits = [*high, *low];
                std::str::from_utf8(&digits)
                    .ok()
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            }
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn what_testkit_writes_in_base64_is_read_back() {
    for text in ["", "a", "ab", "abc", "ünï"] {
        let written = streamalert_testkit::emulator::base64(text.as_bytes());
        assert_eq!(unbase64(&written), text.as_bytes());
    }
    assert_eq!(unquoted(b"a=C3=BC b=\r\nc =x"), "aü bc =x");
}
