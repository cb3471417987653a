//! `collections.deque`.

use std::cell::{Cell, RefCell};

use bumpalo::collections::Vec as BumpVec;

use crate::cx::{Cx, R};
use crate::iter::{self, IterState, NextObj};
use crate::modules::args::bind;
use crate::obj::{List, Obj};
use crate::ops;
use crate::registry::{Args, Native, NativeClass};
use crate::text;
use crate::types::ExcKind;

/// `collections.deque`
pub(super) static DEQUE: NativeClass = NativeClass {
    module: "collections",
    name: "deque",
    bases: &[],
    new,
    attr: |_| None,
};

/// A deque: elements before `start` have been taken from the left.
struct Deque<'a> {
    items: RefCell<BumpVec<'a, Obj<'a>>>,
    start: Cell<usize>,
    most: Option<usize>,
    /// Counts changes, which end an iteration.
    changes: Cell<u32>,
}

fn new<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [values, most] = bind(cx, args, ["iterable", "maxlen"], 0)?;
    let most = match most {
        None | Some(Obj::None) => None,
        Some(Obj::Int(most)) if most >= 0 => Some(most as usize),
        Some(_) => return Err(cx.leave("such a maxlen")),
    };
    let deque: &'a Deque<'a> = cx.bump.alloc(Deque {
        items: RefCell::new(BumpVec::new_in(cx.bump)),
        start: Cell::new(0),
        most,
        changes: Cell::new(0),
    });
    if let Some(values) = values {
        deque.extend(cx, values, false)?;
    }
    Ok(Obj::Native(deque))
}

impl<'a> Deque<'a> {
    fn count(&self) -> usize {
        self.items.borrow().len() - self.start.get()
    }

    fn at(&self, place: usize) -> Option<Obj<'a>> {
        self.items.borrow().get(self.start.get() + place).copied()
    }

    fn changed(&self) {
        self.changes.set(self.changes.get().wrapping_add(1));
    }

    fn push(&self, cx: &Cx<'a>, item: Obj<'a>, left: bool) -> R<'a, ()> {
        if self.most == Some(0) {
            return Ok(());
        }
        cx.tick()?;
        self.changed();
        let start = self.start.get();
        if !left {
            self.items.borrow_mut().push(item);
        } else if start > 0 {
            self.start.set(start - 1);
            if let Some(place) = self.items.borrow_mut().get_mut(start - 1) {
                *place = item;
            }
        } else {
            let mut items = self.items.borrow_mut();
            // Room for as many more on the left, so that many of them do not take quadratic time.
            let room = items.len() + 4;
            cx.reserve(room * size_of::<Obj<'_>>())?;
            items.splice(0..0, std::iter::repeat_n(Obj::Unbound, room));
            if let Some(place) = items.get_mut(room - 1) {
                *place = item;
            }
            self.start.set(room - 1);
        }
        if self.most.is_some_and(|most| self.count() > most) {
            self.take(!left);
        }
        Ok(())
    }

    fn take(&self, left: bool) -> Option<Obj<'a>> {
        if self.count() == 0 {
            return None;
        }
        self.changed();
        if left {
            let item = self.at(0);
            self.start.set(self.start.get() + 1);
            item
        } else {
            self.items.borrow_mut().pop()
        }
    }

    fn extend(&self, cx: &Cx<'a>, values: Obj<'a>, left: bool) -> R<'a, ()> {
        if matches!(values, Obj::Native(_)) {
            return Err(cx.leave("a deque extended by an object"));
        }
        let mut values = iter::iter(cx, values)?;
        while let Some(item) = values.next(cx)? {
            self.push(cx, item, left)?;
        }
        Ok(())
    }

    fn list(&self, cx: &Cx<'a>) -> R<'a> {
        cx.reserve(self.count() * size_of::<Obj<'_>>())?;
        let items = self.items.borrow();
        let items = items.get(self.start.get()..).unwrap_or_default();
        Ok(List::object(
            cx,
            BumpVec::from_iter_in(items.iter().copied(), cx.bump),
        ))
    }
}

struct Walk<'a> {
    deque: &'a Deque<'a>,
    next: Cell<usize>,
    changes: u32,
}

