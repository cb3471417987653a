//! The table of services itself.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value as Json;

use super::{Case, MUST, Proof, wanted};
use crate::outputs::services;

#[test]
fn services_are_in_alphabetical_order_and_each_has_a_folder() {
    let names: Vec<&str> = services().iter().map(|service| service.name).collect();
    assert!(
        names.is_sorted() && names.iter().collect::<BTreeSet<_>>().len() == names.len(),
        "{names:?}"
    );
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/outputs");
    for service in services() {
        let folder = source.join(service.name.replace('-', "_"));
        for file in ["mod.rs", "config.rs", "request.rs", "response.rs", "tests.rs"] {
            assert!(folder.join(file).is_file(), "{}: no {file}", service.name);
        }
    }
}

#[test]
fn every_service_is_documented() {
    for service in wanted() {
        let page = service.page();
        let first = page.lines().next().unwrap_or_default();
        assert!(
            first.starts_with(&format!("`{}:", service.name)) && first.ends_with('.'),
            "{first}"
        );
        for paragraph in ["\n\nIdempotency: ", "\n\nLimits: "] {
            assert!(
                page.contains(paragraph),
                "{}: no paragraph {paragraph:?}",
                service.name
            );
        }
    }
}

#[test]
fn fields_are_described_in_one_style() {
    for service in wanted() {
        let mut names = BTreeSet::new();
        for field in service.fields {
            let what = format!("{}: {}", service.name, field.name);
            assert!(names.insert(field.name), "{what} is there twice");
            assert!(
                !["delivery", "allow_internal"].contains(&field.name),
                "{what} has another meaning"
            );
            assert!(!field.about.is_empty() && !field.about.ends_with('.'), "{what}");
            assert!(
                !(field.is_required && field.default.is_some()),
                "{what} is required and has a default"
            );
            for text in field
                .default
                .iter()
                .chain([&field.example].into_iter().filter(|text| !text.is_empty()))
            {
                assert_eq!((field.check)(text), Ok(()), "{what}: {text}");
            }
        }
        assert!(
            service.fields.iter().filter(|field| field.is_short).count() <= 1,
            "{}",
            service.name
        );
    }
}

#[test]
fn every_secret_of_a_case_is_planted() {
    for service in wanted() {
        let settings = match (service.case)() {
            Case::Http(case) => (case.settings)("http://127.0.0.1:1"),
            Case::Peer(case) => (case.settings)(&Json::Null),
            Case::Lines(_) | Case::Ways(_) | Case::Own(_) => continue,
        };
        for field in service.fields.iter().filter(|field| field.is_secret) {
            let value = settings[field.name].to_string();
            assert!(
                value.contains(super::PLANTED),
                "{}: {} is not planted: {value}",
                service.name,
                field.name
            );
        }
    }
}

#[test]
fn what_the_suite_does_not_try_an_outputs_own_tests_do() {
    for service in wanted() {
        let Case::Own(own) = (service.case)() else {
            continue;
        };
        let folder = service.name.replace('-', "_");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/outputs/{folder}/tests.rs"));
        let tests = std::fs::read_to_string(path).unwrap();
        for (must, proof) in MUST.iter().zip(own.proofs) {
            match proof {
                Proof::Test(name) => assert!(
                    tests.contains(&format!("fn {name}()")),
                    "{}: {must}: no test {name}",
                    service.name
                ),
                Proof::Never(why) => assert!(!why.is_empty(), "{}: {must}", service.name),
            }
        }
    }
}
