use serde_json::{Value as Json, json};
use streamalert_testkit::WebhookReceiver;
use streamalert_testkit::emulator::{account, ministack};

use crate::outputs::aws_lambda::tests::{called, case_of, check};
use crate::outputs::fixtures::{alert, at_emulator, context, problem, send};
use crate::outputs::suite::Case;
use crate::{OutputRegistry, OutputSpec};

const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:respond";

pub(super) fn case() -> Case {
    let settings = |base: &str| {
        json!({
            "lambda_function_arn": ARN, "function_qualifier": "production", "payload": "publication", "endpoint_url": base,
            "assume_role_arn": "arn:aws:iam::123456789012:role/invoke", "external_id": "x",
        })
    };
    case_of(settings, |request| {
        let name = ARN.replace(':', "%3A");
        check(
            request,
            &format!("/2015-03-31/functions/{name}/invocations?Qualifier=production"),
        );
    })
}

#[test]
fn what_contradicts_itself_is_refused() {
    let qualified = format!("{ARN}:test");
    let two = json!({"lambda_function_arn": qualified, "function_qualifier": "production"});
    assert!(problem("aws-lambda-v2:a", two).contains("has another one"));
    let alone = json!({"lambda_function_arn": ARN, "external_id": "x"});
    assert!(problem("aws-lambda-v2:a", alone).contains("external_id without assume_role_arn"));
    let none = json!({"function_qualifier": "production"});
    assert!(problem("aws-lambda-v2:a", none).contains("missing field `lambda_function_arn`"));
}

#[tokio::test]
async fn the_region_is_that_of_the_arn_and_the_role_is_the_one_to_assume() {
    let receiver = WebhookReceiver::start(None).await;
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut context = context(std::path::Path::new("."));
    let (inner, seen) = (std::sync::Arc::clone(&context.aws), std::sync::Arc::clone(&asked));
    context.aws = std::sync::Arc::new(move |access| {
        seen.lock().unwrap().push(access.clone());
        inner(access)
    });
    let role = "arn:aws:iam::123456789012:role/invoke";
    let spec = OutputSpec {
        name: "aws-lambda-v2:a".parse().unwrap(),
        // empty, as StreamAlert keeps what was not answered
        settings: json!({
            "lambda_function_arn": ARN, "function_qualifier": "", "assume_role_arn": role, "external_id": "x",
            "endpoint_url": receiver.url(""),
        }),
        origin: "test".to_owned(),
    };
    let outputs = OutputRegistry::load(std::slice::from_ref(&spec), &context).unwrap();
    let output = outputs.into_outputs().remove(&spec.name).unwrap().output;
    send(&*output, "aws-lambda-v2:a", alert(1)).await.unwrap();
    let asked = asked.lock().unwrap();
    assert_eq!(asked[0].region.as_deref(), Some("eu-west-1"));
    let role_asked = asked[0].role.as_ref().unwrap();
    assert_eq!(
        (&*role_asked.arn, role_asked.external_id.as_deref()),
        (role, Some("x"))
    );
    assert!(receiver.requests()[0].path.ends_with("/invocations"));
}

#[tokio::test]
async fn a_function_is_called_with_the_record() {
    let Some(emulator) = ministack().await else { return };
    let account = account();
    let dir = tempfile::tempdir().unwrap();
    let calls = emulator.calls(&account);
    calls.create_function("respond", &dir.path().join("called")).await;
    let arn = format!("arn:aws:lambda:us-east-1:{account}:function:respond");
    let name = "aws-lambda-v2:respond";
    let output = at_emulator(name, &[json!({"lambda_function_arn": arn})], emulator, &account);
    send(&*output, name, alert(1)).await.unwrap();
    let record: Json = serde_json::from_slice(&alert(1).record).unwrap();
    assert_eq!(called(&dir.path().join("called"), 1).await, [record]);
}
