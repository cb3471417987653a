use crate::support::{body, ids, options, returning, returning_ids, rule};

const NONE: [&str; 0] = [];

#[test]
fn a_key_that_no_schema_has_is_told_with_the_nearest_one() {
    assert_eq!(
        returning("record['evntName'] == 'x'"),
        ["SA201 cloudtrail:events has no key 'evntName'; did you mean 'eventName'?"]
    );
    assert_eq!(returning_ids("record.get('evntName')"), ["SA201"]);
    assert_eq!(returning_ids("'evntName' in record"), ["SA201"]);
    let far = returning("record['zzz']");
    assert!(far[0].contains("it has eventName, eventSource"), "{far:?}");
    assert_eq!(ids(&rule("return (\n    record['x'])")), [(7, "SA201")]);
}

#[test]
fn nested_keys_are_looked_up_where_the_schema_lists_them() {
    assert_eq!(
        returning("record['detail']['actr']"),
        ["SA201 record['detail'] of cloudtrail:events has no key 'actr'; did you mean 'actor'?"]
    );
    assert_eq!(
        returning_ids("(record.get('detail') or {}).get('actr')"),
        ["SA201"]
    );
    assert_eq!(returning_ids("record.get('detail', {}).get('actr')"), ["SA201"]);
    assert_eq!(returning("record['detail']['actor']"), NONE);
    assert_eq!(
        returning_ids("record['streamalert:envelope_keys']['acount']"),
        ["SA201"]
    );
    assert_eq!(returning("record['streamalert:envelope_keys']['account']"), NONE);
}

#[test]
fn open_objects_may_hold_anything_and_added_keys_are_known() {
    for fine in [
        "record['userIdentity']['whatever']['more']",
        "record['resources'][0]['arn']",
        "record['streamalert_normalization']",
        "record.get('streamalert:ioc', {}).get('ip')",
        "record[record['eventName']]",
        "other['evntName']",
    ] {
        assert_eq!(returning(fine), NONE, "{fine}");
    }
    let with_logs = |logs: &str| {
        let text = rule("return record['evntName']");
        ids(&text.replace("'cloudtrail:events'", logs))
    };
    assert_eq!(with_logs("'open:logs'"), []);
    assert_eq!(with_logs("'kept:logs'"), []);
    assert_eq!(with_logs("'cloudtrail:events', 'open:logs'"), []);
    assert_eq!(with_logs("'cloudtrail:events', 'okta:logs'"), [(6, "SA201")]);
    assert_eq!(with_logs("LOGS"), [], "what is not written out is not known");
    let outcome = rule("return record['outcome']");
    assert_eq!(
        ids(&outcome.replace("'cloudtrail:events'", "'cloudtrail:events', 'okta:logs'")),
        []
    );
}

#[test]
fn a_slip_of_the_finger_is_told_where_other_keys_are_kept() {
    let kept = |key: &str| {
        let text = rule(&format!("return record['{key}']"));
        ids(&text.replace("'cloudtrail:events'", "'kept:logs'"))
    };
    assert_eq!(kept("acton"), [(6, "SA203")]);
    assert_eq!(kept("Action"), [(6, "SA203")]);
    assert_eq!(kept("actor_name"), []);
}

#[test]
fn names_that_stand_for_a_part_of_the_record_are_followed_while_that_is_sure() {
    assert_eq!(body("detail = record['detail']\nreturn detail['actr']").len(), 1);
    assert_eq!(
        body("detail = record['detail']\nif detail:\n    detail = {}\nreturn detail['actr']"),
        NONE
    );
    assert_eq!(body("record = load(record)\nreturn record['evntName']"), NONE);
    assert_eq!(body("a = b\nb = a\nreturn a['x']"), NONE);
    assert_eq!(body("return [record['x'] for record in others]"), NONE);
}

#[test]
fn required_subkeys_are_keys_of_the_log() {
    let told = options(
        "logs=['cloudtrail:events'], outputs=['slack:security'], req_subkeys={'detial': ['actor'], 'detail': []}",
    );
    assert_eq!(
        told,
        ["SA201 no log of the rule has a key 'detial'; did you mean 'detail'?"]
    );
}

#[test]
fn comparing_with_another_type_than_the_schemas_is_never_true() {
    assert_eq!(
        returning("record['port'] == '22'"),
        ["SA301 record['port'] is an integer and never equal to a text; write 22"]
    );
    for wrong in [
        "'22' == record['port']",
        "record['port'] in ('22', '23')",
        "record['port'] in {'22'}",
        "record.get('port') != 'x'",
        "record['eventName'] == 3",
        "record['eventName'] in (1, 2)",
        "record['readOnly'] == 'true'",
        "record['resources'] == 'x'",
        "record['detail'] == 'x'",
        "record['detail']['count'] == '1'",
        "record['port'] > '22'",
        "record['eventName'] > 5",
        "22 in record['eventName']",
        "'x' in record['port']",
        "record['port'].startswith('2')",
    ] {
        assert_eq!(returning_ids(wrong), ["SA301"], "{wrong}");
    }
}

#[test]
fn comparing_with_the_right_type_or_with_something_false_is_fine() {
    for fine in [
        "record['port'] == 22",
        "record['port'] in (22, '22')",
        "record['size'] > 1",
        "record['readOnly']",
        "record['port'] == ''",
        "record['port'] != 0",
        "record['port'] is None",
        "int(record['port']) == '22'",
        "record.get('port', '22') == '22'",
        "record['userIdentity'] == 'x'",
        "'arn' in record['resources']",
        "'x' in record['eventName']",
        "str(record['port']).startswith('2')",
    ] {
        assert_eq!(returning(fine), NONE, "{fine}");
    }
    let both = rule("return record['port'] == '22'").replace("events'", "events', 'okta:logs'");
    assert_eq!(ids(&both), [], "the other log has it as a text");
}

#[test]
fn a_list_of_constants_may_be_a_global() {
    let text = rule("return record['port'] in PORTS");
    assert_eq!(ids(&format!("{text}PORTS = ('22', '23')\n")), [(6, "SA301")]);
    assert_eq!(ids(&format!("{text}PORTS = (22, 23)\n")), []);
}

#[test]
fn changing_the_record_is_told() {
    for change in [
        "record['x'] = 1\nreturn record['eventName']",
        "record['detail']['count'] += 1\nreturn True",
        "del record['port']\nreturn True",
        "record['resources'].append(1)\nreturn True",
        "return record.pop('port')",
        "detail = record['detail']\ndetail['actor'] = 'x'\nreturn True",
        "record.get('userIdentity').update(a=1)\nreturn True",
    ] {
        let told = body(change);
        assert_eq!(told.len(), 1, "{change}: {told:?}");
        assert!(told[0].starts_with("SA202"), "{told:?}");
    }
    assert_eq!(body("mine = dict(record)\nmine['x'] = 1\nreturn mine"), NONE);
    assert_eq!(
        body("mine = record['resources'].copy()\nmine.append(1)\nreturn mine"),
        NONE
    );
}
