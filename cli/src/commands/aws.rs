mod outputs;
mod secrets;

use streamalert_config::{Billing, Settings, SourceAccess, SourceInput, StoreType};
use streamalert_store::Capacity;
use streamalert_value::Value;

use crate::args::{self, Global, PolicyFor};
use crate::assembly;
use crate::commands::schema::pretty;
use crate::explain::{object, text};
use crate::failure::Failure;
use crate::project::{Project, load_settings};

/// `aws init|policy`
pub(crate) async fn run(global: &Global, args: &args::Aws) -> Result<(), Failure> {
    match args {
        args::Aws::Init(args) => init(&load_settings(global)?, args.dry_run).await,
        args::Aws::Policy { service } => {
            println!("{}", pretty(&policy(&Project::load(global)?, *service)?));
            Ok(())
        }
    }
}

async fn init(settings: &Settings, dry_run: bool) -> Result<(), Failure> {
    if settings.store.r#type != StoreType::Dynamodb {
        let hint = "set store.type = \"dynamodb\" in streamalert.toml, or give --set store.type=dynamodb";
        return Err(Failure::Other(format!(
            "the embedded store needs no tables; {hint}"
        )));
    }
    let capacity = capacity(settings);
    let store = assembly::dynamo_store(settings).await?;
    // Told because tables in a region that nobody meant look like success.
    let place = assembly::store_region(settings).await;
    let paid = match capacity {
        Capacity::OnDemand => "paid by the request".to_owned(),
        Capacity::Provisioned {
            read_units,
            write_units,
        } => format!("provisioned with {read_units} read and {write_units} write units a second"),
    };
    let failed = |error| Failure::while_doing("DynamoDB", error);
    let planned = store.plan_tables().await.map_err(failed)?;
    for table in &planned {
        let what = match (table.new, dry_run) {
            (false, _) => format!("is there in {place}, and stays as it is"),
            (true, true) => format!("would be made in {place}, {paid}"),
            (true, false) => format!("is being made in {place}, {paid}"),
        };
        println!("table {}: {what}", table.name);
    }
    if dry_run || !planned.iter().any(|table| table.new) {
        return Ok(());
    }
    let made = store.create_tables(capacity).await.map_err(failed)?;
    let new = made.iter().filter(|table| table.new).count();
    println!("{new} made; turn on point-in-time recovery and deletion protection for them");
    Ok(())
}

fn capacity(settings: &Settings) -> Capacity {
    match settings.store.billing {
        Billing::OnDemand => Capacity::OnDemand,
        Billing::Provisioned => Capacity::Provisioned {
            // The settings are refused without these.
            read_units: settings.store.read_units.unwrap_or(1),
            write_units: settings.store.write_units.unwrap_or(1),
        },
    }
}

const READS: [&str; 5] = ["DescribeTable", "GetItem", "BatchGetItem", "Query", "Scan"];
const WRITES: [&str; 4] = ["PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"];

/// Statements of a policy.
struct Statements<'a> {
    settings: &'a Settings,
    list: Vec<Value>,
}

impl Statements<'_> {
    fn allow(&mut self, service: &str, actions: &[&str], resources: Vec<String>) {
        self.allow_if(service, actions, resources, None);
    }

    fn allow_if(
        &mut self,
        service: &str,
        actions: &[&str],
        resources: Vec<String>,
        condition: Option<Value>,
    ) {
        if resources.is_empty() {
            return;
        }
        let actions = actions.iter().map(|action| text(&format!("{service}:{action}")));
        let resources = resources.iter().map(|resource| text(resource));
        let statement = [
            ("Effect", text("Allow")),
            ("Action", Value::List(actions.collect())),
            ("Resource", Value::List(resources.collect())),
        ];
        let condition = condition.map(|condition| ("Condition", condition));
        self.list.push(object(statement.into_iter().chain(condition)));
    }

    fn tables(&mut self, names: &[&str], actions: &[&str]) {
        let settings = self.settings;
        let region = settings.store.region.as_ref().or(settings.aws.region.as_ref());
        let region = region.map_or("*", String::as_str);
        let mut resources = Vec::new();
        for name in names {
            let table = format!(
                "arn:aws:dynamodb:{region}:*:table/{}-{name}",
                settings.store.table_prefix
            );
            if actions.contains(&"Query") {
                resources.push(format!("{table}/index/*"));
            }
            resources.push(table);
        }
        self.allow("dynamodb", actions, resources);
    }

    /// Bodies of alerts or letters that no item can hold.
    fn bodies(&mut self, folder: &str, actions: &[&str]) {
        let bucket = self.settings.store.bucket.iter();
        let resources = bucket
            .map(|bucket| format!("arn:aws:s3:::{bucket}/{folder}/*"))
            .collect();
        self.allow("s3", actions, resources);
    }

    fn sources(&mut self, project: &Project) -> Result<(), Failure> {
        let (sources, _) = project.conf.sources_to_read(&project.settings)?;
        let (mut streams, mut consumers, mut queues) = (Vec::new(), Vec::new(), Vec::new());
        let (mut objects, mut roles) = (Vec::new(), Vec::new());
        for source in &sources {
            let access = match &source.input {
                SourceInput::Kinesis(input) => {
                    let arn = stream_arn(&input.stream, self.region(&input.access));
                    if input.consumer.is_some() {
                        consumers.push(format!("{arn}/consumer/*"));
                        consumers.push(arn.clone());
                    }
                    streams.push(arn);
                    &input.access
                }
                SourceInput::S3 { queue, access } => {
                    queues.push(queue_arn(queue, self.region(access)));
                    objects.push(format!("arn:aws:s3:::{}/*", source.source.resource));
                    access
                }
                SourceInput::Sqs { queue, access } | SourceInput::SnsQueue { queue, access, .. } => {
                    queues.push(queue_arn(queue, self.region(access)));
                    access
                }
                // SNS calls us, with a subscription that it has us confirm by a plain request.
                _ => continue,
            };
            roles.extend(access.role_arn.clone());
        }
        let reading = [
            "DescribeStreamSummary",
            "ListShards",
            "GetShardIterator",
            "GetRecords",
        ];
        let fan_out = [
            "DescribeStreamConsumer",
            "RegisterStreamConsumer",
            "SubscribeToShard",
        ];
        let receiving = [
            "GetQueueUrl",
            "ReceiveMessage",
            "DeleteMessage",
            "ChangeMessageVisibility",
        ];
        for (service, actions, mut resources) in [
            ("kinesis", &reading[..], streams),
            ("kinesis", &fan_out, consumers),
            ("sqs", &receiving, queues),
            ("s3", &["GetObject"], objects),
            ("sts", &["AssumeRole"], roles),
        ] {
            resources.sort();
            resources.dedup();
            self.allow(service, actions, resources);
        }
        Ok(())
    }

    fn region<'a>(&'a self, access: &'a SourceAccess) -> &'a str {
        let region = access.region.as_ref().or(self.settings.aws.region.as_ref());
        region.map_or("*", String::as_str)
    }
}

