//! Classes of the user's: attributes with inheritance, static and class methods bound, exception classes.

use std::collections::{BTreeMap, HashMap};

use super::unit::Shared;
use crate::export::{Export, Object, ObjectId};
use crate::program::{Class, Const, ConstId, Instances};
use crate::types::Type;

/// Longer chains of inheritance are not followed.
const BASES_MAX: usize = 64;

/// Special methods that make a class behave in ways not known here, when the user defines one.
fn is_special(name: &str) -> bool {
    name.starts_with("__") && name.ends_with("__")
}

/// What every class body leaves behind and what says nothing about behaviour.
fn is_noise(name: &str) -> bool {
    matches!(
        name,
        "__module__"
            | "__qualname__"
            | "__doc__"
            | "__dict__"
            | "__weakref__"
            | "__annotations__"
            | "__slots__"
            | "__firstlineno__"
            | "__static_attributes__"
            | "_abc_impl"
    )
}

/// Makes the constants of all class objects.
pub(super) fn link(shared: &mut Shared<'_>, export: &Export) {
    let mut linker = Linker {
        export,
        numbers: HashMap::new(),
    };
    for (id, object) in export.objects.iter().enumerate() {
        if matches!(object, Object::Class { .. }) {
            linker.numbers.insert(id as ObjectId, shared.classes.len() as u32);
            shared.classes.push(Class {
                name: Box::default(),
                exception: None,
                bases: Box::default(),
                attrs: HashMap::new(),
                instances: None,
            });
        }
    }
    let numbers: BTreeMap<ObjectId, u32> = linker.numbers.iter().map(|(id, number)| (*id, *number)).collect();
    for (id, number) in numbers {
        let value = match linker.class(shared, id) {
            Ok(class) => {
                let exception = class.exception.is_some();
                if let Some(place) = shared.classes.get_mut(number as usize) {
                    *place = class;
                }
                if exception {
                    Const::Type(Type::User(number))
                } else {
                    Const::Class(number)
                }
            }
            Err(reason) => Const::Unsupported(shared.pool.point(0, 0, reason, "")),
        };
        if let Some(place) = shared.pool.consts.get_mut(id as usize) {
            *place = value;
        }
    }
}

struct Linker<'a> {
    export: &'a Export,
    numbers: HashMap<ObjectId, u32>,
}

/// A class as it was exported.
struct Exported<'a> {
    name: &'a str,
    bases: &'a [ObjectId],
    attrs: &'a BTreeMap<String, ObjectId>,
}

impl<'a> Linker<'a> {
    fn exported(&self, id: ObjectId) -> Option<Exported<'a>> {
        match self.export.objects.get(id as usize)? {
            Object::Class {
                name, bases, attrs, ..
            } => Some(Exported { name, bases, attrs }),
            _ => None,
        }
    }

    /// The class, with everything inherited, or why it is not known here.
    fn class(&self, shared: &mut Shared<'_>, id: ObjectId) -> Result<Class, String> {
        let Some(this) = self.exported(id) else {
            return Err("an object of a broken export".to_owned());
        };
        let refuse = |why: &str| format!("the class {} {why}", this.name);
        // One user base at most in each class: then the order of look-ups is the chain itself.
        let mut chain = vec![id];
        let mut exception = None;
        let mut at = this.bases;
        loop {
            match at {
                [] => break,
                [base] => match (shared.pool.consts.get(*base as usize), self.exported(*base)) {
                    (_, Some(next)) => {
                        if chain.len() >= BASES_MAX || chain.contains(base) {
                            return Err(refuse("derives from too many classes"));
                        }
                        chain.push(*base);
                        at = next.bases;
                    }
                    (Some(Const::Type(Type::Object)), _) => break,
                    (Some(Const::Type(Type::Exc(kind))), _) => {
                        exception = Some(*kind);
                        break;
                    }
                    _ => {
                        return Err(refuse(
                            "derives from a class that is not known to the native engine",
                        ));
                    }
                },
                _ => return Err(refuse("has several bases")),
            }
        }
        let mut attrs = HashMap::new();
        let mut instances = exception.is_none().then(Instances::default);
        for class in chain.iter().rev() {
            let Some(exported) = self.exported(*class) else {
                continue;
            };
            for (name, value) in exported.attrs {
                if matches!(name.as_str(), "__slots__" | "_abc_impl") {
                    instances = None;
                }
                if is_noise(name) {
                    continue;
                }
                if is_special(name) && (exception.is_some() || !self.is_known_special(name, *value)) {
                    return Err(refuse(&format!("defines {name}")));
                }
                if exception.is_some() {
                    return Err(refuse("is an exception with attributes"));
                }
                if let Some(instances) = &mut instances {
                    self.note(instances, name, *value);
                }
                let value = self.attribute(shared, id, *value)?;
                attrs.insert(name.as_str().into(), value);
            }
        }
        let bases = chain
            .iter()
            .skip(1)
            .filter_map(|class| self.numbers.get(class).copied())
            .collect();
        Ok(Class {
            name: this.name.into(),
            exception,
            bases,
            attrs,
            instances,
        })
    }

    /// Special methods whose calls are known: functions, or no hash because of `__eq__`.
    fn is_known_special(&self, name: &str, value: ObjectId) -> bool {
        match self.export.objects.get(value as usize) {
            Some(Object::Function { .. }) => matches!(
                name,
                "__init__"
                    | "__eq__"
                    | "__hash__"
                    | "__str__"
                    | "__repr__"
                    | "__len__"
                    | "__bool__"
                    | "__contains__"
                    | "__getitem__"
                    | "__call__"
            ),
            Some(Object::None) => name == "__hash__",
            _ => false,
        }
    }

    /// What an attribute is on an instance, where it is not what it is on the class.
    fn note(&self, instances: &mut Instances, name: &str, value: ObjectId) {
        instances.statics.remove(name);
        instances.properties.remove(name);
        match self.export.objects.get(value as usize) {
            Some(Object::Staticmethod { .. }) => {
                instances.statics.insert(name.into());
            }
            Some(Object::Unsupported {
                getter: Some(getter), ..
            }) if matches!(
                self.export.objects.get(*getter as usize),
                Some(Object::Function { .. })
            ) =>
            {
                instances.properties.insert(name.into(), *getter);
            }
            _ => {}
        }
    }

    /// What `Class.name` gives.
    fn attribute(
        &self,
        shared: &mut Shared<'_>,
        class: ObjectId,
        value: ObjectId,
    ) -> Result<ConstId, String> {
        let func = |id: &ObjectId| {
            if (*id as usize) < self.export.objects.len() {
                Ok(*id)
            } else {
                Err("a broken export".to_owned())
            }
        };
        match self.export.objects.get(value as usize) {
            Some(Object::Staticmethod { func: id }) => func(id),
            Some(Object::Classmethod { func: id }) => {
                let func = func(id)?;
                Ok(shared.pool.push(|_| Const::Method(func, class)))
            }
            Some(_) => Ok(value),
            None => Err("a broken export".to_owned()),
        }
    }
}
