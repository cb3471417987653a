use super::{EMULATED_REGION, Emulator, Microburst, http};

/// Calls by which a test prepares an emulator, as JSON and without an SDK: what is under test calls by itself.
#[derive(Debug, Clone)]
pub struct Calls {
    port: u16,
    account: String,
}

/// The place of a record in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its shard.
    pub shard: String,
    /// Its sequence number.
    pub sequence: String,
}

impl Emulator {
    /// Calls as `account`.
    #[must_use]
    pub fn calls(&self, account: &str) -> Calls {
        Calls {
            port: self.child.port(),
            account: account.to_owned(),
        }
    }
}

impl Microburst {
    /// Calls as `account` that go through it.
    #[must_use]
    pub fn calls(&self, account: &str) -> Calls {
        Calls {
            port: self.child.port(),
            account: account.to_owned(),
        }
    }
}

impl Calls {
    /// Makes a stream.
    ///
    /// # Panics
    /// When the emulator refuses.
    pub async fn create_stream(&self, name: &str, shards: u32) {
        let body = format!(r#"{{"StreamName":"{name}","ShardCount":{shards}}}"#);
        self.json("kinesis", "Kinesis_20131202.CreateStream", &body).await;
    }

    /// Puts records, partition key and data, and answers where they are, in order.
    ///
    /// # Panics
    /// When the emulator refuses one.
    pub async fn put_records(&self, stream: &str, records: &[(String, String)]) -> Vec<Placed> {
        let records: Vec<String> = records
            .iter()
            .map(|(key, data)| {
                format!(
                    r#"{{"PartitionKey":"{key}","Data":"{}"}}"#,
                    base64(data.as_bytes())
                )
            })
            .collect();
        let body = format!(r#"{{"StreamName":"{stream}","Records":[{}]}}"#, records.join(","));
        let answer = self.json("kinesis", "Kinesis_20131202.PutRecords", &body).await;
        let placed: Vec<Placed> = answer
            .split('{')
            .filter_map(|entry| {
                Some(Placed {
                    shard: member(entry, "ShardId")?.to_owned(),
                    sequence: member(entry, "SequenceNumber")?.to_owned(),
                })
            })
            .collect();
        assert_eq!(placed.len(), records.len(), "{answer}");
        placed
    }

    /// Makes a queue and answers its URL.
    ///
    /// # Panics
    /// When the emulator refuses.
    pub async fn create_queue(&self, name: &str) -> String {
        let body = format!(r#"{{"QueueName":"{name}"}}"#);
        let answer = self.json("sqs", "AmazonSQS.CreateQueue", &body).await;
        member(&answer, "QueueUrl").expect("a queue has a url").to_owned()
    }

    /// Messages of a queue that are not deleted, as the emulator counts them.
    ///
    /// # Panics
    /// When the emulator refuses.
    pub async fn queue_length(&self, url: &str) -> u64 {
        let body = format!(r#"{{"QueueUrl":"{url}","AttributeNames":["All"]}}"#);
        let answer = self.json("sqs", "AmazonSQS.GetQueueAttributes", &body).await;
        let count = |name: &str| {
            member(&answer, name)
                .and_then(|text| text.parse().ok())
                .unwrap_or(0)
        };
        count("ApproximateNumberOfMessages") + count("ApproximateNumberOfMessagesNotVisible")
    }

    /// Sends a message.
    ///
    /// # Panics
    /// When the emulator refuses.
    pub async fn send_message(&self, url: &str, message: &str) {
        let body = format!(
            r#"{{"QueueUrl":"{url}","MessageBody":"{}"}}"#,
            message.replace('\\', "\\\\").replace('"', "\\\"")
        );
        self.json("sqs", "AmazonSQS.SendMessage", &body).await;
    }

    /// Makes a bucket that tells `queue` (its name) of each new object.
    ///
    /// # Panics
    /// When the emulator refuses.
    pub async fn create_bucket(&self, bucket: &str, queue: &str) {
        self.call("PUT", &format!("/{bucket}"), "s3", None, "").await;
        let configuration = format!(
            "<NotificationConfiguration><QueueConfiguration>\
             <Queue>arn:aws:sqs:{EMULATED_REGION}:{}:{queue}</Queue><Event>s3:ObjectCreated:*</Event>\
             </QueueConfiguration></NotificationConfiguration>",
            self.account
        );
        let path = format!("/{bucket}?notification");
        self.call("PUT", &path, "s3", None, &configuration).await;
    }

    /// Puts an object.
    ///
    /// # Panics
    /// When the emulator refuses.
    pub async fn put_object(&self, bucket: &str, key: &str, body: &str) {
        self.call("PUT", &format!("/{bucket}/{key}"), "s3", None, body)
            .await;
    }

    /// Asks SNS: an action with its parameters, as a query.
    ///
    /// # Panics
    /// When the emulator refuses.
    pub async fn sns(&self, query: &str) -> String {
        let path = format!("/?{query}&Version=2010-03-31");
        self.call("POST", &path, "sns", None, "").await
    }

    /// Puts an item, as DynamoDB writes it in JSON, into a table.
    ///
    /// # Panics
    /// When the emulator refuses.
    pub async fn put_item(&self, table: &str, item: &str) {
        let body = format!(r#"{{"TableName":"{table}","Item":{item}}}"#);
        self.json("dynamodb", "DynamoDB_20120810.PutItem", &body).await;
    }

    /// Puts an encrypted parameter of Parameter Store; `value` without what JSON escapes but quotes.
    ///
    /// # Panics
    /// When the emulator refuses.
    pub async fn put_parameter(&self, name: &str, value: &str) {
        let value = value.replace('"', "\\\"");
        let body = format!(r#"{{"Name":"{name}","Value":"{value}","Type":"SecureString","Overwrite":true}}"#);
        self.json("ssm", "AmazonSSM.PutParameter", &body).await;
    }

    /// Makes a secret of Secrets Manager; `value` without what JSON escapes but quotes.
    ///
    /// # Panics
    /// When the emulator refuses.
    pub async fn create_secret(&self, name: &str, value: &str) {
        let value = value.replace('"', "\\\"");
        let body = format!(r#"{{"Name":"{name}","SecretString":"{value}"}}"#);
        self.json("secretsmanager", "secretsmanager.CreateSecret", &body)
            .await;
    }

    /// Whose resources these calls are about.
    pub(super) fn account(&self) -> &str {
        &self.account
    }

    /// Any call by path; answers the body.
    ///
    /// # Panics
    /// When the emulator refuses.
    pub async fn rest(&self, method: &str, path: &str, service: &str, body: &str) -> String {
        self.call(method, path, service, None, body).await
    }

    async fn json(&self, service: &str, target: &str, body: &str) -> String {
        self.call("POST", "/", service, Some(target), body).await
    }

    /// Any call of a service that speaks JSON, such as `kinesis` and `Kinesis_20131202.ListShards`; answers the body.
    ///
    /// # Errors
    /// The answer of an emulator that refuses, or why there is none.
    pub async fn ask(&self, service: &str, target: &str, body: &str) -> Result<String, String> {
        self.exchange("POST", "/", service, Some(target), body).await
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        service: &str,
        target: Option<&str>,
        body: &str,
    ) -> String {
        let answer = self.exchange(method, path, service, target, body).await;
        answer.unwrap_or_else(|answer| panic!("{method} {path} {target:?}: {answer}"))
    }

    async fn exchange(
        &self,
        method: &str,
        path: &str,
        service: &str,
        target: Option<&str>,
        body: &str,
    ) -> Result<String, String> {
        // The emulators look for the account here and check nothing; kinesis-local asks that there be a date.
        let mut headers = format!(
            "x-amz-date: 20260101T000000Z\r\nauthorization: AWS4-HMAC-SHA256 Credential={}/20260101/{EMULATED_REGION}/{service}/aws4_request, \
             SignedHeaders=host, Signature=0\r\n",
            self.account
        );
        if let Some(target) = target {
            headers += &format!("x-amz-target: {target}\r\ncontent-type: application/x-amz-json-1.1\r\n");
        }
        let answer = http::call_with(self.port, method, path, &headers, body).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).unwrap_or_default();
        if status.starts_with('2') {
            Ok(body.to_owned())
        } else {
            Err(answer)
        }
    }
}

/// The text of a member of a small JSON object without escapes.
fn member<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = json.split_once(&format!("\"{name}\""))?;
    let (_, rest) = rest.split_once('"')?;
    Some(rest.split_once('"')?.0)
}

/// Bytes in base64, padded.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            if digit > chunk.len() {
                text.push('=');
            } else {
                let index = (bits >> (18 - 6 * digit)) & 63;
                text.push(char::from(DIGITS[index as usize]));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_padded() {
        let encoded = ["", "f", "fo", "foo", "foob"].map(|text| base64(text.as_bytes()));
        assert_eq!(encoded, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]);
    }

    #[test]
    fn a_member_is_found_by_its_whole_name() {
        let json = r#"{"SequenceNumber": "12", "ShardId": "shard-0"}"#;
        assert_eq!(member(json, "ShardId"), Some("shard-0"));
        assert_eq!(member(json, "Shard"), None);
    }
}