fn stream_arn(stream: &str, region: &str) -> String {
    match stream.starts_with("arn:") {
        true => stream.to_owned(),
        false => format!("arn:aws:kinesis:{region}:*:stream/{stream}"),
    }
}

/// The ARN of a queue that is named by URL, ARN or name.
fn queue_arn(queue: &str, region: &str) -> String {
    if queue.starts_with("arn:") {
        return queue.to_owned();
    }
    let mut parts = queue.trim_end_matches('/').rsplit('/');
    let name = parts.next().unwrap_or(queue);
    let account = parts
        .next()
        .filter(|part| part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit()));
    format!("arn:aws:sqs:{region}:{}:{name}", account.unwrap_or("*"))
}

/// The policy of one service.
fn policy(project: &Project, service: PolicyFor) -> Result<Value, Failure> {
    use PolicyFor::{All, Classifier, Dispatcher, Init, Merger, Operator, RulesNode, Secrets};
    let settings = &project.settings;
    let mut statements = Statements {
        settings,
        list: Vec::new(),
    };
    let dynamodb = settings.store.r#type == StoreType::Dynamodb;
    let all = [&READS[..], &WRITES].concat();
    if dynamodb && service == Init {
        let actions = ["CreateTable", "DescribeTable", "UpdateTimeToLive"];
        statements.tables(&["alerts", "leases", "letters", "checkpoints"], &actions);
    } else if dynamodb && service != Secrets {
        // Every service looks at its start whether all tables are there.
        let (written, read): (&[&str], &[&str]) = match service {
            All => (&["alerts", "leases", "letters", "checkpoints"], &[]),
            Classifier => (&["leases", "letters", "checkpoints"], &[]),
            RulesNode => (&["letters"], &["leases"]),
            Merger => (&["alerts", "leases"], &[]),
            Dispatcher => (&["letters", "leases"], &[]),
            Operator | Init | Secrets => (&["letters"], &["alerts", "leases", "checkpoints"]),
        };
        statements.tables(written, &all);
        if !read.is_empty() {
            statements.tables(read, &READS);
        }
        let rest = ["alerts", "leases", "letters", "checkpoints"];
        let rest: Vec<&str> = rest
            .into_iter()
            .filter(|table| !written.contains(table) && !read.contains(table))
            .collect();
        if !rest.is_empty() {
            statements.tables(&rest, &["DescribeTable"]);
        }
        if matches!(service, All | Merger) {
            statements.bodies("alerts", &["GetObject", "PutObject", "DeleteObject"]);
        }
        if service == Operator {
            statements.bodies("alerts", &["GetObject"]);
        }
        if service != Merger {
            statements.bodies("letters", &["GetObject", "PutObject", "DeleteObject"]);
        }
    }
    if matches!(service, All | Classifier) {
        statements.sources(project)?;
    }
    if matches!(service, All | Dispatcher) {
        statements.outputs(project);
    }
    statements.secrets(project, service);
    if statements.list.is_empty() {
        return Err(Failure::Other(
            "with these settings it calls nothing of AWS: set store.type = \"dynamodb\", sources, outputs or secrets of AWS"
                .to_owned(),
        ));
    }
    Ok(object([
        ("Version", text("2012-10-17")),
        ("Statement", Value::List(statements.list)),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_by_any_name_is_allowed_by_its_arn() {
        let arn = "arn:aws:sqs:eu-west-1:123456789012:q";
        assert_eq!(queue_arn(arn, "x"), arn);
        let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/q";
        assert_eq!(queue_arn(url, "eu-west-1"), arn);
        assert_eq!(queue_arn("q", "eu-west-1"), "arn:aws:sqs:eu-west-1:*:q");
    }
}
