//! Where the time of a training goes, by kernel. Knows the traces that kernels leave, nothing else.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// How long each kernel took, and how often it ran.
#[derive(Clone, Default)]
pub struct Profile(Arc<Mutex<BTreeMap<String, (Duration, usize)>>>);

/// A kernel under way: its name and when it started.
struct Running(String, Instant);

impl Profile {
    /// Runs `work` and writes down how long its kernels take.
    pub fn of<T>(&self, work: impl FnOnce() -> T) -> T {
        tracing::subscriber::with_default(Registry::default().with(self.clone()), work)
    }

    /// A Markdown table, the longest first, as shares of `total`.
    pub fn table(&self, total: Duration) -> String {
        let Ok(times) = self.0.lock() else {
            return String::new();
        };
        let mut rows: Vec<_> = times.iter().collect();
        rows.sort_by_key(|(_, (time, _))| std::cmp::Reverse(*time));
        let mut table = String::from("| kernel | share | ms a call |\n| --- | ---: | ---: |\n");
        let mut rest = total;
        for (name, (time, calls)) in rows {
            rest = rest.saturating_sub(*time);
            let share = 100.0 * time.as_secs_f64() / total.as_secs_f64();
            let each = 1e3 * time.as_secs_f64() / *calls as f64;
            let _ = writeln!(table, "| {name} | {share:.1} % | {each:.3} |");
        }
        let share = 100.0 * rest.as_secs_f64() / total.as_secs_f64();
        let _ = writeln!(table, "| everything else | {share:.1} % | |");
        table
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Profile {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id).filter(|span| span.name() == "kernel") {
            let mut name = Name::default();
            attributes.record(&mut name);
            span.extensions_mut()
                .insert(Running(name.0, Instant::now()));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id);
        let running = span.and_then(|span| span.extensions_mut().remove::<Running>());
        if let (Some(Running(name, started)), Ok(mut times)) = (running, self.0.lock()) {
            let (time, calls) = times.entry(name).or_default();
            *time += started.elapsed();
            *calls += 1;
        }
    }
}

/// The fields of a trace, one after the other.
#[derive(Default)]
struct Name(String);

impl Visit for Name {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        if !self.0.is_empty() {
            self.0.push_str(" · ");
        }
        let _ = write!(self.0, "{value:?}");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}
