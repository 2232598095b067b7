//! `ControllerPool` for scripts.

use std::sync::Arc;

use parking_lot::Mutex;
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::controller::{affordable, config, save_path, scalars, written};
use super::keeping::{Keeping, Kept, Step};
use super::manager::number;
use super::options::Options;
use super::space::{Space, count};
use super::{Host, Scripted, raise};
use crate::controller::{Controller, ControllerPool, PoolConfig};
use crate::space::Actions;

/// A script's handle of a pool: copies share it.
#[derive(Clone)]
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    pool: Mutex<ControllerPool>,
    keeping: Keeping,
}

impl Kept for Shared {
    fn save(&self, path: &std::path::Path) -> crate::Result<()> {
        self.pool.lock().save(path)
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Pool>("ControllerPool");
    engine.register_global_module(exported_module!(pools).into());
}

/// # ControllerPool
///
/// Several controllers that search together.
///
/// ```rhai
/// let space = StateSpace();
/// space.add_state("kernel", [1, 3]);
/// let pool = ControllerPool(2, 4, space);
/// for trial in 0..4 {
///     let actions = pool.get_action();
///     pool.store_rollout(actions, 0.5);
///     pool.train_step();
/// }
/// print(pool);                        // Pool of 2 controllers for 4 layers after 4 updates
/// print(pool.replicas + " replicas, exchange " + pool.exchange);
/// print(pool.step + " updates at a learning rate of " + pool.learning_rate);
/// print(pool.baselines);              // one a replica
/// print(pool.entropy);
/// print(pool.diversity);
/// print(pool.mean_staleness);
/// print(pool.probability_of(space.actions([1, 1, 3, 3])));
/// ```
#[export_module]
mod pools {
    /// So many controllers (replicas) that search together, so that the search does not settle on the model that one
    /// of them happens to like. They sample in turn, each with its own random stream, mini-batch and baseline.
    #[rhai_fn(name = "ControllerPool", return_raw, volatile)]
    pub fn new(ctx: NativeCallContext, replicas: i64, layers: i64, space: Space) -> Scripted<Pool> {
        with(ctx, replicas, layers, space, Map::new())
    }

    /// Options are those of `Controller` (in mode "reinforce") and
    /// - `exchange` ("gradients"): what replicas have from each other. "gradients": parameters are shared; a replica
    ///   fetches them when it starts a mini-batch, its gradient moves what they are by then (arXiv 1611.01578, §3.2).
    ///   "average": each has its own, and all take the mean from time to time. "select": each has its own, and from
    ///   time to time the one with the lowest mean reward takes over those of the one with the highest (arXiv
    ///   1711.09846). "none": they learn apart.
    /// - `every` (50): the number of updates, of all replicas together, from one "average" or "select" to the next,
    ///   from 1.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// let pool = ControllerPool(5, 4, space, #{ exchange: "select", entropy_weight: 0.01 });
    /// ```
    #[rhai_fn(name = "ControllerPool", return_raw, volatile)]
    pub fn with(
        ctx: NativeCallContext,
        replicas: i64,
        layers: i64,
        space: Space,
        options: Map,
    ) -> Scripted<Pool> {
        let host = Host::of(&ctx)?;
        let replicas = count("number of replicas", replicas)?;
        let layers = count("number of layers", layers)?;
        let options = Options::new("ControllerPool", &options)?;
        let (each, own) = (config(&host, &options)?, options.part(PoolConfig::OPTIONS)?);
        affordable(&space, layers, &each).map_err(raise)?;
        let (device, (seed, keeping)) = (host.device(), host.next_controller());
        let pool = ControllerPool::new(replicas, &space.get(), layers, each, own, &device, seed);
        keeping.decides(&host, &space.get(), layers);
        Ok(Pool(Arc::new(Shared {
            pool: Mutex::new(pool.map_err(raise)?),
            keeping,
        })))
    }

    /// The next architecture to try, by the next replica in turn.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// let pool = ControllerPool(2, 4, space);
    /// print(pool.get_action().values);
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn get_action(pool: &mut Pool) -> Scripted<Actions> {
        pool.0.pool.lock().get_action(None).map_err(raise)
    }

