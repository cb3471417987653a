//! CloudTrail events that are the same in every run, of the size and shape of real ones.

use std::fmt::Write;

/// Event source, name, whether it only reads, request parameters, response.
type Call = (&'static str, &'static str, bool, &'static str, &'static str);

const CALLS: &[Call] = &[
    (
        "ec2.amazonaws.com",
        "DescribeInstances",
        true,
        r#"{"instancesSet":{"items":[{"instanceId":"i-0a1b2c3d4e5f60718"},{"instanceId":"i-08f7e6d5c4b3a2910"}]},"filterSet":{"items":[{"name":"instance-state-name","valueSet":{"items":[{"value":"running"}]}}]}}"#,
        "null",
    ),
    (
        "s3.amazonaws.com",
        "PutObject",
        false,
        r#"{"bucketName":"example-reports-eu-west-1","Host":"example-reports-eu-west-1.s3.eu-west-1.amazonaws.com","key":"daily/2026/03/12/summary.parquet","x-amz-storage-class":"STANDARD"}"#,
        r#"{"x-amz-server-side-encryption":"AES256"}"#,
    ),
    (
        "sts.amazonaws.com",
        "AssumeRole",
        true,
        r#"{"roleArn":"arn:aws:iam::123456789012:role/deployment","roleSessionName":"pipeline","durationSeconds":3600}"#,
        r#"{"credentials":{"accessKeyId":"ASIAEXAMPLEEXAMPLE01","expiration":"Mar 12, 2026, 10:30:00 AM"},"assumedRoleUser":{"arn":"arn:aws:sts::123456789012:assumed-role/deployment/pipeline"}}"#,
    ),
    (
        "kms.amazonaws.com",
        "Decrypt",
        true,
        r#"{"encryptionContext":{"aws:lambda:FunctionArn":"arn:aws:lambda:eu-west-1:123456789012:function:resize"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}"#,
        "null",
    ),
    (
        "iam.amazonaws.com",
        "ListAttachedRolePolicies",
        true,
        r#"{"roleName":"deployment","maxItems":100,"onlyAttached":false,"pathPrefix":"/","scope":"All"}"#,
        "null",
    ),
];

/// Bytes of one event; user agents are padded to it.
const RECORD_BYTES: usize = 1_450;

/// One event, compact. `number` makes it unique; events of one `key` have user and source address in common.
pub(super) fn record(number: u64, key: u64) -> String {
    let (source, name, read_only, parameters, response) = CALLS[(number % CALLS.len() as u64) as usize];
    // Spread over all bits (the constant of Knuth's multiplicative hashing, for 64 bits).
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (high, low, node) = (mixed >> 32, mixed & 0xffff, mixed & 0xffff_ffff_ffff);
    let clock = format!(
        "{:02}:{:02}:{:02}",
        number / 3_600 % 24,
        number / 60 % 60,
        number % 60
    );
    let [.., a, b, c] = key.to_be_bytes();
    let mut text = String::with_capacity(RECORD_BYTES);
    let written = write!(
        text,
        r#"{{"eventVersion":"1.09","userIdentity":{{"type":"IAMUser","principalId":"AIDA{high:08X}EXAMPLE","arn":"arn:aws:iam::123456789012:user/user-{key}","accountId":"123456789012","accessKeyId":"AKIA{high:08X}EXAMPLE","userName":"user-{key}","sessionContext":{{"attributes":{{"creationDate":"2026-03-12T07:58:01Z","mfaAuthenticated":"false"}}}}}},"eventTime":"2026-03-12T{clock}Z","eventSource":"{source}","eventName":"{name}","awsRegion":"eu-west-1","sourceIPAddress":"10.{a}.{b}.{c}","requestParameters":{parameters},"responseElements":{response},"requestID":"{high:08x}-{low:04x}-4000-8000-{node:012x}","eventID":"{high:08x}-{low:04x}-4000-9000-{node:012x}","readOnly":{read_only},"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"123456789012","eventCategory":"Management","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{source}"}},"userAgent":"aws-cli/2.15.30 Python/3.11.8 Linux/6.1.0-18-amd64"#,
    );
    written.expect("writing to a string cannot fail");
    let mut words = [
        "exe/x86_64.debian.12",
        "prompt/off",
        "command/run",
        "md/Botocore#2.4.5",
        "cfg/retry-mode#standard",
    ]
    .iter()
    .cycle();
    while let Some(word) = words
        .next()
        .filter(|word| text.len() + 1 + word.len() + 2 <= RECORD_BYTES)
    {
        text.push(' ');
        text.push_str(word);
    }
    text.push_str("\"}");
    text
}

/// The body of an S3 object with the events of these numbers, as CloudTrail delivers them.
pub(super) fn object(numbers: std::ops::Range<u64>) -> String {
    let records: Vec<String> = numbers.map(|number| record(number, number % 97)).collect();
    format!(r#"{{"Records":[{}]}}"#, records.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_the_size_of_real_ones_and_are_all_different() {
        let mut seen = std::collections::HashSet::new();
        for number in 0..500 {
            let text = record(number, number % 7);
            assert!(
                (1_400..=1_500).contains(&text.len()),
                "{} bytes: {text}",
                text.len()
            );
            streamalert_value::Value::parse_json(text.as_bytes()).unwrap();
            assert!(seen.insert(text));
        }
    }
}
