//! Results as Markdown tables: the same on the terminal as in docs/performance.md. Medians of rounds with their range.

use super::results::{Row, Sample, Section};

/// The table of a section. Ratios are those of the medians within the section.
pub fn throughput(section: &Section) -> String {
    let mut rows = vec![
        ["contender", "conn.", "requests/s", "CPU µs/request", "p50 / p99 ms", "PSS MiB", "failed", "foreign"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for row in &section.rows {
        let failed: u64 = row.samples.iter().map(|sample| sample.refused + sample.broken).sum();
        rows.push(vec![
            row.contender.clone(),
            row.connections.to_string(),
            ranged(row, |sample| sample.requests_per_second, 0),
            ranged(row, |sample| sample.cpu_us, 1),
            format!(
                "{:.2} / {:.2}",
                median(row, |sample| sample.p50_us / 1e3),
                median(row, |sample| sample.p99_us / 1e3)
            ),
            format!("{:.0}", median(row, |sample| sample.pss_kib as f64 / 1024.0)),
            failed.to_string(),
            format!("{:.0} %", median(row, |sample| sample.foreign)),
        ]);
    }
    markdown(&rows)
}

pub fn median(row: &Row, figure: impl Fn(&Sample) -> f64) -> f64 {
    range(row, figure).1
}

/// Median, and the extremes behind it.
fn ranged(row: &Row, figure: impl Fn(&Sample) -> f64, digits: usize) -> String {
    let (least, median, most) = range(row, figure);
    if row.samples.len() < 2 {
        return format!("{median:.digits$}");
    }
    format!("{median:.digits$} ({least:.digits$}–{most:.digits$})")
}

/// The least, the median and the greatest; zeros of nothing.
fn range(row: &Row, figure: impl Fn(&Sample) -> f64) -> (f64, f64, f64) {
    let mut values: Vec<f64> = row.samples.iter().map(figure).collect();
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    let last = values.len().saturating_sub(1);
    (at(0), f64::midpoint(at(last / 2), at(last.div_ceil(2))), at(last))
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
