//! What a run was started with, for TensorBoard's HPARAMS tab, which compares runs by it.

use std::collections::BTreeMap;

use prost::Message;

use crate::study::Ended;

use super::proto::{
    Experiment, HParamInfo, HParamsData, MetricInfo, MetricName, PluginData, SessionEnd,
    SessionStart, SummaryMetadata, SummaryValue, TensorProto, Value,
};

/// The metrics that runs are compared by, which are scalars of the run.
pub(super) const METRICS: [&str; 3] = ["study/best_score", "study/best_accuracy", "test/accuracy"];

/// A parameter as TensorBoard knows it: a number or a truth value where the text is one.
fn value(text: &str) -> (i32, Value) {
    if let Ok(truth) = text.parse::<bool>() {
        return (
            2,
            Value {
                bool_value: Some(truth),
                ..Value::default()
            },
        );
    }
    match text.parse::<f64>().ok().filter(|number| number.is_finite()) {
        Some(number) => (
            3,
            Value {
                number_value: Some(number),
                ..Value::default()
            },
        ),
        None => (
            1,
            Value {
                string_value: Some(text.into()),
                ..Value::default()
            },
        ),
    }
}

/// The values that start a session with `params`.
pub(super) fn start(params: &BTreeMap<String, String>, now: f64) -> Vec<SummaryValue> {
    let infos = params.iter().map(|(name, text)| HParamInfo {
        name: name.clone(),
        r#type: value(text).0,
    });
    let metrics = METRICS.map(|tag| MetricInfo {
        name: Some(MetricName { tag: tag.into() }),
    });
    let experiment = Experiment {
        hparam_infos: infos.collect(),
        metric_infos: metrics.to_vec(),
    };
    let hparams = params
        .iter()
        .map(|(name, text)| (name.clone(), value(text).1));
    let session = SessionStart {
        hparams: hparams.collect(),
        start_time_secs: now,
    };
    vec![
        entry(
            "_hparams_/experiment",
            &HParamsData {
                experiment: Some(experiment),
                ..HParamsData::default()
            },
        ),
        entry(
            "_hparams_/session_start_info",
            &HParamsData {
                session_start_info: Some(session),
                ..HParamsData::default()
            },
        ),
    ]
}

/// The value that ends it.
pub(super) fn end(ended: Ended, now: f64) -> SummaryValue {
    let session = SessionEnd {
        status: if ended == Ended::Finished { 1 } else { 2 },
        end_time_secs: now,
    };
    entry(
        "_hparams_/session_end_info",
        &HParamsData {
            session_end_info: Some(session),
            ..HParamsData::default()
        },
    )
}

fn entry(tag: &str, data: &HParamsData) -> SummaryValue {
    let plugin = PluginData {
        plugin_name: "hparams".into(),
        content: data.encode_to_vec(),
    };
    SummaryValue {
        tag: tag.into(),
        // The plugin reads the metadata alone, but a value has to be there.
        tensor: Some(TensorProto {
            dtype: 1,
            tensor_shape: Some(Default::default()),
            ..Default::default()
        }),
        metadata: Some(SummaryMetadata {
            plugin_data: Some(plugin),
            data_class: 0,
        }),
        ..SummaryValue::default()
    }
}
