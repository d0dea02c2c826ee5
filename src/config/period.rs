//! Spans of time as people write them: `"300ms"`, `"15s"`, `"2m"`, `"1h"`, `"30d"`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};

/// No period is longer: adding one to the clock must not overflow.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// For `#[serde(deserialize_with)]`.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// Reads one.
///
/// # Errors
///
/// A sentence that says how periods are written.
pub fn parse(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let milliseconds: Option<u64> = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let (Some(milliseconds), Ok(number)) = (milliseconds, number.parse::<u64>()) else {
        return Err(format!(
            "`{text}` is no period: write a whole number and ms, s, m, h or d, like \"15s\""
        ));
    };
    number
        .checked_mul(milliseconds)
        .map(Duration::from_millis)
        .filter(|period| *period <= LONGEST)
        .ok_or_else(|| format!("`{text}` is longer than a year"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read() {
        let table = [
            ("300ms", 300),
            ("15s", 15_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("30d", 2_592_000_000),
            ("0s", 0),
        ];
        for (text, milliseconds) in table {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for text in ["", "s", "15", "15 s", "1.5s", "-1s", "15S", "1m30s", "9000h", "99999999999999999999s"] {
            assert!(parse(text).is_err(), "{text:?} was taken");
        }
        assert!(parse("18446744073709551615h").unwrap_err().ends_with("longer than a year"));
    }
}