    /// After `state`, which is only checked to be of the same space.
    #[rhai_fn(name = "get_action", return_raw, pure, volatile)]
    pub fn get_action_after(pool: &mut Pool, state: Actions) -> Scripted<Actions> {
        pool.0.pool.lock().get_action(Some(&state)).map_err(raise)
    }

    /// Keeps the reward of actions for the replica that sampled them; those of nobody are an error.
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn store_rollout(pool: &mut Pool, actions: Actions, reward: Dynamic) -> Scripted<()> {
        let reward = number("store_rollout: reward", &reward)?;
        let mut pool = pool.0.pool.lock();
        pool.store_rollout(&actions, reward).map_err(raise)
    }

    /// Updates from each replica's mini-batch that is full and returns the mean loss; `()` while none
    /// is.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// let pool = ControllerPool(2, 4, space);
    /// for trial in 0..10 {
    ///     let actions = pool.get_action();
    ///     pool.store_rollout(actions, 0.05);
    ///     let loss = pool.train_step();
    /// }
    /// print(pool.diversity);
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn train_step(ctx: NativeCallContext, pool: &mut Pool) -> Scripted<Dynamic> {
        let host = Host::of(&ctx)?;
        let working = host.meter().work();
        let mut inner = pool.0.pool.lock();
        let updates = inner.train_step().map_err(raise)?;
        let Some(last) = updates.last() else {
            return Ok(Dynamic::UNIT);
        };
        working.renews();
        let before = inner.step().saturating_sub(updates.len() as u64);
        let steps = updates.iter().zip(before + 1..).map(|(update, number)| {
            let own = [
                ("controller/replica", update.replica as f64),
                ("controller/staleness", update.staleness as f64),
            ];
            let own = own.map(|(tag, value)| (tag.to_string(), value));
            Step {
                number,
                scalars: scalars(&update.update).into_iter().chain(own).collect(),
                policy: None,
            }
        });
        let mut steps: Vec<Step> = steps.collect();
        let numbers = steps.iter().map(|step| step.number);
        let policy = || inner.probabilities(last.replica);
        let policy = pool.0.keeping.picture(&host, numbers, policy);
        let policy = policy.map_err(raise)?;
        if let Some(step) = steps.last_mut() {
            step.policy = policy;
        }
        drop(inner);
        let kept = pool.0.keeping.keep(&host, steps, pool.0.clone());
        kept.map_err(raise)?;
        let total: f64 = updates.iter().map(|u| u.update.loss).sum();
        Ok((total / updates.len() as f64).into())
    }

    /// The probability that a replica, drawn uniformly, samples this architecture.
    #[rhai_fn(return_raw, pure)]
    pub fn probability_of(pool: &mut Pool, actions: Actions) -> Scripted<f64> {
        pool.0.pool.lock().probability_of(&actions).map_err(raise)
    }

    /// The mean entropy of the replicas' policies, in nats: see `entropy` of a `Controller`.
    #[rhai_fn(get = "entropy", return_raw, pure)]
    pub fn entropy(pool: &mut Pool) -> Scripted<f64> {
        pool.0.pool.lock().entropy().map_err(raise)
    }

    /// How different the replicas' policies are: the Jensen-Shannon divergence of their distributions
    /// over architectures, from 0 (all are the same) to 1 (none samples what another may), estimated
    /// from 128 architectures of each. With exchange "gradients" they differ by their staleness alone;
    /// `distinct` shows a collapse there.
    #[rhai_fn(get = "diversity", return_raw, pure)]
    pub fn diversity(pool: &mut Pool) -> Scripted<f64> {
        pool.0.pool.lock().diversity().map_err(raise)
    }

    /// The share of distinct architectures among the last so many (1 to 1000) that were sampled, above
    /// 0 to 1; `()` before the first.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// let pool = ControllerPool(3, 4, space);
    /// for i in 0..10 { pool.get_action(); }
    /// print(pool.distinct(10));
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn distinct(pool: &mut Pool, last: i64) -> Scripted<Dynamic> {
        let last = count("distinct", last)?;
        let share = pool.0.pool.lock().distinct(last).map_err(raise)?;
        Ok(share.map_or(Dynamic::UNIT, Dynamic::from_float))
    }

