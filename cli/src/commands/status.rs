use streamalert_config::StoreType;
use streamalert_proto::{Admin, AdminRequest, v1};
use streamalert_value::Value;

use crate::access::{self, member};
use crate::args::{self, Global};
use crate::failure::Failure;
use crate::paint;
use crate::project::load_settings;

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
    if !member(&answer, "outputs_reload_failure").is_empty() {
        anstream::println!(
            "{} {}",
            paint::in_style(paint::BAD, "outputs not loaded again:"),
            member(&answer, "outputs_reload_failure")
        );
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
