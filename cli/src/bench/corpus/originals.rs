use streamalert_schema::Body;
use streamalert_value::Value;

use super::super::{Inputs, cloudtrail};
use super::template::{Template, Vocabulary};
use crate::explain::{integer, object, text};
use crate::failure::Failure;

/// Events of other services than CloudTrail, with the weight of each.
const SEEDS: &str = include_str!("../../../../benches/corpus/seeds.jsonl");

/// Event names beside those of our own five events, so that names vary when no real events are at hand.
const NAMES: &[(&str, bool, &[&str])] = &[
    (
        "ec2.amazonaws.com",
        true,
        &[
            "DescribeVpcs",
            "DescribeSubnets",
            "DescribeImages",
            "DescribeVolumes",
        ],
    ),
    (
        "s3.amazonaws.com",
        false,
        &["DeleteObject", "CopyObject", "RestoreObject"],
    ),
    (
        "sts.amazonaws.com",
        true,
        &["GetCallerIdentity", "GetSessionToken", "AssumeRoleWithSAML"],
    ),
    (
        "kms.amazonaws.com",
        true,
        &["DescribeKey", "ListAliases", "GenerateDataKey"],
    ),
    (
        "iam.amazonaws.com",
        true,
        &["GetRole", "GetUser", "ListUsers", "ListRoles", "ListGroups"],
    ),
];

/// A template of another log type.
pub(super) struct Seed {
    pub(super) log_type: String,
    pub(super) service: String,
    pub(super) weight: u64,
    pub(super) template: Template,
}

/// The records of every object that is a CloudTrail file.
pub(super) fn cloudtrail_events(inputs: &Inputs) -> Result<Vec<Value>, Failure> {
    let mut events = Vec::new();
    for payload in &inputs.payloads {
        let (Body::Object(bytes) | Body::Packed(bytes)) = payload.body() else {
            continue;
        };
        if let Ok(Value::Map(mut body)) = Value::parse_json(bytes)
            && let Some(Value::List(records)) = body.swap_remove("Records")
        {
            events.extend(
                records
                    .into_iter()
                    .filter(|record| record.get("eventID").is_some()),
            );
        }
    }
    if events.is_empty() {
        let message = format!("{} holds no payload with CloudTrail records", inputs.origin);
        return Err(Failure::Other(message));
    }
    Ok(events)
}

/// Our own events, for where there are no real ones.
pub(super) fn own_events(words: &mut Vocabulary) -> Result<Vec<Value>, Failure> {
    for (service, read_only, names) in NAMES {
        for name in *names {
            words.add_name(&((*service).to_owned(), *read_only), name);
        }
    }
    let mut events = Vec::new();
    for number in 0..5 {
        let event = Value::parse_json(cloudtrail::record(number, number).as_bytes())
            .map_err(|error| Failure::while_doing("a built-in event", error))?;
        let mut more = event.clone();
        if let Value::Map(event) = &mut more {
            // What only some services add, so that there are big events as well as small ones.
            let data = object([
                ("SignatureVersion", text("SigV4")),
                ("CipherSuite", text("TLS_AES_128_GCM_SHA256")),
                ("AuthenticationMethod", text("AuthHeader")),
                ("bytesTransferredIn", integer(312)),
                ("bytesTransferredOut", integer(1_024 * number)),
                ("x-amz-id-2", text(&"Zk3vT9qL".repeat(80))),
            ]);
            event.insert("additionalEventData".to_owned(), data);
        }
        events.extend([event, more]);
    }
    Ok(events)
}

pub(super) fn seeds() -> Result<Vec<Seed>, Failure> {
    let read = |line: &str| {
        let value = Value::parse_json(line.as_bytes())
            .map_err(|error| Failure::while_doing("a built-in seed", error))?;
        let word = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
        Ok(Seed {
            log_type: word("log_type").to_owned(),
            service: word("service").to_owned(),
            weight: match value.get("weight") {
                Some(Value::Int(weight)) => weight.unsigned_abs(),
                _ => 1,
            },
            template: Template::of(value.get("data").unwrap_or(&Value::Null)),
        })
    };
    SEEDS.lines().map(read).collect()
}
