//! Numbers and times in words.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) use crate::network::grouped;

/// `3 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h`.
pub fn duration(seconds: f64) -> String {
    // A sum of nothing is -0.
    let seconds = seconds.max(0.0) + 0.0;
    let whole = seconds.round() as u64;
    match whole {
        0..60 if seconds < 9.95 => format!("{seconds:.1} s"),
        0..60 => format!("{whole} s"),
        60..3_600 => format!("{} min {} s", whole / 60, whole % 60),
        3_600..86_400 => format!("{} h {} min", whole / 3_600, whole % 3_600 / 60),
        _ => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3_600),
    }
}

/// An accuracy: `95.83 %` of one from 0 to 1, else the number as a benchmark table has it.
pub fn accuracy(value: f64) -> String {
    match value <= 1.0 {
        true => format!("{:.2} %", value * 100.0),
        false => format!("{value:.2}"),
    }
}

/// `text` as a terminal may show it: control characters, and those that turn the direction of text, do nothing there.
pub fn shown(text: &str) -> String {
    let turns = |sign: char| matches!(sign, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain = |sign: char| {
        if sign.is_control() || turns(sign) {
            '\u{fffd}'
        } else {
            sign
        }
    };
    text.chars().map(plain).collect()
}

/// The seconds since 1970.
pub fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

/// Half-minutes since 1970: texts that say [how long ago](since) something was hold for about as long.
pub fn clock() -> u64 {
    now() as u64 / 30
}

/// How long ago a time is, in seconds since 1970: `5 s ago`.
pub fn since(time: f64) -> String {
    let seconds = (now() - time).max(0.0);
    match seconds {
        s if s < 100.0 => format!("{s:.0} s ago"),
        s if s < 6e3 => format!("{:.0} min ago", s / 60.0),
        s if s < 1.8e5 => format!("{:.0} h ago", s / 3600.0),
        s => format!("{:.0} days ago", s / 86400.0),
    }
}

/// A time in seconds since 1970 as a date: `Sat, 28 Nov 2026 06:46:00 GMT`.
pub fn when(time: f64) -> String {
    let since = Duration::try_from_secs_f64(time).unwrap_or_default();
    httpdate::fmt_http_date(UNIX_EPOCH + since.min(Duration::from_secs(LAST)))
}

/// The end of the year 9999, beyond which dates are not written.
const LAST: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_numbers_are_told_in_words() {
        assert_eq!(when(1_795_848_360.0), "Sat, 28 Nov 2026 06:46:00 GMT");
        assert_eq!(when(f64::NAN), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(when(1e30), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!([-0.0, -1.0].map(duration), ["0.0 s", "0.0 s"]);
        assert_eq!(
            [2.04, 59.6, 3_725.0, 100_000.0].map(duration),
            ["2.0 s", "1 min 0 s", "1 h 2 min", "1 d 3 h"]
        );
        assert_eq!(
            [0, 999, 1_000, 21_498_123].map(grouped),
            ["0", "999", "1,000", "21,498,123"]
        );
    }
}
