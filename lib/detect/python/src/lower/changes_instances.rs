//! Constant containers that flow through instances of classes of the user's: instances are not told apart, so that what
//! an attribute is set to can be what the attribute of this name is of any other.

use std::collections::BTreeMap;

use super::changes::{Finder, params};
use super::flow::Value;
use crate::program::{Class, CodeId, Const, ConstId};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Instances {
    /// What attributes are set to, by name.
    pub(super) fields: BTreeMap<Box<str>, Value>,
    /// What is in classes, by name.
    attrs: Vec<(Box<str>, ConstId)>,
    /// Functions of classes, by name.
    methods: Vec<(Box<str>, CodeId)>,
}

impl Instances {
    pub(super) fn new(consts: &[Const], classes: &[Class]) -> Self {
        let mut this = Self::default();
        for class in classes {
            let Some(instances) = &class.instances else {
                continue;
            };
            let own = class.attrs.iter().chain(&instances.properties);
            for (name, id) in own {
                this.attrs.push((name.clone(), *id));
                let function = match consts.get(*id as usize) {
                    Some(Const::Method(function, _)) => consts.get(*function as usize),
                    other => other,
                };
                if let Some(Const::Function(function)) = function {
                    this.methods.push((name.clone(), function.code));
                }
            }
        }
        this
    }
}

impl Finder<'_> {
    /// Methods that operators call are called with whatever there is.
    pub(super) fn operators(&mut self) {
        let everything = self.flow.everything();
        for (name, code) in self.instances.methods.clone() {
            if name.starts_with("__") && &*name != "__init__" {
                self.join_params(code, 1, &everything);
            }
        }
    }

    /// A method of this name, of any class, is called with these.
    pub(super) fn call_methods(&mut self, name: &str, all: &Value) {
        let held = Value {
            is: all.is.clone(),
            holds: all.all(),
        };
        for code in self.methods(name) {
            self.join_params(code, 0, &held);
        }
    }

    /// A method of this name is used as a value: it may be called with anything.
    pub(super) fn take_methods(&mut self, name: &str) {
        for code in self.methods(name) {
            self.grew |= self.taken.insert(code);
        }
    }

    /// A class, or any method, may be called in ways that are not seen.
    pub(super) fn take_all_methods(&mut self) {
        for (_, code) in self.instances.methods.clone() {
            self.grew |= self.taken.insert(code);
        }
    }

    fn methods(&self, name: &str) -> Vec<CodeId> {
        let of_name = self
            .instances
            .methods
            .iter()
            .filter(|(known, _)| &**known == name);
        of_name.map(|(_, code)| *code).collect()
    }

    fn join_params(&mut self, code: CodeId, first: u32, value: &Value) {
        let count = self.codes.get(code as usize).map_or(0, params);
        for at in first..count {
            self.join((code, at), value);
        }
    }

    /// What an attribute can be: of an instance, of its class, or what a property answers.
    pub(super) fn field(&mut self, name: &str) -> Value {
        let mut value = self.instances.fields.get(name).cloned().unwrap_or_default();
        for (_, id) in self.instances.attrs.iter().filter(|(known, _)| &**known == name) {
            value.join(&self.flow.constant(*id));
        }
        value.join(&self.answers_of_methods(name));
        value
    }

    /// What any attribute can be.
    pub(super) fn any_field(&mut self) -> Value {
        let mut value = Value::default();
        for field in self.instances.fields.values() {
            value.join(field);
        }
        for (_, id) in &self.instances.attrs {
            value.join(&self.flow.constant(*id));
        }
        value.join(&self.answers_of_taken());
        value
    }

    /// What methods of a name answer, of any class.
    pub(super) fn answers_of_methods(&self, name: &str) -> Value {
        let mut value = Value::default();
        for (_, code) in self
            .instances
            .methods
            .iter()
            .filter(|(known, _)| &**known == name)
        {
            if let Some(answer) = self.returns.get(*code as usize) {
                value.join(answer);
            }
        }
        value
    }

    /// What a call of an attribute of any object answers, which may be a method or hold a function.
    pub(super) fn answers_of_attribute(&self, name: &str) -> Value {
        let mut value = self.answers_of_methods(name);
        if self.instances.fields.contains_key(name) {
            value.join(&self.answers_of_taken());
        }
        value
    }

    /// What functions answer that are used as values.
    pub(super) fn answers_of_taken(&self) -> Value {
        let mut value = Value::default();
        for code in &self.taken {
            if let Some(answer) = self.returns.get(*code as usize) {
                value.join(answer);
            }
        }
        value
    }
}

#[cfg(test)]
mod tests;
