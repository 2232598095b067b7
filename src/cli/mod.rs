//! The command line: one file per subcommand. Puts the rooms together; decides exit codes.

mod check;
mod compare;
mod dashboard;
mod data;
mod defs;
mod devices;
mod doc;
mod executor;
mod export;
mod mlflow;
mod params;
mod recipe;
mod repl;
mod replay;
mod report;
mod run;
mod sandbox;
mod scratch;
mod session;
mod show;
mod store;
mod studies;
mod test;
mod top;
mod trials;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, CommandFactory, Parser, Subcommand};

use tracing_subscriber::EnvFilter;

use crate::device::Selector;
use crate::error::{Error, Result};
use crate::report::progress::Audience;
use crate::script::{Diagnostic, STACK, Sources};
use crate::study::Budget;

/// Neural architecture search as a script.
#[derive(Parser)]
#[command(name = "nas-script", version, about, long_about = None, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// The script to run; none starts the REPL.
    script: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Subcommand)]
enum Command {
    /// List the parameters of a script.
    Params {
        /// The script.
        script: PathBuf,
    },
    /// Show what a script can call: one name, or the contents.
    Doc(doc::Arguments),
    /// Find mistakes in scripts and recipes without running them: unknown names, wrong calls, unknown options, unused
    /// variables.
    Check(check::Arguments),
    /// Write definition files, by which editors know what a script can call.
    Defs {
        /// The folder for them.
        folder: PathBuf,
    },
    /// Run the functions `test_…` of scripts and recipes.
    Test(test::Arguments),
    /// Write, share, add and verify recipes.
    #[command(subcommand)]
    Recipe(recipe::Command),
    /// List the devices that this build can use here.
    Devices,
    /// Find and fetch data sets.
    #[command(subcommand)]
    Data(data::Command),
    /// Write a network that a run found as ONNX, safetensors, a Burn crate or a diagram.
    Export(export::Arguments),
    /// List the studies of a store.
    Studies(studies::Arguments),
    /// Show a study: what it was started with, what it came to.
    Show(show::Arguments),
    /// List the best networks of a study.
    Top(top::Arguments),
    /// Compare studies: best scores at equal numbers of trials, repeats together.
    Compare(compare::Arguments),
    /// Serve pages about the studies of a store, which follow running searches.
    Dashboard(dashboard::Arguments),
    /// Write a study as one file for people: what was searched, how, and what came of it.
    Report(report::Arguments),
    /// Write the trials of studies as a table: CSV or Parquet.
    Trials(trials::Arguments),
    /// Send studies to an MLflow server, each as a run.
    Mlflow(mlflow::Arguments),
    /// Give the trials of a study another reward, and train its controller anew on them; trains no network.
    Replay(replay::Arguments),
    /// Train networks for the searches of a store, until Ctrl-C or SIGTERM.
    Worker(worker::Arguments),
    /// Train what standard input says.
    #[command(hide = true)]
    Runner(worker::RunnerArguments),
}

