//! Type stubs of what rules import, for editors and type checkers.

macro_rules! embedded {
    ($($to:literal = $path:literal),+ $(,)?) => {
        &[$(($to, include_str!(concat!("../stubs/", $path)))),+]
    };
}

/// Where each file goes, and its text. A folder that a checker is pointed to has packages under their own names; the
/// suffix `-stubs` is for installed ones.
const FILES: &[(&str, &str)] = embedded![
    "rules/helpers/base.pyi" = "rules-stubs/helpers/base.pyi",
    "streamalert/__init__.pyi" = "streamalert-stubs/__init__.pyi",
    "streamalert/alert_processor/__init__.pyi" = "streamalert-stubs/alert_processor/__init__.pyi",
    "streamalert/alert_processor/helpers.pyi" = "streamalert-stubs/alert_processor/helpers.pyi",
    "streamalert/publishers.pyi" = "streamalert-stubs/publishers.pyi",
    "streamalert/rules_engine/__init__.pyi" = "streamalert-stubs/rules_engine/__init__.pyi",
    "streamalert/rules_engine/threat_intel.pyi" = "streamalert-stubs/rules_engine/threat_intel.pyi",
    "streamalert/shared/__init__.pyi" = "streamalert-stubs/shared/__init__.pyi",
    "streamalert/shared/alert.pyi" = "streamalert-stubs/shared/alert.pyi",
    "streamalert/shared/config.pyi" = "streamalert-stubs/shared/config.pyi",
    "streamalert/shared/description.pyi" = "streamalert-stubs/shared/description.pyi",
    "streamalert/shared/exceptions.pyi" = "streamalert-stubs/shared/exceptions.pyi",
    "streamalert/shared/importer.pyi" = "streamalert-stubs/shared/importer.pyi",
    "streamalert/shared/logger.pyi" = "streamalert-stubs/shared/logger.pyi",
    "streamalert/shared/lookup_tables/__init__.pyi" = "streamalert-stubs/shared/lookup_tables/__init__.pyi",
    "streamalert/shared/lookup_tables/configuration.pyi" =
        "streamalert-stubs/shared/lookup_tables/configuration.pyi",
    "streamalert/shared/lookup_tables/core.pyi" = "streamalert-stubs/shared/lookup_tables/core.pyi",
    "streamalert/shared/lookup_tables/drivers.pyi" = "streamalert-stubs/shared/lookup_tables/drivers.pyi",
    "streamalert/shared/lookup_tables/drivers_factory.pyi" =
        "streamalert-stubs/shared/lookup_tables/drivers_factory.pyi",
    "streamalert/shared/lookup_tables/errors.pyi" = "streamalert-stubs/shared/lookup_tables/errors.pyi",
    "streamalert/shared/lookup_tables/table.pyi" = "streamalert-stubs/shared/lookup_tables/table.pyi",
    "streamalert/shared/metrics.pyi" = "streamalert-stubs/shared/metrics.pyi",
    "streamalert/shared/normalize.pyi" = "streamalert-stubs/shared/normalize.pyi",
    "streamalert/shared/publisher.pyi" = "streamalert-stubs/shared/publisher.pyi",
    "streamalert/shared/resources.pyi" = "streamalert-stubs/shared/resources.pyi",
    "streamalert/shared/rule.pyi" = "streamalert-stubs/shared/rule.pyi",
    "streamalert/shared/stats.pyi" = "streamalert-stubs/shared/stats.pyi",
    "streamalert/shared/utils.pyi" = "streamalert-stubs/shared/utils.pyi",
];

/// The stubs of the package `streamalert` and of `rules.helpers.base`, as `(path, text)`; paths are relative to the
/// folder that the type checker looks into.
#[must_use]
pub const fn stubs() -> &'static [(&'static str, &'static str)] {
    FILES
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    #[test]
    fn the_stubs_name_exactly_what_the_shim_defines() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let output = Command::new("python3")
            .arg(root.join("stubs/compare.py"))
            .args([root.join("shim"), root.join("stubs")])
            .output()
            .unwrap();
        let told =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        let compared = format!("{} files agree", FILES.len());
        assert!(
            told.contains(&compared),
            "a file is not embedded, or gone: {told}"
        );
    }
}
