use std::path::Path;

use super::*;

fn load(file: &str, env: &[(&str, &str)], flags: &[&str]) -> Result<Settings, Vec<Problem>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("streamalert.toml");
    std::fs::write(&path, file).unwrap();
    let env = env
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    Settings::load(Some(&path), env, &flags)
}

fn text_of(secret: &Secret) -> &str {
    match secret.source() {
        SecretSource::Text(text) => text,
        _ => panic!("{secret:?}"),
    }
}

#[test]
fn without_a_file_every_setting_has_its_default() {
    let settings = Settings::default();
    assert_eq!(settings.data.dir, Path::new(".streamalert"));
    assert_eq!(settings.rules.time_limit_ms, 100);
    assert_eq!(settings.merger.shards, 256);
    assert_eq!(settings.listen.merger.to_string(), "127.0.0.1:7413");
    let history = OutputTarget::History {
        dir: ".streamalert/history".into(),
    };
    assert_eq!(
        settings.outputs,
        BTreeMap::from([(OutputName::history(), history)])
    );
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file() {
    let file = "[rules]\ntime_limit_ms = 1\nslice_limit_ms = 11\nstrikes_max = 21\n";
    let env = [
        ("STREAMALERT_RULES__TIME_LIMIT_MS", "2"),
        ("STREAMALERT_RULES__SLICE_LIMIT_MS", "12"),
    ];
    let settings = load(file, &env, &["rules.time_limit_ms=3"]).unwrap();
    assert_eq!(settings.rules.time_limit_ms, 3);
    assert_eq!(settings.rules.slice_limit_ms, 12);
    assert_eq!(settings.rules.strikes_max, 21);
    assert_eq!(settings.place_of(&["rules", "strikes_max"]).line, 4);
    assert_eq!(
        settings.place_of(&["rules", "slice_limit_ms"]).file,
        "environment STREAMALERT_RULES__SLICE_LIMIT_MS"
    );
}

#[test]
fn environment_and_flags_take_every_kind_of_value() {
    let env = [
        ("STREAMALERT_CONF__RULES", "rules, more/rules"),
        ("STREAMALERT_CONF__MATCHERS", "[\"a,b\"]"),
        ("STREAMALERT_PYTHON__INTERPRETER", "3.11"),
        ("STREAMALERT_PYTHON__ALLOW_SUBPROCESS", "true"),
        ("STREAMALERT_LISTEN__ADMIN", "[::1]:9000"),
        ("STREAMALERT_TELEMETRY__LOG_FORMAT", "json"),
        (
            "STREAMALERT_SOURCES",
            "[{ type = \"stdin\", service = \"kinesis\", resource = \"s\" }]",
        ),
        (
            "STREAMALERT_OUTPUTS__SLACK_SEC_OPS__URL",
            "https://hooks.example.com/2",
        ),
    ];
    let file = "[outputs.\"slack:sec-ops\"]\nurl = \"https://hooks.example.com/1\"\n";
    let flags = [
        "data.dir=/tmp/a=b",
        "outputs.\"webhook:x=y\".url=http://127.0.0.1:1/",
        "outputs.\"webhook:x=y\".headers.Authorization=Bearer t",
        "dispatcher.output.\"slack:sec-ops\".rate_per_sec=0.5",
        "sources.0.cluster=prod",
    ];
    let settings = load(file, &env, &flags).unwrap();
    assert_eq!(settings.conf.rules, [Path::new("rules"), Path::new("more/rules")]);
    assert_eq!(settings.conf.matchers, [Path::new("a,b")]);
    assert_eq!(settings.python.interpreter, "3.11");
    assert!(settings.python.allow_subprocess);
    assert_eq!(settings.listen.admin.port(), 9000);
    assert_eq!(settings.telemetry.log_format, LogFormat::Json);
    assert_eq!(settings.sources[0].input, SourceInput::Stdin);
    assert_eq!(settings.sources[0].source.cluster.as_deref(), Some("prod"));
    assert_eq!(settings.data.dir, Path::new("/tmp/a=b"));
    let slack = OutputTarget::Slack {
        url: Secret::inline("https://hooks.example.com/2"),
    };
    assert_eq!(settings.outputs[&"slack:sec-ops".parse().unwrap()], slack);
    let OutputTarget::Webhook { headers, .. } = &settings.outputs[&"webhook:x=y".parse().unwrap()] else {
        panic!("not a webhook");
    };
    assert_eq!(text_of(&headers[0].value), "Bearer t");
    let limits = settings.limits_of(&"slack:sec-ops".parse().unwrap());
    assert_eq!((limits.rate_per_sec, limits.concurrency), (Some(0.5), Some(16)));
}

#[test]
fn urls_of_alerts_and_traces_say_where_the_id_goes() {
    let load = |url: &str| load(&format!("[dispatcher]\nalert_url = \"{url}\"\n"), &[], &[]);
    let settings = load("https://console.example/{id}").unwrap();
    assert_eq!(
        settings.dispatcher.alert_url.as_deref(),
        Some("https://console.example/{id}")
    );
    for wrong in ["https://console.example/", "javascript:{id}"] {
        assert!(load(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn any_service_takes_fields_and_their_values_are_not_printed() {
    let file = "[outputs.\"pagerduty-v2:a\".fields]\nrouting_key = \"env:KEY\"\n[outputs.\"slack:b\".fields]\nurl = \"s3cret\"\n";
    let settings = load(file, &[("KEY", "t0ken")], &[]).unwrap();
    let OutputTarget::Fields(fields) = &settings.outputs[&"pagerduty-v2:a".parse().unwrap()] else {
        panic!("no fields")
    };
    let FieldValue::One(key) = &fields["routing_key"] else {
        panic!("no text")
    };
    assert_eq!(text_of(key), "t0ken");
    let shown = format!("{:?}", settings.outputs);
    assert!(!shown.contains("t0ken") && !shown.contains("s3cret"), "{shown}");
}

#[test]
fn a_field_takes_every_kind_that_a_field_can_have() {
    let file = "[outputs.\"webhook:x\".fields]\nurl = { env = \"URL\" }\nheaders = { X-A = \"a\", X-B = { env = \"B\" } }\n\
                bytes = 100000\ntls = false\nresponders = [\"team:x\", \"env:B\"]\n";
    let flags = ["outputs.\"webhook:x\".fields.headers.X-C=c".to_owned()];
    let settings = load(
        file,
        &[("URL", "https://u"), ("B", "b")],
        &flags.each_ref().map(|flag| &**flag),
    )
    .unwrap();
    let OutputTarget::Fields(fields) = &settings.outputs[&"webhook:x".parse().unwrap()] else {
        panic!("no fields")
    };
    let texts = |name: &str| {
        fields[name]
            .secrets()
            .into_iter()
            .map(text_of)
            .collect::<Vec<_>>()
    };
    assert_eq!(texts("url"), ["https://u"]);
    assert_eq!(texts("headers"), ["a", "b", "c"]);
    assert_eq!(texts("responders"), ["team:x", "b"]);
    assert_eq!(fields["bytes"], FieldValue::Number(100_000));
    assert_eq!(fields["tls"], FieldValue::Flag(false));
    assert!(matches!(fields["headers"], FieldValue::Table(_)));
}

#[test]
fn what_no_field_takes_is_shown_at_its_line_and_not_quoted() {
    for (line, key) in [
        ("a = -1", "a"),
        ("a = [1]", "a"),
        ("a = { b = 7 }", "a.b"),
        ("a = 1.5", "a"),
    ] {
        let file = format!("[outputs.\"webhook:x\".fields]\nurl = \"https://u\"\n{line}\n");
        let problems = load(&file, &[], &[]).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        let shown = problems[0].to_string();
        assert!(
            shown.contains(":3:") && shown.contains(&format!("fields.{key}")),
            "{shown}"
        );
        assert!(shown.contains("expected"), "{shown}");
    }
}

#[test]
fn the_history_has_a_directory_or_fields() {
    let of = |table: &str| {
        let file = format!("[outputs.\"aws-firehose:alerts\"]\n{table}");
        let settings = load(&file, &[], &[]).map_err(|problems| format!("{problems:?}"))?;
        Ok::<_, String>(settings.outputs[&OutputName::history()].clone())
    };
    assert!(matches!(of(""), Ok(OutputTarget::History { dir }) if dir.ends_with("history")));
    assert!(matches!(of("dir = \"d\""), Ok(OutputTarget::History { dir }) if dir.ends_with("d")));
    let fields = of("fields.delivery_stream = \"s\"");
    assert!(matches!(fields, Ok(OutputTarget::Fields(fields)) if fields.len() == 1));
    assert!(of("dir = \"d\"\nfields.a = \"s\"").is_err());
}

#[test]
fn secrets_may_be_elsewhere_and_no_complaint_quotes_one() {
    let file = "[outputs.\"webhook:x\"]\nurl = { ssm = \"/a/b\" }\nhmac_secret = { env = \"HMAC\" }\n\
                [outputs.\"webhook:x\".headers]\nA = { secretsmanager = \"n\", key = \"k\" }\nB = \"text\"\n";
    let flags = ["outputs.\"slack:y\".url={ store = \"team/url\" }"];
    let settings = load(file, &[("HMAC", "h")], &flags).unwrap();
    let target = |name: &str| &settings.outputs[&name.parse().unwrap()];
    let told: Vec<String> = (target("webhook:x").secrets().into_iter())
        .chain(target("slack:y").secrets())
        .map(|secret| format!("{secret:?}"))
        .collect();
    assert_eq!(
        told,
        [
            "Secret(ssm /a/b)",
            "Secret(secretsmanager n)",
            "Secret(…)",
            "Secret($HMAC)",
            "Secret(store team/url)"
        ]
    );
    for wrong in [
        "url = [\"planted\"]",
        "url = { smm = \"planted\" }",
        "url = { ssm = \"planted\", key = \"k\" }",
        "url = { env = \"A\", file = \"planted\" }",
        "url = \"planted://x\"",
        "headers = \"planted\"",
        "headers = { A = 47114711 }",
        "hmac_secret = 47114711",
    ] {
        let problems = load(&format!("[outputs.\"webhook:x\"]\n{wrong}\n"), &[], &[]).unwrap_err();
        let told = problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n");
        assert!(!told.contains("planted") && !told.contains("4711"), "{told}");
    }
    let problems = load("", &[], &["outputs.\"slack:x\".url=planted://x"]).unwrap_err();
    let told = problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n");
    assert!(told.contains("slack:x") && !told.contains("planted"), "{told}");
}

#[test]
fn secrets_come_from_the_environment_and_are_not_printed() {
    let file = "[outputs.\"webhook:x\"]\nurl_env = \"HOOK\"\nhmac_secret = \"s3cret\"\nheaders = { A = \"env:NONE\" }\n";
    let settings = load(file, &[("HOOK", "https://example.com/t0ken")], &[]).unwrap();
    let target = &settings.outputs[&"webhook:x".parse().unwrap()];
    let OutputTarget::Webhook {
        url,
        headers,
        hmac_secret,
    } = target
    else {
        panic!("not a webhook")
    };
    assert_eq!(text_of(url), "https://example.com/t0ken");
    assert_eq!(text_of(hmac_secret.as_ref().unwrap()), "s3cret");
    assert!(matches!(headers[0].value.source(), SecretSource::Unset("NONE")));
    let shown = format!("{target:?}");
    assert!(!shown.contains("t0ken") && !shown.contains("s3cret"), "{shown}");
}

#[test]
fn peers_are_where_this_machine_listens_unless_set() {
    let settings = load(
        "[listen]\nmerger = \"127.0.0.1:9\"\n[peers]\ndispatcher = \"http://d:1\"\n",
        &[],
        &[],
    )
    .unwrap();
    assert_eq!(settings.peers_of(Service::Merger), "127.0.0.1:9");
    assert_eq!(settings.peers_of(Service::Dispatcher), "d:1");
    let flags = ["tls.cert=c", "tls.key=k", "tls.ca=a"];
    assert_eq!(
        load("", &[], &flags).unwrap().peers_of(Service::RulesNode),
        "127.0.0.1:7412"
    );
}

#[test]
fn a_list_from_a_flag_replaces_that_of_the_file() {
    let file = "[[sources]]\ntype = \"files\"\npath = \"a\"\nservice = \"s3\"\nresource = \"b\"\n";
    assert_eq!(load(file, &[], &[]).unwrap().sources.len(), 1);
    assert!(load(file, &[], &["sources=[]"]).unwrap().sources.is_empty());
}

#[test]
fn every_example_value_in_the_reference_is_accepted() {
    for info in &shape::SECTIONS {
        for (key, default) in (info.defaults)() {
            let setting = info.keys.iter().find(|k| k.name() == key).unwrap();
            assert!((setting.fits)(default.clone()), "{}.{key}", info.name);
            if let (Some((min, max)), Some(number)) = (setting.range, default.as_integer()) {
                let number = u64::try_from(number).unwrap();
                assert!((min..=max).contains(&number), "{}.{key}: {number}", info.name);
            }
        }
    }
}

#[test]
fn the_reference_in_docs_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/SETTINGS.md");
    let text = Settings::reference();
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == text,
        "docs/SETTINGS.md is out of date: run the tests once with UPDATE_EXPECTED=1"
    );
}

#[test]
fn sources_of_aws_say_what_they_need() {
    let file = "[[sources]]\ntype = \"kinesis\"\nresource = \"logs\"\nrole_arn = \"arn:aws:iam::1:role/r\"\n\
                external_id = \"x\"\nstart = \"latest\"\n\
                [[sources]]\ntype = \"s3\"\nresource = \"bucket\"\nqueue = \"q\"\n\
                [[sources]]\ntype = \"sns\"\nresource = \"t\"\ntopic = \"arn:aws:sns:r:1:t\"\nqueue = \"q\"\n";
    let settings = load(file, &[], &[]).unwrap();
    let SourceInput::Kinesis(input) = &settings.sources[0].input else {
        panic!("{:?}", settings.sources)
    };
    assert_eq!((&*input.stream, input.start), ("logs", StreamStart::Latest));
    assert_eq!(input.access.external_id.as_deref(), Some("x"));
    assert_eq!(settings.sources[1].source.to_string(), "s3:bucket");
    assert!(matches!(&settings.sources[2].input, SourceInput::SnsQueue { .. }));
}

#[test]
fn combinations_that_make_no_sense_are_refused_with_what_to_write() {
    let cases = [
        (
            "[store]\nbucket = \"b\"\n",
            "store.bucket: means nothing to the embedded store",
        ),
        (
            "[store]\ntype = \"dynamodb\"\nbilling = \"provisioned\"\nread_units = 5\n",
            "store.write_units: is missing: provisioned tables need units; set store.write_units",
        ),
        (
            "[store]\ntype = \"dynamodb\"\nread_units = 5\n",
            "store.read_units: means nothing to tables on demand",
        ),
        (
            "[aws]\nendpoint_url = \"127.0.0.1:4566\"\n",
            "write http://HOST:PORT",
        ),
        (
            "[[sources]]\ntype = \"s3\"\nresource = \"b\"\n",
            "sources.0: has no queue; set queue to URL, ARN or name of the queue",
        ),
        (
            "[[sources]]\ntype = \"kinesis\"\nresource = \"b\"\nqueue = \"q\"\n",
            "sources.0.queue: means nothing to this type of source",
        ),
        (
            "[[sources]]\ntype = \"kinesis\"\nservice = \"s3\"\nresource = \"b\"\n",
            "sources.0.service: \"s3\" does not come from kinesis; write \"kinesis\"",
        ),
        (
            "[[sources]]\ntype = \"s3\"\nresource = \"b\"\nqueue = \"q\"\nexternal_id = \"x\"\n",
            "sources.0.external_id: means nothing without a role; set role_arn",
        ),
        (
            "[[sources]]\ntype = \"sns\"\nresource = \"t\"\nqueue = \"q\"\n",
            "sources.0: has no topic",
        ),
        (
            "[[sources]]\ntype = \"kinesis\"\nresource = \"a\"\nstream = \"arn:aws:kinesis:r:1:stream/b\"\n",
            "sources.0.stream: \"b\" is not the resource \"a\"",
        ),
        (
            "[node]\nadvertise = \"http://x\"\n",
            "node.advertise: is not a host",
        ),
    ];
    for (file, expected) in cases {
        let problems = load(file, &[], &[]).unwrap_err();
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(
            told.iter()
                .any(|line| line.contains("streamalert.toml:") && line.contains(expected)),
            "{file}: {told:?}"
        );
    }
}
