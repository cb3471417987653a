//! All 21 output services of StreamAlert, configured as it is with StreamAlert: what its users bring along arrives
//! everywhere.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use streamalert_testkit::emulator::{Calls, Emulator, account, ministack};
use streamalert_testkit::{ReceivedRequest, Reply, WebhookReceiver};
use tokio::time::Instant;

use crate::support::{PATIENCE, TestProject, binary, stdout};

/// As StreamAlert writes it: what AWS needs to know by name, all else only listed.
const OUTPUTS: &str = r#"{
  "aws-cloudwatch-log": ["security"],
  "aws-firehose": {"security": "team-alerts"},
  "aws-lambda": {"security": "respond:$LATEST"},
  "aws-lambda-v2": ["security"],
  "aws-s3": {"security": "BUCKET"},
  "aws-ses": ["security"],
  "aws-sns": {"security": "topic"},
  "aws-sqs": {"security": "queue"},
  "carbonblack": ["security"],
  "demisto": ["security"],
  "github": ["security"],
  "jira": ["security"],
  "jira-v2": ["security"],
  "komand": ["security"],
  "pagerduty": ["security"],
  "pagerduty-incident": ["security"],
  "pagerduty-v2": ["security"],
  "phantom": ["security"],
  "slack": ["security"],
  "teams": ["security"],
  "victorops": ["security"]
}"#;

/// Services that are asked over http, with what each request that brings something begins with; the others only look.
const DELIVERIES: [(&str, &str); 13] = [
    ("carbonblack", "POST /carbonblack/api/v1/banning/blacklist"),
    ("demisto", "POST /demisto/incident"),
    ("github", "POST /github/repos/example/alerts/issues"),
    ("jira", "POST /jira/rest/api/2/issue"),
    ("jira-v2", "POST /jira-v2/rest/api/2/issue"),
    ("komand", "POST /komand/v2/triggers/t/events"),
    ("pagerduty", "POST /pagerduty/create_event.json"),
    ("pagerduty-incident", "POST /pagerduty-incident/v2/enqueue"),
    ("pagerduty-v2", "POST /pagerduty-v2/v2/enqueue"),
    ("phantom", "POST /phantom/rest/artifact"),
    ("slack", "POST /slack/services/T0/B0/X"),
    ("teams", "POST /teams/workflows/w"),
    ("victorops", "POST /victorops/alert/key/team"),
];

const HISTORY: &str =
    "[outputs.\"aws-firehose:alerts\".fields]\ndelivery_stream = \"team_streamalert_alert_delivery\"\n";

const MD5: &str = "7FB55F5A62E78AF9B58D08AAEEAEF848";

/// One rule that names every output of `conf/outputs.json`.
fn rule() -> String {
    let outputs: Value = serde_json::from_str(OUTPUTS).unwrap();
    let names = outputs
        .as_object()
        .unwrap()
        .keys()
        .map(|service| format!("'{service}:security'"));
    let names: Vec<String> = names.collect();
    assert_eq!(names.len(), 21);
    format!(
        "from streamalert.shared.rule import rule\n\n\
         @rule(logs=['load:event'], outputs=[{}], context={{'carbonblack': {{}}}})\n\
         def told_everywhere(record, context):\n    \
             \"\"\"Somebody did something.\"\"\"\n    \
             context['carbonblack'] = {{'action': 'ban', 'value': '{MD5}'}}\n    \
             return True\n",
        names.join(", ")
    )
}

