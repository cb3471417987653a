use streamalert_proto::{AdminRequest, v1};
use streamalert_value::Value;

use crate::access::{self, member};
use crate::args::Global;
use crate::failure::Failure;
use crate::paint;
use crate::project::load_settings;

/// `rules stats`
pub(super) async fn run(global: &Global, json: bool) -> Result<(), Failure> {
    let admin = access::running(&load_settings(global)?).await?;
    let request = v1::RuleStatsRequest { rule: None };
    let answer = access::ask(&*admin, AdminRequest::RuleStats(request)).await?;
    if json {
        println!("{}", answer.to_json());
        return Ok(());
    }
    anstream::println!(
        "{}",
        paint::in_style(
            paint::HEAD,
            "   records evaluations   matches exceptions    killed suspended fallbacks   mean ns  rule"
        )
    );
    for row in answer.as_list().unwrap_or_default() {
        let count = |key: &str| row.get(key).and_then(Value::as_i64).unwrap_or_default();
        let mean = match row.get("mean_nanos") {
            Some(Value::Float(mean)) => format!("{mean:.0}"),
            _ => "-".to_owned(),
        };
        anstream::println!(
            "{:>10}{:>12}{:>10}{:>11}{:>10}{:>10}{:>10}{mean:>10}  {}",
            count("records"),
            count("evaluations"),
            count("matches"),
            count("exceptions"),
            count("kills"),
            count("suspended"),
            count("fallbacks"),
            member(row, "rule")
        );
        if !member(row, "last_fallback").is_empty() {
            let line = format!("to CPython at {}", member(row, "last_fallback"));
            anstream::println!("{:85}{}", "", paint::in_style(paint::DIM, line));
        }
        if let Some(sample) = row.get("sample").filter(|sample| !sample.is_null()) {
            for line in member(sample, "what").lines() {
                anstream::println!("{:85}{}", "", paint::in_style(paint::ODD, line));
            }
        }
    }
    Ok(())
}