/// What a run can be given.
#[derive(Args)]
struct RunArgs {
    /// Set a parameter of the script (`nas-script params SCRIPT` lists them).
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    param: Vec<String>,
    /// auto, cpu, cuda[:N] or wgpu[:N].
    #[arg(long, env = "NAS_SCRIPT_DEVICE", default_value_t = Selector::Auto)]
    device: Selector,
    #[command(flatten)]
    workers: executor::WorkerArgs,
    /// The seed that every random draw derives from [default: 0, or the resumed study's].
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    store: store::StoreArgs,
    /// The name of the study: a new one, or one to go on with [default: that of the run's folder].
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    study: Option<String>,
    /// Go on with this study, from where it stopped.
    #[arg(long, value_name = "STUDY")]
    resume: Option<String>,
    /// Start a new study of this name that shares the trials of the resumed one for as long as the script asks for
    /// the same.
    #[arg(long, value_name = "NAME")]
    fork: Option<String>,
    /// End the search after so many trials.
    #[arg(long, value_name = "N")]
    max_trials: Option<usize>,
    /// End the search after so many hours of work, over all sessions of the study.
    #[arg(long, value_name = "H")]
    max_hours: Option<f64>,
    /// End the search after so many trained networks.
    #[arg(long, value_name = "N")]
    max_children: Option<usize>,
    /// The run's folder, new or empty [default: runs/<script>-<n>].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where data sets are [default: $NAS_SCRIPT_DATA, then the user's data folder].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Follow the study into MLflow at this address, http://HOST:PORT, as a run.
    #[arg(long, value_name = "URL")]
    mlflow: Option<String>,
    /// The experiment there.
    #[arg(long, value_name = "NAME", default_value = mlflow::EXPERIMENT, requires = "mlflow")]
    experiment: String,
    /// Print no progress.
    #[arg(short, long)]
    quiet: bool,
    /// Print what happens as JSON, one event a line, and nothing else (docs/live.md).
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    #[command(flatten)]
    sandbox: sandbox::SandboxArgs,
}

impl RunArgs {
    /// For whom the run is told.
    fn audience(&self) -> Audience {
        match (self.json, self.quiet) {
            (true, _) => Audience::Programs,
            (false, true) => Audience::Nobody,
            (false, false) => Audience::People,
        }
    }

    /// What the search may spend.
    fn budget(&self) -> Budget {
        Budget {
            trials: self.max_trials,
            hours: self.max_hours,
            children: self.max_children,
        }
    }
}

/// What ends the program other than success.
enum Ending {
    /// The library refused something before a script ran.
    Refused(Error),
    /// A script failed or was stopped.
    Script(Box<Diagnostic>, Sources),
    /// All is said; the exit code.
    Told(u8),
}

impl From<Error> for Ending {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// Exit code of a failed script, download or data file.
const FAILED: u8 = 1;
/// Exit code of a command line that cannot be carried out.
const USAGE: u8 = 2;
/// Exit code of a panic, as Rust has it.
const PANICKED: u8 = 101;
/// Exit code after Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;

/// Says what is wrong with the command line, and exits with 2, as clap does. A subcommand with a slip reads as a script
/// with a subcommand after it.
fn refuse(error: &clap::Error) -> ! {
    let first = std::env::args().nth(1).unwrap_or_default();
    let slip = error.kind() == clap::error::ErrorKind::ArgumentConflict
        && !first.starts_with('-')
        && !std::path::Path::new(&first).exists();
    if slip {
        let command = Cli::command();
        let known = command.get_subcommands().map(clap::Command::get_name);
        eprintln!("error: {}", Error::unknown("command", &first, known));
        std::process::exit(i32::from(USAGE));
    }
    error.exit()
}

/// Runs the program and returns its exit code: 0, 1 for a failure, 2 for a command line that
/// cannot be carried out, 130 after Ctrl-C.
pub fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| refuse(&error));
    // What trains runs no script, and its memory may be limited.
    if matches!(cli.command, Some(Command::Worker(_) | Command::Runner(_))) {
        return program(cli);
    }
    let deep = std::thread::Builder::new().stack_size(STACK);
    let program = deep.spawn(|| program(cli));
    match program.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        // The thread's panic has been reported.
        Ok(Err(_)) => ExitCode::from(PANICKED),
        Err(error) => {
            eprintln!("error: cannot start a thread: {error}");
            ExitCode::from(FAILED)
        }
    }
}

