//! Results as Markdown tables: the same on the terminal as in docs/performance.md. Medians of rounds, their range behind;
//! ratios are taken within each round, then their median.

use super::results::{Range, Row, Section};

/// A column of figures: its name in the results, its head, its digits, and whether the range stands behind the median.
struct Column(&'static str, &'static str, usize, bool);

const LOAD: [Column; 6] = [
    Column("requests/s", "requests/s", 0, true),
    Column("CPU µs", "CPU µs a request", 1, true),
    Column("p50 ms", "p50 ms", 2, false),
    Column("p99 ms", "p99 ms", 2, false),
    Column("PSS MiB", "PSS MiB", 0, false),
    Column("failed", "failed", 0, false),
];

/// Peers that others are held against, and the figures of which a ratio is given.
const AGAINST: [&str; 2] = ["wasmtime serve", "Node"];

/// Which table a section gets depends on the figures it has.
pub fn of(section: &Section) -> String {
    let has = |figure: &str| section.rows.iter().any(|row| row.figures.contains_key(figure));
    if has("requests/s") { load(section) } else { plain(section) }
}

/// Throughput and CPU, with ratios.
fn load(section: &Section) -> String {
    let mut columns: Vec<&Column> = Vec::new();
    for column in &LOAD {
        if section.rows.iter().any(|row| row.figures.contains_key(column.0)) {
            columns.push(column);
        }
    }
    let against: Vec<&str> =
        AGAINST.into_iter().filter(|peer| section.rows.iter().any(|row| row.peer == *peer)).collect();
    let mut head = vec!["contender".to_owned(), "load".to_owned()];
    head.extend(columns.iter().map(|column| column.1.to_owned()));
    for peer in &against {
        head.push(format!("rate ÷ {peer}"));
        head.push(format!("CPU ÷ {peer}"));
    }
    let mut table = vec![head];
    for row in &section.rows {
        let mut cells = vec![contender(row), row.load.clone()];
        cells.extend(columns.iter().map(|column| cell(row, column)));
        for peer in &against {
            for figure in ["requests/s", "CPU µs"] {
                cells.push(ratio(section, row, peer, figure).map_or("".to_owned(), |ratio| format!("{ratio:.2}")));
            }
        }
        table.push(cells);
    }
    markdown(&table)
}

/// Every figure a column, by its name; those with few values with their range.
fn plain(section: &Section) -> String {
    let mut names: Vec<&String> = section.rows.iter().flat_map(|row| row.figures.keys()).collect();
    names.sort();
    names.dedup();
    // What matters most comes first.
    let weight = |name: &String| -section.rows.iter().filter_map(|row| row.range(name)).map(|r| r.median).sum::<f64>();
    names.sort_by(|a, b| weight(a).total_cmp(&weight(b)));
    let mut head = vec!["contender".to_owned(), "load".to_owned()];
    head.extend(names.iter().map(|name| (*name).clone()));
    let mut table = vec![head];
    for row in &section.rows {
        let mut cells = vec![contender(row), row.load.clone()];
        cells.extend(names.iter().map(|name| row.range(name).map_or(String::new(), |range| shown(range, 2, true))));
        table.push(cells);
    }
    markdown(&table)
}

fn contender(row: &Row) -> String {
    if row.variant.is_empty() { row.peer.clone() } else { format!("{}, {}", row.peer, row.variant) }
}

fn cell(row: &Row, column: &Column) -> String {
    row.range(column.0).map_or(String::new(), |range| shown(range, column.2, column.3))
}

fn shown(Range { least, median, most }: Range, digits: usize, with_range: bool) -> String {
    let same = format!("{least:.digits$}") == format!("{most:.digits$}");
    if with_range && !same {
        format!("{median:.digits$} ({least:.digits$}–{most:.digits$})")
    } else {
        format!("{median:.digits$}")
    }
}

/// The figure over that of a peer under the same load, with the same variant if it has that, else with its only one.
pub fn ratio(section: &Section, row: &Row, peer: &str, figure: &str) -> Option<f64> {
    if row.peer == peer {
        return None;
    }
    let rows = || section.rows.iter().filter(|other| other.peer == peer && other.load == row.load);
    let reference = rows().find(|other| other.variant == row.variant || other.variant.is_empty())?;
    let pairs = row.values(figure).iter().zip(reference.values(figure));
    let ratios: Vec<f64> = pairs.filter(|(_, other)| **other > 0.0).map(|(own, other)| own / other).collect();
    Range::of(&ratios).map(|range| range.median)
}

/// The first row is the head. Padded, so that it reads well on a terminal.
pub fn markdown(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            text += &format!("| {cell}{} ", " ".repeat(width - cell.chars().count()));
        }
        text += "|\n";
        if index == 0 {
            text += &widths.iter().map(|width| format!("|{}", "-".repeat(width + 2))).collect::<String>();
            text += "|\n";
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::bench::results::Origin;
    use std::collections::BTreeMap;

    fn row(peer: &str, variant: &str, rates: &[f64]) -> Row {
        let figures = BTreeMap::from([("requests/s".to_owned(), rates.to_vec())]);
        Row { peer: peer.to_owned(), variant: variant.to_owned(), load: "1".to_owned(), figures }
    }

    #[test]
    fn ratios_are_taken_within_rounds() {
        let rows = vec![
            row("wasmtime serve", "p3", &[10.0, 1.0, 10.0]),
            row("wasmtime serve", "p2", &[1.0]),
            row("Coracle", "p3", &[20.0, 3.0, 40.0]),
        ];
        let (command, date, revision, machine) = Default::default();
        let origin = Origin { command, date, revision, machine, versions: BTreeMap::new() };
        let section = Section { origin, rows };
        let own = section.rows.last().unwrap();
        assert_eq!(ratio(&section, own, "wasmtime serve", "requests/s"), Some(3.0));
        assert_eq!(ratio(&section, own, "Node", "requests/s"), None);
        let text = of(&section);
        assert!(text.contains("| Coracle, p3        | 1    | 20 (3–40) "), "{text}");
    }
}
