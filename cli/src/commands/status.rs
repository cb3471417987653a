use streamalert_proto::{AdminRequest, v1};
use streamalert_value::Value;

use crate::access::{self, member};
use crate::args::{self, Global};
use crate::failure::Failure;
use crate::paint;
use crate::project::load_settings;

/// What a running process says of itself.
pub(crate) async fn run(global: &Global, args: &args::Status) -> Result<(), Failure> {
    let admin = access::running(&load_settings(global)?).await?;
    let answer = access::ask(&*admin, AdminRequest::Status(v1::StatusRequest {})).await?;
    if args.json {
        println!("{}", answer.to_json());
        return Ok(());
    }
    let list = |value: &Value, key: &str| {
        value
            .get(key)
            .and_then(Value::as_list)
            .unwrap_or_default()
            .to_vec()
    };
    let services = list(&answer, "services");
    let services: Vec<&str> = services.iter().filter_map(Value::as_str).collect();
    anstream::println!("services: {}", services.join(", "));
    let Some(rules) = answer.get("rules").filter(|rules| !rules.is_null()) else {
        return Ok(());
    };
    let count = rules.get("rules").and_then(Value::as_i64).unwrap_or_default();
    anstream::println!("rules: {count}, version {}", member(rules, "version"));
    for error in list(rules, "not_loaded").iter().filter_map(Value::as_str) {
        anstream::println!("{} {error}", paint::in_style(paint::BAD, "not loaded:"));
    }
    for (key, word) in [
        ("reload_failure", "not loaded again:"),
        ("no_python", "no python:"),
    ] {
        if !member(rules, key).is_empty() {
            anstream::println!("{} {}", paint::in_style(paint::BAD, word), member(rules, key));
        }
    }
    for suspended in list(rules, "suspended") {
        anstream::println!(
            "{} {} until {}: {}",
            paint::in_style(paint::BAD, "suspended:"),
            member(&suspended, "rule"),
            member(&suspended, "until"),
            member(&suspended, "reason")
        );
    }
    Ok(())
}
