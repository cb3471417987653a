use streamalert_secrets::SecretError;
use streamalert_types::OutputName;

use super::{load, name_of, of_store};
use crate::args::Global;
use crate::assembly;
use crate::failure::Failure;
use crate::project::Project;
use crate::{outputs_file, paint, prompt, python};

/// Takes an output out of `conf/outputs.json` and out of the store, and tells which rules name it.
pub(super) async fn run(global: &Global, output: &str, yes: bool) -> Result<(), Failure> {
    let name = name_of(output)?;
    let (settings, conf) = load(global)?;
    let secrets = assembly::secrets(&settings, &conf);
    let store = secrets.store().await.map_err(of_store)?;
    let (is_stored, unread) = match store.get_output(&name).await {
        Ok(fields) => (fields.is_some(), None),
        // what nobody can read is removed all the same
        Err(error @ SecretError::Content { .. }) => (true, Some(error)),
        Err(error) => return Err(of_store(error)),
    };
    let text = outputs_file::read(&settings.conf.dir)?;
    let file = settings.conf.dir.join("outputs.json").display().to_string();
    let without = outputs_file::without_output(&text, &name)
        .map_err(|error| Failure::while_doing(&format!("{file} cannot be changed"), error))?;
    let in_settings = settings.place_of(&["outputs", name.as_str()]);
    if without.is_none() && !is_stored {
        let reason = match in_settings.line {
            0 => "there is no such output".to_owned(),
            _ => format!(
                "it is configured in {}: take its table out there",
                assembly::at(&in_settings)
            ),
        };
        return Err(Failure::Other(format!("{name}: {reason}")));
    }
    for warning in named_by(global, &name).await {
        anstream::eprintln!("{} {warning}", paint::in_style(paint::ODD, "warning:"));
    }
    if let Some(error) = unread {
        anstream::eprintln!(
            "{} {error}: it is removed all the same",
            paint::in_style(paint::ODD, "warning:")
        );
    }
    if !yes {
        if !prompt::somebody() {
            return Err(Failure::Other(format!(
                "nobody is there to ask: give --yes to remove {name}"
            )));
        }
        if !prompt::yes(&format!("Remove {name} for good?"), false)? {
            return Err(Failure::Other("nothing is changed".to_owned()));
        }
    }
    // First the name: one without secrets would be an error for whoever loads it in between.
    if let Some(text) = &without {
        outputs_file::write(&settings.conf.dir, text)?;
        anstream::eprintln!("{name} is no longer in {file}");
    }
    if is_stored {
        store.remove_output(&name).await.map_err(of_store)?;
        anstream::eprintln!("what was stored about {name} is no longer in {}", store.place());
    }
    if in_settings.line > 0 {
        anstream::eprintln!(
            "{} {} still configures {name}",
            paint::in_style(paint::ODD, "warning:"),
            assembly::at(&in_settings)
        );
    }
    Ok(())
}

/// What rules, health events and limits still say of the output.
async fn named_by(global: &Global, name: &OutputName) -> Vec<String> {
    let mut warnings = Vec::new();
    let project = match Project::load(global) {
        Ok(project) => project,
        Err(error) => return vec![format!("whether rules name it is not known: {error}")],
    };
    let settings = &project.settings;
    if settings.health.output_names().contains(name) {
        warnings.push(format!(
            "{}: health.outputs names it",
            assembly::at(&settings.place_of(&["health", "outputs"]))
        ));
    }
    match python::start(&project, Some(1), assembly::clock()).await {
        Ok((runtime, report)) => {
            for rule in report.rules.rules() {
                if rule.outputs.contains(name) {
                    let (file, line) = (rule.file.display(), rule.line);
                    warnings.push(format!(
                        "{file}:{line}: rule {} names it, and nothing starts before it names another",
                        rule.name
                    ));
                }
            }
            runtime.shutdown().await;
        }
        Err(error) => warnings.push(format!("whether rules name it is not known: {error}")),
    }
    warnings
}