impl<'a> NextObj<'a> for Walk<'a> {
    fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        let place = self.next.get();
        if self.deque.changes.get() != self.changes {
            return Err(cx.raise(
                ExcKind::RuntimeError,
                format_args!("deque mutated during iteration"),
            ));
        }
        self.next.set(place + 1);
        Ok(self.deque.at(place))
    }
}

impl<'a> Native<'a> for Deque<'a> {
    fn class(&self) -> &'static NativeClass {
        &DEQUE
    }

    fn attr(&'a self, _cx: &Cx<'a>, name: &str) -> R<'a, Option<Obj<'a>>> {
        Ok((name == "maxlen").then(|| self.most.map_or(Obj::None, |most| Obj::Int(most as i64))))
    }

    fn method(&'a self, cx: &Cx<'a>, name: &str, args: &Args<'_, 'a>) -> Option<R<'a>> {
        let done = |result: R<'a, ()>| result.map(|()| Obj::None);
        Some(match (name, args.pos, args.kw) {
            ("append", [item], []) => done(self.push(cx, *item, false)),
            ("appendleft", [item], []) => done(self.push(cx, *item, true)),
            ("extend", [values], []) => done(self.extend(cx, *values, false)),
            ("extendleft", [values], []) => done(self.extend(cx, *values, true)),
            ("pop" | "popleft", [], []) => self
                .take(name == "popleft")
                .ok_or_else(|| cx.raise(ExcKind::IndexError, format_args!("pop from an empty deque"))),
            ("clear", [], []) => {
                self.changed();
                self.items.borrow_mut().clear();
                self.start.set(0);
                Ok(Obj::None)
            }
            _ => Err(cx.leave("a method of a deque")),
        })
    }

    fn truthy(&'a self, _cx: &Cx<'a>) -> R<'a, bool> {
        Ok(self.count() > 0)
    }

    fn len(&'a self, _cx: &Cx<'a>) -> Option<R<'a, usize>> {
        Some(Ok(self.count()))
    }

    fn eq(&'a self, cx: &Cx<'a>, other: Obj<'a>) -> R<'a, Option<bool>> {
        match other {
            Obj::Native(native) if native.class().name == DEQUE.name => Err(cx.leave("deques compared")),
            _ => Ok(None),
        }
    }

    fn hash(&'a self, _cx: &Cx<'a>) -> R<'a, Option<u64>> {
        Ok(None)
    }

    fn repr(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        let list = ops::nested(cx, || text::repr(cx, self.list(cx)?))?;
        match self.most {
            None => cx.text(&format!("deque({list})")),
            Some(most) => cx.text(&format!("deque({list}, maxlen={most})")),
        }
    }

    fn iter(&'a self, cx: &Cx<'a>) -> Option<R<'a, IterState<'a>>> {
        let walk: &'a Walk<'a> = cx.bump.alloc(Walk {
            deque: self,
            next: Cell::new(0),
            changes: self.changes.get(),
        });
        Some(Ok(IterState::Dyn(walk)))
    }

    fn index(&'a self, cx: &Cx<'a>, index: Obj<'a>) -> Option<R<'a>> {
        let Some(index) = ops::small_int(index) else {
            return Some(Err(cx.leave("a deque with such an index")));
        };
        let count = self.count() as i64;
        let place = if index < 0 {
            index.saturating_add(count)
        } else {
            index
        };
        let found = usize::try_from(place).ok().and_then(|place| self.at(place));
        Some(found.ok_or_else(|| cx.raise(ExcKind::IndexError, format_args!("deque index out of range"))))
    }
}
