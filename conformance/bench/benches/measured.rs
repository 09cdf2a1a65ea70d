//! What the rows of a table took: medians, how far they spread, and how they compare.

/// Whose a row is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Ceiling,
    Peer,
    Ours,
}

/// How a time per unit is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    /// Nanoseconds for each of these.
    Nanoseconds(&'static str),
    /// Thousands of these per second.
    Thousands(&'static str),
    /// GB/s, where a unit is a byte.
    Throughput,
}

/// A table that has been measured.
pub(crate) struct Measured {
    pub(crate) title: String,
    unit: Unit,
    /// The row of ours that a program would use.
    featured: &'static str,
    columns: Vec<Measurements>,
}

struct Measurements {
    column: String,
    cells: Vec<Cell>,
}

/// A row in one column.
pub(crate) struct Cell {
    pub(crate) row: String,
    pub(crate) side: Side,
    /// Nanoseconds per unit, in the order of the rounds.
    pub(crate) times: Vec<f64>,
}

impl Measured {
    pub(crate) fn new(title: &str, unit: Unit, featured: &'static str) -> Self {
        Self {
            title: title.into(),
            unit,
            featured,
            columns: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, column: String, cells: Vec<Cell>) {
        self.columns.push(Measurements { column, cells });
    }

    /// Nanoseconds per unit, if it was measured.
    pub(crate) fn median(&self, column: &str, row: &str) -> Option<f64> {
        let column = self.columns.iter().find(|it| it.column == column)?;
        Some(column.get(row)?.median())
    }

    /// How many times as fast as another one a row is.
    pub(crate) fn ratio(&self, column: &str, row: &str, to: &str) -> Option<f64> {
        let column = self.columns.iter().find(|it| it.column == column)?;
        Some(column.get(row)?.ratio(column.get(to)?))
    }

    /// How many times as fast as the best peer the featured row is, in each column.
    pub(crate) fn beside_the_best_peer(&self) -> impl Iterator<Item = (&str, f64)> {
        self.beside(Side::Peer)
            .map(|(column, _, ratio)| (column, ratio))
    }

    fn beside(&self, side: Side) -> impl Iterator<Item = (&str, &str, f64)> {
        self.columns.iter().filter_map(move |it| {
            let best = it.best(side)?;
            let ratio = it.get(self.featured)?.ratio(best);
            Some((&it.column[..], &best.row[..], ratio))
        })
    }

    pub(crate) fn print(&self) {
        println!(
            "\n## {}\n\n{}: the median, half of the range of the middle half of the rounds, and how many times as \
             fast as the best peer (`*`)\n",
            self.title,
            self.unit.name()
        );
        let mut names: Vec<&str> = Vec::new();
        for cell in self.columns.iter().flat_map(|column| &column.cells) {
            if !names.contains(&&cell.row[..]) {
                names.push(&cell.row);
            }
        }
        let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
        print!("| {:width$} |", "");
        for column in &self.columns {
            print!(" {:>18} |", column.column);
        }
        println!();
        let lines = "-------------------:|".repeat(self.columns.len());
        println!("|{}|{lines}", "-".repeat(width + 2));
        for name in names {
            print!("| {name:width$} |");
            for column in &self.columns {
                print!(" {:>18} |", column.show(name, self.unit));
            }
            println!();
        }
        self.print_ceilings();
    }

    fn print_ceilings(&self) {
        let beside = self.beside(Side::Ceiling);
        let beside: Vec<_> = beside
            .map(|(column, ceiling, ratio)| format!("{column}: {ratio:.2}x {ceiling}"))
            .collect();
        if !beside.is_empty() {
            let featured = self.featured;
            println!("\n`{featured}` beside the ceiling: {}", beside.join("; "));
        }
    }
}

impl Measurements {
    fn get(&self, row: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.row == row)
    }

    fn best(&self, side: Side) -> Option<&Cell> {
        let cells = self.cells.iter().filter(|cell| cell.side == side);
        cells.min_by(|a, b| a.median().total_cmp(&b.median()))
    }

    fn show(&self, row: &str, unit: Unit) -> String {
        let Some(cell) = self.get(row) else {
            return String::new();
        };
        let shown = unit.show(cell.median());
        let spread = 100.0 * cell.spread();
        let ratio = match self.best(Side::Peer) {
            None => String::new(),
            Some(best) if best.row == row => "(*)".into(),
            Some(best) => format!("({:.2}x)", cell.ratio(best)),
        };
        format!("{shown} ±{spread:.0}% {ratio:>7}")
    }
}

impl Cell {
    fn median(&self) -> f64 {
        quantile(&self.times, 0.5)
    }

    /// A part of the median.
    fn spread(&self) -> f64 {
        let range = quantile(&self.times, 0.75) - quantile(&self.times, 0.25);
        range / 2.0 / self.median()
    }

    /// How many times as fast as another: the median of the rounds', in each of which both were measured one
    /// soon after the other.
    fn ratio(&self, to: &Self) -> f64 {
        let rounds = to.times.iter().zip(&self.times);
        let ratios: Vec<f64> = rounds.map(|(to, ours)| to / ours).collect();
        quantile(&ratios, 0.5)
    }
}

/// That of the nearest rank.
fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * q).round() as usize]
}

impl Unit {
    fn name(self) -> String {
        match self {
            Self::Nanoseconds(what) => format!("ns/{what}"),
            Self::Thousands(what) => format!("1000 {what}/s"),
            Self::Throughput => "GB/s".into(),
        }
    }

    fn show(self, nanoseconds: f64) -> String {
        let shown = match self {
            Self::Nanoseconds(_) => nanoseconds,
            Self::Thousands(_) => 1e6 / nanoseconds,
            Self::Throughput => 1.0 / nanoseconds,
        };
        match shown {
            0.0..1.0 => format!("{shown:.3}"),
            1.0..100.0 => format!("{shown:.2}"),
            _ => format!("{shown:.0}"),
        }
    }
}
