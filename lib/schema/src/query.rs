//! [JMESPath](https://jmespath.org/specification.html) on our values.

use std::collections::BTreeMap;

use jmespath::{JmespathError, Rcvar, Variable};
use streamalert_value::{Map, Value};

/// A compiled JMESPath expression.
#[derive(Debug)]
pub struct Query(jmespath::Expression<'static>);

impl Query {
    /// Compiles it.
    ///
    /// # Errors
    /// One line that says what is wrong with the text.
    pub fn compile(text: &str) -> Result<Self, String> {
        jmespath::compile(text)
            .map(Self)
            .map_err(|error| one_line(&error))
    }

    /// What it finds in `value`; null where that is nothing.
    ///
    /// # Errors
    /// One line, when a function of the expression gets an argument of a type that it does not take.
    pub fn search(&self, value: &Value) -> Result<Value, String> {
        let found = self.0.search(Rcvar::new(variable(value)));
        found.map(|found| own(&found)).map_err(|error| one_line(&error))
    }
}

/// The crate's messages draw the expression with an arrow below it, on further lines.
fn one_line(error: &JmespathError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Numbers beyond 64 bits become floats, NaN and infinities null: the crate has serde_json's numbers.
fn variable(value: &Value) -> Variable {
    let float = |float: f64| serde_number(float).map_or(Variable::Null, Variable::Number);
    match value {
        Value::Null => Variable::Null,
        Value::Bool(flag) => Variable::Bool(*flag),
        Value::Int(number) => Variable::Number((*number).into()),
        Value::BigInt(digits) => digits.parse().map_or(Variable::Null, float),
        Value::Float(number) => float(*number),
        Value::Str(text) => Variable::String(text.clone()),
        Value::List(items) => Variable::Array(items.iter().map(|item| Rcvar::new(variable(item))).collect()),
        Value::Map(map) => {
            let members = map
                .iter()
                .map(|(key, value)| (key.clone(), Rcvar::new(variable(value))));
            Variable::Object(members.collect::<BTreeMap<_, _>>())
        }
    }
}

fn serde_number(float: f64) -> Option<serde_json::Number> {
    serde_json::Number::from_f64(float)
}

fn own(variable: &Variable) -> Value {
    match variable {
        Variable::Null | Variable::Expref(_) => Value::Null,
        Variable::Bool(flag) => Value::Bool(*flag),
        Variable::Number(number) => match number.as_i64() {
            Some(integer) => Value::Int(integer),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Variable::String(text) => Value::Str(text.clone()),
        Variable::Array(items) => Value::List(items.iter().map(|item| own(item)).collect()),
        Variable::Object(members) => Value::Map(
            members
                .iter()
                .map(|(key, member)| (key.clone(), own(member)))
                .collect::<Map>(),
        ),
    }
}
