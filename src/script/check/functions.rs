//! The functions of a script, closures among them, with their statements.

use rhai::{AST, ImmutableString, Position, Stmt};

use super::Place;
use crate::script::diagnostic::place;

/// A function of a script.
pub(super) struct Function {
    pub name: ImmutableString,
    pub params: Vec<ImmutableString>,
    /// Where its body begins.
    pub start: Position,
    pub body: Vec<Stmt>,
}

impl Function {
    /// Whether it is a closure, whose name nobody wrote.
    pub fn is_closure(&self) -> bool {
        self.name.contains('$')
    }
}

/// The functions of `ast`, in the order of their places.
pub(super) fn of(ast: &AST) -> Vec<Function> {
    let infos = ast.shared_lib().iter_script_fn_info().map(|(.., f)| f);
    let mut functions: Vec<(Function, Option<Place>)> = infos
        .map(|f| {
            let function = Function {
                name: f.name.clone(),
                params: f.params.iter().cloned().collect(),
                start: f.body.start_position(),
                body: Vec::new(),
            };
            (function, place(f.body.end_position()))
        })
        .collect();
    functions.sort_by_key(|(f, _)| (place(f.start), f.name.clone()));
    // Rhai shows the statements of functions only in a walk, which does not say whose they are: their places do.
    let mut script = ast.statements().len();
    ast.walk(&mut |path| {
        let [rhai::ASTNode::Stmt(statement)] = path else {
            return true;
        };
        if script > 0 {
            script -= 1;
            return true;
        }
        let at = place(statement.position());
        let around = |(function, end): &&mut (Function, Option<Place>)| match end {
            Some(end) => place(function.start) <= at && at <= Some(*end),
            // The body of a closure without braces is its one statement.
            None => place(function.start) == at && function.body.is_empty(),
        };
        if let Some((function, _)) = functions.iter_mut().rev().find(around) {
            function.body.push((*statement).clone());
        }
        true
    });
    functions.into_iter().map(|(function, _)| function).collect()
}
