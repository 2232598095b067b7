//! `nas-script` alone: an interactive session, or a script on standard input.

use std::cell::RefCell;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::executor::in_process;
use super::run::progress;
use super::{Ending, RunArgs, colour, interrupt_flag};
use crate::data::DataPaths;
use crate::device::{self, Compute};
use crate::error::{Error, Result};
use crate::repl::{Ground, Repl};
use crate::report::progress::{Progress, say};
use crate::script::{self, Host, Params, Sandbox, Session, Sources};
use crate::seed::Seed;
use crate::study::Study;
use crate::study::store::StudyStore;

pub(super) fn start(args: RunArgs) -> Result<(), Ending> {
    let seed = args.seed.unwrap_or(0);
    let program = Program {
        compute: RefCell::new(device::open(args.device)?),
        sandbox: args.sandbox.open()?,
        interrupted: interrupt_flag(),
        progress: progress(args.quiet),
        args,
    };
    if std::io::stdin().is_terminal() {
        let compute = program.compute.borrow().to_string();
        say(&format!(
            "nas-script {} on {compute}",
            env!("CARGO_PKG_VERSION")
        ));
        say("Rhai expressions; :help for commands, Ctrl-D to leave");
        return Ok(Repl::new(Rc::new(program), seed, colour())?.run()?);
    }
    let host = program.host(seed)?;
    let sources = Sources::default();
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

/// What the arguments come to.
struct Program {
    args: RunArgs,
    compute: RefCell<Compute>,
    sandbox: Sandbox,
    progress: Arc<Progress>,
    interrupted: Arc<AtomicBool>,
}

impl Ground for Program {
    fn host(&self, seed: u64) -> Result<Host> {
        let compute = self.compute.borrow();
        let workers = self.args.workers.places(&compute).len();
        let executor = in_process(&compute, workers, &self.progress, &self.interrupted);
        Ok(Host::new(Session {
            executor: Arc::new(executor),
            device: compute.device.clone(),
            files: None,
            paths: DataPaths::new(self.args.data_dir.clone()),
            study: Study::in_memory("repl", Seed(seed)),
            params: Params::default(),
            progress: self.progress.clone(),
            interrupted: self.interrupted.clone(),
            folder: PathBuf::new(),
            sandbox: self.sandbox.clone(),
        }))
    }

    fn device(&self) -> String {
        self.compute.borrow().to_string()
    }

    fn move_to(&self, host: &Host, name: &str) -> Result<()> {
        let compute = device::open(name.parse()?)?;
        let workers = self.args.workers.places(&compute).len();
        let executor = in_process(&compute, workers, &self.progress, &self.interrupted);
        host.move_to(compute.device.clone(), Arc::new(executor));
        *self.compute.borrow_mut() = compute;
        Ok(())
    }

    fn store(&self) -> Result<Arc<dyn StudyStore>> {
        Ok(self.args.store.present()?.store)
    }
}
