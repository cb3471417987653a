//! Reads what a message of a queue tells of objects: S3's own notifications, those that passed through SNS, and
//! events of EventBridge.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>

use serde::Deserialize;

use crate::sns::{Envelope, EnvelopeKind};

/// An object to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ObjectName {
    pub(super) bucket: String,
    /// The key as it is, no longer encoded.
    pub(super) key: String,
    /// Where the bucket keeps versions.
    pub(super) version: Option<String>,
}

/// What a message tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// These were written. None when it tells of deletions and the like, or is S3's test of a new setting.
    Objects(Vec<ObjectName>),
    /// It is no such message: why.
    Nothing(String),
}

/// The ways in which a message may be written. What is not named is left out.
#[derive(Deserialize)]
#[serde(untagged)]
enum Message {
    Notification {
        #[serde(rename = "Records")]
        records: Vec<Notice>,
    },
    Test {
        #[serde(rename = "Event")]
        event: String,
    },
    EventBridge {
        #[serde(rename = "detail-type")]
        kind: String,
        detail: Detail,
    },
}

#[derive(Deserialize)]
struct Notice {
    #[serde(rename = "eventName")]
    event_name: String,
    s3: Place,
}

#[derive(Deserialize)]
struct Place {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Detail {
    bucket: Bucket,
    object: BridgeObject,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
    #[serde(rename = "versionId")]
    version: Option<String>,
}

#[derive(Deserialize)]
struct BridgeObject {
    key: String,
    #[serde(rename = "version-id")]
    version: Option<String>,
}

/// Reads a message.
pub(super) fn read(body: &str) -> Told {
    match Envelope::parse(body.as_bytes()) {
        Ok(envelope) if envelope.kind == EnvelopeKind::Notification => read_plain(&envelope.message),
        Ok(envelope) => Told::Nothing(format!("a {:?} of sns", envelope.kind)),
        Err(_) => read_plain(body),
    }
}

fn read_plain(body: &str) -> Told {
    let not = |why: &str| Told::Nothing(format!("no notification of s3: {why}"));
    let Ok(message) = serde_json::from_str(body) else {
        return not("neither Records, nor Event, nor detail in it");
    };
    match message {
        Message::Test { event } if event == "s3:TestEvent" => Told::Objects(Vec::new()),
        Message::Test { event } => not(&format!("the event {event:?} is not known")),
        Message::EventBridge { kind, detail } => {
            let is_written = matches!(&*kind, "Object Created" | "Object Restore Completed");
            let object = ObjectName {
                bucket: detail.bucket.name,
                key: detail.object.key,
                version: version(detail.object.version),
            };
            Told::Objects(is_written.then_some(object).into_iter().collect())
        }
        Message::Notification { records } => {
            let mut objects = Vec::new();
            for Notice { event_name, s3 } in records {
                let name = event_name.strip_prefix("s3:").unwrap_or(&event_name);
                if !(name.starts_with("ObjectCreated:") || name == "ObjectRestore:Completed") {
                    continue;
                }
                let Some(key) = decoded(&s3.object.key) else {
                    return not(&format!("the key {:?} is not encoded utf-8", s3.object.key));
                };
                objects.push(ObjectName {
                    bucket: s3.bucket.name,
                    key,
                    version: version(s3.object.version),
                });
            }
            Told::Objects(objects)
        }
    }
}

/// Objects that were written while a bucket kept no versions have one that is called null or nothing.
fn version(version: Option<String>) -> Option<String> {
    version.filter(|version| !version.is_empty() && version != "null")
}

/// A key as it stands in a notification: form-encoded, with pluses for spaces. `None` when it is not utf-8.
fn decoded(key: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes().iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(event: &str, key: &str, extra: &str) -> String {
        format!(
            r#"{{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"{event}","s3":{{"bucket":{{"name":"b","arn":"arn:aws:s3:::b"}},"object":{{"key":"{key}","size":3{extra}}}}}}}"#
        )
    }

    fn object(key: &str, version: Option<&str>) -> ObjectName {
        ObjectName {
            bucket: "b".to_owned(),
            key: key.to_owned(),
            version: version.map(str::to_owned),
        }
    }

    fn wrapped(message: &str) -> String {
        let message = serde_json::to_string(message).unwrap();
        format!(r#"{{"Type":"Notification","MessageId":"m","TopicArn":"arn:t","Message":{message}}}"#)
    }

    #[test]
    fn written_objects_are_told_with_their_keys_decoded_also_through_sns() {
        let records = [
            record("ObjectCreated:Put", "a/b+c%2Bd%C3%A9.gz", ""),
            record(
                "s3:ObjectCreated:CompleteMultipartUpload",
                "x",
                r#","versionId":"v1""#,
            ),
            record("ObjectRestore:Completed", "y", r#","versionId":"null""#),
            record("ObjectRemoved:Delete", "gone", ""),
        ];
        let body = format!(r#"{{"Records":[{}]}}"#, records.join(","));
        let objects = vec![
            object("a/b c+dé.gz", None),
            object("x", Some("v1")),
            object("y", None),
        ];
        assert_eq!(read(&wrapped(&body)), read(&body));
        assert_eq!(read(&body), Told::Objects(objects));
    }

    #[test]
    fn events_of_eventbridge_have_plain_keys() {
        let event = |kind: &str| {
            format!(
                r#"{{"version":"0","source":"aws.s3","detail-type":"{kind}","detail":{{"bucket":{{"name":"b"}},"object":{{"key":"a+b c%20","size":1,"version-id":"v"}}}}}}"#
            )
        };
        let written = Told::Objects(vec![object("a+b c%20", Some("v"))]);
        assert_eq!(read(&event("Object Created")), written);
        assert_eq!(read(&event("Object Deleted")), Told::Objects(Vec::new()));
    }

    #[test]
    fn a_test_event_tells_of_nothing() {
        let body = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"t","Bucket":"b","RequestId":"r","HostId":"h"}"#;
        assert_eq!(read(body), Told::Objects(Vec::new()));
        assert_eq!(read(&wrapped(body)), Told::Objects(Vec::new()));
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        for (body, why) in [
            ("", "neither"),
            ("hello", "neither"),
            ("{}", "neither"),
            (r#"{"Records":[{"eventSource":"aws:kinesis"}]}"#, "neither"),
            (r#"{"Event":"other"}"#, "\"other\" is not known"),
            (
                &format!(r#"{{"Records":[{}]}}"#, record("ObjectCreated:Put", "%ff", "")),
                "not encoded",
            ),
            (
                &format!(r#"{{"Records":[{}]}}"#, record("ObjectCreated:Put", "%4", "")),
                "not encoded",
            ),
            (&wrapped(&wrapped("{}")), "neither"),
            (
                r#"{"Type":"SubscriptionConfirmation","MessageId":"m","TopicArn":"t","Message":"x"}"#,
                "SubscriptionConfirmation",
            ),
        ] {
            let Told::Nothing(reason) = read(body) else {
                panic!("{body}")
            };
            assert!(reason.contains(why), "{reason}");
        }
    }
}
