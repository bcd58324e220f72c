//! The loss around a checkpoint: along random directions, and on a plane of two.

use std::collections::BTreeMap;

use super::{ArtifactTable, Data, Figure};
use crate::{
    html::{
        axis::{Axis, short},
        node::{Element, element, with_text},
        plot::{Anchor, Area, Plot, lines, rectangle, sheet, words},
    },
    text::{count, plural},
};

/// The files and their columns.
const LINES: (&str, [&str; 3]) = ("curves.csv", ["direction", "alpha", "loss"]);
const PLANES: (&str, [&str; 4]) = ("planes.csv", ["pair", "a", "b", "loss"]);

const MOST: usize = 4;
/// Thin lines of a panel; the data and the mean hold all.
const MOST_DIRECTIONS: usize = 50;
const SIZE: (f64, f64) = (340.0, 264.0);
/// Levels of a map at which lines are drawn.
const LEVELS: usize = 6;

/// One figure of lines, one of planes.
pub(super) fn figures(tables: &[ArtifactTable]) -> Vec<Figure> {
    [directions(tables), planes(tables)].into_iter().flatten().collect()
}

/// Tables of a file, small models and early checkpoints first.
fn of_file<'a>(tables: &'a [ArtifactTable], file: &str) -> Vec<&'a ArtifactTable> {
    let mut found: Vec<&ArtifactTable> = tables.iter().filter(|table| table.file == file).collect();
    found.sort_by_key(|table| (table.parameters, &table.run, table.tokens));
    found
}

fn name(table: &ArtifactTable) -> String {
    let tokens = table.tokens.map_or_else(String::new, |tokens| format!(", {} tokens", count(tokens)));
    format!("{} parameters{tokens}", count(table.parameters))
}

fn tokens(table: &ArtifactTable) -> String {
    table.tokens.map_or_else(String::new, |tokens| tokens.to_string())
}

/// Losses by direction, in order of the step.
fn curves(table: &ArtifactTable) -> Option<BTreeMap<u64, Vec<(f64, f64)>>> {
    let [direction, alpha, loss] = LINES.1.map(|column| table.numbers(column));
    let mut found: BTreeMap<u64, Vec<(f64, f64)>> = BTreeMap::new();
    for ((direction, alpha), loss) in direction?.into_iter().zip(alpha?).zip(loss?) {
        if alpha.is_finite() && loss.is_finite() {
            found.entry(direction as u64).or_default().push((alpha, loss));
        }
    }
    found.values_mut().for_each(|curve| curve.sort_by(|left, right| left.0.total_cmp(&right.0)));
    (!found.is_empty()).then_some(found)
}

fn directions(tables: &[ArtifactTable]) -> Option<Figure> {
    let found: Vec<_> =
        of_file(tables, LINES.0).into_iter().filter_map(|table| Some((table, curves(table)?))).take(MOST).collect();
    if found.is_empty() {
        return None;
    }
    let all: Vec<(f64, f64)> = found.iter().flat_map(|(_, curves)| curves.values().flatten()).copied().collect();
    let area = Area::of(SIZE.0, SIZE.1);
    let (mut panels, mut said) = (Vec::new(), Vec::new());
    let mut data = Data::new(&["run", "parameters", "tokens", LINES.1[0], LINES.1[1], LINES.1[2]]);
    for (table, curves) in &found {
        // One scale for all panels, so that they can be compared.
        let x = Axis::linear_over(&all.iter().map(|(alpha, _)| (*alpha, 0.0)).collect::<Vec<_>>(), area.left, area.right);
        let y = Axis::linear_over(&all.iter().map(|(_, loss)| (*loss, 0.0)).collect::<Vec<_>>(), area.bottom, area.top);
        let mut plot = Plot::new(area, x, y);
        let mut at: BTreeMap<i64, (f64, f64, f64)> = BTreeMap::new();
        for (index, (direction, curve)) in curves.iter().enumerate() {
            if index < MOST_DIRECTIONS {
                plot.line(0, true, &format!("direction {direction}"), curve);
            }
            for (alpha, loss) in curve {
                let place = at.entry((alpha * 1e9) as i64).or_insert((*alpha, 0.0, 0.0));
                (place.1, place.2) = (place.1 + loss, place.2 + 1.0);
                let head = [table.run.clone(), table.parameters.to_string(), tokens(table)];
                let tail = [direction.to_string(), alpha.to_string(), loss.to_string()];
                data.rows.push(head.into_iter().chain(tail).collect());
            }
        }
        let mean: Vec<(f64, f64)> = at.values().map(|(alpha, sum, count)| (*alpha, sum / count)).collect();
        plot.line(1, false, "mean over directions", &mean);
        let (middle, ends) = (least(&mean), mean.iter().map(|(_, loss)| *loss).fold(f64::NEG_INFINITY, f64::max));
        said.push(format!("{} ({}): least mean loss {middle:.3}, at the ends up to {ends:.3}", name(table), table.run));
        panels.push(plot.finish(&name(table), "step, in filter-normalised lengths", "loss"));
    }
    let title = "Loss along random directions".to_owned();
    Some(Figure {
        id: "landscape-1d".to_owned(),
        caption: "Held-out loss (nats a predicted token) along random, filter-normalised directions through the weights at 0: thin, one a \
                  direction (the first 50, the data hold all); heavy and dashed, their mean. The spread of the thin lines is the variation over directions; molecules and masks \
                  are the same for all. First and last checkpoint of one of the smallest and one of the largest models, on one scale."
            .to_owned(),
        alternative: format!("Curves of {}: {}.", plural(found.len(), "checkpoint"), said.join("; ")),
        drawing: sheet(&title, 2, SIZE, panels, &[]),
        data,
        title,
    })
}

