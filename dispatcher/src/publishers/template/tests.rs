use serde_json::json;

use super::*;
use crate::outputs::fixtures::{alert, alert_with_record};
use crate::{LinkTemplates, Publication};
use std::sync::Arc;
use streamalert_types::{Alert, OutputName};

fn compiled(path: &str, text: &str) -> Templates {
    let (templates, problems) = Templates::compile(vec![(
        path.to_owned(),
        format!("publishers/{path}"),
        text.to_owned(),
    )]);
    assert_eq!(problems, []);
    templates
}

fn render_alert(path: &str, text: &str, output: &str, alert: Alert) -> Result<Value, String> {
    let templates = compiled(path, text);
    let name = Templates::name_of(Path::new(path)).unwrap();
    let (alert, output): (_, OutputName) = (Arc::new(alert), output.parse().unwrap());
    let links = Arc::new(LinkTemplates {
        alert: Some("https://alerts.example/a_b/{id}".to_owned()),
        trace: None,
    });
    let rules = crate::OutputRules::default();
    let whole = Whole {
        alert: &alert,
        output: &output,
        rules: &rules,
        links: &links,
    };
    let made = whole.or_default(None);
    let now = "2026-01-31T08:04:59.000000Z".parse().unwrap();
    templates.render(&name, &whole, made, now)
}

/// The text that a template writes for Slack.
fn text_of(template: &str, record: &serde_json::Value) -> String {
    let made = render_alert(
        "t.j2",
        template,
        "slack:a",
        alert_with_record(1, &record.to_string()),
    )
    .unwrap();
    made.get("@slack.text").unwrap().as_str().unwrap().to_owned()
}

#[test]
fn a_template_names_everything_about_an_alert() {
    let template = "\
{{ rule.name }} {{ rule.fields.author }} {{ title }}: {{ summary }}
{{ record.userIdentity.arn }} {{ record['eventName'] }} {{ alert.id }} {{ alert.cluster }} {{ output.descriptor }}
{{ alert.created|ago }} {{ links.alert }}{% if links.playbook %} play{% endif %}{% if merge %} merged{% endif %}
{% for fact in facts %}{{ fact.name }}={{ fact.value }} {% endfor %}
";
    let made = render_alert("t.j2", template, "slack:a", alert(1)).unwrap();
    assert_eq!(
        made.get("@slack.text").unwrap().as_str().unwrap(),
        "\
cloudtrail_root_login us Cloudtrail root login: Somebody used the root account.
arn:aws:iam::1:root ConsoleLogin 00000000-0000-0000-0000-000000000002 prod a
5 min ago https://alerts.example/a_b/00000000-0000-0000-0000-000000000002
eventName=ConsoleLogin userIdentity.arn=arn:aws:iam::1:root n=1"
    );
    assert!(made.get("record").is_some(), "what was published so far stays");
}

#[test]
fn a_merged_alert_tells_how_many_and_how_long() {
    let record = json!({"AlertCount": 12, "AlertTimeFirst": "2026-01-31T07:00:00.000000Z",
        "AlertTimeLast": "2026-01-31T07:03:00.000000Z", "MergedBy": {}, "OtherCommonKeys": {}});
    let template = "{{ merge.count }} in {{ merge.span_secs|duration }} since {{ merge.first }}";
    assert_eq!(
        text_of(template, &record),
        "12 in 180 s since 2026-01-31T07:00:00.000000Z".replace("180 s", "3 min")
    );
}

#[test]
fn text_goes_where_the_service_shows_it_and_nothing_from_logs_is_markup_there() {
    let record = json!({"user": "<!channel> *x* [a](http://evil.example) & @all"}).to_string();
    for (path, output, field, shown) in [
        (
            "t.j2",
            "slack:a",
            "@slack.text",
            "&lt;!channel&gt; *x* [a](http://evil.example) &amp; @all",
        ),
        (
            "t.j2",
            "telegram:a",
            "@telegram.text",
            "&lt;!channel&gt; *x* [a](http://evil.example) &amp; @all",
        ),
        (
            "t.txt.j2",
            "discord:a",
            "@discord.content",
            "\\<\\!channel\\> \\*x\\* \\[a\\]\\(http:\u{2060}//evil.example\\) & @\u{2060}all",
        ),
        (
            "t.j2",
            "webhook:a",
            "text",
            "<!channel> *x* [a](http://evil.example) & @all",
        ),
        (
            "t.j2",
            "aws-sns:a",
            "@aws-sns.message",
            "<!channel> *x* [a](http://evil.example) & @all",
        ),
    ] {
        let made = render_alert(path, "{{ record.user }}", output, alert_with_record(1, &record)).unwrap();
        assert_eq!(
            made.get(field).and_then(Value::as_str),
            Some(shown),
            "{output}: {made:?}"
        );
    }
    for output in ["github:a", "jira:a", "jira-v2:a", "servicenow:a", "opsgenie:a"] {
        let made = render_alert("t.j2", "{{ record.user }}", output, alert_with_record(1, &record)).unwrap();
        let magic = made
            .as_map()
            .unwrap()
            .iter()
            .find(|(name, _)| name.starts_with('@') || *name == "text");
        let text = magic.unwrap().1.as_str().unwrap();
        assert!(!text.contains("[a](http://evil"), "{output}: {text}");
    }
}

