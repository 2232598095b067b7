//! The walk through a script, statement by statement, in the order in which it would run.

use rhai::{
    ASTFlags, ASTNode, Dynamic, Expr, FlowControl, FnCallExpr, FnPtr, Ident, Position,
    Stmt,
};

use super::scopes::Kind;
use super::{Checker, Of, ident};
use crate::script::diagnostic::{Severity, place, variable_notes};

/// What a chain of dots and brackets goes on with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    Dot,
    Index,
}

/// Names that are at hand everywhere.
const EVERYWHERE: &[&str] = &["study", "global"];

/// The methods whose closures get an object of a known type.
const CALLBACKS: &[(&str, &str)] = &[("set_reward", "Outcome")];

impl Checker<'_> {
    /// Walks through the script, then through its functions.
    pub(super) fn script(&mut self) {
        let ast = self.ast;
        self.scopes.enter();
        self.statements(ast.statements());
        for function in self.functions.iter().filter(|f| !f.is_closure()) {
            self.scopes.enter_function();
            for param in &function.params {
                self.scopes.declare(ident(param, function.start), Kind::Param, None);
            }
            self.block(&function.body);
            self.scopes.leave_function();
        }
        self.leave();
    }

    /// A block of its own.
    fn block(&mut self, statements: &[Stmt]) -> Of {
        self.scopes.enter();
        let of = self.statements(statements);
        self.leave();
        of
    }

    fn statements(&mut self, statements: &[Stmt]) -> Of {
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
                let (yes, no) = (self.block(flow.body.statements()), self.block(flow.branch.statements()));
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
                    self.scopes.declare(ident(&variable.1, *at), Kind::Param, None);
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
        self.scopes.declare(name.clone(), Kind::Loop, number.then(|| "int".into()));
        if let Some(counter) = counter {
            self.scopes.declare(counter.clone(), Kind::Loop, Some("int".into()));
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
                    Kind::Param => format!("variable '{}' hides the parameter of that name", name.name),
                    _ => format!("variable '{}' hides the one of line {line}, and ends with this block", name.name),
                };
                let note = format!("to give that one another value, leave out `let`: {} = …", name.name);
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
            let message = format!("the closure sets '{name}', which it shares with the script around it");
            let note = "the host may call it at any time; give what it finds back instead".to_string();
            self.find(Severity::Warning, "captured", *at, message, [note]);
        }
    }

    /// Reads the variable `name`; returns the type of its value.
    fn read(&mut self, name: &str, at: Position) -> Of {
        if let Some(found) = self.scopes.find(name) {
            found.variable.used = true;
            return found.variable.of.clone();
        }
        let own = self.names.own(name).next().is_some();
        if own || EVERYWHERE.contains(&name) {
            let study = self.names.reference.types().find(|t| t.name == "Study");
            return study.filter(|_| name == "study" && !own).map(|t| t.name.clone());
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

    fn exprs<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) -> Vec<Of> {
        exprs.into_iter().map(|expr| self.expr(expr)).collect()
    }

    fn expr(&mut self, expr: &Expr) -> Of {
        let of = match expr {
            Expr::DynamicConstant(value, at) => {
                self.closure(value, 0, *at, None);
                if value.is_fnptr() { "function" } else { return None }
            }
            Expr::BoolConstant(..) => "bool",
            Expr::IntegerConstant(..) => "int",
            Expr::FloatConstant(..) => "float",
            Expr::CharConstant(..) => "char",
            Expr::StringConstant(..) => "string",
            Expr::InterpolatedString(parts, _) => {
                self.exprs(parts.iter());
                "string"
            }
            Expr::Array(items, _) => {
                self.exprs(items.iter());
                "array"
            }
            Expr::Map(map, _) => {
                self.exprs(map.0.iter().map(|(_, value)| value));
                "map"
            }
            Expr::Unit(_) => "()",
            Expr::Variable(variable, _, at) if variable.2.is_empty() => {
                return self.read(&variable.1, *at);
            }
            Expr::Variable(variable, _, at) => {
                self.constant(&variable.2, &variable.1, *at);
                return None;
            }
            Expr::Stmt(block) => match curried(block.statements()) {
                Some((call, at)) => return self.function(call, at),
                None => return self.block(block.statements()),
            },
            Expr::FnCall(call, at) => return self.function(call, *at),
            Expr::Dot(x, flags, _) => {
                let of = self.expr(&x.lhs);
                return self.chain(Link::Dot, of, &x.rhs, *flags, &x.lhs);
            }
            Expr::Index(x, flags, _) => {
                let of = self.expr(&x.lhs);
                return self.chain(Link::Index, of, &x.rhs, *flags, &x.lhs);
            }
            Expr::And(parts, _) | Expr::Or(parts, _) => {
                self.exprs(parts.iter());
                "bool"
            }
            Expr::Coalesce(parts, _) => {
                self.exprs(parts.iter());
                return None;
            }
            _ => return None,
        };
        Some(of.into())
    }

    /// Goes along a chain: `rhs` is all that follows the dot or bracket after a value of the type `of`.
    fn chain(&mut self, link: Link, of: Of, rhs: &Expr, flags: ASTFlags, root: &Expr) -> Of {
        let (item, next) = match rhs {
            Expr::Dot(x, more, _) if !flags.contains(ASTFlags::BREAK) => {
                (&x.lhs, Some((Link::Dot, &x.rhs, *more)))
            }
            Expr::Index(x, more, _) if !flags.contains(ASTFlags::BREAK) => {
                (&x.lhs, Some((Link::Index, &x.rhs, *more)))
            }
            _ => (rhs, None),
        };
        let of = match (link, item) {
            (Link::Dot, Expr::Property(property, at)) => self.property(&of, &property.2, *at),
            (Link::Dot, Expr::MethodCall(call, at)) => {
                let args = self.arguments(call, Some(root));
                let gives = self.method(&of, &call.name, &args, *at);
                self.host_options(call, Some(&of));
                gives
            }
            (Link::Index, item) => {
                self.expr(item);
                self.element(&of)
            }
            (Link::Dot, item) => self.expr(item),
        };
        match next {
            Some((link, rhs, flags)) => self.chain(link, of, rhs, flags, item),
            None => of,
        }
    }

    /// The type of the elements of a value.
    fn element(&self, of: &Of) -> Of {
        let of = of.as_deref()?;
        let entries = self.names.reference.all();
        let mut index = entries.filter(|e| e.receiver.as_deref() == Some(of) && e.name == "[]");
        super::members::given(index.next()?.overloads.iter().filter(|o| o.params.len() == 2))
    }

    /// A call, with what is in it.
    fn function(&mut self, call: &FnCallExpr, at: Position) -> Of {
        if call.name == "curry" && call.namespace.is_empty()
            && let Some(Expr::DynamicConstant(value, closure)) = call.args.first()
            && value.is_fnptr()
        {
            self.closure(value, call.args.len() - 1, *closure, None);
            return Some("function".into());
        }
        let args = self.arguments(call, None);
        self.call(call, &args, at)
    }

    /// The arguments of a call; those of a method of `object` may be closures that capture it.
    fn arguments(&mut self, call: &FnCallExpr, object: Option<&Expr>) -> Vec<Of> {
        let host = self.names.own(&call.name).next().is_none() && call.namespace.is_empty();
        let callback = CALLBACKS.iter().find(|(name, _)| *name == call.name).map(|(_, of)| *of);
        let mut types = Vec::new();
        for arg in &call.args {
            let Some((value, captured, at)) = as_closure(arg) else {
                types.push(self.expr(arg));
                continue;
            };
            if let Some(Expr::Variable(object, _, _)) = object
                && let Some((name, at)) = captures(arg).find(|(name, _)| **name == *object.1)
            {
                let message = format!("the closure captures '{name}', whose method it is given to");
                let note = format!("copy it first (`let again = {name};`) and use the copy inside");
                self.find(Severity::Error, "data-race", at, message, [note]);
            }
            let before = std::mem::replace(&mut self.handed, host && object.is_some());
            self.closure(value, captured, at, callback);
            self.handed = before;
            types.push(Some("function".into()));
        }
        types
    }

    /// The body of a closure, which sees what is around it; the first `captured` parameters are what it captures.
    fn closure(&mut self, value: &Dynamic, captured: usize, at: Position, gets: Option<&str>) {
        let pointer = value.clone().try_cast::<FnPtr>();
        let Some(name) = pointer.map(|pointer| pointer.fn_name().to_string()) else { return };
        let functions = self.functions;
        let Some(function) = functions.iter().find(|f| f.name == name) else { return };
        self.scopes.enter_closure();
        for param in function.params.iter().skip(captured) {
            let of = gets.map(str::to_string);
            self.scopes.declare(ident(param, at), Kind::Param, of);
        }
        self.statements(&function.body);
        self.leave();
    }

    /// A constant of a module.
    fn constant(&mut self, namespace: &rhai::Namespace, name: &str, at: Position) {
        let root = namespace.root().to_string();
        if root == "global" {
            if !self.scopes.use_outside(name) {
                let message = format!("unknown constant 'global::{name}'");
                self.find(Severity::Error, "unknown-variable", at, message, None);
            }
            return;
        }
        let Some(module) = self.module(&root, namespace.position()) else { return };
        if namespace.path.len() == 1 && !module.constants.contains(name) {
            let function = module.functions.iter().find(|(function, _)| function == name);
            let note = function.map(|(_, params)| {
                let params = params.join(", ");
                format!("a function of a module is handed over in a closure: |{params}| {root}::{name}({params})")
            });
            let message = format!("module '{root}' exports no '{name}'");
            self.find(Severity::Error, "unknown-variable", at, message, note);
        }
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

/// The call that makes a closure which captures variables.
fn curried(statements: &[Stmt]) -> Option<(&FnCallExpr, Position)> {
    match statements {
        [Stmt::Share(_), Stmt::Expr(expr)] => match &**expr {
            Expr::FnCall(call, at) if call.name == "curry" => Some((call, *at)),
            _ => None,
        },
        _ => None,
    }
}

/// The closure that `expr` is, the number of variables that it captures, and where it is.
fn as_closure(expr: &Expr) -> Option<(&Dynamic, usize, Position)> {
    match expr {
        Expr::DynamicConstant(value, at) if value.is_fnptr() => Some((value, 0, *at)),
        Expr::Stmt(block) => {
            let (call, at) = curried(block.statements())?;
            match call.args.first() {
                Some(Expr::DynamicConstant(value, _)) => Some((value, call.args.len() - 1, at)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The variables that the closure `expr` captures.
fn captures(expr: &Expr) -> impl Iterator<Item = (&str, Position)> {
    let block = match expr {
        Expr::Stmt(block) => block.statements(),
        _ => &[],
    };
    let call = curried(block).map(|(call, _)| call.args.iter().skip(1));
    call.into_iter().flatten().filter_map(|arg| match arg {
        Expr::Variable(variable, _, at) => Some((variable.1.as_str(), *at)),
        _ => None,
    })
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
