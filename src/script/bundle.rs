//! Puts a script together with all that it imports, other than the standard library: each import then names its module
//! by content. Runs nothing.

use std::path::Path;

use rhai::{AST, ASTNode, Engine, Expr, Position, Stmt};

use super::finder::refused;
use super::modules::raised;
use super::{Diagnostic, Finder, compile, parser};
use crate::error::Error;
use crate::recipe::{Bundled, sound};

/// What `ast` imports, in the order of the text, and where the path stands; `None` for a path that only a run can tell.
pub(super) fn imports(ast: &AST) -> Vec<(Option<String>, Position)> {
    let mut found = Vec::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last() {
            let path = match &import.0 {
                Expr::StringConstant(path, _) => Some(path.to_string()),
                _ => None,
            };
            found.push((path, import.0.position()));
        }
        true
    });
    found.sort_by_key(|(_, at)| (at.line(), at.position()));
    found
}

/// Collects the modules of a script.
pub struct Bundler {
    finder: Finder,
    parser: Engine,
    modules: Vec<(String, Bundled)>,
    /// What is being bundled right now.
    open: Vec<String>,
}

impl Bundler {
    /// A bundler of what `finder` finds.
    pub fn new(finder: Finder) -> Self {
        Self {
            finder,
            parser: parser(),
            modules: Vec::new(),
            open: Vec::new(),
        }
    }

    /// The script `text` that came from `path`, as it is in a pack, and the modules.
    ///
    /// # Errors
    /// A [`Diagnostic`] at the place of an import that is not to be had, or of a syntax error.
    pub fn bundle(mut self, path: &Path, text: &str) -> Result<(String, Vec<Bundled>), Diagnostic> {
        let text = self.pinned(path, text)?;
        let modules = self.modules.into_iter().map(|(_, module)| module);
        Ok((text, modules.collect()))
    }

    /// `text` with imports by content.
    fn pinned(&mut self, path: &Path, text: &str) -> Result<String, Diagnostic> {
        let name = path.display().to_string();
        let ast = compile(&self.parser, &self.finder.sources, path, text)?;
        let mut lines: Vec<Vec<char>> = text.split('\n').map(|l| l.chars().collect()).collect();
        // From the end to the start, so that the places of those before stay.
        for (import, position) in imports(&ast).into_iter().rev() {
            let at = |error| Diagnostic::new(&raised(error, position), &name);
            let refuse = |path: &str, reason: &str| at(refused(path, reason));
            let Some(import) = import else {
                return Err(refuse("…", "only a run can tell which; write the path out"));
            };
            if import.starts_with("nas/") {
                self.finder.text(&import).map_err(at)?;
                continue;
            }
            let pinned = match self.module(&import) {
                Ok(pinned) => pinned,
                Err(Missing::Here(error)) => return Err(at(error)),
                Err(Missing::Within(diagnostic)) => return Err(*diagnostic),
            };
            let quoted: Vec<char> = format!("{import:?}").chars().collect();
            let place = position.line().zip(position.position());
            let place = place.and_then(|(line, column)| {
                let range = column - 1..column - 1 + quoted.len();
                let line = lines.get_mut(line - 1)?;
                (*line.get(range.clone())? == quoted[..]).then_some((line, range))
            });
            let Some((line, range)) = place else {
                return Err(refuse(&import, "write the path as a plain string"));
            };
            line.splice(range, format!("{pinned:?}").chars());
        }
        let lines: Vec<String> = lines.into_iter().map(String::from_iter).collect();
        Ok(lines.join("\n"))
    }

    /// The path of the module `import` by its content.
    fn module(&mut self, import: &str) -> Result<String, Missing> {
        if let Some((_, module)) = self.modules.iter().find(|(path, _)| path == import) {
            return Ok(module.pinned());
        }
        if import.contains(char::is_control) {
            let reason = "no path has control characters";
            return Err(Missing::Here(refused(import, reason)));
        }
        if self.open.iter().any(|path| path == import) {
            return Err(Missing::Here(refused(import, "it imports itself")));
        }
        let (name, text) = self.finder.text(import).map_err(Missing::Here)?;
        let text = sound(&name, text.into_bytes());
        let text = text.map_err(|error| Missing::Here(refused(import, &error.to_string())))?;
        self.open.push(import.into());
        let text = self.pinned(Path::new(&name), &text);
        self.open.pop();
        let text = text.map_err(|diagnostic| Missing::Within(Box::new(diagnostic)))?;
        let module = Bundled::new(import, text);
        let pinned = module.pinned();
        self.modules.push((import.into(), module));
        Ok(pinned)
    }
}

/// Why a module is not to be had.
enum Missing {
    /// It is not there, or is nothing that can be read.
    Here(Error),
    /// Something in it.
    Within(Box<Diagnostic>),
}