fn least(line: &[(f64, f64)]) -> f64 {
    line.iter().map(|(_, loss)| *loss).fold(f64::INFINITY, f64::min)
}

/// A map of losses: sorted places on both sides, and the loss at [a][b].
struct Map {
    a: Vec<f64>,
    b: Vec<f64>,
    loss: Vec<Vec<Option<f64>>>,
}

/// The map of the first pair of directions.
fn map(table: &ArtifactTable) -> Option<Map> {
    let [pair, a, b, loss] = PLANES.1.map(|column| table.numbers(column));
    let (pair, a, b, loss) = (pair?, a?, b?, loss?);
    let first = pair.iter().copied().fold(f64::INFINITY, f64::min);
    let own: Vec<usize> = (0..pair.len()).filter(|index| pair[*index] == first && loss[*index].is_finite()).collect();
    let places = |values: &[f64]| {
        let mut places: Vec<f64> = own.iter().map(|index| values[*index]).filter(|value| value.is_finite()).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        places
    };
    let (rows, columns) = (places(&a), places(&b));
    if !(2..=64).contains(&rows.len()) || !(2..=64).contains(&columns.len()) {
        return None;
    }
    let mut losses = vec![vec![None; columns.len()]; rows.len()];
    for index in own {
        let row = rows.iter().position(|place| *place == a[index])?;
        let column = columns.iter().position(|place| *place == b[index])?;
        losses[row][column] = Some(loss[index]);
    }
    Some(Map { a: rows, b: columns, loss: losses })
}

impl Map {
    fn values(&self) -> impl Iterator<Item = f64> {
        self.loss.iter().flatten().flatten().copied()
    }

    /// Pieces of the line on which the loss is `level`: marching squares, linear along the sides of a cell.
    fn contour(&self, level: f64) -> Vec<[(f64, f64); 2]> {
        let mut pieces = Vec::new();
        for row in 0..self.a.len() - 1 {
            for column in 0..self.b.len() - 1 {
                let corners = [(row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column)];
                let values: Option<Vec<f64>> = corners.iter().map(|(row, column)| self.loss[*row][*column]).collect();
                let Some(values) = values else { continue };
                let mut crossings = Vec::new();
                for side in 0..4 {
                    let (from, to) = (side, (side + 1) % 4);
                    if (values[from] < level) != (values[to] < level) {
                        let share = (level - values[from]) / (values[to] - values[from]);
                        let place = |corner: usize| (self.a[corners[corner].0], self.b[corners[corner].1]);
                        let (start, end) = (place(from), place(to));
                        crossings.push((start.0 + share * (end.0 - start.0), start.1 + share * (end.1 - start.1)));
                    }
                }
                pieces.extend(crossings.as_chunks::<2>().0);
            }
        }
        pieces
    }
}

fn planes(tables: &[ArtifactTable]) -> Option<Figure> {
    let found: Vec<_> = of_file(tables, PLANES.0).into_iter().filter_map(|table| Some((table, map(table)?))).take(MOST).collect();
    if found.is_empty() {
        return None;
    }
    let mut data = Data::new(&["run", "parameters", "tokens", PLANES.1[1], PLANES.1[2], PLANES.1[3]]);
    let (mut panels, mut said) = (Vec::new(), Vec::new());
    for (table, map) in &found {
        panels.push(plane(table, map));
        let (low, high) = ends(map);
        said.push(format!("{} ({}): loss from {low:.3} to {high:.3}", name(table), table.run));
        for (row, a) in map.a.iter().enumerate() {
            for (column, b) in map.b.iter().enumerate() {
                let Some(loss) = map.loss[row][column] else { continue };
                let head = [table.run.clone(), table.parameters.to_string(), tokens(table)];
                data.rows.push(head.into_iter().chain([a, b, &loss].map(f64::to_string)).collect());
            }
        }
    }
    let title = "Loss on a plane of two random directions".to_owned();
    Some(Figure {
        id: "landscape-2d".to_owned(),
        caption: format!(
            "Held-out loss (nats a predicted token) on the plane of the first pair of random, filter-normalised directions through the \
             weights at (0, 0): the stronger the blue, the larger, with {LEVELS} contours a panel at equal steps between its own least and largest loss. One \
             pair; the spread over pairs is in the metric's standard error. First and last checkpoint of one of the smallest and one of the \
             largest models."
        ),
        alternative: format!("Planes of {}: {}.", plural(found.len(), "checkpoint"), said.join("; ")),
        drawing: sheet(&title, 2, SIZE, panels, &[]),
        data,
        title,
    })
}

