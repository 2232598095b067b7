//! A pool in one file: the arrays of each controller under its name, the rest as JSON beside them.

use std::path::Path;

use super::ledger::Ledger;
use super::{ControllerPool, Exchange};
use crate::arrays::Arrays;
use crate::controller::Controller;
use crate::controller::snapshot::{self, FORMAT, refused};
use crate::error::Result;

/// The key of the JSON in the file's metadata.
const KEY: &str = "nas-script.controller_pool";

/// Everything but the arrays.
#[derive(serde::Serialize, serde::Deserialize)]
struct Header {
    format: u32,
    exchange: Exchange,
    ledger: Ledger,
    replicas: Vec<snapshot::Header>,
    server: Option<snapshot::Header>,
}

/// What the names of a controller's arrays start with: the server's where there is no `number`.
fn prefix(number: Option<usize>) -> String {
    number.map_or("server/".into(), |number| format!("replica_{number}/"))
}

/// The first replica of the pool that was saved at `path`, if one was.
pub(in crate::controller) fn first_replica(path: &Path) -> Option<(Arrays, snapshot::Header)> {
    let (mut all, header) = snapshot::read::<Header>(path, KEY, "pool").ok()?;
    let header = header.replicas.into_iter().next()?;
    Some((taken(&mut all, &prefix(Some(0))), header))
}

impl ControllerPool {
    /// Saves every replica, what they share and what they wait for in one file, in one step: a reader
    /// sees the old file or the new one.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io) where it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut all = Arrays::new();
        let mut keep = |number: Option<usize>, controller: &Controller| {
            let (arrays, header) = controller.snapshot()?;
            let prefix = prefix(number);
            let named = arrays.into_iter();
            all.extend(named.map(|(name, array)| (format!("{prefix}{name}"), array)));
            Ok(header)
        };
        let replicas = self.replicas.iter().enumerate();
        let replicas = replicas.map(|(number, replica)| keep(Some(number), replica));
        let header = Header {
            format: FORMAT,
            exchange: self.config.exchange,
            ledger: self.ledger.clone(),
            replicas: replicas.collect::<Result<_>>()?,
            server: self.server.as_ref().map(|s| keep(None, s)).transpose()?,
        };
        snapshot::write(path, KEY, &all, &header)
    }

    /// Goes on from what [`save`](Self::save) wrote, exactly. The options of this pool stay.
    ///
    /// # Errors
    /// As [`Controller::load`]; [`Error::Snapshot`](crate::error::Error::Snapshot) also for another
    /// number of replicas or exchange. The pool is then as it was.
    pub fn load(&mut self, path: &Path) -> Result<()> {
        let (mut all, header): (Arrays, Header) = snapshot::read(path, KEY, "pool of controllers")?;
        let mut restored = |number: Option<usize>, own: &Controller, header| {
            let mut controller = own.clone();
            let arrays = taken(&mut all, &prefix(number));
            controller.restore(arrays, header)?;
            Ok(controller)
        };
        let checked = self.check(&header).and_then(|()| {
            let replicas = self.replicas.iter().zip(header.replicas).enumerate();
            let replicas = replicas.map(|(i, (own, header))| restored(Some(i), own, header));
            let replicas = replicas.collect::<Result<Vec<_>, String>>()?;
            let server = self.server.as_ref().zip(header.server);
            let server = server.map(|(own, header)| restored(None, own, header));
            Ok((replicas, server.transpose()?))
        });
        let (replicas, server) = checked.map_err(|reason| refused(path, reason))?;
        self.replicas = replicas;
        self.server = server;
        self.ledger = header.ledger;
        Ok(())
    }

    /// Checks what the controllers do not check themselves.
    fn check(&self, header: &Header) -> Result<(), String> {
        let (own, file) = (self.replicas.len(), header.replicas.len());
        if own != file {
            return Err(format!(
                "the pool has {own} replicas, the file's has {file}"
            ));
        }
        let (own, file) = (self.config.exchange, header.exchange);
        if own != file {
            let (own, file) = (own.name(), file.name());
            return Err(format!("exchange is {own}, the file's is {file}"));
        }
        let ledger = &header.ledger;
        let known = |number: usize| number < self.replicas.len();
        let sizes = &self.replicas[0].policy.sequence.sizes;
        let decided = |indices: &Vec<usize>| {
            indices.len() == sizes.len() && indices.iter().zip(sizes).all(|(i, size)| i < size)
        };
        let whole = known(ledger.turn)
            && ledger.begun.len() == self.replicas.len()
            && ledger.earned.len() == self.replicas.len()
            && ledger
                .waiting
                .iter()
                .all(|(i, by)| decided(i) && known(*by))
            && ledger.recent.iter().all(decided)
            && self.server.is_some() == header.server.is_some();
        if whole {
            Ok(())
        } else {
            Err("the file's records do not fit its replicas".into())
        }
    }
}

/// Takes the arrays whose names start with `prefix` out of `all`, without it.
fn taken(all: &mut Arrays, prefix: &str) -> Arrays {
    let own = all.extract_if(.., |name, _| name.starts_with(prefix));
    let bare = own.map(|(name, array)| (name[prefix.len()..].to_string(), array));
    bare.collect()
}
