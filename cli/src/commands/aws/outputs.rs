use std::collections::{BTreeMap, BTreeSet};

use streamalert_config::{FieldValue, OutputTarget, SecretSource};
use streamalert_types::OutputName;

use super::{Statements, queue_arn};
use crate::project::Project;

/// One statement: a service, what it is asked for, and about what.
struct Wanted {
    service: &'static str,
    actions: &'static [&'static str],
    resources: Vec<String>,
}

impl Statements<'_> {
    /// What deliveries to services of AWS ask for. An output with a role asks for that role alone: what the role may do is
    /// said where it is.
    pub(super) fn outputs(&mut self, project: &Project) {
        let mut wanted: BTreeMap<(&str, &[&str]), BTreeSet<String>> = BTreeMap::new();
        for name in names(project) {
            let fields = fields(project, &name);
            let role = fields.get("role_arn").or(fields.get("assume_role_arn"));
            let own = crate::assembly::aws_region(self.settings, &project.conf);
            let region = fields.get("region").or(own.as_ref()).map_or("*", String::as_str);
            let asked = match role {
                Some(role) => Some(Wanted {
                    service: "sts",
                    actions: &["AssumeRole"],
                    resources: vec![role.clone()],
                }),
                None => asked(name.service(), &fields, region),
            };
            if let Some(asked) = asked {
                let resources = wanted.entry((asked.service, asked.actions)).or_default();
                resources.extend(asked.resources);
            }
        }
        for ((service, actions), resources) in wanted {
            self.allow(service, actions, resources.into_iter().collect());
        }
    }
}

fn names(project: &Project) -> BTreeSet<OutputName> {
    let of_settings = project.settings.outputs.keys().cloned();
    project.conf.outputs.names().chain(of_settings).collect()
}

/// What is written down about an output. What its store of secrets holds is not looked at.
fn fields(project: &Project, name: &OutputName) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let short = streamalert_dispatcher::service(name.service()).and_then(|service| service.short_field());
    let said = project.conf.outputs.get(name).and_then(|value| value.as_str());
    if let (Some(field), Some(text)) = (short, said) {
        fields.insert(field.name.to_owned(), text.to_owned());
    }
    if let Some(OutputTarget::Fields(table)) = project.settings.outputs.get(name) {
        for (field, value) in table {
            if let FieldValue::One(secret) = value
                && let SecretSource::Text(text) = secret.source()
            {
                fields.insert(field.clone(), text.to_owned());
            }
        }
    }
    fields
}

fn asked(service: &str, fields: &BTreeMap<String, String>, region: &str) -> Option<Wanted> {
    let field = |name: &str, otherwise: &str| {
        let text = fields.get(name).map_or(otherwise, String::as_str);
        text.to_owned()
    };
    let (service, actions, resources): (&str, &[&str], Vec<String>) = match service {
        "aws-cloudwatch-log" => {
            let group = field("log_group", "/streamalert/alerts");
            let arn = format!("arn:aws:logs:{region}:*:log-group:{group}");
            let actions = &["CreateLogGroup", "CreateLogStream", "PutLogEvents"];
            ("logs", actions, vec![format!("{arn}:*"), arn])
        }
        "aws-firehose" => {
            let stream = fields.get("delivery_stream")?;
            let arn = format!("arn:aws:firehose:{region}:*:deliverystream/{stream}");
            ("firehose", &["PutRecordBatch"], vec![arn])
        }
        "aws-lambda" => {
            let arn = function_arn(&field("function", "*"), region);
            ("lambda", &["InvokeFunction"], vec![arn])
        }
        "aws-lambda-v2" => {
            let arn = function_arn(&field("lambda_function_arn", "*"), region);
            ("lambda", &["InvokeFunction"], vec![format!("{arn}:*"), arn])
        }
        "aws-s3" => {
            let (bucket, prefix) = (field("bucket", "*"), field("prefix", "alerts"));
            let arn = match bucket.starts_with("arn:") {
                true => format!("{bucket}/object/{prefix}/*"),
                false => format!("arn:aws:s3:::{bucket}/{prefix}/*"),
            };
            ("s3", &["PutObject"], vec![arn])
        }
        "aws-ses" => {
            let arn = format!("arn:aws:ses:{region}:*:identity/*");
            ("ses", &["SendRawEmail"], vec![arn])
        }
        "aws-sns" => {
            let topic = field("topic", "*");
            let arn = match topic.starts_with("arn:") {
                true => topic,
                false => format!("arn:aws:sns:{region}:{}:{topic}", field("account", "*")),
            };
            ("sns", &["Publish"], vec![arn])
        }
        "aws-sqs" => {
            let arn = queue_arn(&field("queue", "*"), region);
            ("sqs", &["GetQueueUrl", "SendMessage"], vec![arn])
        }
        _ => return None,
    };
    Some(Wanted {
        service,
        actions,
        resources,
    })
}

/// The ARN of a function that is named by its ARN, by account and name, or by its name.
fn function_arn(function: &str, region: &str) -> String {
    if function.starts_with("arn:") {
        return function.to_owned();
    }
    match function.split_once(":function:") {
        Some((account, name)) => format!("arn:aws:lambda:{region}:{account}:function:{name}"),
        None => format!("arn:aws:lambda:{region}:*:function:{function}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(service: &str, fields: &[(&str, &str)]) -> Vec<String> {
        let fields = fields
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let asked = asked(service, &fields.collect(), "eu-west-1");
        asked.map(|asked| asked.resources).unwrap_or_default()
    }

    #[test]
    fn a_policy_names_what_an_output_sends_to() {
        let function = "arn:aws:lambda:eu-west-1:*:function:f:prod";
        assert_eq!(resources("aws-lambda", &[("function", "f:prod")]), [function]);
        let function = "arn:aws:lambda:eu-west-1:1:function:f";
        assert_eq!(
            resources("aws-lambda", &[("function", "1:function:f")]),
            [function]
        );
        assert_eq!(resources("aws-lambda", &[("function", function)]), [function]);
        assert_eq!(
            resources("aws-s3", &[("bucket", "b")]),
            ["arn:aws:s3:::b/alerts/*"]
        );
        assert_eq!(
            resources("aws-sns", &[("topic", "t")]),
            ["arn:aws:sns:eu-west-1:*:t"]
        );
        // files
        assert!(resources("aws-firehose", &[]).is_empty());
        assert!(resources("slack", &[]).is_empty());
    }
}
