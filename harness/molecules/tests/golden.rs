//! Canonical SMILES and scaffolds against RDKit 2026.09.1 (`golden/README.md`: well-known and odd molecules, both forms computed by RDKit),
//! and inputs that must not hurt.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::path::Path;

use clmbench_molecules::{InvalidMolecule, smiles};

#[test]
fn canonical_forms_and_scaffolds_are_those_of_rdkit() {
    for (name, least) in [("molecules.csv", 50), ("odd_molecules.csv", 300)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        let mut count = 0;
        let mut different = Vec::new();
        for record in csv::Reader::from_path(path).unwrap().records() {
            let record = record.unwrap();
            let found = (smiles::canonical(&record[0]).unwrap(), smiles::scaffold(&record[0]).unwrap());
            if found != (record[1].to_owned(), record[2].to_owned()) {
                different.push(format!("{}: {found:?} is not {:?}", &record[0], (&record[1], &record[2])));
            }
            let again = smiles::canonical(&record[1]).unwrap();
            if name == "molecules.csv" {
                assert_eq!(again, record[1], "it is its own canonical form");
            }
            count += 1;
        }
        assert!(different.is_empty(), "{name}: {} differ:\n{}", different.len(), different.join("\n"));
        assert!(count >= least, "{name}: {count}");
    }
}

#[test]
fn what_is_no_molecule_says_why() {
    type Reason = fn(&InvalidMolecule) -> bool;
    let cases: [(&str, Reason); 12] = [
        ("", |reason| matches!(reason, InvalidMolecule::Empty)),
        (" \t\n", |reason| matches!(reason, InvalidMolecule::Empty)),
        ("CC O", |reason| matches!(reason, InvalidMolecule::Character(2))),
        ("C\0C", |reason| matches!(reason, InvalidMolecule::Character(1))),
        ("Cé", |reason| matches!(reason, InvalidMolecule::Character(1))),
        ("C1CC", |reason| matches!(reason, InvalidMolecule::Syntax(_))),
        ("C(", |reason| matches!(reason, InvalidMolecule::Syntax(_))),
        ("[Xx]", |reason| matches!(reason, InvalidMolecule::Syntax(_))),
        ("C(C)(C)(C)(C)C", |reason| matches!(reason, InvalidMolecule::Chemistry(_))),
        ("c1cccc1", |reason| matches!(reason, InvalidMolecule::Chemistry(_))),
        ("=", |reason| matches!(reason, InvalidMolecule::Syntax(_))),
        ("[Al](C)(C)(C)(C)(C)(C)C", |reason| matches!(reason, InvalidMolecule::Chemistry(_) | InvalidMolecule::Syntax(_))),
    ];
    for (text, expected) in cases {
        let reason = smiles::canonical(text).unwrap_err();
        assert!(expected(&reason), "{text:?}: {reason:?}");
        assert_eq!(smiles::scaffold(text).unwrap_err(), reason, "{text:?}");
    }
    assert_eq!(smiles::canonical("C".repeat(1_001).as_str()).unwrap_err(), InvalidMolecule::TooLarge);
    assert_eq!(smiles::canonical("C".repeat(1 << 20).as_str()).unwrap_err(), InvalidMolecule::TooLarge);
    assert_eq!(smiles::canonical(" CCO ").unwrap(), "CCO");
}

#[test]
fn no_input_panics() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    let seeds = [
        "CC(=O)Oc1ccccc1C(=O)O",
        "C[C@]12CC[C@H]3[C@H]([C@@H]1CC[C@@H]2O)CCC1=CC(=O)CC[C@]31C",
        "[Na+].[O-]C(=O)/C=C\\c1cc[nH]c1",
        "C%12CC%12",
    ];
    let signs: Vec<char> = "CNOSPFIBrcnospl()[]=#$:/\\@+-.%0123456789H*~>".chars().collect();
    for round in 0..4_000 {
        let mut text: Vec<char> = seeds[round % seeds.len()].chars().collect();
        for _ in 0..=next(4) {
            let place = next(text.len());
            match next(3) {
                0 => text[place] = signs[next(signs.len())],
                1 => text.insert(place, signs[next(signs.len())]),
                _ => drop((text.len() > 1).then(|| text.remove(place))),
            }
        }
        let text: String = text.into_iter().collect();
        // Errors are fine; the guard turns a panic of the library into `Panic`, which would be worth knowing.
        for result in [smiles::canonical(&text), smiles::scaffold(&text)] {
            assert!(!matches!(result, Err(InvalidMolecule::Panic(_))), "{text}");
        }
    }
    for nested in ["(", "[", "C(", "C1", "%"] {
        assert!(smiles::canonical(&nested.repeat(3_000)).is_err());
    }
}
