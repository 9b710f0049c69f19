//! Aligned columns for people. Cells are made visible here, so that no command can forget it.

use super::visible;

/// A table under construction.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    empty: &'static str,
}

impl Table {
    /// A table with these headings; `empty` is said instead when there is no row.
    pub(crate) fn new<const N: usize>(headings: [&str; N], empty: &'static str) -> Self {
        Self { rows: vec![headings.map(str::to_uppercase).to_vec()], empty }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(cells.map(visible).to_vec());
    }

    pub(crate) fn render(&self) -> String {
        if self.rows.len() == 1 {
            return self.empty.to_owned();
        }
        align(&self.rows)
    }
}

/// Names and values, one pair per line, without the pairs that have no value.
pub(crate) fn fields(pairs: &[(&str, String)]) -> String {
    let given = pairs.iter().filter(|(_, value)| !value.is_empty());
    align(&given.map(|(name, value)| vec![(*name).to_owned(), visible(value)]).collect::<Vec<_>>())
}

fn align(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_characters_and_cells_made_visible() {
        let mut table = Table::new(["id", "who"], "nobody");
        assert_eq!(table.render(), "nobody");
        table.row(["1", "Zoë"]);
        table.row(["22", "A\u{202e}b"]);
        assert_eq!(table.render(), "ID  WHO\n1   Zoë\n22  A\\u{202e}b\n");
        assert_eq!(
            fields(&[("a", "1".into()), ("none", String::new()), ("bcd", "2".into())]),
            "a    1\nbcd  2\n"
        );
    }
}
