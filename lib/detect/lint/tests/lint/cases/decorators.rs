use crate::support::{ids, of_file, options};

const GOOD: &str = "logs=['cloudtrail:events'], outputs=['slack:security']";

/// The only thing said of a rule with these options beside good ones.
fn with(more: &str) -> String {
    let told = options(&format!("{GOOD}, {more}"));
    assert!(told.len() <= 1, "{told:?}");
    told.into_iter().next().unwrap_or_default()
}

#[test]
fn a_decorator_that_is_not_called_is_told() {
    let text = "from streamalert.shared.rule import rule\n@rule\ndef example(record):\n    \"\"\"x\"\"\"\n    return record\n";
    assert_eq!(ids(text), [(2, "SA101")]);
    let disabled = text.replace("import rule\n", "import rule, disable\n@disable\n");
    assert_eq!(ids(&disabled), [(3, "SA101")]);
    let own = text.replace("from streamalert.shared.rule", "from mine");
    assert_eq!(ids(&own), [], "another decorator of that name is not ours");
    let module = text.replace(
        "from streamalert.shared.rule import rule",
        "from streamalert.shared import rule as r",
    );
    assert_eq!(ids(&module.replace("@rule", "@r.rule")), [(2, "SA101")]);
}

#[test]
fn a_rule_without_logs_and_one_without_outputs_are_told() {
    assert_eq!(
        options("outputs=['slack:security']"),
        ["SA102 example applies to nothing; add logs=['…'] or datatypes=['…']"]
    );
    assert_eq!(options("logs=[], outputs=['slack:security']").len(), 1);
    assert_eq!(
        options("datatypes=['sourceAddress'], outputs=['slack:security']").len(),
        0
    );
    let told = options("logs=['cloudtrail:events']");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("SA111"), "{told:?}");
    assert_eq!(
        options("logs=['cloudtrail:events'], dynamic_outputs=[choose]").len(),
        0
    );
    assert_eq!(options("**OPTIONS").len(), 0, "what comes by ** is not known");
}

#[test]
fn options_of_another_form_are_told() {
    assert_eq!(
        options("logs='cloudtrail:events', outputs=['slack:security']"),
        ["SA103 logs is a text, and must be a list; write ['cloudtrail:events']"]
    );
    assert_eq!(
        options("logs=['cloudtrail:events'], outputs='slack:security'"),
        ["SA103 outputs is a text, and must be a list; write ['slack:security']"]
    );
    for wrong in [
        "context=['a']",
        "context='a'",
        "req_subkeys=['a']",
        "merge_by_keys='a', merge_window_mins=5",
        "merge_by_keys=['a'], merge_window_mins='5'",
        "merge_by_keys=['a'], merge_window_mins=-1",
        "merge_by_keys=[1], merge_window_mins=5",
        "merge_by_keys=['a'], merge_window_mins=5, merge_send_first='yes'",
    ] {
        let told = options(&format!("{GOOD}, {wrong}"));
        assert!(
            told.iter().any(|one| one.starts_with("SA103")),
            "{wrong}: {told:?}"
        );
    }
    assert!(options(&format!("'x', {GOOD}"))[0].starts_with("SA103"));
}

#[test]
fn unknown_logs_options_outputs_and_publishers_are_told_with_the_nearest() {
    assert_eq!(
        options("logs=['cloudtrail:event'], outputs=['slack:security']"),
        ["SA104 there is no log type 'cloudtrail:event'; did you mean 'cloudtrail:events'?"]
    );
    assert_eq!(
        options("datatypes=['sourceAdress', 'command'], outputs=['slack:security']"),
        ["SA115 no schema normalizes anything to 'sourceAdress'; did you mean 'sourceAddress'?"]
    );
    assert_eq!(
        with("merge_by_key=['a']"),
        "SA105 the rule decorator knows no 'merge_by_key', and ignores it; did you mean 'merge_by_keys'?"
    );
    assert_eq!(
        options("logs=['cloudtrail:events'], outputs=['slack:secuirty']"),
        ["SA113 there is no output 'slack:secuirty'; did you mean 'slack:security'?"]
    );
    assert_eq!(
        with("publishers=['publishers.mail.shrt']"),
        "SA114 there is no publisher 'publishers.mail.shrt'; did you mean 'publishers.mail.short'?"
    );
}

