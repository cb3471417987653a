//! The project that a fleet runs: one stream, rules for its events, a webhook.

use std::path::Path;

use crate::events::Kind;

/// Few, because the emulator does some hundred writes a second, and each lease is renewed all the time.
const MERGER_SHARDS: u32 = 8;
const DISPATCHER_SLOTS: u32 = 4;
const LEASE_SECS: u32 = 6;
/// Outputs, each of which some dispatcher owns.
const SINKS: usize = 5;

/// Writes the project whose alerts go to `url`.
pub(crate) fn write(dir: &Path, url: &str) {
    let file = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    file(
        "conf/clusters/test.json",
        r#"{"id": "test", "data_sources": {"kinesis": {"stream": ["load"]}}}"#,
    );
    file(
        "conf/global.json",
        r#"{"general": {"rule_locations": ["rules"]}}"#,
    );
    let sinks: Vec<String> = (0..SINKS).map(|sink| format!("\"sink{sink}\"")).collect();
    file(
        "conf/outputs.json",
        &format!(r#"{{"webhook": [{}]}}"#, sinks.join(", ")),
    );
    file(
        "conf/schemas/load.json",
        r#"{"load:event": {"parser": "json", "schema": {"n": "integer", "group": "string", "kind": "string"}}}"#,
    );
    file("rules/load.py", &rules());
    let outputs = (0..SINKS).map(|sink| format!("[outputs.\"webhook:sink{sink}\"]\nurl = \"{url}\"\n"));
    let settings = outputs.collect::<String>()
        + &format!(
            "[aws]\ndata_sources = true\n[store]\ntype = \"dynamodb\"\n\
             [node]\nlease_secs = {LEASE_SECS}\n[merger]\nshards = {MERGER_SHARDS}\n\
             [dispatcher]\nslots = {DISPATCHER_SLOTS}\nretry_initial_ms = 20\nretry_max_ms = 200\n\
             [python]\nworkers = 1\n"
        );
    file("streamalert.toml", &settings);
}

fn rules() -> String {
    let mut rules = "from streamalert.shared.rule import rule\n".to_owned();
    let alert = Kind::Single.name();
    for third in 0..3 {
        rules += &format!(
            "\n@rule(logs=['load:event'], outputs=['webhook:sink{third}'])\n\
             def single_{third}(record):\n    \
                 return record['kind'] == '{alert}' and record['n'] % 3 == {third}\n"
        );
    }
    for (sink, kind) in [(3, Kind::Grouped), (4, Kind::Windowed)] {
        let (name, window) = (kind.name(), kind.window_mins());
        rules += &format!(
            "\n@rule(logs=['load:event'], outputs=['webhook:sink{sink}'], merge_by_keys=['group'], \
             merge_window_mins={window})\n\
             def {name}(record):\n    \
                 return record['kind'] == '{name}'\n"
        );
    }
    rules
}
