//! What scripts find besides Rhai's own packages, and what of them is refused.

use rhai::Engine;
use rhai::plugin::*;

use super::Scripted;

pub(super) fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(basics).into());
}

#[export_module]
mod basics {
    /// The logarithm to the base 10; `log` is the natural one.
    ///
    /// ```rhai
    /// print(log10(1000.0));   // 3.0
    /// ```
    pub fn log10(number: f64) -> f64 {
        number.log10()
    }

    /// Of an integer too, which Rhai's own logarithms are not.
    #[rhai_fn(name = "log10")]
    pub fn log10_of_integer(number: i64) -> f64 {
        (number as f64).log10()
    }

    /// Refused: scripts have no clock, since one that sleeps is one that hangs.
    ///
    /// ```rhai
    /// try { sleep(0.5); } catch (error) { print(error); }
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn sleep(_seconds: f64) -> Scripted<()> {
        Err("a script has no clock: sleep is not available".into())
    }

    /// Whole seconds are refused too.
    #[rhai_fn(name = "sleep", return_raw, volatile)]
    pub fn sleep_whole(_seconds: i64) -> Scripted<()> {
        sleep(0.0)
    }
}
