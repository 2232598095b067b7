//! What the dashboard knows: the store, and the studies that somebody looked at lately. Calls block.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::report::page::{Context, Offer, Section, sections};
use crate::report::view::{Control, Importance, Select, View, importance};
use crate::report::words::clock;
use crate::study::Trial;
use crate::study::store::{Kept, StudyStore};

/// How many studies are remembered that nobody follows.
const REMEMBERED: usize = 8;
/// A study is not read again before.
const FRESH: Duration = Duration::from_millis(150);

/// Writes the networks of trials for other programs.
pub trait Exporter: Send + Sync {
    /// What a trial can be taken away as.
    fn offers(&self, trial: &Trial) -> Vec<Offer>;

    /// The file `name` of a trial; `None` where there is none of that name.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn export(&self, trial: &Trial, name: &str) -> Result<Option<Vec<u8>>>;
}

/// The studies of a store, for those who look.
pub struct Board {
    store: Arc<dyn StudyStore>,
    pub(super) exporter: Box<dyn Exporter>,
    open: Mutex<Open>,
    /// Held while the importance of decisions is computed, so that studies wait for one another.
    computing: Arc<Mutex<()>>,
}

/// The studies that are known: those that somebody follows, and the last ones that were looked at.
#[derive(Default)]
struct Open {
    all: BTreeMap<i64, Weak<Seen>>,
    last: VecDeque<Arc<Seen>>,
}

/// A study that somebody looks at.
pub(super) struct Seen {
    state: Mutex<(View, Option<Instant>)>,
    importance: Mutex<Computed>,
}

/// The importance of the decisions of a study.
#[derive(Default)]
struct Computed {
    /// Of how many trials it is computed, or was last; `None`: it never was asked for.
    of: Option<usize>,
    /// How often it was computed.
    times: usize,
    found: Option<Arc<Vec<Importance>>>,
}

/// A study has so many more trials than those whose importance is known that it is worth computing again.
fn is_due(of: Option<usize>, trials: usize) -> bool {
    of.is_none_or(|of| trials > of + of / 10 + 3)
}

impl Board {
    /// A dashboard of `store`.
    pub fn new(store: Arc<dyn StudyStore>, exporter: Box<dyn Exporter>) -> Self {
        Self {
            store,
            exporter,
            open: Mutex::default(),
            computing: Arc::default(),
        }
    }

    pub(super) fn store(&self) -> &dyn StudyStore {
        &*self.store
    }

    /// All studies, each with whether a living process works on it.
    pub(super) fn studies(&self) -> Result<Vec<(Kept, bool)>> {
        let all = self.store.studies()?.into_iter();
        let held = all.map(|kept| self.store.is_held(kept.id).map(|held| (kept, held)));
        held.collect()
    }

    /// The study with the key `id`, if there is one.
    pub(super) fn kept(&self, id: i64) -> Result<Option<Kept>> {
        Ok(self.store.studies()?.into_iter().find(|kept| kept.id == id))
    }

    /// The study `id`, which is remembered as long as somebody holds it.
    pub(super) fn seen(&self, id: i64) -> Result<Option<Arc<Seen>>> {
        let known = self.open.lock().all.get(&id).and_then(Weak::upgrade);
        let seen = match known {
            Some(seen) => seen,
            None => {
                let Some(kept) = self.kept(id)? else {
                    return Ok(None);
                };
                Arc::new(Seen {
                    state: Mutex::new((View::open(&*self.store, kept)?, Some(Instant::now()))),
                    importance: Mutex::default(),
                })
            }
        };
        let mut open = self.open.lock();
        open.all.retain(|_, seen| seen.strong_count() > 0);
        open.all.insert(id, Arc::downgrade(&seen));
        open.last.retain(|other| !Arc::ptr_eq(other, &seen));
        open.last.push_back(seen.clone());
        if open.last.len() > REMEMBERED {
            open.last.pop_front();
        }
        Ok(Some(seen))
    }

    /// What `ask` finds in the study `id` as it is now; `None` where there is none.
    pub(super) fn look<T>(&self, id: i64, ask: impl FnOnce(&View) -> T) -> Result<Option<T>> {
        let Some(seen) = self.seen(id)? else {
            return Ok(None);
        };
        let mut state = seen.state.lock();
        let (view, read) = &mut *state;
        if read.is_none_or(|read| read.elapsed() > FRESH) {
            view.refresh(&*self.store)?;
            *read = Some(Instant::now());
        }
        Ok(Some(ask(view)))
    }

    /// The name and the parts of the page of the study `id`.
    pub(super) fn page(&self, id: i64, select: &Select) -> Result<Option<(String, Vec<Section>)>> {
        let others = self
            .store
            .studies()?
            .into_iter()
            .filter(|kept| kept.id != id);
        let others: Vec<(i64, String)> = others.map(|kept| (kept.id, kept.about.name)).collect();
        let control = match select.control.filter(|control| *control != id) {
            Some(control) => self.look(control, Control::from)?,
            None => None,
        };
        let Some(importance) = self.importance(id)? else {
            return Ok(None);
        };
        self.look(id, |view| {
            let own = control.or_else(|| Control::of(view));
            let context = Context {
                view,
                select,
                importance: importance.as_ref().map(|found| &found[..]),
                control: own.as_ref(),
                others: Some(&others),
            };
            (view.name().to_string(), sections(&context))
        })
    }

    /// The importance of the decisions of the study `id`, of not many fewer trials than there are. Where it is due it is
    /// computed beside, and told the next time: it takes longer than people wait for a page.
    fn importance(&self, id: i64) -> Result<Option<Option<Arc<Vec<Importance>>>>> {
        let Some(seen) = self.seen(id)? else {
            return Ok(None);
        };
        let trials = seen.state.lock().0.points.len();
        let mut known = seen.importance.lock();
        if is_due(known.of, trials) {
            known.of = Some(trials);
            let (of, computing) = (seen.clone(), self.computing.clone());
            let compute = move || {
                let _alone = computing.lock();
                let view = of.state.lock().0.clone();
                let found = importance(&view);
                let mut known = of.importance.lock();
                known.found = Some(Arc::new(found));
                known.times += 1;
            };
            let started = std::thread::Builder::new()
                .name("importance".into())
                .spawn(compute);
            started.map_err(Error::io(
                "start a thread for",
                std::path::Path::new("the dashboard"),
            ))?;
        }
        Ok(Some(known.found.clone()))
    }

    /// Something that differs whenever a page of the study `id` has changed.
    pub(super) fn stamp(&self, id: i64) -> Result<Option<String>> {
        let stamp = self.look(id, View::stamp)?;
        let computed = self.seen(id)?.map(|seen| seen.importance.lock().times);
        Ok(stamp.map(|stamp| format!("{stamp}-{}", computed.unwrap_or_default())))
    }

    /// Something that differs whenever the list of studies has changed.
    pub(super) fn stamp_of_all(&self) -> Result<String> {
        let all = self.studies()?;
        let each = all
            .iter()
            .map(|(kept, running)| (kept.id, format!("{}{running}", kept.trials)));
        let each: BTreeMap<i64, String> = each.collect();
        Ok(format!("{each:?} {}", clock()))
    }
}
