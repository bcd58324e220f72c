//! What a split comes to, on half a screen.

use clmbench_molecules::{Part, table_split::TableSplit};
use clmbench_protocol::{
    SplitSpec,
    split::{FILE, GIVEN},
};
use clmbench_report::Style;

use crate::{arguments::Fractions, console::one_line, units::counted};

/// The parts of a split with their molecules and scaffolds, what repeats, and the digest.
pub fn page(name: &str, spec: &SplitSpec, fractions: Fractions, table: &TableSplit, style: Style) -> String {
    let all = table.valid().count();
    let share = |count: usize| format!("{:.1} %", 100.0 * count as f64 / all.max(1) as f64);
    let mut lines: Vec<Vec<String>> = [Part::Train, Part::Valid, Part::Test]
        .map(|part| {
            let (molecules, scaffolds) = table.count(part);
            vec![part.word().to_owned(), molecules.to_string(), share(molecules), scaffolds.to_string()]
        })
        .to_vec();
    let invalid = table.invalid().count();
    if invalid > 0 {
        lines.push(vec!["none (no valid molecule)".to_owned(), invalid.to_string(), String::new(), String::new()]);
    }
    let board = clmbench_report::table_in(&["part", "rows", "share", "scaffolds"], &lines, style);
    let (groups, leaked) = table.repeats();
    let repeats = repeats(groups as u64, leaked as u64);
    format!("{}\n{board}{repeats}\nsplit digest  {}", heading(name, spec, fractions), table.digest)
}

/// How many molecules are in several rows, and how many of those in the test part and in another.
pub fn repeats(groups: u64, leaked: u64) -> String {
    if groups == 0 {
        return "no molecule is in two rows".to_owned();
    }
    let verb = if groups == 1 { "is" } else { "are" };
    let leaked = if leaked == 0 { "none".to_owned() } else { leaked.to_string() };
    let molecules = counted(groups as usize, "molecule");
    format!("{molecules} {verb} in more than one row; {leaked} of them in the test part and in another part")
}

/// `bbbp: scaffold split, 0.8 / 0.1 / 0.1`, with the seed where there is one; a split that is given has no shares of its own.
pub fn heading(name: &str, spec: &SplitSpec, fractions: Fractions) -> String {
    let seed = spec.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
    let Fractions { training, validation, test } = fractions;
    let shares = if [FILE, GIVEN].contains(&spec.algorithm.as_str()) {
        String::new()
    } else {
        format!(", {training} / {validation} / {test}")
    };
    format!("{}: {} split{seed}{shares}", one_line(name, 120), spec.algorithm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clmbench_protocol::Number;

    #[test]
    fn a_given_split_shows_no_shares() {
        let spec = |algorithm: &str, seed| SplitSpec {
            algorithm: algorithm.into(),
            seed,
            fractions: (Number(0.8), Number(0.1)),
            file: None,
        };
        let shares = Fractions { training: 0.8, validation: 0.1, test: 0.1 };
        assert_eq!(heading("t", &spec("random", Some(3)), shares), "t: random split, seed 3, 0.8 / 0.1 / 0.1");
        assert_eq!(heading("t", &spec("given", None), shares), "t: given split");
    }
}
