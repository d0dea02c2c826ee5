//! How data is printed.

use std::io::{self, Write as _};

use serde::Serialize;

/// Prints data as JSON or as `human` writes it.
pub(super) fn data<T: Serialize>(
    json: bool,
    data: &T,
    human: impl FnOnce(&T) -> String,
) -> anyhow::Result<()> {
    text(&if json { serde_json::to_string_pretty(data)? } else { human(data) })?;
    Ok(())
}

/// Prints a text and ends its line; nothing when it is empty. A reader that went away is an error of the
/// kind `BrokenPipe`, which ends the program quietly.
pub(super) fn text(text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", text.trim_end_matches('\n'))?;
    stdout.flush()
}

/// A table with as much space as it needs; the last column may be as long as it likes.
pub(super) fn table<const N: usize>(header: [&str; N], rows: Vec<[String; N]>) -> String {
    let rows: Vec<[String; N]> = std::iter::once(header.map(str::to_owned))
        .chain(rows.into_iter().map(|row| row.map(|cell| one_line(&cell))))
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn one_line(text: &str) -> String {
    harmless(text).replace(['\n', '\t'], " ")
}

/// A text without what a terminal would obey: agents and people write it, and may have been told to.
pub(super) fn harmless(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// How long ago something was; both are milliseconds since 1970.
pub(super) fn age(now: i64, at: i64) -> String {
    match (now - at) / 1000 {
        seconds @ ..60 => format!("{} s", seconds.max(0)),
        seconds @ ..3_600 => format!("{} min", seconds / 60),
        seconds @ ..86_400 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned_and_rows_stay_rows() {
        let rows = vec![
            ["7".to_owned(), "sent".to_owned(), "fine".to_owned()],
            ["12".to_owned(), "é".to_owned(), "two\nlines \u{1b}[2Jof it".to_owned()],
        ];
        insta::assert_snapshot!(table(["ID", "STATE", "WHY"], rows), @r"
        ID  STATE  WHY
        7   sent   fine
        12  é      two lines [2Jof it
        ");
    }

    #[test]
    fn ages_are_told_in_their_largest_unit() {
        let ages = [-5, 0, 59, 60, 3_599, 3_600, 86_399, 86_400 * 3].map(|seconds| age(seconds * 1000, 0));
        assert_eq!(ages, ["0 s", "0 s", "59 s", "1 min", "59 min", "1 h", "23 h", "3 d"]);
    }
}
