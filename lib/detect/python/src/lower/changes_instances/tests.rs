use crate::cx::Raise;
use crate::registry::Args;
use crate::{eval, load, lower, testing};

const HEAD: &str = "\
from streamalert.shared.rule import rule
from operator import attrgetter
from collections import namedtuple
Pair = namedtuple('Pair', 'left right')
GLOBAL = [1]
class Holder:
    shared = GLOBAL
    def __init__(self, items=None):
        self.items = items
    def add(self, given):
        given.append(2)
    def get(self):
        return GLOBAL
    @property
    def own(self):
        return GLOBAL
    @classmethod
    def of(cls, given):
        return cls(given)
    def __call__(self, given):
        given.append(2)
    def __contains__(self, given):
        given.append(2)
        return True
    def __getitem__(self, at):
        return GLOBAL
def keep(one):
    made = Holder()
    made.kept = one
    return made
";

/// What changes the module's list, through an instance.
const CHANGES: [&str; 20] = [
    "Pair(GLOBAL, 1).left.append(2)",
    "Pair(1, GLOBAL)[1].append(2)",
    "namedtuple('P', 'x')(GLOBAL).x.append(2)",
    "keep(lambda: GLOBAL).kept().append(2)",
    "Holder(GLOBAL).items.append(2)",
    "Holder(items=GLOBAL).items.append(2)",
    "Holder().shared.append(2)",
    "Holder().add(GLOBAL)",
    "Holder().get().append(2)",
    "Holder().own.append(2)",
    "Holder.of(GLOBAL).items.append(2)",
    "Holder()(GLOBAL)",
    "any(map(Holder(), [GLOBAL]))",
    "GLOBAL in Holder()",
    "Holder()[0].append(2)",
    "keep(GLOBAL).kept.append(2)",
    "getattr(Holder(GLOBAL), 'items').append(2)",
    "attrgetter('items')(Holder(GLOBAL)).append(2)",
    "type(Holder())(GLOBAL).items.append(2)",
    "list(map(Holder, [GLOBAL]))[0].items.append(2)",
];

/// What does not.
const HARMLESS: [&str; 5] = [
    "Holder([1]).items.append(2)",
    "len(Holder(GLOBAL).items)",
    "Holder(list(GLOBAL)).items.append(2)",
    "Holder(GLOBAL).get()",
    "1 in Holder(GLOBAL).items",
];

/// Whether a rule that only reads the list is evaluated here, beside one that does this.
fn reads(statement: &str, instances: &str) -> bool {
    let source = format!(
        "{instances}@rule(logs=['a'])\ndef one(rec):\n    {statement}\n    return True\n\
         @rule(logs=['a'])\ndef two(rec):\n    return 2 in GLOBAL\n"
    );
    let loaded = load::load_source(&source, "rules/a.py", (3, 11, 7));
    let program = lower::compile(&loaded.export).unwrap();
    let rule = &program.rules[1];
    testing::with_program(&program, "{}", |cx, record| {
        let answer = eval::call(cx, cx.constant(rule.func), &Args::positional(&[record]));
        !matches!(answer, Err(Raise::Fallback(_)))
    })
}

#[test]
fn a_constant_that_is_changed_through_an_instance_is_read_by_cpython() {
    for change in CHANGES {
        assert!(!reads(change, HEAD), "{change}");
    }
}

#[test]
fn instances_that_change_no_constant_leave_constants_alone() {
    // Methods that change what they are given are left out: what they may be given is not followed so far.
    let head = HEAD.replace("given.append(2)", "pass");
    for harmless in HARMLESS {
        assert!(reads(harmless, &head), "{harmless}");
    }
}
