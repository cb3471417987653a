use std::sync::{Arc, Mutex};

use streamalert_proto::{Admin, AdminRequest, v1};
use streamalert_types::{DeadLetterId, Tracer};
use streamalert_value::Value;

use crate::access::{self, member};
use crate::admin::ProcessAdmin;
use crate::args::{self, Global};
use crate::assembly::{self, OpenStores, Pipeline};
use crate::commands::schema::pretty;
use crate::failure::Failure;
use crate::paint;
use crate::project::{Project, load_settings};
use crate::replay::Replayer;

/// `dead-letter list|show|replay`
pub(crate) async fn run(global: &Global, args: &args::DeadLetter) -> Result<(), Failure> {
    match args {
        args::DeadLetter::List { kind, limit, json } => list(global, kind.clone(), *limit, *json).await,
        args::DeadLetter::Show { id, json } => show(global, id, *json).await,
        args::DeadLetter::Remove { ids } => remove(global, ids).await,
        args::DeadLetter::Replay { ids } => replay(global, ids).await,
    }
}

async fn list(global: &Global, kind: Option<String>, limit: usize, json: bool) -> Result<(), Failure> {
    let admin = access::admin(&load_settings(global)?).await?;
    let items_max = u32::try_from(limit).unwrap_or(u32::MAX);
    let request = v1::ListDeadLettersRequest {
        kind,
        since_micros: None,
        items_max,
    };
    let answer = access::ask(&*admin, AdminRequest::ListDeadLetters(request)).await?;
    let rows = answer.as_list().unwrap_or_default();
    if rows.is_empty() && !json {
        anstream::eprintln!("no dead letters");
    }
    for row in rows {
        if json {
            println!("{}", row.to_json());
            continue;
        }
        let (id, created, kind) = (member(row, "id"), member(row, "created"), member(row, "kind"));
        anstream::println!("{}  {created}  {kind}", paint::in_style(paint::HEAD, id));
        anstream::println!("  {}", paint::in_style(paint::ODD, member(row, "reason")));
        anstream::println!("  {}", member(row, "about"));
        anstream::println!(
            "  {}",
            paint::in_style(paint::DIM, member(row, "body").trim_end())
        );
    }
    Ok(())
}

async fn show(global: &Global, id: &str, json: bool) -> Result<(), Failure> {
    let admin = access::admin(&load_settings(global)?).await?;
    let request = v1::ShowDeadLetterRequest { id: id.to_owned() };
    let answer = access::ask(&*admin, AdminRequest::ShowDeadLetter(request)).await?;
    println!("{}", if json { answer.to_json() } else { pretty(&answer) });
    Ok(())
}

async fn remove(global: &Global, ids: &[String]) -> Result<(), Failure> {
    let stores = assembly::open_stores(&load_settings(global)?).await?;
    let parse = |id: &String| {
        id.parse()
            .map_err(|_| Failure::Other(format!("not a dead-letter id: {id}")))
    };
    let ids = ids
        .iter()
        .map(parse)
        .collect::<Result<Vec<DeadLetterId>, Failure>>()?;
    let removed = stores.dead_letters.remove(&ids).await;
    removed.map_err(|error| Failure::while_doing("cannot remove dead letters", error))
}

async fn replay(global: &Global, ids: &[String]) -> Result<(), Failure> {
    let settings = load_settings(global)?;
    let request = v1::ReplayDeadLettersRequest {
        ids: ids.to_vec(),
        kind: None,
        since_micros: None,
    };
    let request = AdminRequest::ReplayDeadLetters(request);
    let answer = match assembly::try_open_stores(&settings).await? {
        // A merger of our own would take shards from those that run.
        OpenStores::Open(stores) if !stores.alone => {
            access::ask(&*access::running(&settings).await?, request).await?
        }
        OpenStores::Locked(_) => access::ask(&*access::running(&settings).await?, request).await?,
        OpenStores::Open(stores) => here(&Project::load(global)?, stores, request).await?,
    };
    let rows = answer.as_list().unwrap_or_default();
    let mut kept = 0;
    for row in rows {
        let word = match member(row, "outcome") {
            "replayed" => paint::in_style(paint::GOOD, "replayed"),
            other => {
                kept += 1;
                paint::in_style(paint::ODD, other)
            }
        };
        anstream::println!("{}  {word}: {}", member(row, "id"), member(row, "detail"));
    }
    anstream::println!("{} replayed, {kept} kept", rows.len() - kept);
    if kept > 0 { Err(Failure::Told) } else { Ok(()) }
}

/// No process runs on the data directory, so this one is the pipeline for a while.
async fn here(project: &Project, stores: assembly::Stores, request: AdminRequest) -> Result<Value, Failure> {
    let clock = assembly::clock();
    let line = Pipeline::start(project, &stores, clock.clone(), Tracer::default()).await?;
    let replayer = Replayer {
        taker: Mutex::new(assembly::takers(project, clock)?()),
        rules: line.rules.clone(),
        deliveries: Arc::new(line.dispatcher.clone()),
        stores: stores.clone(),
    };
    let admin = ProcessAdmin {
        stores: Some(stores),
        replayer: Some(Arc::new(replayer)),
        ..ProcessAdmin::default()
    };
    let answer = admin.ask(request).await;
    line.merger.wait_idle().await;
    drop(admin);
    line.stop().await?;
    let answer = answer.map_err(|error| Failure::Other(error.to_string()))?;
    Value::parse_json(answer.as_bytes()).map_err(|error| Failure::while_doing("answer is not json", error))
}
