//! A table as lines of equal columns, for a font of fixed width.

use unicode_segmentation::UnicodeSegmentation;

use crate::Align;
use crate::tree::{Inline, plain};

/// No column is padded further than this (in graphemes); longer cells stick out. It keeps a table of one
/// huge cell and many rows from growing with their product.
const WIDEST: usize = 32;

/// The lines of a table, its first row underlined. Styles are dropped, no text is.
pub(crate) fn table(columns: &[Align], rows: &[Vec<Vec<Inline>>]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| cells(row)).collect();
    let mut widths = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 1);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = len(cell).clamp(*width, WIDEST);
        }
    }
    let mut lines = Vec::new();
    for (index, row) in rows.iter().enumerate().filter(|(_, row)| !row.is_empty()) {
        let aligns = columns.iter().chain(std::iter::repeat(&Align::Left));
        let cells =
            row.iter().zip(&widths).zip(aligns).map(|((cell, width), align)| pad(cell, *width, *align));
        lines.push(cells.collect::<Vec<_>>().join(" | ").trim_end().to_owned());
        if index == 0 {
            lines.push(widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>().join("-+-"));
        }
    }
    lines.join("\n")
}

/// The cells' texts on one line each, without the empty ones at the end of the row.
fn cells(row: &[Vec<Inline>]) -> Vec<String> {
    let mut cells: Vec<String> =
        row.iter().map(|cell| plain(cell).replace('\n', " ").trim().to_owned()).collect();
    let used = cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
    cells.truncate(used);
    cells
}

fn pad(cell: &str, width: usize, align: Align) -> String {
    let room = width.saturating_sub(len(cell));
    let left = match align {
        Align::Left => 0,
        Align::Center => room / 2,
        Align::Right => room,
    };
    format!("{}{cell}{}", " ".repeat(left), " ".repeat(room - left))
}

fn len(cell: &str) -> usize {
    cell.graphemes(true).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_cell_sticks_out_and_widens_no_row() {
        let row = |first: &str| vec![vec![Inline::Text(first.into())], vec![Inline::Text("b".into())]];
        let long = "x".repeat(WIDEST + 9);
        let table = table(&[], &[row("a"), row(&long)]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], format!("a{} | b", " ".repeat(WIDEST - 1)));
        assert_eq!(lines[1], format!("{}-+--", "-".repeat(WIDEST)));
        assert_eq!(lines[2], format!("{long} | b"));
    }

    #[test]
    fn empty_rows_and_cells_at_the_end_leave_nothing() {
        let cell = |text: &str| vec![Inline::Text(text.into())];
        assert_eq!(table(&[], &[vec![cell(""), cell(" ")], vec![cell("a\nb"), cell("")]]), "a b");
    }
}
