//! The interactive session: reads a line (or as many as the parser wants), evaluates it or carries out its command,
//! shows what it is worth. Knows scripts and studies; what surrounds it is its [`Ground`].

mod colours;
mod commands;
mod complete;
mod editor;
mod input;
mod journal;
mod session;
mod show;
mod tokens;

use std::cell::{Ref, RefCell, RefMut};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::thread;

use rhai::Dynamic;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{Cmd, ColorMode, CompletionType, Config, Editor, KeyCode, KeyEvent, Modifiers};

use self::commands::{Failure, Next};
use self::editor::Line;
use self::session::Session;
use crate::error::{Error, Result};
use crate::report::plot::Signs;
use crate::report::progress::{say, warn};
use crate::script::{Diagnostic, Host, Reference};
use crate::study::store::StudyStore;

const PROMPT: &str = "nas> ";

/// What a session stands on: the program around it.
pub trait Ground {
    /// A host with a new study of this seed, on the device of now.
    ///
    /// # Errors
    /// Where there is none to be had.
    fn host(&self, seed: u64) -> Result<Host>;

    /// The device, as the user names it.
    fn device(&self) -> String;

    /// Lets what `host` makes from now on compute on the device called `name`.
    ///
    /// # Errors
    /// [`Error::Device`] or [`Error::Invalid`]; the old one then stays.
    fn move_to(&self, host: &Host, name: &str) -> Result<()>;

    /// The store that studies are looked up in.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Invalid`] where there is none.
    fn store(&self) -> Result<Arc<dyn StudyStore>>;
}

