//! A potency set of MoleculeACE from its package to the score of its activity cliffs, counted again from the package's file.

use std::fs;

use clmbench_fetch::{cached_source_file, catalogue};
use clmbench_store::CellStatus;

use crate::real::{ECHO, Real};

const SUITE: &str = r#"
schema = 1
[suite]
name = "cliffs"
[[corpus]]
name = "moses"
sizes = [200]
heldout = 16
[[model]]
architecture = "echo"
presets = ["tiny"]
tokens = 2000
batch = 16
[[dataset]]
source = "moleculeace"
names = ["CHEMBL2835_Ki"]
split = "recommended"
"#;

/// Row, label and mark of a cliff of the test molecules in the package's file.
fn test_rows() -> Vec<(u64, f64, bool)> {
    let corpus = catalogue::corpus("mixed").unwrap();
    let file = corpus.iter().find(|file| file.source.name == "CHEMBL2835_Ki.csv").unwrap();
    let bytes = fs::read(cached_source_file(&file.source).unwrap()).unwrap();
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let rows = reader.records().map(Result::unwrap).enumerate();
    let test = rows.filter(|(_, fields)| &fields[4] == "test");
    test.map(|(row, fields)| (row as u64, fields[2].parse().unwrap(), &fields[3] == "1")).collect()
}

#[test]
fn test_molecules_at_cliffs_are_scored_beside_all() {
    let real = Real::new(&[ECHO, "clmbench-plugin-moleculeace"]);
    real.write("suite.toml", SUITE);
    real.clmbench(&["run", "suite.toml"]).code(0);
    assert!(real.rows().iter().all(|row| row.status == CellStatus::Done), "{:?}", real.rows());
    let prepared = real.output("tokenise/CHEMBL2835_Ki");
    let counts: Vec<u64> = prepared["counts"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect();
    assert_eq!((counts[0] + counts[1], counts[2]), (489, 126), "{prepared}");
    assert!(counts[1] > 0, "a validation part is drawn: {prepared}");

    // Every transfer: each test molecule once, with the label of the file, and both scores from its predictions.
    let wanted = test_rows();
    assert_eq!((wanted.len(), wanted.iter().filter(|(_, _, cliff)| *cliff).count()), (126, 13));
    let transfers: Vec<String> = real.rows().into_iter().map(|row| row.key).filter(|key| key.starts_with("transfer/")).collect();
    assert!(!transfers.is_empty());
    for key in transfers {
        let shown = real.clmbench(&["show", &key, "--json"]).code(0).rows().remove(0);
        let task = &shown["output"]["tasks"][0];
        let found = task["predictions"].as_array().unwrap_or_else(|| panic!("{key}: {shown}"));
        assert_eq!(found.len(), wanted.len(), "{key}");
        let mut squares = [Vec::new(), Vec::new()];
        for (row, label, cliff) in &wanted {
            let found = found.iter().find(|found| found[0].as_u64() == Some(*row)).unwrap();
            assert!((found[1].as_f64().unwrap() - label).abs() < 1e-9, "{found} {label}");
            let square = (found[2].as_f64().unwrap() - label).powi(2);
            squares[0].push(square);
            if *cliff {
                squares[1].push(square);
            }
        }
        for (name, squares) in ["rmse", "rmse_cliff"].into_iter().zip(&squares) {
            let rmse = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
            let scores = task["scores"].as_array().unwrap();
            let score = scores.iter().find(|score| score["name"] == name).unwrap_or_else(|| panic!("no {name}: {task}"));
            assert!((score["value"].as_f64().unwrap() - rmse).abs() < 1e-9 * rmse.max(1.0), "{key} {name} {rmse}: {score}");
            assert_eq!(score["primary"].as_bool(), Some(name == "rmse"), "{score}");
        }
    }
}
