//! What of a study is shown, as the address of a page says it. Knows nothing of pages.

use super::{Point, View};

/// What the horizontal axis of the course of a search counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Over {
    /// Trials.
    #[default]
    Trials,
    /// Seconds of training.
    Compute,
    /// Seconds since the start, those between sessions left out.
    Time,
}

/// What the accuracy is traded against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cost {
    /// Trainable parameters.
    #[default]
    Params,
    /// Multiply-accumulates of an image.
    Macs,
    /// Measured latency.
    Latency,
    /// Seconds of training.
    Seconds,
}

/// Which trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Only {
    /// All.
    #[default]
    All,
    /// Those that something was trained for, or that a table answered for the first time.
    New,
    /// Those whose outcome was known.
    Known,
    /// Failures.
    Failed,
}

/// The order of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// The latest first.
    #[default]
    Latest,
    /// The highest score first.
    Score,
    /// The fewest parameters first.
    Params,
    /// The longest training first.
    Seconds,
}

/// What is shown.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default)]
pub struct Select {
    /// See [`Over`].
    pub over: Over,
    /// See [`Cost`].
    pub cost: Cost,
    /// See [`Only`].
    pub only: Only,
    /// See [`Sort`].
    pub sort: Sort,
    /// The page of the list, from 0.
    pub page: usize,
    /// Which of the study's controllers, from 0; where it has had no update, the first that had one.
    pub controller: u64,
    /// The key of the study to compare with.
    pub control: Option<i64>,
    /// Which values are wanted: pairs of axis and value, `0.2_3.1`. Of one axis any.
    pub pick: String,
}

impl Select {
    /// The wanted values; what is no pair of numbers is left out.
    pub fn picked(&self) -> Vec<(usize, usize)> {
        let pair = |text: &str| {
            let (axis, value) = text.split_once('.')?;
            Some((axis.parse().ok()?, value.parse().ok()?))
        };
        self.pick.split('_').filter_map(pair).collect()
    }

    /// Whether all trials are shown.
    pub fn is_everything(&self) -> bool {
        self.only == Only::All && self.picked().is_empty()
    }

    /// The chosen trials of `view`.
    pub fn points<'a>(&self, view: &'a View) -> Vec<&'a Point> {
        let picked = self.picked();
        let wanted = |point: &&Point| {
            let kind = match self.only {
                Only::All => true,
                Only::New => !point.known && point.failure.is_none(),
                Only::Known => point.known,
                Only::Failed => point.failure.is_some(),
            };
            let has = |axis: usize| {
                let mut of = picked.iter().filter(|(of, _)| *of == axis);
                of.any(|(_, value)| point.value(axis) == Some(*value))
            };
            kind && picked.iter().all(|(axis, _)| has(*axis))
        };
        view.points.iter().filter(wanted).collect()
    }

    /// The same with one value more, or less where it is picked already.
    #[must_use]
    pub fn toggled(&self, axis: usize, value: usize) -> Self {
        let mut picked = self.picked();
        let before = picked.len();
        picked.retain(|pair| *pair != (axis, value));
        if picked.len() == before {
            picked.push((axis, value));
        }
        Self {
            pick: joined(&picked),
            page: 0,
            ..self.clone()
        }
    }

    /// The query of an address that comes to this; empty for the defaults.
    pub fn query(&self) -> String {
        let mut parts = Vec::new();
        let over = match self.over {
            Over::Trials => None,
            Over::Compute => Some("compute"),
            Over::Time => Some("time"),
        };
        let cost = match self.cost {
            Cost::Params => None,
            Cost::Macs => Some("macs"),
            Cost::Latency => Some("latency"),
            Cost::Seconds => Some("seconds"),
        };
        let only = match self.only {
            Only::All => None,
            Only::New => Some("new"),
            Only::Known => Some("known"),
            Only::Failed => Some("failed"),
        };
        let sort = match self.sort {
            Sort::Latest => None,
            Sort::Score => Some("score"),
            Sort::Params => Some("params"),
            Sort::Seconds => Some("seconds"),
        };
        for (name, value) in [
            ("over", over),
            ("cost", cost),
            ("only", only),
            ("sort", sort),
        ] {
            parts.extend(value.map(|value| format!("{name}={value}")));
        }
        if self.page > 0 {
            parts.push(format!("page={}", self.page));
        }
        if self.controller > 0 {
            parts.push(format!("controller={}", self.controller));
        }
        parts.extend(self.control.map(|control| format!("control={control}")));
        let picked = self.picked();
        if !picked.is_empty() {
            parts.push(format!("pick={}", joined(&picked)));
        }
        parts.join("&")
    }
}

fn joined(picked: &[(usize, usize)]) -> String {
    let pairs = picked.iter().map(|(axis, value)| format!("{axis}.{value}"));
    pairs.collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_is_shown_and_nothing_else() {
        let select = Select {
            cost: Cost::Macs,
            controller: 1,
            page: 2,
            pick: "0.1_x_3.2\"><script>_4".into(),
            ..Select::default()
        };
        assert_eq!(select.query(), "cost=macs&page=2&controller=1&pick=0.1");
        let more = select.toggled(3, 2);
        assert_eq!(more.query(), "cost=macs&controller=1&pick=0.1_3.2");
        assert_eq!(more.toggled(0, 1).picked(), [(3, 2)]);
        assert_eq!(Select::default().query(), "");
    }
}