/// StreamAlert's credentials of each output that has some, under StreamAlert's names. Where StreamAlert goes to one place
/// only, the last field says another.
fn credentials(base: &str, other_account: &str) -> BTreeMap<&'static str, Value> {
    let at = |path: &str| format!("{base}{path}");
    let jira = |url: String| {
        json!({
            "username": "sa", "password": "pw", "url": url, "project_key": "SEC", "issue_type": "Task", "aggregate": "no",
            "aggregation_additional_jql": "", "ssl_verify": "no", "additional_required_issue_fields": "",
        })
    };
    [
        (
            "aws-lambda-v2",
            json!({
                "lambda_function_arn": format!("arn:aws:lambda:us-east-1:{other_account}:function:elsewhere"),
                "function_qualifier": "", "assume_role_arn": format!("arn:aws:iam::{other_account}:role/invoke"),
            }),
        ),
        ("aws-ses", json!({"from_email": "sa@example.com", "to_emails": "soc@example.com"})),
        ("carbonblack", json!({"url": at("/carbonblack"), "ssl_verify": "True", "token": "cb-token"})),
        ("demisto", json!({"url": at("/demisto"), "token": "demisto-token"})),
        (
            "github",
            json!({
                "username": "sa", "access_token": "github-token", "repository": "example/alerts", "labels": "alert",
                "api": at("/github"),
            }),
        ),
        ("jira", jira(at("/jira"))),
        ("jira-v2", jira(at("/jira-v2"))),
        ("komand", json!({"komand_auth_token": "komand-token", "url": at("/komand/v2/triggers/t/events")})),
        ("pagerduty", json!({"service_key": "pagerduty-key", "url": at("/pagerduty/create_event.json")})),
        (
            "pagerduty-incident",
            json!({
                "token": "incident-token", "service_name": "s", "service_id": "PS", "escalation_policy": "p",
                "escalation_policy_id": "PP", "email_from": "sa@example.com", "integration_key": "incident-key",
                "api": at("/pagerduty-incident"), "events_url": at("/pagerduty-incident/v2/enqueue"),
            }),
        ),
        ("pagerduty-v2", json!({"routing_key": "routing-key", "url": at("/pagerduty-v2/v2/enqueue")})),
        ("phantom", json!({"ph_auth_token": "phantom-token", "url": at("/phantom")})),
        ("slack", json!({"url": at("/slack/services/T0/B0/X")})),
        ("teams", json!({"url": at("/teams/workflows/w")})),
        (
            "victorops",
            json!({
                "victorops_api_id": "vo-id", "victorops_api_key": "vo-key", "url": at("/victorops/alert/key"),
                "routing_key": "team",
            }),
        ),
    ]
    .into()
}

/// Every service in one server; none has anything yet.
fn answer(request: &ReceivedRequest) -> Reply {
    let path = request.path.split('?').next().unwrap();
    let (service, path) = path.trim_start_matches('/').split_once('/').unwrap();
    let (status, body) = match (service, request.method.as_str(), path) {
        ("carbonblack", "GET", _) => (404, json!("Hash not found")),
        ("demisto", "POST", "incidents/search") => (200, json!({"total": 0, "data": []})),
        ("demisto", ..) => (201, json!({"id": "1", "version": 1})),
        ("github", "GET", _) => (200, json!([])),
        ("github", ..) => (201, json!({"number": 1})),
        ("jira" | "jira-v2", "GET", _) => (200, json!({"issues": []})),
        ("jira" | "jira-v2", ..) => (201, json!({"id": "1", "key": "SEC-1"})),
        ("pagerduty-incident", "GET", "incidents") => {
            (200, json!({"incidents": [{"id": "PINCIDENT"}], "more": false}))
        }
        ("pagerduty-incident", "GET", "incidents/PINCIDENT/notes") => (200, json!({"notes": []})),
        ("pagerduty-incident", "PUT", _) => (200, json!({"incident": {"id": "PINCIDENT"}})),
        ("pagerduty-incident", "POST", "incidents/PINCIDENT/notes") => (200, json!({"note": {"id": "N"}})),
        ("phantom", "GET", _) => (200, json!({"count": 0, "data": []})),
        ("phantom", ..) => (200, json!({"success": true, "id": 1})),
        ("slack", ..) => return Reply::status(200, "ok"),
        ("pagerduty-incident" | "pagerduty-v2", ..) => (202, json!({"status": "success", "message": "ok"})),
        _ => (
            200,
            json!({"status": "success", "result": "success", "message": "ok"}),
        ),
    };
    Reply::status(status, &body.to_string())
}

/// AWS with what the outputs send to.
struct Aws {
    calls: Calls,
    account: String,
    /// Where a function of another account is.
    other: Calls,
    other_account: String,
    bucket: String,
    queue: String,
    behind_topic: String,
}

