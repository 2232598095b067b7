//! The variables in sight, block by block. Knows no syntax.

use rhai::Ident;

use super::Of;

/// How a variable came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `let` or `const`.
    Let,
    /// A parameter, of a function or a closure; the variable of a `catch`.
    Param,
    /// The variable of a `for`.
    Loop,
    /// The name of an imported module.
    Import,
}

/// A variable.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    pub ident: Ident,
    pub kind: Kind,
    /// The type of its value, where it is evident.
    pub of: Of,
    pub used: bool,
    /// Whether it was given another value.
    pub set: bool,
}

impl Variable {
    /// Whether nobody needs it.
    pub fn unused(&self) -> bool {
        let named = !self.ident.name.starts_with('_') && !self.ident.name.is_empty();
        named && !self.used && matches!(self.kind, Kind::Let | Kind::Import)
    }
}

/// A block with its variables.
#[derive(Default)]
struct Scope {
    variables: Vec<Variable>,
    /// Whether it is a closure's outermost: what is outside of it is captured.
    closure: bool,
}

#[derive(Default)]
pub(super) struct Scopes {
    scopes: Vec<Scope>,
    /// Those of the script, while a function is looked at.
    aside: Vec<Vec<Scope>>,
}

/// Where a variable was found.
pub(super) struct Found<'a> {
    pub variable: &'a mut Variable,
    /// Whether a closure captures it from outside.
    pub captured: bool,
    /// Whether it is of the innermost block.
    pub here: bool,
}

impl Scopes {
    pub fn enter(&mut self) {
        self.scopes.push(Scope::default());
    }

    /// Enters the body of a closure, which sees what is around it.
    pub fn enter_closure(&mut self) {
        self.scopes.push(Scope {
            closure: true,
            ..Scope::default()
        });
    }

    /// Leaves a block; returns its variables.
    pub fn leave(&mut self) -> Vec<Variable> {
        self.scopes
            .pop()
            .map(|scope| scope.variables)
            .unwrap_or_default()
    }

    /// Enters a function, which sees nothing of what is around it.
    pub fn enter_function(&mut self) {
        self.aside.push(std::mem::take(&mut self.scopes));
        self.enter();
    }

    /// Leaves a function; returns its parameters.
    pub fn leave_function(&mut self) -> Vec<Variable> {
        let variables = self.leave();
        self.scopes = self.aside.pop().unwrap_or_default();
        variables
    }

    pub fn declare(&mut self, ident: Ident, kind: Kind, of: Of) {
        let variable = Variable {
            ident,
            kind,
            of,
            used: false,
            set: false,
        };
        if let Some(scope) = self.scopes.last_mut() {
            scope.variables.push(variable);
        }
    }

    /// The variable called `name`, if it is in sight.
    pub fn find(&mut self, name: &str) -> Option<Found<'_>> {
        let (mut captured, mut here) = (false, true);
        for scope in self.scopes.iter_mut().rev() {
            let closure = scope.closure;
            let found = scope
                .variables
                .iter_mut()
                .rev()
                .find(|v| v.ident.name == name);
            if let Some(variable) = found {
                return Some(Found {
                    variable,
                    captured,
                    here,
                });
            }
            captured |= closure;
            here = false;
        }
        None
    }

    /// Notes that a constant or an import of the script is used in a function.
    pub fn use_outside(&mut self, name: &str) -> bool {
        let outside = self.aside.iter_mut().flatten().chain(&mut self.scopes);
        let mut all = outside.flat_map(|scope| &mut scope.variables);
        let found = all.find(|v| v.ident.name == name);
        found.map(|v| v.used = true).is_some()
    }

    /// The names in sight.
    pub fn names(&self) -> Vec<String> {
        let variables = self.scopes.iter().flat_map(|scope| &scope.variables);
        variables.map(|v| v.ident.name.to_string()).collect()
    }
}
