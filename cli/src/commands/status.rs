use streamalert_config::StoreType;
use streamalert_proto::{Admin, AdminRequest, v1};
use streamalert_value::Value;

use crate::access::{self, member};
use crate::args::{self, Global};
use crate::failure::Failure;
use crate::paint;
use crate::project::load_settings;

/// What is loaded again beside rules, and what is said while it is not.
const RELOADS: [(&str, &str); 2] = [
    (
        "templates_reload_failure",
        "templates and rules not loaded again:",
    ),
    ("outputs_reload_failure", "outputs not loaded again:"),
];

/// What a running process says of itself; with a store that many share, what the store says of all.
pub(crate) async fn run(global: &Global, args: &args::Status) -> Result<(), Failure> {
    let settings = load_settings(global)?;
    let shared = settings.store.r#type == StoreType::Dynamodb;
    let admin = match access::running(&settings).await {
        Err(_) if shared => access::admin(&settings).await?,
        running => running?,
    };
    let answer = ask(&*admin).await?;
    if args.json {
        println!("{}", answer.to_json());
        return Ok(());
    }
    let services = list(&answer, "services");
    let services: Vec<&str> = services.iter().filter_map(Value::as_str).collect();
    if services.is_empty() {
        anstream::println!(
            "no process on the data directory {} answers at {}; the store says of all:",
            settings.data.dir.display(),
            access::address(&settings)
        );
    } else {
        anstream::println!("services: {}", services.join(", "));
    }
    if let Some(rules) = answer.get("rules").filter(|rules| !rules.is_null()) {
        print_rules(rules);
    }
    for (key, word) in RELOADS {
        if !member(&answer, key).is_empty() {
            anstream::println!("{} {}", paint::in_style(paint::BAD, word), member(&answer, key));
        }
    }
    for line in list(&answer, "outputs").iter().filter_map(output_line) {
        anstream::println!("{line}");
    }
    for canary in list(&answer, "canaries") {
        let arrived = match member(&canary, "arrived") {
            "" => "none has arrived yet".to_owned(),
            arrived => format!("the last that arrived is that of {arrived}"),
        };
        let missing = canary.get("missing").and_then(Value::as_bool) == Some(true);
        let word = if missing {
            paint::in_style(paint::BAD, "missing: ")
        } else {
            String::new()
        };
        anstream::println!("canary {}: {word}{arrived}", member(&canary, "output"));
    }
    for kind in list(&answer, "leases") {
        print_leases(&kind);
    }
    Ok(())
}

async fn ask(admin: &dyn Admin) -> Result<Value, Failure> {
    access::ask(admin, AdminRequest::Status(v1::StatusRequest {})).await
}

fn list(value: &Value, key: &str) -> Vec<Value> {
    value
        .get(key)
        .and_then(Value::as_list)
        .unwrap_or_default()
        .to_vec()
}

fn number(value: &Value, key: &str) -> i64 {
    value.get(key).and_then(Value::as_i64).unwrap_or_default()
}

/// Of an output that is down, holds alerts or gave some up; the others have nothing to tell.
fn output_line(output: &Value) -> Option<String> {
    let mut parts = Vec::new();
    if output.get("down").and_then(Value::as_bool) == Some(true) {
        parts.push(paint::in_style(paint::BAD, "down"));
    }
    let dead = match number(output, "dead") {
        1 => "dead letter since the start",
        _ => "dead letters since the start",
    };
    let counts = [
        ("waiting", "waiting"),
        ("retrying", "to be tried again"),
        ("burying", "to be stored as dead letters"),
        ("dead", dead),
    ];
    for (key, words) in counts {
        let count = number(output, key);
        if count > 0 {
            parts.push(format!("{count} {words}"));
        }
    }
    if parts.is_empty() {
        return None;
    }
    let error = match member(output, "last_error") {
        "" => String::new(),
        error => format!("; last error: {error}"),
    };
    Some(format!(
        "output {}: {}{error}",
        member(output, "output"),
        parts.join(", ")
    ))
}

fn print_rules(rules: &Value) {
    anstream::println!(
        "rules: {}, version {}",
        number(rules, "rules"),
        member(rules, "version")
    );
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
}

fn print_leases(kind: &Value) {
    let free = match number(kind, "free") {
        0 => String::new(),
        free => paint::in_style(paint::BAD, format!(", {free} without an owner")),
    };
    let leases = number(kind, "leases");
    let word = if leases == 1 { "lease" } else { "leases" };
    anstream::println!("{}: {leases} {word}{free}", member(kind, "kind"));
    for node in list(kind, "nodes") {
        let address = match member(&node, "address") {
            "" => String::new(),
            address => format!(" at {address}"),
        };
        let (name, leases, updated) = (
            member(&node, "node"),
            number(&node, "leases"),
            member(&node, "updated"),
        );
        anstream::println!("  {name}{address}: {leases}, last written {updated}");
    }
    for shard in list(kind, "shards") {
        let covered = match (
            shard.get("finished").and_then(Value::as_bool),
            member(&shard, "covered"),
        ) {
            (Some(true), _) => "read to its end".to_owned(),
            (_, "") => match member(&shard, "checkpoint") {
                "" => "nothing acknowledged yet".to_owned(),
                checkpoint => format!("acknowledged up to {checkpoint}"),
            },
            (_, covered) => format!("acknowledged what arrived before {covered}"),
        };
        let node = match member(&shard, "node") {
            "" => "nobody",
            node => node,
        };
        anstream::println!("  {} ({node}): {covered}", member(&shard, "shard"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::json;

    fn line(output: &str) -> Option<String> {
        let line = output_line(&json(output.as_bytes()))?;
        Some(anstream::adapter::strip_str(&line).to_string())
    }

    #[test]
    fn an_output_that_is_down_or_holds_alerts_has_a_line() {
        let down = r#"{"output": "webhook:a", "down": true, "waiting": 7, "retrying": 2, "burying": 0, "dead": 1,
            "last_error": "http 503: busy"}"#;
        assert_eq!(
            line(down).unwrap(),
            "output webhook:a: down, 7 waiting, 2 to be tried again, 1 dead letter since the start; \
             last error: http 503: busy"
        );
        let full = r#"{"output": "webhook:a", "down": false, "waiting": 0, "retrying": 0, "burying": 3, "dead": 2,
            "last_error": null}"#;
        assert_eq!(
            line(full).unwrap(),
            "output webhook:a: 3 to be stored as dead letters, 2 dead letters since the start"
        );
    }

    #[test]
    fn an_output_that_works_has_no_line() {
        let works = r#"{"output": "webhook:a", "down": false, "waiting": 0, "retrying": 0, "burying": 0, "dead": 0,
            "last_error": "http 503: it was busy once"}"#;
        assert_eq!(line(works), None);
    }
}