/// The reference, which is read once and beside the first line: a cheap handle.
#[derive(Clone, Default)]
struct Library(Arc<OnceLock<&'static Reference>>);

impl Library {
    /// Begins to read it.
    fn begin() -> Self {
        let library = Self::default();
        let own = library.clone();
        // Without a thread it is read when it is asked for.
        let reader = thread::Builder::new().name("reference".into());
        let _ = reader.spawn(move || {
            own.get();
        });
        library
    }

    fn get(&self) -> &Reference {
        self.0.get_or_init(Reference::get)
    }

    /// The reference, if it is read already.
    fn ready(&self) -> Option<&Reference> {
        self.0.get().copied()
    }
}

/// An interactive session.
pub struct Repl {
    ground: Rc<dyn Ground>,
    session: Rc<RefCell<Session>>,
    library: Library,
    seed: u64,
    colour: bool,
    signs: Signs,
}

impl Repl {
    /// Starts a session on `ground` with a study of this seed.
    ///
    /// # Errors
    /// Those of [`Ground::host`].
    pub fn new(ground: Rc<dyn Ground>, seed: u64, colour: bool) -> Result<Self> {
        let session = Session::new(ground.host(seed)?);
        Ok(Self {
            ground,
            session: Rc::new(RefCell::new(session)),
            library: Library::begin(),
            seed,
            colour,
            signs: Signs::of_terminal(),
        })
    }

    /// Reads and evaluates until the user leaves.
    ///
    /// # Errors
    /// [`Error::Io`] where the terminal fails.
    pub fn run(&mut self) -> Result<()> {
        let terminal = |error: ReadlineError| {
            Error::io("read from", "the terminal")(std::io::Error::other(error.to_string()))
        };
        let mut editor = self.editor().map_err(terminal)?;
        let history = history_file();
        if let Some(path) = &history {
            // The first session has no history yet.
            let _ = editor.load_history(path);
        }
        loop {
            match editor.readline(PROMPT) {
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) => {
                    // Kept at once: a second Ctrl-C ends the process.
                    let mut kept = editor.add_history_entry(&line);
                    if let (Ok(true), Some(path)) = (&kept, &history) {
                        kept = editor.append_history(path).map(|()| true);
                    }
                    if let Err(error) = kept {
                        tracing::warn!("history is not kept: {error}");
                    }
                    if self.line(&line) == Next::End {
                        return Ok(());
                    }
                }
                // Ctrl-C drops the line, Ctrl-D leaves.
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => return Ok(()),
                Err(error) => return Err(terminal(error)),
            }
        }
    }

    fn editor(&self) -> rustyline::Result<Editor<Line, DefaultHistory>> {
        let colour = match self.colour {
            true => ColorMode::Enabled,
            false => ColorMode::Disabled,
        };
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .color_mode(colour)
            .max_history_size(HISTORY)?;
        let mut editor = Editor::with_config(config.build())?;
        editor.set_helper(Some(self.line_helper()));
        let alt_enter = KeyEvent(KeyCode::Enter, Modifiers::ALT);
        editor.bind_sequence(alt_enter, Cmd::Newline);
        Ok(editor)
    }

    fn line_helper(&self) -> Line {
        let ground = self.ground.clone();
        let studies = move || {
            let studies = ground.store().and_then(|store| store.studies());
            let studies = studies.unwrap_or_default().into_iter();
            studies.map(|kept| kept.about.name).collect()
        };
        let (session, library) = (self.session.clone(), self.library.clone());
        Line::new(session, library, Rc::new(studies), self.colour)
    }

    /// What Tab offers at the end of `text`: where it goes, and the words.
    pub fn completions(&self, text: &str) -> (usize, Vec<String>) {
        self.line_helper().offer(text)
    }

    /// Evaluates a line, or carries out its command.
    fn line(&mut self, line: &str) -> Next {
        let word = line.trim();
        let done = match word.starts_with(':') {
            true => self.command(word),
            false => {
                let value = self.session_mut().evaluate(line, None);
                value.map_err(Failure::Script).map(|value| {
                    self.show(&value);
                    Next::Line
                })
            }
        };
        match done {
            Ok(next) => return next,
            Err(Failure::Refused(error)) => warn(&format!("error: {error}")),
            Err(Failure::Script(diagnostic)) => self.explain(&diagnostic),
        }
        Next::Line
    }

    fn command(&mut self, line: &str) -> Result<Next, Failure> {
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let command = commands::find(name)?;
        (command.run)(self, rest.trim())
    }

    fn explain(&self, diagnostic: &Diagnostic) {
        match diagnostic.interrupted {
            true => warn("interrupted; what was done until then is kept"),
            false => {
                let rendered = diagnostic.render(&self.session().sources, self.colour);
                warn(rendered.trim_end());
            }
        }
    }

    /// Shows a value, unless it is nothing.
    fn show(&self, value: &Dynamic) {
        if !value.is_unit() {
            let shown = self.text(&self.session(), value);
            self.print(&shown);
        }
    }

    fn text(&self, session: &Session, value: &Dynamic) -> String {
        show::shown(session, value, self.signs)
    }

    fn print(&self, text: &str) {
        say(text);
    }

    fn session(&self) -> Ref<'_, Session> {
        self.session.borrow()
    }

    fn session_mut(&self) -> RefMut<'_, Session> {
        self.session.borrow_mut()
    }

    fn reference(&self) -> &Reference {
        self.library.get()
    }

    fn signs(&self) -> Signs {
        self.signs
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn device(&self) -> String {
        self.ground.device()
    }

    fn move_to(&self, device: &str) -> Result<()> {
        self.ground.move_to(&self.session().host, device)
    }

    fn store(&self) -> Result<Arc<dyn StudyStore>> {
        self.ground.store()
    }

    /// Begins anew from a seed. What was given for parameters stays.
    fn begin(&mut self, seed: u64) -> Result<()> {
        let host = self.ground.host(seed)?;
        host.give(self.session().host.params());
        *self.session_mut() = Session::new(host);
        self.seed = seed;
        Ok(())
    }
}

/// How many lines the history keeps.
const HISTORY: usize = 10_000;

fn history_file() -> Option<PathBuf> {
    let folder = directories::ProjectDirs::from("", "", "nas-script")?;
    let folder = folder.data_dir();
    std::fs::create_dir_all(folder).ok()?;
    Some(folder.join("history.txt"))
}
