//! The interactive session: reads a line (or as many as the parser wants), evaluates it in a scope
//! that lasts, prints what it is worth.

use std::path::PathBuf;

use rhai::{AST, Dynamic, Engine, ParseErrorType, Scope, Stmt};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Editor, Helper};

use crate::error::{Error, Result};
use crate::script::{self, Diagnostic, Host, Sources};

/// The name that the session's text has in errors.
const NAME: &str = "<repl>";
const PROMPT: &str = "nas> ";

/// A session.
pub struct Repl<'a> {
    host: &'a Host,
    sources: &'a Sources,
    engine: Engine,
    scope: Scope<'static>,
    /// The functions and imports of the lines so far.
    functions: AST,
    colour: bool,
}

/// A `:command`: its name, what it does for `:help`, and the doing; `false` ends the session.
struct Command {
    name: &'static str,
    about: &'static str,
    run: fn(&mut Repl) -> bool,
}

const COMMANDS: &[Command] = &[
    Command {
        name: ":help",
        about: "this list",
        run: |_| {
            for command in COMMANDS {
                println!("{:<8} {}", command.name, command.about);
            }
            println!("Everything else is Rhai: let space = StateSpace(); …");
            true
        },
    },
    Command {
        name: ":vars",
        about: "the variables of the session",
        run: |repl| {
            for (name, _, value) in repl.scope.iter() {
                println!("{name}: {}", repl.engine.map_type_name(value.type_name()));
            }
            true
        },
    },
    Command {
        name: ":quit",
        about: "leave, as Ctrl-D does",
        run: |_| false,
    },
];

impl<'a> Repl<'a> {
    /// Starts a session of `host`.
    pub fn new(host: &'a Host, sources: &'a Sources, colour: bool) -> Self {
        Self {
            host,
            sources,
            engine: script::engine(host, sources),
            scope: Scope::new(),
            functions: AST::empty(),
            colour,
        }
    }

    /// Reads and evaluates until the user leaves.
    ///
    /// # Errors
    /// [`Error::Io`] where the terminal fails.
    pub fn run(&mut self) -> Result<()> {
        let terminal = |error: ReadlineError| {
            Error::io("read from", "the terminal")(std::io::Error::other(error.to_string()))
        };
        let mut editor = Editor::<Multiline, DefaultHistory>::new().map_err(terminal)?;
        editor.set_helper(Some(Multiline(Engine::new_raw())));
        let history = history_file();
        if let Some(path) = &history {
            // The first session has no history yet.
            let _ = editor.load_history(path);
        }
        loop {
            match editor.readline(PROMPT) {
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) => {
                    if let Err(error) = editor.add_history_entry(&line) {
                        tracing::debug!("history: {error}");
                    }
                    if !self.line(&line) {
                        break;
                    }
                }
                // Ctrl-C drops the line, Ctrl-D leaves.
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => break,
                Err(error) => return Err(terminal(error)),
            }
        }
        if let Some(path) = &history
            && let Err(error) = editor.save_history(path)
        {
            tracing::warn!("history is not kept: {error}");
        }
        Ok(())
    }

    /// Evaluates a line; `false` ends the session.
    fn line(&mut self, line: &str) -> bool {
        let word = line.trim();
        if word.starts_with(':') {
            return match COMMANDS.iter().find(|c| c.name == word) {
                Some(command) => (command.run)(self),
                None => {
                    let known = COMMANDS.iter().map(|c| c.name);
                    eprintln!("error: {}", Error::unknown("command", word, known));
                    true
                }
            };
        }
        self.host.clear_interrupt();
        match self.evaluate(line) {
            Ok(value) if value.is_unit() => {}
            Ok(value) => println!("{}", self.show(value)),
            Err(diagnostic) if diagnostic.interrupted => eprintln!("interrupted"),
            Err(diagnostic) => eprint!("{}", diagnostic.render(self.sources, self.colour)),
        }
        self.host.finish();
        true
    }

    fn evaluate(&mut self, line: &str) -> Result<Dynamic, Diagnostic> {
        let path = std::path::Path::new(NAME);
        let ast = script::compile(&self.engine, self.sources, path, line)?;
        let whole = self.functions.merge(&ast);
        let value = script::evaluate(&self.engine, &mut self.scope, &whole, NAME);
        // Functions and imports stay; other statements have been run.
        self.functions = match &value {
            Ok(_) => {
                let statements = whole.statements().iter();
                let imports = statements
                    .filter(|s| matches!(s, Stmt::Import(..)))
                    .cloned();
                AST::new(imports.collect::<Vec<_>>(), whole.shared_lib().clone())
            }
            Err(_) => self.functions.clone(),
        };
        value
    }

    /// A value as a script would print it.
    fn show(&self, value: Dynamic) -> String {
        let mut scope = Scope::new();
        scope.push_dynamic("value", value);
        let shown = self
            .engine
            .eval_with_scope::<Dynamic>(&mut scope, "value.to_string()");
        shown.map_or_else(|error| error.to_string(), |text| text.to_string())
    }
}

fn history_file() -> Option<PathBuf> {
    let folder = directories::ProjectDirs::from("", "", "nas-script")?;
    let folder = folder.data_dir();
    std::fs::create_dir_all(folder).ok()?;
    Some(folder.join("history.txt"))
}

/// Asks for another line while Rhai's own parser finds the text unfinished.
struct Multiline(Engine);

impl Validator for Multiline {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let input = context.input();
        if input.trim_start().starts_with(':') {
            return Ok(ValidationResult::Valid(None));
        }
        Ok(match self.0.compile(input) {
            Err(error) if unfinished(error.err_type(), input, error.position()) => {
                ValidationResult::Incomplete
            }
            _ => ValidationResult::Valid(None),
        })
    }
}

/// Whether the parser ran out of text: its complaint is at the end of the input.
fn unfinished(error: &ParseErrorType, input: &str, position: rhai::Position) -> bool {
    if matches!(error, ParseErrorType::UnexpectedEOF) {
        return true;
    }
    let lines = input.lines().count();
    let end = input.lines().last().map_or(0, |line| line.chars().count());
    let at_end = position
        .line()
        .is_none_or(|line| line > lines || line == lines && position.position().unwrap_or(0) > end);
    matches!(
        error,
        ParseErrorType::MissingToken(..) | ParseErrorType::BadInput(_)
    ) && at_end
}

impl Helper for Multiline {}
impl Completer for Multiline {
    type Candidate = String;
}
impl Hinter for Multiline {
    type Hint = String;
}
impl Highlighter for Multiline {}