/// The program with the arguments `cli`.
fn program(cli: Cli) -> ExitCode {
    // What a driver says while it is looked for is no news, unless it is asked for.
    let filter = EnvFilter::try_from_env("NAS_SCRIPT_LOG");
    let quiet = || EnvFilter::new("error,wgpu_hal=off,wgpu_core=off,naga=off");
    tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| quiet()))
        .with_writer(std::io::stderr)
        .init();
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ending::Refused(error)) => {
            eprintln!("error: {error}");
            ExitCode::from(match error {
                Error::Interrupted => INTERRUPTED,
                Error::Download { .. } | Error::DataCorrupt { .. } | Error::Service { .. } => {
                    FAILED
                }
                _ => USAGE,
            })
        }
        Err(Ending::Told(code)) => ExitCode::from(code),
        Err(Ending::Script(diagnostic, _)) if diagnostic.interrupted => ExitCode::from(INTERRUPTED),
        Err(Ending::Script(diagnostic, sources)) => {
            eprint!("{}", diagnostic.render(&sources, colour()));
            ExitCode::from(FAILED)
        }
    }
}

fn dispatch(cli: Cli) -> Result<(), Ending> {
    match (cli.command, cli.script) {
        (Some(Command::Params { script }), _) => params::list(&script),
        (Some(Command::Check(arguments)), _) => match check::run(&arguments)? {
            true => Ok(()),
            false => Err(Ending::Told(FAILED)),
        },
        (Some(Command::Doc(arguments)), _) => Ok(doc::show(&arguments)?),
        (Some(Command::Defs { folder }), _) => Ok(defs::write(&folder)?),
        (Some(Command::Test(arguments)), _) => test::run(&arguments),
        (Some(Command::Recipe(command)), _) => recipe::run(command),
        (Some(Command::Devices), _) => {
            devices::list();
            Ok(())
        }
        (Some(Command::Data(command)), _) => Ok(data::run(command)?),
        (Some(Command::Export(arguments)), _) => Ok(export::run(&arguments)?),
        (Some(Command::Studies(arguments)), _) => Ok(studies::run(&arguments)?),
        (Some(Command::Show(arguments)), _) => Ok(show::run(&arguments)?),
        (Some(Command::Top(arguments)), _) => Ok(top::run(&arguments)?),
        (Some(Command::Compare(arguments)), _) => Ok(compare::run(&arguments)?),
        (Some(Command::Dashboard(arguments)), _) => Ok(dashboard::run(&arguments)?),
        (Some(Command::Report(arguments)), _) => Ok(report::run(&arguments)?),
        (Some(Command::Trials(arguments)), _) => Ok(trials::run(&arguments)?),
        (Some(Command::Mlflow(arguments)), _) => Ok(mlflow::run(&arguments)?),
        (Some(Command::Replay(arguments)), _) => replay::run(&arguments),
        (Some(Command::Worker(arguments)), _) => Ok(worker::work(arguments)?),
        (Some(Command::Runner(arguments)), _) => Ok(worker::runner(arguments)?),
        (None, None) if cli.run.resume.is_some() => run::script(None, cli.run),
        (None, Some(script)) => run::script(Some(script), cli.run),
        (None, None) if !cli.run.param.is_empty() || cli.run.out.is_some() => {
            Cli::command()
                .error(
                    clap::error::ErrorKind::MissingRequiredArgument,
                    "--param and --out need a SCRIPT",
                )
                .exit();
        }
        (None, None) => repl::start(cli.run),
    }
}

/// Whether standard error wants colour: a terminal that is not dumb, and no `NO_COLOR`.
fn colour() -> bool {
    use std::io::IsTerminal;
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|kind| kind == "dumb");
    std::io::stderr().is_terminal() && !dumb && !set("NO_COLOR")
}

/// A flag that the first Ctrl-C sets; the second ends the program.
fn interrupt_flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = flag.clone();
    let handler = move || {
        if set.swap(true, Ordering::SeqCst) {
            std::process::exit(INTERRUPTED.into());
        }
        eprintln!("\nstopping; everything so far is kept (Ctrl-C again: stop now)");
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        tracing::warn!("Ctrl-C will stop at once: {error}");
    }
    flag
}

/// Reads a script, whatever its path is.
fn read_script(path: &std::path::Path) -> Result<String> {
    let text = std::fs::read_to_string(path).map_err(Error::io("read script", path))?;
    // Editors on Windows put a byte-order mark first.
    Ok(text.trim_start_matches('\u{feff}').to_string())
}
