//! A call's arguments: what a model wrote, made into what a tool takes, or a refusal that it can act on.
//!
//! A tool's arguments are a flat struct. Its schema is the one source of what is told to models and of what is
//! required, the limits and the sentences in refusals.
//!
//! Tolerated, because models send it and only one thing can be meant:
//! - `null`, and an empty text for an optional argument: the argument is absent;
//! - `30.0`, `"30"` and `"30.0"` for a whole number, `"true"` and `"false"` for yes and no;
//! - one text where a list of texts is wanted.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Refusal;

/// The code of every refusal made here.
pub const INVALID: &str = "invalid_arguments";

/// What a call was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments<T> {
    /// What the tool takes.
    pub value: T,
    /// Arguments that it does not know, for the result.
    pub ignored: Vec<String>,
}

impl<T> Arguments<T> {
    /// A tool's result, an object, with what was ignored in it.
    pub fn note(&self, result: Value) -> Value {
        note(result, &self.ignored)
    }
}

/// A tool's result, an object, with the arguments that it ignored in it.
pub fn note(mut result: Value, ignored: &[String]) -> Value {
    if !ignored.is_empty() {
        result["ignored"] = ignored.into();
    }
    result
}

/// Reads the arguments of a call.
///
/// # Errors
///
/// A refusal with the code [`INVALID`] that names the argument and what it must be.
pub fn read<T: DeserializeOwned + JsonSchema + 'static>(arguments: &Value) -> Result<Arguments<T>, Refusal> {
    let Some(given) = arguments.as_object() else {
        return Err(Refusal::new(INVALID, "The arguments must be one JSON object, for example {}."));
    };
    let schema = known_schema::<T>();
    let none = Map::new();
    let fields = schema["properties"].as_object().unwrap_or(&none);
    let required: Vec<_> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();

    let mut known = Map::new();
    let mut ignored = Vec::new();
    for (name, value) in given {
        let Some(field) = fields.get(name) else {
            ignored.push(name.clone());
            continue;
        };
        let absent = value.is_null() || (value == "" && !required.contains(&name.as_str()));
        if !absent {
            let value = fitted(field, value);
            if !within(field, &value) {
                return Err(wrong(name, field, &value));
            }
            known.insert(name.clone(), value);
        }
    }
    if let Some(name) = required.into_iter().find(|name| !known.contains_key(*name)) {
        return Err(missing(name, &fields[name], &ignored));
    }
    let value = serde_path_to_error::deserialize(Value::Object(known.clone())).map_err(|error| {
        let path = error.path().to_string();
        let name = path.split(['.', '[']).next().unwrap_or_default();
        match (fields.get(name), known.get(name)) {
            (Some(field), Some(value)) => wrong(name, field, value),
            _ => Refusal::new(INVALID, format!("The arguments are not understood: {}.", error.inner())),
        }
    })?;
    Ok(Arguments { value, ignored })
}

/// The schema of a type, made once: making one takes longer than reading the arguments.
fn known_schema<T: JsonSchema + 'static>() -> Arc<Value> {
    static MADE: LazyLock<Mutex<HashMap<TypeId, Arc<Value>>>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(schema::<T>())).clone()
}

/// The schema of a tool's arguments as models are told it: one plain object, everything inlined.
pub fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::default().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    plain(&mut schema);
    if let Some(root) = schema.as_object_mut() {
        root.remove("description");
        root.entry("properties").or_insert_with(|| Map::new().into());
    }
    schema
}

/// Takes away what providers do not all understand and models do not need: titles, number formats, `null` as
/// a type of what may be absent, line ends of the source, and a description of its own for every word of an enumeration.
fn plain(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    for key in ["title", "format"] {
        object.remove(key);
    }
    if let Some(Value::String(text)) = object.get_mut("description") {
        *text = text.replace('\n', " ");
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            object.insert("type".into(), one);
        }
    }
    if let Some(Value::Array(words)) = object.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    for key in ["anyOf", "oneOf"] {
        let Some(Value::Array(mut choices)) = object.remove(key) else { continue };
        choices.retain(|choice| choice["type"] != "null");
        choices.iter_mut().for_each(plain);
        merge(object, key, choices);
    }
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        properties.values_mut().for_each(plain);
    }
    if let Some(items) = object.get_mut("items") {
        plain(items);
    }
}

