//! The schemas that need no configuration: the log types StreamAlert ships, corrected where they could not match.

macro_rules! embedded {
    ($($file:literal),* $(,)?) => {
        &[$(($file, include_str!(concat!("../builtin/", $file)))),*]
    };
}

/// In name order, which is the order in which files of schemas are read.
const BUILTIN: &[(&str, &str)] = embedded![
    "aliyun.json",
    "binaryalert.json",
    "box.json",
    "carbonblack.json",
    "cloudtrail.json",
    "cloudwatch.json",
    "duo.json",
    "fleet.json",
    "ghe.json",
    "gsuite.json",
    "okta.json",
    "onelogin.json",
    "osquery.json",
    "packetbeat.json",
    "pan.json",
    "slack.json",
    "streamquery.json",
    "trendmicro.json",
];

/// The built-in schema files as `(file name, JSON text)`, in name order. Each has the format of StreamAlert's
/// `conf/schemas/*.json`; what a project defines there takes the place of these.
#[must_use]
pub const fn builtin_schemas() -> &'static [(&'static str, &'static str)] {
    BUILTIN
}