impl Aws {
    async fn prepare(emulator: &Emulator, project: &TestProject) -> Self {
        let (account, other_account) = (account(), account());
        let (calls, other) = (emulator.calls(&account), emulator.calls(&other_account));
        calls
            .create_function("respond", &project.path("respond.jsonl"))
            .await;
        other
            .create_function("elsewhere", &project.path("elsewhere.jsonl"))
            .await;
        let bucket = format!("alerts-{account}");
        calls.rest("PUT", &format!("/{bucket}"), "s3", "").await;
        for (stream, bucket) in [
            ("team-alerts", "security"),
            ("team_streamalert_alert_delivery", "history"),
        ] {
            let bucket = format!("{bucket}-{account}");
            calls.rest("PUT", &format!("/{bucket}"), "s3", "").await;
            let stream = json!({
                "DeliveryStreamName": stream,
                "ExtendedS3DestinationConfiguration": {
                    "RoleARN": format!("arn:aws:iam::{account}:role/f"), "BucketARN": format!("arn:aws:s3:::{bucket}"),
                },
            });
            let create = "Firehose_20150804.CreateDeliveryStream";
            calls.ask("firehose", create, &stream.to_string()).await.unwrap();
        }
        let verify = "/?Action=VerifyEmailIdentity&EmailAddress=sa%40example.com&Version=2010-12-01";
        calls.rest("POST", verify, "ses", "").await;
        let queue = calls.create_queue("queue").await;
        let behind_topic = calls.create_queue("behind").await;
        calls.sns("Action=CreateTopic&Name=topic").await;
        calls
            .sns(&format!(
                "Action=Subscribe&TopicArn=arn:aws:sns:us-east-1:{account}:topic&Protocol=sqs\
                 &Endpoint=arn:aws:sqs:us-east-1:{account}:behind"
            ))
            .await;
        Self {
            calls,
            account,
            other,
            other_account,
            bucket,
            queue,
            behind_topic,
        }
    }

