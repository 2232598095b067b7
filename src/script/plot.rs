//! `plot(…)`: curves in the terminal, for scripts.

use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, NativeCallContext};

use super::study::Current;
use super::{Host, Scripted, outcome::Outcome, outcomes, raise};
use crate::error::Error;
use crate::report::curves;
use crate::report::plot::{Plot, Signs};

pub(super) fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(plots).into());
}

/// Prints `plot` as a script prints.
fn show(ctx: &NativeCallContext, plot: &Plot) -> Scripted<()> {
    let host = Host::of(ctx)?;
    let text = plot.to_string();
    if host.meter().prints(text.len()) {
        host.progress().print(text.trim_end());
    }
    Ok(())
}

#[export_module]
mod plots {
    /// Draws the accuracy of an outcome's child after each epoch, on validation and training images.
    ///
    /// ```rhai
    /// let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ epochs: 5 });
    /// plot(manager.evaluate(input([1, 8, 8]).flatten().dense(10)));
    /// ```
    #[rhai_fn(name = "plot", return_raw, volatile)]
    pub fn plot_outcome(ctx: NativeCallContext, outcome: Outcome) -> Scripted<()> {
        show(
            &ctx,
            &curves::learning(outcome.trial(), Signs::of_terminal()),
        )
    }

    /// Draws the reward of each trial of the study, and the highest so far.
    ///
    /// ```rhai
    /// let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ epochs: 1 });
    /// for width in [4, 8] { manager.evaluate(input([1, 8, 8]).flatten().dense(width).relu().dense(10)); }
    /// plot(study);
    /// ```
    #[rhai_fn(name = "plot", return_raw, volatile)]
    pub fn plot_study(ctx: NativeCallContext, _study: Current) -> Scripted<()> {
        let study = Host::of(&ctx)?.study().clone();
        let trials = study.lock().trials().to_vec();
        let trials = trials.iter().map(AsRef::as_ref);
        show(&ctx, &curves::rewards(trials, Signs::of_terminal()))
    }

    /// Draws a list of numbers in their order, or of outcomes the reward of each.
    ///
    /// ```rhai
    /// plot([0.1, 0.4, 0.35, 0.8]);
    /// ```
    #[rhai_fn(name = "plot", return_raw, volatile)]
    pub fn plot_values(ctx: NativeCallContext, values: Array) -> Scripted<()> {
        let signs = Signs::of_terminal();
        let values = Dynamic::from_array(values);
        if let Some(trials) = outcomes(&values) {
            let trials = trials.iter().map(AsRef::as_ref);
            return show(&ctx, &curves::rewards(trials, signs));
        }
        let number = |value: &Dynamic| {
            let found = value
                .as_float()
                .or_else(|_| value.as_int().map(|n| n as f64));
            found.map_err(|found| {
                raise(Error::invalid(
                    "plot",
                    "a list of numbers or of outcomes",
                    found,
                ))
            })
        };
        let values = values.into_array().unwrap_or_default();
        let values: Vec<f64> = values.iter().map(number).collect::<Scripted<_>>()?;
        show(&ctx, &curves::values(&values, signs))
    }
}
