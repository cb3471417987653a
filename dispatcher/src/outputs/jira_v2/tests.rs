use crate::outputs::fixtures::problem;
use crate::outputs::jira::tests::{case_of, check};
use crate::outputs::suite::Case;

pub(super) fn case() -> Case {
    case_of(|request| check(request, "/rest/api/2/search/jql"))
}

#[test]
fn certificates_are_those_of_the_cloud() {
    let settings = serde_json::json!({
        "url": "https://x.atlassian.net", "username": "u", "password": "p", "project_key": "K", "issue_type": "T",
        "ca_file": "ca.pem",
    });
    assert!(problem("jira-v2:a", settings).contains("unknown field `ca_file`"));
}
