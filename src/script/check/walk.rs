//! The walk through a script, statement by statement, in the order in which it would run.

use rhai::{ASTFlags, ASTNode, Expr, FlowControl, Ident, Position, Stmt};

use super::scopes::Kind;
use super::{Checker, Of, ident};
use crate::script::diagnostic::{Severity, place, variable_notes};

/// Names that are at hand everywhere.
const EVERYWHERE: &[&str] = &["study", "global"];

impl Checker<'_> {
    /// Walks through the script, then through its functions.
    pub(super) fn script(&mut self) {
        let ast = self.ast;
        self.scopes.enter();
        self.statements(ast.statements());
        for function in self.functions.iter().filter(|f| !f.is_closure()) {
            self.scopes.enter_function();
            for param in &function.params {
                self.scopes
                    .declare(ident(param, function.start), Kind::Param, None);
            }
            self.block(&function.body);
            self.scopes.leave_function();
        }
        self.leave();
    }

    /// A block of its own.
    pub(super) fn block(&mut self, statements: &[Stmt]) -> Of {
        self.scopes.enter();
        let of = self.statements(statements);
        self.leave();
        of
    }

    pub(super) fn statements(&mut self, statements: &[Stmt]) -> Of {
        let mut of = None;
        let mut ended = false;
        for statement in statements {
            if ended && !matches!(statement, Stmt::Noop(_)) {
                let message = "this is never reached: the statement before it ends the block";
                let at = first(statement);
                self.find(Severity::Warning, "unreachable", at, message, None);
                ended = false;
            }
            of = self.statement(statement);
            ended |= statement.is_control_flow_break();
        }
        of
    }

    fn statement(&mut self, statement: &Stmt) -> Of {
        match statement {
            Stmt::If(flow, _) => {
                self.expr(&flow.expr);
                let (yes, no) = (
                    self.block(flow.body.statements()),
                    self.block(flow.branch.statements()),
                );
                return yes.filter(|of| Some(of) == no.as_ref());
            }
            Stmt::Switch(switch, _) => {
                let (value, cases) = &**switch;
                self.expr(value);
                for case in &cases.expressions {
                    self.expr(&case.lhs);
                    self.expr(&case.rhs);
                }
            }
            Stmt::While(flow, _) | Stmt::Do(flow, ..) => {
                self.expr(&flow.expr);
                self.block(flow.body.statements());
            }
            Stmt::For(x, _) => {
                let (name, counter, flow) = &**x;
                self.looping(name, counter.as_ref(), flow);
            }
            Stmt::Var(var, flags, _) => {
                let (name, value, _) = &**var;
                self.variable(name, value, *flags);
            }
            Stmt::Assignment(assignment) => {
                let (operator, sides) = &**assignment;
                let of = self.expr(&sides.rhs);
                let plain = !operator.is_op_assignment();
                self.assign(&sides.lhs, of.filter(|_| plain));
            }
            Stmt::FnCall(call, at) => return self.function(call, *at),
            Stmt::Block(block) => return self.block(block.statements()),
            Stmt::TryCatch(flow, _) => {
                self.block(flow.body.statements());
                self.scopes.enter();
                if let Expr::Variable(variable, _, at) = &flow.expr {
                    self.scopes
                        .declare(ident(&variable.1, *at), Kind::Param, None);
                }
                self.block(flow.branch.statements());
                self.leave();
            }
            Stmt::Expr(expr) => return self.expr(expr),
            Stmt::BreakLoop(Some(expr), ..) | Stmt::Return(Some(expr), ..) => {
                self.expr(expr);
            }
            Stmt::Import(import, _) => {
                self.expr(&import.0);
                self.scopes.declare(import.1.clone(), Kind::Import, None);
            }
            Stmt::Export(export, _) => {
                self.read(&export.0.name, export.0.pos);
            }
            _ => {}
        }
        None
    }

    fn looping(&mut self, name: &Ident, counter: Option<&Ident>, flow: &FlowControl) {
        let over = self.expr(&flow.expr);
        let number = matches!(&flow.expr, Expr::FnCall(call, _) if call.name.starts_with(".."));
        let number = number || over.as_deref() == Some("range");
        self.scopes.enter();
        self.scopes
            .declare(name.clone(), Kind::Loop, number.then(|| "int".into()));
        if let Some(counter) = counter {
            self.scopes
                .declare(counter.clone(), Kind::Loop, Some("int".into()));
        }
        self.block(flow.body.statements());
        self.leave();
    }

    fn variable(&mut self, name: &Ident, value: &Expr, flags: ASTFlags) {
        let of = self.expr(value);
        // `let x = x.relu();` makes the same thing anew, which is meant.
        let anew = mentions(value, &name.name);
        let hidden = self.scopes.find(&name.name);
        let hidden = hidden.filter(|found| !found.captured && !anew);
        let hidden = hidden.map(|found| (found.here, found.variable.clone()));
        match hidden {
            Some((true, before)) => {
                self.unused(&before);
                if let Some(found) = self.scopes.find(&name.name) {
                    found.variable.used = true;
                }
            }
            Some((false, before)) if before.kind != Kind::Import => {
                let line = before.ident.pos.line().unwrap_or_default();
                let message = match before.kind {
                    Kind::Param => {
                        format!("variable '{}' hides the parameter of that name", name.name)
                    }
                    _ => format!(
                        "variable '{}' hides the one of line {line}, and ends with this block",
                        name.name
                    ),
                };
                let note = format!(
                    "to give that one another value, leave out `let`: {} = …",
                    name.name
                );
                self.find(Severity::Warning, "shadowed", name.pos, message, [note]);
            }
            _ => {}
        }
        self.scopes.declare(name.clone(), Kind::Let, of);
        if flags.contains(ASTFlags::EXPORTED)
            && let Some(found) = self.scopes.find(&name.name)
        {
            found.variable.used = true;
        }
    }

    /// Gives the variable or element `to` another value.
    fn assign(&mut self, to: &Expr, of: Of) {
        let Expr::Variable(variable, _, at) = to else {
            self.expr(to);
            return;
        };
        let name = variable.1.as_str();
        let Some(found) = self.scopes.find(name) else {
            self.read(name, *at);
            return;
        };
        found.variable.set = true;
        if found.variable.of != of {
            found.variable.of = None;
        }
        if found.captured && self.handed {
            let message =
                format!("the closure sets '{name}', which it shares with the script around it");
            let note =
                "the host may call it at any time; give what it finds back instead".to_string();
            self.find(Severity::Warning, "captured", *at, message, [note]);
        }
    }

    /// Reads the variable `name`; returns the type of its value.
    pub(super) fn read(&mut self, name: &str, at: Position) -> Of {
        if let Some(found) = self.scopes.find(name) {
            found.variable.used = true;
            return found.variable.of.clone();
        }
        let own = self.names.own(name).next().is_some();
        if own || EVERYWHERE.contains(&name) {
            let study = self.names.reference.types().find(|t| t.name == "Study");
            return study
                .filter(|_| name == "study" && !own)
                .map(|t| t.name.clone());
        }
        // What a function cannot see is not unused as well.
        self.scopes.use_outside(name);
        let known = self.scopes.names();
        let place = place(at).unwrap_or((1, 1));
        let notes = variable_notes(self.ast, self.text, place, name, &known);
        let message = format!("unknown variable '{name}'");
        self.find(Severity::Error, "unknown-variable", at, message, notes);
        None
    }
}

/// Where a statement begins.
fn first(statement: &Stmt) -> Position {
    match statement {
        Stmt::Expr(expr) => crate::script::diagnostic::start(expr),
        Stmt::Assignment(assignment) => crate::script::diagnostic::start(&assignment.1.lhs),
        statement => statement.position(),
    }
}

/// Whether `expr` mentions the variable `name`.
fn mentions(expr: &Expr, name: &str) -> bool {
    let mut found = false;
    expr.walk(&mut Vec::new(), &mut |path| {
        if let Some(ASTNode::Expr(Expr::Variable(variable, ..))) = path.last() {
            found |= *variable.1 == *name;
        }
        !found
    });
    found
}
