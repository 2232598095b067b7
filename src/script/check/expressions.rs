//! The walk through expressions: what is in them, and the types of what they give where they are evident.

use rhai::{ASTFlags, Expr, FnCallExpr, Position};

use super::closures::curried;
use super::{Checker, Of};
use crate::script::diagnostic::Severity;

/// What a chain of dots and brackets goes on with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    Dot,
    Index,
}

impl Checker<'_> {
    fn exprs<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) -> Vec<Of> {
        exprs.into_iter().map(|expr| self.expr(expr)).collect()
    }

    pub(super) fn expr(&mut self, expr: &Expr) -> Of {
        let of = match expr {
            Expr::DynamicConstant(value, at) => {
                self.closure(value, 0, *at, None);
                if value.is_fnptr() {
                    "function"
                } else {
                    return None;
                }
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
        super::members::given(
            index
                .next()?
                .overloads
                .iter()
                .filter(|o| o.params.len() == 2),
        )
    }

    /// A call, with what is in it.
    pub(super) fn function(&mut self, call: &FnCallExpr, at: Position) -> Of {
        if call.name == "curry"
            && call.namespace.is_empty()
            && let Some(Expr::DynamicConstant(value, closure)) = call.args.first()
            && value.is_fnptr()
        {
            self.closure(value, call.args.len() - 1, *closure, None);
            return Some("function".into());
        }
        let args = self.arguments(call, None);
        self.call(call, &args, at)
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
        let Some(module) = self.module(&root, namespace.position()) else {
            return;
        };
        if namespace.path.len() == 1 && !module.constants.contains(name) {
            let function = module
                .functions
                .iter()
                .find(|(function, _)| function == name);
            let note = function.map(|(_, params)| {
                let params = params.join(", ");
                format!("a function of a module is handed over in a closure: |{params}| {root}::{name}({params})")
            });
            let message = format!("module '{root}' exports no '{name}'");
            self.find(Severity::Error, "unknown-variable", at, message, note);
        }
    }
}