#[test]
fn a_message_of_text_and_html_has_a_template_for_each() {
    let made = |output: &str| {
        let record = r#"{"user": "<b>&"}"#;
        let html = render_alert(
            "t.html.j2",
            "<p>{{ record.user }}</p>",
            output,
            alert_with_record(1, record),
        );
        html.unwrap()
    };
    for output in ["email:a", "aws-ses:a"] {
        let body = made(output)
            .get(&format!("@{}.body", output.trim_end_matches(":a")))
            .cloned();
        assert_eq!(body.unwrap().to_json(), r#"{"html":"<p>&lt;b&gt;&amp;</p>"}"#);
    }
    let target = Target::of("email");
    let both = target.with(Value::Map(target.with(Value::Null, "plain", false)), "<p>", true);
    assert_eq!(
        Value::Map(both).to_json(),
        r#"{"@email.body":{"plain":"plain","html":"<p>"}}"#
    );
    assert_eq!(
        made("webhook:a").get("html").and_then(Value::as_str),
        Some("<p>&lt;b&gt;&amp;</p>")
    );
}

#[test]
fn what_an_author_writes_is_markup_and_can_be_asked_for() {
    let record =
        json!({"a": "<b>", "url": "https://evil.example/x", "list": [1, {"k": "<"}], "nothing": null});
    for (template, shown) in [
        ("<b>{{ record.a }}</b>", "<b>&lt;b&gt;</b>"),
        ("{{ record.a|safe }}", "<b>"),
        (
            "{{ record.a|html|safe }} {{ record.a|slack }}",
            "&lt;b&gt; &lt;b&gt;",
        ),
        ("{{ record.url|defang }}", "hxxps://evil[.]example/x"),
        (
            "{{ record.list }} {{ record.list|json }}",
            "[1,{\"k\":\"&lt;\"}] [1,{\"k\":\"&lt;\"}]",
        ),
        ("{{ record.nothing }}", "null"),
        (
            "{{ record.gone|default('?') }} {% if record.gone %}x{% endif %}",
            "? ",
        ),
        ("{{ ('x' * 300)|truncate(50)|length }}", "33"),
        ("{{ 'a\nb'|one_line }}", "a b"),
        ("{{ 7200|duration }}", "2 h 0 min"),
        ("{{ record.a|upper }}{{ 'x' ~ record.a }}", "&lt;B&gt;x&lt;b&gt;"),
    ] {
        assert_eq!(text_of(template, &record).trim(), shown.trim(), "{template}");
    }
}

#[test]
fn a_template_of_json_writes_the_whole_publication_and_cannot_be_broken_by_a_log() {
    let template = r#"{
  "@slack.text": "Login by {{ record.user }}",
  "@slack.blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": {{ record.user|json }}}}],
  "count": {{ record.n|json }}, "raw": {{ record|json }}, "link": "{{ links.alert }}", "safe": "{{ record.user|safe }}"
}"#;
    let user = "a\"b\\\n<!here>\u{1}";
    let record = json!({"user": user, "n": 12}).to_string();
    let made = render_alert("t.json.j2", template, "slack:a", alert_with_record(1, &record)).unwrap();
    let made: serde_json::Value = serde_json::from_str(&made.to_json()).unwrap();
    assert_eq!(
        made,
        json!({
            "@slack.text": "Login by a\"b\\\n&lt;!here&gt;\u{fffd}",
            "@slack.blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": user}}],
            "count": 12,
            "raw": {"user": user, "n": 12},
            "link": "https://alerts.example/a_b/00000000-0000-0000-0000-000000000002",
            "safe": user,
        })
    );
}

