//! The textual form of a payload in test events and `explain`: `{id, service, resource, cluster?, data | data_b64 |
//! logs, gzip?}` or `{id, lambda_record, s3_body_b64?}`.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use streamalert_types::Source;
use streamalert_value::Value;

use crate::Body;

/// One payload as it is written in a file of inputs.
#[derive(Debug, Clone)]
pub struct RawInput {
    /// The id of the input; empty when it has none.
    pub id: String,
    /// Where it says it comes from.
    pub source: Source,
    body: OwnedBody,
}

#[derive(Debug, Clone)]
enum OwnedBody {
    Packed(Vec<u8>),
    Object(Vec<u8>),
    Text(String),
    Logs(Vec<Value>),
}

/// Why an input is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RawInputError {
    /// Something is missing or of the wrong type.
    #[error("{key}: {problem}")]
    BadKey {
        /// Which key.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// No service that we know can be told from it.
    #[error("neither service and resource nor a record of kinesis, s3, sns or streamalert_app")]
    NoSource,
}

impl RawInput {
    /// Reads one input.
    ///
    /// # Errors
    /// [`RawInputError`] naming the key.
    pub fn from_value(input: &Value) -> Result<Self, RawInputError> {
        let id = text(input, "id").unwrap_or_default().to_owned();
        let cluster = text(input, "cluster").map(Into::into);
        if let Some(record) = input.get("lambda_record") {
            let (service, resource, body) = lambda_record(record, input)?;
            return Ok(Self {
                id,
                source: Source {
                    service: service.into(),
                    resource: resource.into(),
                    cluster,
                },
                body,
            });
        }
        let (Some(service), Some(resource)) = (text(input, "service"), text(input, "resource")) else {
            return Err(RawInputError::NoSource);
        };
        let body = match service {
            "streamalert_app" => OwnedBody::Logs(logs(input)?),
            "sns" => OwnedBody::Text(match data(input)? {
                Data::Text(text) => text,
                Data::Bytes(bytes) => String::from_utf8(bytes)
                    .map_err(|_| bad("data_b64", "the message of an sns notification is text"))?,
            }),
            "s3" => OwnedBody::Object(packed(input)?),
            _ => OwnedBody::Packed(packed(input)?),
        };
        Ok(Self {
            id,
            source: Source {
                service: service.into(),
                resource: resource.into(),
                cluster,
            },
            body,
        })
    }

    /// The body, to be classified.
    #[must_use]
    pub fn body(&self) -> Body<'_> {
        match &self.body {
            OwnedBody::Packed(bytes) => Body::Packed(bytes),
            OwnedBody::Object(bytes) => Body::Object(bytes),
            OwnedBody::Text(text) => Body::Text(text),
            OwnedBody::Logs(logs) => Body::Logs(logs),
        }
    }
}

enum Data {
    Text(String),
    Bytes(Vec<u8>),
}

fn bad(key: &'static str, problem: impl ToString) -> RawInputError {
    RawInputError::BadKey {
        key,
        problem: problem.to_string(),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

fn base64_of(text: &str, key: &'static str) -> Result<Vec<u8>, RawInputError> {
    STANDARD.decode(text).map_err(|error| bad(key, error))
}

fn data(input: &Value) -> Result<Data, RawInputError> {
    match (input.get("data"), text(input, "data_b64")) {
        (Some(Value::Str(text)), _) => Ok(Data::Text(text.clone())),
        (Some(value @ (Value::Map(_) | Value::List(_))), _) => Ok(Data::Text(value.to_json())),
        (None, Some(encoded)) => base64_of(encoded, "data_b64").map(Data::Bytes),
        _ => Err(bad("data", "expected data, data_b64 or logs")),
    }
}

fn packed(input: &Value) -> Result<Vec<u8>, RawInputError> {
    let bytes = match data(input)? {
        Data::Text(text) => text.into_bytes(),
        Data::Bytes(bytes) => bytes,
    };
    if !input.get("gzip").is_some_and(Value::is_truthy) {
        return Ok(bytes);
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder
        .write_all(&bytes)
        .and_then(|()| encoder.finish())
        .map_err(|error| bad("gzip", error))
}

fn logs(input: &Value) -> Result<Vec<Value>, RawInputError> {
    let logs = input.get("logs").and_then(Value::as_list);
    logs.map(<[Value]>::to_vec)
        .ok_or_else(|| bad("logs", "expected a list"))
}

/// A record as AWS Lambda hands it over.
fn lambda_record(record: &Value, input: &Value) -> Result<(String, String, OwnedBody), RawInputError> {
    let object = || match text(input, "s3_body_b64") {
        Some(encoded) => base64_of(encoded, "s3_body_b64").map(OwnedBody::Object),
        None => Err(bad(
            "s3_body_b64",
            "expected the object that the notification is about",
        )),
    };
    if let Some(kinesis) = record.get("kinesis") {
        let arn = text(record, "eventSourceARN").ok_or(RawInputError::NoSource)?;
        let encoded = text(kinesis, "data").ok_or_else(|| bad("kinesis.data", "expected text"))?;
        let body = OwnedBody::Packed(base64_of(encoded, "kinesis.data")?);
        return Ok(("kinesis".to_owned(), last(arn, '/'), body));
    }
    if let Some(s3) = record.get("s3") {
        return Ok((
            "s3".to_owned(),
            bucket(s3).ok_or(RawInputError::NoSource)?,
            object()?,
        ));
    }
    if let Some(sns) = record.get("Sns") {
        let message = text(sns, "Message").ok_or_else(|| bad("Sns.Message", "expected text"))?;
        if text(sns, "Type") == Some("Notification") && text(sns, "Subject") == Some("Amazon S3 Notification")
        {
            let notification =
                Value::parse_json(message.as_bytes()).map_err(|error| bad("Sns.Message", error))?;
            let records = notification
                .get("Records")
                .and_then(Value::as_list)
                .unwrap_or_default();
            let resource = records.iter().find_map(|record| bucket(record.get("s3")?));
            return Ok((
                "s3".to_owned(),
                resource.ok_or(RawInputError::NoSource)?,
                object()?,
            ));
        }
        let arn = text(sns, "TopicArn").ok_or(RawInputError::NoSource)?;
        return Ok((
            "sns".to_owned(),
            last(arn, ':'),
            OwnedBody::Text(message.to_owned()),
        ));
    }
    if let Some(app) = text(record, "streamalert_app") {
        return Ok((
            "streamalert_app".to_owned(),
            app.to_owned(),
            OwnedBody::Logs(logs(record)?),
        ));
    }
    Err(RawInputError::NoSource)
}

fn bucket(s3: &Value) -> Option<String> {
    text(s3.get("bucket")?, "name").map(str::to_owned)
}

fn last(arn: &str, separator: char) -> String {
    arn.rsplit(separator).next().unwrap_or(arn).to_owned()
}
