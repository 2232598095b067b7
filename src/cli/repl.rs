//! `nas-script` alone: an interactive session, or a script on standard input.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::executor::in_process;
use super::run::progress;
use super::{Ending, RunArgs, colour, interrupt_flag};
use crate::data::DataPaths;
use crate::device;
use crate::error::{Error, Result};
use crate::repl::Repl;
use crate::script::{self, Host, Params, Session, Sources};
use crate::seed::Seed;
use crate::study::Study;

pub(super) fn start(args: RunArgs) -> Result<(), Ending> {
    let compute = device::open(args.device)?;
    let sandbox = args.sandbox.open()?;
    let interactive = std::io::stdin().is_terminal();
    if interactive {
        println!("nas-script {} on {compute}", env!("CARGO_PKG_VERSION"));
        println!("Rhai expressions; :help for commands, Ctrl-D to leave");
    }
    let (interrupted, progress) = (interrupt_flag(), progress(args.quiet));
    let workers = args.workers.places(&compute).len();
    let host = Host::new(Session {
        executor: Arc::new(in_process(&compute, workers, &progress, &interrupted)),
        device: compute.device,
        files: None,
        paths: DataPaths::new(args.data_dir),
        study: Study::in_memory("repl", Seed(args.seed.unwrap_or(0))),
        params: Params::default(),
        progress,
        interrupted,
        folder: PathBuf::new(),
        sandbox,
    });
    let sources = Sources::default();
    if interactive {
        return Ok(Repl::new(&host, &sources, colour()).run()?);
    }
    let path = Path::new("<stdin>");
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(Error::io("read", path))?;
    let engine = script::engine(&host, &sources);
    let result =
        script::compile(&engine, &sources, path, &text).and_then(|ast| script::run(&engine, &ast));
    host.finish();
    result.map_err(|diagnostic| Ending::Script(Box::new(diagnostic), sources))
}
