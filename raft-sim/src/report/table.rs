//! Text in columns.

use crate::timeline::put;

/// Which way a column's cells lean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lean {
    Left,
    Right,
}

/// Rows of cells whose columns line up when printed.
pub(crate) struct Table {
    leans: Vec<Lean>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns and no rows.
    pub(crate) fn new(leans: impl IntoIterator<Item = Lean>) -> Self {
        Self { leans: leans.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row. Missing cells are blank.
    pub(crate) fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Adds another table's rows.
    pub(crate) fn append(&mut self, other: Self) {
        self.rows.extend(other.rows);
    }

    /// The rows as lines, each after `indent`, without trailing blanks.
    pub(crate) fn render(&self, indent: &str) -> String {
        let widths: Vec<usize> = (0..self.leans.len()).map(|column| self.width(column)).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = indent.to_owned();
            for ((cell, lean), width) in row.iter().zip(&self.leans).zip(&widths) {
                match lean {
                    Lean::Left => put(&mut line, format_args!("{cell:<width$}  ")),
                    Lean::Right => put(&mut line, format_args!("{cell:>width$}  ")),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// The rows as a Markdown table; the first is the head.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
            put(&mut text, format_args!("| {} |\n", cells.join(" | ")));
            if number == 0 {
                let marks = self.leans.iter().map(|lean| match lean {
                    Lean::Left => "---",
                    Lean::Right => "---:",
                });
                put(&mut text, format_args!("| {} |\n", marks.collect::<Vec<_>>().join(" | ")));
            }
        }
        text
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

/// How many in a hundred, with one decimal: `3.1 %`.
pub(crate) fn percentage(part: u64, whole: u64) -> String {
    let per_mille = part.saturating_mul(1_000).checked_div(whole).unwrap_or(0);
    format!("{}.{} %", per_mille / 10, per_mille % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns line up, and lean as asked.
    #[test]
    fn columns_line_up() {
        let mut table = Table::new([Lean::Left, Lean::Right]);
        table.row(["situation", "seeds"]);
        table.row(["split vote", "12"]);
        assert_eq!(table.render("  "), "  situation   seeds\n  split vote     12\n");
        let markdown = "| situation | seeds |\n| --- | ---: |\n| split vote | 12 |\n";
        assert_eq!(table.markdown(), markdown);
    }

    /// Shares are readable.
    #[test]
    fn shares_are_readable() {
        assert_eq!(percentage(31, 1_000), "3.1 %");
        assert_eq!(percentage(1, 0), "0.0 %");
    }
}
