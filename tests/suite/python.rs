//! A Python with packages from PyPI, for what other programs make of our files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Runs `command`, and asserts that it succeeds.
#[track_caller]
pub fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// A Python with `packages`: that of `NAS_SCRIPT_PYTHON`, which should have them, or one made once in
/// the folder `name` of the target folder.
pub fn python(name: &str, packages: &[&str]) -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    if let Some(python) = std::env::var_os("NAS_SCRIPT_PYTHON") {
        return python.into();
    }
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let (python, ready) = (venv.join("bin/python"), venv.join("ready"));
    if !ready.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
        let patient = ["--retries", "10", "--timeout", "60"];
        let install = ["-m", "pip", "install", "--quiet"];
        let install = install.iter().chain(&patient).chain(packages);
        run(Command::new(&python).args(install));
        fs::write(&ready, "").unwrap();
    }
    python
}
