//! The rules of the benchmark: they load without Python, and nothing of them is refused.

use std::collections::BTreeMap;
use std::path::Path;

use streamalert_native::load::{Problem, load};
use streamalert_native::lower;

fn read(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).expect("the folder is in the repository") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            read(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "py") {
            let name = path
                .strip_prefix(root)
                .expect("within the root")
                .to_string_lossy()
                .replace('\\', "/");
            files.insert(name, std::fs::read_to_string(&path).expect("a text"));
        }
    }
}

#[test]
fn the_rules_of_the_benchmark_load_without_python() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../benches/rules/typical");
    let mut files = BTreeMap::new();
    read(&root, &root, &mut files);
    let loaded = load(&files, files.keys().map(String::as_str), (3, 11, 7));
    let told: Vec<String> = loaded.problems.iter().map(Problem::to_string).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    assert!(loaded.rules.len() >= 40, "{}", loaded.rules.len());
    let program = lower::compile(&loaded.export).expect("the version is known");
    let refused: Vec<&str> = program
        .rules
        .iter()
        .filter(|rule| rule.refused.is_some())
        .map(|rule| &*rule.name)
        .collect();
    assert!(refused.is_empty(), "{refused:?}: {:?}", program.points);
}
