//! What people and files see: the summary, the JSON, digests as text.

use super::*;

#[test]
fn the_summary_is_a_table() {
    let expected = "\
node  op                   reads  output shape  params     MACs
───────────────────────────────────────────────────────────────
   0  input                       [3, 8, 8]          0        0
   1  conv2d 16, kernel 3  0      [16, 8, 8]       448   27,648
   2  batch_norm           1      [16, 8, 8]        32        0
   3  relu                 2      [16, 8, 8]         0        0
   4  conv2d 16, kernel 3  3      [16, 8, 8]     2,320  147,456
   5  add                  3, 4   [16, 8, 8]         0        0
   6  max_pool2d 2         5      [16, 4, 4]         0        0
   7  global_avg_pool      6      [16]               0        0
   8  dense 10             7      [10]             170      160
───────────────────────────────────────────────────────────────
      total                                      2,970  175,264";
    assert_eq!(network(&residual()).to_string(), expected);
}

#[test]
fn json_round_trips_and_hostile_json_is_an_error() {
    let net = network(&residual());
    let json = serde_json::to_string(&net).unwrap();
    assert_eq!(serde_json::from_str::<Network>(&json).unwrap(), net);
    let refused = |json: &str| {
        serde_json::from_str::<Network>(json)
            .unwrap_err()
            .to_string()
    };
    assert!(refused(r#"{"nodes":[]}"#).contains("at least one node"));
    let input = r#"{"op":{"input":{"shape":[3,8,8]}},"inputs":[],"shape":[3,8,8]}"#;
    let with = |node: &str| refused(&format!(r#"{{"nodes":[{input},{node}]}}"#));
    assert!(with(r#"{"op":"add","inputs":[0,1],"shape":[3,8,8]}"#).contains("nodes before it"));
    assert!(
        with(r#"{"op":"add","inputs":[0,18446744073709551615],"shape":[3,8,8]}"#)
            .contains("nodes before it")
    );
    assert!(with(r#"{"op":"add","inputs":[],"shape":[3,8,8]}"#).contains("at least one input"));
    assert!(with(r#"{"op":"multiply","inputs":[0],"shape":[3,8,8]}"#).contains("2 inputs"));
    assert!(with(r#"{"op":"concat","inputs":[],"shape":[3,8,8]}"#).contains("at least one input"));
    assert!(with(r#"{"op":"global_avg_pool","inputs":[0],"shape":[4]}"#).contains("shape [3]"));
    assert!(with(r#"{"op":{"max_pool2d":{"kernel":[0,2],"stride":[2,2],"padding":"same"}},"inputs":[0],"shape":[3,8,8]}"#).contains("positive"));
    assert!(
        with(r#"{"op":{"input":{"shape":[]}},"inputs":[],"shape":[]}"#)
            .contains("expected [channels")
    );
    assert!(with(r#"{"op":"explode","inputs":[0],"shape":[3]}"#).contains("unknown variant"));
}

#[test]
fn digests_are_hexadecimal() {
    let digest = network(&residual()).digest();
    let text = digest.to_string();
    assert_eq!((text.len(), digest.short().as_str()), (64, &text[..12]));
    assert_eq!(text.parse::<Digest>().unwrap(), digest);
    let json = serde_json::to_string(&digest).unwrap();
    assert_eq!(json, format!("\"{text}\""));
    assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
    assert!("zz".parse::<Digest>().is_err());
    assert!(text[1..].parse::<Digest>().is_err());
}

#[test]
fn the_digest_is_stable_across_releases() {
    // A stored study depends on it: a change here loses every stored outcome.
    insta::assert_snapshot!(network(&residual()).digest().short(), @"f950134f7894");
}
