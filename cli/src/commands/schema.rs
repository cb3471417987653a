use streamalert_value::Value;

use crate::args::{self, Global};
use crate::explain::{object, text};
use crate::failure::Failure;
use crate::project::Project;

/// `schema list|show`
pub(crate) fn run(global: &Global, args: &args::Schema) -> Result<(), Failure> {
    let project = Project::load(global)?;
    match args {
        args::Schema::List { json } => list(&project, *json),
        args::Schema::Show { log_type } => return show(&project, log_type),
    }
    Ok(())
}

fn list(project: &Project, json: bool) {
    for log_type in project.schemas.log_types() {
        let builtin = project
            .definitions
            .get(&**log_type)
            .is_some_and(|(_, builtin)| *builtin);
        let origin = if builtin { "built-in" } else { "conf" };
        let parser = project
            .schemas
            .data_type(log_type)
            .map_or("?", streamalert_types::DataType::as_str);
        if json {
            let row = object([
                ("log_type", text(log_type)),
                ("parser", text(parser)),
                ("origin", text(origin)),
            ]);
            println!("{}", row.to_json());
        } else {
            println!("{log_type:<50} {parser:<7} {origin}");
        }
    }
}

fn show(project: &Project, log_type: &str) -> Result<(), Failure> {
    let Some((definition, _)) = project.definitions.get(log_type) else {
        return Err(Failure::Other(format!(
            "no schema is named {log_type:?}; `schema list` shows all"
        )));
    };
    let entry = Value::Map([(log_type.to_owned(), definition.clone())].into_iter().collect());
    println!("{}", pretty(&entry));
    Ok(())
}

/// Indented JSON, key order kept.
pub(crate) fn pretty(value: &Value) -> String {
    serde_json::from_str::<serde_json::Value>(&value.to_json())
        .ok()
        .and_then(|value| serde_json::to_string_pretty(&value).ok())
        // NaN and the like are no JSON for others: shown on one line, as they are.
        .unwrap_or_else(|| value.to_json())
}
