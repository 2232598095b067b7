//! The functions of a script, closures among them, with their statements.

use rhai::{AST, ASTNode, ImmutableString, Position, Stmt};

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

/// The functions of `ast`, in the order of their names.
pub(super) fn of(ast: &AST) -> Vec<Function> {
    let infos = ast.shared_lib().iter_script_fn_info().map(|(.., f)| f);
    let function = |f: &rhai::Shared<rhai::ScriptFuncDef>| Function {
        name: f.name.clone(),
        params: f.params.iter().cloned().collect(),
        start: f.body.start_position(),
        body: body(ast, &f.name, f.params.len()),
    };
    let mut functions: Vec<Function> = infos.map(function).collect();
    functions.sort_by(|a, b| (&a.name, a.params.len()).cmp(&(&b.name, b.params.len())));
    functions
}

/// The statements of a function: Rhai shows them in a walk only.
fn body(ast: &AST, name: &str, params: usize) -> Vec<Stmt> {
    let mut only = ast.clone_functions_only();
    only.retain_functions(|_, _, other, n| other == name && n == params);
    let mut body = Vec::new();
    only.walk(&mut |path| {
        if let [ASTNode::Stmt(statement)] = path {
            body.push((*statement).clone());
        }
        true
    });
    body
}
