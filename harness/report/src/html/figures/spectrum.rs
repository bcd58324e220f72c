//! Spectral densities of the Hessian, a line a size of model.

use super::{ArtifactTable, Data, Figure};
use crate::{
    html::{
        axis::Axis,
        plot::{Area, Plot, STYLES, sheet},
    },
    text::{count, plural},
};

/// The file with the density, and its columns.
const FILE: &str = "density.csv";
const COLUMNS: [&str; 2] = ["eigenvalue", "density"];

/// Densities below this share of the largest are not drawn: there the logarithm shows only the width of the kernel.
const LEAST: f64 = 1e-6;
const MOST_POINTS: usize = 240;
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 330.0;

/// One figure of the densities that were read.
pub(super) fn figures(tables: &[ArtifactTable]) -> Option<Figure> {
    let mut lines: Vec<(&ArtifactTable, Vec<(f64, f64)>)> = Vec::new();
    for table in tables.iter().filter(|table| table.file == FILE) {
        let (Some(places), Some(values)) = (table.numbers(COLUMNS[0]), table.numbers(COLUMNS[1])) else { continue };
        let pairs = places.into_iter().zip(values).filter(|(place, value)| place.is_finite() && value.is_finite());
        lines.push((table, pairs.collect()));
    }
    lines.retain(|(_, line)| line.iter().any(|(_, value)| *value > 0.0));
    lines.sort_by(|(left, _), (right, _)| {
        (left.parameters, !left.last, &left.run).cmp(&(right.parameters, !right.last, &right.run))
    });
    lines.truncate(STYLES);
    if lines.is_empty() {
        return None;
    }
    let largest = lines.iter().flat_map(|(_, line)| line).map(|(_, value)| *value).fold(0.0, f64::max);
    let visible = |value: f64| value >= LEAST * largest;
    let area = Area::nameless(WIDTH, HEIGHT);
    let shown = || lines.iter().flat_map(|(_, line)| line).filter(|(_, value)| visible(*value));
    let x = Axis::linear_over(&shown().map(|(place, _)| (*place, 0.0)).collect::<Vec<_>>(), area.left, area.right);
    let y = Axis::logarithmic_over(&shown().map(|(_, value)| (*value, 0.0)).collect::<Vec<_>>(), area.bottom, area.top);
    let mut plot = Plot::new(area, x, y);
    for (style, (table, line)) in lines.iter().enumerate() {
        let step = line.len().div_ceil(MOST_POINTS).max(1);
        // A gap where it is not visible, not a line along the bottom.
        for part in line.chunk_by(|left, right| visible(left.1) == visible(right.1)).filter(|part| visible(part[0].1)) {
            let kept: Vec<(f64, f64)> = part
                .iter()
                .enumerate()
                .filter(|(index, _)| index % step == 0 || index + 1 == part.len())
                .map(|(_, point)| *point)
                .collect();
            plot.line(style, false, &name(table), &kept);
        }
    }
    let legend: Vec<(usize, String)> = lines.iter().enumerate().map(|(style, (table, _))| (style, name(table))).collect();
    let title = "Spectral density of the Hessian of the pretraining loss".to_owned();
    let ends = |line: &[(f64, f64)]| {
        let places = line.iter().filter(|(_, value)| visible(*value)).map(|(place, _)| *place);
        places.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), place| (low.min(place), high.max(place)))
    };
    let said: Vec<String> = lines
        .iter()
        .map(|(table, line)| {
            let (low, high) = ends(line);
            format!("{}: eigenvalues from {low:.3} to {high:.3}", name(table))
        })
        .collect();
    let mut data = Data::new(&["run", "parameters", "tokens", COLUMNS[0], COLUMNS[1]]);
    for (table, line) in &lines {
        let tokens = table.tokens.map_or_else(String::new, |tokens| tokens.to_string());
        data.rows.extend(line.iter().map(|(place, value)| {
            vec![table.run.clone(), table.parameters.to_string(), tokens.clone(), place.to_string(), value.to_string()]
        }));
    }
    Some(Figure {
        id: "spectral-density".to_owned(),
        caption: format!(
            "Share of eigenvalues of the Hessian on held-out molecules (stochastic Lanczos quadrature, smoothed by a Gaussian; logarithmic), \
             one run a size at its last checkpoint, of at most {STYLES} sizes. Densities below {LEAST:e} of the largest are not drawn. No interval is drawn: the error \
             of the values derived from it stands in the tables."
        ),
        alternative: format!("Spectra of {}: {}.", plural(lines.len(), "run"), said.join("; ")),
        drawing: sheet(&title, 1, (WIDTH, HEIGHT), vec![plot.finish("", "eigenvalue", "density, logarithmic")], &legend),
        data,
        title,
    })
}

fn name(table: &ArtifactTable) -> String {
    format!("{} parameters ({})", count(table.parameters), table.run)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::html::figures::made_up::{drawn, table};

    #[test]
    fn a_spectrum_is_a_line_with_a_gap_where_nothing_is() {
        let rows = "-1,0.5\n0,10\n1,0.5\n2,1e-12\n3,0.2\n4,0.1";
        let tables = [table(FILE, "<run>", "eigenvalue,density", rows), table("other.csv", "x", "a,b", "1,2")];
        let figure = figures(&tables).unwrap();
        let text = drawn(&figure);
        assert_eq!(text.matches("class=\"curve s0\"").count(), 2 + 1, "two parts and the legend");
        assert!(text.contains("&lt;run&gt;") && figure.data.rows.len() == 6);
        assert!(figure.alternative.contains("from -1.000 to 4.000"), "{}", figure.alternative);
    }

    #[test]
    fn what_is_no_density_is_left_out() {
        assert!(figures(&[]).is_none());
        assert!(figures(&[table(FILE, "r", "eigenvalue,density", "1,x")]).is_none());
        assert!(figures(&[table(FILE, "r", "eigenvalue,weight", "1,2")]).is_none());
        assert!(figures(&[table(FILE, "r", "eigenvalue,density", "1,-2\nNaN,3")]).is_none());
    }
}
