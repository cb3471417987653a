//! `aws-lambda-v2:NAME`: a function of AWS Lambda, of another account where a role is given, is called with the record.
//!
//! Follows the API reference of AWS Lambda, version 2015-03-31, as of 2026: asynchronous invocation (`Event`). `conf/outputs.json`
//! only lists names: `{"aws-lambda-v2": ["NAME"]}`; the fields below are StreamAlert's credentials of this output. With
//! `assume_role_arn` that role is assumed (`sts:AssumeRole`, which its trust policy has to allow, with `external_id` where that
//! policy asks for one) and needs `lambda:InvokeFunction`. The region is that of the ARN, where `region` says no other.
//!
//! As with StreamAlert the function gets the record alone; `payload = "publication"` sends all that is known of the alert.
//! Publishers give something else with `@aws-lambda.alert_data`, or with `@aws-lambda-v2.alert_data`, which wins.
//!
//! Idempotency: Lambda knows none, and may itself call a function twice: one that must not act twice has to remember the
//! alert's `id`, which the publication has.
//!
//! Limits: what is over 1 MB is sent without record and context, and says so. What the function makes of it is not waited
//! for.

mod config;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::aws_lambda::LambdaOutput;
use super::{Output, Settings};
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "aws-lambda-v2",
    title: "AWS Lambda (v2)",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let role_field = config::ASSUME_ROLE_ARN.name;
    let output = LambdaOutput::new(settings, config::read(settings)?, role_field)?;
    Ok(Arc::new(output))
}
