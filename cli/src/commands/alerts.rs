use streamalert_proto::{AdminRequest, v1};
use streamalert_value::Value;

use crate::access::{self, member};
use crate::args::{self, Global};
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
            open,
            limit,
            json,
        } => {
            let request = v1::ListAlertsRequest {
                rule: rule.clone(),
                since_micros: None,
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
