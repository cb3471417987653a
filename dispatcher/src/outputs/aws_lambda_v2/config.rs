use crate::outputs::Settings;
use crate::outputs::aws;
use crate::outputs::aws_lambda::config::{Config, Function, function};
use crate::service::{Field, token};

/// StreamAlert's name for the role.
pub(super) const ASSUME_ROLE_ARN: Field = Field::optional(
    "assume_role_arn",
    "a role to assume for this output, such as one of the function's account",
)
.check(token)
.example("arn:aws:iam::123456789012:role/invoke-respond");

pub(super) const FIELDS: &[Field] = &[
    Field::required("lambda_function_arn", "the ARN of the function, or its name")
        .check(function)
        .example("arn:aws:lambda:eu-west-1:123456789012:function:respond"),
    Field::optional("function_qualifier", "the version or alias that is meant")
        .check(token)
        .example("production"),
    ASSUME_ROLE_ARN,
    aws::EXTERNAL_ID,
    aws::PAYLOAD,
    aws::REGION,
    aws::ENDPOINT_URL,
];

pub(super) fn read(settings: &Settings<'_>) -> Result<Config, String> {
    let text = settings.text("lambda_function_arn")?;
    let mut function = Function::parse(&text).ok_or("lambda_function_arn: is no function")?;
    if let Some(qualifier) = settings.optional_text("function_qualifier")? {
        if function
            .qualifier
            .as_ref()
            .is_some_and(|other| *other != qualifier)
        {
            return Err("function_qualifier: the ARN has another one".to_owned());
        }
        function.qualifier = Some(qualifier);
    }
    Ok(Config {
        function,
        is_record: settings.text(aws::PAYLOAD.name)? == "record",
        magic: &[("aws-lambda-v2", "alert_data"), ("aws-lambda", "alert_data")],
    })
}
