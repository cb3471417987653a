use std::path::Path;
use super::Report;
use crate::failure::Failure;
pub(crate) struct RuleSetOptions { pub(crate) seed: u64, pub(crate) rules: u32, pub(crate) cloudtrail: Option<u32> }
pub(crate) fn rule_set(_o: &RuleSetOptions, _out: &Path) -> Result<Report, Failure> { Ok(Report::skipped("rules", "todo")) }
