use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use streamalert_config::{Located, Place, Problem};
use streamalert_value::Value;

use super::event::TestEvent;
use super::helper::Helpers;

/// A file over this size is no test event file; reading it would only cost memory.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Folders that hold other JSON files than test events.
const OTHER_FOLDERS: [&str; 4] = ["test_fixtures", "fixtures", "templates", "__pycache__"];

/// What to test.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Targets {
    /// Files in order, each once.
    pub(crate) files: Vec<PathBuf>,
    /// Only events that one of these rules must fire on; empty for all.
    pub(crate) rules: BTreeSet<String>,
    /// Whether everything is tested, or what somebody picked.
    pub(crate) everything: bool,
}

/// One test event file, read.
#[derive(Debug)]
pub(crate) struct EventFile {
    /// Its events, or why it has none.
    pub(crate) events: Result<Vec<TestEvent>, Problem>,
}

impl Targets {
    /// Takes apart what was asked for: files and folders that exist, and names of rules. Without any files or folders,
    /// `folders`.
    ///
    /// # Errors
    /// The path that does not exist.
    pub(crate) fn of(asked: &[String], folders: &[PathBuf]) -> Result<Self, String> {
        let mut targets = Self {
            everything: asked.is_empty(),
            ..Self::default()
        };
        let mut paths = Vec::new();
        for word in asked {
            let path = Path::new(word);
            let looks_like_path = word.contains('/') || path.extension().is_some() || word.starts_with('.');
            if path.is_file() && path.extension().is_some_and(|extension| extension == "py") {
                return Err(format!(
                    "{word} is a Python file; name a file of test events, such as {}, or a rule",
                    path.with_extension("json").display()
                ));
            } else if path.exists() {
                paths.push(path.to_owned());
            } else if looks_like_path {
                return Err(format!("no such file or folder: {word}"));
            } else {
                targets.rules.insert(word.clone());
            }
        }
        if paths.is_empty() {
            paths.extend(folders.iter().filter(|folder| folder.exists()).cloned());
        }
        let mut seen = BTreeSet::new();
        for path in paths {
            let found = if path.is_dir() {
                files_below(&path)
            } else {
                vec![plain(&path)]
            };
            targets
                .files
                .extend(found.into_iter().filter(|file| seen.insert(file.clone())));
        }
        Ok(targets)
    }
}

impl EventFile {
    /// Reads a file.
    pub(crate) fn read(path: &Path, helpers: &Helpers) -> Self {
        let events = read_document(path).and_then(|document| events_of(&document, helpers));
        Self { events }
    }
}

fn events_of(document: &Located, helpers: &Helpers) -> Result<Vec<TestEvent>, Problem> {
    let root = document.value();
    // StreamAlert 1 had the list under this key.
    let (events, prefix) = match (root.as_list(), root.get("records").and_then(Value::as_list)) {
        (Some(events), _) => (events, None),
        (None, Some(events)) => (events, Some("records")),
        (None, None) => {
            let fix =
                "write the events as [{…}, {…}]; files with other things belong in a folder test_fixtures";
            return Err(document.error(&[], "a test event file is a list of events", fix));
        }
    };
    let read = |(at, event): (usize, &Value)| {
        let index = at.to_string();
        let path: Vec<&str> = prefix.into_iter().chain([index.as_str()]).collect();
        TestEvent::read(document, &path, at + 1, event, helpers)
    };
    Ok(events.iter().enumerate().map(read).collect())
}

/// Reads a JSON file.
pub(super) fn read_document(path: &Path) -> Result<Located, Problem> {
    let name = path.display().to_string();
    let unreadable = |reason: String| Place::of_file(&name).error("", format!("cannot read: {reason}"), "");
    let size = std::fs::metadata(path)
        .map_err(|error| unreadable(error.to_string()))?
        .len();
    if size > FILE_BYTES_MAX {
        return Err(unreadable(format!(
            "{size} bytes are more than the limit of {FILE_BYTES_MAX}"
        )));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        let place = Place {
            file: name.clone(),
            line,
            column: 1,
        };
        place.error("", "not utf-8", "save the file as utf-8")
    })?;
    // Some editors on Windows put this mark in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if text.trim().is_empty() {
        return Err(Place::of_file(&name).error("", "the file is empty", "write [] for no events"));
    }
    Located::parse(&name, text)
}