/// Writes the choices that are left back into `object`: words as an enumeration, one choice as itself.
fn merge(object: &mut Map<String, Value>, key: &str, mut choices: Vec<Value>) {
    let words: Option<Vec<_>> = choices.iter().map(|choice| choice.get("const").cloned()).collect();
    match words {
        Some(words) if words.len() > 1 => {
            object.insert("type".into(), "string".into());
            object.insert("enum".into(), words.into());
        }
        _ if choices.len() == 1 => {
            if let Value::Object(one) = choices.remove(0) {
                for (name, value) in one {
                    object.entry(name).or_insert(value);
                }
            }
        }
        _ => {
            object.insert(key.into(), choices.into());
        }
    }
}

/// The value as the field wants it, where only one thing can be meant.
fn fitted(field: &Value, value: &Value) -> Value {
    let fitted = match (field["type"].as_str(), value) {
        (Some("integer"), Value::Number(number)) => number.as_f64().and_then(whole),
        (Some("integer"), Value::String(text)) => text.trim().parse().ok().and_then(whole),
        (Some("boolean"), Value::String(text)) => text.trim().parse().ok().map(Value::Bool),
        (Some("array"), Value::String(_)) => Some(Value::Array(vec![value.clone()])),
        _ => None,
    };
    fitted.unwrap_or_else(|| value.clone())
}

/// A number without a fraction that a float holds exactly.
fn whole(number: f64) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then(|| Value::from(number as i64))
}

/// Whether the value keeps the field's limits. What has another type is left to the reader.
fn within(field: &Value, value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            field["minimum"].as_f64().is_none_or(|least| number >= least)
                && field["maximum"].as_f64().is_none_or(|most| number <= most)
        }
        Value::String(text) => {
            let length = text.trim().chars().count() as u64;
            field["minLength"].as_u64().is_none_or(|least| length >= least)
        }
        _ => true,
    }
}

fn wrong(name: &str, field: &Value, value: &Value) -> Refusal {
    const SHOWN: usize = 60;
    let value = value.to_string();
    let shown = match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value,
    };
    Refusal::new(INVALID, format!("`{name}` must be {}, not {shown}.", wanted(field)))
}

fn missing(name: &str, field: &Value, ignored: &[String]) -> Refusal {
    let mut message = format!("`{name}` is missing: it must be {}.", wanted(field));
    if !ignored.is_empty() {
        let unknown: Vec<_> = ignored.iter().map(|name| format!("`{name}`")).collect();
        message.push_str(&format!(" There is no argument {}.", unknown.join(", ")));
    }
    Refusal::new(INVALID, message)
}

/// What a field must be, in words.
fn wanted(field: &Value) -> String {
    if let Some(words) = field["enum"].as_array() {
        let words: Vec<_> = words.iter().map(Value::to_string).collect();
        return format!("one of {}", words.join(", "));
    }
    match field["type"].as_str() {
        Some("integer") => match (field["minimum"].as_i64(), field["maximum"].as_i64()) {
            (Some(least), Some(most)) => format!("a whole number from {least} to {most}"),
            (Some(least), None) => format!("a whole number of at least {least}"),
            (None, Some(most)) => format!("a whole number of at most {most}"),
            (None, None) => "a whole number".into(),
        },
        Some("boolean") => "true or false".into(),
        Some("array") => format!("a list, each {}", wanted(&field["items"])),
        Some("string") if field["minLength"].as_u64() > Some(0) => "a text that is not empty".into(),
        Some("string") => "a text".into(),
        _ => "as in the tool's schema".into(),
    }
}

#[cfg(test)]
mod tests;