#[test]
fn what_goes_wrong_is_told_with_file_line_and_column() {
    let of = |path: &str, text: &str| render_alert(path, text, "slack:a", alert(1)).unwrap_err();
    for (path, text, says) in [
        ("t.j2", "a\nb {{ record.gone }}", "publishers/t.j2:2:6: not there"),
        (
            "t.j2",
            "{{ record.gone.further }}",
            "publishers/t.j2:1:10: not there",
        ),
        ("t.j2", "{{ record.n|ago(1) }}", "publishers/t.j2:1:"),
        ("t.j2", "{{ 'x'|duration }}", "duration takes a number"),
        (
            "t.j2",
            "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}",
            "takes too long",
        ),
        (
            "t.j2",
            "{{ 'x' * 100000000 }}",
            "takes too long or makes too much",
        ),
        (
            "t.j2",
            "{% for a in range(600) %}{{ 'x' * 1000 }}{% endfor %}",
            "writes more than 524288 bytes",
        ),
        (
            "t.json.j2",
            "{\"a\": {{ record.eventName }}}",
            "`{\"a\": ConsoleLogin}`; between quotes",
        ),
        ("t.json.j2", "[1]", "writes list, not an object"),
    ] {
        let error = of(path, text);
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn a_template_that_is_none_is_refused_with_its_place_and_the_others_stay() {
    let files = [
        ("a.j2", "{{ record.x "),
        ("b.j2", "ok\n{% if x %}"),
        ("c.j2", "{{ x|nofilter }}"),
        ("d.j2", "fine"),
        ("d.json.j2", "{}"),
        ("e.j2", "{% include 'd' %}"),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), format!("publishers/{path}"), text.to_owned()));
    let (templates, problems) = Templates::compile(files.to_vec());
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    for (index, says) in [
        "publishers/a.j2:1:",
        "publishers/b.j2:2:",
        "publishers/c.j2:1:4: there is no `x`",
        "publishers/d.json.j2: template d is publishers/d.j2 already",
        "publishers/e.j2:1:",
    ]
    .iter()
    .enumerate()
    {
        assert!(
            told.get(index).is_some_and(|told| told.starts_with(says)),
            "{says}: {told:?}"
        );
    }
    assert!(templates.names().any(|name| name == "template:d"));
}

#[test]
fn names_are_paths_without_what_they_end_with() {
    for (path, name) in [
        ("a.j2", Some("a")),
        ("slack/login.json.j2", Some("slack/login")),
        ("x.html.j2", Some("x")),
        ("x.txt.j2", Some("x")),
        ("x.py", None),
        (".j2", None),
    ] {
        assert_eq!(Templates::name_of(Path::new(path)).as_deref(), name, "{path}");
    }
}

#[tokio::test]
async fn slack_shows_the_text_of_a_template_above_the_facts() {
    let made = render_alert("t.j2", "*{{ title }}*", "slack:a", alert(1)).unwrap();
    let publication = Publication::made(Arc::new(alert(1)), "slack:a".parse().unwrap(), made);
    assert_eq!(
        publication.magic_text("slack", "text"),
        Some("*Cloudtrail root login*")
    );
    assert!(!publication.card().facts.is_empty());
}

#[test]
fn names_and_filters_that_nobody_has_are_told_at_load() {
    let problem = |text: &str| {
        let files = vec![("t.j2".to_owned(), "publishers/t.j2".to_owned(), text.to_owned())];
        let (_, problems) = Templates::compile(files);
        problems.first().map(ToString::to_string).unwrap_or_default()
    };
    let told = problem("{{ title }}\n{% if x %}{{ recrod.user }}{% endif %}");
    assert!(
        told.starts_with("publishers/t.j2:2:7: there is no `x`, there are alert, "),
        "{told}"
    );
    let told = problem("é {{ record.user | nofilter }}");
    assert_eq!(told, "publishers/t.j2:1:20: there is no filter `nofilter`");
    assert!(problem("{% if severity is prime %}{% endif %}{{ nobody() }}").contains("`nobody`"));

    let fine = [
        "{# {{ x|y }} #}{% raw %}{{ x|y }}{% endraw %}{{ 'x|y {{' }}{{ record.recrod|default(\"a'|b\") }}",
        "{% set a = 1 %}{{ a }}{% for f in facts %}{{ loop.index }}{{ f.name|upper }}{% endfor %}{{ range(3)|list }}",
        "{% macro m(b) %}{{ b|json(2) }}{% endmacro %}{{ m(record) }}{{ title|truncate(5)|slack|ago }}{{ { 'a': 1 } }} {",
    ];
    for text in fine {
        assert_eq!(problem(text), "", "{text}");
    }
    for name in inputs::NAMES {
        let template = format!("{{{{ {name} is defined }}}}");
        let made = render_alert("t.j2", &template, "slack:a", alert(1)).unwrap();
        assert_eq!(made.get("@slack.text").unwrap().as_str(), Some("True"), "{name}");
    }
}