/// The JSON files below a folder, those of one folder before those of the folders in it. Links to folders are not
/// followed, as they may lead in circles.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = json_files(folder);
    let Ok(entries) = std::fs::read_dir(folder) else {
        return files;
    };
    let mut folders: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            !name.starts_with('.') && !OTHER_FOLDERS.contains(&name.as_ref())
        })
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    for folder in folders {
        files.extend(files_below(&folder));
    }
    files
}

/// The JSON files in a folder, sorted; none when there is no such folder.
pub(super) fn json_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let is_json =
        |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json") && path.is_file();
    let mut files: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| plain(&entry.path()))
        .filter(is_json)
        .collect();
    files.sort();
    files
}

/// Without `./` in front.
fn plain(path: &Path) -> PathBuf {
    path.components()
        .filter(|component| *component != Component::CurDir)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn with(files: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            for (path, text) in files {
                let path = dir.path().join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            Self(dir)
        }

        fn path(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        fn asked(&self, path: &str) -> String {
            self.path(path).display().to_string()
        }
    }

    #[test]
    fn folders_are_searched_in_order_and_what_is_no_test_event_is_left_out() {
        let folder = Folder::with(&[
            ("rules/b/x.json", "[]"),
            ("rules/a/y.json", "[]"),
            ("rules/a/y.py", ""),
            ("rules/z.json", "[]"),
            ("rules/test_fixtures/lookup_tables/t.json", "{}"),
            ("rules/.git/x.json", "[]"),
        ]);
        let targets = Targets::of(&[], &[folder.path("rules"), folder.path("tests/integration")]).unwrap();
        let files: Vec<PathBuf> = ["rules/z.json", "rules/a/y.json", "rules/b/x.json"]
            .map(|f| folder.path(f))
            .into();
        assert_eq!(
            targets,
            Targets {
                files,
                rules: BTreeSet::new(),
                everything: true
            }
        );
    }

    #[test]
    fn words_are_files_folders_or_rules_and_each_file_is_read_once() {
        let folder = Folder::with(&[("rules/a/x.json", "[]"), ("rules/b.json", "[]")]);
        let asked = [
            folder.asked("rules/b.json"),
            "some_rule".to_owned(),
            folder.asked("rules"),
        ];
        let targets = Targets::of(&asked, &[]).unwrap();
        assert_eq!(
            targets.files,
            [folder.path("rules/b.json"), folder.path("rules/a/x.json")]
        );
        assert_eq!(targets.rules, ["some_rule".to_owned()].into());
        assert!(!targets.everything);
        let only_rule = Targets::of(&["some_rule".to_owned()], &[folder.path("rules")]).unwrap();
        assert_eq!(only_rule.files.len(), 2, "a rule alone is looked for everywhere");
        assert_eq!(
            Targets::of(&["rules/none".to_owned()], &[]),
            Err("no such file or folder: rules/none".to_owned())
        );
        assert!(Targets::of(&["none.json".to_owned()], &[]).is_err());
        let code = Folder::with(&[("rules/b.py", "")]);
        let refused = Targets::of(&[code.asked("rules/b.py")], &[]).unwrap_err();
        assert!(
            refused.contains("is a Python file; name a file of test events"),
            "{refused}"
        );
    }

    fn events(text: &str) -> Result<Vec<TestEvent>, Problem> {
        let folder = Folder::with(&[("x.json", text)]);
        EventFile::read(&folder.path("x.json"), &Helpers::at(0)).events
    }

    #[test]
    fn a_malformed_file_is_told_with_its_line() {
        let error = events("[\n  {},\n  oops\n]").unwrap_err();
        assert_eq!(error.line, 3, "{error}");
        let error = events("\n{\"a\": 1}").unwrap_err();
        assert_eq!(
            (error.line, error.message.as_str()),
            (2, "a test event file is a list of events")
        );
        let folder = Folder::with(&[]);
        std::fs::write(folder.path("x.json"), b"[\n\xff]").unwrap();
        let error = EventFile::read(&folder.path("x.json"), &Helpers::at(0))
            .events
            .unwrap_err();
        assert_eq!((error.line, error.message.as_str()), (2, "not utf-8"));
    }

    #[test]
    fn events_know_their_place_in_either_form_of_file() {
        for text in ["[\n{},\n{}]", "{\"records\": [\n{},\n{}]}"] {
            let events = events(text).unwrap();
            let places: Vec<_> = events.iter().map(|event| (event.number, event.line)).collect();
            assert_eq!(places, [(1, 2), (2, 3)], "{text}");
        }
    }
}
