//! Evaluation contexts for tests.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use bumpalo::Bump;
use streamalert_value::Doc;

use crate::cx::{Cx, Limits};
use crate::env::Env;
use crate::marks::Marks;
use crate::obj::Obj;
use crate::program::{Program, PyVersion};

/// A program without rules.
#[must_use]
pub fn program(minor: u8) -> Program {
    Program {
        version: PyVersion { minor, patch: 0 },
        files: Vec::new(),
        consts: Vec::new(),
        codes: Vec::new(),
        classes: Vec::new(),
        paths: Vec::new(),
        memos: 0,
        points: Vec::new(),
        networks: Vec::new(),
        rules: Vec::new(),
    }
}

/// An environment without lookup tables, at one second past 2001-09-09T01:46:39 UTC.
#[must_use]
pub fn env() -> Env {
    Env::new(Arc::new(HashMap::new()), Box::new(|| 1_000_000_000_000_000))
}

/// Runs `test` for Python 3.11 and an empty record.
pub fn with_cx<T>(test: impl for<'a> FnOnce(&Cx<'a>) -> T) -> T {
    with_record("{}", |cx, _| test(cx))
}

/// Runs `test` for Python 3.11 on a record given as JSON.
///
/// # Panics
/// When it is no JSON.
pub fn with_record<T>(json: &str, test: impl for<'a> FnOnce(&Cx<'a>, Obj<'a>) -> T) -> T {
    with_program(&program(11), json, test)
}

/// Runs `test` for a program and a record given as JSON.
///
/// # Panics
/// When it is no JSON.
pub fn with_program<T>(program: &Program, json: &str, test: impl for<'a> FnOnce(&Cx<'a>, Obj<'a>) -> T) -> T {
    with_env(program, &env(), json, test)
}

/// The same with an environment.
///
/// # Panics
/// When the record is no JSON.
pub fn with_env<T>(
    program: &Program,
    env: &Env,
    json: &str,
    test: impl for<'a> FnOnce(&Cx<'a>, Obj<'a>) -> T,
) -> T {
    let bump = Bump::new();
    let mut doc = Doc::new();
    let tree = doc.parse(json).expect("the record of a test is JSON");
    let mut marks = Marks::new(program.paths.len(), program.memos as usize);
    marks.next_event();
    run(&bump, program, tree, env, &marks, test)
}

fn run<'a, T>(
    bump: &'a Bump,
    program: &'a Program,
    tree: streamalert_value::Tree<'a>,
    env: &'a Env,
    marks: &'a Marks,
    test: impl FnOnce(&Cx<'a>, Obj<'a>) -> T,
) -> T {
    let limits = Limits::default();
    let cx = Cx {
        program,
        tree,
        bump,
        fuel: Cell::new(limits.fuel),
        limits,
        env,
        marks,
        depth: Cell::new(0),
        line: Cell::new(0),
        handling: Cell::new(None),
        leave_at: Cell::new(None),
        looked_up: Default::default(),
        nameless: Default::default(),
    };
    let record = cx
        .object(tree.root())
        .unwrap_or_else(|_| panic!("the record of a test is representable"));
    test(&cx, record)
}