#[test]
fn publishers_are_found_in_every_form() {
    let import = "from publishers.mail import short, shrt\nfrom streamalert.shared.publisher import DefaultPublisher\n";
    let of = |publishers: &str| {
        let text = format!(
            "{import}from streamalert.shared.rule import rule\n@rule({GOOD}, publishers={publishers})\n\
             def example(record):\n    \"\"\"x\"\"\"\n    return record\n"
        );
        ids(&text)
    };
    for fine in [
        "[short]",
        "short",
        "[DefaultPublisher, short]",
        "{'slack': short}",
        "{'slack:security': [short, 'publishers.mail.short']}",
        "[made(1)]",
        "[local]",
    ] {
        assert_eq!(of(fine), [], "{fine}");
    }
    for wrong in ["[shrt]", "shrt", "{'slack': [shrt]}", "{'slack': shrt}"] {
        assert_eq!(of(wrong), [(4, "SA114")], "{wrong}");
    }
}

#[test]
fn an_output_has_a_service_and_a_descriptor() {
    for wrong in ["slack", "slack:", ":security", ""] {
        let told = options(&format!("logs=['cloudtrail:events'], outputs=['{wrong}']"));
        assert!(told[0].starts_with("SA112"), "{told:?}");
    }
    assert!(options("logs=['cloudtrail:events'], outputs=[1]")[0].starts_with("SA112"));
    assert_eq!(options("logs=['cloudtrail:events'], outputs=[CHOSEN]").len(), 0);
}

#[test]
fn merging_needs_keys_and_a_window() {
    assert!(with("merge_by_keys=['a']").starts_with("SA106 merge_by_keys without"));
    assert!(with("merge_window_mins=5").starts_with("SA106 merge_window_mins without"));
    assert!(with("merge_by_keys=['a'], merge_window_mins=0").starts_with("SA106"));
    assert_eq!(with("merge_by_keys=['a'], merge_window_mins=5"), "");
    assert_eq!(with("merge_by_keys=KEYS, merge_window_mins=MINUTES"), "");
    assert!(with("merge_send_first=True").starts_with("SA106 merge_send_first without"));
    assert!(with("merge_by_keys=['a'], merge_send_first=True").starts_with("SA106 merge_by_keys without"));
    assert_eq!(with("merge_send_first=False"), "");
    assert_eq!(
        with("merge_by_keys=['a'], merge_window_mins=5, merge_send_first=True"),
        ""
    );
}

#[test]
fn matchers_are_functions() {
    assert!(with("matchers=['prod']").starts_with("SA108 the matcher 'prod' is a text"));
    assert_eq!(
        with("matchers=[Aws.prod()]"),
        "SA109 the matcher Aws.prod is called here, not for each record; write Aws.prod"
    );
    assert_eq!(with("matchers=[Aws.prod, lambda record: True]"), "");
    let partial = format!(
        "from functools import partial\nfrom streamalert.shared.rule import rule\n@rule({GOOD}, matchers=[partial(f, 1)])\n\
         def example(record):\n    \"\"\"x\"\"\"\n    return record\n"
    );
    assert_eq!(ids(&partial), []);
}

#[test]
fn a_rule_takes_the_record_and_the_context_if_it_has_one() {
    let of = |context: &str, parameters: &str| {
        let text = format!(
            "from streamalert.shared.rule import rule\n@rule({GOOD}{context})\n\
             def example({parameters}):\n    \"\"\"x\"\"\"\n    return True\n"
        );
        ids(&text)
    };
    let context = ", context={'a': 1}";
    for wrong in ["", "record, context", "*, record", "a, b, c", "record, *, key"] {
        assert_eq!(of("", wrong), [(3, "SA107")], "{wrong}");
    }
    for wrong in ["", "record", "a, b, c"] {
        assert_eq!(of(context, wrong), [(3, "SA107")], "{wrong}");
    }
    for fine in [
        "record",
        "record, more=None",
        "*records",
        "record, /",
        "record, *, key=1",
    ] {
        assert_eq!(of("", fine), [], "{fine}");
    }
    for fine in ["record, context", "record, context=None", "*both"] {
        assert_eq!(of(context, fine), [], "{fine}");
    }
    assert_eq!(of(", context=None", "record"), []);
    let told = of_file(&format!(
        "from streamalert.shared.rule import rule\n@rule({GOOD})\nasync def example(record):\n    \"\"\"x\"\"\"\n    return True\n"
    ));
    assert!(told[0].message.contains("async"), "{told:?}");
}
