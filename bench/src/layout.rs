//! Tables as Markdown, with columns that can be read as they are.

/// Pads cells to the width of their columns: the first to the left, numbers to the right. The first row is the head.
pub(crate) fn aligned(table: &[Vec<String>]) -> Vec<String> {
    let width =
        |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..table[0].len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells =
            row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
        format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
    };
    let mut lines: Vec<String> = table.iter().map(line).collect();
    let rule = widths.iter().enumerate().map(|(column, width)| match column {
        0 => "-".repeat(width + 2),
        _ => format!("{}:", "-".repeat(width + 1)),
    });
    lines.insert(1, format!("|{}|", rule.collect::<Vec<_>>().join("|")));
    lines
}

#[cfg(test)]
mod tests {
    use super::aligned;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let lines = aligned(&[row(["", "ns"]), row(["floor", "12345"])]);
        assert_eq!(lines, ["|       |    ns |", "|-------|------:|", "| floor | 12345 |"]);
    }
}