fn ends(map: &Map) -> (f64, f64) {
    map.values().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), loss| (low.min(loss), high.max(loss)))
}

fn plane(table: &ArtifactTable, map: &Map) -> Element {
    let area = Area { right: SIZE.0 - 70.0, ..Area::of(SIZE.0, SIZE.1) };
    let axis = |places: &[f64], from, to| Axis::linear(places[0], places[places.len() - 1], from, to);
    let mut plot = Plot::new(area, axis(&map.a, area.left, area.right), axis(&map.b, area.bottom, area.top));
    let (low, high) = ends(map);
    let wide = if high > low { high - low } else { 1.0 };
    let edges = |places: &[f64], index: usize| {
        let half = |left: usize, right: usize| (places[right] - places[left]) / 2.0;
        let before = if index == 0 { half(0, 1) } else { half(index - 1, index) };
        let after = if index + 1 == places.len() { half(index - 1, index) } else { half(index, index + 1) };
        (places[index] - before, places[index] + after)
    };
    for row in 0..map.a.len() {
        for column in 0..map.b.len() {
            let Some(loss) = map.loss[row][column] else { continue };
            let ((left, right), (bottom, top)) = (edges(&map.a, row), edges(&map.b, column));
            let ((left, bottom), (right, top)) = (plot.at(left, bottom), plot.at(right, top));
            let text = format!("({}, {}): {loss:.4}", map.a[row], map.b[column]);
            let cell = rectangle("plus", left, top, right - left, bottom - top)
                .attribute("fill-opacity", format!("{:.2}", 0.05 + 0.7 * (loss - low) / wide));
            plot.add(cell.child(with_text("title", text)));
        }
    }
    let side = area.right + 8.0;
    for step in 1..=LEVELS {
        let level = low + wide * step as f64 / (LEVELS + 1) as f64;
        let pieces = map.contour(level);
        let pieces = pieces.into_iter().map(|[from, to]| (plot.at(from.0, from.1), plot.at(to.0, to.1)));
        let group = element("g").child(with_text("title", format!("loss {level:.4}"))).child(lines("curve thin s5", pieces));
        let height = area.bottom - 16.0 * step as f64;
        plot.add(group);
        let shade = format!("{:.2}", 0.05 + 0.7 * (level - low) / wide);
        plot.add(rectangle("plus", side, height - 8.0, 10.0, 10.0).attribute("fill-opacity", shade));
        plot.add(words(side + 14.0, height, Anchor::Start, &short(level, wide / 20.0)).class("small"));
    }
    plot.finish(&name(table), "first direction", "second direction")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::html::figures::made_up::{drawn, table};

    #[test]
    fn a_line_a_direction_and_their_mean() {
        let tables = [table(LINES.0, "<run>", "direction,alpha,loss", "0,-1,3\n0,0,1\n0,1,3\n1,-1,5\n1,0,1\n1,1,5")];
        let figures = figures(&tables);
        let text = drawn(&figures[0]);
        assert_eq!((text.matches("class=\"curve thin s0\"").count(), text.matches("class=\"curve s1 d1\"").count()), (2, 1));
        assert!(figures[0].alternative.contains("least mean loss 1.000, at the ends up to 4.000"), "{}", figures[0].alternative);
        assert_eq!(figures[0].data.rows.len(), 6);
    }

    #[test]
    fn contours_lie_where_the_loss_has_their_level() {
        // loss = a + b on the unit square and beyond: the contour of 1 is the other diagonal.
        let rows: Vec<String> = (0..3).flat_map(|a| (0..3).map(move |b| format!("0,{a},{b},{}", a + b))).collect();
        let table = table(PLANES.0, "r", "pair,a,b,loss", &rows.join("\n"));
        let map = map(&table).unwrap();
        let pieces = map.contour(1.5);
        assert!(!pieces.is_empty());
        assert!(pieces.iter().flatten().all(|(a, b)| (a + b - 1.5).abs() < 1e-12), "{pieces:?}");
        let figures = figures(&[table]);
        let text = drawn(&figures[0]);
        assert_eq!(text.matches("class=\"plus\"").count(), 9 + LEVELS);
        assert!(figures[0].alternative.contains("from 0.000 to 4.000"));
    }

    #[test]
    fn what_is_no_landscape_is_left_out() {
        assert!(figures(&[]).is_empty());
        assert!(figures(&[table(LINES.0, "r", "direction,alpha", "0,1")]).is_empty());
        assert!(figures(&[table(PLANES.0, "r", "pair,a,b,loss", "0,0,0,1")]).is_empty());
        assert!(figures(&[table(PLANES.0, "r", "pair,a,b,loss", "0,0,0,NaN\n0,1,1,inf")]).is_empty());
    }
}
