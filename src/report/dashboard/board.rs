//! What the dashboard knows: the store, and the studies that somebody looked at lately. Calls block.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::report::page::{Context, Offer, Section, sections};
use crate::report::view::{Control, Importance, Select, View, importance};
use crate::study::Trial;
use crate::study::store::{Kept, StudyStore};

/// How many studies are remembered.
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
    open: Mutex<Vec<(i64, Arc<Seen>)>>,
}

/// A study that somebody looks at.
pub(super) struct Seen {
    state: Mutex<(View, Option<Instant>)>,
    /// The importance of its decisions, and of how many trials.
    importance: Mutex<(usize, Arc<Vec<Importance>>)>,
}

impl Board {
    /// A dashboard of `store`.
    pub fn new(store: Arc<dyn StudyStore>, exporter: Box<dyn Exporter>) -> Self {
        Self {
            store,
            exporter,
            open: Mutex::default(),
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

    /// The study `id` as it is now.
    fn seen(&self, id: i64) -> Result<Option<Arc<Seen>>> {
        let mut open = self.open.lock();
        if let Some(at) = open.iter().position(|(of, _)| *of == id) {
            let seen = open.remove(at);
            open.push(seen.clone());
            return Ok(Some(seen.1));
        }
        drop(open);
        let Some(kept) = self.kept(id)? else {
            return Ok(None);
        };
        let seen = Arc::new(Seen {
            state: Mutex::new((View::open(&*self.store, kept)?, Some(Instant::now()))),
            importance: Mutex::default(),
        });
        let mut open = self.open.lock();
        if open.len() >= REMEMBERED {
            open.remove(0);
        }
        open.push((id, seen.clone()));
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
                importance: &importance,
                control: own.as_ref(),
                others: Some(&others),
            };
            (view.name().to_string(), sections(&context))
        })
    }

    /// The importance of the decisions of the study `id`, of not many fewer trials than there are. Where it is due it is
    /// computed beside, and told the next time: it takes longer than people wait for a page.
    fn importance(&self, id: i64) -> Result<Option<Arc<Vec<Importance>>>> {
        let Some(seen) = self.seen(id)? else {
            return Ok(None);
        };
        let mut known = seen.importance.lock();
        let count = seen.state.lock().0.points.len();
        if count > known.0 + known.0 / 10 + 3 {
            known.0 = count;
            let (view, of) = (seen.state.lock().0.clone(), seen.clone());
            let compute = move || {
                let found = importance(&view);
                of.importance.lock().1 = Arc::new(found);
            };
            let started = std::thread::Builder::new()
                .name("importance".into())
                .spawn(compute);
            started.map_err(Error::io(
                "start a thread for",
                std::path::Path::new("the dashboard"),
            ))?;
        }
        Ok(Some(known.1.clone()))
    }

    /// Something that differs whenever a page of the study `id` has changed.
    pub(super) fn stamp(&self, id: i64) -> Result<Option<String>> {
        let stamp = self.look(id, View::stamp)?;
        let importance = self
            .seen(id)?
            .map(|seen| Arc::as_ptr(&seen.importance.lock().1) as usize);
        Ok(stamp.map(|stamp| format!("{stamp}-{}", importance.unwrap_or_default())))
    }

    /// Something that differs whenever the list of studies has changed.
    pub(super) fn stamp_of_all(&self) -> Result<String> {
        let all = self.studies()?;
        let each = all
            .iter()
            .map(|(kept, running)| (kept.id, format!("{}{running}", kept.trials)));
        let each: BTreeMap<i64, String> = each.collect();
        Ok(format!("{each:?}"))
    }
}
