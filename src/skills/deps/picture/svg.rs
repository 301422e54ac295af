//! A layered drawing: a column for each depth, lines from left to right, few crossings.
//!
//! Depths are the layers already, so what is left to decide is the order within a column: twice to and fro, each box goes to
//! the mean height of its neighbours. That is all a crate for layouts would do here.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::fmt::Write as _;

use super::{Kind, Picture};
use crate::model::problem::printable;

/// Boxes that a drawing can have and still be looked at; `-o dot` has no bound.
pub const BOXES_MAX: usize = 2_000;
/// Sweeps over the columns; more change little.
const SWEEPS: usize = 4;
const BOX_HEIGHT: usize = 22;
const ROW_HEIGHT: usize = 32;
const COLUMN_GAP: usize = 70;
const MARGIN: usize = 12;
/// The mean width of a character in twelve points, rounded up.
const CHARACTER_WIDTH: usize = 8;

/// Where a box is drawn.
#[derive(Clone, Copy, Default)]
struct Place {
    x: usize,
    y: usize,
    width: usize,
}

/// Draws a picture, or says how many boxes are too many.
pub fn svg(picture: &Picture) -> Result<String, usize> {
    if picture.boxes.len() > BOXES_MAX {
        return Err(picture.boxes.len());
    }
    let columns = columns(picture);
    let places = places(picture, &columns);
    let right = places.iter().map(|place| place.x + place.width).max().unwrap_or(0) + MARGIN;
    let bottom = places.iter().map(|place| place.y + BOX_HEIGHT).max().unwrap_or(0) + MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{right}\" height=\"{bottom}\" viewBox=\"0 0 {right} {bottom}\">\n"
    );
    out.push_str(STYLE);
    for (from, to) in &picture.lines {
        let (from, to) = (places[*from], places[*to]);
        let (x1, y1) = (to.x + to.width, to.y + BOX_HEIGHT / 2);
        let (x2, y2) = (from.x, from.y + BOX_HEIGHT / 2);
        let bend = COLUMN_GAP / 2;
        let before = x2.saturating_sub(bend);
        let _ = writeln!(out, "<path d=\"M{x1} {y1}C{} {y1} {before} {y2} {x2} {y2}\"/>", x1 + bend);
    }
    for (found, place) in picture.boxes.iter().zip(&places) {
        let class = match found.kind {
            Kind::Wanted => "wanted",
            Kind::Needed => "needed",
            Kind::Blocked => "blocked",
            Kind::Missing => "missing",
        };
        let Place { x, y, width } = *place;
        let _ = writeln!(
            out,
            "<g class=\"{class}\"><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BOX_HEIGHT}\" rx=\"4\"/>\
             <text x=\"{}\" y=\"{}\">{}</text></g>",
            x + width / 2,
            y + 15,
            escape(&found.name)
        );
    }
    out.push_str("</svg>\n");
    Ok(out)
}

const STYLE: &str = "<style>text{font:12px sans-serif;text-anchor:middle}rect{fill:#fff;stroke:#555}path{fill:none;stroke:#aaa}\
                     .wanted rect{fill:#dbeafe;stroke-width:2}.blocked rect{stroke-dasharray:2}\
                     .missing rect{fill:#fee2e2;stroke:#c00;stroke-dasharray:5}</style>\n";

/// Per layer the numbers of its boxes, in the order in which they are drawn.
fn columns(picture: &Picture) -> Vec<Vec<usize>> {
    let mut layers: Vec<usize> = picture.boxes.iter().map(|found| found.layer).collect();
    layers.dedup();
    // Depths without a box, as among dependents, get no column.
    let mut columns: Vec<Vec<usize>> = vec![Vec::new(); layers.len()];
    for (number, found) in picture.boxes.iter().enumerate() {
        if let Ok(column) = layers.binary_search(&found.layer) {
            columns[column].push(number);
        }
    }
    let mut neighbours: Vec<Vec<usize>> = vec![Vec::new(); picture.boxes.len()];
    for (from, to) in &picture.lines {
        neighbours[*from].push(*to);
        neighbours[*to].push(*from);
    }
    let mut height: Vec<f64> = vec![0.0; picture.boxes.len()];
    let settle = |column: &[usize], height: &mut [f64]| {
        for (row, number) in column.iter().enumerate() {
            height[*number] = row as f64 - column.len() as f64 / 2.0;
        }
    };
    columns.iter().for_each(|column| settle(column, &mut height));
    for sweep in 0..SWEEPS {
        for step in 0..columns.len() {
            let at = if sweep % 2 == 0 { step } else { columns.len() - 1 - step };
            let mean = |number: usize| {
                let near = &neighbours[number];
                let sum: f64 = near.iter().map(|other| height[*other]).sum();
                if near.is_empty() { height[number] } else { sum / near.len() as f64 }
            };
            let mut keyed: Vec<(f64, usize)> =
                columns[at].iter().map(|number| (mean(*number), *number)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            columns[at] = keyed.into_iter().map(|(_, number)| number).collect();
            settle(&columns[at], &mut height);
        }
    }
    columns
}

fn places(picture: &Picture, columns: &[Vec<usize>]) -> Vec<Place> {
    let tallest = columns.iter().map(Vec::len).max().unwrap_or(0);
    let mut places = vec![Place::default(); picture.boxes.len()];
    let mut x = MARGIN;
    for column in columns {
        let longest =
            column.iter().map(|number| printable(&picture.boxes[*number].name).chars().count()).max();
        let width = longest.unwrap_or(0) * CHARACTER_WIDTH + 16;
        let top = MARGIN + (tallest - column.len()) * ROW_HEIGHT / 2;
        for (row, number) in column.iter().enumerate() {
            places[*number] = Place { x, y: top + row * ROW_HEIGHT, width };
        }
        x += width + COLUMN_GAP;
    }
    places
}

fn escape(text: &str) -> String {
    printable(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
