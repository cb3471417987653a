//! Changes of `conf/outputs.json`: an output more, an output less, and nothing else: what people and StreamAlert have
//! written stays as it is, character by character.

mod edit;
#[cfg(test)]
mod tests;

use std::io::{ErrorKind, Write};
use std::path::Path;

use streamalert_types::OutputName;

use self::edit::Text;
use crate::failure::Failure;

/// What a file without outputs says.
const EMPTY: &str = "{}\n";

/// `text` with `output`, and with what it says of it: a text, for services that the file says one thing about. Lists of
/// descriptors stay lists, and then it says nothing of it: the second of the answer is whether the value is there.
///
/// # Errors
/// The text is not of the form that StreamAlert gives it.
pub(crate) fn with_output(
    text: &str,
    output: &OutputName,
    value: Option<&str>,
) -> Result<(String, bool), String> {
    let file = Text::new(text);
    let root = file.root()?;
    let (service, descriptor) = (output.service(), output.descriptor());
    let Some(entry) = root.member(service) else {
        let unit = file.unit(&root);
        let inner = match value {
            None => quoted(descriptor),
            Some(value) => format!("{}: {}", quoted(descriptor), quoted(value)),
        };
        let (open, close) = if value.is_some() { ('{', '}') } else { ('[', ']') };
        let mut lists = root.items.iter().map(|item| file.container(item.value.clone()));
        let has_inline = lists.any(|list| list.is_ok_and(|list| file.is_inline(&list)));
        let item = if has_inline || file.is_inline(&root) {
            format!("{}: {open}{inner}{close}", quoted(service))
        } else {
            format!("{}: {open}\n{unit}{unit}{inner}\n{unit}{close}", quoted(service))
        };
        return Ok((file.insert(&root, service, &item, ""), value.is_some()));
    };
    let inside = file.container(entry.value.clone())?;
    let unit = file.unit(&root);
    let named = inside.find(descriptor);
    if !inside.is_object {
        return Ok(match named {
            Some(_) => (text.to_owned(), false),
            None => (
                file.insert(&inside, descriptor, &quoted(descriptor), &unit),
                false,
            ),
        });
    }
    let value = value.map_or_else(|| "null".to_owned(), quoted);
    Ok(match named {
        Some(item) => (file.with(item.value.clone(), &value), true),
        None => {
            let item = format!("{}: {value}", quoted(descriptor));
            (file.insert(&inside, descriptor, &item, &unit), true)
        }
    })
}

/// `text` without `output`, and without its service if that was the last one; `None` when it does not name it.
///
/// # Errors
/// The text is not of the form that StreamAlert gives it.
pub(crate) fn without_output(text: &str, output: &OutputName) -> Result<Option<String>, String> {
    let file = Text::new(text);
    let root = file.root()?;
    let Some(entry) = root.member(output.service()) else {
        return Ok(None);
    };
    let inside = file.container(entry.value.clone())?;
    let Some(at) = inside.position(output.descriptor()) else {
        return Ok(None);
    };
    if inside.items.len() > 1 {
        return Ok(Some(file.without(&inside, at)));
    }
    let at = root.position(output.service()).unwrap_or_default();
    Ok(Some(file.without(&root, at)))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What the file in `conf` says; as if it were empty where it is not there.
pub(crate) fn read(conf: &Path) -> Result<String, Failure> {
    let file = conf.join("outputs.json");
    match std::fs::read_to_string(&file) {
        Ok(text) if text.trim().is_empty() => Ok(EMPTY.to_owned()),
        Ok(text) => Ok(text),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(EMPTY.to_owned()),
        Err(error) => Err(Failure::while_doing(
            &format!("cannot read {}", file.display()),
            error,
        )),
    }
}

/// Writes the file in `conf` as a whole: whoever reads it sees the old one or the new one. It keeps its permissions, and
/// where it is a link, what that leads to is written.
pub(crate) fn write(conf: &Path, text: &str) -> Result<(), Failure> {
    let named = conf.join("outputs.json");
    let file = named.canonicalize().unwrap_or_else(|_| named.clone());
    let write = || -> std::io::Result<()> {
        let dir = file.parent().unwrap_or(Path::new("."));
        let mut new = tempfile::Builder::new()
            .prefix(".outputs.json")
            .tempfile_in(dir)?;
        new.write_all(text.as_bytes())?;
        let permissions = match std::fs::metadata(&file) {
            Ok(metadata) => metadata.permissions(),
            Err(_) => std::os::unix::fs::PermissionsExt::from_mode(0o644),
        };
        new.as_file().set_permissions(permissions)?;
        new.as_file().sync_all()?;
        new.persist(&file)?;
        std::fs::File::open(dir)?.sync_all()
    };
    write().map_err(|error| Failure::while_doing(&format!("cannot write {}", named.display()), error))
}
