//! Compares forms in which a classified record may cross from classifier to rules-node
//! (`docs/adr/0001-record-on-the-wire.md`): JSON text, a protobuf tree, MessagePack.
//!
//! Input: JSON lines, one record each, plain or gzip. Python's side is measured when `python3` is on PATH.
//!
//! ```text
//! cargo run --release -p streamalert-proto --example record_on_the_wire -- records.jsonl
//! ```
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark that prints its figures"
)]

use std::error::Error;
use std::hint::black_box;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use bytes::Bytes;
use prost::Message;
use rustix::time::{ClockId, clock_gettime};
use streamalert_value::{Doc, Kind, NodeRef, key_hash, write_json_text};

/// Passes over all records; the fastest counts.
const PASSES: usize = 15;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args()
        .nth(1)
        .ok_or("usage: record_on_the_wire RECORDS.jsonl[.gz]")?;
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(&path)?)
        .read_to_string(&mut text)
        .or_else(|_| std::fs::File::open(&path)?.read_to_string(&mut text))?;
    let compact: Vec<String> = text.lines().map(str::to_owned).collect();
    let bench = Bench {
        bytes: compact.iter().map(String::len).sum(),
        records: compact.len(),
    };
    println!(
        "{} records, {} bytes of JSON on average",
        bench.records,
        bench.bytes / bench.records
    );

    let mut doc = Doc::new();
    let mut out = Vec::new();
    bench.time("JSON text: copy of a verbatim record", || {
        for line in &compact {
            out.clear();
            out.extend_from_slice(line.as_bytes());
            black_box(&out);
        }
    });
    let trees: Vec<(Doc, &String)> = compact
        .iter()
        .map(|line| {
            let mut doc = Doc::new();
            doc.parse(line).unwrap();
            (doc, line)
        })
        .collect();
    bench.time("JSON text: every node written", || {
        for (doc, line) in &trees {
            out.clear();
            write_json(doc.tree(line).root(), &mut out);
            black_box(&out);
        }
    });
    bench.time("JSON text: utf-8 check and parse into the arena", || {
        for line in &compact {
            let line = std::str::from_utf8(line.as_bytes()).unwrap();
            black_box(doc.parse(line).unwrap().root().kind());
        }
    });

    bench.time("protobuf tree: built from the arena and encoded", || {
        for (doc, line) in &trees {
            out.clear();
            tree_of(doc.tree(line).root()).encode(&mut out).unwrap();
            black_box(&out);
        }
    });
    let encoded: Vec<Bytes> = trees
        .iter()
        .map(|(doc, line)| tree_of(doc.tree(line).root()).encode_to_vec().into())
        .collect();
    bench.size("protobuf tree", encoded.iter().map(Bytes::len).sum());
    bench.time("protobuf tree: decoded to a tree", || {
        for bytes in &encoded {
            black_box(Tree::decode(bytes.clone()).unwrap());
        }
    });

    bench.time("MessagePack: written from the arena", || {
        for (doc, line) in &trees {
            out.clear();
            pack(doc.tree(line).root(), &mut out);
            black_box(&out);
        }
    });
    let packed: Vec<Vec<u8>> = trees
        .iter()
        .map(|(doc, line)| {
            let mut out = Vec::new();
            pack(doc.tree(line).root(), &mut out);
            out
        })
        .collect();
    bench.size("MessagePack", packed.iter().map(Vec::len).sum());
    let mut arena = Vec::new();
    bench.time("MessagePack: decoded into an arena of the same shape", || {
        for bytes in &packed {
            arena.clear();
            unpack(bytes, &mut 0, &mut arena);
            black_box(&arena);
        }
    });
    bench.time("MessagePack: to JSON text, for a CPython without msgpack", || {
        for bytes in &packed {
            out.clear();
            transcode(bytes, &mut 0, &mut out);
            black_box(&out);
        }
    });
    assert_same(&compact, &packed);
    python(&compact, &packed)
}

struct Bench {
    records: usize,
    bytes: usize,
}

impl Bench {
    /// CPU time of this thread per record; other processes do not count.
    fn time(&self, what: &str, mut pass: impl FnMut()) {
        let mut best = f64::INFINITY;
        for _ in 0..PASSES {
            let start = cpu_nanos();
            pass();
            best = best.min(cpu_nanos() - start);
        }
        println!("{:>7.0} ns  {what}", best / self.records as f64);
    }

    fn size(&self, what: &str, bytes: usize) {
        println!(
            "{:>7.1} %   {what}: size against JSON text",
            bytes as f64 * 100.0 / self.bytes as f64
        );
    }
}

fn cpu_nanos() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

fn write_json(node: NodeRef<'_>, out: &mut Vec<u8>) {
    match node.kind() {
        Kind::Map => {
            out.push(b'{');
            for (at, (key, value)) in node.members().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_json_text(&key.as_str().unwrap(), out);
                out.push(b':');
                write_json(value, out);
            }
            out.push(b'}');
        }
        Kind::List => {
            out.push(b'[');
            for (at, value) in node.items().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_json(value, out);
            }
            out.push(b']');
        }
        Kind::Text => write_json_text(&node.as_str().unwrap(), out),
        _ => out.extend_from_slice(node.raw().as_bytes()),
    }
}

