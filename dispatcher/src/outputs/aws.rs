//! What outputs to AWS share: where it is, as whom we go there, what is sent, and what a failure means.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use aws_lc_rs::digest;
use streamalert_aws::{Access, Fault, FaultKind, Role, SdkConfig, SeenSecrets};
use streamalert_value::Value;
use tokio::sync::OnceCell;

use super::{SendError, Settings};
use crate::service::{Field, token, url};
use crate::{Publication, Redactor, Secret};

/// The region; for the end of every `FIELDS` of AWS, with the three below.
pub(crate) const REGION: Field = Field::optional(
    "region",
    "the region; unset: `aws.region`, or `account.region` of `conf/global.json`, or that of the environment",
)
.check(token)
.example("eu-west-1");
/// Another endpoint.
pub(crate) const ENDPOINT_URL: Field = Field::optional(
    "endpoint_url",
    "another endpoint than AWS's own, such as one in a private network",
)
.check(url);
/// The role to assume.
pub(crate) const ROLE_ARN: Field = Field::optional(
    "role_arn",
    "a role to assume for this output, such as one of another account",
)
.check(token)
.example("arn:aws:iam::123456789012:role/streamalert-alerts");
/// Its external id.
pub(crate) const EXTERNAL_ID: Field =
    Field::optional("external_id", "the external id that the role asks for").check(token);

/// Makes the configuration of SDK clients; a seam, so that tests need no credentials.
pub type AwsConfigs = dyn Fn(Access) -> Pin<Box<dyn Future<Output = SdkConfig> + Send>> + Send + Sync;

/// [`Access::config`] with this region and endpoint for outputs that say none of their own: credentials come from the SDK's
/// default chain.
#[must_use]
pub fn aws_configs(region: Option<String>, endpoint_url: Option<String>) -> Arc<AwsConfigs> {
    Arc::new(move |access| {
        let access = Access {
            region: access.region.or_else(|| region.clone()),
            endpoint_url: access.endpoint_url.or_else(|| endpoint_url.clone()),
            role: access.role,
        };
        Box::pin(async move { access.config().await })
    })
}

/// Where an output is in AWS. The client `C` is made at the first delivery: making it may ask the network.
pub(crate) struct Aws<C> {
    access: Access,
    configs: Arc<AwsConfigs>,
    made: OnceCell<(C, SeenSecrets)>,
    redactor: Redactor,
}

impl<C> Aws<C> {
    /// From the four fields above.
    pub(crate) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        Self::read_with(settings, ROLE_ARN.name, None)
    }

    /// [`Self::read`], with the role in another field, and the region that an ARN names where the settings name none.
    pub(crate) fn read_with(
        settings: &Settings<'_>,
        role_field: &str,
        region: Option<&str>,
    ) -> Result<Self, String> {
        let external_id = settings.optional_text(EXTERNAL_ID.name)?;
        let role = settings.optional_text(role_field)?;
        if role.is_none() && external_id.is_some() {
            return Err(format!("external_id without {role_field} has no effect"));
        }
        let said = settings.optional_text(REGION.name)?;
        Ok(Self {
            access: Access {
                region: said.or_else(|| region.map(str::to_owned)),
                endpoint_url: settings.optional_text(ENDPOINT_URL.name)?,
                role: role.map(|arn| Role { arn, external_id }),
            },
            configs: Arc::clone(&settings.context.aws),
            made: OnceCell::new(),
            redactor: settings.redactor()?,
        })
    }

    /// The client, made by `make` the first time.
    ///
    /// # Errors
    /// Nothing says which region: nothing was sent, and nothing will be before an operator says it.
    pub(crate) async fn client(&self, make: impl Fn(&SdkConfig) -> C) -> Result<&C, SendError> {
        let made = || async {
            let config = (self.configs)(self.access.clone()).await;
            if config.region().is_none() {
                return Err(SendError::permanent(
                    "no region: set aws.region in streamalert.toml, the output's field region, or AWS_REGION in the \
                     environment",
                ));
            }
            let (config, seen) = SeenSecrets::watch(config);
            Ok((make(&config), seen))
        };
        Ok(&self.made.get_or_try_init(made).await?.0)
    }

    /// What a failed call means for the delivery. What an operator has to mend is not waited for, but for credentials:
    /// those expire and are renewed. Clean and on one line.
    pub(crate) fn error(&self, fault: &Fault) -> SendError {
        self.error_unless(fault, &[])
    }

    /// [`Self::error`], but for the codes of answers that pass by themselves although they look final.
    pub(crate) fn error_unless(&self, fault: &Fault, passing: &[&str]) -> SendError {
        let text = self.clean(&fault.to_string());
        if fault.may_have_happened() {
            SendError::unsure(text)
        } else if fault.is_retryable()
            || fault.kind == FaultKind::NoCredentials
            || passing.contains(&&*fault.code)
        {
            SendError::retry(text)
        } else {
            SendError::permanent(text)
        }
    }

    /// `text` clean and on one line: without secrets, those of the credentials too.
    pub(crate) fn clean(&self, text: &str) -> String {
        let seen = self.made.get().map(|(_, seen)| seen.get()).unwrap_or_default();
        let seen: Vec<Secret> = seen.into_iter().map(Secret::new).collect();
        let text = Redactor::new(&seen).clean(text, usize::MAX);
        self.redactor.clean(&text, super::http::MESSAGE_CHARS_MAX)
    }
}