    /// How many updates there were of each staleness, from 0 on: the number of updates to the shared
    /// parameters from when a replica fetched them until its gradient arrived.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// let pool = ControllerPool(2, 4, space);
    /// let a = pool.get_action();
    /// let b = pool.get_action();
    /// pool.store_rollout(a, 0.1);
    /// pool.store_rollout(b, 0.2);
    /// pool.train_step();
    /// print(pool.staleness);        // [1, 1]
    /// print(pool.mean_staleness);   // 0.5
    /// ```
    #[rhai_fn(get = "staleness", pure)]
    pub fn staleness(pool: &mut Pool) -> Array {
        let pool = pool.0.pool.lock();
        pool.staleness()
            .iter()
            .map(|n| (*n as i64).into())
            .collect()
    }

    /// The mean staleness of all updates; `()` before the first.
    #[rhai_fn(get = "mean_staleness", pure)]
    pub fn mean_staleness(pool: &mut Pool) -> Dynamic {
        let mean = pool.0.pool.lock().mean_staleness();
        mean.map_or(Dynamic::UNIT, Dynamic::from_float)
    }

    /// The number of replicas.
    #[rhai_fn(get = "replicas", pure)]
    pub fn replicas(pool: &mut Pool) -> i64 {
        pool.0.pool.lock().replicas().len() as i64
    }

    /// What the replicas have from each other: "gradients", "average", "select" or "none".
    #[rhai_fn(get = "exchange", pure)]
    pub fn exchange(pool: &mut Pool) -> String {
        pool.0.pool.lock().config().exchange.name().into()
    }

    /// The learning rate of the next update.
    #[rhai_fn(get = "learning_rate", pure)]
    pub fn learning_rate(pool: &mut Pool) -> f64 {
        pool.0.pool.lock().replicas()[0].learning_rate()
    }

    /// The number of updates so far, of all replicas together.
    #[rhai_fn(get = "step", pure)]
    pub fn step(pool: &mut Pool) -> i64 {
        pool.0.pool.lock().step() as i64
    }

    /// Of each replica the moving average of rewards that its advantages are measured against; `()`
    /// before its first.
    #[rhai_fn(get = "baselines", pure)]
    pub fn baselines(pool: &mut Pool) -> Array {
        let pool = pool.0.pool.lock();
        let baselines = pool.replicas().iter().map(Controller::baseline);
        let float = |b: Option<f64>| b.map_or(Dynamic::UNIT, Dynamic::from_float);
        baselines.map(float).collect()
    }

    /// Saves all replicas, what they share and what they wait for in one `.safetensors` file below
    /// the script's folder.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// let pool = ControllerPool(2, 4, space);
    /// pool.save("pool.safetensors");
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn save(ctx: NativeCallContext, pool: &mut Pool, path: &str) -> Scripted<()> {
        let host = Host::of(&ctx)?;
        let path = save_path(&host, path)?;
        pool.0.pool.lock().save(&path).map_err(raise)?;
        written(&host, &path)
    }

    /// Loads what `save` wrote; a file that does not fit this pool is an error that says what differs.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// let pool = ControllerPool(2, 4, space);
    /// pool.save("pool.safetensors");
    /// pool.load("pool.safetensors");
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn load(ctx: NativeCallContext, pool: &mut Pool, path: &str) -> Scripted<()> {
        let path = Host::of(&ctx)?.saved(path).map_err(raise)?;
        pool.0.pool.lock().load(&path).map_err(raise)
    }

    /// The pool in a line.
    #[rhai_fn(
        name = "to_string",
        name = "print",
        name = "to_debug",
        name = "debug",
        pure
    )]
    pub fn show(pool: &mut Pool) -> String {
        let pool = pool.0.pool.lock();
        let (replicas, step) = (pool.replicas().len(), pool.step());
        let layers = pool.replicas()[0].layers();
        format!("Pool of {replicas} controllers for {layers} layers after {step} updates")
    }
}
