use super::*;

#[test]
fn records_with_the_same_rules_share_their_list() {
    let group = |count, data: &[u8]| Group {
        count,
        data: data.to_vec(),
    };
    let groups = [group(2, b"ab"), group(1, b"c")];
    let mut plans = Plans::default();
    for list in [
        &[RuleIndex(4), RuleIndex(1)][..],
        &[],
        &[RuleIndex(4), RuleIndex(1)],
    ] {
        plans.add(list.into());
    }
    let frame = EvaluateFrame {
        sequence: 9,
        trace: true,
        fixtures: None,
        groups: groups.iter(),
        done: 1,
        plans: &plans,
    };
    let bytes = frame.encode();
    assert_eq!(
        u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize,
        bytes.len() - 5
    );
    let expected = [
        &[EVALUATE][..],
        &[9, 0, 0, 0, 1, 0, 0, 0, 0],
        &[2, 0],
        &[2, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0],
        &[0, 0, 0, 0],
        &[1, 0, 0, 0, 2, 0, 0, 0],
        &[2, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0],
        b"ab",
        &[1, 0, 0, 0, 0, 0, 1, 0, 0, 0],
        b"c",
    ]
    .concat();
    assert_eq!(&bytes[4..], expected);
}

fn result(entries: &[(u32, u32, u8, &[u8])]) -> Bytes {
    let mut body = Vec::new();
    for number in [9, 2, 0, u32::try_from(entries.len()).unwrap()] {
        put_u32(&mut body, number);
    }
    for (record, rule, kind, data) in entries {
        put_u32(&mut body, *record);
        put_u32(&mut body, *rule);
        body.push(*kind);
        put_len(&mut body, data.len());
        body.extend_from_slice(data);
    }
    body.into()
}

#[test]
fn results_are_read_back() {
    let fired = b"\x01\0\x07\0slack:x\x08\0\0\0{\"a\": 1}\x01{\"b\":2}";
    let raised = b"\x08\0KeyError\x01\0xtrace";
    let frame = ResultFrame::decode(&result(&[(0, 3, FIRED, fired), (1, 4, EXCEPTION, raised)])).unwrap();
    assert_eq!((frame.sequence, frame.done, frame.entries.len()), (9, 2, 2));
    let Some(RuleOutcome::Fired(fired)) = &frame.entries[0].outcome else {
        panic!()
    };
    assert_eq!(fired.outputs[0].as_str(), "slack:x");
    assert_eq!(fired.context.to_json(), "{\"a\":1}");
    assert_eq!(fired.record.as_deref(), Some(&b"{\"b\":2}"[..]));
    let Some(RuleOutcome::Exception(raised)) = &frame.entries[1].outcome else {
        panic!()
    };
    assert_eq!(
        (&*raised.kind, &*raised.message, &*raised.traceback),
        ("KeyError", "x", "trace")
    );
}

#[test]
fn malformed_results_are_refused_and_never_panic() {
    let good = result(&[
        (0, 3, FIRED, b"\0\0\x02\0\0\0{}\0"),
        (1, 4, EXCEPTION, b"\x01\0x\0\0"),
    ]);
    assert!(ResultFrame::decode(&good).is_some());
    for end in 0..good.len() {
        assert!(ResultFrame::decode(&good.slice(..end)).is_none(), "cut at {end}");
    }
    assert!(
        ResultFrame::decode(&result(&[(2, 0, FALSE, b"")])).is_none(),
        "a record beyond those done"
    );
    assert!(
        ResultFrame::decode(&result(&[(0, 0, 99, b"")])).is_none(),
        "an unknown kind"
    );
}

#[tokio::test]
async fn a_frame_that_ends_early_is_none() {
    let bytes = frame(RESULT, b"body");
    let whole = read_frame(&mut &bytes[..]).await.unwrap();
    assert_eq!((whole.kind, &whole.body[..]), (RESULT, &b"body"[..]));
    assert!(read_frame(&mut &bytes[..bytes.len() - 1]).await.is_none());
    assert!(
        read_frame(&mut &[0xff, 0xff, 0xff, 0xff, 19, 0][..])
            .await
            .is_none()
    );
}
