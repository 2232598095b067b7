//! `nas-script recipe verify FILE`: run a packed recipe again, and compare with what it claims.

use std::io::IsTerminal;
use std::path::PathBuf;

use super::pack::{check_tolerance, kind, run};
use super::subject::{Found, Subject};
use crate::cli::scratch::ScratchArgs;
use crate::cli::{Ending, FAILED};
use crate::device::Selector;
use crate::error::Error;
use crate::recipe::{self, Pack, With, plain};
use crate::report::progress::say;
use crate::script;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A packed recipe.
    file: PathBuf,
    /// How far numbers may be apart, in place of what the pack says.
    #[arg(long, value_name = "T")]
    tolerance: Option<f64>,
    #[command(flatten)]
    scratch: ScratchArgs,
}

pub(super) fn verify(arguments: &Arguments) -> Result<(), Ending> {
    let path = &arguments.file;
    let text = recipe::read(path)?;
    let what = path.display().to_string();
    let Some(pack) = Pack::of(path, &text)? else {
        let expected = "a packed recipe (`nas-script recipe pack FILE` makes one)";
        return Err(Error::invalid(what, expected, "a plain script").into());
    };
    let Some(claim) = &pack.lock.claim else {
        return Err(Error::invalid(what, "a pack with a claim", "none").into());
    };
    let tolerance = arguments.tolerance.unwrap_or(claim.tolerance);
    check_tolerance(tolerance)?;
    let subject = Subject::of(&Found {
        path: path.clone(),
        text: text.clone(),
        from: what,
    })?;
    let device: Selector = plain(&claim.device).parse()?;
    let scratch = arguments
        .scratch
        .open(device, !std::io::stderr().is_terminal())?;
    say(&plain(&subject.header.title));

    let with = With {
        device: kind(&scratch),
        seed: claim.seed,
        params: claim.params.clone(),
        tolerance,
    };
    let found = run(&scratch, path, &text, &with, claim.value.is_some())?;
    let mut differences = pack.lock.differences(script::library_digest());
    differences.extend(claim.differences(&found, with.tolerance));
    for difference in &differences {
        let sign = if difference.refutes {
            "not as claimed"
        } else {
            "differs"
        };
        say(&format!("  {sign}: {}", plain(&difference.to_string())));
    }
    if differences.iter().any(|difference| difference.refutes) {
        say("refuted: the run came to something else");
        return Err(Ending::Told(FAILED));
    }
    say(
        &match found.record == claim.record && found.value == claim.value {
            true => "verified: the run came to the same, to the last bit".to_string(),
            false => format!(
                "verified: the run came to the same within {}",
                with.tolerance
            ),
        },
    );
    for (name, value) in found.lines() {
        say(&format!("  {name}: {}", plain(&value)));
    }
    Ok(())
}
