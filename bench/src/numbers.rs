//! Medians with their range, and Markdown tables of them.

use std::fmt;

/// The middle of several measurements, and their extremes.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Range {
    /// `None` of nothing.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (&least, &most) = (values.first()?, values.last()?);
        let &upper = values.get(values.len() / 2)?;
        let &lower = values.get((values.len() - 1) / 2)?;
        Some(Self { median: f64::midpoint(lower, upper), least, most })
    }

    /// How far the extremes are apart, in percent of the median.
    #[must_use]
    pub fn spread(&self) -> f64 {
        (self.most - self.least) / self.median * 100.0
    }
}

/// The median, with the formatter's precision.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.median.fmt(f)
    }
}

/// Prints rows of cells as a Markdown table; the first row is its head.
pub fn print_table(rows: &[Vec<String>]) {
    for (index, row) in rows.iter().enumerate() {
        println!("| {} |", row.join(" | "));
        if index == 0 {
            println!("|{}", "---|".repeat(row.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Range;

    #[test]
    fn the_median_lies_between_the_extremes() {
        let odd = Range::of([3.0, 1.0, 8.0]).unwrap();
        assert_eq!((odd.median, odd.least, odd.most), (3.0, 1.0, 8.0));
        let even = Range::of([4.0, 1.0, 2.0, 8.0]).unwrap();
        assert_eq!((even.median, even.spread()), (3.0, 700.0 / 3.0));
        assert!(Range::of([]).is_none());
    }
}
