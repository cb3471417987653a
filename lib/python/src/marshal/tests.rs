use super::*;

fn written(records: &[&str]) -> Vec<u8> {
    let mut writer = GroupWriter::new();
    for record in records {
        writer.add(record.as_bytes());
    }
    let group = writer.finish();
    assert_eq!(group.count, records.len());
    group.data
}

/// What CPython's `marshal.dumps([{…}, …], 4)` writes, but for flags on values, which it sets by reference counts.
#[test]
fn values_are_written_as_marshal_reads_them() {
    let record = r#"{"a":[null,true,false,-1,4294967296,-0,1.5,"x","é","\ud800"],"é":{}}"#;
    let expected = [
        &b"[\x01\0\0\0{"[..],
        b"\xfa\x01a[\x0a\0\0\0NTF",
        b"i\xff\xff\xff\xff",
        b"l\x03\0\0\0\0\0\0\0\x04\0",
        b"i\0\0\0\0",
        b"g\0\0\0\0\0\0\xf8\x3f",
        b"z\x01x",
        b"u\x02\0\0\0\xc3\xa9",
        b"u\x03\0\0\0\xed\xa0\x80",
        b"\xf5\x02\0\0\0\xc3\xa9{00",
    ]
    .concat();
    assert_eq!(written(&[record]), expected);
}

#[test]
fn a_key_is_written_once_in_a_group_and_again_in_the_next() {
    let group = written(&[r#"{"key":{"key":1}}"#, r#"{"\u006bey":2}"#]);
    assert_eq!(
        group,
        b"[\x02\0\0\0{\xfa\x03key{r\0\0\0\0i\x01\0\0\x0000{r\0\0\0\0i\x02\0\0\x000"
    );
    let mut writer = GroupWriter::new();
    for _ in 0..2 {
        writer.add(br#"{"key":1}"#);
        assert_eq!(writer.finish().data, b"[\x01\0\0\0{\xfa\x03keyi\x01\0\0\x000");
    }
}

#[test]
fn a_record_that_is_no_object_is_none_and_leaves_no_trace() {
    let broken = [
        "",
        "[]",
        "1",
        "{",
        r#"{"a":1,"b"}"#,
        r#"{"a":1}x"#,
        r#"{"a":truE}"#,
        "{\"a\":\"\n\"}",
    ];
    for record in broken {
        assert_eq!(written(&[record]), b"[\x01\0\0\0N", "{record}");
    }
    let mut writer = GroupWriter::new();
    writer.add(b"{\"a\":\"\xff\"}");
    writer.add(b"{\"a\":\"\xed\xa0\x80\"}");
    assert_eq!(writer.finish().data, b"[\x02\0\0\0NN");
    // Its keys were written before the number that cannot be read was met.
    let long = format!(r#"{{"a":1,"b":{}}}"#, "9".repeat(INT_DIGITS_MAX + 1));
    assert_eq!(
        written(&[&long, r#"{"b":1,"a":2,"b":3}"#]),
        b"[\x02\0\0\0N{\xfa\x01bi\x03\0\0\0\xfa\x01ai\x02\0\0\x000"
    );
}

#[test]
fn integers_of_any_size_are_exact() {
    let power = |exponent: u32| 1_u128 << exponent;
    for number in [
        power(15),
        power(30) - 1,
        power(30),
        power(60) + 5,
        power(90),
        u128::MAX,
        10_u128.pow(27),
    ] {
        let limbs = limbs(&number.to_string());
        assert!(limbs.last().is_some_and(|top| *top > 0), "{number}");
        let back = limbs
            .iter()
            .rev()
            .fold(0_u128, |number, limb| number << 30 | u128::from(*limb));
        assert_eq!(back, number);
    }
}

#[test]
fn more_keys_than_there_are_places_are_written_all_the_same() {
    let record = |from: usize| {
        let members: Vec<String> = (from..from + 3 * KEYS_MAX)
            .map(|n| format!(r#""k{n}":0"#))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    let (first, second) = (record(0), record(KEYS_MAX));
    let data = written(&[&first, &second]);
    let mut names: Vec<&[u8]> = Vec::new();
    let mut at = 5;
    let mut seen = Vec::new();
    while at < data.len() {
        match data[at] {
            b'{' | b'0' => at += 1,
            b'i' => at += 5,
            b'r' => {
                let number = u32::from_le_bytes(data[at + 1..at + 5].try_into().unwrap());
                seen.push(names[number as usize]);
                at += 5;
            }
            0xfa => {
                let name = &data[at + 2..at + 2 + usize::from(data[at + 1])];
                names.push(name);
                seen.push(name);
                at += 2 + name.len();
            }
            other => panic!("{other}"),
        }
    }
    let expected: Vec<String> = [0, KEYS_MAX]
        .iter()
        .flat_map(|from| (*from..from + 3 * KEYS_MAX).map(|n| format!("k{n}")))
        .collect();
    assert!(
        seen.iter()
            .zip(&expected)
            .all(|(seen, name)| *seen == name.as_bytes())
    );
    assert_eq!(seen.len(), expected.len());
}
