//! The charts: what an entry costs each contestant, against one thing that is varied.

use std::error::Error;
use std::fs;
use std::path::Path;

use plotters::prelude::*;

use crate::cli::Plot;
use crate::contestants::ALL;
use crate::layout::aligned;
use crate::sweep::{self, Line, Sweep};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const SIZE: (u32, u32) = (960, 560);
const LEGEND_WIDTH: u32 = 150;

/// Of the contestants, in their order. They differ for the colour-blind too.
const COLOURS: [RGBColor; 7] = [
    RGBColor(110, 110, 110),
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

pub(crate) fn draw_all(options: &Plot) -> Result<()> {
    let folder = options.into.display();
    fs::create_dir_all(&options.into)
        .map_err(|error| format!("the folder {folder} cannot be made: {error}"))?;
    for sweep in [sweep::nodes, sweep::payload, sweep::burst, sweep::length] {
        let sweep = sweep(options);
        let file = options.into.join(format!("{}.svg", sweep.name));
        draw(&sweep, &file)
            .map_err(|error| format!("{} cannot be drawn: {error}", file.display()))?;
        println!("{}, ns for an entry", file.display());
        for row in rows(&sweep) {
            println!("{row}");
        }
        println!();
    }
    Ok(())
}

/// What the chart shows, in numbers: a head, and a line for each contestant.
fn rows(sweep: &Sweep) -> Vec<String> {
    let mut head = vec![sweep.varied.to_owned()];
    head.extend(sweep.values.iter().cloned());
    let mut rows = vec![head];
    for line in &sweep.lines {
        let mut row = vec![line.contestant.name.to_owned()];
        let value = |point: &Option<f64>| point.map_or("-".into(), |point| format!("{point:.0}"));
        row.extend(line.points.iter().map(value));
        row.resize(sweep.values.len() + 1, "-".into());
        rows.push(row);
    }
    aligned(&rows)
}

/// The values are as far apart as their places in the list: all but the nodes grow by a factor.
fn draw(sweep: &Sweep, file: &Path) -> Result<()> {
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let last = i32::try_from(sweep.values.len())? - 1;
    let (low, high) = decades(&sweep.lines);
    let (area, legend) = root.split_horizontally(SIZE.0 - LEGEND_WIDTH);
    let mut chart = ChartBuilder::on(&area)
        .caption(sweep.title, ("sans-serif", 20))
        .margin(16)
        .margin_right(24)
        .x_label_area_size(44)
        .y_label_area_size(70)
        .build_cartesian_2d(0..last.max(1), (low..high).log_scale())?;
    let value = |place: &i32| {
        let place = usize::try_from(*place).ok();
        place.and_then(|place| sweep.values.get(place)).cloned().unwrap_or_default()
    };
    chart
        .configure_mesh()
        .x_labels(sweep.values.len())
        .x_label_formatter(&value)
        .x_desc(sweep.varied)
        .y_label_formatter(&|nanoseconds| format!("{nanoseconds}"))
        .y_desc("ns for an entry, all nodes together")
        .light_line_style(BLACK.mix(0.06))
        .bold_line_style(BLACK.mix(0.15))
        .draw()?;
    for (line, y) in sweep.lines.iter().zip((56..).step_by(22)) {
        let colour = colour(line);
        let points = || (0..).zip(&line.points).filter_map(|(x, y)| y.map(|y| (x, y)));
        chart.draw_series(LineSeries::new(points(), colour.stroke_width(2)))?;
        chart.draw_series(points().map(|point| Circle::new(point, 3, colour.filled())))?;
        legend.draw(&PathElement::new([(0, y), (20, y)], colour.stroke_width(3)))?;
        let name = line.contestant.name;
        legend.draw(&Text::new(name, (28, y - 8), ("sans-serif", 15)))?;
    }
    root.present()?;
    Ok(())
}

fn colour(line: &Line) -> RGBColor {
    let place = ALL.iter().position(|one| one.name == line.contestant.name);
    COLOURS[place.unwrap_or(0) % COLOURS.len()]
}

/// The powers of ten that all points are between.
fn decades(lines: &[Line]) -> (f64, f64) {
    let points = || lines.iter().flat_map(|line| line.points.iter().flatten().copied());
    let low = points().fold(f64::INFINITY, f64::min).max(1.0);
    let high = points().fold(low, f64::max);
    let power = |exponent: f64| 10_f64.powf(exponent);
    (power(low.log10().floor()), power((high * 1.01).log10().ceil()))
}

#[cfg(test)]
mod tests {
    use super::{COLOURS, decades};
    use crate::contestants::ALL;
    use crate::sweep::Line;

    #[test]
    fn the_decades_enclose_the_points() {
        let points = vec![Some(250.0), None, Some(1_800.0)];
        let (low, high) = decades(&[Line { contestant: &ALL[0], points }]);
        assert!((low - 100.0).abs() < 1e-6);
        assert!((high - 10_000.0).abs() < 1e-6);
    }

    #[test]
    fn everybody_has_a_colour() {
        assert!(ALL.len() <= COLOURS.len());
    }
}
