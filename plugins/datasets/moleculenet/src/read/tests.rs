#![allow(clippy::unwrap_used)]
use super::*;
use crate::sets::find;

fn parsed(set: &str, text: &str) -> ParsedTable {
    read(find(set).unwrap(), "f.csv", text.as_bytes()).unwrap()
}

fn refused(set: &str, text: &str) -> String {
    read(find(set).unwrap(), "f.csv", text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn every_form_gives_the_same_table() {
    let forms = [
        (
            "esol",
            [
                "smiles,measured log solubility in mols per litre\nC,-1\n\"C,N\",0.5\n",
                "smiles,logSolubility\nC,-1\n\"C,N\",0.5\n",
                "Compound ID,ESOL predicted log solubility in mols per litre,measured log solubility in mols per litre,smiles\r\nx,9,-1,C \
             \r\ny,9,0.5,\"C,N \"\r\n",
            ],
        ),
        (
            "freesolv",
            [
                "smiles,expt\nC,-1\n\"C,N\",0.5\n",
                "smiles,target\nC,-1\n\"C,N\",0.5\n",
                "iupac,smiles,expt,calc\nx,C,-1,9\n\"y, z\",\"C,N\",0.5,9\n",
            ],
        ),
        (
            "lipo",
            [
                "smiles,exp\nC,-1\n\"C,N\",0.5\n",
                "smiles,target\nC,-1\n\"C,N\",0.5\n",
                "CMPD_CHEMBLID,exp,smiles\nx,-1,C\ny,0.5,\"C,N\"\n",
            ],
        ),
        (
            "bace_reg",
            [
                "smiles,pIC50\nC,-1\n\"C,N\",0.5\n",
                "smiles,target\nC,-1\n\"C,N\",0.5\n",
                "mol,CID,Class,Model,pIC50,MW\nC,x,1,Train,-1,9\n\"C,N\",y,1,Test,0.5,9\n",
            ],
        ),
    ];
    for (set, texts) in forms {
        for text in texts {
            let table = parsed(set, text);
            assert_eq!(
                (table.smiles, table.labels.concat()),
                (vec!["C".into(), "C,N".into()], vec!["-1".to_owned(), "0.5".into()]),
                "{set}: {text}"
            );
        }
    }
}

#[test]
fn words_become_labels_in_the_packages_form_only() {
    let labels = |set: &str, text: &str| parsed(set, text).labels.concat();
    assert_eq!(labels("hiv", "smiles,target\nC,CI\nN,CM\nO,CA\nF,ci\nS,\n"), ["0", "1", "1", "ci", ""]);
    assert_eq!(labels("hiv", "smiles,activity,HIV_active\nC,CA,1\nN,CI,CI\n"), ["1", "CI"]);
    assert_eq!(labels("bace", "smiles,target\nC,CI\n"), ["CI"], "only where the set has such words");
}

#[test]
fn tasks_are_taken_by_name_and_missing_ones_are_named() {
    let official = format!("{},mol_id,smiles\n{},TOX1,C\n", crate::tasks::TOX21.join(","), "0,,1,0,,0,0,1,0,0,0,0");
    let table = parsed("tox21", &official);
    assert_eq!((table.smiles[0].as_str(), table.labels.concat().join(",").as_str()), ("C", "0,,1,0,,0,0,1,0,0,0,0"));
    // The order of another copy in use, `mol_id,smiles,NR-AR-LBD,NR-AR,...`, is no harm either.
    let turned = "mol_id,smiles,NR-AR-LBD,NR-AR,NR-PPAR-gamma,NR-ER,NR-Aromatase,SR-MMP,SR-p53,NR-AhR,SR-ARE,NR-ER-LBD,SR-HSE,SR-ATAD5\n\
                  TOX3021,C,1,0,0,,,0,0,1,1,0,0,0\n";
    assert_eq!(parsed("tox21", turned).labels.concat().join(","), "0,1,1,,,0,0,1,0,0,0,0");
    assert_eq!(
        refused("esol", "smiles,target\nC,1\n"),
        "f.csv: no column `measured log solubility in mols per litre`; it has: smiles, target"
    );
    assert_eq!(refused("clintox", "smiles,target\nC,1\n"), "f.csv: no column `FDA_APPROVED`; it has: smiles, target");
    assert_eq!(refused("bace", "id,Class\nC,1\n"), "f.csv: no column `smiles`; it has: id, Class");
    assert_eq!(parsed("clintox_ct_tox", "smiles,FDA_APPROVED,CT_TOX\nC,1,0\n").labels, [["0"]]);
    let twice = refused("bace", "smiles,Class,Class\nC,1,0\n");
    assert_eq!(twice, "f.csv: the column `Class` occurs twice in the header; fetch the file again or correct it");
}

#[test]
fn doubled_backslashes_are_undone_only_where_they_are_known() {
    let text = "smiles,FDA_APPROVED,CT_TOX\nC/C=C\\\\C,1,0\nC/C=C\\C,1,0\n";
    assert_eq!(parsed("clintox", text).smiles, ["C/C=C\\C", "C/C=C\\C"]);
    assert_eq!(parsed("bbbp", "smiles,target\nC/C=C\\\\C,1\n").smiles, ["C/C=C\\\\C"]);
}

#[test]
fn rows_that_only_official_files_have_are_left_out() {
    let LeftOut::Rows { of, rows } = find("bbbp").unwrap().left_out else { panic!() };
    let text = |rows: usize| {
        let lines = (0..rows).map(|row| format!("{row},n,{},{}\n", row % 2, "C".repeat(1 + row % 7)));
        format!("num,name,p_np,smiles\n{}", lines.collect::<String>())
    };
    let (all, kept) = (parsed("bbbp", &text(of - 1)), parsed("bbbp", &text(of)));
    assert_eq!((all.smiles.len(), kept.smiles.len(), kept.labels.len()), (of - 1, of - rows.len(), of - rows.len()));
    let wanted = (0..of).filter(|row| !rows.contains(row)).map(|row| "C".repeat(1 + row % 7));
    assert_eq!(kept.smiles, wanted.collect::<Vec<_>>());

    let LeftOut::Molecules(texts) = find("clintox").unwrap().left_out else { panic!() };
    let rows: String = texts.iter().map(|smiles| format!("{smiles},1,0\nC,0,1\n")).collect();
    let table = parsed("clintox", &format!("smiles,FDA_APPROVED,CT_TOX\n{rows}"));
    assert_eq!((table.smiles.concat(), table.labels.concat().concat()), ("C".repeat(6), "01".repeat(6)));
}

/// The header that copies of QM8 in use have.
#[test]
fn the_columns_that_qm8_names_twice_are_told_apart() {
    let header = "smiles,E1-CC2,E2-CC2,f1-CC2,f2-CC2,E1-PBE0,E2-PBE0,f1-PBE0,f2-PBE0,E1-PBE0,E2-PBE0,f1-PBE0,f2-PBE0,E1-CAM,E2-CAM,\
                  f1-CAM,f2-CAM";
    let numbers = (1..17).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    for ends in ["\n", "\r\n"] {
        let table = parsed("qm8", &format!("{header}{ends}[H]O[H],{numbers}{ends}"));
        assert_eq!(table.labels.concat().join(","), numbers);
        assert_eq!(table.smiles, ["[H]O[H]"]);
    }
    let normal = (crate::sets::find("qm8").unwrap().tasks)().iter().map(|task| task.name).collect::<Vec<_>>().join(",");
    assert_eq!(parsed("qm8", &format!("smiles,{normal}\nC,{numbers}\n")).labels.concat().join(","), numbers);
}

#[test]
fn the_packages_form_of_qm9_is_read_by_its_own_names() {
    let set = find("qm9").unwrap();
    let columns: Vec<&str> = (set.tasks)().iter().map(|task| set.alias(task.name).unwrap()).collect();
    let text = format!("Index,SMILES,{}\n1,\"C\",{}\n", columns.join(","), ["0."; 12].join(","));
    let table = parsed("qm9", &text);
    assert_eq!((table.smiles, table.labels.concat()), (vec!["C".to_owned()], vec!["0.".to_owned(); 12]));
}

#[test]
fn files_that_are_no_table_are_refused() {
    assert!(refused("muv", "<html>").contains("web page"));
    assert!(refused("muv", "").contains("empty"));
}