/// A deduplication id of any key: SHA-256 in 64 hexadecimal digits, which fit everywhere.
pub(crate) fn dedup_id(key: &str) -> String {
    let hash = digest::digest(&digest::SHA256, key.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The region of an ARN.
pub(crate) fn region_of(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?
        .split(':')
        .nth(2)
        .filter(|region| !region.is_empty())
}

/// The partition that a region is in, such as `aws-cn`.
pub(crate) fn partition_of(region: &str) -> &'static str {
    match region.split('-').next().unwrap_or_default() {
        "cn" => "aws-cn",
        "us" if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// Which part of a publication is sent: the field of outputs that send StreamAlert's record.
pub(crate) const PAYLOAD: Field = Field::optional(
    "payload",
    "what is sent: `record`, as StreamAlert does, or `publication`, which has the alert's id, rule and context, too",
)
.default("record")
.check(payload);

fn payload(text: &str) -> Result<(), String> {
    match text {
        "record" | "publication" => Ok(()),
        _ => Err("must be `record` or `publication`".to_owned()),
    }
}

/// What [`PAYLOAD`] says of `publication`, unless publishers say it with one of the `magic` fields (service and name).
/// Where publishers left no record, what they made instead.
pub(crate) fn payload_of<'a>(
    publication: &'a Publication,
    magic: &[(&str, &str)],
    is_record: bool,
) -> &'a Value {
    let said = magic
        .iter()
        .find_map(|(service, name)| publication.magic(service, name));
    let record = || publication.body.get("record").filter(|_| is_record);
    said.or_else(record).unwrap_or(&publication.body)
}

/// `body` as `write` writes it, in at most `bytes_max` bytes: one that is larger goes without what is large, and says so.
pub(crate) fn fitted(
    publication: &Publication,
    body: &Value,
    bytes_max: usize,
    write: impl Fn(&Value) -> String,
) -> Result<String, SendError> {
    let whole = write(body);
    if whole.len() <= bytes_max {
        return Ok(whole);
    }
    let short = write(&publication.shortened(whole.len(), bytes_max));
    if short.len() <= bytes_max {
        return Ok(short);
    }
    Err(SendError::permanent(format!(
        "message of {} bytes, over the limit of {bytes_max} even without its record",
        whole.len()
    )))
}

/// JSON without spaces.
pub(crate) fn compact(value: &Value) -> String {
    String::from_utf8(crate::to_json(value)).expect("json is text")
}

/// JSON without the two characters that are text to JSON and refused by SQS, and by SNS for the queues behind it.
pub(crate) fn without_noncharacters(json: String) -> String {
    if json.contains(['\u{fffe}', '\u{ffff}']) {
        return json.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff");
    }
    json
}
