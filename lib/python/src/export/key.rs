//! What names an export in the cache: the interpreter, our own Python files, the options, and the Python files in
//! the folders of rules, matchers and publishers.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::entry::update_sized;
use crate::{PoolOptions, interpreter, shim};

/// Folders with more Python files are not hashed at each start.
const FILES_MAX: usize = 20_000;

/// How far folders are followed down.
const DEPTH_MAX: usize = 32;

/// A script that starts Python answers what it stands for within this time.
const ASK_SECS_MAX: u64 = 10;

/// What an interpreter is behind a script.
const QUESTION: &str = "import sys; print(sys.implementation.name, sys.version_info >= (3, 8), sys.version, \
    sys.executable, sys.prefix)";

/// How the answer of one that is used begins.
const SUITABLE: &[u8] = b"cpython True ";

/// The name of an entry: a hash in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key(pub(super) String);

/// `None`: these options cannot be told from others, so nothing is looked up or stored.
pub(super) async fn key(options: &PoolOptions) -> Option<Key> {
    let mut hasher = blake3::Hasher::new();
    for candidate in interpreter::candidates(options.interpreter.as_deref()) {
        let Some(path) = executable(&candidate) else {
            continue;
        };
        if add_interpreter(&mut hasher, &path).await? {
            break;
        }
    }
    let options = options.clone();
    let hashed = tokio::task::spawn_blocking(move || {
        add_surroundings(&mut hasher);
        add_options(&mut hasher, &options)?;
        Some(Key(hasher.finalize().to_hex().to_string()))
    });
    hashed.await.ok().flatten()
}

/// The file that running this name runs.
fn executable(candidate: &Path) -> Option<PathBuf> {
    if candidate.components().count() > 1 {
        return candidate.is_file().then(|| candidate.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(candidate))
        .find(|file| {
            file.metadata()
                .is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o111 != 0)
        })
}

/// Whether this one is used for sure. An executable would have to be started to know, so that those after it count
/// as well.
async fn add_interpreter(hasher: &mut blake3::Hasher, path: &Path) -> Option<bool> {
    let target = path.canonicalize().ok()?;
    let metadata = target.metadata().ok()?;
    update_sized(hasher, path.as_os_str().as_bytes());
    update_sized(hasher, target.as_os_str().as_bytes());
    for number in [
        metadata.size(),
        metadata.mtime().cast_unsigned(),
        metadata.mtime_nsec().cast_unsigned(),
    ] {
        hasher.update(&number.to_le_bytes());
    }
    // A virtual environment says next to its executable, or one folder up, which Python it is of.
    for dir in path.ancestors().skip(1).take(2) {
        update_sized(hasher, &std::fs::read(dir.join("pyvenv.cfg")).unwrap_or_default());
    }
    if !is_script(&target)? {
        return Some(false);
    }
    let mut command = tokio::process::Command::new(path);
    command
        .args(["-S", "-c", QUESTION])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let answer = tokio::time::timeout(Duration::from_secs(ASK_SECS_MAX), command.output());
    let answer = answer.await.ok()?.ok()?.stdout;
    update_sized(hasher, &answer);
    Some(answer.starts_with(SUITABLE))
}

fn is_script(path: &Path) -> Option<bool> {
    let mut start = [0; 2];
    std::io::Read::read_exact(&mut std::fs::File::open(path).ok()?, &mut start).ok()?;
    Some(&start == b"#!")
}

/// Our own files, and the variables that Python itself goes by.
fn add_surroundings(hasher: &mut blake3::Hasher) {
    for (path, text) in shim::FILES {
        update_sized(hasher, path.as_bytes());
        update_sized(hasher, text.as_bytes());
    }
    let mut variables: Vec<_> = std::env::vars_os()
        .filter(|(name, _)| {
            let name = name.as_bytes();
            name.starts_with(b"PYTHON")
                || name.starts_with(b"LC_")
                || matches!(
                    name,
                    b"HOME" | b"LANG" | b"LANGUAGE" | b"TZ" | b"VIRTUAL_ENV" | b"LD_LIBRARY_PATH"
                )
        })
        .collect();
    variables.sort();
    for (name, value) in variables {
        update_sized(hasher, name.as_bytes());
        update_sized(hasher, value.as_bytes());
    }
}

fn add_options(hasher: &mut blake3::Hasher, options: &PoolOptions) -> Option<()> {
    let root = options.repo_root.canonicalize().ok()?;
    let mut add_path = |label: &str, path: &Path| {
        update_sized(hasher, label.as_bytes());
        update_sized(hasher, path.as_os_str().as_bytes());
    };
    add_path("root", &root);
    if let Some(dir) = &options.conf_dir {
        add_path("conf", dir);
    }
    for (name, path) in &options.lookup_tables {
        add_path("table", Path::new(name));
        add_path("file", path);
    }
    let limits = &options.limits;
    hasher.update(&limits.memory_bytes.to_le_bytes());
    hasher.update(&limits.open_files.to_le_bytes());
    hasher.update(&limits.file_bytes.to_le_bytes());
    hasher.update(&[u8::from(limits.allow_processes), u8::from(limits.network)]);
    let mut files = Vec::new();
    for (label, dirs) in [
        ("publishers", &options.publisher_dirs),
        ("matchers", &options.matcher_dirs),
        ("rules", &options.rule_dirs),
    ] {
        for dir in dirs {
            update_sized(hasher, label.as_bytes());
            update_sized(hasher, dir.as_os_str().as_bytes());
            collect(&root.join(dir), DEPTH_MAX, &mut files)?;
        }
    }
    files.sort();
    files.dedup();
    for path in files {
        update_sized(hasher, path.as_os_str().as_bytes());
        update_sized(hasher, &std::fs::read(&path).ok()?);
    }
    Some(())
}

/// The Python files below a folder, or the file itself; `None` when there are too many. As the loader does, it
/// follows links to files but not to folders.
fn collect(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Option<()> {
    if !path.is_dir() {
        if path.extension().is_some_and(|extension| extension == "py") && path.is_file() {
            files.push(path.to_owned());
        }
        return (files.len() <= FILES_MAX).then_some(());
    }
    let depth = depth.checked_sub(1)?;
    for entry in std::fs::read_dir(path).ok()? {
        let entry = entry.ok()?;
        let descends = entry.file_type().ok()?.is_dir() && entry.file_name() != "__pycache__";
        if descends || !entry.path().is_dir() {
            collect(&entry.path(), depth, files)?;
        }
    }
    Some(())
}