    /// What each service has got; waited for where it comes later.
    async fn arrived(&self, project: &TestProject) -> BTreeMap<&'static str, Vec<Value>> {
        let log = json!({"logGroupName": "/streamalert/alerts", "logStreamName": "security"}).to_string();
        let events = self.ask("logs", "Logs_20140328.GetLogEvents", &log).await;
        let events = events["events"].as_array().unwrap().iter();
        let mails: Value = serde_json::from_str(&self.calls.mails().await).unwrap();
        let notified = self.messages(&self.behind_topic).await;
        [
            (
                "aws-cloudwatch-log",
                events.map(|event| parsed(&event["message"])).collect(),
            ),
            (
                "aws-firehose",
                self.objects(&format!("security-{}", self.account)).await,
            ),
            ("aws-lambda", called(project, "respond.jsonl").await),
            ("aws-lambda-v2", called(project, "elsewhere.jsonl").await),
            ("aws-s3", self.objects(&self.bucket).await),
            (
                "aws-ses",
                mails["messages"][&self.account].as_array().unwrap().clone(),
            ),
            (
                "aws-sns",
                notified
                    .iter()
                    .map(|envelope| parsed(&envelope["Message"]))
                    .collect(),
            ),
            ("aws-sqs", self.messages(&self.queue).await),
        ]
        .into()
    }

    async fn ask(&self, service: &str, target: &str, body: &str) -> Value {
        serde_json::from_str(&self.calls.ask(service, target, body).await.unwrap()).unwrap()
    }

    async fn messages(&self, queue: &str) -> Vec<Value> {
        let body = json!({"QueueUrl": queue, "MaxNumberOfMessages": 10}).to_string();
        let answer = self.ask("sqs", "AmazonSQS.ReceiveMessage", &body).await;
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        messages.iter().map(|message| parsed(&message["Body"])).collect()
    }

    async fn objects(&self, bucket: &str) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let listed = self
                .calls
                .rest("GET", &format!("/{bucket}?list-type=2"), "s3", "")
                .await;
            let keys = listed
                .split("<Key>")
                .skip(1)
                .map(|rest| rest.split("</Key>").next().unwrap());
            let mut objects = Vec::new();
            for key in keys {
                let object = self
                    .calls
                    .rest("GET", &format!("/{bucket}/{key}"), "s3", "")
                    .await;
                objects.push(serde_json::from_str(&object).unwrap());
            }
            if !objects.is_empty() {
                return objects;
            }
            assert!(Instant::now() < deadline, "nothing in {bucket}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// JSON within JSON.
fn parsed(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

/// What a function was called with.
async fn called(project: &TestProject, file: &str) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(project.path(file)).unwrap_or_default();
        if text.ends_with('\n') {
            return text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
        }
        assert!(Instant::now() < deadline, "{file} was not written");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Where the credentials are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// In the encrypted file, put there by the command line.
    File,
    /// In Parameter Store, where StreamAlert has put them.
    ParameterStore,
}

struct Scene {
    project: TestProject,
    env: Vec<(String, String)>,
    aws: Aws,
    receiver: WebhookReceiver,
}

impl Scene {
    async fn set(emulator: &Emulator, kept: Kept) -> Self {
        let project = TestProject::new(&rule());
        let aws = Aws::prepare(emulator, &project).await;
        let receiver = WebhookReceiver::start(None).await;
        receiver.choose(answer);
        project.write("conf/outputs.json", &OUTPUTS.replace("BUCKET", &aws.bucket));
        let global = json!({
            "account": {"aws_account_id": aws.account, "prefix": "team", "region": "us-east-1"},
            "general": {"rule_locations": ["rules"]},
        });
        project.write("conf/global.json", &global.to_string());
        // with the one the history is in files, with the other where StreamAlert has it
        let (store, history) = match kept {
            Kept::File => ("file", ""),
            Kept::ParameterStore => ("ssm", HISTORY),
        };
        project.write(
            "streamalert.toml",
            &format!(
                "[secrets]\ntype = \"{store}\"\n[python]\nworkers = 1\n[[sources]]\ntype = \"directory\"\n\
                 service = \"kinesis\"\nresource = \"stream\"\npath = \"logs\"\n{history}"
            ),
        );
        let scene = Self {
            env: emulator.env(&aws.account),
            project,
            aws,
            receiver,
        };
        for (service, fields) in credentials(&scene.receiver.url(""), &scene.aws.other_account) {
            match kept {
                Kept::File => {
                    let name = format!("outputs/{service}/security");
                    scene.run(&["secret", "put", &name], &fields.to_string());
                }
                Kept::ParameterStore => {
                    let name = format!("/team/streamalert/outputs/{service}/security");
                    scene.aws.calls.put_parameter(&name, &fields.to_string()).await;
                }
            }
        }
        scene
    }

    fn run(&self, args: &[&str], input: &str) -> String {
        let mut child = Command::new(binary())
            .args(args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.project.root())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        stdout(&child.wait_with_output().unwrap())
    }

    /// The requests that brought something, by service.
    fn posted(&self) -> BTreeMap<&'static str, Vec<ReceivedRequest>> {
        let mut posted: BTreeMap<&str, Vec<ReceivedRequest>> = BTreeMap::new();
        for request in self.receiver.requests() {
            let line = format!("{} {}", request.method, request.path);
            if let Some((service, _)) = DELIVERIES.iter().find(|(_, begin)| line == *begin) {
                posted.entry(service).or_default().push(request);
            }
        }
        posted
    }
}

/// The essential part of what each service got over http.
fn check_posted(service: &str, request: &ReceivedRequest, id: &str) {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let text = body.to_string();
    let has = |pointer: &str, value: &str| {
        let found = body.pointer(pointer).and_then(Value::as_str);
        assert_eq!(found, Some(value), "{service}: {pointer} of {text}");
    };
    let header = |name: &str, value: &str| assert_eq!(request.header(name), Some(value), "{service}");
    match service {
        "carbonblack" => {
            header("x-auth-token", "cb-token");
            has("/md5hash", MD5);
        }
        "demisto" => {
            header("authorization", "demisto-token");
            has("/name", "told_everywhere");
        }
        "github" => header("authorization", "Bearer github-token"),
        "jira" | "jira-v2" => {
            header("authorization", "Basic c2E6cHc=");
            has("/fields/project/key", "SEC");
        }
        "komand" => {
            header("authorization", "komand-token");
            has("/data/id", id);
        }
        "pagerduty" => has("/service_key", "pagerduty-key"),
        "pagerduty-incident" => has("/routing_key", "incident-key"),
        "pagerduty-v2" => has("/routing_key", "routing-key"),
        "phantom" => header("ph-auth-token", "phantom-token"),
        "victorops" => {
            header("x-vo-api-id", "vo-id");
            header("x-vo-api-key", "vo-key");
        }
        "slack" | "teams" => assert!(text.contains("Told everywhere"), "{service}: {text}"),
        other => panic!("{other}"),
    }
    assert!(text.contains(id), "{service}: no id in {text}");
    let shows_record = service == "carbonblack" || text.contains("needle");
    assert!(shows_record, "{service}: no record in {text}");
}

