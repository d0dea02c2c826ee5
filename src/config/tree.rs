//! The configuration before it is typed: walking and mending the tree.

use toml::{Table, Value};

use super::path::{KeyPath, Step};

/// The value at `path`.
pub(super) fn get<'a>(tree: &'a mut Table, path: &KeyPath) -> Option<&'a mut Value> {
    let (Step::Key(first), rest) = path.0.split_first()? else { return None };
    rest.iter().try_fold(tree.get_mut(first)?, |value, step| match (step, value) {
        (Step::Key(key), Value::Table(table)) => table.get_mut(key),
        (Step::Index(index), Value::Array(array)) => array.get_mut(*index),
        _ => None,
    })
}

/// The table of these keys.
pub(super) fn table<'a, const N: usize>(tree: &'a mut Table, keys: [&str; N]) -> Option<&'a mut Table> {
    keys.iter().try_fold(tree, |table, key| table.get_mut(*key)?.as_table_mut())
}

/// The tables in the table of these keys (`models` has one for each model), by name.
pub(super) fn entries<'a, const N: usize>(
    tree: &'a mut Table,
    keys: [&str; N],
) -> impl Iterator<Item = (&'a String, &'a mut Table)> {
    table(tree, keys).into_iter().flatten().filter_map(|(name, entry)| Some((name, entry.as_table_mut()?)))
}

/// Takes the value at `path` out, so that the default stands in for it. An array keeps the numbers of
/// its elements: an empty table replaces the element, and where that was there already the array goes.
/// `false` when there is nothing to take.
pub(super) fn remove(tree: &mut Table, path: &KeyPath) -> bool {
    let Some((last, parent)) = path.0.split_last() else { return false };
    let parent = KeyPath(parent.to_vec());
    match last {
        Step::Key(key) if parent.0.is_empty() => tree.remove(key).is_some(),
        Step::Key(key) => {
            let table = get(tree, &parent).and_then(Value::as_table_mut);
            table.is_some_and(|table| table.remove(key).is_some()) || remove(tree, &parent)
        }
        Step::Index(_) => match get(tree, path) {
            Some(element) if !element.is_table() => {
                *element = Value::Table(Table::new());
                true
            }
            _ => remove(tree, &parent),
        },
    }
}
