use ruff_python_ast::{self as ast, Arguments, Expr};

use crate::module::Module;

/// A function with the `rule` decorator.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule<'a> {
    pub(crate) function: &'a ast::StmtFunctionDef,
    pub(crate) decorator: &'a ast::Decorator,
    /// What the decorator was called with; `None` when it was not called.
    pub(crate) arguments: Option<&'a Arguments>,
}

impl<'a> Rule<'a> {
    /// The rules of a file, in order.
    pub(crate) fn of_module(module: &Module<'a>) -> Vec<Self> {
        let rules = module.functions.iter().filter_map(|function| {
            let mut decorators = function.decorator_list.iter();
            decorators.find_map(|decorator| Self::decorated(module, function, decorator))
        });
        rules.collect()
    }

    fn decorated(
        module: &Module<'a>,
        function: &'a ast::StmtFunctionDef,
        decorator: &'a ast::Decorator,
    ) -> Option<Self> {
        let (called, arguments) = match &decorator.expression {
            Expr::Call(call) => (&*call.func, Some(&call.arguments)),
            other => (other, None),
        };
        let name = module.full_name(called)?;
        is_rule_decorator(&name).then_some(Self {
            function,
            decorator,
            arguments,
        })
    }

    pub(crate) fn name(&self) -> &'a str {
        self.function.name.as_str()
    }

    /// The value of a keyword of the decorator.
    pub(crate) fn option(&self, name: &str) -> Option<&'a Expr> {
        self.arguments?.find_keyword(name).map(|keyword| &keyword.value)
    }

    /// Whether keywords come in by `**`, so that it is not known which there are.
    pub(crate) fn has_unknown_options(&self) -> bool {
        let keywords = self.arguments.map(|arguments| &arguments.keywords);
        keywords.is_some_and(|keywords| keywords.iter().any(|keyword| keyword.arg.is_none()))
    }

    /// Whether `context` is given: the function gets it as its second parameter.
    pub(crate) fn has_context(&self) -> bool {
        self.option("context")
            .is_some_and(|value| !value.is_none_literal_expr())
    }

    /// The name of the parameter that is the record.
    pub(crate) fn record(&self) -> Option<&'a str> {
        let parameters = &self.function.parameters;
        let first = parameters.posonlyargs.first().or(parameters.args.first())?;
        Some(first.name().as_str())
    }

    /// The log types, where they are written out; `None` when they are not, or when `datatypes` chooses.
    pub(crate) fn logs(&self, module: &Module<'a>) -> Option<Vec<(&'a Expr, &'a str)>> {
        let logs = resolved(module, self.option("logs")?);
        let members = crate::constant::members(logs)?;
        members
            .iter()
            .map(|log| Some((log, log.as_string_literal_expr()?.value.to_str())))
            .collect()
    }
}

fn is_rule_decorator(name: &str) -> bool {
    // Early versions called the package `stream_alert`, and the module `rules_engine`.
    matches!(
        name,
        "streamalert.shared.rule.rule" | "stream_alert.shared.rule.rule"
    )
}

/// An expression, or what the module assigned to it where it is a name.
pub(crate) fn resolved<'a>(module: &Module<'a>, expr: &'a Expr) -> &'a Expr {
    match expr {
        Expr::Name(name) => module.globals.get(name.id.as_str()).copied().unwrap_or(expr),
        other => other,
    }
}