#[derive(Clone, PartialEq, Message)]
struct Tree {
    #[prost(oneof = "Any", tags = "1, 2, 3, 4, 5, 6, 7")]
    any: Option<Any>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Any {
    #[prost(bool, tag = "1")]
    Bool(bool),
    #[prost(sint64, tag = "2")]
    Int(i64),
    #[prost(double, tag = "3")]
    Float(f64),
    /// Numbers that 64 bits do not hold.
    #[prost(string, tag = "4")]
    Number(String),
    #[prost(string, tag = "5")]
    Text(String),
    #[prost(message, tag = "6")]
    List(Trees),
    /// Keys and values in turn.
    #[prost(message, tag = "7")]
    Map(Trees),
}

#[derive(Clone, PartialEq, Message)]
struct Trees {
    #[prost(message, repeated, tag = "1")]
    items: Vec<Tree>,
}

fn tree_of(node: NodeRef<'_>) -> Tree {
    let any = match node.kind() {
        Kind::Null => None,
        Kind::True => Some(Any::Bool(true)),
        Kind::False => Some(Any::Bool(false)),
        Kind::Text | Kind::Key => Some(Any::Text(node.as_str().unwrap().into_owned())),
        Kind::List => Some(Any::List(Trees {
            items: node.items().map(tree_of).collect(),
        })),
        Kind::Map => {
            let items = node
                .members()
                .flat_map(|(key, value)| [tree_of(key), tree_of(value)]);
            Some(Any::Map(Trees {
                items: items.collect(),
            }))
        }
        _ => match (node.as_i64(), node.as_f64()) {
            (Some(int), _) => Some(Any::Int(int)),
            (None, Some(float)) => Some(Any::Float(float)),
            (None, None) => Some(Any::Number(node.raw().to_owned())),
        },
    };
    Tree { any }
}

fn pack(node: NodeRef<'_>, out: &mut Vec<u8>) {
    match node.kind() {
        Kind::Null => rmp::encode::write_nil(out).unwrap(),
        Kind::True => rmp::encode::write_bool(out, true).unwrap(),
        Kind::False => rmp::encode::write_bool(out, false).unwrap(),
        Kind::Text | Kind::Key => rmp::encode::write_str(out, &node.as_str().unwrap()).unwrap(),
        Kind::List => {
            rmp::encode::write_array_len(out, node.items().count() as u32).unwrap();
            node.items().for_each(|item| pack(item, out));
        }
        Kind::Map => {
            rmp::encode::write_map_len(out, node.members().count() as u32).unwrap();
            for (key, value) in node.members() {
                pack(key, out);
                pack(value, out);
            }
        }
        _ => match (node.as_i64(), node.as_f64()) {
            (Some(int), _) => {
                rmp::encode::write_sint(out, int).unwrap();
            }
            (None, Some(float)) => rmp::encode::write_f64(out, float).unwrap(),
            (None, None) => rmp::encode::write_str(out, node.raw()).unwrap(),
        },
    }
}

/// One value of MessagePack, with where its text or its number lies.
enum Token {
    Text(usize, usize),
    List(usize),
    Map(usize),
    Other,
}

/// Reads the marker at `at` and moves behind the value, or behind the head of a container.
fn token(bytes: &[u8], at: &mut usize) -> Token {
    let marker = bytes[*at];
    let start = *at + 1;
    let number = |len: usize| {
        bytes[start..start + len]
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let (head, token): (usize, fn(usize, usize) -> Token) = match marker {
        0x80..=0x8f => (0, |_, len| Token::Map(len)),
        0xde => (2, |_, len| Token::Map(len)),
        0xdf => (4, |_, len| Token::Map(len)),
        0x90..=0x9f => (0, |_, len| Token::List(len)),
        0xdc => (2, |_, len| Token::List(len)),
        0xdd => (4, |_, len| Token::List(len)),
        0xa0..=0xbf => (0, Token::Text),
        0xd9 => (1, Token::Text),
        0xda => (2, Token::Text),
        0xdb => (4, Token::Text),
        _ => {
            let len = match marker {
                0xcc | 0xd0 => 1,
                0xcd | 0xd1 => 2,
                0xce | 0xd2 | 0xca => 4,
                0xcf | 0xd3 | 0xcb => 8,
                _ => 0,
            };
            *at = start + len;
            return Token::Other;
        }
    };
    let len = match marker {
        0x80..=0x9f => usize::from(marker & 0x0f),
        0xa0..=0xbf => usize::from(marker & 0x1f),
        _ => number(head),
    };
    *at = start + head;
    let token = token(*at, len);
    if matches!(token, Token::Text(..)) {
        *at += len;
    }
    token
}

/// Kind, span, and the length of containers or the hash of keys: 16 bytes, like a node of the JSON arena.
struct Node {
    _kind: u8,
    _start: u32,
    _end: u32,
    link: u32,
}

fn unpack(bytes: &[u8], at: &mut usize, nodes: &mut Vec<Node>) {
    let start = *at as u32;
    let index = nodes.len();
    match token(bytes, at) {
        Token::Text(from, len) => {
            let text = std::str::from_utf8(&bytes[from..from + len]).unwrap();
            black_box(text);
            nodes.push(Node {
                _kind: 0,
                _start: from as u32,
                _end: (from + len) as u32,
                link: 0,
            });
        }
        Token::Other => nodes.push(Node {
            _kind: 1,
            _start: start,
            _end: *at as u32,
            link: 0,
        }),
        Token::List(len) => {
            nodes.push(Node {
                _kind: 2,
                _start: start,
                _end: 0,
                link: 0,
            });
            (0..len).for_each(|_| unpack(bytes, at, nodes));
            nodes[index].link = (nodes.len() - index - 1) as u32;
        }
        Token::Map(len) => {
            nodes.push(Node {
                _kind: 3,
                _start: start,
                _end: 0,
                link: 0,
            });
            for _ in 0..len {
                if let Token::Text(from, len) = token(bytes, at) {
                    let key = std::str::from_utf8(&bytes[from..from + len]).unwrap();
                    let link = key_hash(key.as_bytes());
                    nodes.push(Node {
                        _kind: 4,
                        _start: from as u32,
                        _end: (from + len) as u32,
                        link,
                    });
                }
                unpack(bytes, at, nodes);
            }
            nodes[index].link = (nodes.len() - index - 1) as u32;
        }
    }
}

fn transcode(bytes: &[u8], at: &mut usize, out: &mut Vec<u8>) {
    let start = *at;
    match token(bytes, at) {
        Token::Text(from, len) => {
            write_json_text(std::str::from_utf8(&bytes[from..from + len]).unwrap(), out)
        }
        Token::Other => {
            let mut rest = &bytes[start..];
            match bytes[start] {
                0xc0 => out.extend_from_slice(b"null"),
                0xc2 => out.extend_from_slice(b"false"),
                0xc3 => out.extend_from_slice(b"true"),
                0xcb => write!(out, "{:?}", rmp::decode::read_f64(&mut rest).unwrap()).unwrap(),
                _ => write!(out, "{}", rmp::decode::read_int::<i64, _>(&mut rest).unwrap()).unwrap(),
            }
        }
        Token::List(len) => {
            out.push(b'[');
            for item in 0..len {
                if item > 0 {
                    out.push(b',');
                }
                transcode(bytes, at, out);
            }
            out.push(b']');
        }
        Token::Map(len) => {
            out.push(b'{');
            for member in 0..len {
                if member > 0 {
                    out.push(b',');
                }
                transcode(bytes, at, out);
                out.push(b':');
                transcode(bytes, at, out);
            }
            out.push(b'}');
        }
    }
}

/// The comparison would mean nothing if the forms did not say the same.
fn assert_same(compact: &[String], packed: &[Vec<u8>]) {
    for (line, bytes) in compact.iter().zip(packed) {
        let mut out = Vec::new();
        transcode(bytes, &mut 0, &mut out);
        let (mut left, mut right) = (Doc::new(), Doc::new());
        let back = String::from_utf8(out).unwrap();
        let left = left.parse(line).unwrap().root().to_value();
        assert!(
            left.same(&right.parse(&back).unwrap().root().to_value()),
            "{line}\n{back}"
        );
    }
}

const PYTHON: &str = r"
import json, sys, time
data = sys.stdin.buffer.read()
rows, at = ([], []), 0
for _ in range(int(sys.argv[1])):
    for row in rows:
        size = int.from_bytes(data[at:at + 4], 'big')
        row.append(data[at + 4:at + 4 + size])
        at += 4 + size

def show(name, load, row):
    best = min(passes(load, row) for _ in range(7))
    print('%7.0f ns  CPython %d.%d: %s' % (best / len(row), *sys.version_info[:2], name))

def passes(load, row):
    start = time.process_time_ns()
    for item in row:
        load(item)
    return time.process_time_ns() - start

show('json.loads of the text', json.loads, rows[0])
for name, module, attribute, row in [
    ('orjson.loads of the text', 'orjson', 'loads', 0), ('msgpack.unpackb', 'msgpack', 'unpackb', 1),
]:
    try:
        show(name, getattr(__import__(module), attribute), rows[row])
    except ImportError:
        print('      -     CPython: %s is not installed' % module)
";

fn python(compact: &[String], packed: &[Vec<u8>]) -> Result<(), Box<dyn Error>> {
    let count = compact.len().to_string();
    let child = Command::new("python3")
        .args(["-c", PYTHON, &count])
        .stdin(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("      -     no python3 on PATH");
        return Ok(());
    };
    let mut stdin = child.stdin.take().ok_or("no pipe to python3")?;
    for (line, bytes) in compact.iter().zip(packed) {
        for bytes in [line.as_bytes(), bytes] {
            stdin.write_all(&u32::try_from(bytes.len())?.to_be_bytes())?;
            stdin.write_all(bytes)?;
        }
    }
    drop(stdin);
    child.wait()?;
    Ok(())
}
