use streamalert_proto::{AdminRequest, v1};
use streamalert_types::Timestamp;
use streamalert_value::Value;

use crate::access::{self, member};
use crate::args::{self, Global};
use crate::assembly;
use crate::commands::schema::pretty;
use crate::failure::Failure;
use crate::paint;
use crate::project::load_settings;

/// `alerts list|show`
pub(crate) async fn run(global: &Global, args: &args::Alerts) -> Result<(), Failure> {
    let admin = access::admin(&load_settings(global)?).await?;
    match args {
        args::Alerts::List {
            rule,
            since,
            open,
            limit,
            json,
        } => {
            let request = v1::ListAlertsRequest {
                rule: rule.clone(),
                since_micros: since_micros(since.as_deref(), assembly::clock().now())?,
                open_only: *open,
                items_max: u32::try_from(*limit).unwrap_or(u32::MAX),
            };
            let answer = access::ask(&*admin, AdminRequest::ListAlerts(request)).await?;
            let rows = answer.as_list().unwrap_or_default();
            if rows.is_empty() && !*json {
                anstream::eprintln!("no alerts");
            }
            for row in rows {
                if *json {
                    println!("{}", row.to_json());
                } else {
                    line(row);
                }
            }
        }
        args::Alerts::Show { id, json } => {
            let request = v1::ShowAlertRequest { id: id.clone() };
            let answer = access::ask(&*admin, AdminRequest::ShowAlert(request)).await?;
            println!("{}", if *json { answer.to_json() } else { pretty(&answer) });
        }
    }
    Ok(())
}

/// The moment that `text` says, as microseconds since 1970: so long before `now`, or by itself.
fn since_micros(text: Option<&str>, now: Timestamp) -> Result<Option<i64>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let unclear = || {
        let example = "30m, 24h, 7d or a moment such as 2026-01-31T00:00:00Z";
        Failure::Other(format!("--since {text:?} is no time: write {example}"))
    };
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(Some(moment.as_micros()));
    }
    let (count, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let seconds: i64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(unclear()),
    };
    let count: u32 = count.parse().map_err(|_| unclear())?;
    let ago = (seconds * 1_000_000).saturating_mul(i64::from(count));
    Ok(Some(now.as_micros().saturating_sub(ago)))
}

fn line(row: &Value) {
    let state = match member(row, "state") {
        "settled" => paint::in_style(paint::GOOD, "settled"),
        other => paint::in_style(paint::ODD, other),
    };
    let (id, created) = (member(row, "id"), member(row, "created"));
    anstream::println!(
        "{id}  {created}  {}  {}  {state}",
        member(row, "rule"),
        member(row, "log_type")
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_so_long_ago_or_a_moment() {
        let now = Timestamp::from_micros(1_000_000_000_000_000);
        let since = |text| since_micros(Some(text), now).map_err(|failure| failure.to_string());
        assert_eq!(since("90s"), Ok(Some(999_999_910_000_000)));
        assert_eq!(since("2d"), Ok(Some(1_000_000_000_000_000 - 172_800_000_000)));
        assert_eq!(since("4000000000d"), Ok(Some(now.as_micros() - i64::MAX)));
        assert_eq!(since("1970-01-01T00:00:01Z"), Ok(Some(1_000_000)));
        assert!(matches!(since_micros(None, now), Ok(None)));
        for text in ["", "h", "-1h", "5", "5 h", "yesterday", "5w", "99999999999d", "ü"] {
            assert!(since(text).unwrap_err().contains(text), "{text}");
        }
    }
}
