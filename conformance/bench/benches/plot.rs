//! How many times as fast as the best peer each table's featured row is, as a picture.

use std::{ops::Range, path::Path};

use plotters::prelude::*;

use crate::measured::Measured;

/// Readable on white and on black.
const TEXT: RGBColor = RGBColor(125, 135, 145);
const FASTER: RGBColor = RGBColor(45, 140, 235);
const SLOWER: RGBColor = RGBColor(230, 120, 30);

const WIDTH: u32 = 960;
/// Of the names of tables and columns.
const NAMES: u32 = 500;
const ROW: u32 = 17;
/// Above and below the rows.
const MARGINS: u32 = 80;

/// What is beyond stands at the edge.
const RANGE: Range<f64> = 0.25..16.0;

pub(crate) fn draw(path: &Path, tables: &[Measured]) {
    let points: Vec<(String, f64)> = tables
        .iter()
        .flat_map(|table| {
            let points = table.beside_the_best_peer();
            points.map(|(column, ratio)| (format!("{}: {column}", table.title), ratio))
        })
        .collect();
    let height = MARGINS + ROW * points.len() as u32;
    let area = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    draw_on(&area, &points).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

fn draw_on<B: DrawingBackend>(
    area: &DrawingArea<B, plotters::coord::Shift>,
    points: &[(String, f64)],
) -> Drawn<B> {
    let count = points.len();
    let text = ("sans-serif", 12).into_font().color(&TEXT);
    let title = "how many times as fast as the best peer in the same rounds";
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 15).into_font().color(&TEXT))
        .margin(8)
        .x_label_area_size(28)
        .y_label_area_size(NAMES)
        .build_cartesian_2d(RANGE.log_scale(), -0.5..count as f64 - 0.5)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TEXT.mix(0.0))
        .bold_line_style(TEXT.mix(0.3))
        .axis_style(TEXT)
        .label_style(text.clone())
        .x_label_formatter(&|ratio| format!("{ratio}x"))
        .y_labels(0)
        .draw()?;
    let even = [(1.0, -0.5), (1.0, count as f64 - 0.5)];
    chart.draw_series([PathElement::new(even, TEXT.stroke_width(2))])?;
    for (row, (name, ratio)) in points.iter().enumerate() {
        let y = (count - 1 - row) as f64;
        let color = if *ratio >= 1.0 { FASTER } else { SLOWER };
        let shown = ratio.clamp(RANGE.start * 1.02, RANGE.end / 1.02);
        chart.draw_series([Circle::new((shown, y), 4, color.filled())])?;
        let (x, y) = chart.backend_coord(&(RANGE.start, y));
        area.draw(&Text::new(name.clone(), (8, y - 7), text.clone()))?;
        area.draw(&Text::new(
            format!("{ratio:.2}x"),
            (x - 45, y - 7),
            text.clone(),
        ))?;
    }
    area.present()
}