/// The essential part of what each service of AWS got.
fn check_in_aws(service: &str, got: &Value, id: &str) {
    let record = json!({"n": 4711, "group": "needle", "kind": "k"});
    match service {
        // the record alone, as with StreamAlert
        "aws-lambda" | "aws-lambda-v2" | "aws-sqs" => assert_eq!(*got, record, "{service}"),
        "aws-ses" => {
            assert_eq!(
                (&got["Source"], &got["To"]),
                (&json!("sa@example.com"), &json!(["soc@example.com"]))
            );
            let body = got["BodyText"].as_str().unwrap();
            assert!(body.contains("needle") && body.contains(id), "{got}");
        }
        _ => {
            assert_eq!(
                (&got["id"], &got["rule_name"]),
                (&json!(id), &json!("told_everywhere")),
                "{service}"
            );
            assert_eq!(got["record"], record, "{service}");
        }
    }
}

async fn every_output_gets_one_alert(kept: Kept) {
    let Some(emulator) = ministack().await else { return };
    let scene = Scene::set(emulator, kept).await;
    scene.project.write(
        "logs/one.jsonl",
        "{\"n\": 4711, \"group\": \"needle\", \"kind\": \"k\"}\n",
    );
    let told = scene.run(&["ingest", "--json"], "");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (&told["alerts"], &told["dead_letters"]),
        (&json!(1), &json!(0)),
        "{told}"
    );
    // the history is never in `conf/outputs.json`
    assert_eq!(told["outputs"].as_object().unwrap().len(), 22, "{told}");
    let history = scene.run(&["alerts", "list", "--json"], "");
    let alert: Value = serde_json::from_str(history.lines().next().unwrap()).unwrap();
    let id = alert["id"].as_str().unwrap();

    let posted = scene.posted();
    assert_eq!(
        posted.keys().copied().collect::<Vec<_>>(),
        DELIVERIES.map(|(service, _)| service)
    );
    for (service, requests) in &posted {
        assert_eq!(requests.len(), 1, "{service}");
        check_posted(service, &requests[0], id);
    }
    let arrived = scene.aws.arrived(&scene.project).await;
    for (service, got) in &arrived {
        assert_eq!(got.len(), 1, "{service}: {got:?}");
        check_in_aws(service, &got[0], id);
    }
    assert_eq!(posted.len() + arrived.len(), 21);
    if kept == Kept::ParameterStore {
        let history = scene.aws.objects(&format!("history-{}", scene.aws.account)).await;
        assert_eq!((history.len(), &history[0]["id"]), (1, &json!(id)));
        assert!(!scene.project.path(".streamalert/history").exists());
    } else {
        assert!(scene.project.path(".streamalert/history/alerts").is_dir());
    }
    // the function of the other account was not called in this one
    let functions = scene
        .aws
        .other
        .rest("GET", "/2015-03-31/functions", "lambda", "")
        .await;
    assert!(
        functions.contains("elsewhere") && !functions.contains("respond"),
        "{functions}"
    );

    let policy = scene.run(&["aws", "policy", "dispatcher"], "");
    for action in [
        "logs:PutLogEvents",
        "firehose:PutRecordBatch",
        "lambda:InvokeFunction",
        "s3:PutObject",
        "ses:SendRawEmail",
        "sns:Publish",
        "sqs:SendMessage",
    ] {
        assert!(policy.contains(action), "{action}: {policy}");
    }

    // nothing comes a second time
    let requests = scene.receiver.count();
    let again: Value = serde_json::from_str(&scene.run(&["ingest", "--json"], "")).unwrap();
    assert_eq!(
        (&again["alerts"], scene.receiver.count()),
        (&json!(0), requests),
        "{again}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_services_of_streamalert_get_one_alert_each_with_secrets_in_the_encrypted_file() {
    every_output_gets_one_alert(Kept::File).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_services_of_streamalert_get_one_alert_each_with_the_secrets_that_streamalert_stored() {
    every_output_gets_one_alert(Kept::ParameterStore).await;
}
