//! Reading what Discord sends.
//!
//! Everything is looked up by path in plain JSON and nothing is required but what an event cannot do
//! without, so that a field of a new shape, an unknown type or a new component loses nothing else.
//! (serenity's own types drop an event whole when one field of it does not parse.)

use serde_json::Value;

/// A snowflake, which Discord writes as a string.
pub(crate) fn id(from: &Value, path: &str) -> Option<u64> {
    match from.pointer(path)? {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_u64(),
        _ => None,
    }
}

/// A text.
pub(crate) fn text<'a>(from: &'a Value, path: &str) -> Option<&'a str> {
    from.pointer(path)?.as_str()
}

/// A number that is no snowflake.
pub(crate) fn number(from: &Value, path: &str) -> Option<i64> {
    from.pointer(path)?.as_i64()
}

/// A switch; off when it is missing.
pub(crate) fn flag(from: &Value, path: &str) -> bool {
    from.pointer(path).and_then(Value::as_bool).unwrap_or(false)
}

/// A list; empty when it is missing.
pub(crate) fn list<'a>(from: &'a Value, path: &str) -> &'a [Value] {
    from.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Snowflakes count milliseconds from the first second of 2015, in the bits above these
/// (<https://discord.com/developers/docs/reference#snowflakes>).
const TIME_SHIFT: u32 = 22;
const EPOCH: i64 = 1_420_070_400_000;

/// When a snowflake was made, in milliseconds since 1970.
pub(crate) fn made_at(id: u64) -> i64 {
    (id >> TIME_SHIFT) as i64 + EPOCH
}

/// The lowest snowflake of a time in milliseconds since 1970.
pub(crate) fn first_at(ms: i64) -> u64 {
    u64::try_from(ms - EPOCH).unwrap_or(0) << TIME_SHIFT
}

/// A time of the kind `2026-01-01T00:00:00.000000+00:00`, in milliseconds since 1970.
pub(crate) fn time(from: &Value, path: &str) -> Option<i64> {
    let time = serenity::model::Timestamp::parse(text(from, path)?).ok()?;
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn snowflakes_are_read_from_texts_and_numbers() {
        let value = json!({"a": {"id": "175928847299117063"}, "b": 7, "c": "x", "d": null});
        assert_eq!(id(&value, "/a/id"), Some(175_928_847_299_117_063));
        assert_eq!(id(&value, "/b"), Some(7));
        assert_eq!((id(&value, "/c"), id(&value, "/d"), id(&value, "/e")), (None, None, None));
    }

    #[test]
    fn snowflakes_hold_a_time() {
        // the example of Discord's reference
        assert_eq!(made_at(175_928_847_299_117_063), 1_462_015_105_796);
        assert_eq!(made_at(first_at(1_462_015_105_796)), 1_462_015_105_796);
        assert_eq!(first_at(0), 0);
    }

    #[test]
    fn times_are_read_to_the_millisecond() {
        let value = json!({"t": "2016-04-30T11:18:25.796000+00:00", "x": "yesterday"});
        assert_eq!(time(&value, "/t"), Some(1_462_015_105_796));
        assert_eq!(time(&value, "/x"), None);
    }
}
